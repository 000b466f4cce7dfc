//! What one row is known to show, how the writes of it go, and what it means when it shows something else (R15).

use super::streamer::{Heard, Streamer};
use super::times::{OVERRULED_MAX, UNDOABLE};
use crate::domain::row::Shown;
use crate::domain::{Status, Steady, time::Timestamp};
use std::time::Duration;

/// What the table is known to show.
#[derive(Debug)]
pub(crate) struct Table {
    pub shown: Shown,
    /// What `DB_STARTED_AT_COLUMN` has, if there is such a column.
    pub start: Option<Timestamp>,
    /// The start of a broadcast that was last written or notified, whatever has become of it in the table.
    pub told_start: Option<Timestamp>,
    /// When the read was sent that showed it, or the write was confirmed.
    pub known_at: Steady,
    /// A write was sent and its result is not known, or a crash may have undone it: the row is written again, whatever
    /// it is known to show.
    pub unsure: bool,
    /// Our last confirmed write.
    pub confirmed: Option<(Status, Steady)>,
    /// The confirmed status that was last found overwritten, as by a trigger, and how many times in a row it was.
    pub overruled: Option<(Status, u8)>,
    /// After a write of the first value the row always shows the second, which is taken as written (R21).
    pub settled: Option<(Shown, Shown)>,
    /// How many times in a row the row was set aside or refused.
    pub set_aside: u32,
    /// A write took too long since the last one that succeeded.
    pub timed_out: bool,
    /// How many times in a row the row was locked.
    pub locked: u32,
    /// The row is not written before this.
    pub not_before: Steady,
}

impl Table {
    pub(crate) fn new(shown: Shown, start: Option<Timestamp>, known_at: Steady) -> Table {
        Table {
            shown,
            start,
            told_start: None,
            known_at,
            unsure: false,
            confirmed: None,
            overruled: None,
            settled: None,
            set_aside: 0,
            timed_out: false,
            locked: 0,
            not_before: Steady::default(),
        }
    }

    /// Returns true if the row is known to show this status.
    pub(crate) fn shows(&self, status: Status) -> bool {
        self.shown == Shown::Known(status) && !self.unsure
    }

    /// The row can be written again: forgets its failures.
    pub(crate) fn is_free(&mut self) {
        self.set_aside = 0;
        self.timed_out = false;
        self.locked = 0;
        self.not_before = Steady::default();
    }
}

/// When the database connections last broke, if they did. A crash may have undone earlier commits, and what is read
/// since may be an older copy of the table.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Broke(pub Option<Steady>);

impl Broke {
    /// R15: returns true if a crash may have undone what was `committed`, and the row has not been `seen` since.
    pub(crate) fn may_have_undone(self, committed: Steady, seen: Steady) -> bool {
        self.after(seen) && self.0.is_some_and(|broke| committed <= broke && broke.since(committed) <= UNDOABLE)
    }

    /// Returns true if they broke after the table was `seen`.
    fn after(self, seen: Steady) -> bool {
        self.0.is_some_and(|broke| seen <= broke)
    }
}

/// For how long a new row has shown its status (R13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// For long enough that the API knows it.
    Old,
    /// At least since then, as this instance has seen.
    Since(Steady),
    /// This process knows by its own list of recent changes.
    Listed,
}

/// What a read shows of one row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowRead {
    pub shown: Shown,
    /// When the read was sent.
    pub at: Steady,
    /// Whether no other instance can have written the row (R25).
    pub alone: bool,
    /// `OFFLINE_DELAY_SECS` (R26)
    pub delay: Duration,
}

/// What it means that a row shows a different status than was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// There is no difference, or it is taken as written (R21).
    Nothing,
    /// It shows what is believed, so nothing needs to be written.
    Agrees,
    /// Somebody else wrote it, who may know more than the API. It is believed until the API has answered.
    Theirs,
    /// What is believed is written over it.
    Ours,
    /// It may be an older copy of the table. Until the API has answered, it is neither believed nor written over.
    Open,
}

impl Streamer {
    /// R15: compares what a read showed. `api`: the API answers.
    pub(crate) fn compare(&mut self, now: Steady, read: RowRead, hold: Duration, broke: Broke, api: bool) -> Edit {
        let RowRead { shown, at: read_at, alone, delay } = read;
        let table = &mut self.table;
        let outdated = read_at <= table.known_at || (table.unsure && self.belief.verified);
        if outdated || table.settled == Some((table.shown, shown)) {
            return Edit::Nothing;
        }
        table.unsure = false;
        let known_before = std::mem::replace(&mut table.known_at, read_at);
        if shown == table.shown {
            table.overruled = None;
            return Edit::Nothing;
        }
        let before = std::mem::replace(&mut table.shown, shown);
        table.is_free();
        let Some(believed) = self.belief.status else { return Edit::Theirs };
        if shown == Shown::Known(believed) {
            // Another instance, or the user, wrote what was about to be written.
            return Edit::Agrees;
        }
        let ours = table.confirmed.filter(|(status, _)| *status == believed && before == Shown::Known(believed));
        let undone = ours.is_some_and(|(_, at)| broke.may_have_undone(at, known_before));
        if ours.is_some() && !undone {
            let same = table.overruled.filter(|(status, _)| *status == believed);
            let times = same.map_or(1, |(_, times)| times.saturating_add(1));
            table.overruled = Some((believed, times));
            if times >= OVERRULED_MAX {
                // R21: a trigger turns our value into another one.
                table.settled = Some((before, shown));
                table.shown = before;
                table.overruled = None;
                return Edit::Nothing;
            }
        }
        // Once for each event: another instance that writes over it again may have received a later event, and be
        // right.
        let of_belief = self.heard.as_mut().filter(|heard| heard.status == believed && heard.held);
        // R26: an Offline may be written when the hold is over, and then it is no push any more that says so.
        let written = match believed {
            Status::Online => now,
            Status::Offline => now.max(self.belief.since.steady + delay),
        };
        let may_insist = |heard: &&mut Heard| (alone || !heard.insisted) && written.since(heard.at) < hold;
        let heard = of_belief.filter(may_insist);
        let heard = heard.map(|heard| heard.insisted = true).is_some();
        // A value that is neither status says nothing that Kick does not know better. If the belief came only from the
        // table, it is gone with the value.
        let empty = shown == Shown::Unknown && self.belief.verified;
        if heard || undone || empty {
            return Edit::Ours;
        }
        if self.belief.verified && broke.after(known_before) && !api {
            self.belief.verified = false;
            self.belief.received = now;
            return Edit::Open;
        }
        Edit::Theirs
    }
}
