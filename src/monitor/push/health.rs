//! R11: whether push tells of what the sweep finds, counted for each transport, and for starts and stops apart.

use crate::domain::push::Transport;
use crate::domain::{Status, Steady};
use crate::monitor::Key;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// So many missed in a row mean that push is dead.
const MISSED_MAX: u32 = 5;
/// Of the last changes that push should have told, how many are remembered, and how many say something.
const OUTCOMES: (usize, usize) = (20, 12);
/// This share of them missed, as a divisor, is a good part: a quarter.
const PARTIAL_SHARE: usize = 4;

/// What is expected of push, and what it missed.
#[derive(Debug, Default)]
pub(in crate::monitor) struct Health {
    missed: BTreeMap<Transport, Missed>,
    /// Changes that the sweep found and push has until then to tell of.
    expected: BTreeMap<(Key, Status), Steady>,
    /// Whether push told of each of the last changes.
    outcomes: VecDeque<bool>,
    /// Of whom push did not tell when it should have last.
    missing: BTreeSet<Key>,
}

/// What a transport has missed since it last told of something like it.
#[derive(Clone, Copy, Debug, Default)]
struct Missed {
    starts: u32,
    stops: u32,
    /// Of either kind, without an event of any.
    any: u32,
}

/// Of what changes a transport does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::monitor) enum Kind {
    Starts,
    Stops,
    Both,
}

/// A transport that is connected and does not tell of a kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::monitor) struct Silence {
    pub(in crate::monitor) kind: Kind,
    /// How many it missed in a row.
    pub(in crate::monitor) missed: u32,
}

impl Kind {
    /// The word for the log.
    pub(in crate::monitor) fn word(self) -> &'static str {
        match self {
            Kind::Starts => "starts",
            Kind::Stops => "stops",
            Kind::Both => "both",
        }
    }

    /// Whether a change to this status is of this kind.
    pub(super) fn is_of(self, status: Status) -> bool {
        match self {
            Kind::Starts => status == Status::Online,
            Kind::Stops => status == Status::Offline,
            Kind::Both => true,
        }
    }
}

impl Missed {
    fn of(&mut self, status: Status) -> &mut u32 {
        match status {
            Status::Online => &mut self.starts,
            Status::Offline => &mut self.stops,
        }
    }

    fn silence(self) -> Option<Silence> {
        let Missed { starts, stops, any } = self;
        let dead = any >= MISSED_MAX;
        let (starts_missed, stops_missed) = (starts >= MISSED_MAX, stops >= MISSED_MAX);
        match (starts_missed || dead && starts > 0, stops_missed || dead && stops > 0) {
            (true, true) => Some(Silence { kind: Kind::Both, missed: any.max(starts).max(stops) }),
            (true, false) => Some(Silence { kind: Kind::Starts, missed: starts }),
            (false, true) => Some(Silence { kind: Kind::Stops, missed: stops }),
            (false, false) => None,
        }
    }
}

impl Health {
    /// Push has until then to tell of this change.
    pub(super) fn expect(&mut self, key: Key, status: Status, due: Steady) {
        self.expected.insert((key, status), due);
    }

    /// Push told of this change, which may have been `news` to us.
    pub(in crate::monitor) fn told(&mut self, key: Key, status: Status, news: bool) {
        if self.expected.remove(&(key, status)).is_some() || news {
            self.remember(true);
        }
        self.missing.remove(&key);
    }

    /// The changes that push did not tell of in time; they are not expected any more.
    pub(in crate::monitor) fn overdue(&mut self, now: Steady, key: Key) -> Vec<Status> {
        let mut overdue = Vec::new();
        for status in [Status::Online, Status::Offline] {
            if self.expected.get(&(key, status)).is_some_and(|due| *due <= now) {
                self.expected.remove(&(key, status));
                self.remember(false);
                self.missing.insert(key);
                overdue.push(status);
            }
        }
        overdue
    }

    fn remember(&mut self, told: bool) {
        if self.outcomes.len() == OUTCOMES.0 {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back(told);
    }

    /// An event of a change to this status came over this transport, whatever it says.
    pub(super) fn delivers(&mut self, transport: Transport, status: Status) {
        if let Some(missed) = self.missed.get_mut(&transport) {
            *missed.of(status) = 0;
            missed.any = 0;
        }
    }

    /// This transport missed one more. Whether it is to be left, at every fifth in a row.
    pub(in crate::monitor) fn missed(&mut self, transport: Transport, status: Status) -> bool {
        let missed = self.missed.entry(transport).or_default();
        missed.any += 1;
        let of_kind = missed.of(status);
        *of_kind += 1;
        *of_kind % MISSED_MAX == 0 || missed.any % MISSED_MAX == 0
    }

    /// What this transport does not tell of.
    pub(in crate::monitor) fn silence(&self, transport: Transport) -> Option<Silence> {
        self.missed.get(&transport)?.silence()
    }

    /// How many of the last changes push missed, and of how many, if that is a good part of them.
    pub(in crate::monitor) fn partial(&self) -> Option<(usize, usize)> {
        let (of, missed) = (self.outcomes.len(), self.outcomes.iter().filter(|told| !**told).count());
        (of >= OUTCOMES.1 && missed * PARTIAL_SHARE >= of).then_some((missed, of))
    }

    /// Push missed a change of this streamer's, and has not told of one since.
    pub(in crate::monitor) fn misses(&self, key: Key) -> bool {
        self.missing.contains(&key)
    }

    pub(in crate::monitor) fn forget(&mut self, key: Key) {
        self.missing.remove(&key);
        self.expected.retain(|(expected, _), _| *expected != key);
    }

    /// The connections are new, and judged by what they miss themselves.
    pub(super) fn begin_anew(&mut self) {
        *self = Health::default();
    }
}
