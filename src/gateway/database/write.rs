//! One write statement: it is committed, or it is told whether a row spoilt it or nothing can be written at
//! all. What is tried next is the lane's to say (R20, R21).
//!
//! An SQLSTATE does not tell a row's error from the statement's or the connection's, for a row's trigger may
//! raise any, hang, or end the connection. So after a failure the same statement is run without a row: it
//! changes nothing, and fails where privileges, replica identity, a lock of the table, a read-only server or
//! the way to it are what is wrong. Where it works, it was a row.

use super::error::{Blame, DbError, Fault};
use super::session::Patience;
use super::work::{Value, Work};
use super::{Database, WRITE_LIMIT};
use crate::domain::row::{Write, WriteId, WriteResult};
use crate::domain::text::shown;
use crate::domain::time::Timestamp;
use crate::stop::Stop;
use jiff::fmt::temporal::DateTimePrinter;
use std::time::Duration;

/// The statement without a row has this long at the least, whatever time the one with rows has used up.
const BARE_LIMIT_MIN: Duration = Duration::from_secs(2);

/// What came of one write statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It was committed: what became of each row.
    Done(Vec<(WriteId, WriteResult)>),
    /// It was not, for one of its rows at least cannot be written; others may be.
    Spoilt(Spoilt),
    /// Nothing can be written at present, whatever the row: why.
    Away(String),
}

/// How a row spoilt a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoilt {
    /// What the server said, fit for the row's refusal.
    pub reason: String,
    /// Another client was in the way of the row; it may be fine next time.
    pub conflict: bool,
    /// The connection did not outlive the statement.
    pub broke: bool,
    /// It may be no row's fault all the same: another row that fails alone in the same words proves it.
    pub general: bool,
}

impl Database {
    /// Writes the rows that do not show their status already, in one statement that is cancelled after `limit`.
    ///
    /// A stop cancels it, too. `alive` is called every so often: a statement that is not answered, although the
    /// server was asked to cancel it, is waited for as long as its connection stands.
    pub fn write(&self, writes: &[Write], limit: Duration, stop: &Stop, alive: &dyn Fn()) -> Attempt {
        let patience = Patience { alive, ..self.patience(limit, stop) };
        let waiting = Patience { leaves: false, ..patience };
        let fault = match self.run(&waiting, |work| statement(work, writes)) {
            Ok(results) => return Attempt::Done(results),
            Err(fault) => fault,
        };
        let unconnected = matches!(fault.blame, Blame::Statement(DbError::Connection(_))) && !fault.lost;
        let bare = Patience { limit: WRITE_LIMIT.saturating_sub(limit).max(BARE_LIMIT_MIN), ..patience };
        let bare = if unconnected { Err(fault.clone()) } else { self.run(&bare, write_nothing) };
        match bare {
            Ok(()) => {
                let conflict = fault.blame == Blame::Conflict;
                let Fault { said: reason, lost: broke, general, .. } = fault;
                Attempt::Spoilt(Spoilt { reason, conflict, broke, general })
            }
            Err(fault) => Attempt::Away(match fault.unidentified {
                true => format!("{}; {}", fault.said, self.identity_remedy()),
                false => self.explain(fault.into_error(), false).to_string(),
            }),
        }
    }

    /// What a table without a primary key needs before a publication lets its rows be changed.
    fn identity_remedy(&self) -> String {
        let table = &self.config.table;
        format!("to allow it: ALTER TABLE {table} REPLICA IDENTITY FULL (or give the table a primary key)")
    }
}

/// The statement without a row, so that what it fails of is no row's fault: if the server cannot do it, another
/// one may be the right one.
fn write_nothing(work: &mut Work<'_>) -> Result<(), Fault> {
    write_many(work, &[]).map(drop).map_err(|fault| Fault { lost: fault.lost || fault.misplaced, ..fault })
}

