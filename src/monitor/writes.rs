//! What goes to the table, and what became of it: R19, and the writes that a crash of the database may
//! have undone (R15).

use super::book::Committed;
use super::times::{DATABASE_RETRY, ROW_RETRY, UNDOABLE};
use super::{Key, Monitor, Output, Timer};
use crate::backoff::Backoff;
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::row::{DatabaseEvent, Shown, Write, WriteId, WriteResult, Written};
use crate::domain::{Now, RowId, Source, Status, Steady};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Bound;
use std::sync::Arc;

/// Who reads and who writes may fail in two ways at a time: each is spoken of by itself.
const READING: &str = "database read";
const WRITING: &str = "database write";

/// Writes under way, writes that wait, and the database's weather.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// Given to a writer and not yet answered.
    in_flight: BTreeMap<WriteId, Flight>,
    /// The rows of those.
    busy: HashSet<RowId>,
    /// Streamers whose row must be written and cannot be just now.
    pub(super) waiting: BTreeSet<Key>,
    next: u64,
    /// How many writers there are; a row belongs to one of them.
    lanes: usize,
    /// The writers that cannot write at present.
    away: BTreeMap<usize, Away>,
    /// Reading does not work at present.
    unreadable: bool,
    /// When the database connections last broke.
    broke_at: Option<Steady>,
}

/// A writer that cannot write at present.
#[derive(Debug)]
struct Away {
    backoff: Backoff,
    /// The row that failed last; the next that is tried is another one, if another one waits (R20).
    last: Key,
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

impl Away {
    fn new(last: Key) -> Away {
        Away { backoff: Backoff::new(DATABASE_RETRY.0, DATABASE_RETRY.1), last }
    }
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

    pub(super) fn forget(&mut self, key: Key) {
        self.waiting.remove(&key);
    }

    /// R15: committed so shortly before the connections broke that a crash may have undone it, and not seen
    /// in the table since.
    pub(super) fn may_be_undone(&self, committed: Steady, seen: Steady) -> bool {
        self.broke_at.is_some_and(|broke| seen <= broke && committed <= broke && broke.since(committed) <= UNDOABLE)
    }

    /// Whether the database connections broke after the table was `seen`.
    pub(super) fn broke_since(&self, seen: Steady) -> bool {
        self.broke_at.is_some_and(|broke| seen <= broke)
    }
}

impl Monitor {
    /// Has a streamer's row show what is believed: at once if it can be, later if not. R19.
    pub(super) fn write(&mut self, now: Now, key: Key) {
        let Some(streamer) = self.streamers.get(&key) else { return };
        if streamer.wanted().is_none() {
            return self.writes.settle(key);
        }
        let blocked = self.writes.is_away(&streamer.row)
            || self.writes.is_busy(&streamer.row)
            || streamer.table.not_before > now.steady;
        if blocked {
            self.writes.waiting.insert(key);
        } else {
            self.send_write(key);
        }
    }

    /// Gives a row to the writers, whatever the weather.
    fn send_write(&mut self, key: Key) {
        let Some(streamer) = self.streamers.get(&key) else { return };
        let Some(status) = streamer.wanted() else { return };
        let id = WriteId(self.writes.next);
        self.writes.next += 1;
        self.writes.waiting.remove(&key);
        self.writes.busy.insert(streamer.row.clone());
        let belief = &streamer.belief;
        let flight = Flight {
            key,
            row: streamer.row.clone(),
            username: streamer.username.clone(),
            status,
            source: belief.source,
            received: belief.received,
        };
        self.book.out.push(Output::Write(Write {
            id,
            row: flight.row.clone(),
            username: flight.username.clone(),
            status,
            changed_at: belief.since.wall,
            source: belief.source,
            apart: streamer.table.set_aside > 0,
        }));
        self.writes.in_flight.insert(id, flight);
    }

    pub(super) fn take_written(&mut self, now: Now, written: Written) {
        let (mut lane, mut away) = (None, None);
        for (id, result) in written.results {
            let Some(flight) = self.writes.in_flight.remove(&id) else { continue };
            self.writes.busy.remove(&flight.row);
            lane = Some(flight.row.lane(self.writes.lanes));
            if let WriteResult::Unavailable(reason) = &result {
                away = Some((flight.key, reason.clone()));
            }
            self.take_result(now, written.at.steady, flight, result);
        }
        // One statement failed, or not, however many rows it had.
        match (lane, away) {
            (Some(lane), Some((key, reason))) => self.cannot_write(now, lane, key, &reason),
            (Some(lane), None) => self.can_write(now, lane),
            (None, _) => {}
        }
    }

