//! Two clocks, never mixed: steady time says how long, wall time says when.
//!
//! Nothing here reads a clock; `crate::clock` alone does.

use std::ops::Add;
use std::time::Duration;

/// Wall time, as rows, logs and Kick write it.
pub use jiff::Timestamp;

/// Steady time since the process began. It never jumps and means nothing outside the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Steady(pub Duration);

impl Steady {
    /// How long ago `earlier` was; zero when it was not earlier.
    pub fn since(self, earlier: Steady) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Steady {
    type Output = Steady;

    fn add(self, wait: Duration) -> Steady {
        Steady(self.0.saturating_add(wait))
    }
}

/// One reading of both clocks, made once for each turn of a thread's loop and passed down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For deadlines and durations.
    pub steady: Steady,
    /// For rows, logs, and comparison with the times that Kick writes.
    pub wall: Timestamp,
}
