//! How long to wait before the next connection, depending on how the last ones ended (docs/rules.md, "Times").
//!
//! It is told about every end, including failed attempts, and about every greeting. It reads no clock, and its only
//! randomness is the seed that it is given.

use crate::backoff::Backoff;
use crate::domain::Steady;
use crate::domain::push::EndKind;
use std::collections::VecDeque;
use std::time::Duration;

/// A connection that lasted this long resets the history of earlier failures.
const STABLE: Duration = Duration::from_secs(60);
/// The range of the pause after the first ordinary loss: usually the server restarts and is back at once.
const FIRST_LOSS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));
/// Pusher sets no limit to "reconnect immediately" (docs/kick.md §2.4), so we do: at most this many within this time.
/// Any further end counts as an ordinary loss.
const AT_ONCE: (usize, Duration) = (3, Duration::from_secs(5));
const LONGEST: Duration = Duration::from_secs(60);

/// The history of one link's connections.
#[derive(Clone, Debug)]
pub(crate) struct Reconnect {
    rng: fastrand::Rng,
    connected: Option<Steady>,
    memory: Memory,
}

/// The part of the history that a stable connection resets.
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
    /// Creates an empty history. The seed determines the jitter; give each link a different one.
    pub(crate) fn new(seed: u64) -> Reconnect {
        Reconnect { rng: fastrand::Rng::with_seed(seed), connected: None, memory: Memory::new() }
    }

    /// The server's greeting arrived.
    pub(crate) fn connected(&mut self, now: Steady) {
        self.connected = Some(now);
    }

    /// The connection ended, or could not be established ([`EndKind::Lost`]). Returns the pause before the next
    /// attempt.
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
            // Pusher requires a second at least (docs/kick.md §2.4), and jitter shortens a pause by up to a fifth.
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

    /// The pause after a refusal. The first one has none, because the parameters for the next attempt may be new.
    fn refusal(&mut self, rng: &mut fastrand::Rng) -> Duration {
        if std::mem::replace(&mut self.refused_before, true) { self.refused.next(rng) } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests;
