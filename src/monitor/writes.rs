//! What is written to the table, and the results (R19 to R21, R26), with the writes that a crash of the database may have
//! undone (R15). It knows what a streamer's row is to show, and not why.

mod away;
mod refusals;
mod wanted;

use super::book::{Book, Committed, Timer};
use super::streamer::Streamer;
use super::streamers::{Key, Streamers};
use super::table::Broke;
use super::times::{LEASE, ROW_RETRY};
use super::{Output, Settings, Starts};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::row::{Shown, Write, WriteId, WriteResult, Written};
use crate::domain::shards::{Hold, Permit, Shard};
use crate::domain::text::shown;
use crate::domain::time::Timestamp;
use crate::domain::{Now, RowId, Source, Status, Steady};
use away::Away;
use refusals::say_refused;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;
use wanted::Wanted;

/// Writes under way, rows that wait, and which writers can write at present.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// Writes that a writer was given and has not answered yet.
    in_flight: BTreeMap<WriteId, Flight>,
    /// The rows of those writes.
    busy: HashSet<RowId>,
    /// Streamers whose rows are to be written, but not now.
    waiting: BTreeSet<Key>,
    /// Streamers whose Offline is not to be written before (R26).
    delayed: BTreeMap<Key, Steady>,
    offline_delay: Duration,
    starts: Starts,
    next: u64,
    /// The number of writers. Each row belongs to one of them.
    lanes: usize,
    /// The writers that cannot write at present.
    away: BTreeMap<usize, Away>,
    /// The roster cannot be read at present.
    unreadable: bool,
    broke: Broke,
    /// The hold under which rows are written (R25).
    permit: Permit,
    /// Shards with a write of which it is not known whether it was carried out, and until when it still may be.
    adrift: BTreeMap<Shard, Steady>,
}

#[derive(Debug)]
struct Flight {
    key: Key,
    row: RowId,
    shard: Shard,
    hold: Option<Hold>,
    username: Arc<str>,
    status: Status,
    source: Source,
    received: Steady,
    /// When the broadcast that runs began.
    start: Option<Timestamp>,
    /// That alone is written.
    start_only: bool,
}

impl Writes {
    pub(super) fn new(settings: &Settings) -> Writes {
        let Settings { offline_delay, starts, .. } = *settings;
        Writes { offline_delay, starts, ..Writes::default() }
    }

    pub(super) fn pending(&self) -> usize {
        let in_flight: BTreeSet<Key> = self.in_flight.values().map(|flight| flight.key).collect();
        in_flight.union(&self.waiting).count()
    }

    /// Returns true if the database can be read and written, as far as was tried.
    pub(super) fn works(&self) -> bool {
        !self.unreadable && self.away.is_empty()
    }

    /// Returns true if the writer of this row cannot write at present.
    fn is_away(&self, row: &RowId) -> bool {
        self.away.contains_key(&row.lane(self.lanes))
    }

    pub(super) fn is_busy(&self, row: &RowId) -> bool {
        self.busy.contains(row)
    }

    /// Nothing needs to be written for this streamer any more.
    pub(super) fn settle(&mut self, key: Key, book: &mut Book) {
        self.waiting.remove(&key);
        self.no_delay(key, book);
    }

    /// When the connections to the database last broke.
    pub(super) fn broke(&self) -> Broke {
        self.broke
    }
}

impl Writes {
    /// R19, R26: has a streamer's row show what is believed, at once or as soon as possible.
    pub(super) fn write(&mut self, now: Now, key: Key, streamers: &mut Streamers, book: &mut Book) {
        let Some(streamer) = streamers.get_mut(&key) else { return };
        if self.wanted(streamer).is_none() {
            self.note_start(now, key, streamer, book);
            return self.settle(key, book);
        }
        if self.must_stand(now, key, streamer, book) {
            return;
        }
        let blocked = self.is_held_back()
            || self.is_away(&streamer.row)
            || self.is_busy(&streamer.row)
            || streamer.table.not_before > now.steady;
        if blocked {
            self.waiting.insert(key);
        } else {
            self.send(now, key, streamer, book);
        }
    }

