//! What a row is to get, and when: a status, an Offline only after it has stood for a while, and the start of a
//! broadcast that another one has taken the place of (R26).

use super::Writes;
use crate::domain::row::Shown;
use crate::domain::time::Timestamp;
use crate::domain::{Now, Status, Steady};
use crate::monitor::Starts;
use crate::monitor::book::{Book, Timer};
use crate::monitor::broadcasts::later_by;
use crate::monitor::io::Settings;
use crate::monitor::streamer::Streamer;
use crate::monitor::streamers::{Key, Streamers};
use crate::monitor::times::{SAME_BROADCAST, SECOND_LOOK};
use std::time::Duration;

/// What a row is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// This status, and with Online the start of the broadcast.
    Status(Status),
    /// The start of the broadcast alone, for the row shows Online.
    Start,
}

impl Writes {
    /// Takes new settings. Each Offline that no writer has yet is judged by the new delay.
    pub(in crate::monitor) fn set(
        &mut self,
        now: Now,
        settings: &Settings,
        streamers: &mut Streamers,
        book: &mut Book,
    ) {
        self.offline_delay = settings.offline_delay;
        self.starts = settings.starts;
        book.revision += u64::from(!self.delayed.is_empty());
        let open: Vec<Key> = self.delayed.keys().chain(&self.waiting).copied().collect();
        for key in open {
            self.write(now, key, streamers, book);
        }
    }

    pub(super) fn wanted(&self, streamer: &Streamer) -> Option<Wanted> {
        let start = || self.lacks_start(streamer) && streamer.broadcast.proven_start().is_some();
        streamer.wanted().map(Wanted::Status).or_else(|| start().then_some(Wanted::Start))
    }

    /// Something is to be written, and it is no Offline that must stand for longer first.
    pub(super) fn is_due(&self, now: Now, streamer: &Streamer) -> bool {
        let stands_until = streamer.stands_until(self.offline_delay);
        self.wanted(streamer).is_some() && stands_until.is_none_or(|until| until <= now.steady)
    }

    /// The row shows Online, and a broadcast runs that began later than the one whose start was written or told last.
    pub(in crate::monitor) fn lacks_start(&self, streamer: &Streamer) -> bool {
        let Some(start) = streamer.running().filter(|_| self.starts != Starts::Ignored) else { return false };
        let later = |than: Option<Timestamp>| than.map(|than| later_by(start, than) > SAME_BROADCAST);
        let (told, kept) = (later(streamer.table.told_start), later(streamer.table.start));
        match self.starts {
            // No start in the column, or none that was written yet, is as good as an earlier one.
            Starts::Kept => told != Some(false) && kept != Some(false),
            Starts::Told | Starts::Ignored => told == Some(true),
        }
    }

    /// Nothing is to be written as things stand: what is left to be found out or noted of the broadcast that runs.
    pub(super) fn note_start(&self, now: Now, key: Key, streamer: &mut Streamer, book: &mut Book) {
        if self.starts == Starts::Told && streamer.table.told_start.is_none() {
            // The one that ran when the row was first seen is no news to those who listen.
            streamer.table.told_start = streamer.running();
        }
        if self.lacks_start(streamer) && streamer.broadcast.wants_proof() {
            book.at(now.steady + SECOND_LOOK, Timer::Ask(key));
        }
    }

    /// Whether what the row is to get is an Offline that must stand for longer first. Then it is looked at again when it
    /// has.
    pub(super) fn must_stand(&mut self, now: Now, key: Key, streamer: &mut Streamer, book: &mut Book) -> bool {
        let planned = self.no_delay(key, book);
        if let Some(until) = streamer.stands_until(self.offline_delay).filter(|until| *until > now.steady) {
            self.waiting.remove(&key);
            self.delayed.insert(key, until);
            book.at(until, Timer::Stood(key));
            return true;
        }
        if let (Some(planned), Some(Status::Offline)) = (planned, streamer.belief.status) {
            // What was waited for is not the latency of the write.
            streamer.belief.received = planned.min(now.steady);
        }
        false
    }

    /// Until when this streamer's Offline is not written.
    pub(in crate::monitor) fn delayed_until(&self, key: Key) -> Option<Steady> {
        self.delayed.get(&key).copied()
    }

    /// No Offline of this streamer's waits any more; until when one did.
    pub(super) fn no_delay(&mut self, key: Key, book: &mut Book) -> Option<Steady> {
        let planned = self.delayed.remove(&key)?;
        book.timers.remove(&(planned, Timer::Stood(key)));
        Some(planned)
    }
}

impl Streamer {
    /// R26: until when an Offline is not written over an Online. Not an Offline that was written before: somebody else
    /// has written over it, or a crash has undone it.
    fn stands_until(&self, delay: Duration) -> Option<Steady> {
        let since = self.belief.since.steady;
        let written = self.table.confirmed.is_some_and(|(status, at)| status == Status::Offline && at >= since);
        let from_online = self.table.shown == Shown::Known(Status::Online) || self.table.unsure;
        (self.belief.status == Some(Status::Offline) && from_online && !written).then(|| since + delay)
    }

    /// When the broadcast began that runs, if the row shows that one does.
    fn running(&self) -> Option<Timestamp> {
        let online = self.belief.verified && self.belief.status == Some(Status::Online);
        self.broadcast.start.filter(|_| online && self.table.shows(Status::Online))
    }
}
