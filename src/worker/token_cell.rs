//! Passes the token between threads: one puts it here, and others take it, wait for a newer one, or report that Kick
//! refused it.
//!
//! Several refusals of one token cause only one request for a new token: a refusal counts only while the token that
//! it names is in use.

use crate::domain::secret::Secret;
use crate::stop::{Stop, StopSource, stop_pair};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The number of a token; a later token has a greater one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Generation(u64);

/// The token in use, if there is one.
#[derive(Debug)]
pub(crate) struct TokenCell {
    held: Mutex<Held>,
    /// Capacity 1: a second nudge would add nothing.
    nudges: (Sender<()>, Receiver<()>),
}

#[derive(Debug)]
struct Held {
    token: Option<Secret>,
    generation: Generation,
    /// Hung up when the next token arrives, which wakes all threads that wait for it.
    next: (StopSource, Stop),
}

impl Default for TokenCell {
    fn default() -> TokenCell {
        let held = Held { token: None, generation: Generation(0), next: stop_pair() };
        TokenCell { held: Mutex::new(held), nudges: bounded(1) }
    }
}

impl TokenCell {
    pub(crate) fn current(&self) -> Option<(Generation, Secret)> {
        self.held().newer(None)
    }

    /// A token newer than `than`, or any token. Waits up to `limit` for it, and ends the wait at a stop.
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

    /// Reports that Kick does not accept this token. If it is the one in use, it is removed and a new one is
    /// requested.
    pub(crate) fn refuse(&self, generation: Generation) {
        let mut held = self.held();
        if held.generation == generation && held.token.take().is_some() {
            self.hurry();
        }
    }

    /// Asks for a request at once if there is no token because the last request failed.
    pub(crate) fn hurry(&self) {
        // If the channel is full, it holds a nudge already.
        let _ = self.nudges.0.try_send(());
    }

    pub(super) fn put(&self, token: Secret) {
        let mut held = self.held();
        let generation = Generation(held.generation.0 + 1);
        *held = Held { token: Some(token), generation, next: stop_pair() };
    }

    /// Removes the token in use, which has expired.
    pub(super) fn forget(&self) {
        self.held().token = None;
    }

    /// Yields a message when a token was refused, or is to be requested at once.
    pub(super) fn nudges(&self) -> &Receiver<()> {
        &self.nudges.1
    }

    /// A poisoned lock is safe to use: the assignments under it leave no inconsistent state when a thread panics
    /// between them.
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
