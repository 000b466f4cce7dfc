//! Which transport a connection uses: by what Kick offers, what the configuration has, what worked last, and what has
//! failed since (R11; docs/rules.md, "Times"; `REALTIME`).
//!
//! It asks nobody, connects nowhere and reads no clock; it is told the outcomes.
//!
//! ```text
//!            refused for good, or three failed attempts in a row: until its pause is over
//!   well ◄──────────────────────────────────────────────────────────────────────────────► ailing
//!    ▲        silent: until a trial beside the one in use brought an event
//!    └──────────────────────────────────────────────────────────────────────────────────► silent, perhaps ailing too
//! ```

use super::ways::Terms;
use crate::domain::Steady;
use crate::domain::push::{EndKind, LinkId, Transport};
use crate::domain::way::{Offer, Way};
use crate::monitor::misses::Kind;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long an answer of the broker serves ordinary reconnections.
pub(super) const KEPT: Duration = Duration::from_secs(60);
/// When the answer is in doubt, Kick is asked again, but not before it is this old.
const KEPT_IN_DOUBT: Duration = Duration::from_secs(5);
/// A connection that ends sooner than this after the server's greeting counts as failed.
const LASTING: Duration = Duration::from_secs(10);
/// After this many failed attempts in a row, a way counts as unreachable, and another one is tried.
const IN_VAIN: u32 = 3;

/// After this long, a past failure no longer counts as a repeat.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);
/// The most ways whose failures are remembered, of each kind: Kick may offer another one each time.
const REMEMBERED: usize = 64;

/// What is known about the ways to push, and where each link was sent.
#[derive(Debug)]
pub struct Choice {
    terms: Terms,
    answer: Option<LastAnswer>,
    /// For how long an answer in doubt is kept.
    kept_in_doubt: Duration,
    /// Since when the answer is in doubt.
    doubted: Option<Steady>,
    /// The last of Kick's offers that led to a connection.
    worked: Option<Offer>,
    /// Ways that refused us or could not be reached.
    ailing: BTreeMap<Way, Ailing>,
    /// Ways that went silent. They are kept apart from the others: that a way is refused or unreachable for a while
    /// does not end its silence.
    silent: BTreeMap<Way, Ailing>,
    /// The kind of change that each of those does not report.
    silent_of: BTreeMap<Way, Kind>,
    sent: BTreeMap<LinkId, Sent>,
}

/// Where a link was sent.
#[derive(Debug)]
struct Sent {
    way: Way,
    /// The number of failed attempts in a row.
    in_vain: u32,
    /// When the server's greeting came, while the connection is open.
    greeted: Option<Steady>,
}

/// The last answer of Kick's broker.
#[derive(Debug)]
struct LastAnswer {
    at: Steady,
    /// Empty if there was no usable answer.
    offers: Vec<Offer>,
}

/// Why a way is not used while there is a better one.
#[derive(Clone, Copy, Debug)]
struct Ailing {
    how: Ailment,
    pause: Duration,
    until: Steady,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ailment {
    /// It was silent, and a trial has proved it since. Another silence counts as a repeat.
    Recovered,
    Silent,
    Unreachable,
    Refused,
}

impl Ailment {
    /// The first pause, and the longest; it doubles.
    fn pauses(self) -> (Duration, Duration) {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        match self {
            Ailment::Unreachable => (minutes(1), minutes(60)),
            Ailment::Recovered | Ailment::Silent | Ailment::Refused => (minutes(10), minutes(360)),
        }
    }
}

impl Choice {
    /// A choice that knows only which offer worked last in an earlier process.
    pub fn new(terms: Terms, worked: Option<Offer>) -> Choice {
        Choice {
            terms,
            answer: None,
            kept_in_doubt: KEPT_IN_DOUBT,
            doubted: None,
            worked,
            ailing: BTreeMap::new(),
            silent: BTreeMap::new(),
            silent_of: BTreeMap::new(),
            sent: BTreeMap::new(),
        }
    }

    /// Takes changed settings: only the offer that worked last still counts.
    pub(super) fn begin_anew(&mut self, terms: Terms) {
        let kept_in_doubt = self.kept_in_doubt;
        *self = Choice { kept_in_doubt, ..Choice::new(terms, self.worked.take()) };
    }

    /// R22: half of a small budget is left to the API.
    pub(super) fn set_budget(&mut self, requests_per_minute: u32) {
        let apart = Duration::from_secs(60) * 2 / requests_per_minute.max(1);
        self.kept_in_doubt = KEPT_IN_DOUBT.max(apart);
    }

