//! What a reload replaces: the workers that depend on a changed part of the configuration.

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
    /// Replaces the workers that send requests to Kick, for new credentials or addresses.
    pub(in crate::process) fn replace_kick(
        &mut self,
        config: &Config,
        supervisor: &mut Supervisor,
    ) -> Result<(), Fatal> {
        let old = std::mem::replace(&mut self.kick, Arc::new(Kick::new(&config.kick, REQUEST_LIMIT)));
        self.tokens = Arc::new(TokenCell::default());
        self.add_askers(supervisor)?;
        if config.webhook.is_some() {
            self.add_subscriber(supervisor)?;
        }
        // A worker that has been told to stop ignores the failure of its request.
        old.hang_up();
        Ok(())
    }

    /// Ends the token worker's pause after failures, because a reload was requested.
    pub(in crate::process) fn hurry(&self) {
        self.tokens.hurry();
    }

    /// Makes every connection anew and has the transport chosen again, for new push settings. The core gets the
    /// settings separately.
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

    /// Replaces the workers that use the database, for another database or table.
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
            // Whatever still runs there cannot change a row of the new database.
            self.database.abandon();
        }
        if !self.database.shares_as(&config.database) {
            // The old writers and the old coordinator keep the old cell until the last of these writers has ended. In the
            // new one nothing is held before the new coordinator says so.
            self.cell = Arc::new(self.cell.successor());
            self.sharing = (config.database.shards, config.database.coordination);
            self.reseated = true;
        }
        self.database = Arc::new(database);
        let (lanes, lanes_out) = lane_channels(config);
        self.lanes = lanes_out;
        // The core sends the old writers' rows again when the new writers report their start.
        let _ = self.relane.send(lanes);
        self.relieve_writers(supervisor)?;
        self.add_roster(config, supervisor)
    }

    /// Starts the new writers after the last old one has ended. Until then a statement of an old one might still take
    /// effect, and undo a write of a new one (R19), and this instance keeps its share of the old table (R25).
    pub(in crate::process) fn relieve_writers(&mut self, supervisor: &mut Supervisor) -> Result<(), Fatal> {
        if self.leaving.is_empty() || self.leaving.iter().any(|name| supervisor.has(name)) {
            return Ok(());
        }
        self.leaving.clear();
        if std::mem::take(&mut self.reseated) {
            self.add_coordinator(supervisor)?;
        }
        self.add_writers(supervisor)
    }
}
