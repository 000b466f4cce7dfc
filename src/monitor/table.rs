//! What one row is known to show, and how its writing goes.

use crate::domain::row::Shown;
use crate::domain::{Status, Steady};

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
    /// What the row shows after our write of the first, for good: taken as written (RULES R21).
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
