//! Push: the connections, which transport they use, and whether it delivers.
//!
//! Its state is its own; of the streamers it reads only who has which channel. It learns from links, from Kick's broker,
//! and from the sweep, which finds what push missed. R11 is decided here: `health` counts what push missed, `choice`
//! leaves a transport that is silent, and `trial` says when that one may be used again.
//!
//! ```text
//!   links ── want an address, a token; connected, ended ──► Push ──► an address, a token ──► links
//!                                                            │ ▲
//!                  request for offers or a token (one) ── ▼ │ ── answer
//!                                                          broker
//! ```

mod choice;
mod connections;
mod guide;
mod health;
mod links;
mod tokens;
mod trial;
mod unrecognised;
mod ways;

pub use choice::Choice;
pub use ways::Terms;

use super::book::Book;
use super::streamers::{Move, Streamers};
use super::{Output, Settings};
use crate::domain::ask::{Answer, Offered};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::push::{LinkId, Push as PushEvent, Transport};
use crate::domain::report::Realtime;
use crate::domain::way::{Offer, Way};
use crate::domain::{ChannelId, Now, Status, Steady};
use guide::Guide;
use health::Health;
use links::Links;
use std::collections::BTreeSet;
use trial::{Sign, Trial};
use unrecognised::Unrecognised;

/// The state of push.
#[derive(Debug)]
pub(super) struct Push {
    settings: Settings,
    links: Links,
    health: Health,
    guide: Guide,
    trial: Option<Trial>,
    moving: Moving,
    /// When `turn` has something to do, if no input comes before.
    due: Option<Steady>,
    /// The channels for which coverage (R23) is to be judged again, and whether that holds for all of them.
    unjudged: BTreeSet<ChannelId>,
    unjudged_all: bool,
    /// The transport of the latest connection.
    transport: Option<Transport>,
    unrecognised: Unrecognised,
}

/// Whether all connections are to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moving {
    No,
    /// Their transport is silent: if Kick offers another one that works.
    IfBetter,
    Surely,
}

impl Push {
    pub(super) fn new(settings: &Settings, seed: u64) -> Push {
        Push {
            settings: settings.clone(),
            links: Links::new(settings),
            health: Health::default(),
            guide: Guide::new(settings.push.clone(), settings.requests_per_minute, seed),
            trial: None,
            moving: Moving::No,
            due: None,
            unjudged: BTreeSet::new(),
            unjudged_all: false,
            transport: None,
            unrecognised: Unrecognised::default(),
        }
    }

    /// When `turn` has something to do, if no input comes before.
    pub(super) fn due(&self) -> Option<Steady> {
        self.due
    }

    /// Takes the offer of Kick's that worked last in an earlier process.
    pub(super) fn recall(&mut self, worked: Offer) {
        self.guide.choice.recall(worked);
    }

    /// Takes changed settings. Other transports and addresses count when the connections are replaced.
    pub(super) fn set(&mut self, settings: &Settings) {
        self.links.set_room(settings);
        self.guide.choice.set_budget(settings.requests_per_minute);
        self.settings = settings.clone();
    }

    /// Follows the channels that streamers have joined, and unfollows those that no streamer has any more.
    pub(super) fn follow(&mut self, streamers: &mut Streamers, book: &mut Book) {
        for change in streamers.moves() {
            match change {
                Move::In(channel) => self.links.follow(channel),
                Move::Out(channel) => self.unfollow(channel, book),
            }
        }
    }

    fn unfollow(&mut self, channel: ChannelId, book: &mut Book) {
        if let Some(closed) = self.links.unfollow(channel) {
            self.guide.closed(closed);
        }
        book.troubles.settle(Code::SubscriptionFailed, &channel.to_string());
        if self.links.count() == 0 {
            // There is no connection left that could be refused.
            book.troubles.rest(Code::PushRefused, "");
        }
        let Some(trial) = self.trial.as_mut().filter(|trial| trial.follows.contains(&channel)) else { return };
        trial.unfollow(channel);
        match trial.follows.is_empty() {
            true => self.due = Some(Steady::default()),
            false => book.out.push(Output::Unsubscribe(trial.link, vec![channel])),
        }
    }

    /// The push settings changed: every connection is replaced, and its address is chosen anew.
    pub(super) fn begin_anew(&mut self, now: Steady, book: &mut Book) {
        self.renew(now, book);
        self.guide.begin_anew(self.settings.push.clone());
        self.due = Some(now);
    }

    /// Takes a push event. Returns true if it is evidence: it came over a connection that follows its channel, and does
    /// not contradict itself (R4).
    pub(super) fn take(&mut self, now: Steady, link: LinkId, push: &PushEvent, book: &mut Book) -> bool {
        let status = push.what.status();
        if !self.may_bring(now, link, push.named, status) {
            let text = format!("channel {} is not followed on link {}", push.named, link.0);
            discard("push_stranger", text, book);
            return false;
        }
        if push.inside.is_some_and(|inside| inside != push.named) {
            discard("push_conflict", format!("channel {} speaks of {:?}", push.named, push.inside), book);
            return false;
        }
        book.last_event = Some(push.received);
        self.delivers(link, status, book);
        true
    }

