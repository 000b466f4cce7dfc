//! How much a server may make one session do in a minute. Whatever it sends, memory, log lines and work
//! for the rest of the program stay bounded: a server that overdoes it loses the connection.
//!
//! Frames that have no consequence cost nothing, however many there are.

use crate::domain::Steady;
use std::time::Duration;

/// After this long, everything is allowed again.
const WINDOW: Duration = Duration::from_secs(60);
/// What one event costs that may be evidence.
pub(super) const EVIDENCE: usize = 1;
/// What a message costs that no server needs to send often: one that cannot be read, a ping, an answer to
/// nothing.
pub(super) const IDLE: usize = 100;
/// What is allowed in a window, and what more for each channel that is followed: 20,000 events, or 200 idle
/// messages and two for each channel.
const ALLOWED: (usize, usize) = (20_000, 200);

/// What the server has cost us in the present window.
#[derive(Debug)]
pub(super) struct Toll {
    since: Steady,
    paid: usize,
}

impl Toll {
    /// Nothing so far.
    pub(super) fn new(now: Steady) -> Toll {
        Toll { since: now, paid: 0 }
    }

    /// Adds a cost. True when the sum is more than a server may cause on a connection with `channels`.
    pub(super) fn exceeded(&mut self, now: Steady, cost: usize, channels: usize) -> bool {
        if now.since(self.since) >= WINDOW {
            *self = Toll::new(now);
        }
        self.paid = self.paid.saturating_add(cost);
        let (base, each) = ALLOWED;
        self.paid > base.saturating_add(each.saturating_mul(channels))
    }
}
