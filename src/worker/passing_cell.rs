//! What the workers `webhook` and `coordinator` share where several instances take webhooks (R27): a request that
//! reached this instance is passed on to the others, and theirs come here. It outlives both workers.
//!
//! What finds no room is dropped: that change is found by the API, as if the delivery were lost.

use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::atomic::{AtomicBool, Ordering};

/// The most requests that wait, in either direction: more than Kick sends within a turn of either worker.
const WAITING_MAX: usize = 256;

/// The cell.
#[derive(Debug)]
pub struct PassingCell {
    taken: AtomicBool,
    out: (Sender<Vec<u8>>, Receiver<Vec<u8>>),
    heard: (Sender<Vec<u8>>, Receiver<Vec<u8>>),
}

impl Default for PassingCell {
    fn default() -> PassingCell {
        PassingCell { taken: AtomicBool::new(false), out: bounded(WAITING_MAX), heard: bounded(WAITING_MAX) }
    }
}

impl PassingCell {
    /// Webhooks are taken here from now on, or no longer.
    pub(crate) fn take(&self, taken: bool) {
        self.taken.store(taken, Ordering::Relaxed);
    }

    /// Returns true if webhooks are taken here.
    pub(super) fn is_taking(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }

    /// Passes a request on.
    pub(super) fn pass_on(&self, request: Vec<u8>) {
        let _ = self.out.0.try_send(request);
    }

    /// What is to be passed on.
    pub(super) fn to_pass_on(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.out.1.try_iter()
    }

    /// Another instance has passed this on.
    pub(super) fn hear(&self, request: Vec<u8>) {
        let _ = self.heard.0.try_send(request);
    }

    /// What other instances have passed on.
    pub(super) fn heard(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.heard.1.try_iter()
    }
}
