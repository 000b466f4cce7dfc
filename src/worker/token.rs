//! The thread `token`: obtains a token at the start, a new one in good time before the old one expires, and another
//! at once if Kick no longer accepts it.
//!
//! When to ask and what to log is decided in `plan.rs`.

mod plan;

use super::Worker;
use super::token_cell::TokenCell;
use crate::clock::{Clock, Pulse};
use crate::gateway::kick::{Kick, TokenError};
use crate::monitor::io::Input;
use crate::stop::{Received, Stop};
use crossbeam_channel::Sender;
use plan::Plan;
use std::sync::Arc;
use std::time::Duration;

/// What the pulse allows for a turn: a request, and a wait that ends late.
const TURN_MAX: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(crate) struct TokenWorker {
    pub kick: Arc<Kick>,
    /// Where the askers find the token.
    pub tokens: Arc<TokenCell>,
    pub inputs: Sender<Input>,
    pub clock: Clock,
    /// The seed for the jitter of pauses.
    pub seed: u64,
}

impl Worker for TokenWorker {
    /// Keeps a token available until the stop.
    fn run(self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        let mut plan = Plan::new(self.clock.steady(), self.seed);
        loop {
            let now = self.clock.steady();
            if self.tokens.current().is_none() {
                plan.lost(now);
            } else if plan.expired(now) {
                self.tokens.forget();
            }
            if now >= plan.due() && !self.renew(&mut plan, pulse, stop) {
                return Ok(());
            }
            let wait = self.clock.until(plan.wake());
            pulse.promise(wait + TURN_MAX);
            match stop.recv(self.tokens.nudges(), wait) {
                Received::Message(()) => plan.hurry(self.clock.steady()),
                Received::Nothing => {}
                Received::HungUp | Received::Stopped => return Ok(()),
            }
        }
    }
}

impl TokenWorker {
    /// Sends one token request. Returns false if the core is gone.
    fn renew(&self, plan: &mut Plan, pulse: &Pulse, stop: &Stop) -> bool {
        pulse.promise(TURN_MAX);
        if self.inputs.send(Input::Spent).is_err() {
            return false;
        }
        plan.asks(self.clock.steady());
        let result = self.kick.token();
        if stop.is_stopped() {
            // A stop aborts the request; its failure says nothing about Kick.
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
