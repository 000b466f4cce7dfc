//! The room of webhooks (R27): Kick's public key, who is subscribed, and whether deliveries come.
//!
//! It owns all of that, and knows which rows are about which of Kick's users. What a delivery means for a streamer is
//! the streamer's to judge.

mod subscriptions;

use super::book::Book;
use super::misses::{Counted, Expected, Misses};
use super::streamers::Key;
use super::times::API_RETRY;
use super::{Output, Settings};
use crate::backoff::Backoff;
use crate::domain::ask::{Answer, Failure, FailureKind, Request, RequestId};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::report::Webhooks as Told;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Delivery, WebhookAnswer, WebhookEvent, WebhookOrder, WebhookQuery};
use crate::domain::{Now, Status, Steady, UserId};
use crate::monitor::broadcasts::apart;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use subscriptions::Subscriptions;

/// How often Kick's public key is asked for, and how often at most when a signature does not hold.
const KEY_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
const KEYS_APART: Duration = Duration::from_secs(600);
/// The worker learns of Kick's time again when it is this far from what it was told.
const CLOCK_DRIFT: Duration = Duration::from_secs(5);
/// The longest pause after a request about webhooks failed; the first is [`API_RETRY`]'s.
const PAUSE_MOST: Duration = Duration::from_secs(600);

/// The room.
#[derive(Debug)]
pub(super) struct Webhooks {
    on: bool,
    hold: Duration,
    /// Whose rows are about which user.
    rows: BTreeMap<UserId, BTreeSet<Key>>,
    users: BTreeMap<Key, UserId>,
    subscriptions: Subscriptions,
    /// Kick's public key, when it came, and whether a signature did not hold since.
    key: Option<(String, Steady)>,
    key_doubted: bool,
    clock: Option<Timestamp>,
    /// The request that is out, and the number of the next.
    flight: Option<(RequestId, WebhookQuery)>,
    next: RequestId,
    backoff: Backoff,
    rests_until: Steady,
    /// When the last delivery came. Until the first, nobody knows that deliveries reach us.
    last: Option<Steady>,
    misses: Misses,
    expected: Expected,
    counted: Counted<Option<UserId>>,
    /// How many streamers were subscribed when that was last logged.
    said: Option<usize>,
    /// Streamers whose coverage is to be judged again (R23), and whether that concerns all.
    unjudged: BTreeSet<Key>,
    unjudged_all: bool,
}

impl Webhooks {
    pub(super) fn new(settings: &Settings) -> Webhooks {
        Webhooks {
            on: settings.webhooks,
            hold: settings.hold,
            rows: BTreeMap::new(),
            users: BTreeMap::new(),
            subscriptions: Subscriptions::default(),
            key: None,
            key_doubted: false,
            clock: None,
            flight: None,
            next: RequestId(0),
            backoff: Backoff::new(API_RETRY.0, PAUSE_MOST),
            rests_until: Steady::default(),
            last: None,
            misses: Misses::default(),
            expected: Expected::default(),
            counted: Counted::default(),
            said: None,
            unjudged: BTreeSet::new(),
            unjudged_all: false,
        }
    }

    /// The settings changed. Whether webhooks were switched on: then it is to be learned whose rows there are.
    pub(super) fn set(&mut self, settings: &Settings, book: &mut Book) -> bool {
        let was_on = self.on;
        if was_on && !settings.webhooks {
            self.subscriptions.rest();
            let subscriptions = std::mem::take(&mut self.subscriptions);
            *self = Webhooks { subscriptions, next: self.next, unjudged_all: true, ..Webhooks::new(settings) };
            for code in [Code::WebhookListener, Code::WebhookSilent] {
                book.troubles.settle(code, "");
            }
            book.troubles.keep(Code::WebhookIncomplete, |_| false);
        }
        (self.on, self.hold) = (settings.webhooks, settings.hold);
        self.on && !was_on
    }

    /// What an earlier process subscribed to.
    pub(super) fn remember(&mut self, made: BTreeMap<UserId, String>) {
        self.subscriptions.remember(made);
    }

    /// A row is about this user, as far as Kick has said.
    pub(super) fn learn(&mut self, key: Key, user: Option<UserId>) {
        if !self.on || self.users.get(&key).copied() == user {
            return;
        }
        self.forget(key);
        let Some(user) = user else { return };
        self.users.insert(key, user);
        self.rows.entry(user).or_default().insert(key);
        self.subscriptions.want(user);
    }

    /// A row is gone.
    pub(super) fn forget(&mut self, key: Key) {
        self.leave(key).into_iter().for_each(|user| self.subscriptions.unwant(user));
    }

    /// A row is another instance's from now on (R25), which goes on with its subscription.
    pub(super) fn let_go(&mut self, key: Key) {
        self.leave(key).into_iter().for_each(|user| self.subscriptions.let_go(user));
    }

    /// Returns the user if no row is about them any more.
    fn leave(&mut self, key: Key) -> Option<UserId> {
        self.expected.forget(key);
        let user = self.users.remove(&key)?;
        let keys = self.rows.get_mut(&user)?;
        keys.remove(&key);
        keys.is_empty().then_some(())?;
        self.rows.remove(&user);
        Some(user)
    }

