//! Runs one write statement: it is committed, or it is determined whether a row made it fail or nothing can be
//! written at all. What is tried next is up to the lane (R20, R21).
//!
//! An SQLSTATE does not distinguish a row's error from one of the statement or the connection, because a trigger may
//! raise any SQLSTATE, hang, or end the connection. So after a failure the same statement is run without rows. It
//! changes nothing, and it fails if the cause is missing privileges, a missing replica identity, a lock on the table,
//! a read-only server, or the connection. If it succeeds, a row was the cause.

use super::coordination::Lease;
use super::error::{Blame, DbError, Fault};
use super::session::Patience;
use super::work::{Value, Work};
use super::{Database, WRITE_LIMIT};
use crate::domain::Status;
use crate::domain::row::{Write, WriteId, WriteResult};
use crate::domain::text::shown;
use crate::domain::time::Timestamp;
use crate::stop::Stop;
use jiff::fmt::temporal::DateTimePrinter;
use std::sync::Arc;
use std::time::Duration;

/// The minimum time limit of the statement without rows, however much time the one with rows has taken.
const BARE_LIMIT_MIN: Duration = Duration::from_secs(2);
/// Instead of a start: the column is left alone.
const NO_START: &str = "-";

/// The outcome of one write statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It was committed; the outcome of each row.
    Done(Vec<(WriteId, WriteResult)>),
    /// It was not committed because at least one of its rows cannot be written; others may be.
    Spoilt(Spoilt),
    /// Nothing can be written at present, whatever the row; the text is the reason.
    Away(String),
}

/// How a row made a statement fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoilt {
    /// The server's error, in a form suitable for a refused row.
    pub reason: String,
    /// Another client held or changed a row; a retry may succeed.
    pub conflict: bool,
    /// The connection broke during the statement.
    pub broke: bool,
    /// The error may not be the row's fault. If another row fails alone with the same text, it is not.
    pub general: bool,
}

