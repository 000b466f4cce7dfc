//! What goes to the table, and what became of it: R19 to R21, and the writes that a crash of the database may have
//! undone (R15). It knows from a streamer what the row is to show, and not why.

mod away;
mod refusals;

use super::Output;
use super::book::{Book, Committed};
use super::streamer::Streamer;
use super::streamers::{Key, Streamers};
use super::table::Broke;
use super::times::ROW_RETRY;
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::row::{Shown, Write, WriteId, WriteResult, Written};
use crate::domain::{Now, RowId, Source, Status, Steady};
use away::Away;
use refusals::say_refused;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Writes under way, writes that wait, and the database's weather.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// Given to a writer and not yet answered.
    in_flight: BTreeMap<WriteId, Flight>,
    /// The rows of those.
    busy: HashSet<RowId>,
    /// Streamers whose row must be written and cannot be just now.
    waiting: BTreeSet<Key>,
    next: u64,
    /// How many writers there are; a row belongs to one of them.
    lanes: usize,
    /// The writers that cannot write at present.
    away: BTreeMap<usize, Away>,
    /// Reading does not work at present.
    unreadable: bool,
    broke: Broke,
}

#[derive(Debug)]
struct Flight {
    key: Key,
    row: RowId,
    username: Arc<str>,
    status: Status,
    source: Source,
    received: Steady,
}

impl Writes {
    pub(super) fn pending(&self) -> usize {
        let in_flight: BTreeSet<Key> = self.in_flight.values().map(|flight| flight.key).collect();
        in_flight.union(&self.waiting).count()
    }

    /// Whether the database can be read and written, as far as was tried.
    pub(super) fn works(&self) -> bool {
        !self.unreadable && self.away.is_empty()
    }

    /// Whether no writer of this row's can write at present.
    fn is_away(&self, row: &RowId) -> bool {
        self.away.contains_key(&row.lane(self.lanes))
    }

    pub(super) fn is_busy(&self, row: &RowId) -> bool {
        self.busy.contains(row)
    }

    /// Nothing needs to be written for this streamer any more.
    pub(super) fn settle(&mut self, key: Key) {
        self.waiting.remove(&key);
    }

    /// When the connections to the database last broke.
    pub(super) fn broke(&self) -> Broke {
        self.broke
    }
}

impl Writes {
    /// Has a streamer's row show what is believed: at once if it can be, later if not. R19.
    pub(super) fn write(&mut self, now: Now, key: Key, streamers: &Streamers, book: &mut Book) {
        let Some(streamer) = streamers.get(&key) else { return };
        if streamer.wanted().is_none() {
            return self.settle(key);
        }
        let blocked =
            self.is_away(&streamer.row) || self.is_busy(&streamer.row) || streamer.table.not_before > now.steady;
        if blocked {
            self.waiting.insert(key);
        } else {
            self.send(key, streamer, book);
        }
    }

    /// Gives a row to the writers, whatever the weather.
    fn send(&mut self, key: Key, streamer: &Streamer, book: &mut Book) {
        let Some(status) = streamer.wanted() else { return };
        let id = WriteId(self.next);
        self.next += 1;
        self.waiting.remove(&key);
        self.busy.insert(streamer.row.clone());
        let belief = &streamer.belief;
        let flight = Flight {
            key,
            row: streamer.row.clone(),
            username: streamer.username.clone(),
            status,
            source: belief.source,
            received: belief.received,
        };
        book.out.push(Output::Write(Write {
            id,
            row: flight.row.clone(),
            username: flight.username.clone(),
            status,
            changed_at: belief.since.wall,
            source: belief.source,
            apart: streamer.table.set_aside > 0,
        }));
        self.in_flight.insert(id, flight);
    }

    /// What became of some writes.
    pub(super) fn take_written(&mut self, now: Now, written: Written, streamers: &mut Streamers, book: &mut Book) {
        let (mut lane, mut away) = (None, None);
        for (id, result) in written.results {
            let Some(flight) = self.in_flight.remove(&id) else { continue };
            self.busy.remove(&flight.row);
            lane = Some(flight.row.lane(self.lanes));
            if let WriteResult::Unavailable(reason) = &result {
                away = Some((flight.key, reason.clone()));
            }
            self.take_result(now, written.at.steady, &flight, result, streamers, book);
        }
        // One statement failed, or not, however many rows it had.
        match (lane, away) {
            (Some(lane), Some((key, reason))) => self.cannot_write(now, lane, key, &reason, book),
            (Some(lane), None) => self.can_write(now, lane, streamers, book),
            (None, _) => {}
        }
    }