    /// The worker reports. Gives back whose rows a delivery is about.
    pub(super) fn take(&mut self, now: Now, event: &WebhookEvent, book: &mut Book) -> Vec<Key> {
        if !self.on {
            return Vec::new();
        }
        match event {
            WebhookEvent::Listening(None) => drop(book.troubles.settle(Code::WebhookListener, "")),
            WebhookEvent::Listening(Some(why)) => {
                if book.troubles.raise(now, Code::WebhookListener, "", why.as_str(), why) {
                    book.log(Event::WebhookListener { reason: why.clone() });
                }
            }
            WebhookEvent::Others(counts) => {
                self.key_doubted |= counts.contains_key("signature");
                counts.iter().for_each(|(result, count)| book.count_deliveries(result, *count));
            }
            WebhookEvent::Delivered(delivery) => return self.take_delivery(delivery, book),
        }
        Vec::new()
    }

    fn take_delivery(&mut self, delivery: &Delivery, book: &mut Book) -> Vec<Key> {
        book.count_deliveries("taken", 1);
        let was_silent = self.misses.silence().is_some();
        self.unjudged_all |= self.last.replace(delivery.received).is_none();
        self.misses.heard(delivery.status);
        if was_silent && self.misses.silence().is_none() {
            self.unjudged_all = true;
            book.troubles.settle(Code::WebhookSilent, "");
        }
        let keys: Vec<Key> = self.rows.get(&delivery.user).into_iter().flatten().copied().collect();
        for key in &keys {
            self.expected.came(*key, delivery.status);
        }
        keys
    }

    /// Another source reported a change first; a delivery has a little time to report it as well (R11).
    pub(super) fn expect(&mut self, now: Steady, key: Key, status: Status, book: &mut Book) {
        let since = self.users.get(&key).and_then(|user| self.subscriptions.standing(*user));
        if since.is_some_and(|since| now.since(since) > self.hold) {
            self.expected.expect(now, key, status, book);
        }
    }

    /// That time is over.
    pub(super) fn overdue(&mut self, now: Now, key: Key, book: &mut Book) {
        let user = self.users.get(&key).copied();
        for status in self.expected.overdue(now.steady, key) {
            if self.counted.is_first(now.steady, user, status) {
                self.missed(now, status, book);
            }
        }
    }

    fn missed(&mut self, now: Now, status: Status, book: &mut Book) {
        let was_silent = self.misses.silence().is_some();
        self.misses.missed(status);
        let Some(silence) = self.misses.silence() else { return };
        self.unjudged_all |= !was_silent;
        let kind = silence.kind.word();
        if book.troubles.raise(now, Code::WebhookSilent, "", silence.words(), kind) {
            book.log(Event::WebhookSilent { missed: silence.missed, kind });
        }
    }

    /// R23: whether deliveries report every change of this row's streamer, as far as is known: Kick shows the
    /// subscription, deliveries have come at all, and none was missed since.
    pub(super) fn covers(&self, key: Key) -> bool {
        let standing = self.users.get(&key).is_some_and(|user| self.subscriptions.standing(*user).is_some());
        standing && self.last.is_some() && self.misses.silence().is_none() && !self.expected.is_missing(key)
    }

    /// R23: the streamers whose coverage is to be judged again since the last call.
    pub(super) fn unjudged(&mut self) -> Vec<Key> {
        let some = std::mem::take(&mut self.unjudged);
        match std::mem::take(&mut self.unjudged_all) {
            true => self.users.keys().copied().collect(),
            false => some.into_iter().collect(),
        }
    }

    /// Tells the worker Kick's time: what Kick's clock showed when our steady time began.
    pub(super) fn tell_time(&mut self, zero: Option<Timestamp>, book: &mut Book) {
        let Some(zero) = zero.filter(|_| self.on) else { return };
        if self.clock.is_none_or(|told| apart(told, zero) > CLOCK_DRIFT) {
            self.clock = Some(zero);
            book.out.push(Output::Webhook(WebhookOrder::Clock(zero)));
        }
    }

    /// When there is something to ask, if nothing else happens.
    pub(super) fn due(&self) -> Option<Steady> {
        let asks = self.on && self.flight.is_none();
        let due = [Some(self.key_due()), self.subscriptions.due()].into_iter().flatten().min();
        due.filter(|_| asks).map(|due| due.max(self.rests_until))
    }

    fn key_due(&self) -> Steady {
        let pause = if self.key_doubted { KEYS_APART } else { KEY_AGE_MAX };
        self.key.as_ref().map_or(Steady::default(), |(_, came)| *came + pause)
    }

    /// Asks what is due; the budget has room for it.
    pub(super) fn ask(&mut self, now: Steady, book: &mut Book) {
        let query = if self.key_due() <= now { Some(WebhookQuery::PublicKey) } else { self.subscriptions.next(now) };
        let Some(query) = query else { return };
        if let WebhookQuery::Make(user) = &query {
            self.subscriptions.makes(*user);
        }
        let id = self.next;
        self.next = RequestId(id.0 + 1);
        self.flight = Some((id, query.clone()));
        book.out.push(Output::AskWebhooks(Request { id, query }));
    }

