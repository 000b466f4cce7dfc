//! Which changes a transport should have reported and did not, and how many in a row, starts and stops apart (R11).

use super::book::{Book, Timer};
use super::streamers::Key;
use super::times::PUSH_GRACE;
use crate::domain::{Status, Steady};
use std::collections::{BTreeMap, BTreeSet};

/// This many missed in a row mean that the transport is dead.
const MISSED_MAX: u32 = 5;

/// What a transport has missed since it last reported something like it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Misses {
    starts: u32,
    stops: u32,
    /// Of either kind, without an event of any.
    any: u32,
}

/// Of what changes a transport does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Starts,
    Stops,
    Both,
}

/// A transport that is connected and does not tell of a kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silence {
    pub(super) kind: Kind,
    /// How many it missed in a row.
    pub(super) missed: u32,
}

impl Kind {
    /// The word for the log.
    pub(super) fn word(self) -> &'static str {
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

impl Silence {
    /// What was missed, for a problem.
    pub(super) fn words(self) -> String {
        let what = if self.kind == Kind::Both { "changes" } else { self.kind.word() };
        format!("{} {what} in a row", self.missed)
    }
}

impl Misses {
    /// An event of a change to this status came.
    pub(super) fn heard(&mut self, status: Status) {
        *self.of(status) = 0;
        self.any = 0;
    }

    /// One more was missed. Whether that calls for a report, at every fifth in a row.
    pub(super) fn missed(&mut self, status: Status) -> bool {
        self.any += 1;
        let any = self.any;
        let of_kind = self.of(status);
        *of_kind += 1;
        *of_kind % MISSED_MAX == 0 || any % MISSED_MAX == 0
    }

    fn of(&mut self, status: Status) -> &mut u32 {
        match status {
            Status::Online => &mut self.starts,
            Status::Offline => &mut self.stops,
        }
    }

    /// What the transport does not tell of.
    pub(super) fn silence(self) -> Option<Silence> {
        let Misses { starts, stops, any } = self;
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

/// What was counted at one moment: several rows may name one streamer (R16).
#[derive(Debug, Default)]
pub(super) struct Counted<T> {
    at: Steady,
    changes: BTreeSet<(T, Status)>,
}

impl<T: Ord> Counted<T> {
    /// Returns true if this change has not been counted at this moment.
    pub(super) fn is_first(&mut self, now: Steady, of: T, status: Status) -> bool {
        if std::mem::replace(&mut self.at, now) != now {
            self.changes.clear();
        }
        self.changes.insert((of, status))
    }
}

/// Changes that another source reported first, and that a transport is to report as well.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// Each change, with the time until which its event may still come.
    due: BTreeMap<(Key, Status), Steady>,
    /// Streamers about whom the transport has reported nothing since it missed a change of theirs.
    missing: BTreeSet<Key>,
}

impl Expected {
    /// Waits for the event of this change for a short time.
    pub(super) fn expect(&mut self, now: Steady, key: Key, status: Status, book: &mut Book) {
        let due = now + PUSH_GRACE;
        self.due.insert((key, status), due);
        book.at(due, Timer::PushGrace(key));
    }

    /// An event of this change came. Returns true if it was expected.
    pub(super) fn came(&mut self, key: Key, status: Status) -> bool {
        self.missing.remove(&key);
        self.due.remove(&(key, status)).is_some()
    }

    /// The changes of a streamer whose time is over. They are missed, and no longer expected.
    pub(super) fn overdue(&mut self, now: Steady, key: Key) -> Vec<Status> {
        let is_overdue = |status: &Status| self.due.get(&(key, *status)).is_some_and(|due| *due <= now);
        let overdue: Vec<Status> = [Status::Online, Status::Offline].into_iter().filter(is_overdue).collect();
        for status in &overdue {
            self.due.remove(&(key, *status));
            self.missing.insert(key);
        }
        overdue
    }

    /// Returns true if the last change of this streamer was missed.
    pub(super) fn is_missing(&self, key: Key) -> bool {
        self.missing.contains(&key)
    }

    /// The streamer is no longer followed.
    pub(super) fn forget(&mut self, key: Key) {
        self.missing.remove(&key);
        for status in [Status::Online, Status::Offline] {
            self.due.remove(&(key, status));
        }
    }
}
