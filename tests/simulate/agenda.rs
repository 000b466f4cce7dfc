//! What is going to happen, in order, and the one source of chance of a simulated day.
//!
//! Nothing here knows what the happenings mean.

use super::faults::Fault;
use super::{api, client, push, seat, webhooks};
use std::collections::BTreeMap;
use std::time::Duration;

/// Something that is going to happen in the world.
#[derive(Debug)]
pub(super) enum Happening {
    /// A streamer begins or ends a broadcast.
    Turn(usize),
    /// Something goes wrong.
    Fault(Fault),
    /// Something of one core's, by its number: its push, its API, or its conversation with the database.
    Push(usize, push::Step),
    Api(usize, api::Step),
    Client(usize, client::Step),
    Seat(usize, seat::Step),
    /// There is suddenly much to write, and the server is slow.
    Rush,
    Webhooks(usize, webhooks::Step),
    /// The rows are compared with the truth.
    Inspect,
}

impl Happening {
    /// The core whose process has to be running for it.
    pub(super) fn process(&self) -> Option<usize> {
        match self {
            Happening::Push(id, _) | Happening::Api(id, _) | Happening::Webhooks(id, _) => Some(*id),
            Happening::Client(id, step) if !step.is_at_server() => Some(*id),
            Happening::Seat(id, step) if !step.is_at_server() => Some(*id),
            _ => None,
        }
    }
}

/// The future of one simulated day. Two runs from one seed are the same run.
pub(super) struct Agenda {
    pub now: Duration,
    pub chance: fastrand::Rng,
    coming: BTreeMap<(Duration, u64), Happening>,
    next: u64,
}

impl Agenda {
    pub(super) fn new(seed: u64) -> Agenda {
        Agenda { now: Duration::ZERO, chance: fastrand::Rng::with_seed(seed), coming: BTreeMap::new(), next: 0 }
    }

    pub(super) fn after(&mut self, wait: Duration, what: Happening) {
        self.coming.insert((self.now + wait, self.next), what);
        self.next += 1;
    }

    pub(super) fn next_at(&self) -> Option<Duration> {
        self.coming.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn pop(&mut self) -> Option<Happening> {
        self.coming.pop_first().map(|(_, what)| what)
    }

    /// True as often as `odds` says, of one.
    pub(super) fn odds(&mut self, odds: f64) -> bool {
        self.chance.f64() < odds
    }

    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + most.saturating_sub(least).mul_f64(self.chance.f64())
    }

    pub(super) fn millis(&mut self, least: u64, most: u64) -> Duration {
        self.between(Duration::from_millis(least), Duration::from_millis(most))
    }

    pub(super) fn secs(&mut self, least: u64, most: u64) -> Duration {
        self.between(Duration::from_secs(least), Duration::from_secs(most))
    }

    pub(super) fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.chance.usize(..from.len())].clone()) }
    }
}
