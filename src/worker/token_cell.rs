//! Where the token is handed over: one thread puts it, others take it, wait for a newer one, or say
//! that Kick refuses it.
//!
//! However many say so of the same token, one new token is asked for: a refusal counts only while
//! the token that it means is still the one in use.

use crate::domain::secret::Secret;
use crate::stop::{Stop, StopSource, stop_pair};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Which token it is; a later one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Generation(u64);

/// The token in use, if there is one.
#[derive(Debug)]
pub(crate) struct TokenCell {
    held: Mutex<Held>,
    /// Room for one nudge: a second one would say the same.
    nudges: (Sender<()>, Receiver<()>),
}

#[derive(Debug)]
struct Held {
    token: Option<Secret>,
    generation: Generation,
    /// Hung up when the next token is there: that wakes all who wait for it.
    next: (StopSource, Stop),
}

impl Default for TokenCell {
    fn default() -> TokenCell {
        let held = Held { token: None, generation: Generation(0), next: stop_pair() };
        TokenCell { held: Mutex::new(held), nudges: bounded(1) }
    }
}

impl TokenCell {
    /// The token in use.
    pub(crate) fn current(&self) -> Option<(Generation, Secret)> {
        self.held().newer(None)
    }

    /// A token newer than that one, or any; waits for it no longer than `limit`, nor after a stop.
    pub(crate) fn wait_newer(
        &self,
        than: Option<Generation>,
        limit: Duration,
        stop: &Stop,
    ) -> Option<(Generation, Secret)> {
        let next = {
            let held = self.held();
            if let Some(newer) = held.newer(than) {
                return Some(newer);
            }
            held.next.1.clone()
        };
        stop.recv(next.channel(), limit);
        self.held().newer(than)
    }

    /// Kick does not accept that token. If it is the one in use, it is dropped and a new one asked
    /// for.
    pub(crate) fn refuse(&self, generation: Generation) {
        let mut held = self.held();
        if held.generation == generation && held.token.take().is_some() {
            self.hurry();
        }
    }

    /// If there is no token because asking for one failed, it is asked for now.
    pub(crate) fn hurry(&self) {
        // A full channel holds a nudge already.
        let _ = self.nudges.0.try_send(());
    }

    /// A new token.
    pub(super) fn put(&self, token: Secret) {
        let mut held = self.held();
        let generation = Generation(held.generation.0 + 1);
        *held = Held { token: Some(token), generation, next: stop_pair() };
    }

    /// The token in use has come to its end.
    pub(super) fn forget(&self) {
        self.held().token = None;
    }

    /// A message when a token was refused, or is to be asked for now.
    pub(super) fn nudges(&self) -> &Receiver<()> {
        &self.nudges.1
    }

    /// A thread that panicked between two assignments here left nothing half done.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn newer(&self, than: Option<Generation>) -> Option<(Generation, Secret)> {
        let token = self.token.clone().filter(|_| than.is_none_or(|than| self.generation > than))?;
        Some((self.generation, token))
    }
}
