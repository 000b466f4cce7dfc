//! R11: whether push reports the changes that the sweep finds, counted for each transport and apart for starts and
//! stops, and what follows if it does not.

use super::{Moving, Push};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::push::{LinkId, Transport};
use crate::domain::{ChannelId, Now, Status, Steady};
use crate::monitor::book::Book;
use crate::monitor::misses::{Counted, Expected, Kind, Misses, Silence};
use crate::monitor::streamer::{Ids, Streamer};
use crate::monitor::streamers::{Key, Streamers};
use std::collections::{BTreeMap, VecDeque};

/// How many of the latest changes that push should have reported are remembered, and how many are enough to judge by.
const OUTCOMES: (usize, usize) = (20, 12);
/// The share of these that push must miss to be partial, as a divisor: a quarter.
const PARTIAL_SHARE: usize = 4;

/// The changes that push should report, and those that it missed.
#[derive(Debug, Default)]
pub(super) struct Health {
    missed: BTreeMap<Transport, Misses>,
    expected: Expected,
    /// Whether push reported each of the latest changes.
    outcomes: VecDeque<bool>,
    counted: Counted<Option<ChannelId>>,
}

impl Health {
    fn remember(&mut self, told: bool) {
        if self.outcomes.len() == OUTCOMES.0 {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back(told);
    }

    /// An event of a change to this status came over this transport, whatever the rules made of it.
    pub(super) fn delivers(&mut self, transport: Transport, status: Status) {
        if let Some(misses) = self.missed.get_mut(&transport) {
            misses.heard(status);
        }
    }

    /// Counts a miss. Returns true if the transport is to be left: at every fifth in a row.
    pub(super) fn missed(&mut self, transport: Transport, status: Status) -> bool {
        self.missed.entry(transport).or_default().missed(status)
    }

    /// The kind of change that this transport does not report, if it is silent.
    pub(super) fn silence(&self, transport: Transport) -> Option<Silence> {
        self.missed.get(&transport)?.silence()
    }

    /// How many of the latest changes push missed, and of how many, if push is partial.
    pub(super) fn partial(&self) -> Option<(usize, usize)> {
        let (of, missed) = (self.outcomes.len(), self.outcomes.iter().filter(|told| !**told).count());
        (of >= OUTCOMES.1 && missed * PARTIAL_SHARE >= of).then_some((missed, of))
    }

    /// The connections were replaced, and are judged by their own misses.
    pub(super) fn begin_anew(&mut self) {
        *self = Health::default();
    }
}

impl Push {
    /// An event of a change to this status came over this link, so its transport reports such changes, whatever the
    /// rules made of the event.
    pub(super) fn delivers(&mut self, link: LinkId, status: Status, book: &mut Book) {
        let Some(transport) = self.links.transport(link) else { return };
        let was_silent = self.health.silence(transport).is_some();
        self.health.delivers(transport, status);
        self.unjudged_all |= was_silent != self.health.silence(transport).is_some();
        if Transport::ALL.into_iter().all(|transport| self.health.silence(transport).is_none()) {
            book.troubles.settle(Code::PushSilent, "");
        }
    }

    /// R23: the streamers whose coverage is to be judged again since the last call.
    pub(crate) fn unjudged(&mut self, streamers: &Streamers) -> Vec<Key> {
        let channels = std::mem::take(&mut self.unjudged);
        match std::mem::take(&mut self.unjudged_all) {
            true => streamers.iter().map(|(key, _)| key).collect(),
            false => channels.into_iter().flat_map(|channel| streamers.of_channel(channel)).collect(),
        }
    }

    /// R23: returns true if push should report every change of this streamer: the subscription is confirmed, through a
    /// channel id that Kick stated and nothing speaks against; the transport is not silent; and push has reported a
    /// change since it last missed one.
    pub(crate) fn covers(&self, key: Key, ids: &Ids) -> bool {
        let certain = ids.channel.filter(|_| ids.are_certain());
        let subscribed = certain.filter(|channel| self.links.subscribed_since(*channel).is_some());
        let transport = subscribed.and_then(|channel| self.links.carrier(channel));
        let well = transport.is_some_and(|transport| self.health.silence(transport).is_none());
        well && !self.health.expected.is_missing(key)
    }

    /// Push reported this change. `news`: the change was not known before.
    pub(crate) fn told(&mut self, now: Now, key: Key, channel: ChannelId, status: Status, news: bool, book: &mut Book) {
        let counts = self.health.expected.came(key, status) || news;
        if counts && self.health.counted.is_first(now.steady, Some(channel), status) {
            self.health.remember(true);
            self.weigh(now, book);
        }
    }