    /// Takes the offer that worked last in an earlier process.
    pub(super) fn recall(&mut self, worked: Offer) {
        self.worked = Some(worked);
    }

    /// The transports to name when Kick is asked what it offers.
    pub(super) fn speaks(&self) -> Vec<Transport> {
        self.terms.speaks()
    }

    /// Returns true if Kick is to be asked before the next connection. If only Pusher is allowed, Kick is asked only
    /// after the configured server has refused us.
    pub fn must_ask(&self, now: Steady) -> bool {
        match &self.answer {
            None => self.terms.only != Some(Transport::Pusher) || self.doubted.is_some(),
            Some(answer) => {
                let age = now.since(answer.at);
                let in_doubt = self.doubted.is_some() || self.candidates().is_empty();
                age >= KEPT || in_doubt && age >= self.kept_in_doubt
            }
        }
    }

    /// Takes Kick's answer to a request sent at `asked`; `None` if the broker is blocked or down, or its answer is
    /// unusable. A doubt that arose since `asked` stays.
    pub fn take_answer(&mut self, asked: Steady, now: Steady, offers: Option<Vec<Offer>>) {
        self.answer = Some(LastAnswer { at: now, offers: offers.unwrap_or_default() });
        self.doubted.take_if(|since| *since <= asked);
    }

    /// The link's next connection goes this way.
    pub(super) fn send(&mut self, link: LinkId, way: &Way) {
        if self.sent.get(&link).is_none_or(|sent| sent.way != *way) {
            self.sent.insert(link, Sent { way: way.clone(), in_vain: 0, greeted: None });
        }
    }

    /// The server greeted the link. Returns the offer to remember, if it is another one than before.
    pub(super) fn connected(&mut self, now: Steady, link: LinkId) -> Option<&Offer> {
        let sent = self.sent.get_mut(&link)?;
        sent.greeted = Some(now);
        self.ailing.remove(&sent.way);
        let way = sent.way.clone();
        // A silent way on trial has not worked, and must not replace the offer that has.
        if self.is_silent(&way) {
            return None;
        }
        let offer = self.offers().iter().find(|&offer| self.terms.way(offer).as_ref() == Some(&way))?.clone();
        if self.worked.as_ref() == Some(&offer) {
            return None;
        }
        self.worked = Some(offer);
        self.worked.as_ref()
    }

    /// A connection ended, or could not be established.
    pub(super) fn ended(&mut self, now: Steady, link: LinkId, kind: EndKind) {
        let Some(sent) = self.sent.get_mut(&link) else { return };
        let lasted = sent.greeted.take().is_some_and(|since| now.since(since) >= LASTING);
        sent.in_vain = if lasted { 0 } else { sent.in_vain + 1 };
        let (way, in_vain) = (sent.way.clone(), sent.in_vain);
        if kind == EndKind::Refused {
            self.doubted = Some(now);
            self.ails(now, way, Ailment::Refused);
        } else if in_vain >= IN_VAIN {
            self.ails(now, way, Ailment::Unreachable);
        }
    }

    /// The link no longer exists.
    pub(super) fn closed(&mut self, link: LinkId) {
        self.sent.remove(&link);
    }

    /// R11: this transport does not report changes of this kind. A link on trial is judged by its trial.
    pub(super) fn silent(&mut self, now: Steady, transport: Transport, kind: Kind, on_trial: Option<LinkId>) {
        self.doubted = Some(now);
        let sent =
            self.sent.iter().filter(|(link, sent)| sent.way.transport() == transport && Some(**link) != on_trial);
        let ways: Vec<Way> = sent.map(|(_, sent)| sent.way.clone()).collect();
        for way in ways {
            let of = if *self.silent_of.get(&way).unwrap_or(&kind) == kind { kind } else { Kind::Both };
            self.silent_of.insert(way.clone(), of);
            self.ails(now, way, Ailment::Silent);
        }
        self.silent_of.retain(|way, _| self.silent.contains_key(way));
    }

    /// The kind of change that this way does not report.
    pub(super) fn silent_of(&self, way: &Way) -> Kind {
        self.silent_of.get(way).copied().unwrap_or(Kind::Both)
    }

