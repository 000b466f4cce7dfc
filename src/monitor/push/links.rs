//! Which connection carries which push channel.
//!
//! What each link is to follow is kept here; a link that starts again is told all of it.

use crate::domain::push::{LinkId, Transport};
use crate::domain::{ChannelId, Steady};
use crate::monitor::times::TAKES_NOBODY;
use crate::monitor::times::{SUBSCRIPTION_STANDS, SUBSCRIPTIONS_APART};
use crate::monitor::{Output, Settings};
use std::collections::{BTreeMap, BTreeSet};

/// The files that a connection needs: its socket, and the eventfd that wakes its thread.
const FILES_A_LINK: usize = 2;

/// The connections and what they carry.
#[derive(Debug)]
pub(super) struct Links {
    per_link: usize,
    /// The most channels that a server accepted on one connection, if it refused more.
    server_takes: Option<usize>,
    /// The most connections that may be open.
    most: usize,
    /// Channels without a connection, because no more may be opened.
    homeless: BTreeSet<ChannelId>,
    links: BTreeMap<LinkId, Link>,
    homes: BTreeMap<ChannelId, Home>,
    /// Links that can carry more channels.
    roomy: BTreeSet<LinkId>,
    next: u32,
    /// What links are told at the end of this turn, one order each: to follow these channels, and to unfollow those.
    follow: BTreeMap<LinkId, Vec<ChannelId>>,
    unfollow: BTreeMap<LinkId, Vec<ChannelId>>,
    opened: Vec<LinkId>,
    closed: Vec<LinkId>,
}

#[derive(Debug, Default)]
struct Link {
    channels: BTreeSet<ChannelId>,
    /// Its thread runs, and takes orders.
    started: bool,
    /// The transport of its connection, while that is open.
    connected: Option<Transport>,
    /// It had a connection before.
    was_connected: bool,
    /// Since when the connection has had a failed subscription and not one confirmed.
    takes_nobody: Option<Steady>,
}

/// The link that carries a channel.
#[derive(Debug)]
struct Home {
    link: LinkId,
    /// Since when its subscription is confirmed.
    subscribed: Option<Steady>,
    /// When its streamers were last asked about for R17, or will be.
    asked: Option<Steady>,
    /// It failed, and has not been confirmed for long enough since.
    failed: bool,
}

/// What a confirmed subscription calls for (R17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Confirmed {
    /// When its streamers are to be asked about.
    pub(super) due: Steady,
    /// That is planned already.
    pub(super) planned: bool,
    /// It had failed, which is over once it has been confirmed for a while.
    pub(super) failed: bool,
}

