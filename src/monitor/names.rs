//! What Kick calls the streamers (R12). Ids from the table are hints; what Kick states counts, and is kept across
//! restarts.

use super::Output;
use super::book::{Book, Timer};
use super::broadcasts::Broadcasts;
use super::streamer::{Ids, Kind, Streamer};
use super::streamers::{Key, Streamers};
use super::times::{OLD_NAME_PAUSE, STRANGERS_MAX, UNKNOWN_NAME_RETRY};
use crate::backoff::doubled;
use crate::domain::ask::{ChannelSource, Learned, Seen, SeenChannel};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::text::brief;
use crate::domain::{ChannelId, Now, Slug, UserId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The names and ids that Kick stated.
#[derive(Debug, Default)]
pub(super) struct Names {
    learned: BTreeMap<Slug, Learned>,
    /// The channel id that Kick stated for each user, however a row spells the name (R16).
    stated: BTreeMap<UserId, (ChannelId, ChannelSource)>,
}

impl Names {
    /// Takes what an earlier process learned.
    pub(super) fn remember(&mut self, learned: Vec<Learned>) {
        let kept = learned.iter().filter_map(|known| Some((known.user?, (known.channel?, ChannelSource::Kept))));
        self.stated.extend(kept);
        // Collected at once, because a map that grows in order leaves its nodes half empty.
        let known = std::mem::take(&mut self.learned).into_values().chain(learned);
        self.learned = known.map(|known| (known.name.clone(), known)).collect();
    }

    /// Forgets names that are in no row once there are many of them: rows come and go for years. `share`: the table has
    /// about this many times the rows that are followed here.
    pub(super) fn forget_strangers(&mut self, streamers: &Streamers, share: usize) {
        if self.learned.len().max(self.stated.len()) <= streamers.len() * share + STRANGERS_MAX {
            return;
        }
        let names: BTreeSet<&Slug> = streamers.values().map(|streamer| &streamer.name).collect();
        self.learned.retain(|name, _| names.contains(name));
        let users: BTreeSet<_> = streamers.values().filter_map(|streamer| streamer.ids.user).collect();
        self.stated.retain(|user, _| users.contains(user));
    }

    /// Returns true if the channel id of this name is known.
    pub(super) fn knows(&self, name: &Slug) -> bool {
        self.learned.get(name).is_some_and(|known| known.channel.is_some())
    }

    /// Takes the website's answer about a name that another instance follows, and that this one may have to follow
    /// later (R25).
    pub(super) fn take_stranger(&mut self, name: &Slug, seen: &[Seen], book: &mut Book) {
        for seen in seen {
            let own = seen.slug.as_ref().filter(|slug| slug.is_spelling_of(name));
            if let (Some(slug), Some(user), Some(SeenChannel::Stated(channel))) = (own, seen.user, seen.channel) {
                self.stated.insert(user, (channel, ChannelSource::Website));
                let (slug, user, channel) = (slug.clone(), Some(user), Some(channel));
                let learned = Learned { name: name.clone(), slug, user, channel };
                self.learned.insert(name.clone(), learned.clone());
                book.out.push(Output::Learn(learned));
            }
        }
    }

    /// Takes the ids that the table and an earlier process give for a streamer. What Kick stated to the earlier process
    /// outweighs the table.
    pub(super) fn take_hints(&mut self, now: Now, key: Key, streamers: &mut Streamers, book: &mut Book) {
        let Some(streamer) = streamers.get_mut(&key) else { return };
        if let Some(learned) = self.learned.get(&streamer.name).filter(|_| streamer.ids.user.is_none()) {
            streamer.ids.slug = learned.user.map(|_| learned.slug.clone());
            streamers.set_user(key, learned.user);
            let kept = learned.channel.map(|channel| (channel, ChannelSource::Kept));
            let stated = || self.stated.get(&learned.user?).copied();
            if let Some((channel, source)) = kept.or_else(stated) {
                switch_channel(now, key, channel, source, streamers, book);
            }
        }
        let Some(ids) = streamers.get(&key).map(|streamer| &streamer.ids) else { return };
        match (ids.are_confirmed(), ids.configured_channel) {
            (true, _) => check_configured(now, key, streamers, book),
            (false, Some(configured)) => switch_channel(now, key, configured, ChannelSource::Table, streamers, book),
            (false, None) if ids.channel.is_none() => book.at(now.steady, Timer::LookUp(key)),
            (false, None) => {}
        }
    }

    /// Takes the ids of an entry about this streamer. Returns the streamers whose channel id Kick has now confirmed:
    /// push events through it were only questions until then.
    pub(super) fn take_identity(
        &mut self,
        now: Now,
        key: Key,
        seen: &Seen,
        kind: Kind,
        streamers: &mut Streamers,
        book: &mut Book,
    ) -> Vec<Key> {
        let known = streamers.get(&key).and_then(|streamer| streamer.ids.user);
        let by_name = kind.is_by_name();
        if by_name && known.is_some() && seen.user.is_some() && known != seen.user {
            // The name in the table wins: it belongs to another user than the id that was known.
            self.become_another(now, key, streamers, book);
        }
        let Some(streamer) = streamers.get_mut(&key) else { return Vec::new() };
        let own = seen.slug.as_ref().filter(|slug| !streamer.spells_otherwise(slug));
        if let Some(slug) = own.filter(|slug| by_name || streamer.ids.slug.as_ref() != Some(*slug)) {
            streamer.ids.slug = Some(slug.clone());
            streamer.ids.doubtful = None;
            // The name leads to the id, so the streamer was not renamed, or not for good.
            book.troubles.settle(Code::StreamerRenamed, streamer.row.as_str());
        }
        let ids = &mut streamer.ids;
        let another = seen.slug.as_ref().filter(|_| own.is_none());
        let is_news = |slug: &&Slug| !by_name && kind != Kind::Hint && ids.slug.as_ref() != Some(*slug);
        if let Some(slug) = another.filter(is_news) {
            ids.doubtful = Some(slug.clone());
            book.at(now.steady, Timer::Ask(key));
        }
        ids.misses = 0;
        if std::mem::take(&mut ids.unknown) {
            streamer.vanished = None;
            book.troubles.settle(Code::StreamerUnknown, streamer.row.as_str());
        }
        let user = seen.user.or(ids.user);
        streamers.set_user(key, user);
        if let Some(slug) = another.filter(|_| kind == Kind::Hint) {
            self.follow_rename(now, key, slug.clone(), streamers, book);
        }
        let stated = seen.channel.map(|channel| (channel, kind.channel_source()));
        let confirmed = self.take_channel(now, key, stated, streamers, book);
        self.learn(key, streamers, book);
        confirmed
    }

    fn take_channel(
        &mut self,
        now: Now,
        key: Key,
        seen: Option<(SeenChannel, ChannelSource)>,
        streamers: &mut Streamers,
        book: &mut Book,
    ) -> Vec<Key> {
        let Some(ids) = streamers.get(&key).map(|streamer| &streamer.ids) else { return Vec::new() };
        match (seen, self.stated_before(ids)) {
            (Some((SeenChannel::Stated(channel), source)), _) => {
                self.stated.extend(ids.user.map(|user| (user, (channel, source))));
                confirm_channel(now, key, channel, source, streamers, book);
                // R16: what Kick states about a streamer holds for all rows that name them. Otherwise push would be
                // believed for one row and doubted for another.
                let others = streamers.namesakes(key);
                others.iter().for_each(|other| confirm_channel(now, *other, channel, source, streamers, book));
                [vec![key], others].concat()
            }
            (_, Some((stated, source))) if !ids.are_confirmed() => {
                confirm_channel(now, key, stated, source, streamers, book);
                vec![key]
            }
            (Some((SeenChannel::Banner(channel), _)), _) if ids.channel.is_none() => {
                switch_channel(now, key, channel, ChannelSource::Banner, streamers, book);
                Vec::new()
            }
            (Some((SeenChannel::Banner(_), _)) | None, _) => Vec::new(),
        }
    }

    /// The channel id that Kick stated for this user, for whichever row.
    fn stated_before(&self, ids: &Ids) -> Option<(ChannelId, ChannelSource)> {
        self.stated.get(&ids.user?).copied()
    }

    /// Kick does not know the name that was asked about or, for `Kind::Hint`, the user id of the table. Returns true if
    /// no other identifier is left to try.
    pub(super) fn is_unknown(
        &mut self,
        now: Now,
        key: Key,
        kind: Kind,
        streamers: &mut Streamers,
        book: &mut Book,
    ) -> bool {
        let Some(streamer) = streamers.get_mut(&key) else { return false };
        let ids = &mut streamer.ids;
        if let Some(slug) = ids.doubtful.take() {
            self.follow_rename(now, key, slug, streamers, book);
            book.at(now.steady, Timer::Ask(key));
            return false;
        }
        if ids.user.is_some() {
            // Another answer brought the user id meanwhile, or Kick left the name out: the user id is good.
            book.at(now.steady, Timer::Ask(key));
            return false;
        }
        let other_spelling = kind != Kind::Hint && !ids.dashed && streamer.name.dashed().is_some();
        ids.dashed = other_spelling;
        ids.unknown |= !other_spelling;
        let hinted = kind != Kind::Hint && ids.configured_user.is_some();
        if other_spelling || hinted {
            book.at(now.steady, Timer::Ask(key));
            return false;
        }
        let pause = doubled(UNKNOWN_NAME_RETRY, ids.misses);
        ids.misses = ids.misses.saturating_add(1);
        let (username, id) = (streamer.username.clone(), streamer.row.clone());
        ask_name_after(now, key, pause, streamers, book);
        if book.troubles.raise_once(now, Code::StreamerUnknown, id.as_str(), &*username, &username) {
            book.log(Event::StreamerUnknown { username, id });
        }
        true
    }

    /// The streamer has another name at Kick now: follows them by id, and reports it.
    fn follow_rename(&mut self, now: Now, key: Key, slug: Slug, streamers: &mut Streamers, book: &mut Book) {
        let Some(streamer) = streamers.get_mut(&key) else { return };
        streamer.ids.slug = Some(slug.clone());
        let (username, id) = (streamer.username.clone(), streamer.row.clone());
        let words = format!("{} is {slug}", brief(&username));
        if book.troubles.raise_once(now, Code::StreamerRenamed, id.as_str(), words, slug.as_str()) {
            book.log(Event::StreamerRenamed { username, id, actual: slug.to_string() });
        }
        ask_name_after(now, key, OLD_NAME_PAUSE, streamers, book);
        self.learn(key, streamers, book);
    }

    /// The row's name belongs to another user than was thought: what is known is not about them.
    fn become_another(&mut self, now: Now, key: Key, streamers: &mut Streamers, book: &mut Book) {
        let Some((channel, shown)) = streamers.get(&key).map(|it| (it.ids.channel, it.table.shown)) else { return };
        streamers.set_user(key, None);
        let Some(streamer) = streamers.get_mut(&key) else { return };
        streamer.become_another();
        self.learned.remove(&streamer.name);
        streamers.believe_table(now, key, shown, book);
        if let Some(channel) = channel {
            streamers.leave_channel(key, channel);
        }
        self.take_hints(now, key, streamers, book);
    }

    /// Has what Kick stated kept across restarts.
    fn learn(&mut self, key: Key, streamers: &Streamers, book: &mut Book) {
        let Some(streamer) = streamers.get(&key) else { return };
        let ids = &streamer.ids;
        let Some((user, slug)) = ids.user.zip(ids.slug.clone()) else { return };
        // Kick may have stated the channel id for another row of the same streamer.
        let channel =
            ids.channel.filter(|_| ids.are_confirmed()).or(self.stated_before(ids).map(|(channel, _)| channel));
        let learned = Learned { name: streamer.name.clone(), slug, user: Some(user), channel };
        if self.learned.get(&streamer.name) != Some(&learned) {
            self.learned.insert(streamer.name.clone(), learned.clone());
            book.out.push(Output::Learn(learned));
        }
    }
}

/// Follows another channel than before, or the same one by an id from another source.
fn switch_channel(
    now: Now,
    key: Key,
    channel: ChannelId,
    source: ChannelSource,
    streamers: &mut Streamers,
    book: &mut Book,
) {
    let Some(streamer) = streamers.get_mut(&key) else { return };
    let before = streamer.ids.channel.replace(channel);
    streamer.ids.channel_source = Some(source);
    if before != Some(channel) {
        streamer.ids.suspect = false;
        streamer.questioned = None;
        if let Some(before) = before {
            // Events through the previous channel were about somebody else; what a webhook told was not (R27).
            match streamer.heard.take_if(|heard| heard.sent.is_none()) {
                None if streamer.heard.is_some() => streamer.broadcast.forget_ids(),
                heard => {
                    streamer.broadcast = Broadcasts::default();
                    heard.into_iter().for_each(|_| book.at(now.steady, Timer::Ask(key)));
                }
            }
            streamers.leave_channel(key, before);
        }
        share_broadcasts(key, channel, streamers);
        streamers.join_channel(key, channel);
    }
    suspect_shared(now, channel, streamers, book);
}

/// Takes a channel id that Kick stated.
fn confirm_channel(
    now: Now,
    key: Key,
    channel: ChannelId,
    source: ChannelSource,
    streamers: &mut Streamers,
    book: &mut Book,
) {
    let Some(streamer) = streamers.get_mut(&key) else { return };
    streamer.ids.suspect = false;
    if streamer.ids.channel == Some(channel) {
        if !streamer.ids.are_confirmed() {
            streamer.ids.channel_source = Some(source);
        }
        streamer.heard.iter_mut().for_each(|heard| heard.held = true);
    } else {
        switch_channel(now, key, channel, source, streamers, book);
    }
    check_configured(now, key, streamers, book);
}

/// R12: two usernames cannot have one channel, so the ids that Kick has not confirmed are suspect.
fn suspect_shared(now: Now, channel: ChannelId, streamers: &mut Streamers, book: &mut Book) {
    let Some(first) = streamers.of_channel_first(channel).map(|streamer| streamer.name.clone()) else { return };
    let keys: Vec<Key> = streamers.of_channel(channel).collect();
    if keys.iter().filter_map(|key| streamers.get(key)).all(|streamer| streamer.name == first) {
        return;
    }
    for key in keys {
        if streamers.get(&key).is_some_and(|streamer| !streamer.ids.are_confirmed()) {
            suspect(now, key, streamers, book);
        }
    }
}

/// Marks a streamer's channel id as suspect, and has it looked up again.
pub(super) fn suspect(now: Now, key: Key, streamers: &mut Streamers, book: &mut Book) {
    let ids = streamers.get_mut(&key).map(|streamer| &mut streamer.ids);
    if ids.is_some_and(|ids| !std::mem::replace(&mut ids.suspect, true)) {
        book.at(now.steady, Timer::FindChannel(key));
    }
}

/// R16: rows that already follow a channel know which of its broadcasts have ended. A row that joins them takes that
/// over; otherwise the late stop of an old broadcast would end the running one (R2).
fn share_broadcasts(key: Key, channel: ChannelId, streamers: &mut Streamers) {
    let Some(ids) = streamers.get(&key).map(|streamer| (streamer.ids.user, streamer.name.clone())) else { return };
    // A wrong hint may name the channel of somebody else.
    let is_theirs = |other: &&Streamer| other.ids.user.zip(ids.0).map_or(other.name == ids.1, |(a, b)| a == b);
    let others = streamers.of_channel(channel).filter_map(|other| streamers.get(&other));
    let told = others.filter(is_theirs).map(|other| other.broadcast.clone()).next();
    if let (Some(told), Some(streamer)) = (told, streamers.get_mut(&key)) {
        streamer.broadcast = told;
    }
}

/// Reports a channel id in the table that differs from Kick's.
fn check_configured(now: Now, key: Key, streamers: &Streamers, book: &mut Book) {
    let Some(streamer) = streamers.get(&key) else { return };
    let Some((configured, actual)) = streamer.ids.configured_channel.zip(streamer.ids.channel) else { return };
    let (row, username) = (&streamer.row, streamer.username.clone());
    if configured == actual {
        book.troubles.settle(Code::ChannelIdMismatch, row.as_str());
        return;
    }
    let words = format!("{}: {configured} should be {actual}", brief(&username));
    let how = format!("{configured} {actual}");
    if book.troubles.raise_once(now, Code::ChannelIdMismatch, row.as_str(), words, &how) {
        book.log(Event::ChannelIdMismatch { username, configured, actual });
    }
}

/// Plans to ask about the name in the table after a pause, unless that is planned already.
fn ask_name_after(now: Now, key: Key, pause: Duration, streamers: &mut Streamers, book: &mut Book) {
    let due = streamers.get_mut(&key).and_then(|streamer| streamer.ids.plan_name(now.steady, pause));
    due.into_iter().for_each(|due| book.at(due, Timer::UnknownName(key)));
}
