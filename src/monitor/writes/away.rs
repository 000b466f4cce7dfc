//! A database that is away, for the roster or for one writer: what waits until it is back, and what a crash may have
//! undone (R15, R20).

use super::Writes;
use crate::backoff::Backoff;
use crate::domain::Now;
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::row::DatabaseEvent;
use crate::monitor::Starts;
use crate::monitor::book::{Book, Timer};
use crate::monitor::streamers::{Key, Streamers};
use crate::monitor::table::Broke;
use crate::monitor::times::DATABASE_RETRY;
use std::ops::Bound;

/// Reading and writing may fail independently of each other, and are reported apart.
const READING: &str = "database read";
const WRITING: &str = "database write";

/// A writer that cannot write at present.
#[derive(Debug)]
pub(super) struct Away {
    backoff: Backoff,
    /// The row that failed last. If another row waits, that one is tried next (R20).
    last: Key,
}

impl Away {
    fn new(last: Key) -> Away {
        Away { backoff: Backoff::new(DATABASE_RETRY.0, DATABASE_RETRY.1), last }
    }
}

impl Writes {
    /// Sets the number of writers. If some writer could not write, each of the new ones must find out for itself.
    pub(super) fn set_lanes(&mut self, lanes: usize) {
        if std::mem::replace(&mut self.lanes, lanes) == lanes {
            return;
        }
        if let Some((_, Away { last, .. })) = self.away.pop_first() {
            self.away = (0..lanes).map(|lane| (lane, Away::new(last))).collect();
        }
    }

    pub(in crate::monitor) fn take_database(
        &mut self,
        now: Now,
        event: DatabaseEvent,
        streamers: &mut Streamers,
        book: &mut Book,
    ) {
        match event {
            DatabaseEvent::Up => {
                let back = std::mem::replace(&mut self.unreadable, false);
                if back {
                    (0..self.lanes.max(1)).for_each(|lane| self.probe(now, lane, streamers, book));
                }
                if self.waiting.is_empty() && self.in_flight.is_empty() {
                    self.away.clear();
                }
                if back {
                    self.rewrite_undoable(now, streamers, book);
                }
                self.say_recovered(book);
            }
            DatabaseEvent::Reconnected => {
                // In an outage that is already known, its beginning counts.
                if self.works() {
                    self.broke = Broke(Some(now.steady));
                }
                self.rewrite_undoable(now, streamers, book);
            }
            DatabaseEvent::Down(reason) => {
                if self.works() {
                    self.broke = Broke(Some(now.steady));
                }
                self.unreadable = true;
                self.say_unavailable(now, READING, &reason, book);
            }
        }
    }

    pub(super) fn cannot_write(&mut self, now: Now, lane: usize, last: Key, reason: &str, book: &mut Book) {
        book.counters.db_write_errors += 1;
        if self.works() {
            self.broke = Broke(Some(now.steady));
        }
        let away = self.away.entry(lane).or_insert_with(|| Away::new(last));
        away.last = last;
        let pause = away.backoff.next(&mut book.rng);
        // What all writers experience is reported by one of them.
        if self.away.keys().next() == Some(&lane) {
            self.say_unavailable(now, WRITING, reason, book);
        }
        book.timers.retain(|(_, timer)| *timer != Timer::Probe(lane));
        book.at(now.steady + pause, Timer::Probe(lane));
    }

    /// Sends one row of this writer, to find out whether the others would be written.
    pub(in crate::monitor) fn probe(&mut self, now: Now, lane: usize, streamers: &Streamers, book: &mut Book) {
        let Some(away) = self.away.get(&lane).filter(|_| !self.is_held_back()) else { return };
        let lanes = self.lanes;
        if self.in_flight.values().any(|flight| flight.row.lane(lanes) == lane) {
            return;
        }
        let behind = self.waiting.range((Bound::Excluded(away.last), Bound::Unbounded));
        let in_turn = behind.chain(self.waiting.range(..=away.last));
        let known = in_turn.filter_map(|key| Some((*key, streamers.get(key)?)));
        let of_lane = known.filter(|(_, it)| it.row.lane(lanes) == lane && self.is_due(now, it));
        // A row that was refused before proves less, and may hang.
        let best = of_lane.min_by_key(|(_, streamer)| streamer.table.set_aside > 0);
        if let Some((key, streamer)) = best {
            return self.send(now, key, streamer, book);
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|key| streamers.get(key).is_some_and(|streamer| self.wanted(streamer).is_some()));
        self.waiting = waiting;
        self.away.remove(&lane);
        self.say_recovered(book);
    }

    /// A writer can write again: sends everything that waits, and what a crash may have undone.
    pub(super) fn can_write(&mut self, now: Now, lane: usize, streamers: &mut Streamers, book: &mut Book) {
        if self.away.remove(&lane).is_none() {
            return;
        }
        self.say_recovered(book);
        self.rewrite_undoable(now, streamers, book);
        for key in std::mem::take(&mut self.waiting) {
            self.write(now, key, streamers, book);
        }
    }

    /// R15: sends again what was committed shortly before the connections broke.
    fn rewrite_undoable(&mut self, now: Now, streamers: &mut Streamers, book: &mut Book) {
        let undoable = streamers.iter().filter(|(_, streamer)| {
            let table = &streamer.table;
            table.confirmed.is_some_and(|(status, at)| {
                streamer.belief.status == Some(status) && self.broke.may_have_undone(at, table.known_at)
            })
        });
        let keys: Vec<Key> = undoable.map(|(key, _)| key).collect();
        for key in keys {
            if let Some(streamer) = streamers.get_mut(&key) {
                streamer.table.unsure = true;
                if self.starts == Starts::Kept {
                    // What the column has is not known either.
                    (streamer.table.start, streamer.table.told_start) = (None, None);
                }
            }
            self.write(now, key, streamers, book);
        }
    }

    fn say_unavailable(&self, now: Now, what: &str, reason: &str, book: &mut Book) {
        if book.troubles.raise(now, Code::DatabaseUnavailable, what, reason, reason) {
            let pending = self.pending();
            book.log(Event::DbUnavailable { reason: reason.to_owned(), pending });
        }
    }

    fn say_recovered(&self, book: &mut Book) {
        if !self.works() {
            return;
        }
        let [read, written] = [READING, WRITING].map(|what| book.troubles.settle(Code::DatabaseUnavailable, what));
        if read || written {
            let pending = self.pending();
            book.log(Event::DbRecovered { pending });
        }
    }
}