impl Links {
    pub(super) fn new(settings: &Settings) -> Links {
        let mut links = Links {
            per_link: 0,
            server_takes: None,
            most: 0,
            homeless: BTreeSet::new(),
            links: BTreeMap::new(),
            homes: BTreeMap::new(),
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

    /// Sets how many streamers a connection carries, and how many connections may be open: `kept_files` stay free for
    /// everything else, or half of all files if those are very few. Connections that are open already stay.
    pub(super) fn set_room(&mut self, settings: &Settings) {
        let Settings { open_files, kept_files, streamers_per_link, .. } = *settings;
        self.per_link = streamers_per_link;
        self.most = ((open_files - kept_files.min(open_files / 2)) / FILES_A_LINK).max(1);
        self.carry_more();
    }

    /// Finds connections for channels that have none, as far as there is room now.
    fn carry_more(&mut self) {
        while !self.roomy.is_empty() || self.links.len() < self.most {
            let Some(channel) = self.homeless.pop_first() else { return };
            self.follow(channel);
        }
    }

    /// Returns true if this link exists.
    pub(super) fn has(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    /// Returns true if this link carries this channel.
    pub(super) fn carries(&self, link: LinkId, channel: ChannelId) -> bool {
        self.homes.get(&channel).is_some_and(|home| home.link == link)
    }

    pub(super) fn subscribed_since(&self, channel: ChannelId) -> Option<Steady> {
        self.homes.get(&channel).and_then(|home| home.subscribed)
    }

    /// The channels that a link carries.
    pub(super) fn channels(&self, id: LinkId) -> impl Iterator<Item = ChannelId> + '_ {
        self.links.get(&id).into_iter().flat_map(|link| link.channels.iter().copied())
    }

    /// The link that carries a channel, and since when its subscription is confirmed.
    pub(super) fn home(&self, channel: ChannelId) -> Option<(LinkId, Option<Steady>)> {
        self.homes.get(&channel).map(|home| (home.link, home.subscribed))
    }

    /// The number of connections that should be open.
    pub(super) fn count(&self) -> usize {
        self.links.len()
    }

    pub(super) fn connected(&self) -> usize {
        self.links.values().filter(|link| link.connected.is_some()).count()
    }

    /// The transport of a link, if it is connected.
    pub(super) fn transport(&self, link: LinkId) -> Option<Transport> {
        self.links.get(&link).and_then(|link| link.connected)
    }

    /// The transport that carries a channel, if its link is connected.
    pub(super) fn carrier(&self, channel: ChannelId) -> Option<Transport> {
        self.homes.get(&channel).and_then(|home| self.transport(home.link))
    }

    /// Opens a link for a trial. Returns it with the channels of another link, which the trial is to follow.
    pub(super) fn open_trial(&mut self) -> Option<(LinkId, Vec<ChannelId>)> {
        let follows = self.links.values().next()?.channels.iter().copied().collect();
        Some((self.open(), follows))
    }

    pub(super) fn close_trial(&mut self, link: LinkId) {
        self.closed.push(link);
    }

    /// The link's thread has started, and knows no channel.
    pub(super) fn started(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.started = true;
        self.follow.insert(id, link.channels.iter().copied().collect());
        self.unfollow.remove(&id);
        self.lost(id);
    }

    /// The link's connection is established. Returns true if it is not its first.
    pub(super) fn greeted(&mut self, id: LinkId, transport: Transport) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        link.connected = Some(transport);
        std::mem::replace(&mut link.was_connected, true)
    }

    /// The link's connection ended. Returns true if it had been established.
    pub(super) fn lost(&mut self, id: LinkId) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        for channel in &link.channels {
            if let Some(home) = self.homes.get_mut(channel) {
                home.subscribed = None;
            }
        }
        link.takes_nobody = None;
        link.connected.take().is_some()
    }

    /// A subscription is confirmed. `None` if this link does not carry the channel.
    pub(super) fn confirmed(&mut self, now: Steady, id: LinkId, channel: ChannelId) -> Option<Confirmed> {
        let home = self.homes.get_mut(&channel).filter(|home| home.link == id)?;
        home.subscribed = Some(now);
        let planned = home.asked.filter(|asked| *asked > now);
        let soonest = home.asked.map_or(now, |asked| now.max(asked + SUBSCRIPTIONS_APART));
        let due = *home.asked.insert(planned.unwrap_or(soonest));
        let confirmed = Confirmed { due, planned: planned.is_some(), failed: home.failed };
        self.links.get_mut(&id)?.takes_nobody = None;
        Some(confirmed)
    }

    /// R11: the transport of a connection that has had failed subscriptions for a while and not one confirmed. Returned
    /// once for each such while.
    pub(super) fn taking_nobody(&mut self, now: Steady) -> Option<Transport> {
        let takes_nobody = |link: &&mut Link| link.takes_nobody.is_some_and(|since| since + TAKES_NOBODY <= now);
        let link = self.links.values_mut().find(takes_nobody)?;
        link.takes_nobody = Some(now);
        link.connected
    }

    /// When `taking_nobody` is to be called again.
    pub(super) fn due(&self) -> Option<Steady> {
        self.links.values().filter_map(|link| link.takes_nobody).min().map(|since| since + TAKES_NOBODY)
    }

    /// R11: the server of this link accepts no more channels than are confirmed. The others go to other links, and no
    /// link is given more. Returns false if none is confirmed.
    pub(super) fn full(&mut self, id: LinkId) -> bool {
        let Some(link) = self.links.get(&id) else { return true };
        let (taken, rest): (BTreeSet<ChannelId>, BTreeSet<ChannelId>) =
            link.channels.iter().copied().partition(|channel| self.subscribed_since(*channel).is_some());
        if taken.is_empty() || rest.is_empty() {
            return !taken.is_empty();
        }
        let room = self.server_takes.unwrap_or(taken.len()).min(taken.len());
        self.server_takes = Some(room);
        self.links.entry(id).or_default().channels = taken;
        self.roomy.retain(|id| self.links.get(id).is_some_and(|link| link.channels.len() < room));
        if let Some(pending) = self.follow.get_mut(&id) {
            pending.retain(|channel| !rest.contains(channel));
        }
        self.unfollow.entry(id).or_default().extend(&rest);
        for channel in rest {
            self.homes.remove(&channel);
            self.follow(channel);
        }
        true
    }

