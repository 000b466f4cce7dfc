//! How many changes in a row a transport did not report, starts and stops apart (R11).

use crate::domain::Status;

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