    /// Whether a write was done is not known: whoever has the row now must have it written once more.
    fn lost_write(&mut self, row: &RowId) -> Option<Key> {
        let heir = self.streamers.of_row(row)?;
        self.streamers.get_mut(&heir)?.table.unsure = true;
        Some(heir)
    }

    fn take_result(&mut self, now: Now, at: Steady, flight: Flight, result: WriteResult) {
        let key = flight.key;
        match result {
            WriteResult::Written => {
                let (username, id) = (flight.username.clone(), flight.row.clone());
                let (status, source, lag) = (flight.status, flight.source, at.since(flight.received));
                self.book.written(Committed { at, id: id.clone(), username: username.clone(), status, source, lag });
                self.log(Event::StatusChanged { username, id, status, source, lag });
                self.row_took(now, &flight, at, true);
            }
            WriteResult::AlreadySo => self.row_took(now, &flight, at, false),
            WriteResult::Gone => {
                self.book.out.push(Output::ReadRoster);
                self.try_row_later(now, key, ROW_RETRY.1);
            }
            WriteResult::Locked => self.locked(now, key),
            WriteResult::SetAside => self.set_aside(now, key),
            WriteResult::Refused(reason) => {
                self.book.counters.db_write_errors += 1;
                self.refused(now, key, &reason);
                self.set_aside_again(now, key);
            }
            WriteResult::TimedOut(reason) => {
                self.book.counters.db_write_errors += 1;
                self.refused(now, key, &reason);
                self.timed_out(now, key);
            }
            WriteResult::Unavailable(_) => {
                let heir = self.lost_write(&flight.row);
                return self.writes.waiting.extend(heir);
            }
        }
        // The row is free again, for what is wanted meanwhile, or for whoever has it now (R14, R19); or
        // nothing is wanted any more.
        if let Some(heir) = self.heir(&flight) {
            self.write(now, heir);
        }
    }

    /// Who has the row of a write now: whoever it was for, as a rule.
    fn heir(&self, flight: &Flight) -> Option<Key> {
        let same = self.streamers.contains_key(&flight.key).then_some(flight.key);
        same.or_else(|| self.streamers.of_row(&flight.row))
    }

    /// The row shows what was to be written, and perhaps it was we who wrote it.
    fn row_took(&mut self, now: Now, flight: &Flight, at: Steady, by_us: bool) {
        self.book.troubles.settle(Code::WriteRefused, flight.row.as_str());
        let heir = self.heir(flight);
        let Some(streamer) = heir.and_then(|key| self.streamers.get_mut(&key)) else { return };
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
        let verified = streamer.belief.verified;
        if let Some(heir) = heir.filter(|heir| *heir != flight.key && !verified) {
            // R13: whoever has the row now starts with what it shows, and it shows this since.
            self.believe_table(now, heir, Shown::Known(flight.status));
        }
    }

    /// A writer began: what it had is given out once more. What was written all the same costs nothing
    /// to write again.
    pub(super) fn send_lost_writes(&mut self, now: Now, lane: usize, lanes: usize) {
        self.set_lanes(lanes);
        let (lost, kept) = std::mem::take(&mut self.writes.in_flight)
            .into_iter()
            .partition(|(_, flight)| flight.row.lane(lanes) == lane);
        self.writes.in_flight = kept;
        let lost: BTreeMap<WriteId, Flight> = lost;
        for flight in lost.into_values() {
            self.writes.busy.remove(&flight.row);
            if let Some(heir) = self.lost_write(&flight.row) {
                self.write(now, heir);
            }
        }
        // The one row that was to show whether the database is back is lost too.
        self.probe_database(lane);
    }

    /// What other writers failed of, new ones have to try for themselves.
    fn set_lanes(&mut self, lanes: usize) {
        if std::mem::replace(&mut self.writes.lanes, lanes) == lanes {
            return;
        }
        if let Some((_, Away { last, .. })) = self.writes.away.pop_first() {
            self.writes.away = (0..lanes).map(|lane| (lane, Away::new(last))).collect();
        }
    }

