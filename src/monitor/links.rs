//! Which connection carries which push channel: R17 and R18.
//!
//! What a link is told is declared here; a link that begins anew is told everything again.

use super::times::{ASKED_AGAIN, SUBSCRIPTION_STANDS, SUBSCRIPTIONS_APART};
use super::{Key, Monitor, Output, Settings, Timer};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::push::{LinkEvent, LinkId, Transport};
use crate::domain::text::brief;
use crate::domain::{ChannelId, Now, Steady};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Files that a connection needs: its socket, and what wakes it.
const FILES_A_LINK: usize = 2;

/// The connections and what they carry.
#[derive(Debug)]
pub(super) struct Links {
    per_link: usize,
    /// Connections that may be open.
    most: usize,
    /// Channels for which no connection may be opened.
    homeless: BTreeSet<ChannelId>,
    links: BTreeMap<LinkId, Link>,
    homes: BTreeMap<ChannelId, Home>,
    /// How many of those are subscribed.
    subscribed: usize,
    /// Links that can carry more.
    roomy: BTreeSet<LinkId>,
    next: u32,
    /// What links are to be told at the end of this turn, and in which order: one order a link.
    follow: BTreeMap<LinkId, Vec<ChannelId>>,
    unfollow: BTreeMap<LinkId, Vec<ChannelId>>,
    opened: Vec<LinkId>,
    closed: Vec<LinkId>,
}

#[derive(Debug, Default)]
struct Link {
    channels: BTreeSet<ChannelId>,
    /// The thread runs and takes orders.
    started: bool,
    /// The transport of its connection, while it stands.
    connected: Option<Transport>,
    /// It was connected before.
    was_connected: bool,
}

/// Where a channel is carried.
#[derive(Debug)]
struct Home {
    link: LinkId,
    /// Since when its subscription is confirmed.
    subscribed: Option<Steady>,
    /// When its streamers were last asked about for R17, or will be.
    asked: Option<Steady>,
    /// It failed, and none has stood for long enough since.
    failed: bool,
}

impl Links {
    pub(super) fn new(settings: &Settings) -> Links {
        let mut links = Links {
            per_link: 0,
            most: 0,
            homeless: BTreeSet::new(),
            links: BTreeMap::new(),
            homes: BTreeMap::new(),
            subscribed: 0,
            roomy: BTreeSet::new(),
            next: 0,
            follow: BTreeMap::new(),
            unfollow: BTreeMap::new(),
            opened: Vec::new(),
            closed: Vec::new(),
        };
        links.set_room(settings);
        links
    }

    /// Sets how many streamers a connection carries, and how many connections may be open: the files that are
    /// kept for everything else stay free, or half of all files where those are very few. Connections that are
    /// open already stay.
    pub(super) fn set_room(&mut self, settings: &Settings) {
        let Settings { open_files, kept_files, streamers_per_link, .. } = *settings;
        self.per_link = streamers_per_link;
        self.most = ((open_files - kept_files.min(open_files / 2)) / FILES_A_LINK).max(1);
        self.carry_more();
    }

    /// Carries channels that had no place, as far as there is one now.
    fn carry_more(&mut self) {
        while !self.roomy.is_empty() || self.links.len() < self.most {
            let Some(channel) = self.homeless.pop_first() else { return };
            self.follow(channel);
        }
    }

    /// Whether this link is one of ours and was told to carry this channel.
    pub(super) fn carries(&self, link: LinkId, channel: ChannelId) -> bool {
        self.homes.get(&channel).is_some_and(|home| home.link == link)
    }

    pub(super) fn subscribed_since(&self, channel: ChannelId) -> Option<Steady> {
        self.homes.get(&channel).and_then(|home| home.subscribed)
    }

    pub(super) fn subscribed(&self) -> usize {
        self.subscribed
    }

    /// The connection that carries a channel, and since when its subscription is confirmed.
    pub(super) fn home(&self, channel: ChannelId) -> Option<(LinkId, Option<Steady>)> {
        self.homes.get(&channel).map(|home| (home.link, home.subscribed))
    }

    /// Connections that should stand.
    pub(super) fn count(&self) -> usize {
        self.links.len()
    }

    pub(super) fn connected(&self) -> usize {
        self.links.values().filter(|link| link.connected.is_some()).count()
    }

    /// The transport of a link that stands.
    pub(super) fn transport(&self, link: LinkId) -> Option<Transport> {
        self.links.get(&link).and_then(|link| link.connected)
    }

    /// The transport that carries a channel.
    pub(super) fn carrier(&self, channel: ChannelId) -> Option<Transport> {
        self.homes.get(&channel).and_then(|home| self.transport(home.link))
    }

    /// A link beside the others that follows what one of them follows.
    pub(super) fn open_trial(&mut self) -> Option<(LinkId, Vec<ChannelId>)> {
        let follows = self.links.values().next()?.channels.iter().copied().collect();
        Some((self.open(), follows))
    }

