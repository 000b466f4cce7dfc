//! The room of push: the connections, which transport they take, and whether it delivers.
//!
//! It owns all of that, and knows no streamer. What it is told comes from links and from Kick's broker; what it
//! gives back is what the rest of the core should know. R11 is decided here: `health` counts what push missed,
//! `choice` leaves a transport that went silent, and `trial` says when it may come back.
//!
//! ```text
//!   links ── wants a way, a token; greeted, over ──► Push ──► go there, a token ──► links
//!                                                     │ ▲
//!                              offers? a token? (one) ▼ │ answer
//!                                                    broker
//! ```

mod choice;
mod guide;
mod health;
mod links;
mod tokens;
mod trial;
mod ways;

pub use choice::Choice;
pub(super) use links::Confirmed;
pub use ways::Terms;

use super::times::PUSH_GRACE;
use super::{Key, Output, Settings};
use crate::domain::ask::{Answer, BrokerQuery, Offered, Request};
use crate::domain::event::Event;
use crate::domain::push::{EndKind, LinkEvent, LinkId, Transport, UnrecognisedEvent};
use crate::domain::way::{Offer, Way};
use crate::domain::{ChannelId, Status, Steady};
use guide::Guide;
pub(super) use health::Silence;
use health::{Health, Kind};
use links::Links;
use std::time::Duration;
use trial::{Sign, Trial};

/// The room.
#[derive(Debug)]
pub(super) struct Push {
    pub(super) links: Links,
    pub(super) health: Health,
    guide: Guide,
    trial: Option<Trial>,
    moving: Moving,
    /// When there is something to do.
    due: Option<Steady>,
}

/// Whether the connections are to be made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moving {
    No,
    /// Their transport is silent: if Kick offers another one that is well.
    IfBetter,
    Surely,
}

/// What the rest of the core is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Kick's broker is to be asked.
    Ask(Request<BrokerQuery>),
    /// All connections are made anew, under new numbers.
    Renewed,
    /// This transport is connected, and takes nobody.
    TakesNobody(Transport),
}

/// What a link's event means for the rest of the core.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It concerns nobody else.
    Nothing,
    /// A link begins, or its connection is gone.
    Lost,
    /// The server refuses us, and why.
    Refused(String),
    /// A connection stands, and stood before.
    Connected { transport: Transport, again: bool },
    /// A channel's subscription is confirmed.
    Subscribed(ChannelId, Confirmed),
    /// A channel's subscription failed, anew if it had stood for a while.
    Failed { channel: ChannelId, anew: bool },
    /// It could not read what came.
    Unreadable,
    /// Events came whose name is not known (R24).
    Unrecognised(UnrecognisedEvent),
}

impl Push {
    pub(super) fn new(settings: &Settings, seed: u64) -> Push {
        Push {
            links: Links::new(settings),
            health: Health::default(),
            guide: Guide::new(settings.push.clone(), seed),
            trial: None,
            moving: Moving::No,
            due: None,
        }
    }

    /// When there is something to do if nothing else happens.
    pub(super) fn due(&self) -> Option<Steady> {
        self.due
    }

    /// Which of Kick's offers worked last in an earlier process.
    pub(super) fn recall(&mut self, worked: Offer) {
        self.guide.choice.recall(worked);
    }

    /// Nobody follows this channel any more.
    pub(super) fn unfollow(&mut self, channel: ChannelId, out: &mut Vec<Output>) {
        if let Some(closed) = self.links.unfollow(channel) {
            self.guide.closed(closed);
        }
        let Some(trial) = self.trial.as_mut().filter(|trial| trial.follows.contains(&channel)) else { return };
        trial.unfollow(channel);
        match trial.follows.is_empty() {
            true => self.due = Some(Steady::default()),
            false => out.push(Output::Unsubscribe(trial.link, vec![channel])),
        }
    }

    /// The push settings changed: every connection is made anew, and where it goes is chosen anew.
    pub(super) fn begin_anew(&mut self, now: Steady, terms: Terms) {
        self.renew(now);
        self.guide.begin_anew(terms);
        self.due = Some(now);
    }

