//! Kick's clock: what the `Date` of its answers says (R5, R7).
//!
//! One answer may come out of a cache, or from a machine whose clock is wrong: a time that is far from what is known
//! counts when a second answer in a row agrees with it. What happened is remembered in our steady time and told in
//! Kick's when it is compared, so a clock that was set right makes nothing later than Kick's present.

use super::broadcasts::{apart, later_by};
use super::times::{CLOCK_JUMP, CLOCK_MARGIN};
use crate::domain::ask::Answer;
use crate::domain::time::Timestamp;
use crate::domain::{Now, Steady};
use std::time::Duration;

/// What Kick said of the time.
#[derive(Debug, Default)]
pub(super) struct KickClock {
    /// What Kick's clock showed when our steady time began. Our own wall clock may jump.
    zero: Option<Timestamp>,
    /// The same by one answer that contradicts what was known.
    doubted: Option<Timestamp>,
}

/// Kick's clock as it is known at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KickTime {
    zero: Timestamp,
    /// Kick has said what time it is; otherwise it is our own clock.
    pub dated: bool,
    pub present: Timestamp,
}

impl KickClock {
    /// Takes the time out of an answer. True when the clock was set to another time than was known.
    pub(super) fn hear(&mut self, answer: &Answer) -> bool {
        let Some(date) = answer.server_date else { return false };
        // The header is cut to whole seconds, half a second too low on average, and was written
        // somewhere between the request and the end of the answer.
        let middle = answer.started.steady.0 + answer.finished.steady.since(answer.started.steady) / 2;
        let Ok(zero) = date.checked_sub(middle).and_then(|zero| zero.checked_add(Duration::from_millis(500))) else {
            return false;
        };
        let known = self.zero.or_else(|| answer.finished.wall.checked_sub(answer.finished.steady.0).ok());
        let agrees = |other: Option<Timestamp>| other.is_some_and(|other| apart(zero, other) <= CLOCK_JUMP);
        let (as_known, as_doubted) = (agrees(known), agrees(self.doubted));
        self.doubted = (!as_known && !as_doubted).then_some(zero);
        if self.doubted.is_none() {
            self.zero = Some(zero);
        }
        !as_known && as_doubted
    }

    /// What Kick's clock shows; until Kick has said, what ours does.
    pub(super) fn read(&self, now: Now) -> KickTime {
        let ours = now.wall.checked_sub(now.steady.0).unwrap_or(Timestamp::MIN);
        let zero = self.zero.unwrap_or(ours);
        let present = zero.checked_add(now.steady.0).unwrap_or(zero);
        KickTime { zero, dated: self.zero.is_some(), present }
    }
}

impl KickTime {
    /// What Kick's clock showed at a moment of ours.
    pub(super) fn at(&self, moment: Steady) -> Timestamp {
        self.zero.checked_add(moment.0).unwrap_or(self.zero)
    }

    /// Whether Kick's clock does not show this time yet: then it is no time (R4).
    pub(super) fn is_to_come(&self, time: Timestamp) -> bool {
        later_by(time, self.present) > CLOCK_MARGIN
    }
}
