//! The one place that reads a clock, and the pulse by which a thread shows that it is alive.
//!
//! Workers make one `Now` a turn here and pass it down; nothing below reads the time by itself.

use crate::domain::time::{Now, Steady, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Both clocks. Copies agree with each other: they count from the same start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose steady time is zero now.
    #[expect(clippy::disallowed_methods, reason = "this file is where time enters the program")]
    pub fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// Both times.
    pub(crate) fn now(&self) -> Now {
        Now { steady: self.steady(), wall: Timestamp::now() }
    }

    /// The steady time alone.
    pub fn steady(&self) -> Steady {
        Steady(self.start.elapsed())
    }

    /// How long from now until `then`; zero when it has passed.
    pub(crate) fn until(&self, then: Steady) -> Duration {
        then.since(self.steady())
    }
}

/// A thread's promise to be back at the head of its loop. Who watches sees a thread that did not
/// keep it.
#[derive(Clone, Debug)]
pub struct Pulse {
    clock: Clock,
    /// Steady milliseconds until which the thread may be silent.
    until_ms: Arc<AtomicU64>,
}

impl Pulse {
    /// A pulse that allows for `first` before the thread's first turn.
    pub fn new(clock: Clock, first: Duration) -> Pulse {
        let pulse = Pulse { clock, until_ms: Arc::new(AtomicU64::new(0)) };
        pulse.promise(first);
        pulse
    }

    /// "I am alive, and shall say so again within `limit`."
    pub(crate) fn promise(&self, limit: Duration) {
        let until = self.clock.steady() + limit;
        self.until_ms.store(u64::try_from(until.0.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether the promise stands.
    pub(crate) fn fresh(&self) -> bool {
        self.clock.steady().0.as_millis() <= u128::from(self.until_ms.load(Ordering::Relaxed))
    }
}
