//! What one row is known to show, how its writing goes, and what it means when it shows something else: R15.

use super::streamer::Streamer;
use super::times::{OVERRULED_MAX, UNDOABLE};
use crate::domain::row::Shown;
use crate::domain::{Status, Steady};
use std::time::Duration;

/// What the table is known to show.
#[derive(Debug)]
pub(crate) struct Table {
    pub shown: Shown,
    /// The read or the write that told so was sent, or confirmed, then.
    pub known_at: Steady,
    /// A write was given out whose fate is not known, or was confirmed and may be undone: the row is
    /// written again, whatever it is known to show.
    pub unsure: bool,
    /// Our last confirmed write.
    pub confirmed: Option<(Status, Steady)>,
    /// How often in a row a confirmed write was found overruled, as by a trigger.
    pub overruled: u8,
    /// What the row shows after our write of the first, for good: taken as written (R21).
    pub settled: Option<(Shown, Shown)>,
    /// Times set aside or refused in a row.
    pub set_aside: u32,
    /// It took too long since it was last written.
    pub timed_out: bool,
    /// Times found locked in a row.
    pub locked: u32,
    /// Not to be written before.
    pub not_before: Steady,
}

impl Table {
    pub(crate) fn new(shown: Shown, known_at: Steady) -> Table {
        Table {
            shown,
            known_at,
            unsure: false,
            confirmed: None,
            overruled: 0,
            settled: None,
            set_aside: 0,
            timed_out: false,
            locked: 0,
            not_before: Steady::default(),
        }
    }

    /// The row is known to show this status.
    pub(crate) fn shows(&self, status: Status) -> bool {
        self.shown == Shown::Known(status) && !self.unsure
    }

    /// The row is not locked any more, or can be written after all.
    pub(crate) fn is_free(&mut self) {
        self.set_aside = 0;
        self.timed_out = false;
        self.locked = 0;
        self.not_before = Steady::default();
    }
}

/// When the connections to the database last broke, if they did: a crash may have undone what was committed before,
/// and the table may be an older copy since.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Broke(pub Option<Steady>);

impl Broke {
    /// R15: committed so shortly before that a crash may have undone it, and not seen in the table since.
    pub(crate) fn may_have_undone(self, committed: Steady, seen: Steady) -> bool {
        self.after(seen) && self.0.is_some_and(|broke| committed <= broke && broke.since(committed) <= UNDOABLE)
    }

    /// Whether they broke after the table was `seen`.
    fn after(self, seen: Steady) -> bool {
        self.0.is_some_and(|broke| seen <= broke)
    }
}

/// What it means that the table shows something else than was known of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// It does not, or it is taken as written (R21).
    Nothing,
    /// It shows what is believed: nothing needs to be written.
    Agrees,
    /// Somebody else wrote it, who may know more than the API: it is believed until the API has answered.
    Theirs,
    /// What is believed is written over it.
    Ours,
    /// It may be an older copy of the table. Neither is what it shows believed, nor is what we know written over it,
    /// until the API has answered.
    Open,
}

impl Streamer {
    /// R15: what a read of the table means that was sent `read_at`. `api`: the API answers.
    pub(crate) fn compare(
        &mut self,
        now: Steady,
        shown: Shown,
        read_at: Steady,
        hold: Duration,
        broke: Broke,
        api: bool,
    ) -> Edit {
        let table = &mut self.table;
        let outdated = read_at <= table.known_at || (table.unsure && self.belief.verified);
        if outdated || table.settled == Some((table.shown, shown)) {
            return Edit::Nothing;
        }
        table.unsure = false;
        let known_before = std::mem::replace(&mut table.known_at, read_at);
        if shown == table.shown {
            table.overruled = 0;
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
            table.overruled = table.overruled.saturating_add(1);
            if table.overruled >= OVERRULED_MAX {
                // R21: a trigger turns our value into its own; that is how this table says it.
                table.settled = Some((before, shown));
                table.shown = before;
                table.overruled = 0;
                return Edit::Nothing;
            }
        }
        // Once for each event: another instance may insist on what push told it since, and be right.
        let of_belief = self.heard.as_mut().filter(|heard| heard.status == believed && heard.held && !heard.insisted);
        let heard = of_belief.filter(|heard| now.since(heard.at) < hold);
        let heard = heard.map(|heard| heard.insisted = true).is_some();
        // A status that is neither of the two values knows nothing better than Kick did; what only the
        // table said before is gone with it.
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