    /// The streamer is no longer followed.
    pub(crate) fn forget(&mut self, key: Key) {
        self.health.expected.forget(key);
    }

    /// The sweep found a change. Push has a short time to report it too, if the subscription is older than the hold.
    pub(crate) fn expect(&mut self, now: Steady, key: Key, channel: ChannelId, status: Status, book: &mut Book) {
        let hold = self.settings.hold;
        if self.links.subscribed_since(channel).is_some_and(|since| now.since(since) > hold) {
            self.health.expected.expect(now, key, status, book);
        }
    }

    /// That time is over. Returns true if push did not report the change and the channel id may be to blame, that is,
    /// unless its transport reports no such changes at all.
    pub(crate) fn has_missed(&mut self, now: Now, key: Key, streamers: &Streamers, book: &mut Book) -> bool {
        let missed = self.health.expected.overdue(now.steady, key);
        let Some(streamer) = streamers.get(&key) else { return false };
        let channel = streamer.ids.channel;
        let carrier = channel.and_then(|channel| self.links.carrier(channel));
        for status in &missed {
            let (username, unrecognised) = (streamer.username.clone(), self.unrecognised_near(now, streamer));
            book.log(Event::PushMissed { username, status: *status, unrecognised });
            book.counters.push_missed += 1;
            if self.health.counted.is_first(now.steady, channel, *status) {
                self.health.remember(false);
                carrier.into_iter().for_each(|transport| self.missed_by(now, transport, *status, book));
                self.weigh(now, book);
            }
        }
        let silence = carrier.and_then(|transport| self.health.silence(transport));
        missed.iter().any(|status| !silence.is_some_and(|silence| silence.kind.is_of(*status)))
    }

    /// R24: the names of unrecognised events around the time of a change that the sweep, or a webhook, has just found.
    fn unrecognised_near(&self, now: Now, streamer: &Streamer) -> String {
        let delivered = streamer.heard.filter(|heard| heard.sent.is_some()).map(|heard| heard.at);
        let found = streamer.found.map(|found| found.at).max(delivered).unwrap_or(now.steady);
        let before = Steady::after(found.elapsed().saturating_sub(self.settings.sweep));
        let channel = streamer.ids.channel;
        channel.map(|channel| self.unrecognised.near(channel, before, found).join(",")).unwrap_or_default()
    }

    /// Counts a miss of this transport, which is silent after several in a row, although its connections look sound.
    fn missed_by(&mut self, now: Now, transport: Transport, status: Status, book: &mut Book) {
        let was_silent = self.health.silence(transport).is_some();
        let leave = self.health.missed(transport, status);
        let Some(silence) = self.health.silence(transport) else { return };
        let Silence { kind, missed } = silence;
        self.unjudged_all |= !was_silent;
        if leave {
            self.leave(now.steady, transport, kind);
        }
        let (word, kind) = (transport.word(), kind.word());
        let words = format!("{}, over {word}", silence.words());
        if book.troubles.raise(now, Code::PushSilent, "", words, &format!("{word} {kind}")) {
            book.log(Event::PushSilent { transport: word, missed, kind });
        }
    }

    /// Reports push that misses a good part of the changes.
    fn weigh(&self, now: Now, book: &mut Book) {
        let Some((missed, of)) = self.health.partial() else {
            book.troubles.settle(Code::PushPartial, "");
            return;
        };
        let words = format!("{missed} of the last {of}");
        if book.troubles.raise(now, Code::PushPartial, "", words, "") {
            book.log(Event::PushPartial { missed, of });
        }
    }

    /// A transport that is connected and accepts no subscription is treated like one that refuses us.
    pub(super) fn takes_nobody(&mut self, now: Now, transport: Transport, book: &mut Book) {
        self.leave(now.steady, transport, Kind::Both);
        let (transport, reason) = (transport.word(), "no subscription was confirmed within a minute");
        if book.troubles.raise(now, Code::PushRefused, "", reason, transport) {
            book.log(Event::RealtimeRefused { transport, code: None, reason: reason.to_owned() });
        }
    }

    /// Changes do not arrive over this transport: it is left, if Kick offers another one that works.
    fn leave(&mut self, now: Steady, transport: Transport, kind: Kind) {
        self.guide.choice.silent(now, transport, kind, self.trial.as_ref().map(|trial| trial.link));
        self.moving = self.moving.max(Moving::IfBetter);
        self.due = Some(now);
    }
}
