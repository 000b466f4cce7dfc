//! The life of the connections: R17 and R18.

use super::links::Confirmed;
use super::{Push, discard};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::push::{EndKind, LinkEvent, LinkId};
use crate::domain::text::brief;
use crate::domain::{ChannelId, Now, Steady};
use crate::monitor::Output;
use crate::monitor::book::{Book, Timer};
use crate::monitor::streamers::Streamers;
use crate::monitor::times::{ASKED_AGAIN, SUBSCRIPTION_STANDS};
use std::time::Duration;

impl Push {
    /// Takes an event in the life of a link.
    pub(crate) fn take_link(&mut self, now: Now, id: LinkId, event: LinkEvent, streamers: &Streamers, book: &mut Book) {
        let on_trial = self.is_on_trial(id);
        if !on_trial && !self.links.has(id) {
            return;
        }
        self.guide_link(now.steady, id, &event, &mut book.out);
        if on_trial {
            self.trial.iter_mut().for_each(|trial| trial.hear(now.steady, &event));
            // R24: the names may explain why the trial proves nothing.
            if let LinkEvent::Unrecognised(event) = event {
                self.unrecognised.take(*event);
            }
            return;
        }
        match event {
            LinkEvent::Started => {
                self.links.started(id);
                self.unjudged.extend(self.links.channels(id));
                book.troubles.changed = true;
            }
            LinkEvent::Connected(transport) => {
                book.counters.realtime_reconnects += u64::from(self.links.greeted(id, transport));
                self.transport = Some(transport);
                book.troubles.rest(Code::PushRefused, "");
                book.troubles.changed = true;
            }
            // R18: a lost connection changes no status; only its subscriptions are no longer confirmed.
            LinkEvent::Ended { kind, why } => {
                match (self.links.lost(id), kind) {
                    (_, EndKind::Refused) => book.troubles.note(now, Code::PushRefused, "", why),
                    (true, _) => book.troubles.changed = true,
                    (false, _) => return,
                }
                self.unjudged.extend(self.links.channels(id));
            }
            LinkEvent::Subscribed(channel) => {
                let Some(confirmed) = self.links.confirmed(now.steady, id, channel) else { return };
                subscribed(channel, confirmed, self.settings.hold, streamers, book);
                self.unjudged.insert(channel);
            }
            LinkEvent::Full(_) if self.links.full(id) => return,
            LinkEvent::SubscriptionFailed(channel) | LinkEvent::Full(channel) => {
                self.subscription_failed(now, channel, streamers, book);
                self.unjudged.insert(channel);
            }
            LinkEvent::Unreadable => discard("push_unreadable", format!("on link {}", id.0), book),
            LinkEvent::Unrecognised(event) => self.unrecognised.take(*event),
            LinkEvent::WantsWay | LinkEvent::WantsToken => return,
        }
        book.revision += 1;
    }

    /// What the event means for addresses and tokens.
    fn guide_link(&mut self, now: Steady, id: LinkId, event: &LinkEvent, out: &mut Vec<Output>) {
        let trial = self.trial.as_ref().filter(|trial| trial.link == id);
        match (event, trial) {
            (LinkEvent::Started, trial) => {
                self.guide.want_nothing(id);
                out.extend(trial.map(|trial| Output::Subscribe(id, trial.follows.clone())));
            }
            // A trial has its address already, and needs no answer of the broker.
            (LinkEvent::WantsWay, Some(trial)) => out.push(self.guide.send(id, Some(&trial.way))),
            (LinkEvent::WantsWay, None) => self.guide.want_way(id),
            (LinkEvent::WantsToken, _) => self.guide.want_token(id),
            (LinkEvent::Connected(_), _) => {
                out.extend(self.guide.choice.connected(now, id).map(|worked| Output::Remember(worked.clone())));
            }
            (LinkEvent::Ended { kind, .. }, trial) => {
                self.guide.ended(now, id, *kind);
                if trial.is_some() && *kind == EndKind::Refused {
                    self.end_trial(now, false);
                }
            }
            // Its transport may accept no subscription at all.
            (LinkEvent::SubscriptionFailed(_) | LinkEvent::Full(_), _) => {}
            _ => return,
        }
        self.due = Some(now);
    }

    fn subscription_failed(&mut self, now: Now, channel: ChannelId, streamers: &Streamers, book: &mut Book) {
        let subject = channel.to_string();
        if self.links.failed(now.steady, channel) {
            // It had been confirmed for a while, so this is a new failure.
            book.troubles.settle(Code::SubscriptionFailed, &subject);
        }
        book.counters.subscription_failures += 1;
        for streamer in streamers.of_channel(channel).filter_map(|key| streamers.get(&key)) {
            let username = streamer.username.clone();
            let words = format!("{} (channel {channel})", brief(&username));
            if book.troubles.raise(now, Code::SubscriptionFailed, &subject, words, &username) {
                let reason = "refused, or not acknowledged in time".to_owned();
                book.log(Event::SubscriptionFailed { username, channel: subject.clone(), reason });
            }
        }
    }

    /// A failed subscription is no longer a problem once one has been confirmed for a while.
    pub(crate) fn stands(&mut self, now: Now, channel: ChannelId, book: &mut Book) {
        if self.links.has_stood(now.steady, channel) {
            book.troubles.settle(Code::SubscriptionFailed, &channel.to_string());
        }
    }

    /// Tells the links which channels to carry, and reports streamers that no link can carry.
    pub(crate) fn flush(&mut self, now: Now, streamers: &Streamers, book: &mut Book) {
        self.say_who_is_not_followed(now, streamers, book);
        self.links.flush(&mut book.out);
    }

    /// Reports the streamers that push cannot follow because too few files may be open; the sweep compares them like
    /// everybody else.
    fn say_who_is_not_followed(&self, now: Now, streamers: &Streamers, book: &mut Book) {
        let Some((first, homeless)) = self.links.homeless() else {
            book.troubles.settle(Code::PushLimited, "");
            return;
        };
        let (most, files) = (self.links.most(), self.settings.open_files);
        let words = format!(
            "streamers not followed: {homeless}; push connections that the limit of {files} open files allows: {most}"
        );
        // Reported again when the number has doubled, because the streamers come one by one.
        let how = format!("{files} {most} {}", homeless.ilog2());
        if book.troubles.raise(now, Code::PushLimited, "", &*words, &how) {
            let streamer = streamers.of_channel_first(first);
            let username = streamer.map(|streamer| streamer.username.clone()).unwrap_or_default();
            let reason = format!("{words}; raise LimitNOFILE (systemd) or ulimit -n, then restart");
            book.log(Event::SubscriptionFailed { username, channel: first.to_string(), reason });
        }
    }
}

/// R17: asks the API what happened before the subscription, at once and later, because the API may lag.
fn subscribed(channel: ChannelId, confirmed: Confirmed, hold: Duration, streamers: &Streamers, book: &mut Book) {
    let Confirmed { due, planned, failed } = confirmed;
    if failed {
        book.at(due + SUBSCRIPTION_STANDS, Timer::Stands(channel));
    } else {
        book.troubles.settle(Code::SubscriptionFailed, &channel.to_string());
    }
    for key in streamers.of_channel(channel).filter(|_| !planned) {
        for after in [Duration::ZERO, ASKED_AGAIN, hold] {
            book.at(due + after, Timer::Ask(key));
        }
    }
}
