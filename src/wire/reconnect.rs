//! How long to wait before the next connection, given how the last ones ended (docs/rules.md, "Times").
//!
//! It is told of every end, failed attempts to connect included, and of every greeting. It never
//! reads a clock, and its only chance is the seed it was given.

use crate::backoff::Backoff;
use crate::domain::Steady;
use crate::domain::push::EndKind;
use std::collections::VecDeque;
use std::time::Duration;

/// A connection that lived for so long makes what came before it forgotten.
const STABLE: Duration = Duration::from_secs(60);
/// The first ordinary loss: most often the server restarts and is back at once.
const FIRST_LOSS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));
/// "Reconnect immediately" has no limit of its own (docs/kick.md §2.4), so we set one: so many times in
/// so long, and further ends count as ordinary losses.
const AT_ONCE: (usize, Duration) = (3, Duration::from_secs(5));
const LONGEST: Duration = Duration::from_secs(60);

/// The memory of one link's connections.
#[derive(Clone, Debug)]
pub(crate) struct Reconnect {
    rng: fastrand::Rng,
    connected: Option<Steady>,
    memory: Memory,
}

/// What one stable minute wipes out.
#[derive(Clone, Debug)]
struct Memory {
    lost_before: bool,
    lost: Backoff,
    later: Backoff,
    refused_before: bool,
    refused: Backoff,
    at_once: VecDeque<Steady>,
}

impl Reconnect {
    /// Nothing has happened yet. The seed decides the jitter; links should differ in it.
    pub(crate) fn new(seed: u64) -> Reconnect {
        Reconnect { rng: fastrand::Rng::with_seed(seed), connected: None, memory: Memory::new() }
    }

    /// The server greeted us.
    pub(crate) fn connected(&mut self, now: Steady) {
        self.connected = Some(now);
    }

    /// The connection is over, or none came about ([`EndKind::Lost`]). The pause before the next.
    pub(crate) fn ended(&mut self, now: Steady, kind: EndKind) -> Duration {
        if self.connected.take().is_some_and(|since| now.since(since) >= STABLE) {
            self.memory = Memory::new();
        }
        match kind {
            EndKind::ComeBack if self.memory.may_come_back(now) => Duration::ZERO,
            EndKind::ComeBack | EndKind::Lost => self.memory.loss(&mut self.rng),
            EndKind::Later => self.memory.later.next(&mut self.rng),
            EndKind::Refused => self.memory.refusal(&mut self.rng),
        }
    }
}

impl Memory {
    fn new() -> Memory {
        Memory {
            lost_before: false,
            lost: Backoff::new(Duration::from_secs(1), LONGEST),
            // Pusher wants at least a second (docs/kick.md §2.4), and jitter takes up to a fifth away.
            later: Backoff::new(Duration::from_millis(1250), LONGEST),
            refused_before: false,
            refused: Backoff::new(Duration::from_secs(5), Duration::from_secs(120)),
            at_once: VecDeque::new(),
        }
    }

    fn may_come_back(&mut self, now: Steady) -> bool {
        let (times, window) = AT_ONCE;
        self.at_once.retain(|&before| now.since(before) < window);
        let may = self.at_once.len() < times;
        if may {
            self.at_once.push_back(now);
        }
        may
    }

    fn loss(&mut self, rng: &mut fastrand::Rng) -> Duration {
        if std::mem::replace(&mut self.lost_before, true) {
            return self.lost.next(rng);
        }
        let (least, most) = FIRST_LOSS;
        least + (most - least).mul_f64(rng.f64())
    }

    /// New parameters deserve to be tried at once, the first time.
    fn refusal(&mut self, rng: &mut fastrand::Rng) -> Duration {
        if std::mem::replace(&mut self.refused_before, true) { self.refused.next(rng) } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests;
