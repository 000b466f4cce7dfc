//! What a write statement does to the table, row by row, and what a row may do to the statement.

use super::{Database, Done};
use kick_monitor::domain::Status;
use kick_monitor::domain::row::{Row, Shown, Write, WriteResult};
use kick_monitor::domain::time::Timestamp;
use kick_monitor::gateway::database::{Attempt, Spoilt};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is wrong with a row.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulate) enum Ill {
    /// It is refused at once, in these words; `general` if they came without a context.
    Refuses { words: &'static str, general: bool },
    /// Its trigger has no end.
    Hangs,
    /// It takes this long, and is refused or not.
    Dawdles { takes: Duration, refuses: bool },
    /// It ends the connection.
    Breaks,
    /// Another client is always in the way.
    Conflicts,
}

/// One row.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Record {
    pub row: Row,
    pub locked_until: Duration,
    pub ill: Ill,
    pub ill_until: Duration,
    /// When it alone had a statement last until it was cancelled, since when it is tried rarely (R21).
    pub timed_out: Duration,
    /// When a person changed the row, or a crash did.
    pub touched: Duration,
    /// When each core last changed it.
    pub written: BTreeMap<usize, Duration>,
}

impl Record {
    pub(super) fn new(row: Row, now: Duration) -> Record {
        let (locked_until, ill_until, timed_out) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        let (ill, written) = (Ill::Hangs, BTreeMap::new());
        Record { row, locked_until, ill, ill_until, timed_out, touched: now, written }
    }

    /// Whether a write would change it: its status, or the start of the broadcast alone (R26).
    fn differs(&self, write: &Write) -> bool {
        let shows = self.row.shown == Shown::Known(write.status);
        if !write.start_only {
            return !shows;
        }
        shows && write.started_at.is_some_and(|start| begins_later(start, self.row.started_at))
    }

    /// When somebody else than this core last changed the row.
    pub(in crate::simulate) fn changed_by_others(&self, core: usize) -> Duration {
        let others = self.written.iter().filter(|(other, _)| **other != core).map(|(_, at)| *at);
        others.chain([self.touched]).max().unwrap_or_default()
    }
}

impl Database {
    /// One statement of one core's: all of its rows that can be written are, or none.
    pub(in crate::simulate) fn run(
        &mut self,
        core: usize,
        writes: &[Write],
        usual: Duration,
        limit: Duration,
        now: Duration,
    ) -> (Attempt, Duration) {
        let mut took = usual;
        let mut spoilt = None;
        for write in writes {
            if now < self.slow.0 {
                took += self.slow.1;
            }
            spoilt = self.row_spoils(write, now, &mut took);
            if took > limit || spoilt.is_some() {
                break;
            }
        }
        if took > limit {
            spoilt = Some(said("57014: canceled"));
            took = limit;
        }
        let Some(spoilt) = spoilt else {
            let done = writes.iter().map(|write| (write.id, self.write_row(core, write, now))).collect();
            return (Attempt::Done(done), took);
        };
        if let ([alone], true) = (writes, spoilt.broke || took >= Duration::from_millis(900)) {
            if let Some(record) = self.rows.get_mut(&alone.row) {
                record.timed_out = now + took;
            }
        }
        (Attempt::Spoilt(spoilt), took)
    }

    /// Whether a row that would be changed spoils its statement; it may take its time over it.
    fn row_spoils(&self, write: &Write, now: Duration, took: &mut Duration) -> Option<Spoilt> {
        let record = self.rows.get(&write.row)?;
        let touched = record.differs(write) && now >= record.locked_until;
        match record.ill {
            _ if !touched || now >= record.ill_until => None,
            Ill::Refuses { words, general } => Some(Spoilt { general, ..said(words) }),
            Ill::Hangs => {
                *took = Duration::MAX;
                None
            }
            Ill::Dawdles { takes, refuses } => {
                *took += takes;
                refuses.then(|| said("P0001: at last"))
            }
            Ill::Breaks => Some(Spoilt { broke: true, ..said("57P01: terminated") }),
            Ill::Conflicts => Some(Spoilt { conflict: true, ..said("40P01: deadlock") }),
        }
    }

    fn write_row(&mut self, core: usize, write: &Write, now: Duration) -> WriteResult {
        let Some(record) = self.rows.get_mut(&write.row) else { return WriteResult::Gone };
        let changed = record.differs(write);
        if !write.start_only && (!changed || now >= record.locked_until) {
            let (row, status, source, hold) = (write.row.clone(), write.status, write.source, write.hold);
            self.done.push(Done { core, hold, row, status, source, at: now, changed });
        }
        if !changed {
            return WriteResult::AlreadySo;
        }
        if now < record.locked_until {
            return WriteResult::SetAside;
        }
        self.commits.push((now, write.row.clone(), (record.row.shown, record.row.started_at)));
        if self.commits.len() > 64 {
            self.commits.remove(0);
        }
        record.row.shown = Shown::Known(write.status);
        if write.status == Status::Online {
            record.row.started_at = write.started_at;
        }
        record.written.insert(core, now);
        WriteResult::Written
    }
}

/// R26: whether a broadcast that began then is another one than that whose start a row has.
pub(in crate::simulate) fn begins_later(start: Timestamp, than: Option<Timestamp>) -> bool {
    than.is_none_or(|than| start.duration_since(than) > jiff::SignedDuration::from_secs(4))
}

fn said(reason: &str) -> Spoilt {
    Spoilt { reason: reason.to_owned(), conflict: false, broke: false, general: false }
}
