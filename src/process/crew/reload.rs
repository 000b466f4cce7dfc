//! What a reload replaces: the workers that depend on a part of the configuration that changed.

use super::{Crew, lane_channels, writer_name};
use crate::config::Config;
use crate::gateway::database::Database;
use crate::gateway::kick::{Kick, REQUEST_LIMIT, Realtime};
use crate::gateway::socket::Authorities;
use crate::monitor::Input;
use crate::process::supervisor::{Fatal, Supervisor};
use crate::worker::token_cell::TokenCell;
use std::sync::Arc;

impl Crew {
    /// Other credentials or addresses at Kick: the workers that ask there begin anew.
    pub(in crate::process) fn replace_kick(
        &mut self,
        config: &Config,
        supervisor: &mut Supervisor,
    ) -> Result<(), Fatal> {
        let old = std::mem::replace(&mut self.kick, Arc::new(Kick::new(&config.kick, REQUEST_LIMIT)));
        self.tokens = Arc::new(TokenCell::default());
        self.add_askers(supervisor)?;
        // Who is told to stop knows that it is not Kick who hangs up.
        old.hang_up();
        Ok(())
    }

    /// A reload: what waits after failures for a token need not wait any longer.
    pub(in crate::process) fn hurry(&self) {
        self.tokens.hurry();
    }

    /// Other push settings: every connection is made anew, and the way chosen anew. The core knows the settings.
    pub(in crate::process) fn replace_push(
        &mut self,
        config: &Config,
        supervisor: &mut Supervisor,
    ) -> Result<(), Fatal> {
        self.push = config.push.clone();
        self.authorities = Arc::new(Authorities::new(config.push.tls_ca.clone()));
        let old = std::mem::replace(&mut self.realtime, Arc::new(Realtime::new(&config.push)));
        self.add_broker(supervisor)?;
        old.hang_up();
        self.tell(Input::Relink);
        Ok(())
    }

    /// Another database or table: the workers that read or write there begin anew.
    pub(in crate::process) fn replace_database(
        &mut self,
        config: &Config,
        database: Database,
        supervisor: &mut Supervisor,
    ) -> Result<(), Fatal> {
        for name in (0..self.lanes.len()).map(writer_name) {
            supervisor.remove(&name);
            self.leaving.push(name);
        }
        if !self.database.is_of(&config.database) {
            // Nothing that still runs there can change a row here.
            self.database.abandon();
        }
        self.database = Arc::new(database);
        let (lanes, lanes_out) = lane_channels(config);
        self.lanes = lanes_out;
        // What the old writers had is given out again when the new ones say that they begin.
        let _ = self.relane.send(lanes);
        self.relieve_writers(supervisor)?;
        self.add_roster(config, supervisor)
    }

    /// Starts the new writers once every old one has ended: until then a statement of an old one may still be
    /// done, and would undo what a new one wrote (R19).
    pub(in crate::process) fn relieve_writers(&mut self, supervisor: &mut Supervisor) -> Result<(), Fatal> {
        if self.leaving.is_empty() || self.leaving.iter().any(|name| supervisor.has(name)) {
            return Ok(());
        }
        self.leaving.clear();
        self.add_writers(supervisor)
    }
}
