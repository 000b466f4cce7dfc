//! The one place of the simulator that reads a clock.

use jiff::Timestamp;
use std::time::Instant;

/// Both times at once: steady for "how long", wall for what Kick writes into its answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) steady: Instant,
    pub(crate) wall: Timestamp,
}

/// Now, by both clocks.
#[expect(clippy::disallowed_methods, reason = "this file is where time enters the simulator")]
pub(crate) fn now() -> Moment {
    Moment { steady: Instant::now(), wall: Timestamp::now() }
}

/// Now, by the steady clock.
pub(crate) fn steady() -> Instant {
    now().steady
}