    /// Gives a row to its writer, whether or not that writer can write at present.
    fn send(&mut self, now: Now, key: Key, streamer: &Streamer, book: &mut Book) {
        let Some(wanted) = self.wanted(streamer) else { return };
        let hold = match self.permit {
            Permit::Nothing => return,
            Permit::Under(hold) => Some(hold),
            Permit::Free => None,
        };
        let belief = &streamer.belief;
        // The row had shown it already, and somebody else has changed it since (R15).
        let again = |status| {
            let table = &streamer.table;
            !table.unsure && table.confirmed.is_some_and(|(ours, at)| ours == status && at >= belief.since.steady)
        };
        let (status, since, source) = match wanted {
            Wanted::Status(status) if again(status) => (status, now, belief.source),
            Wanted::Status(status) => (status, Now { steady: belief.received, ..belief.since }, belief.source),
            Wanted::Start => (Status::Online, Now { steady: belief.received, ..now }, streamer.broadcast.told_by()),
        };
        // The start is not needed where it is neither kept nor told.
        let live = status == Status::Online && self.starts != Starts::Ignored;
        let id = WriteId(self.next);
        self.next += 1;
        self.waiting.remove(&key);
        self.busy.insert(streamer.row.clone());
        let flight = Flight {
            key,
            row: streamer.row.clone(),
            shard: streamer.shard,
            hold,
            username: streamer.username.clone(),
            status,
            source,
            received: since.steady,
            start: streamer.broadcast.start.filter(|_| live),
            start_only: wanted == Wanted::Start,
        };
        book.out.push(Output::Write(Write {
            id,
            row: flight.row.clone(),
            username: flight.username.clone(),
            status,
            changed_at: since.wall,
            source,
            started_at: flight.start,
            title: streamer.broadcast.title.clone().filter(|_| live),
            start_only: flight.start_only,
            apart: streamer.table.set_aside > 0,
            hold,
        }));
        self.in_flight.insert(id, flight);
    }

    /// Takes the results of writes.
    pub(super) fn take_written(&mut self, now: Now, written: Written, streamers: &mut Streamers, book: &mut Book) {
        let (mut lane, mut away) = (None, None);
        for (id, result) in written.results {
            let Some(flight) = self.in_flight.remove(&id) else { continue };
            self.busy.remove(&flight.row);
            if result != WriteResult::Lapsed {
                // An answer without a statement says nothing about the database.
                lane = Some(flight.row.lane(self.lanes));
            }
            if let WriteResult::Unavailable(reason) = &result {
                away = Some((flight.key, reason.clone()));
            }
            self.take_result(now, written.at.steady, &flight, result, streamers, book);
        }
        // All rows were in one statement, so this counts once.
        match (lane, away) {
            (Some(lane), Some((key, reason))) => self.cannot_write(now, lane, key, &reason, book),
            (Some(lane), None) => self.can_write(now, lane, streamers, book),
            (None, _) => {}
        }
    }

    /// It is not known whether a write was done: the streamer who has the row now is to be written again.
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
                say_written(flight, at, book);
                self.row_took(now, flight, at, true, streamers, book);
            }
            WriteResult::AlreadySo => self.row_took(now, flight, at, false, streamers, book),
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
            WriteResult::Lapsed => return self.lapsed(now, flight, streamers, book),
            WriteResult::Unavailable(_) => {
                self.drifts(now, flight, book);
                let lost = Self::lost_write(&flight.row, streamers);
                if let Some((key, streamer)) = lost.and_then(|key| Some((key, streamers.get_mut(&key)?))) {
                    if !self.must_stand(now, key, streamer, book) {
                        self.waiting.insert(key);
                    }
                }
                return;
            }
        }
        // The row is free again, for what is wanted by now, or for another streamer who has it by now (R14, R19). Or
        // nothing is wanted any more.
        if let Some(holder) = holder(flight, streamers) {
            self.write(now, holder, streamers, book);
        }
    }

    /// A writer started: it is given the writes of an earlier one again. A row that was written all the same is not
    /// changed by that.
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
            self.drifts(now, &flight, book);
            if let Some(holder) = Self::lost_write(&flight.row, streamers) {
                self.write(now, holder, streamers, book);
            }
        }
        // If a row was out to find out whether the database is back, it is lost too.
        self.probe(now, lane, streamers, book);
    }
}

/// Several instances on one table (R25).
impl Writes {
    /// Returns true if nothing may be written at present, because another instance may have taken over.
    pub(super) fn is_held_back(&self) -> bool {
        self.permit == Permit::Nothing
    }

