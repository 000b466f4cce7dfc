//! Patience with a deadline: tests wait for what they want to see, never for time to pass.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Looks at `condition` every few milliseconds until it gives something.
///
/// # Panics
///
/// When `limit` has passed, naming `what` was waited for.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "the one place where tests wait")]
pub fn wait_for<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(seen) = condition() {
            return seen;
        }
        assert!(Instant::now() < end, "waited {limit:?} in vain for {what}");
        std::thread::sleep(LOOK);
    }
}
