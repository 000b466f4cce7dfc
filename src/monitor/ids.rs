//! What Kick calls a streamer: R12. Ids that the table gives are hints; what Kick states counts, and
//! what Kick stated once is kept over restarts.

use super::asking::{Kind, Queue};
use super::broadcasts::Broadcasts;
use super::streamer::Ids;
use super::times::{NAMES_PAUSE, OLD_NAME_PAUSE, STRANGERS_MAX, UNKNOWN_NAME_RETRY};
use super::{Key, Monitor, Output, Timer};
use crate::domain::ask::{Learned, Seen, SeenChannel};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::row::Shown;
use crate::domain::text::brief;
use crate::domain::{ChannelId, Now, Slug};
use std::collections::BTreeSet;
use std::time::Duration;

impl Ids {
    /// Kick stated the channel id, and nothing speaks against it.
    pub(super) fn are_certain(&self) -> bool {
        self.confirmed && !self.suspect
    }
}

impl Monitor {
    /// Takes what an earlier process learned.
    pub(super) fn remember(&mut self, learned: Vec<Learned>) {
        self.stated.extend(learned.iter().filter_map(|known| known.user.zip(known.channel)));
        // All at once, for a map that grows in order leaves its nodes half empty.
        let known = std::mem::take(&mut self.learned).into_values().chain(learned);
        self.learned = known.map(|known| (known.name.clone(), known)).collect();
    }

    /// Forgets the names that are in no row, when they have become many: rows come and go for years.
    pub(super) fn forget_strangers(&mut self) {
        if self.learned.len().max(self.stated.len()) <= self.streamers.len() + STRANGERS_MAX {
            return;
        }
        let names: BTreeSet<&Slug> = self.streamers.values().map(|streamer| &streamer.name).collect();
        self.learned.retain(|name, _| names.contains(name));
        let users: BTreeSet<_> = self.streamers.values().filter_map(|streamer| streamer.ids.user).collect();
        self.stated.retain(|user, _| users.contains(user));
    }

