//! The rows that changed lately, and when their file is to be written.
//!
//! A change is written at once, and the changes within the next second together. During that second the file says
//! that it may lack rows, so that it is not wrong if the process is killed before it writes the rest.

use crate::domain::time::Timestamp;
use crate::domain::{Now, RowId, Steady};
use crate::gateway::state::recent::ROWS_MAX;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long changes are collected before they are written.
pub(super) const GATHER: Duration = Duration::from_secs(1);
/// How many rows beyond the file's limit are kept in memory before the oldest are removed, all at once.
const SPARE: usize = 1_000;
/// The longest time after which the API knows a change.
const API_LAG: Duration = Duration::from_secs(60);

/// The rows, and the state of the file.
#[derive(Debug, Default)]
pub(super) struct Recents {
    rows: BTreeMap<RowId, Timestamp>,
    /// Until this time it may be any row, because there were more rows than are kept.
    any_until: Option<Timestamp>,
    file: State,
    /// When a change may be written next.
    again: Option<Steady>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The core has not read the roster yet: the file of the earlier process still holds.
    #[default]
    Earlier,
    /// There are changes that the file does not list.
    Behind,
    /// The file lists all changes, and says that there may be more.
    Open,
    /// The file lists all changes.
    Whole,
}

impl Recents {
    /// Adds rows whose change the API may not know before `until`.
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

    /// The content to be written now. `last`: no change can follow.
    pub(super) fn content(&mut self, now: Now, last: bool) -> (Option<Timestamp>, &BTreeMap<RowId, Timestamp>) {
        self.rows.retain(|_, until| *until > now.wall);
        self.any_until = self.any_until.filter(|until| *until > now.wall);
        let open = !last && self.file == State::Behind;
        let unsure = open.then(|| now.wall.checked_add(GATHER + API_LAG).unwrap_or(now.wall));
        (self.any_until.max(unsure), &self.rows)
    }

    /// The write failed; it is to be tried again at `again`.
    pub(super) fn failed(&mut self, again: Steady) {
        self.file = State::Behind;
        self.again = Some(again);
    }

    /// The write succeeded.
    pub(super) fn saved(&mut self, now: Steady) {
        if self.file == State::Behind {
            self.again = Some(now + GATHER);
        }
        self.file = if self.file == State::Behind { State::Open } else { State::Whole };
    }
}