    /// Sets the hold under which rows are written from now on, and writes what waited for it.
    pub(super) fn allow(&mut self, now: Now, permit: Permit, streamers: &mut Streamers, book: &mut Book) {
        let before = std::mem::replace(&mut self.permit, permit);
        if before == permit || permit == Permit::Nothing {
            return;
        }
        for lane in self.away.keys().copied().collect::<Vec<usize>>() {
            self.probe(now, lane, streamers, book);
        }
        for key in std::mem::take(&mut self.waiting) {
            self.write(now, key, streamers, book);
        }
    }

    /// The hold of a write was over. Its row waits for the next hold, unless that one began before the answer came.
    fn lapsed(&mut self, now: Now, flight: &Flight, streamers: &Streamers, book: &mut Book) {
        let is_over = flight.hold.map_or(Permit::Free, Permit::Under) != self.permit;
        let again = if is_over { now.steady } else { now.steady + ROW_RETRY.1 };
        if self.is_away(&flight.row) {
            // It was to show whether this writer can write again.
            book.at(again, Timer::Probe(flight.row.lane(self.lanes)));
        }
        if let Some(key) = holder(flight, streamers) {
            self.waiting.insert(key);
            book.at(again, Timer::Rewrite(key));
        }
    }

    /// Notes a write of which it is not known whether it was carried out, or will be.
    fn drifts(&mut self, now: Now, flight: &Flight, book: &mut Book) {
        if flight.hold.is_some() {
            let until = now.steady + LEASE;
            self.adrift.retain(|_, until| *until > now.steady);
            self.adrift.insert(flight.shard, until);
            book.at(until, Timer::Release);
        }
    }

    /// Those of these shards for which no write can be carried out any more.
    pub(super) fn are_quiet(&self, now: Now, shards: &BTreeSet<Shard>) -> BTreeSet<Shard> {
        let busy: BTreeSet<Shard> = self.in_flight.values().map(|flight| flight.shard).collect();
        let drifts = |shard: &&Shard| self.adrift.get(shard).is_some_and(|until| *until > now.steady);
        shards.iter().filter(|shard| !busy.contains(shard) && !drifts(shard)).copied().collect()
    }
}

/// The streamer who has the row of a write now: usually the one that it was for.
fn holder(flight: &Flight, streamers: &Streamers) -> Option<Key> {
    streamers.contains_key(&flight.key).then_some(flight.key).or_else(|| streamers.of_row(&flight.row))
}

/// A row was written: says so. That another broadcast has begun is no change of a status.
fn say_written(flight: &Flight, at: Steady, book: &mut Book) {
    let (username, id) = (flight.username.clone(), flight.row.clone());
    if flight.start_only {
        let start = flight.start.map(|start| start.to_string()).unwrap_or_default();
        let text = format!("{} (id {}): began at {start}", shown(&username), shown(id.as_str()));
        book.last_write = Some(at);
        return book.log(Event::Detail { what: "broadcast", text });
    }
    let (status, source, lag) = (flight.status, flight.source, at.since(flight.received));
    book.written(Committed { at, id: id.clone(), username: username.clone(), status, source, lag });
    book.log(Event::StatusChanged { username, id, status, source, lag });
}

impl Writes {
    /// The row shows what was to be written. `by_us`: because this write changed it. R13: if another streamer has the row
    /// by now, that one starts with what the row shows.
    fn row_took(&self, now: Now, flight: &Flight, at: Steady, by_us: bool, streamers: &mut Streamers, book: &mut Book) {
        book.troubles.settle(Code::WriteRefused, flight.row.as_str());
        let Some(key) = holder(flight, streamers) else { return };
        let Some(streamer) = streamers.get_mut(&key) else { return };
        let table = &mut streamer.table;
        table.is_free();
        if by_us {
            table.confirmed = Some((flight.status, at));
        }
        // Where the row showed Online already, the column may still have the start of an earlier broadcast.
        let start_is_told = by_us || flight.start_only || self.starts == Starts::Told;
        if start_is_told && flight.status == Status::Online {
            table.start = flight.start;
            table.told_start = flight.start;
        }
        if flight.start_only && !by_us {
            // It may not even show Online any more, as the next read will tell.
            return;
        }
        table.shown = Shown::Known(flight.status);
        table.known_at = at;
        table.unsure = false;
        if table.settled.is_some_and(|(ours, _)| ours != table.shown) {
            table.settled = None;
            table.overruled = None;
        }
        if key != flight.key && !streamer.belief.verified {
            streamers.believe_table(now, key, Shown::Known(flight.status), book);
        }
    }
}