    /// Returns true if events of this channel may come over this link. An event over the link of a trial may prove its
    /// transport.
    fn may_bring(&mut self, now: Steady, link: LinkId, channel: ChannelId, status: Status) -> bool {
        let sign = self.trial.as_mut().map_or(Sign::Nothing, |trial| trial.weigh(link, channel, status));
        match sign {
            Sign::Proved => self.end_trial(now, true),
            Sign::Deaf => self.end_trial(now, false),
            Sign::Alive | Sign::Nothing => {}
        }
        matches!(sign, Sign::Proved | Sign::Alive) || self.links.carries(link, channel)
    }

    /// Takes an answer of Kick's broker.
    pub(super) fn take_answer(&mut self, now: Steady, answer: &Answer<Offered>, book: &mut Book) {
        self.due = Some(now);
        self.guide.take_answer(now, answer, book);
    }

    /// The thread that asks the broker was started again.
    pub(super) fn ask_again(&mut self, now: Steady) {
        self.guide.ask_again();
        self.due = Some(now);
    }

    /// Does what is due. Returns true if Kick's broker is asked something, which counts against the budget.
    pub(super) fn turn(&mut self, now: Now, book: &mut Book) -> bool {
        let (steady, mut asked) = (now.steady, false);
        while self.due.is_some_and(|due| due <= steady) {
            // A trial that has no channel left to follow, or whose transport accepts no subscription, could never end.
            if self.trial.as_ref().is_some_and(|it| it.follows.is_empty() || it.due().is_some_and(|due| due <= steady))
            {
                self.end_trial(steady, false);
            }
            if let Some(transport) = self.links.taking_nobody(steady) {
                self.takes_nobody(now, transport, book);
                continue;
            }
            if self.moving == Moving::Surely {
                self.renew(steady, book);
                continue;
            }
            // One answer serves everything that waits for it.
            let offers = self.needs_offers(steady) && self.guide.choice.must_ask(steady);
            if !offers {
                let left = std::mem::replace(&mut self.moving, Moving::No) == Moving::IfBetter;
                if left && self.guide.choice.should_move(steady) {
                    self.renew(steady, book);
                    continue;
                }
                self.guide.send_links(steady, &mut book.out);
                self.begin_trial(steady);
            }
            self.guide.share_tokens(steady, &mut book.out);
            let request = self.guide.ask(steady, offers);
            asked |= request.is_some();
            book.out.extend(request.map(Output::AskBroker));
            let trial = self.next_trial().map(|(_, due)| due);
            let asks = trial.into_iter().chain(self.guide.due()).filter(|_| !self.guide.expects_answer());
            let ends = self.links.due().into_iter().chain(self.trial.as_ref().and_then(Trial::due));
            self.due = asks.chain(ends).min();
            break;
        }
        asked
    }

    /// Returns true if something waits for what Kick offers.
    fn needs_offers(&self, now: Steady) -> bool {
        let trial = self.next_trial().is_some_and(|(_, due)| due <= now);
        trial || self.moving == Moving::IfBetter || self.guide.is_asked()
    }

    /// Begins the trial that is due, if one is and there are channels to follow.
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

    /// Ends the trial. Unless it is `proved`, it has shown nothing.
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

    /// Replaces all connections, under new numbers. That the old ones were refused no longer counts.
    fn renew(&mut self, now: Steady, book: &mut Book) {
        book.troubles.rest(Code::PushRefused, "");
        self.unjudged_all = true;
        self.end_trial(now, false);
        self.health.begin_anew();
        book.troubles.settle(Code::PushPartial, "");
        for closed in self.links.renew() {
            self.guide.closed(closed);
        }
        self.moving = Moving::No;
    }

    /// The most connections that may be open at once.
    pub(super) fn most(&self) -> usize {
        self.links.most()
    }

    /// The connection that carries a channel, and since when its subscription is confirmed.
    pub(super) fn home(&self, channel: ChannelId) -> Option<(LinkId, Option<Steady>)> {
        self.links.home(channel)
    }

    /// The state of push, for the report.
    pub(super) fn report(&self, now: Now, book: &Book) -> Realtime {
        Realtime {
            transport: self.transport.map(|transport| transport.word().to_owned()),
            connections: self.links.count(),
            connected: self.links.connected(),
            last_event_at: book.last_event.map(|at| now.wall_at(at)),
            unrecognised_events: self.unrecognised.report(),
        }
    }
}

/// Counts and logs an event that cannot be used.
fn discard(what: &'static str, text: String, book: &mut Book) {
    book.counters.push_discarded += 1;
    book.log(Event::Detail { what, text: format!("{text}; {} so far", book.counters.push_discarded) });
}
