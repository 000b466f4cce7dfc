//! What happened, for tests to look at, and the bell that wakes who waits for something to happen.

use crate::clock;
use crate::fault::Face;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// More than any test makes; the oldest are forgotten first.
const REQUESTS_MAX: usize = 200_000;

/// A request that came in, websocket handshakes included.
#[derive(Clone, Debug)]
pub struct Request {
    /// When its last byte had been read.
    pub at: Instant,
    /// What it asked.
    pub face: Face,
    /// `GET`, `POST`…
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Decoded, in the order given.
    pub query: Vec<(String, String)>,
    /// The status of the answer; `None` when a fault left it without one.
    pub status: Option<u16>,
}

impl Request {
    /// Every value that the query has under this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The requests so far.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<VecDeque<Request>>);

impl Journal {
    pub(crate) fn record(&self, request: Request) {
        self.with(|requests| {
            if requests.len() == REQUESTS_MAX {
                requests.pop_front();
            }
            requests.push_back(request);
        });
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut VecDeque<Request>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Rung after every change that somebody may wait for.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<u64>,
    ringing: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.ringing.notify_all();
    }

    /// Waits until `there` is true, looking again after every ring; false when `limit` has passed first.
    pub(crate) fn wait_for(&self, limit: Duration, mut there: impl FnMut() -> bool) -> bool {
        let deadline = clock::steady() + limit;
        loop {
            let before = *self.rung.lock().unwrap_or_else(PoisonError::into_inner);
            if there() {
                return true;
            }
            let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
            let left = deadline.saturating_duration_since(clock::steady());
            if left.is_zero() {
                return false;
            }
            // Poisoned or timed out, the next turn finds out what is true.
            drop(self.ringing.wait_timeout_while(rung, left, |rung| *rung == before));
        }
    }
}
