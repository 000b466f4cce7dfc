//! What the machine knows of the rows, by what it was told: who is watched, what each row shows, and what somebody else
//! wrote.

use super::Judge;
use crate::simulate::conditions::Conditions;
use crate::simulate::kick::Kick;
use kick_monitor::domain::row::{RosterRead, Row, Shown};
use kick_monitor::domain::time::Timestamp;
use kick_monitor::domain::{RowId, Slug, Status, Steady};
use std::collections::BTreeSet;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

/// R21: after how many writes of one value, each found to have become another one, that is left alone.
pub(super) const OVERRULED_MAX: u32 = 3;
const ONLINE: Shown = Shown::Known(Status::Online);

/// A row as far as the machine was told of it.
pub(super) struct Known {
    pub(super) username: Arc<str>,
    /// None: it may be anything, and writing it is no repetition.
    pub(super) shown: Option<Shown>,
    pub(super) committed: Option<Duration>,
    /// When a read last showed something else than the machine knew of, and what.
    pub(super) edited: Option<(Duration, Status)>,
    /// When it was first seen that somebody else wrote this.
    pub(super) others: Option<(Duration, Status)>,
    /// The last status that was given out to be written, and when it was first.
    pub(super) last: Option<(Duration, Status)>,
    /// Since when the row may show Online, at the earliest.
    pub(super) online: Option<Duration>,
    /// The start of the broadcast that was last written by this process.
    pub(super) start: Option<Timestamp>,
    /// What was written, and how many times in a row a read showed that somebody else had written over it.
    pub(super) overruled: (Option<Status>, u32),
    /// When what push told was last written over what somebody else wrote, and what that was.
    pub(super) insisted: Option<(Duration, Status)>,
}

impl Known {
    /// R21: a read shows this.
    fn count_overruled(&mut self, shown: Shown) {
        let ours = self.committed.and(self.last).map(|(_, last)| last);
        let (before, times) = self.overruled;
        if ours.is_some_and(|ours| shown != Shown::Known(ours)) && self.shown != Some(shown) {
            self.overruled = (ours, if before == ours { times + 1 } else { 1 });
        } else if self.shown == Some(shown) && times < OVERRULED_MAX {
            self.overruled = (None, 0);
        }
    }
}

/// What has come of a read of the table, and what the last one was.
#[derive(Default)]
pub(super) struct Reading {
    started: Steady,
    present: BTreeSet<RowId>,
    others: Vec<Row>,
    /// It found nothing.
    emptied: bool,
    /// There was one.
    loaded: bool,
}

impl Judge {
    /// A part of a read. What is new or gone counts at its end.
    pub(super) fn hear_roster(&mut self, now: Duration, read: &RosterRead, kick: &Kick, conditions: &Conditions) {
        if self.reading.started != read.started {
            self.reading =
                Reading { started: read.started, present: BTreeSet::new(), others: Vec::new(), ..self.reading };
        }
        let busy: BTreeSet<RowId> = self.in_flight.values().map(|write| write.row.clone()).collect();
        for row in &read.rows {
            self.reading.present.insert(row.id.clone());
            let known = self
                .rows
                .get(&row.id)
                .is_some_and(|known| known.username == row.username || name(&known.username) == name(&row.username));
            match known {
                true => self.hear_row(now, row, read.started, busy.contains(&row.id), conditions),
                false => self.reading.others.push(row.clone()),
            }
        }
        if read.more {
            return;
        }
        let (present, others) = (take(&mut self.reading.present), take(&mut self.reading.others));
        if present.is_empty() && !self.rows.is_empty() && !self.reading.emptied {
            self.reading.emptied = true;
            return;
        }
        self.reading.emptied = false;
        let first = !std::mem::replace(&mut self.reading.loaded, true);
        self.rows.retain(|id, _| present.contains(id));
        for row in others {
            match name(&row.username) {
                None => drop(self.rows.remove(&row.id)),
                Some(_) => self.meet(now, row, first, kick),
            }
        }
    }

    /// What the row of somebody known shows.
    fn hear_row(&mut self, now: Duration, row: &Row, started: Steady, busy: bool, conditions: &Conditions) {
        let Some(known) = self.rows.get_mut(&row.id) else { return };
        known.username.clone_from(&row.username);
        let outdated = known.committed.is_some_and(|at| started.elapsed() <= at);
        let counts = !outdated && !busy;
        if counts {
            known.count_overruled(row.shown);
        }
        if counts && known.shown.is_some() {
            let undone = self.broke > known.committed;
            if known.shown != Some(row.shown) && !undone {
                let taken_back = known.last.is_some_and(|(_, last)| known.shown != Some(Shown::Known(last)));
                if row.shown == Shown::Unknown && taken_back {
                    // A hand took back what this core wrote, and then emptied the row: nothing is known.
                    known.last = None;
                }
                // R13: where it shows neither value, one answer is enough; and what this core was about
                // to write has been decided upon already, as may be an Offline that has to stand (R26).
                let decided = |status: Status| {
                    known.last.is_some_and(|(_, last)| last == status)
                        || status == Status::Offline && !conditions.settings.offline_delay.is_zero()
                };
                known.others = match row.shown {
                    Shown::Known(status) => Some((now, status)),
                    Shown::Unknown => None,
                };
                known.edited = match row.shown {
                    Shown::Known(status) if !decided(status) => Some((now, status)),
                    Shown::Known(_) | Shown::Unknown => None,
                };
            }
            if row.shown == Shown::Unknown {
                known.edited = None;
            }
            if known.shown != Some(row.shown) && row.shown == ONLINE {
                // Somebody else's: what is believed may have stood for long (R15).
                known.online = None;
            }
            known.shown = Some(row.shown);
        }
    }

    /// A row that is new, or names somebody else than before.
    fn meet(&mut self, now: Duration, row: Row, first: bool, kick: &Kick) {
        self.met.retain(|(met, _)| *met != row.id);
        // R13: what push told before may be fresher than the API.
        let n = kick.by_username(&row.username);
        let told = |n, shown| self.told_before.as_ref().is_none_or(|told| told.get(&n) == Some(&shown));
        let fresh = match (first, n, row.shown) {
            (true, Some(n), Shown::Known(shown)) => Some((self.began, shown)).filter(|_| told(n, shown)),
            _ => None,
        };
        let known = Known {
            username: row.username.clone(),
            shown: Some(row.shown),
            committed: None,
            edited: fresh,
            others: None,
            last: None,
            online: (row.shown == ONLINE).then_some(now),
            start: None,
            overruled: (None, 0),
            insisted: None,
        };
        self.rows.insert(row.id, known);
    }
}

fn name(username: &str) -> Option<Slug> {
    Slug::from_username(username).ok()
}
