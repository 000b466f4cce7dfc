//! Several instances on one table (R25): what follows when shards of the roster come and go.

use crate::domain::row::Row;
use crate::domain::shards::{Coordination, Scope};
use crate::domain::{Now, Steady};
use crate::monitor::book::Timer;
use crate::monitor::streamers::Key;
use crate::monitor::{Monitor, Output};

impl Monitor {
    pub(in crate::monitor) fn take_coordination(&mut self, now: Now, told: Coordination) {
        // A read holds for the shards that were held when it was sent.
        self.compare(now, usize::MAX);
        let given_up = self.roster.gives_up();
        let change = self.shards.take(now, told, &mut self.book);
        if change.lost != Scope::Shards([].into()) {
            let lost = self.streamers.iter().filter(|(_, streamer)| change.lost.covers(streamer.shard));
            let lost: Vec<Key> = lost.map(|(key, _)| key).collect();
            for key in lost {
                self.webhooks.let_go(key);
                self.forget(key);
            }
            self.roster.let_go(&change.lost, &mut self.book);
        }
        // After the forgetting: what waits of rows that are no longer this instance's must not be written.
        self.writes.allow(now, self.shards.permit(), &mut self.streamers, &mut self.book);
        if change.gained || given_up {
            self.book.out.push(Output::ReadRoster);
        }
        self.book.revision += 1;
    }

    /// Releases the shards that are to be handed over and for which no write can be carried out any more.
    pub(in crate::monitor) fn hand_over(&mut self, now: Now) {
        if self.shards.leaving().is_empty() {
            return;
        }
        let quiet = self.writes.are_quiet(now, self.shards.leaving());
        if let Some((hold, shards)) = self.shards.release(quiet) {
            self.book.out.push(Output::Released { hold, shards });
        }
    }

    /// Takes rows of a table of which no row is followed here at present.
    pub(super) fn look_on(&mut self, now: Now, read_at: Steady, rows: Vec<Row>, more: bool) {
        if !self.shards.stands_by() {
            return self.shards.passes_over();
        }
        self.shards.watch(now, rows, read_at, |name| self.names.knows(name));
        if more {
            return;
        }
        if self.roster.was_read() {
            self.asking.schedule_sweep(now, &mut self.book);
        }
        if let Some(due) = self.shards.has_watched(now, read_at) {
            self.book.at(due, Timer::LookAhead);
        }
        self.check_compared(now);
    }

    /// Looks up the next channel id of those that are not known while this instance stands by.
    pub(in crate::monitor) fn look_ahead(&mut self, now: Now) {
        if !self.shards.stands_by() {
            return;
        }
        let (name, next) = self.shards.look_up(now, |name| self.names.knows(name));
        name.into_iter().for_each(|name| self.asking.look_up_stranger(name));
        next.into_iter().for_each(|due| self.book.at(due, Timer::LookAhead));
    }
}
