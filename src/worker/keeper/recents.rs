//! The rows that changed lately, as the keeper has them: what is written when.
//!
//! A change is written at once, and those that follow within a second together. So for a second the file says that
//! any row may be one that changed: a process that is killed then has perhaps not written the last of them.

use crate::domain::time::Timestamp;
use crate::domain::{Now, RowId, Steady};
use crate::gateway::state::recent::ROWS_MAX;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long changes are gathered before they are written.
pub(super) const GATHER: Duration = Duration::from_secs(1);
/// How many more than a file holds are remembered before the oldest are let go, all at once.
const SPARE: usize = 1_000;
/// So late at most does the API know of a change.
const API_LAG: Duration = Duration::from_secs(60);

/// The rows, and how the file is.
#[derive(Debug, Default)]
pub(super) struct Recents {
    rows: BTreeMap<RowId, Timestamp>,
    /// Until then any row may be one, for there were more than are kept.
    any_until: Option<Timestamp>,
    file: State,
    /// When a change may be written next.
    again: Option<Steady>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The core has not read the roster yet: what an earlier process left is still what is known.
    #[default]
    Earlier,
    /// There are changes that it does not tell.
    Behind,
    /// It tells of all changes, and that there may be more of them.
    Open,
    /// It tells of all changes.
    Whole,
}

impl Recents {
    /// The table may know more of these rows than the API until then.
    pub(super) fn keep(&mut self, rows: Vec<RowId>, until: Timestamp) {
        self.file = State::Behind;
        for row in rows {
            let known = self.rows.entry(row).or_insert(until);
            *known = until.max(*known);
        }
        if self.rows.len() > ROWS_MAX + SPARE {
            let mut order: Vec<(Timestamp, RowId)> =
                self.rows.iter().map(|(row, until)| (*until, row.clone())).collect();
            order.sort_unstable();
            order.truncate(order.len() - ROWS_MAX);
            for (until, row) in order {
                self.any_until = self.any_until.max(Some(until));
                self.rows.remove(&row);
            }
        }
    }

    /// When the file is to be written next, if at all.
    pub(super) fn due(&self, now: Steady) -> Option<Steady> {
        matches!(self.file, State::Behind | State::Open).then_some(self.again.unwrap_or(now))
    }

    /// What the file is to say now; `last`: no change can follow.
    pub(super) fn content(&mut self, now: Now, last: bool) -> (Option<Timestamp>, &BTreeMap<RowId, Timestamp>) {
        self.rows.retain(|_, until| *until > now.wall);
        self.any_until = self.any_until.filter(|until| *until > now.wall);
        let open = !last && self.file == State::Behind;
        let unsure = open.then(|| now.wall.checked_add(GATHER + API_LAG).unwrap_or(now.wall));
        (self.any_until.max(unsure), &self.rows)
    }

    /// It could not be written; it is tried again then.
    pub(super) fn failed(&mut self, again: Steady) {
        self.file = State::Behind;
        self.again = Some(again);
    }

    /// It was written.
    pub(super) fn saved(&mut self, now: Steady) {
        if self.file == State::Behind {
            self.again = Some(now + GATHER);
        }
        self.file = if self.file == State::Behind { State::Open } else { State::Whole };
    }
}
