//! The thread `webhook`: takes Kick's webhooks, verifies them, and hands them to the core. It exists only while
//! `WEBHOOK_LISTEN` is set.
//!
//! A flood of requests costs this thread and nobody else: it sends the core one input for each verified delivery, and
//! one a second for all that it refused.

mod desk;
#[cfg(test)]
mod tests;

use super::Worker;
use super::passing_cell::PassingCell;
use super::webhook_cell::WebhookCell;
use crate::backoff::Backoff;
use crate::clock::{Clock, Pulse};
use crate::config::WebhookConfig;
use crate::domain::webhook::WebhookEvent;
use crate::gateway::webhook::Server;
use crate::monitor::io::Input;
use crate::stop::Stop;
use crossbeam_channel::Sender;
use desk::Desk;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The pauses before listening is tried again.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(30);
/// How long a turn may wait, and a stop for it.
const TURN: Duration = Duration::from_millis(250);
/// What the pulse allows for a turn: a hub that compares a large roster takes no input for a second or two.
const TURN_MAX: Duration = Duration::from_secs(60);

/// The state of the thread `webhook`.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    /// Where it listens.
    pub config: WebhookConfig,
    /// Kick's key and time.
    pub cell: Arc<WebhookCell>,
    /// What is passed on between instances.
    pub passing: Arc<PassingCell>,
    /// The channel to the core; a full one makes the worker wait.
    pub inputs: Sender<Input>,
    pub clock: Clock,
    /// For the jitter of pauses.
    pub rng: fastrand::Rng,
}

impl Worker for Webhook {
    /// Runs until the stop comes, or the core is gone.
    fn run(mut self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MOST);
        loop {
            pulse.promise(TURN_MAX);
            let why = match self.listen(pulse, stop) {
                Ok(()) => return Ok(()),
                Err(error) => format!("{}: {error}", self.config.listen),
            };
            if !self.tell(Some(why)) || stop.wait(backoff.next(&mut self.rng)) {
                return Ok(());
            }
        }
    }
}

impl Webhook {
    fn tell(&self, why_not: Option<String>) -> bool {
        self.inputs.send(Input::Webhook(WebhookEvent::Listening(why_not))).is_ok()
    }

    /// Serves until it is to end, or the listener fails.
    fn listen(&self, pulse: &Pulse, stop: &Stop) -> io::Result<()> {
        let mut server = Server::open(&self.config)?;
        let (cell, passing) = (Arc::clone(&self.cell), Arc::clone(&self.passing));
        let mut desk = Desk::new(cell, passing, self.inputs.clone(), self.clock);
        let mut heard = self.tell(None);
        while heard && !stop.is_stopped() {
            pulse.promise(TURN_MAX);
            server.turn(|| self.clock.steady(), TURN, &mut desk)?;
            desk.hear();
            heard = desk.report();
        }
        // Those whose requests have arrived get an answer.
        desk.stop();
        server.turn(|| self.clock.steady(), Duration::ZERO, &mut desk)
    }
}