    pub(super) fn close_trial(&mut self, link: LinkId) {
        self.closed.push(link);
    }

    fn open(&mut self) -> LinkId {
        let id = LinkId(self.next);
        self.next += 1;
        self.opened.push(id);
        id
    }

    /// Carries a channel from now on, on the first link that has room, so that few are open.
    fn follow(&mut self, channel: ChannelId) {
        if self.homes.contains_key(&channel) {
            return;
        }
        let id = match self.roomy.first() {
            Some(id) => *id,
            None if self.links.len() < self.most => {
                let id = self.open();
                self.roomy.insert(id);
                id
            }
            None => {
                self.homeless.insert(channel);
                return;
            }
        };
        let link = self.links.entry(id).or_default();
        link.channels.insert(channel);
        if link.channels.len() >= self.per_link {
            self.roomy.remove(&id);
        }
        if link.started {
            self.follow.entry(id).or_default().push(channel);
        }
        self.homes.insert(channel, Home { link: id, subscribed: None, asked: None, failed: false });
    }

    fn unfollow(&mut self, channel: ChannelId) {
        self.homeless.remove(&channel);
        let Some(home) = self.homes.remove(&channel) else { return };
        self.subscribed -= usize::from(home.subscribed.is_some());
        let Some(link) = self.links.get_mut(&home.link) else { return };
        link.channels.remove(&channel);
        if link.channels.len() < self.per_link {
            self.roomy.insert(home.link);
        }
        if let Some(pending) = self.follow.get_mut(&home.link) {
            pending.retain(|other| *other != channel);
        }
        if link.channels.is_empty() {
            self.links.remove(&home.link);
            self.roomy.remove(&home.link);
            self.follow.remove(&home.link);
            self.unfollow.remove(&home.link);
            self.closed.push(home.link);
        } else if link.started {
            self.unfollow.entry(home.link).or_default().push(channel);
        }
        self.carry_more();
    }

    /// Says what links are to be told. Unfollowing comes first: a channel that left and came back in
    /// one turn is then followed.
    pub(super) fn flush(&mut self, out: &mut Vec<Output>) {
        let closed = std::mem::take(&mut self.closed);
        let opened = std::mem::take(&mut self.opened);
        out.extend(opened.iter().filter(|id| !closed.contains(id)).copied().map(Output::OpenLink));
        out.extend(std::mem::take(&mut self.unfollow).into_iter().map(|(id, gone)| Output::Unsubscribe(id, gone)));
        let follow = std::mem::take(&mut self.follow).into_iter().filter(|(_, new)| !new.is_empty());
        out.extend(follow.map(|(id, new)| Output::Subscribe(id, new)));
        out.extend(closed.into_iter().filter(|id| !opened.contains(id)).map(Output::CloseLink));
    }
}

impl Monitor {
    pub(super) fn take_link(&mut self, now: Now, id: LinkId, event: LinkEvent) {
        if self.take_trial_link(id, &event) {
            return;
        }
        let Some(link) = self.links.links.get_mut(&id) else { return };
        match event {
            LinkEvent::Started => {
                link.started = true;
                let all: Vec<ChannelId> = link.channels.iter().copied().collect();
                self.links.follow.insert(id, all);
                self.links.unfollow.remove(&id);
                self.lost_link(id);
            }
            LinkEvent::Connected(transport) => {
                link.connected = Some(transport);
                self.book.counters.realtime_reconnects += u64::from(link.was_connected);
                link.was_connected = true;
                self.book.transport = Some(transport.word());
                self.book.troubles.rest(Code::PushRefused, "");
                self.book.troubles.changed = true;
            }
            LinkEvent::Refused(why) => self.book.troubles.note(now, Code::PushRefused, "", why),
            LinkEvent::Disconnected => self.lost_link(id),
            LinkEvent::Subscribed(channel) => self.subscribed(now, id, channel),
            LinkEvent::SubscriptionFailed(channel) => self.subscription_failed(now, channel),
            LinkEvent::Unreadable => self.discard("push_unreadable", format!("on link {}", id.0)),
            LinkEvent::Unrecognised(event) => self.unrecognised.take(*event),
        }
    }

    /// R18: a lost connection changes no status; only what is confirmed is no longer.
    fn lost_link(&mut self, id: LinkId) {
        let Some(link) = self.links.links.get_mut(&id) else { return };
        link.connected = None;
        self.book.troubles.changed = true;
        for channel in &link.channels {
            if let Some(home) = self.links.homes.get_mut(channel) {
                self.links.subscribed -= usize::from(home.subscribed.take().is_some());
            }
        }
    }

