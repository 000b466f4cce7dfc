//! What becomes of a batch: one statement, and when a row spoils it, its halves, until the offender
//! stands alone (RULES R20, R21).

use super::error::{Blame, Fault};
use super::work::{Value, Work};
use crate::domain::row::{Write, WriteId, WriteResult};
use crate::domain::time::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

/// So many statements may be spent on one batch; enough to single out some fifty refused rows of a
/// thousand. The rest is set aside and comes again.
const STATEMENTS_MAX: u32 = 500;
/// So many statements of a batch may lose to another client: each may have waited for it.
const CONFLICTS_MAX: u32 = 20;

/// Writes the batch and tells what became of each row. Fails only while no row is done, and then with what kept the statement as a whole from working.
pub(super) fn write_batch(work: &mut Work<'_>, writes: &[Write]) -> Result<Vec<(WriteId, WriteResult)>, Fault> {
    let mut results = Vec::with_capacity(writes.len());
    let (mut statements, mut conflicts) = (0, 0);
    let mut todo = vec![writes];
    while let Some(part) = todo.pop() {
        if statements == STATEMENTS_MAX || conflicts == CONFLICTS_MAX {
            results.extend(part.iter().map(|write| (write.id, WriteResult::Locked)));
            continue;
        }
        statements += 1;
        (work.patience.alive)();
        let fault = match statement(work, part) {
            Ok(done) => {
                results.extend(done);
                continue;
            }
            Err(fault) => fault,
        };
        // Nothing is done yet, so the whole batch may be tried elsewhere, or with fresh knowledge.
        if results.is_empty() && (matches!(fault.blame, Blame::Statement(_)) || fault.stale && work.known) {
            return Err(fault);
        }
        work.learn_from(&fault);
        conflicts += u32::from(fault.blame == Blame::Conflict);
        let verdict = match fault.blame {
            Blame::Row(_) | Blame::Conflict if part.len() > 1 => {
                let (first, second) = part.split_at(part.len() / 2);
                todo.extend([second, first]);
                continue;
            }
            Blame::Row(reason) => WriteResult::Refused(reason),
            Blame::Conflict => WriteResult::Locked,
            Blame::Statement(error) => {
                let verdict = WriteResult::Unavailable(error.to_string());
                results.extend(todo.drain(..).flatten().map(|write| (write.id, verdict.clone())));
                verdict
            }
        };
        results.extend(part.iter().map(|write| (write.id, verdict.clone())));
    }
    Ok(results)
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
        &write.username,
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
        Value::list(wanted(told).iter().map(|write| &*write.username)),
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