    /// Returns true if a link uses a silent way although there is one that works.
    pub(super) fn should_move(&self, now: Steady) -> bool {
        let Some(best) = self.best(now) else { return false };
        self.is_well(now, &best) && self.sent.values().any(|sent| sent.way != best && self.is_silent(&sent.way))
    }

    /// The next way to try, and when: one that is silent, that Kick still offers, and that would be preferred to the
    /// one in use.
    pub(super) fn next_trial(&self) -> Option<(Way, Steady)> {
        if self.silent.is_empty() {
            return None;
        }
        let in_use = |way: &Way| self.sent.values().any(|sent| sent.way == *way);
        let better = self.candidates().into_iter().take_while(|way| !in_use(way) || self.is_silent(way));
        let silent = better.filter(|way| !in_use(way) && self.is_silent(way));
        silent
            .filter_map(|way| self.silent.get(&way).map(|ailing| (way.clone(), ailing.until)))
            .min_by_key(|(_, due)| *due)
    }

    /// A trial has proved that this way works again.
    pub(super) fn proved(&mut self, way: &Way) {
        if let Some(ailing) = self.silent.get_mut(way) {
            ailing.how = Ailment::Recovered;
        }
        self.silent_of.remove(way);
    }

    /// A trial of this way has ended without a proof.
    pub(super) fn unproved(&mut self, now: Steady, way: Way) {
        self.ails(now, way, Ailment::Silent);
    }

    /// The way for the next connection. `None` if only one transport is allowed and Kick does not offer it.
    pub fn best(&self, now: Steady) -> Option<Way> {
        let candidates = self.candidates();
        // If all have failed, the one whose pause ends first has had most time to recover.
        let least = |way: &&Way| {
            let silent = self.silent.get(*way).filter(|ailing| ailing.how == Ailment::Silent);
            silent.into_iter().chain(self.ailing.get(*way)).map(|ailing| ailing.until).max()
        };
        let well = candidates.iter().find(|way| self.is_well(now, way));
        well.or_else(|| candidates.iter().min_by_key(least)).cloned()
    }

    fn is_well(&self, now: Steady, way: &Way) -> bool {
        !self.is_silent(way) && self.ailing.get(way).is_none_or(|ailing| ailing.until <= now)
    }

    fn is_silent(&self, way: &Way) -> bool {
        self.silent.get(way).is_some_and(|ailing| ailing.how == Ailment::Silent)
    }

    /// The ways that may be used, the best first.
    fn candidates(&self) -> Vec<Way> {
        let mut ways: Vec<Way> = self.offers().iter().filter_map(|offer| self.terms.way(offer)).collect();
        ways.sort_by_key(|way| Transport::ALL.iter().position(|known| *known == way.transport()));
        if self.terms.only == Some(Transport::Pusher) {
            ways.insert(0, self.terms.configured());
        } else if ways.iter().all(|way| self.ailing.contains_key(way)) {
            // Kick offers nothing, or only ways that have failed.
            ways.push(self.terms.configured());
            ways.extend(self.worked.as_ref().and_then(|offer| self.terms.way(offer)));
        }
        ways.retain(|way| self.terms.only.is_none_or(|only| only == way.transport()));
        ways
    }

    fn offers(&self) -> &[Offer] {
        self.answer.as_ref().map_or(&[], |answer| &answer.offers)
    }

    /// Notes that a way failed. What a hundred links find at once counts once.
    fn ails(&mut self, now: Steady, way: Way, how: Ailment) {
        let (first, most) = how.pauses();
        let ailing = if how == Ailment::Silent { &mut self.silent } else { &mut self.ailing };
        let pause = match ailing.get(&way) {
            Some(before) if before.how == how && now < before.until => before.pause,
            Some(before) if before.repeats(now, how) => (before.pause * 2).min(most),
            _ => first,
        };
        ailing.insert(way, Ailing { how, pause, until: now + pause });
        ailing.retain(|_, old| now < old.until + FORGOTTEN);
        if ailing.len() > REMEMBERED {
            let soonest = ailing.iter().min_by_key(|(_, old)| old.until).map(|(way, _)| way.clone());
            soonest.and_then(|way| ailing.remove(&way));
        }
    }
}

impl Ailing {
    /// Returns true if the same failure now counts as a repeat.
    fn repeats(self, now: Steady, how: Ailment) -> bool {
        let same = self.how == how || (self.how, how) == (Ailment::Recovered, Ailment::Silent);
        same && now < self.until + FORGOTTEN
    }
}

#[cfg(test)]
mod tests;