    /// The thread that asks began anew.
    pub(super) fn ask_again(&mut self) {
        if let Some((_, WebhookQuery::Make(user))) = self.flight.take() {
            self.subscriptions.failed(user);
        }
    }

    /// Kick answered, or did not. `all_known`: every row has been compared, so the user of each is known.
    /// Returns true if Kick asks for fewer requests.
    pub(super) fn take_answer(
        &mut self,
        now: Now,
        answer: &Answer<WebhookAnswer>,
        all_known: bool,
        book: &mut Book,
    ) -> bool {
        let Some((_, query)) = self.flight.take_if(|(id, _)| *id == answer.id) else { return false };
        let word = query.word();
        book.count_answer(word, answer.spent, answer.code());
        match (&answer.result, query) {
            (Ok(answer), query) => {
                self.backoff.reset();
                if book.works(word) {
                    book.log(Event::ApiRecovered { endpoint: word });
                }
                self.take_good(now, answer, query, all_known, book);
                false
            }
            (Err(failure), WebhookQuery::Make(user)) if failure.kind == FailureKind::BadRequest => {
                self.subscriptions.refused(now.steady, user, failure.text.clone());
                self.tell_lacking(now, book);
                false
            }
            (Err(failure), WebhookQuery::Delete(ids))
                if matches!(failure.kind, FailureKind::NotFound | FailureKind::BadRequest) =>
            {
                self.forget_deleted(&ids, book);
                false
            }
            (Err(failure), query) => self.fails(now, failure, &query, book),
        }
    }

    fn take_good(&mut self, now: Now, answer: &WebhookAnswer, query: WebhookQuery, all_known: bool, book: &mut Book) {
        match (answer, query) {
            (WebhookAnswer::PublicKey(key), _) => {
                self.key = Some((key.clone(), now.steady));
                self.key_doubted = false;
                book.out.push(Output::Webhook(WebhookOrder::Key(key.clone())));
            }
            (WebhookAnswer::List(list), _) => {
                for user in self.subscriptions.listed(now.steady, list, all_known) {
                    book.out.push(Output::Subscribed(user, None));
                }
                self.unjudged_all = true;
                self.tell_lacking(now, book);
                let count = self.subscriptions.count();
                if self.subscriptions.are_complete() && count > 0 && self.said.replace(count) != Some(count) {
                    book.log(Event::WebhookSubscribed { streamers: count });
                }
            }
            (WebhookAnswer::Made(id), WebhookQuery::Make(user)) => {
                self.subscriptions.made(now.steady, user, id.clone());
                self.unjudged.extend(self.rows.get(&user).into_iter().flatten());
                book.out.push(Output::Subscribed(user, Some(id.clone())));
            }
            (WebhookAnswer::NotMade(why), WebhookQuery::Make(user)) => {
                self.subscriptions.refused(now.steady, user, why.clone());
                self.tell_lacking(now, book);
            }
            (WebhookAnswer::Deleted, WebhookQuery::Delete(ids)) => self.forget_deleted(&ids, book),
            _ => {}
        }
    }

    fn forget_deleted(&mut self, ids: &[String], book: &mut Book) {
        for user in self.subscriptions.deleted(ids) {
            book.out.push(Output::Subscribed(user, None));
        }
    }

    fn tell_lacking(&self, now: Now, book: &mut Book) {
        let lacking = self.subscriptions.lacking();
        let kinds = [("refused", lacking.refused), ("unseen", lacking.unseen), ("beyond", lacking.beyond)];
        for (subject, words) in kinds {
            match words {
                Some(words) => book.troubles.note(now, Code::WebhookIncomplete, subject, words),
                None => book.troubles.rest(Code::WebhookIncomplete, subject),
            }
        }
    }

    fn fails(&mut self, now: Now, failure: &Failure, query: &WebhookQuery, book: &mut Book) -> bool {
        if let WebhookQuery::Make(user) = query {
            self.subscriptions.failed(*user);
        }
        let pause = self.backoff.next(&mut book.rng).max(failure.kind.retry_after());
        self.rests_until = now.steady + pause;
        if failure.kind != FailureKind::NoToken && book.failed(now, query.word(), failure) {
            book.log(failure.clone().event(query.word(), pause));
        }
        failure.asks_for_fewer()
    }

    /// Since when the subscription of this row's streamer is known to stand.
    pub(super) fn since(&self, key: Key) -> Option<Steady> {
        self.subscriptions.standing(*self.users.get(&key)?)
    }

    /// What is told of webhooks; nothing while they are off.
    pub(super) fn report(&self, now: Now) -> Option<Told> {
        self.on.then(|| Told {
            subscriptions: self.subscriptions.count(),
            last_delivery_at: self.last.map(|at| now.wall_at(at)),
        })
    }
}
