//! The roster: what follows from a read of the table (R13 to R15), part by part.

use super::OF_A_ROW;
use crate::domain::row::{RosterRead, Row, Shown};
use crate::domain::shards::Scope;
use crate::domain::{Now, Steady};
use crate::monitor::Monitor;
use crate::monitor::book::Timer;
use crate::monitor::roster::Step;
use crate::monitor::streamer::Streamer;
use crate::monitor::streamers::Key;
use crate::monitor::table::{Edit, RowRead};
use crate::monitor::times::API_LAG;

impl Monitor {
    pub(in crate::monitor) fn take_roster(&mut self, now: Now, read: RosterRead) {
        // Of two reads, the first is worked off first.
        self.compare(now, usize::MAX);
        let RosterRead { started, scope, rows, more } = read;
        if !self.roster.admits(started, more) {
            return;
        }
        let Some(part) = self.shards.part_of(started, &scope) else { return self.look_on(now, started, rows, more) };
        for row in rows {
            if part.covers(row.shard) {
                if let Some((key, row)) = self.roster.meet(row, &mut self.streamers) {
                    self.take_row(now, key, &row, started);
                }
            } else if scope == Scope::All {
                self.shards.watch_other(now, row, started);
            }
        }
        if more {
            return;
        }
        if scope == Scope::All {
            self.shards.watched(started);
        }
        if self.roster.complete(part, &self.streamers, &mut self.book) {
            self.asking.reconsider();
            self.compare(now, self.settings.rows_a_turn);
        }
    }

    /// Works off up to this many rows of a complete read, if there is one.
    pub(in crate::monitor) fn compare(&mut self, now: Now, most: usize) {
        for _ in 0..most {
            match self.roster.step(now, &self.streamers, &mut self.book) {
                Some(Step::Gone(key)) => self.depart(now, key),
                Some(Step::New { row, name, before, read_at }) => {
                    before.into_iter().for_each(|key| self.depart(now, key));
                    let age = self.shards.age(&row, read_at);
                    let welcomed = self.roster.welcome(now, (row, name), age, &mut self.streamers, &mut self.book);
                    let Some(key) = welcomed else { continue };
                    self.asking.greet(key);
                    self.asking.ask_about(key, &self.streamers);
                    self.names.take_hints(now, key, &mut self.streamers, &mut self.book);
                    self.share_told(now, key);
                    self.judge_coverage(now, key);
                }
                Some(Step::Nothing) => {}
                None => return self.end_comparison(now),
            }
        }
    }

    fn end_comparison(&mut self, now: Now) {
        let Some(compared) = self.roster.end(now, &self.streamers, &mut self.book) else { return };
        if compared.first {
            self.asking.schedule_sweep(now, &mut self.book);
        }
        if compared.news {
            self.names.forget_strangers(&self.streamers, self.shards.share());
        }
        self.departed.retain(|_, streamer| streamer.told_lately(now.steady, self.settings.hold).is_some());
        self.shards.compared(&compared.part, compared.read_at);
        self.writes.allow(now, self.shards.permit(), &mut self.streamers, &mut self.book);
        self.check_compared(now);
    }

    /// Takes the row of a known streamer.
    fn take_row(&mut self, now: Now, key: Key, row: &Row, read_at: Steady) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        if streamer.ids.configured_channel != row.channel || streamer.ids.configured_user != row.user {
            streamer.ids.configured_channel = row.channel;
            streamer.ids.configured_user = row.user;
            self.book.revision += 1;
            self.names.take_hints(now, key, &mut self.streamers, &mut self.book);
            self.judge_coverage(now, key);
        }
        self.compare_shown(now, key, row, read_at);
    }

    /// R15: compares the status in the table with what is known.
    fn compare_shown(&mut self, now: Now, key: Key, row: &Row, at: Steady) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        if self.writes.is_held_back() {
            // R25: a change that waits since the hold was lost is compared with the table, whatever became of the
            // last write.
            streamer.table.unsure = false;
        } else if self.writes.is_busy(&streamer.row) {
            return;
        }
        let shown = row.shown;
        if at > streamer.table.known_at {
            streamer.table.start = row.started_at;
        }
        let (hold, broke, api) = (self.settings.hold, self.writes.broke(), !self.book.api_is_away());
        let alone = self.shards.is_alone(streamer.shard, at);
        let read = RowRead { shown, at, alone, delay: self.settings.offline_delay };
        let edit = streamer.compare(now.steady, read, hold, broke, api);
        self.book.revision += u64::from(edit != Edit::Nothing);
        match edit {
            Edit::Nothing if self.writes.lacks_start(streamer) => return self.write(now, key),
            Edit::Nothing => return,
            Edit::Ours | Edit::Agrees => return self.write(now, key),
            Edit::Open => self.book.at(now.steady, Timer::Ask(key)),
            Edit::Theirs => {
                self.streamers.believe_table(now, key, shown, &mut self.book);
                let others = self.streamers.get_mut(&key).filter(|_| !alone);
                if let (Some(streamer), Shown::Known(_)) = (others, shown) {
                    streamer.table_is_fresh(now.steady);
                    self.book.changed_lately(now, vec![streamer.row.clone()], API_LAG);
                }
            }
        }
        self.writes.settle(key, &mut self.book);
    }

    /// A row is gone, or names somebody else. R16: what push told within the hold is kept for the next row of that
    /// streamer.
    fn depart(&mut self, now: Now, key: Key) {
        let Some(streamer) = self.forget(key) else { return };
        if let Some(user) = streamer.ids.user.filter(|_| streamer.told_lately(now.steady, self.settings.hold).is_some())
        {
            self.departed.insert(user, streamer);
        }
    }

    /// R14: a row that is gone is forgotten, with everything that was queued for it.
    pub(super) fn forget(&mut self, key: Key) -> Option<Box<Streamer>> {
        let streamer = self.streamers.remove(key)?;
        self.asking.forget(key, streamer.compared);
        self.writes.settle(key, &mut self.book);
        self.push.forget(key);
        self.webhooks.forget(key);
        self.push.follow(&mut self.streamers, &mut self.book);
        self.book.covered -= usize::from(streamer.covered);
        self.book.subscribed -= usize::from(streamer.subscribed);
        self.book.revision += 1;
        for code in OF_A_ROW {
            self.book.troubles.settle(code, streamer.row.as_str());
        }
        Some(streamer)
    }

    /// Reports a sweep that is complete and, once, that every streamer of the roster has been compared.
    pub(super) fn check_compared(&mut self, now: Now) {
        self.asking.check_swept(now, &self.streamers, &mut self.book);
        if self.shards.is_read() {
            self.asking.check_ready(now, &self.streamers, &mut self.book);
        }
    }
}