    /// Takes what the table and an earlier process know of a streamer's ids. What Kick stated to the
    /// earlier process outweighs the table.
    pub(super) fn take_hints(&mut self, now: Now, key: Key) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        let learned = self.learned.get(&streamer.name).cloned();
        let ids = &mut streamer.ids;
        if let Some(learned) = learned.filter(|_| ids.user.is_none()) {
            ids.user = learned.user;
            ids.slug = learned.user.is_some().then_some(learned.slug);
            let stated = || self.stated.get(&learned.user?).copied();
            if let Some(channel) = learned.channel.or_else(stated) {
                self.switch_channel(key, channel, true);
            }
        }
        let Some(ids) = self.streamers.get(&key).map(|streamer| &streamer.ids) else { return };
        match (ids.confirmed, ids.configured_channel) {
            (true, _) => self.check_configured(now, key),
            (false, Some(configured)) => self.switch_channel(key, configured, false),
            (false, None) if ids.channel.is_none() => self.look_up(key),
            (false, None) => {}
        }
    }

    /// Follows another channel than before, or the same with other certainty.
    fn switch_channel(&mut self, key: Key, channel: ChannelId, confirmed: bool) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        let before = streamer.ids.channel.replace(channel);
        streamer.ids.confirmed = confirmed;
        if before != Some(channel) {
            streamer.ids.suspect = false;
            streamer.questioned = None;
            if let Some(before) = before {
                // What came through the other id was about somebody else.
                streamer.broadcast = Broadcasts::default();
                if streamer.heard.take().is_some() {
                    self.ask_about(key);
                }
                self.unfollow(key, before);
            }
            self.share_broadcasts(key, channel);
            self.follow(key, channel);
        }
        self.suspect_shared(channel);
    }

    /// R16: which broadcasts of a channel have ended is known for the rows that follow it already. A row
    /// that comes later would take the late stop of an old one for the end of the one that runs (R2).
    fn share_broadcasts(&mut self, key: Key, channel: ChannelId) {
        let told = self.streamers.of_channel_first(channel);
        let Some(broadcast) = told.map(|other| other.broadcast.clone()) else { return };
        if let Some(streamer) = self.streamers.get_mut(&key) {
            streamer.broadcast = broadcast;
        }
    }

    /// R12: two usernames cannot have one channel, so those whom Kick has not confirmed are suspect.
    fn suspect_shared(&mut self, channel: ChannelId) {
        let keys = self.streamers.of_channel(channel).to_vec();
        let name_of = |key: &Key| self.streamers.get(key).map(|streamer| streamer.name.clone());
        let Some(first) = keys.first().and_then(name_of) else { return };
        if keys.iter().all(|key| name_of(key).as_ref() == Some(&first)) {
            return;
        }
        for key in keys {
            if self.streamers.get(&key).is_some_and(|streamer| !streamer.ids.confirmed) {
                self.suspect(key);
            }
        }
    }

    /// Something speaks against a streamer's channel id: it is looked up again.
    pub(super) fn suspect(&mut self, key: Key) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        if !streamer.ids.suspect {
            streamer.ids.suspect = true;
            self.look_up(key);
            self.asking.reveal_channel(key, &self.streamers);
        }
    }

    /// Asks the website for the channel id.
    pub(super) fn look_up(&mut self, key: Key) {
        let needed = self.streamers.get(&key).is_some_and(|s| s.ids.channel.is_none() || s.ids.suspect);
        if needed {
            self.asking.put(Queue::Website, key);
        }
    }

    fn check_configured(&mut self, now: Now, key: Key) {
        let Some(streamer) = self.streamers.get(&key) else { return };
        let (Some(configured), Some(actual)) = (streamer.ids.configured_channel, streamer.ids.channel) else { return };
        let (row, username) = (streamer.row.clone(), streamer.username.clone());
        if configured == actual {
            self.book.troubles.settle(Code::ChannelIdMismatch, row.as_str());
            return;
        }
        let words = format!("{}: {configured} should be {actual}", brief(&username));
        let how = format!("{configured} {actual}");
        if self.book.troubles.raise_once(now, Code::ChannelIdMismatch, row.as_str(), words, &how) {
            self.log(Event::ChannelIdMismatch { username, configured, actual });
        }
    }

    /// Takes the ids of an entry that answers for this streamer. False when it is somebody else's, and
    /// says nothing of this streamer's status.
    pub(super) fn take_identity(&mut self, now: Now, key: Key, seen: &Seen, kind: Kind) -> bool {
        let Some(streamer) = self.streamers.get_mut(&key) else { return false };
        let by_name = matches!(kind, Kind::Name | Kind::Website);
        let known = streamer.ids.user;
        if by_name && known.is_some() && seen.user.is_some() && known != seen.user {
            // The name in the table wins: it belongs to somebody else than the id we had.
            self.become_another(now, key);
        }
        let Some(streamer) = self.streamers.get_mut(&key) else { return false };
        let own = seen.slug.as_ref().filter(|slug| !streamer.spells_otherwise(slug));
        if let Some(slug) = own.filter(|slug| by_name || streamer.ids.slug.as_ref() != Some(*slug)) {
            streamer.ids.slug = Some(slug.clone());
            streamer.ids.doubtful = None;
            // The name leads to the id, so it has not changed, or not for good.
            self.book.troubles.settle(Code::StreamerRenamed, streamer.row.as_str());
        }
        let Some(ids) = self.streamers.get_mut(&key).map(|streamer| &mut streamer.ids) else { return false };
        let another = match &seen.slug {
            _ if own.is_some() => None,
            Some(slug) if kind == Kind::Hint => Some(slug.clone()),
            Some(slug) if !by_name && ids.slug.as_ref() != Some(slug) => {
                ids.doubtful = Some(slug.clone());
                self.asking.put(Queue::Fresh, key);
                None
            }
            _ => None,
        };
        let Some(ids) = self.streamers.get_mut(&key).map(|streamer| &mut streamer.ids) else { return false };
        ids.user = seen.user.or(ids.user);
        let was_unknown = std::mem::replace(&mut ids.unknown, false);
        ids.misses = 0;
        if was_unknown {
            self.known_again(key);
        }
        if let Some(slug) = another {
            self.follow_rename(now, key, slug);
        }
        let Some(ids) = self.streamers.get(&key).map(|streamer| &streamer.ids) else { return false };
        let (channelless, confirmed) = (ids.channel.is_none(), ids.confirmed);
        match (seen.channel, self.stated_before(key)) {
            (Some(SeenChannel::Stated(channel)), _) => self.confirm_for_all(now, key, channel),
            (_, Some(stated)) if !confirmed => self.confirm_channel(now, key, stated),
            (Some(SeenChannel::Banner(channel)), _) if channelless => self.switch_channel(key, channel, false),
            (Some(SeenChannel::Banner(_)) | None, _) => {}
        }
        self.learn(key);
        true
    }

    /// The channel id that Kick stated for this user, to whichever row.
    fn stated_before(&self, key: Key) -> Option<ChannelId> {
        self.stated.get(&self.streamers.get(&key)?.ids.user?).copied()
    }

    fn known_again(&mut self, key: Key) {
        if let Some(streamer) = self.streamers.get_mut(&key) {
            streamer.vanished = None;
            self.book.troubles.settle(Code::StreamerUnknown, streamer.row.as_str());
        }
    }

    /// R16: what Kick states of a streamer holds for every row that names them, or push would be
    /// believed by one and doubted by the other.
    fn confirm_for_all(&mut self, now: Now, key: Key, channel: ChannelId) {
        self.confirm_channel(now, key, channel);
        let Some(user) = self.streamers.get(&key).and_then(|streamer| streamer.ids.user) else { return };
        self.stated.insert(user, channel);
        for other in self.streamers.namesakes(key) {
            self.confirm_channel(now, other, channel);
        }
    }

    fn confirm_channel(&mut self, now: Now, key: Key, channel: ChannelId) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        let same = streamer.ids.channel == Some(channel);
        streamer.ids.suspect = false;
        if same {
            streamer.ids.confirmed = true;
            if let Some(heard) = &mut streamer.heard {
                heard.held = true;
            }
            self.replay_questioned(now, key);
        } else {
            self.switch_channel(key, channel, true);
        }
        self.check_configured(now, key);
    }

    /// Kick does not know the name that was asked by, nor (`Kind::Hint`) the table's user id. Whether there
    /// is nothing else to ask by.
    pub(super) fn name_unknown(&mut self, now: Now, key: Key, kind: Kind) -> bool {
        let Some(streamer) = self.streamers.get_mut(&key) else { return false };
        let ids = &mut streamer.ids;
        if let Some(slug) = ids.doubtful.take() {
            self.follow_rename(now, key, slug);
            self.ask_about(key);
            return false;
        }
        if ids.user.is_some() {
            // Somebody else answered meanwhile, or Kick left the name out: the user id is good.
            self.ask_about(key);
            return false;
        }
        let other_spelling = kind != Kind::Hint && !ids.dashed && streamer.name.dashed().is_some();
        ids.dashed = other_spelling;
        ids.unknown |= !other_spelling;
        let hinted = kind != Kind::Hint && ids.configured_user.is_some();
        if other_spelling || hinted {
            self.asking.put(Queue::Fresh, key);
            return false;
        }
        let pause = UNKNOWN_NAME_RETRY.0.saturating_mul(1 << ids.misses.min(10)).min(UNKNOWN_NAME_RETRY.1);
        ids.misses = ids.misses.saturating_add(1);
        let (username, id) = (streamer.username.clone(), streamer.row.clone());
        self.ask_name_after(now, key, pause);
        if self.book.troubles.raise_once(now, Code::StreamerUnknown, id.as_str(), &*username, &username) {
            self.log(Event::StreamerUnknown { username, id });
        }
        true
    }

    /// Plans the next question about a name that Kick does not know, when the last one failed.
    pub(super) fn ask_unknown_name_again(&mut self, now: Now, key: Key) {
        if self.streamers.get(&key).is_some_and(|streamer| streamer.ids.unknown) {
            self.ask_name_after(now, key, UNKNOWN_NAME_RETRY.0);
        }
    }

    /// Asks about the name that the table gives after a pause, unless that is planned already.
    fn ask_name_after(&mut self, now: Now, key: Key, pause: Duration) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        if streamer.ids.name_due.is_none_or(|due| due <= now.steady) {
            let due = now.steady + pause;
            streamer.ids.name_due = Some(due);
            self.at(due, Timer::UnknownName(key));
        }
    }

    /// Asks whose the names are of all who are followed by an id.
    pub(super) fn check_names(&mut self, now: Now) {
        self.at(now.steady + NAMES_PAUSE, Timer::Names);
        let followed = self.streamers.iter_mut().filter(|(_, streamer)| streamer.ids.user.is_some());
        for (key, streamer) in followed {
            streamer.ids.doubtful = streamer.ids.slug.clone().filter(|slug| streamer.spells_otherwise(slug));
            self.asking.put(Queue::Names, key);
        }
    }

    pub(super) fn ask_unknown_name(&mut self, key: Key) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        if streamer.ids.user.is_some() {
            let Some(slug) = streamer.ids.slug.clone().filter(|slug| streamer.spells_otherwise(slug)) else { return };
            streamer.ids.doubtful = Some(slug);
        }
        self.asking.put(Queue::Names, key);
    }

    /// The streamer goes by another name at Kick now: the id is followed, and the user told.
    fn follow_rename(&mut self, now: Now, key: Key, slug: Slug) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        streamer.ids.slug = Some(slug.clone());
        let (username, id) = (streamer.username.clone(), streamer.row.clone());
        let words = format!("{} is {slug}", brief(&username));
        if self.book.troubles.raise_once(now, Code::StreamerRenamed, id.as_str(), words, slug.as_str()) {
            self.log(Event::StreamerRenamed { username, id, actual: slug.to_string() });
        }
        self.ask_name_after(now, key, OLD_NAME_PAUSE);
        self.learn(key);
    }

    /// The row's name belongs to another user than we thought: nothing that we know is about them.
    fn become_another(&mut self, now: Now, key: Key) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        streamer.epoch += 1;
        let ids = std::mem::take(&mut streamer.ids);
        streamer.ids.configured_channel = ids.configured_channel;
        streamer.ids.configured_user = ids.configured_user;
        streamer.heard = None;
        streamer.questioned = None;
        streamer.broadcast = Broadcasts::default();
        streamer.found_offline = None;
        streamer.vanished = None;
        streamer.found = None;
        let shown: Shown = streamer.table.shown;
        let name = streamer.name.clone();
        self.believe_table(now, key, shown);
        self.learned.remove(&name);
        if let Some(channel) = ids.channel {
            self.unfollow(key, channel);
        }
        self.take_hints(now, key);
    }

    /// Keeps what Kick stated over restarts.
    fn learn(&mut self, key: Key) {
        let Some(Ids { slug: Some(slug), user: Some(user), channel, confirmed, .. }) =
            self.streamers.get(&key).map(|streamer| &streamer.ids)
        else {
            return;
        };
        let Some(name) = self.streamers.get(&key).map(|streamer| streamer.name.clone()) else { return };
        // Another row may name the same streamer, and Kick have stated the channel for that one.
        let stated = self.stated_before(key);
        let learned = Learned {
            name: name.clone(),
            slug: slug.clone(),
            user: Some(*user),
            channel: channel.filter(|_| *confirmed).or(stated),
        };
        if self.learned.get(&name) != Some(&learned) {
            self.learned.insert(name, learned.clone());
            self.book.out.push(Output::Learn(learned));
        }
    }
}
