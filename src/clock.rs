//! The only file that reads a clock, and the pulse by which a thread shows that it is alive.
//!
//! A worker reads the time once in each turn of its loop and passes the `Now` down; no other code reads the time.

use crate::domain::time::{Now, Steady, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A source of steady and wall time. Copies count from the same start, so their times can be compared.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts the clock: steady time is zero now.
    #[expect(clippy::disallowed_methods, reason = "this file is where time enters the program")]
    pub fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// Reads both clocks.
    pub(crate) fn now(&self) -> Now {
        Now { steady: self.steady(), wall: Timestamp::now() }
    }

    /// Reads the steady clock alone.
    pub fn steady(&self) -> Steady {
        Steady::after(self.start.elapsed())
    }

    /// The time from now until `then`; zero if `then` has passed.
    pub(crate) fn until(&self, then: Steady) -> Duration {
        then.since(self.steady())
    }
}

/// A thread's promise to return to the head of its loop by a certain time. The supervisor finds the threads that did
/// not keep it (`fresh`).
#[derive(Clone, Debug)]
pub struct Pulse {
    clock: Clock,
    /// Steady time, in milliseconds, until which the promise holds.
    until_ms: Arc<AtomicU64>,
}

impl Pulse {
    /// Creates a pulse with a first promise: the thread's first turn begins within `first`.
    pub fn new(clock: Clock, first: Duration) -> Pulse {
        let pulse = Pulse { clock, until_ms: Arc::new(AtomicU64::new(0)) };
        pulse.promise(first);
        pulse
    }

    /// Promises to call this again within `limit`.
    pub(crate) fn promise(&self, limit: Duration) {
        let until = self.clock.steady() + limit;
        self.until_ms.store(u64::try_from(until.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns true while the promise holds.
    pub(crate) fn fresh(&self) -> bool {
        self.clock.steady().elapsed().as_millis() <= u128::from(self.until_ms.load(Ordering::Relaxed))
    }
}
