//! Rows that cannot be written for a while: locked, refused, or suppressed (R20, R21). Each is tried again by itself,
//! and delays no other.

use super::Writes;
use crate::backoff::doubled;
use crate::domain::Now;
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::text::brief;
use crate::monitor::book::{Book, Timer};
use crate::monitor::streamers::{Key, Streamers};
use crate::monitor::times::{LOCKED_MAX, REFUSED_PAUSE, ROW_RETRY, SET_ASIDE_MAX, TIMED_OUT_RETRY};
use std::time::Duration;

impl Writes {
    /// R20: the row is locked, usually for a short time.
    pub(super) fn locked(&mut self, now: Now, key: Key, streamers: &mut Streamers, book: &mut Book) {
        let Some(streamer) = streamers.get_mut(&key) else { return };
        let table = &mut streamer.table;
        table.locked = table.locked.saturating_add(1);
        let (tries, before) = (table.locked, table.locked - 1);
        if tries >= LOCKED_MAX {
            say_refused(now, key, "another client has held the row's lock for minutes", streamers, book);
        }
        self.try_later(now, key, doubled(ROW_RETRY, before), streamers, book);
    }

    /// R21: the write was suppressed without an error.
    pub(super) fn set_aside(&mut self, now: Now, key: Key, streamers: &mut Streamers, book: &mut Book) {
        let Some(streamer) = streamers.get(&key) else { return };
        if streamer.table.set_aside + 1 < SET_ASIDE_MAX {
            return self.set_aside_again(now, key, streamers, book);
        }
        let reason = format!(
            "not written {SET_ASIDE_MAX} times in a row, without an error: a trigger or policy suppresses the update"
        );
        say_refused(now, key, &reason, streamers, book);
        self.try_later(now, key, REFUSED_PAUSE, streamers, book);
    }

    /// R20: tries the row again by itself, after a growing pause.
    pub(super) fn set_aside_again(&mut self, now: Now, key: Key, streamers: &mut Streamers, book: &mut Book) {
        let Some(streamer) = streamers.get_mut(&key) else { return };
        let before = streamer.table.set_aside;
        streamer.table.set_aside = before.saturating_add(1);
        self.try_later(now, key, doubled(ROW_RETRY, before), streamers, book);
    }

    /// R21: a row that the others had to wait for is tried rarely. The first time, the server or this machine may have
    /// been slow, so it is tried again soon.
    pub(super) fn timed_out(&mut self, now: Now, key: Key, streamers: &mut Streamers, book: &mut Book) {
        let Some(streamer) = streamers.get_mut(&key) else { return };
        let before = std::mem::replace(&mut streamer.table.timed_out, true);
        let pause = if before { REFUSED_PAUSE } else { TIMED_OUT_RETRY };
        streamer.table.set_aside = streamer.table.set_aside.saturating_add(1);
        self.try_later(now, key, pause, streamers, book);
    }

    pub(super) fn try_later(
        &mut self,
        now: Now,
        key: Key,
        pause: Duration,
        streamers: &mut Streamers,
        book: &mut Book,
    ) {
        let Some(streamer) = streamers.get_mut(&key) else { return };
        let due = now.steady + pause;
        streamer.table.not_before = due;
        self.waiting.insert(key);
        book.at(due, Timer::Rewrite(key));
    }
}

pub(super) fn say_refused(now: Now, key: Key, reason: &str, streamers: &Streamers, book: &mut Book) {
    let Some(streamer) = streamers.get(&key) else { return };
    let (username, id) = (streamer.username.clone(), streamer.row.clone());
    let words = format!("{} (id {}): {reason}", brief(&username), brief(id.as_str()));
    if book.troubles.raise(now, Code::WriteRefused, id.as_str(), words, reason) {
        book.log(Event::WriteRefused { username, id, reason: reason.to_owned() });
    }
}