    /// Whether a write was done is not known: whoever has the row now must have it written once more.
    fn lost_write(row: &RowId, streamers: &mut Streamers) -> Option<Key> {
        let heir = streamers.of_row(row)?;
        streamers.get_mut(&heir)?.table.unsure = true;
        Some(heir)
    }

    fn take_result(
        &mut self,
        now: Now,
        at: Steady,
        flight: &Flight,
        result: WriteResult,
        streamers: &mut Streamers,
        book: &mut Book,
    ) {
        let key = flight.key;
        match result {
            WriteResult::Written => {
                let (username, id) = (flight.username.clone(), flight.row.clone());
                let (status, source, lag) = (flight.status, flight.source, at.since(flight.received));
                book.written(Committed { at, id: id.clone(), username: username.clone(), status, source, lag });
                book.log(Event::StatusChanged { username, id, status, source, lag });
                row_took(now, flight, at, true, streamers, book);
            }
            WriteResult::AlreadySo => row_took(now, flight, at, false, streamers, book),
            WriteResult::Gone => {
                book.out.push(Output::ReadRoster);
                self.try_later(now, key, ROW_RETRY.1, streamers, book);
            }
            WriteResult::Locked => self.locked(now, key, streamers, book),
            WriteResult::SetAside => self.set_aside(now, key, streamers, book),
            WriteResult::Refused(reason) => {
                book.counters.db_write_errors += 1;
                say_refused(now, key, &reason, streamers, book);
                self.set_aside_again(now, key, streamers, book);
            }
            WriteResult::TimedOut(reason) => {
                book.counters.db_write_errors += 1;
                say_refused(now, key, &reason, streamers, book);
                self.timed_out(now, key, streamers, book);
            }
            WriteResult::Unavailable(_) => {
                self.waiting.extend(Self::lost_write(&flight.row, streamers));
                return;
            }
        }
        // The row is free again, for what is wanted meanwhile, or for whoever has it now (R14, R19); or
        // nothing is wanted any more.
        if let Some(holder) = holder(flight, streamers) {
            self.write(now, holder, streamers, book);
        }
    }

    /// A writer began: what it had is given out once more. What was written all the same costs nothing
    /// to write again.
    pub(super) fn send_lost(
        &mut self,
        now: Now,
        lane: usize,
        lanes: usize,
        streamers: &mut Streamers,
        book: &mut Book,
    ) {
        self.set_lanes(lanes);
        let (lost, kept) =
            std::mem::take(&mut self.in_flight).into_iter().partition(|(_, flight)| flight.row.lane(lanes) == lane);
        self.in_flight = kept;
        let lost: BTreeMap<WriteId, Flight> = lost;
        for flight in lost.into_values() {
            self.busy.remove(&flight.row);
            if let Some(holder) = Self::lost_write(&flight.row, streamers) {
                self.write(now, holder, streamers, book);
            }
        }
        // The one row that was to show whether the database is back is lost too.
        self.probe(lane, streamers, book);
    }
}

/// Who has the row of a write now: whoever it was for, as a rule.
fn holder(flight: &Flight, streamers: &Streamers) -> Option<Key> {
    streamers.contains_key(&flight.key).then_some(flight.key).or_else(|| streamers.of_row(&flight.row))
}

/// The row shows what was to be written; `by_us`: because we wrote it. R13: if the row belongs to another streamer by
/// now, that one starts with what the row shows.
fn row_took(now: Now, flight: &Flight, at: Steady, by_us: bool, streamers: &mut Streamers, book: &mut Book) {
    book.troubles.settle(Code::WriteRefused, flight.row.as_str());
    let Some(key) = holder(flight, streamers) else { return };
    let Some(streamer) = streamers.get_mut(&key) else { return };
    let table = &mut streamer.table;
    table.shown = Shown::Known(flight.status);
    table.known_at = at;
    table.unsure = false;
    table.is_free();
    if table.settled.is_some_and(|(ours, _)| ours != table.shown) {
        table.settled = None;
        table.overruled = 0;
    }
    if by_us {
        table.confirmed = Some((flight.status, at));
    }
    if key != flight.key && !streamer.belief.verified {
        streamers.believe_table(now, key, Shown::Known(flight.status), book);
    }
}
