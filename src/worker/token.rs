//! Keeps a token at hand: gets one at start, a new one in good time before the old one ends, and
//! another at once when Kick no longer accepts it.
//!
//! The thread only carries out; when to ask and what to say is decided in `plan.rs`.

mod plan;

use super::token_cell::TokenCell;
use crate::clock::{Clock, Pulse};
use crate::gateway::kick::{Kick, TokenError};
use crate::monitor::io::Input;
use crate::stop::{Received, Stop};
use crossbeam_channel::Sender;
use plan::Plan;
use std::sync::Arc;
use std::time::Duration;

/// What a request may take, and how late a wait may end.
const TURN_MAX: Duration = Duration::from_secs(60);

/// The worker.
#[derive(Clone, Debug)]
pub(crate) struct TokenWorker {
    /// The way to Kick.
    pub kick: Arc<Kick>,
    /// Where the token is put.
    pub tokens: Arc<TokenCell>,
    /// The way to the core.
    pub inputs: Sender<Input>,
    /// The time.
    pub clock: Clock,
    /// The sign of life.
    pub pulse: Pulse,
    /// The end.
    pub stop: Stop,
    /// Where jitter begins.
    pub seed: u64,
}

impl TokenWorker {
    /// Keeps a token at hand until the stop.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let mut plan = Plan::new(self.clock.steady(), self.seed);
        loop {
            let now = self.clock.steady();
            if self.tokens.current().is_none() {
                plan.lost(now);
            } else if plan.expired(now) {
                self.tokens.forget();
            }
            if now >= plan.due() && !self.renew(&mut plan) {
                return Ok(());
            }
            let wait = self.clock.until(plan.wake());
            self.pulse.promise(wait + TURN_MAX);
            match self.stop.recv(self.tokens.nudges(), wait) {
                Received::Message(()) => plan.hurry(self.clock.steady()),
                Received::Nothing => {}
                Received::HungUp | Received::Stopped => return Ok(()),
            }
        }
    }

    /// One request; whether the core still listens.
    fn renew(&self, plan: &mut Plan) -> bool {
        self.pulse.promise(TURN_MAX);
        if self.inputs.send(Input::Spent).is_err() {
            return false;
        }
        plan.asks(self.clock.steady());
        let result = self.kick.token();
        if self.stop.is_stopped() {
            // It ends requests in flight; what came of this one is not Kick's doing.
            return true;
        }
        let now = self.clock.steady();
        match result {
            Ok(token) => {
                let (event, expires) = plan.got(now, token.expires_in);
                self.tokens.put(token.secret);
                event.say();
                self.inputs.send(Input::Token(expires)).is_ok()
            }
            Err(error) => {
                let status = error.status();
                let (reason, refused) = match &error {
                    TokenError::Refused { word, .. } => (word.clone(), true),
                    TokenError::Unavailable { reason, .. } => (reason.clone(), false),
                };
                if let Some(event) = plan.failed(now, error) {
                    event.say();
                }
                self.inputs.send(Input::TokenFailed { status, reason, refused }).is_ok()
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