    /// What a link says of its life.
    pub(super) fn hear(&mut self, now: Steady, id: LinkId, event: LinkEvent, out: &mut Vec<Output>) -> News {
        let on_trial = self.is_on_trial(id);
        if !on_trial && !self.links.has(id) {
            return News::Nothing;
        }
        self.guide_link(now, id, &event, out);
        if on_trial {
            self.trial.iter_mut().for_each(|trial| trial.hear(now, &event));
            return News::Nothing;
        }
        match event {
            LinkEvent::Started => {
                self.links.started(id);
                News::Lost
            }
            LinkEvent::Connected(transport) => {
                let again = self.links.greeted(id, transport);
                News::Connected { transport, again }
            }
            LinkEvent::Ended { kind, why } => match (self.links.lost(id), kind) {
                (_, EndKind::Refused) => News::Refused(why),
                (true, _) => News::Lost,
                (false, _) => News::Nothing,
            },
            LinkEvent::Subscribed(channel) => match self.links.confirmed(now, id, channel) {
                Some(confirmed) => News::Subscribed(channel, confirmed),
                None => News::Nothing,
            },
            LinkEvent::SubscriptionFailed(channel) => News::Failed { channel, anew: self.links.failed(now, channel) },
            LinkEvent::Full(_) if self.links.full(id) => News::Nothing,
            LinkEvent::Full(channel) => News::Failed { channel, anew: self.links.failed(now, channel) },
            LinkEvent::Unreadable => News::Unreadable,
            LinkEvent::Unrecognised(event) => News::Unrecognised(*event),
            LinkEvent::WantsWay | LinkEvent::WantsToken => News::Nothing,
        }
    }

    /// What its life means for where links go.
    fn guide_link(&mut self, now: Steady, id: LinkId, event: &LinkEvent, out: &mut Vec<Output>) {
        let trial = self.trial.as_ref().filter(|trial| trial.link == id);
        match (event, trial) {
            (LinkEvent::Started, trial) => {
                self.guide.want_nothing(id);
                out.extend(trial.map(|trial| Output::Subscribe(id, trial.follows.clone())));
            }
            // A trial has its way already, and must not cost a question.
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
            // Perhaps its transport takes nobody.
            (LinkEvent::SubscriptionFailed(_) | LinkEvent::Full(_), _) => {}
            _ => return,
        }
        self.due = Some(now);
    }

    /// Whether this link may bring an event of this channel's. One that a trial brings proves its transport.
    pub(super) fn may_bring(&mut self, now: Steady, link: LinkId, channel: ChannelId, status: Status) -> bool {
        let sign = self.trial.as_mut().map_or(Sign::Nothing, |trial| trial.weigh(link, channel, status));
        match sign {
            Sign::Proved => self.end_trial(now, true),
            Sign::Deaf => self.end_trial(now, false),
            Sign::Alive | Sign::Nothing => {}
        }
        matches!(sign, Sign::Proved | Sign::Alive) || self.links.carries(link, channel)
    }

    /// R23: whether the channel's subscription is confirmed, on a transport that is under no suspicion.
    pub(super) fn covers(&self, channel: ChannelId) -> bool {
        let subscribed = self.links.subscribed_since(channel).is_some();
        let transport = self.links.carrier(channel).filter(|_| subscribed);
        transport.is_some_and(|transport| self.health.silence(transport).is_none())
    }

    /// R11: whether a transport in use does not tell of what it should.
    pub(super) fn is_suspected(&self) -> bool {
        Transport::ALL.into_iter().any(|transport| self.health.silence(transport).is_some())
    }

    /// R11: an event of a change to this status came over this link; its transport tells of such changes, whatever
    /// it says. Whether no transport in use is silent any more.
    pub(super) fn delivers(&mut self, link: LinkId, status: Status) -> bool {
        let Some(transport) = self.links.transport(link) else { return false };
        self.health.delivers(transport, status);
        !self.is_suspected()
    }

    /// R11: the sweep found a change; push has a little time to tell of it, too, where it stood for longer
    /// than the hold. Until when.
    pub(super) fn expect(
        &mut self,
        now: Steady,
        hold: Duration,
        key: Key,
        channel: ChannelId,
        status: Status,
    ) -> Option<Steady> {
        let due = now + PUSH_GRACE;
        self.links.subscribed_since(channel).filter(|since| now.since(*since) > hold)?;
        self.health.expect(key, status, due);
        Some(due)
    }