    /// The most channels on one connection.
    fn room(&self) -> usize {
        self.server_takes.map_or(self.per_link, |takes| takes.min(self.per_link))
    }

    /// Returns true if this link has a confirmed subscription.
    fn takes_somebody(&self, link: &Link) -> bool {
        link.channels.iter().any(|channel| self.subscribed_since(*channel).is_some())
    }

    /// Returns true if the subscription has been confirmed long enough for an earlier failure to be over. A server may
    /// refuse and confirm by turns.
    pub(super) fn has_stood(&mut self, now: Steady, channel: ChannelId) -> bool {
        let Some(home) = self.homes.get_mut(&channel) else { return false };
        let stood = home.subscribed.is_some_and(|since| now.since(since) >= SUBSCRIPTION_STANDS);
        home.failed &= !stood;
        stood
    }

    /// A subscription failed. Returns true if it had been confirmed for a while, so that this is a new failure.
    pub(super) fn failed(&mut self, now: Steady, channel: ChannelId) -> bool {
        let stood = self.has_stood(now, channel);
        let Some(home) = self.homes.get_mut(&channel) else { return false };
        home.failed = true;
        let id = home.link;
        home.subscribed = None;
        let nobody = self.links.get(&id).is_some_and(|link| link.connected.is_some() && !self.takes_somebody(link));
        if let Some(link) = self.links.get_mut(&id).filter(|_| nobody) {
            link.takes_nobody.get_or_insert(now);
        }
        stood
    }

    /// Replaces all connections, under new numbers, so that late messages of the old ones are not taken for theirs.
    /// Returns the old numbers.
    pub(super) fn renew(&mut self) -> Vec<LinkId> {
        let old: Vec<LinkId> = std::mem::take(&mut self.links).into_keys().collect();
        let homes = std::mem::take(&mut self.homes).into_keys();
        let channels: BTreeSet<ChannelId> = homes.chain(std::mem::take(&mut self.homeless)).collect();
        self.server_takes = None;
        self.roomy.clear();
        self.follow.clear();
        self.unfollow.clear();
        self.closed.extend(&old);
        channels.into_iter().for_each(|channel| self.follow(channel));
        old
    }

    /// The most connections that may be open at once.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// The first channel without a connection, and the number of such channels.
    pub(super) fn homeless(&self) -> Option<(ChannelId, usize)> {
        self.homeless.first().map(|channel| (*channel, self.homeless.len()))
    }

    fn open(&mut self) -> LinkId {
        let id = LinkId(self.next);
        self.next += 1;
        self.opened.push(id);
        id
    }

    /// Has the first link with room carry a channel, so that few links are open.
    pub(super) fn follow(&mut self, channel: ChannelId) {
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
        let room = self.room();
        let link = self.links.entry(id).or_default();
        link.channels.insert(channel);
        if link.channels.len() >= room {
            self.roomy.remove(&id);
        }
        if link.started {
            self.follow.entry(id).or_default().push(channel);
        }
        self.homes.insert(channel, Home { link: id, subscribed: None, asked: None, failed: false });
    }

    /// Removes a channel. Returns its link, if that is closed because it has no channel left.
    pub(super) fn unfollow(&mut self, channel: ChannelId) -> Option<LinkId> {
        self.homeless.remove(&channel);
        let home = self.homes.remove(&channel)?;
        let room = self.room();
        let link = self.links.get_mut(&home.link)?;
        link.channels.remove(&channel);
        if link.channels.len() < room {
            self.roomy.insert(home.link);
        }
        if let Some(pending) = self.follow.get_mut(&home.link) {
            pending.retain(|other| *other != channel);
        }
        let ends = link.channels.is_empty();
        if ends {
            self.links.remove(&home.link);
            self.roomy.remove(&home.link);
            self.follow.remove(&home.link);
            self.unfollow.remove(&home.link);
            self.closed.push(home.link);
        } else if link.started {
            self.unfollow.entry(home.link).or_default().push(channel);
        }
        self.carry_more();
        ends.then_some(home.link)
    }

    /// Turns what links are to be told into outputs. Unfollowing comes first: a channel that left and came back in one
    /// turn is followed in the end.
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
