//! The schedule of one lane's writes (R20): which rows come next, how many together, and with which time limit. Uses
//! no database and no clock.
//!
//! A row that makes its statement fail is found by halving. If the failure was quick, the halves are next. If it took
//! time (the row hangs, or all rows are slow), the other rows come first: the parts of such a statement are tried
//! after the rows that have arrived since, with a short limit. So a row that hangs costs the other rows, whatever
//! their number, at most the limit of the first statement (`FIRST_LIMIT`, or four times what that many rows took
//! before), `PROBE_LIMIT` for each halving, and one try alone, of `WRITE_LIMIT`. From then on the core has it
//! tried in a statement of its own, with `FIRST_LIMIT`: after half a minute, then every five minutes.

use super::pace::Pace;
use crate::domain::RowId;
use crate::domain::row::{Write, WriteId, WriteResult};
use crate::gateway::database::{Attempt, Spoilt, WRITE_LIMIT};
use std::collections::{HashSet, VecDeque};
use std::time::Duration;

/// The lowest time limit of an ordinary statement, which should take a fraction of it.
const FIRST_LIMIT: Duration = Duration::from_secs(2);
/// The lowest time limit of a part of a statement that took too long.
const PROBE_LIMIT: Duration = Duration::from_millis(250);
/// A failure that took longer than this has delayed the other rows.
const QUICK: Duration = Duration::from_millis(100);
/// A row that fails alone after more than this is tried rarely.
const SLOW: Duration = Duration::from_millis(900);
/// The same if another client was in the way: PostgreSQL detects a deadlock after a second.
const SLOW_CONFLICT: Duration = Duration::from_millis(1900);
/// A statement's limit, as a multiple of the time that as many rows took before.
const SLACK: u32 = 4;

/// The rows of one lane that are to be written.
#[derive(Debug, Default)]
pub struct Lane {
    /// Rows without any known failure, in the order of arrival.
    fresh: VecDeque<Write>,
    /// Parts of statements that failed, and rows that failed alone at the last try.
    suspects: VecDeque<Part>,
    queued: HashSet<RowId>,
    pace: Pace,
    /// How long statements with other rows have run while suspects waited.
    owed: Duration,
    /// The last row that failed alone with an error that may concern any row, and the error's text. Cleared when a
    /// row is written.
    general: Option<(RowId, String)>,
}

#[derive(Debug)]
struct Part {
    rows: Vec<Write>,
    trial: Trial,
}

/// What is known about the rows of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    /// No failure is known.
    Fresh,
    /// One of them was refused at once.
    Refused,
    /// One of them made a statement fail after it had delayed the others.
    Delayed,
    /// The row took longer than a short limit.
    Slow,
    /// The connection broke while the row was written.
    Broke,
    /// The row failed alone at the last try, which may have been minutes ago.
    Known,
}

/// The next statement.
#[derive(Debug)]
pub struct Statement {
    /// The rows that it writes.
    pub rows: Vec<Write>,
    /// When it is to be cancelled, from its start.
    pub limit: Duration,
    trial: Trial,
}

impl Lane {
    /// Returns true if no row is waiting.
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    /// Adds a row. The core sends one write of a row at a time. Just after a restart there may be another one, which
    /// the core has given up: then the later one counts.
    pub fn add(&mut self, write: Write) {
        if !self.queued.insert(write.row.clone()) {
            self.fresh.retain(|other| other.row != write.row);
            self.suspects.iter_mut().for_each(|part| part.rows.retain(|other| other.row != write.row));
            self.suspects.retain(|part| !part.rows.is_empty());
        }
        if write.apart {
            self.suspects.push_back(Part { rows: vec![write], trial: Trial::Known });
        } else {
            self.fresh.push_back(write);
        }
    }

    /// The next statement; `None` if no row is waiting. Pass its outcome to [`Lane::take`].
    pub fn choose(&mut self) -> Option<Statement> {
        let suspects_turn = self.suspects.front().is_some_and(|part| {
            let in_turn = part.trial == Trial::Refused || self.limit(part.trial, part.rows.len()) <= self.owed;
            in_turn || self.fresh.is_empty()
        });
        let (rows, trial) = if suspects_turn { self.next_suspects()? } else { self.next_fresh()? };
        rows.iter().for_each(|write| _ = self.queued.remove(&write.row));
        Some(Statement { limit: self.limit(trial, rows.len()), rows, trial })
    }

    fn next_fresh(&mut self) -> Option<(Vec<Write>, Trial)> {
        let rows: Vec<Write> = self.fresh.drain(..self.pace.rows().min(self.fresh.len())).collect();
        (!rows.is_empty()).then_some((rows, Trial::Fresh))
    }

