//! When to ask a silent server whether it is alive, and when it counts as dead (docs/rules.md, "Times"). Calculates
//! with times only; how to ask is up to the protocol.

use crate::domain::Steady;
use std::time::Duration;

/// The longest silence before the server is asked.
const LONGEST: Duration = Duration::from_secs(30);
/// How long after the question anything must arrive.
const ANSWER: Duration = Duration::from_secs(15);

/// The time since the server last sent anything. Any received frame resets it (docs/kick.md §2.2).
#[derive(Debug)]
pub(super) struct Silence {
    longest: Duration,
    since: Steady,
    /// When the server was asked, if nothing arrived since.
    asked: Option<Steady>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silent {
    /// Nothing has to be done yet.
    Fine,
    /// The server must be asked now. Returned once per silence.
    Ask,
    /// The server did not answer: the connection counts as dead.
    Dead,
}

impl Silence {
    /// Starts to measure now.
    pub(super) fn new(now: Steady) -> Silence {
        Silence { longest: LONGEST, since: now, asked: None }
    }

    /// Sets the silence after which to ask. Our own limit applies if it is shorter.
    pub(super) fn set_longest(&mut self, longest: Duration) {
        self.longest = longest.min(LONGEST);
    }

    /// Resets the silence: something was received.
    pub(super) fn broken(&mut self, now: Steady) {
        self.since = now;
        self.asked = None;
    }

    /// What has to be done now.
    pub(super) fn turn(&mut self, now: Steady) -> Silent {
        if now < self.next_wake() {
            return Silent::Fine;
        }
        match self.asked.replace(now) {
            Some(_) => Silent::Dead,
            None => Silent::Ask,
        }
    }

    /// When `turn` must be called next.
    pub(super) fn next_wake(&self) -> Steady {
        self.asked.map_or(self.since + self.longest, |asked| asked + ANSWER)
    }
}
