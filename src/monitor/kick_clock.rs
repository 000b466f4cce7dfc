//! Kick's clock, by the `Date` header of its answers (R5, R7).
//!
//! One answer may come from a cache, or from a machine whose clock is wrong. So a time that is far from what is known
//! counts only when a second answer in a row agrees with it. Events are remembered in our steady time and converted to
//! Kick's time when they are compared, so a correction of the clock moves none of them into Kick's future.

use super::broadcasts::{apart, later_by};
use super::times::{CLOCK_JUMP, CLOCK_MARGIN};
use crate::domain::ask::Answer;
use crate::domain::time::Timestamp;
use crate::domain::{Now, Steady};
use std::time::Duration;

/// What Kick's answers said about the time.
#[derive(Debug, Default)]
pub(super) struct KickClock {
    /// The time on Kick's clock when our steady time began. Our own wall clock may jump.
    zero: Option<Timestamp>,
    /// The same, by one answer that contradicts what was known.
    doubted: Option<Timestamp>,
}

/// Kick's clock at one moment, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KickTime {
    zero: Timestamp,
    /// Whether Kick has stated the time; otherwise this is our own clock.
    pub dated: bool,
    pub present: Timestamp,
}

impl KickClock {
    /// Takes the time from an answer. Returns true if the clock was corrected.
    pub(super) fn hear(&mut self, answer: &Answer) -> bool {
        let Some(date) = answer.server_date else { return false };
        // The header is cut to whole seconds, half a second too low on average, and was written
        // somewhere between the request and the end of the answer.
        let middle = answer.started.steady.elapsed() + answer.finished.steady.since(answer.started.steady) / 2;
        let Ok(zero) = date.checked_sub(middle).and_then(|zero| zero.checked_add(Duration::from_millis(500))) else {
            return false;
        };
        let known = self.zero.or_else(|| answer.finished.wall.checked_sub(answer.finished.steady.elapsed()).ok());
        let agrees = |other: Option<Timestamp>| other.is_some_and(|other| apart(zero, other) <= CLOCK_JUMP);
        let (as_known, as_doubted) = (agrees(known), agrees(self.doubted));
        self.doubted = (!as_known && !as_doubted).then_some(zero);
        if self.doubted.is_none() {
            self.zero = Some(zero);
        }
        !as_known && as_doubted
    }

    /// What Kick's clock showed when our steady time began, if Kick has said.
    pub(super) fn zero(&self) -> Option<Timestamp> {
        self.zero
    }

    /// The time on Kick's clock or, until Kick has stated it, on ours.
    pub(super) fn read(&self, now: Now) -> KickTime {
        let ours = now.wall.checked_sub(now.steady.elapsed()).unwrap_or(Timestamp::MIN);
        let zero = self.zero.unwrap_or(ours);
        let present = zero.checked_add(now.steady.elapsed()).unwrap_or(zero);
        KickTime { zero, dated: self.zero.is_some(), present }
    }
}

impl KickTime {
    /// The time on Kick's clock at a moment of our steady time.
    pub(super) fn at(&self, moment: Steady) -> Timestamp {
        self.zero.checked_add(moment.elapsed()).unwrap_or(self.zero)
    }

    /// Returns true if this time is later than Kick's present: it cannot be right (R4).
    pub(super) fn is_to_come(&self, time: Timestamp) -> bool {
        later_by(time, self.present) > CLOCK_MARGIN
    }
}