    fn next_suspects(&mut self) -> Option<(Vec<Write>, Trial)> {
        let Part { mut rows, trial } = self.suspects.pop_front()?;
        let rest = rows.split_off(self.pace.rows().min(rows.len()));
        if !rest.is_empty() {
            self.suspects.push_front(Part { rows: rest, trial });
        }
        Some((rows, trial))
    }

    fn limit(&self, trial: Trial, rows: usize) -> Duration {
        let expected = SLACK * self.pace.expected(rows);
        match trial {
            Trial::Fresh | Trial::Refused => expected.clamp(FIRST_LIMIT, WRITE_LIMIT),
            Trial::Delayed => expected.clamp(PROBE_LIMIT, WRITE_LIMIT),
            Trial::Slow => WRITE_LIMIT,
            Trial::Broke | Trial::Known => FIRST_LIMIT,
        }
    }

    /// Takes the outcome of a statement and its duration. Returns the outcome of the rows that are not to be tried
    /// again here.
    pub fn take(&mut self, of: Statement, attempt: Attempt, took: Duration) -> Vec<(WriteId, WriteResult)> {
        if of.trial != Trial::Fresh || self.suspects.is_empty() {
            self.owed = Duration::ZERO;
        }
        match attempt {
            Attempt::Done(results) => {
                self.owed += took;
                self.pace.went(of.rows.len(), took);
                if results.iter().any(|(_, result)| *result == WriteResult::Written) {
                    self.general = None;
                }
                results
            }
            Attempt::Away(reason) => self.give_back(of.rows, &reason),
            Attempt::Spoilt(spoilt) => {
                if took > QUICK && of.rows.len() > 1 {
                    self.pace.failed(of.rows.len(), took);
                }
                self.take_spoilt(of, spoilt, took)
            }
        }
    }

    fn take_spoilt(&mut self, of: Statement, spoilt: Spoilt, took: Duration) -> Vec<(WriteId, WriteResult)> {
        let Statement { mut rows, limit, trial } = of;
        let [alone] = rows.as_slice() else {
            let rest = rows.split_off(rows.len() / 2);
            let trial = if took <= QUICK { Trial::Refused } else { Trial::Delayed };
            return self.suspect([rows, rest].map(|rows| Part { rows, trial }));
        };
        let (id, row) = (alone.id, alone.row.clone());
        if spoilt.general {
            let before = self.general.replace((row.clone(), spoilt.reason.clone()));
            if before.is_some_and(|(other, reason)| other != row && reason == spoilt.reason) {
                return self.give_back(rows, &spoilt.reason);
            }
        }
        let again = match trial {
            Trial::Slow | Trial::Broke | Trial::Known => None,
            _ if spoilt.broke => Some(Trial::Broke),
            _ => (took >= limit && limit < WRITE_LIMIT).then_some(Trial::Slow),
        };
        if let Some(trial) = again {
            return self.suspect([Part { rows, trial }]);
        }
        let result = if spoilt.broke {
            WriteResult::TimedOut(format!("{}; the connection broke each time", spoilt.reason))
        } else if took >= if spoilt.conflict { SLOW_CONFLICT } else { SLOW } {
            WriteResult::TimedOut(format!("{}; it took {} s", spoilt.reason, took.as_secs()))
        } else if spoilt.conflict {
            WriteResult::Locked
        } else {
            WriteResult::Refused(spoilt.reason)
        };
        vec![(id, result)]
    }

    /// Has these parts tried again: next if the failure was quick, otherwise after other rows.
    fn suspect<const N: usize>(&mut self, parts: [Part; N]) -> Vec<(WriteId, WriteResult)> {
        self.queued.extend(parts.iter().flat_map(|part| &part.rows).map(|write| write.row.clone()));
        for part in parts {
            match part.trial {
                Trial::Refused => self.suspects.push_front(part),
                _ => self.suspects.push_back(part),
            }
        }
        Vec::new()
    }

    /// Returns all rows to the core, which knows their wanted status when the database is available again.
    fn give_back(&mut self, rows: Vec<Write>, reason: &str) -> Vec<(WriteId, WriteResult)> {
        self.queued.clear();
        self.general = None;
        let suspects = self.suspects.drain(..).flat_map(|part| part.rows);
        let all = rows.into_iter().chain(self.fresh.drain(..)).chain(suspects);
        all.map(|write| (write.id, WriteResult::Unavailable(reason.to_owned()))).collect()
    }
}

#[cfg(test)]
mod tests;
