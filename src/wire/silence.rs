//! When a silent server is asked whether it lives, and when it counts as dead (docs/rules.md, "Times"). Knows
//! times alone; it never knows how a protocol asks.

use crate::domain::Steady;
use std::time::Duration;

/// No server is left unasked for longer.
const LONGEST: Duration = Duration::from_secs(30);
/// After we asked, something must come within this.
const ANSWER: Duration = Duration::from_secs(15);

/// How long one connection has been silent. Anything received breaks the silence (docs/kick.md §2.2).
#[derive(Debug)]
pub(super) struct Silence {
    longest: Duration,
    since: Steady,
    /// When we asked, if nothing was heard since.
    asked: Option<Steady>,
}

/// What a silence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet.
    Fine,
    /// It is time to ask; said once in a silence.
    Ask,
    /// There was no answer.
    Dead,
}

impl Silence {
    /// Silent since now.
    pub(super) fn new(now: Steady) -> Silence {
        Silence { longest: LONGEST, since: now, asked: None }
    }

    /// The silence after which to ask; a longer one than our own is not waited for.
    pub(super) fn set_longest(&mut self, longest: Duration) {
        self.longest = longest.min(LONGEST);
    }

    /// Something was received.
    pub(super) fn broken(&mut self, now: Steady) {
        self.since = now;
        self.asked = None;
    }

    /// What is to be done now.
    pub(super) fn turn(&mut self, now: Steady) -> Verdict {
        if now < self.next_wake() {
            return Verdict::Fine;
        }
        match self.asked.replace(now) {
            Some(_) => Verdict::Dead,
            None => Verdict::Ask,
        }
    }

    /// When `turn` has something to do.
    pub(super) fn next_wake(&self) -> Steady {
        self.asked.map_or(self.since + self.longest, |asked| asked + ANSWER)
    }
}