    pub(super) fn take_database(&mut self, now: Now, event: DatabaseEvent) {
        match event {
            DatabaseEvent::Up => {
                let back = std::mem::replace(&mut self.writes.unreadable, false);
                if back {
                    (0..self.writes.lanes.max(1)).for_each(|lane| self.probe_database(lane));
                }
                if self.writes.waiting.is_empty() && self.writes.in_flight.is_empty() {
                    self.writes.away.clear();
                }
                if back {
                    self.rewrite_undoable(now);
                }
                self.say_recovered();
            }
            DatabaseEvent::Reconnected => {
                // In an outage that is known, it is the outage's begin that counts.
                if self.writes.works() {
                    self.writes.broke_at = Some(now.steady);
                }
                self.rewrite_undoable(now);
            }
            DatabaseEvent::Down(reason) => {
                if self.writes.works() {
                    self.writes.broke_at = Some(now.steady);
                }
                self.writes.unreadable = true;
                self.say_unavailable(now, READING, &reason);
            }
        }
    }

    fn cannot_write(&mut self, now: Now, lane: usize, last: Key, reason: &str) {
        self.book.counters.db_write_errors += 1;
        if self.writes.works() {
            self.writes.broke_at = Some(now.steady);
        }
        let away = self.writes.away.entry(lane).or_insert_with(|| Away::new(last));
        away.last = last;
        let pause = away.backoff.next(&mut self.rng);
        // What all writers meet is told by one.
        if self.writes.away.keys().next() == Some(&lane) {
            self.say_unavailable(now, WRITING, reason);
        }
        self.book.timers.retain(|(_, timer)| *timer != Timer::Probe(lane));
        self.at(now.steady + pause, Timer::Probe(lane));
    }

    /// One row of a writer's, to see whether the others would get through.
    pub(super) fn probe_database(&mut self, lane: usize) {
        let Some(away) = self.writes.away.get(&lane) else { return };
        let lanes = self.writes.lanes;
        if self.writes.in_flight.values().any(|flight| flight.row.lane(lanes) == lane) {
            return;
        }
        let behind = self.writes.waiting.range((Bound::Excluded(away.last), Bound::Unbounded));
        let in_turn = behind.chain(self.writes.waiting.range(..=away.last));
        let streamers = in_turn.filter_map(|key| Some((*key, self.streamers.get(key)?)));
        let of_lane = streamers.filter(|(_, it)| it.row.lane(lanes) == lane && it.wanted().is_some());
        // A row that was refused proves less; it may hang.
        let best = of_lane.min_by_key(|(_, streamer)| streamer.table.set_aside > 0).map(|(key, _)| key);
        if let Some(key) = best {
            return self.send_write(key);
        }
        let streamers = &self.streamers;
        self.writes.waiting.retain(|key| streamers.get(key).is_some_and(|streamer| streamer.wanted().is_some()));
        self.writes.away.remove(&lane);
        self.say_recovered();
    }

    /// A write of this writer's got through: all that waits goes out, and what a crash may have undone.
    fn can_write(&mut self, now: Now, lane: usize) {
        if self.writes.away.remove(&lane).is_none() {
            return;
        }
        self.say_recovered();
        self.rewrite_undoable(now);
        for key in std::mem::take(&mut self.writes.waiting) {
            self.write(now, key);
        }
    }

    /// R15: after every reconnection what was committed shortly before is sent again.
    fn rewrite_undoable(&mut self, now: Now) {
        let undoable = self.streamers.iter().filter(|(_, streamer)| {
            let table = &streamer.table;
            table.confirmed.is_some_and(|(status, at)| {
                streamer.belief.status == Some(status) && self.writes.may_be_undone(at, table.known_at)
            })
        });
        let keys: Vec<Key> = undoable.map(|(key, _)| key).collect();
        for key in keys {
            if let Some(streamer) = self.streamers.get_mut(&key) {
                streamer.table.unsure = true;
            }
            self.write(now, key);
        }
    }

    fn say_unavailable(&mut self, now: Now, what: &str, reason: &str) {
        if self.book.troubles.raise(now, Code::DatabaseUnavailable, what, reason, reason) {
            let pending = self.writes.pending();
            self.log(Event::DbUnavailable { reason: reason.to_owned(), pending });
        }
    }

    fn say_recovered(&mut self) {
        if !self.writes.works() {
            return;
        }
        let [read, written] = [READING, WRITING].map(|what| self.book.troubles.settle(Code::DatabaseUnavailable, what));
        if read || written {
            let pending = self.writes.pending();
            self.log(Event::DbRecovered { pending });
        }
    }
}
