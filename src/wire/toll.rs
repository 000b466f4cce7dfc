//! Limits how much work a server may cause in one session within a minute, so that memory, log lines and the load of
//! the core stay bounded whatever it sends. A server that exceeds the limit loses the connection.
//!
//! Frames without any effect cost nothing, however many there are.

use crate::domain::Steady;
use std::time::Duration;

/// The length of a window; the cost starts at zero with each.
const WINDOW: Duration = Duration::from_secs(60);
/// The cost of one event that may be evidence.
pub(super) const EVIDENCE: usize = 1;
/// The cost of a message that no server needs to send often: one that cannot be parsed, a ping, or a reply without
/// effect.
pub(super) const IDLE: usize = 100;
/// The cost allowed in a window, and the addition for each channel followed: 20,000 events, or 200 useless messages
/// and two more for each channel.
const ALLOWED: (usize, usize) = (20_000, 200);

/// The cost that the server has caused in the present window.
#[derive(Debug)]
pub(super) struct Toll {
    since: Steady,
    paid: usize,
}

impl Toll {
    pub(super) fn new(now: Steady) -> Toll {
        Toll { since: now, paid: 0 }
    }

    /// Adds a cost. Returns true if the sum exceeds the limit for a connection that follows `channels` channels.
    pub(super) fn exceeded(&mut self, now: Steady, cost: usize, channels: usize) -> bool {
        if now.since(self.since) >= WINDOW {
            *self = Toll::new(now);
        }
        self.paid = self.paid.saturating_add(cost);
        let (base, each) = ALLOWED;
        self.paid > base.saturating_add(each.saturating_mul(channels))
    }
}

#[cfg(test)]
mod tests {
    use super::{EVIDENCE, IDLE, Toll, WINDOW};
    use crate::domain::Steady;

    #[test]
    fn what_is_allowed_may_be_used_up_in_each_window() {
        let start = Steady::default();
        let mut toll = Toll::new(start);
        for now in [start, start + WINDOW] {
            for (cost, times) in [(EVIDENCE, 20_000), (IDLE, 2 * 3)] {
                assert!((0..times).all(|_| !toll.exceeded(now, cost, 3)), "{cost}");
            }
            assert!(toll.exceeded(now, EVIDENCE, 3));
        }
    }
}