    /// R11: what goes over this transport does not arrive. It is left, if Kick offers another one that is well.
    pub(super) fn silent(&mut self, now: Steady, transport: Transport, kind: Kind) {
        self.guide.choice.silent(now, transport, kind, self.trial.as_ref().map(|trial| trial.link));
        self.moving = self.moving.max(Moving::IfBetter);
        self.due = Some(now);
    }

    /// Kick's broker answered. What it was asked, and what is to be logged; nothing when nobody waits for this
    /// answer.
    pub(super) fn take_answer(
        &mut self,
        now: Steady,
        answer: &Answer<Offered>,
    ) -> Option<(&'static str, Option<Event>)> {
        self.due = Some(now);
        self.guide.take_answer(now, answer)
    }

    /// The thread that asks the broker began anew.
    pub(super) fn ask_again(&mut self, now: Steady) {
        self.guide.ask_again();
        self.due = Some(now);
    }

    /// Does what is due, up to what the rest of the core must do or know.
    pub(super) fn turn(&mut self, now: Steady, out: &mut Vec<Output>) -> Option<Wish> {
        if self.due.is_none_or(|due| due > now) {
            return None;
        }
        // A trial that has nobody left to follow, or follows nobody, could never end.
        if self.trial.as_ref().is_some_and(|it| it.follows.is_empty() || it.due().is_some_and(|due| due <= now)) {
            self.end_trial(now, false);
        }
        if let Some(transport) = self.links.taking_nobody(now) {
            self.silent(now, transport, Kind::Both);
            return Some(Wish::TakesNobody(transport));
        }
        if self.moving == Moving::Surely {
            self.renew(now);
            return Some(Wish::Renewed);
        }
        // One answer serves all that waits for it.
        let offers = self.needs_offers(now) && self.guide.choice.must_ask(now);
        if !offers {
            let left = std::mem::replace(&mut self.moving, Moving::No) == Moving::IfBetter;
            if left && self.guide.choice.should_move(now) {
                self.renew(now);
                return Some(Wish::Renewed);
            }
            self.guide.send_links(now, out);
            self.begin_trial(now);
        }
        self.guide.share_tokens(now, out);
        if let Some(request) = self.guide.ask(now, offers) {
            return Some(Wish::Ask(request));
        }
        let trial = self.next_trial().map(|(_, due)| due);
        let asks = trial.into_iter().chain(self.guide.due()).filter(|_| !self.guide.expects_answer());
        let ends = self.links.due().into_iter().chain(self.trial.as_ref().and_then(Trial::due));
        self.due = asks.chain(ends).min();
        None
    }

    /// Whether something depends on what Kick offers.
    fn needs_offers(&self, now: Steady) -> bool {
        let trial = self.next_trial().is_some_and(|(_, due)| due <= now);
        trial || self.moving == Moving::IfBetter || self.guide.is_asked()
    }

    /// Begins the trial that is due, if one is and there is anybody to follow.
    fn begin_trial(&mut self, now: Steady) {
        let Some((way, _)) = self.next_trial().filter(|(_, due)| *due <= now) else { return };
        let kind = self.guide.choice.silent_of(&way);
        match self.links.open_trial() {
            Some((link, follows)) => self.trial = Some(Trial::new(way, link, kind, follows)),
            None => self.guide.choice.unproved(now, way),
        }
    }

    fn next_trial(&self) -> Option<(Way, Steady)> {
        if self.trial.is_some() { None } else { self.guide.choice.next_trial() }
    }

    fn is_on_trial(&self, link: LinkId) -> bool {
        self.trial.as_ref().is_some_and(|trial| trial.link == link)
    }

    /// Ends the trial; a trial that is merely cut short has proved nothing.
    fn end_trial(&mut self, now: Steady, proved: bool) {
        let Some(trial) = self.trial.take() else { return };
        self.links.close_trial(trial.link);
        self.guide.closed(trial.link);
        match proved {
            true => {
                self.guide.choice.proved(&trial.way);
                self.moving = Moving::Surely;
            }
            false => self.guide.choice.unproved(now, trial.way),
        }
        self.due = Some(now);
    }

    /// Makes all connections anew.
    fn renew(&mut self, now: Steady) {
        self.end_trial(now, false);
        self.health.begin_anew();
        for closed in self.links.renew() {
            self.guide.closed(closed);
        }
        self.moving = Moving::No;
    }
}