    /// R17: whatever happened while we were not listening, the API knows, now or a little later.
    fn subscribed(&mut self, now: Now, id: LinkId, channel: ChannelId) {
        let Some(home) = self.links.homes.get_mut(&channel) else { return };
        if home.link != id {
            return;
        }
        self.links.subscribed += usize::from(home.subscribed.replace(now.steady).is_none());
        let planned = home.asked.filter(|asked| *asked > now.steady);
        let soonest = home.asked.map_or(now.steady, |asked| now.steady.max(asked + SUBSCRIPTIONS_APART));
        let due = *home.asked.insert(planned.unwrap_or(soonest));
        if home.failed {
            self.at(due + SUBSCRIPTION_STANDS, Timer::Stands(channel));
        } else {
            self.book.troubles.settle(Code::SubscriptionFailed, &channel.to_string());
        }
        if planned.is_some() {
            return;
        }
        for key in self.streamers.of_channel(channel).to_vec() {
            for after in [Duration::ZERO, ASKED_AGAIN, self.settings.hold] {
                self.at(due + after, Timer::Ask(key));
            }
        }
    }

    /// A failed subscription is over when one has stood for a while: a peer may refuse and acknowledge by turns.
    pub(super) fn stands(&mut self, now: Now, channel: ChannelId) {
        let Some(home) = self.links.homes.get_mut(&channel) else { return };
        if home.subscribed.is_some_and(|since| now.steady.since(since) >= SUBSCRIPTION_STANDS) {
            home.failed = false;
            self.book.troubles.settle(Code::SubscriptionFailed, &channel.to_string());
        }
    }

    fn subscription_failed(&mut self, now: Now, channel: ChannelId) {
        // One that stood for a while fails anew; one that did not is failing still, and that was said.
        self.stands(now, channel);
        let stood = self.links.homes.get_mut(&channel).and_then(|home| {
            home.failed = true;
            home.subscribed.take()
        });
        self.links.subscribed -= usize::from(stood.is_some());
        let keys = self.streamers.of_channel(channel).to_vec();
        self.book.counters.subscription_failures += 1;
        for key in keys {
            let Some(streamer) = self.streamers.get(&key) else { continue };
            let username = streamer.username.clone();
            let words = format!("{} (channel {channel})", brief(&username));
            let channel = channel.to_string();
            if self.book.troubles.raise(now, Code::SubscriptionFailed, &channel, words, &username) {
                let reason = "refused, or not acknowledged in time".to_owned();
                self.log(Event::SubscriptionFailed { username, channel, reason });
            }
        }
    }

    /// Connections that may be open at once.
    pub fn links_most(&self) -> usize {
        self.links.most
    }

    /// Reports the streamers that push cannot follow because too few files may be open; the sweep compares them like everybody else.
    pub(super) fn say_who_is_not_followed(&mut self, now: Now) {
        let Links { homeless, most, .. } = &self.links;
        let Some(channel) = homeless.first() else {
            self.book.troubles.settle(Code::PushLimited, "");
            return;
        };
        let (homeless, files) = (homeless.len(), self.settings.open_files);
        let words = format!(
            "streamers not followed: {homeless}; push connections that the limit of {files} open files allows: {most}"
        );
        let username = self.streamers.of_channel_first(*channel);
        let username = username.map(|streamer| streamer.username.clone()).unwrap_or_default();
        let channel = channel.to_string();
        // Said again when there are twice as many: they come one by one.
        let how = format!("{files} {most} {}", homeless.ilog2());
        if self.book.troubles.raise(now, Code::PushLimited, "", &*words, &how) {
            let reason = format!("{words}; raise LimitNOFILE (systemd) or ulimit -n, then restart");
            self.log(Event::SubscriptionFailed { username, channel, reason });
        }
    }

    /// Follows a streamer's channel, for as long as any row needs it.
    pub(super) fn follow(&mut self, key: Key, channel: ChannelId) {
        self.streamers.join_channel(key, channel);
        self.links.follow(channel);
    }

    /// Does not follow it for this row any more.
    pub(super) fn unfollow(&mut self, key: Key, channel: ChannelId) {
        if self.streamers.leave_channel(key, channel) {
            self.links.unfollow(channel);
            self.unfollow_on_trial(channel);
            self.book.troubles.settle(Code::SubscriptionFailed, &channel.to_string());
        }
        if self.links.count() == 0 {
            // Nobody is there any more to be refused.
            self.book.troubles.rest(Code::PushRefused, "");
        }
    }

    /// The push settings or the transport changed: all connections are made anew, under new numbers, so
    /// that nothing late from the old ones is taken for theirs.
    pub(super) fn relink(&mut self) {
        self.end_trial(false);
        // R11: the new connections are judged by what they miss themselves.
        self.missed.clear();
        self.expected_push.clear();
        let old = std::mem::take(&mut self.links.links);
        self.book.troubles.rest(Code::PushRefused, "");
        self.links.homes.clear();
        self.links.homeless.clear();
        self.links.subscribed = 0;
        self.links.roomy.clear();
        self.links.follow.clear();
        self.links.unfollow.clear();
        self.links.closed.extend(old.into_keys());
        for channel in self.streamers.channels() {
            self.links.follow(channel);
        }
    }
}