/// One statement; committed when it returns.
fn statement(work: &mut Work<'_>, writes: &[Write]) -> Result<Vec<(WriteId, WriteResult)>, Fault> {
    let mut results: Vec<(WriteId, WriteResult)> =
        writes.iter().map(|write| (write.id, WriteResult::SetAside)).collect();
    let positions = match writes {
        [write] => {
            if write_one(work, write)? {
                vec![1]
            } else {
                Vec::new()
            }
        }
        many => write_many(work, many)?,
    };
    positions.iter().for_each(|position| set(&mut results, *position, WriteResult::Written));
    let others: Vec<usize> = (0..writes.len()).filter(|n| results[*n].1 != WriteResult::Written).collect();
    if !others.is_empty() {
        // What was written is committed, whatever becomes of this question; a row without an answer is
        // tried again like one that was set aside.
        match explain(work, writes, &others) {
            Ok(reasons) => reasons.into_iter().for_each(|(position, reason)| set(&mut results, position, reason)),
            Err(fault) if positions.is_empty() => return Err(fault),
            Err(fault) => work.learn_from(&fault),
        }
    }
    Ok(results)
}

/// Whether the row was written.
fn write_one(work: &mut Work<'_>, write: &Write) -> Result<bool, Fault> {
    let config = &work.database.config;
    work.write_one([
        write.row.as_str(),
        config.status_value(write.status),
        &to_sql(write.changed_at),
        &shown(&write.username),
        write.source.word(),
        &config.synchronous_commit,
        config.notify_channel.as_deref().unwrap_or_default(),
    ])
}

/// The positions, from 1, of the rows that were written.
fn write_many(work: &mut Work<'_>, writes: &[Write]) -> Result<Vec<i64>, Fault> {
    let config = &work.database.config;
    // What nobody wants to know is not sent: an array that is too short reads as NULL.
    let told = config.notify_channel.is_some();
    let dated = told || config.changed_at_column.is_some();
    let wanted = |wanted: bool| if wanted { writes } else { &[] };
    let values = vec![
        Value::list(writes.iter().map(|write| write.row.as_str())),
        Value::list(writes.iter().map(|write| config.status_value(write.status))),
        Value::list(wanted(dated).iter().map(|write| to_sql(write.changed_at))),
        // A notification has room for 8000 bytes.
        Value::list(wanted(told).iter().map(|write| shown(&write.username))),
        Value::list(wanted(told).iter().map(|write| write.source.word())),
        Value::text(&config.synchronous_commit),
        Value::text(config.notify_channel.as_deref().unwrap_or_default()),
    ];
    let statement = work.table()?.write.clone();
    let rows = work.query(&statement, values)?;
    rows.iter().map(|row| row.try_get(0).map_err(|error| work.judge(&error))).collect()
}

/// Why these rows were not written, by position.
fn explain(work: &mut Work<'_>, writes: &[Write], which: &[usize]) -> Result<Vec<(i64, WriteResult)>, Fault> {
    let config = &work.database.config;
    let ids = Value::list(which.iter().map(|n| writes[*n].row.as_str()));
    let statuses = Value::list(which.iter().map(|n| config.status_value(writes[*n].status)));
    let statement = work.table()?.unwritten.clone();
    let rows = work.query(&statement, vec![ids, statuses])?;
    let mut reasons = Vec::with_capacity(rows.len());
    for row in rows {
        let nth: i64 = row.try_get(0).map_err(|error| work.judge(&error))?;
        let word: &str = row.try_get(1).map_err(|error| work.judge(&error))?;
        let reason = match word {
            "already so" => WriteResult::AlreadySo,
            "gone" => WriteResult::Gone,
            "locked" => WriteResult::Locked,
            _ => WriteResult::SetAside,
        };
        let position = usize::try_from(nth - 1).ok().and_then(|nth| which.get(nth));
        reasons.extend(position.and_then(|n| i64::try_from(n + 1).ok()).map(|position| (position, reason)));
    }
    Ok(reasons)
}

/// Notes what became of the row at a position, counted from 1 as SQL does.
fn set(results: &mut [(WriteId, WriteResult)], position: i64, result: WriteResult) {
    let index = usize::try_from(position - 1).ok();
    if let Some((_, slot)) = index.and_then(|index| results.get_mut(index)) {
        *slot = result;
    }
}

/// A time as PostgreSQL keeps it, to the microsecond; the notification says the same.
fn to_sql(time: Timestamp) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
    PRINTER.timestamp_to_string(&time)
}