impl Database {
    /// Writes the rows that do not show their wanted status yet, in one statement that is cancelled after `limit` or
    /// at a stop. With a lease, nothing is written once that is over.
    ///
    /// `alive` is called at short intervals. A statement that is not answered although the server was asked to cancel
    /// it is waited for as long as its connection exists.
    pub fn write(
        &self,
        writes: &[Write],
        lease: Option<&Lease>,
        limit: Duration,
        stop: &Stop,
        alive: &dyn Fn(),
    ) -> Attempt {
        let patience = Patience { alive, ..self.patience(limit, stop) };
        let waiting = Patience { leaves: false, ..patience };
        let fault = match self.run(&waiting, |work| statement(work, writes, lease)) {
            Ok(results) => return Attempt::Done(results),
            Err(fault) => fault,
        };
        let unconnected = matches!(fault.blame, Blame::Statement(DbError::Connection(..))) && !fault.lost;
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

    /// What a table without a primary key needs before a publication allows its rows to be updated.
    fn identity_remedy(&self) -> String {
        let table = &self.config.table;
        format!("to allow it: ALTER TABLE {table} REPLICA IDENTITY FULL (or give the table a primary key)")
    }
}

/// Runs the statement without rows, so that its failure is not a row's fault. If this server cannot run it, another
/// one may be the right one.
fn write_nothing(work: &mut Work<'_>) -> Result<(), Fault> {
    write_many(work, &[], false, None).map(drop).map_err(|fault| Fault { lost: fault.lost || fault.misplaced, ..fault })
}

/// Runs one statement; it is committed when this returns.
fn statement(
    work: &mut Work<'_>,
    writes: &[Write],
    lease: Option<&Lease>,
) -> Result<Vec<(WriteId, WriteResult)>, Fault> {
    // Without the column nothing tells why the start of a broadcast was not notified: the row does not show Online any
    // more, or is gone, as the next read of the table will tell.
    let kept = work.database.config.started_at_column.is_some();
    let unless_written = |write: &Write| match write.start_only && !kept {
        true => WriteResult::AlreadySo,
        false => WriteResult::SetAside,
    };
    let mut results: Vec<(WriteId, WriteResult)> =
        writes.iter().map(|write| (write.id, unless_written(write))).collect();
    let mut committed = false;
    for start_only in [false, true] {
        let which: Vec<usize> = (0..writes.len()).filter(|n| writes[*n].start_only == start_only).collect();
        let rows: Vec<&Write> = which.iter().map(|n| &writes[*n]).collect();
        let written = match rows.as_slice() {
            [] => continue,
            [row] if !start_only => {
                write_one(work, row, lease).map(|written| if written { vec![1] } else { Vec::new() })
            }
            rows => write_many(work, rows, start_only, lease),
        };
        match written {
            Ok(positions) => {
                let rows = positions.into_iter().filter_map(|nth| which.get(usize::try_from(nth - 1).ok()?));
                rows.for_each(|n| results[*n].1 = WriteResult::Written);
                committed |= results.iter().any(|(_, result)| *result == WriteResult::Written);
            }
            // The rows before are committed, and are said to be. These are tried again soon.
            Err(fault) if committed => {
                work.learn_from(&fault);
                which.iter().for_each(|n| results[*n].1 = WriteResult::Locked);
            }
            Err(fault) => return Err(fault),
        }
    }
    let others: Vec<usize> = (0..writes.len()).filter(|n| results[*n].1 == WriteResult::SetAside).collect();
    if !others.is_empty() {
        // The rows are committed, whatever the outcome of this question. A row without an explanation is tried again
        // like one that was set aside.
        match explain(work, writes, &others, lease) {
            Ok(reasons) => reasons.into_iter().for_each(|(n, reason)| results[n].1 = reason),
            Err(fault) if committed => work.learn_from(&fault),
            Err(fault) => return Err(fault),
        }
    }
    Ok(results)
}

/// Returns true if the row was written.
fn write_one(work: &mut Work<'_>, write: &Write, lease: Option<&Lease>) -> Result<bool, Fault> {
    let (start, title) = (start(write), title(write, &work.table()?.encoding));
    let config = &work.database.config;
    let (changed_at, username) = (to_sql(write.changed_at), shown(&write.username));
    let mut values = vec![
        write.row.as_str(),
        config.status_value(write.status),
        &changed_at,
        &username,
        write.source.word(),
        &config.synchronous_commit,
        config.notify_channel.as_deref().unwrap_or_default(),
        &start,
        &title,
    ];
    values.extend(lease.into_iter().flat_map(Lease::values));
    let statement = Arc::clone(&work.table()?.writing(lease.is_some()).one);
    work.write_one(&statement, &values)
}

/// The positions, from 1, of the rows that were written; `start_only`: to which the start of the broadcast was.
fn write_many(
    work: &mut Work<'_>,
    writes: &[&Write],
    start_only: bool,
    lease: Option<&Lease>,
) -> Result<Vec<i64>, Fault> {
    let table = work.table()?;
    let writing = table.writing(lease.is_some());
    let statement = if start_only { writing.start.clone() } else { Some(writing.many.clone()) };
    // Since the row was handed over, a reload has made that nobody learns of the start any more.
    let Some(statement) = statement else { return Ok(Vec::new()) };
    let encoding = table.encoding.clone();
    let config = &work.database.config;
    // Values that are not needed are not sent: a position beyond the end of an array reads as NULL.
    let told = config.notify_channel.is_some();
    let dated = told || config.changed_at_column.is_some();
    let wanted = |wanted: bool| if wanted { writes } else { &[] };
    let mut values = vec![
        Value::list(writes.iter().map(|write| write.row.as_str())),
        Value::list(writes.iter().map(|write| config.status_value(write.status))),
        Value::list(wanted(dated).iter().map(|write| to_sql(write.changed_at))),
        // A notification may have up to 8000 bytes.
        Value::list(wanted(told).iter().map(|write| shown(&write.username))),
        Value::list(wanted(told).iter().map(|write| write.source.word())),
        Value::text(&config.synchronous_commit),
        Value::text(config.notify_channel.as_deref().unwrap_or_default()),
        Value::list(wanted(config.tells_starts()).iter().map(|write| start(write))),
        Value::list(wanted(told).iter().map(|write| title(write, &encoding))),
    ];
    values.extend(lease.into_iter().flat_map(Lease::values).map(Value::text));
    let rows = work.query(&statement, values)?;
    rows.iter().map(|row| row.try_get(0).map_err(|error| work.judge(&error))).collect()
}

/// Finds out why these rows were not written. Returns those of them for which there is an answer.
fn explain(
    work: &mut Work<'_>,
    writes: &[Write],
    which: &[usize],
    lease: Option<&Lease>,
) -> Result<Vec<(usize, WriteResult)>, Fault> {
    let config = &work.database.config;
    let ids = Value::list(which.iter().map(|n| writes[*n].row.as_str()));
    let statuses = Value::list(which.iter().map(|n| config.status_value(writes[*n].status)));
    let alone = |write: &Write| if write.start_only { start(write) } else { NO_START.to_owned() };
    let starts = Value::list(which.iter().map(|n| alone(&writes[*n])));
    let statement = work.table()?.writing(lease.is_some()).why_not.clone();
    let lease = lease.into_iter().flat_map(Lease::values).map(Value::text);
    let rows = work.query(&statement, [ids, statuses, starts].into_iter().chain(lease).collect())?;
    let mut reasons = Vec::with_capacity(rows.len());
    for row in rows {
        let nth: i64 = row.try_get(0).map_err(|error| work.judge(&error))?;
        let word: &str = row.try_get(1).map_err(|error| work.judge(&error))?;
        let reason = match word {
            "already so" => WriteResult::AlreadySo,
            "gone" => WriteResult::Gone,
            "locked" => WriteResult::Locked,
            "lapsed" => WriteResult::Lapsed,
            _ => WriteResult::SetAside,
        };
        let row = usize::try_from(nth - 1).ok().and_then(|nth| which.get(nth));
        reasons.extend(row.map(|n| (*n, reason)));
    }
    Ok(reasons)
}

/// The start of the broadcast, as the statements take it; empty if it is not known.
fn start(write: &Write) -> String {
    match write.status {
        Status::Online => write.started_at.map(to_sql).unwrap_or_default(),
        Status::Offline => NO_START.to_owned(),
    }
}

/// The title, as the statements take it: what the database's encoding may not have is replaced, or the server would refuse
/// the whole statement.
fn title(write: &Write, encoding: &str) -> String {
    let title = write.title.as_deref().map(shown).unwrap_or_default();
    match encoding {
        "UTF8" | "SQL_ASCII" => title,
        _ => title.replace(|c: char| !c.is_ascii(), "?"),
    }
}

/// A time in PostgreSQL's precision of microseconds; the notification has the same value.
fn to_sql(time: Timestamp) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
    PRINTER.timestamp_to_string(&time)
}
