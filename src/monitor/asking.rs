//! What is asked of Kick next: R22. One request at a time is out to the API and one to the website,
//! all from one budget.

use super::budget::{Budget, Class};
use super::times::{API_RETRY, SMALL_BATCH, USERS_BATCH};
use super::{Asker, Key, Monitor, Output};
use crate::backoff::Backoff;
use crate::domain::ask::{Endpoint, Query, Request, RequestId};
use crate::domain::{Now, Slug, Steady, UserId};
use std::collections::{BTreeMap, BTreeSet};

/// Who is to be asked about, and what holds questions back.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) budget: Budget,
    queues: BTreeMap<Queue, BTreeSet<Key>>,
    /// Parts of requests that Kick refused as a whole.
    pieces: Vec<(Queue, Kind, Vec<Key>)>,
    flights: BTreeMap<Asker, Flight>,
    next: u64,
    pub(super) api_backoff: Backoff,
    /// No request before, by asker.
    pub(super) not_before: BTreeMap<Asker, Steady>,
    waits_for_token: bool,
    /// Batches are divided by this after errors (some of Kick's only large requests fail).
    pub(super) divisor: usize,
    /// Endpoints that Kick has no more.
    pub(super) gone: BTreeSet<Endpoint>,
    /// When something that waits may be asked.
    pub(super) wake: Option<Steady>,
}

/// Why somebody is asked about; in the order of R22.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Queue {
    /// New rows, new subscriptions, hand edits, questions raised by push.
    Fresh,
    /// Live streamers whose channel id Kick has not stated (R12).
    Reveal,
    /// Second looks.
    Second,
    /// The routine sweep.
    Routine,
    /// Names that Kick did not know.
    Names,
    /// Channel ids at the website.
    Website,
}

/// How a streamer can be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `/channels` by slug: the user id is not known, or in doubt.
    Name,
    /// `/channels` by the user id that the table gives, for a name that Kick does not know.
    Hint,
    /// A list of those who are live, by user id.
    LiveList,
    /// `/livestreams` by user id, for the channel id.
    Reveal,
    /// `/channels` by user id.
    Channels,
    /// The website, by slug.
    Website,
}

/// A request that is out.
#[derive(Debug)]
pub(super) struct Flight {
    id: RequestId,
    pub(super) endpoint: Endpoint,
    pub(super) kind: Kind,
    queue: Queue,
    /// Whom it covers, and which identity of theirs.
    pub(super) keys: Vec<(Key, u32)>,
    /// How many names or ids it asks for.
    pub(super) batch: usize,
}

impl Flight {
    /// A look that may settle a doubt by its small batch.
    pub(super) fn is_second_look(&self) -> bool {
        self.queue == Queue::Second && self.batch <= SMALL_BATCH
    }
}

impl Queue {
    fn class(self) -> Class {
        match self {
            Queue::Fresh | Queue::Reveal => Class::Fresh,
            Queue::Second => Class::Second,
            Queue::Routine => Class::Routine,
            Queue::Names | Queue::Website => Class::LookUp,
        }
    }
}

/// The queues of the official API, in the order of R22.
const API_QUEUES: [Queue; 5] = [Queue::Fresh, Queue::Reveal, Queue::Second, Queue::Routine, Queue::Names];

impl Asking {
    pub(super) fn new(per_minute: u32) -> Asking {
        Asking {
            budget: Budget::new(per_minute),
            queues: BTreeMap::new(),
            pieces: Vec::new(),
            flights: BTreeMap::new(),
            next: 0,
            api_backoff: Backoff::new(API_RETRY.0, API_RETRY.1),
            not_before: BTreeMap::new(),
            waits_for_token: false,
            divisor: 1,
            gone: BTreeSet::new(),
            wake: None,
        }
    }

    pub(super) fn put(&mut self, queue: Queue, key: Key) {
        self.queues.entry(queue).or_default().insert(key);
    }

    fn is_queued(&self, queue: Queue) -> bool {
        self.queues.get(&queue).is_some_and(|keys| !keys.is_empty())
    }

    fn take(&mut self, queue: Queue, keys: &[Key]) {
        if let Some(queued) = self.queues.get_mut(&queue) {
            for key in keys {
                queued.remove(key);
            }
        }
    }

    /// All of a queue, which is then empty.
    pub(super) fn empty(&mut self, queue: Queue) -> BTreeSet<Key> {
        self.queues.remove(&queue).unwrap_or_default()
    }

    pub(super) fn forget(&mut self, key: Key) {
        for queued in self.queues.values_mut() {
            queued.remove(&key);
        }
    }

    pub(super) fn no_second_look(&mut self, key: Key) {
        self.take(Queue::Second, &[key]);
    }

    /// An answer came about this streamer; the routine need not ask again.
    pub(super) fn compared(&mut self, key: Key) {
        self.take(Queue::Routine, &[key]);
    }

    /// The request with this number is answered.
    pub(super) fn landed(&mut self, id: RequestId) -> Option<Flight> {
        let asker = self.flights.iter().find(|(_, flight)| flight.id == id).map(|(asker, _)| *asker)?;
        self.flights.remove(&asker)
    }

    /// Puts back what a request did not answer. The sweep waits for those streamers too, whatever
    /// becomes of the reason that they were asked about for.
    pub(super) fn put_back(&mut self, flight: &Flight) {
        for (key, _) in &flight.keys {
            self.put(flight.queue, *key);
            if flight.endpoint != Endpoint::Website {
                self.put(Queue::Routine, *key);
            }
        }
    }

    /// Kick refused the request as a whole, so one of its names is at fault: halves are asked for by
    /// themselves. None when it was a single one, and that is the culprit.
    pub(super) fn halve(&mut self, flight: &Flight) -> Option<()> {
        if flight.batch < 2 {
            return None;
        }
        let keys: Vec<Key> = flight.keys.iter().map(|(key, _)| *key).collect();
        let (left, right) = keys.split_at(keys.len() / 2);
        self.pieces.extend([left, right].map(|half| (flight.queue, flight.kind, half.to_vec())));
        Some(())
    }

    pub(super) fn wait_for_token(&mut self, until: Steady) {
        self.waits_for_token = true;
        self.not_before.insert(Asker::Api, until);
    }

    pub(super) fn token_came(&mut self) {
        if std::mem::take(&mut self.waits_for_token) {
            self.not_before.remove(&Asker::Api);
        }
    }

    fn wake_at(&mut self, at: Steady) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Whether a request of this class may go to this asker now; arranges to be woken if not.
    fn may_ask(&mut self, now: Steady, asker: Asker, class: Class) -> bool {
        let allowed = self.not_before.get(&asker).copied().filter(|at| *at > now);
        let at = allowed.unwrap_or_else(|| self.budget.ready_at(now, class));
        if at > now {
            self.wake_at(at);
        }
        at <= now
    }
}

impl Monitor {
    /// Asks about a streamer as soon as the budget allows.
    pub(super) fn ask_about(&mut self, key: Key) {
        if self.streamers.contains_key(&key) {
            self.asking.put(Queue::Fresh, key);
        }
    }

    /// Takes the second look at a streamer, if there is still a doubt.
    pub(super) fn look_again(&mut self, key: Key) {
        if self.streamers.get(&key).is_some_and(|streamer| streamer.doubt.is_some()) {
            self.asking.put(Queue::Second, key);
        }
    }

    /// A thread that asks began anew: its request is asked again.
    pub(super) fn ask_again(&mut self, asker: Asker) {
        if let Some(flight) = self.asking.flights.remove(&asker) {
            self.asking.put_back(&flight);
        }
    }

    /// Sends what may be sent. Called at the end of every turn.
    pub(super) fn ask(&mut self, now: Now) {
        self.asking.wake = None;
        if !self.asking.flights.contains_key(&Asker::Api) {
            self.ask_api(now);
        }
        if !self.asking.flights.contains_key(&Asker::Website) && self.asking.is_queued(Queue::Website) {
            self.ask_website(now);
        }
    }

    fn ask_api(&mut self, now: Now) {
        while let Some((queue, kind, keys)) = self.asking.pieces.pop() {
            if !self.asking.may_ask(now.steady, Asker::Api, Class::Fresh) {
                return self.asking.pieces.push((queue, kind, keys));
            }
            if self.send_question(now, queue, kind, keys) {
                return;
            }
        }
        for queue in API_QUEUES {
            while self.asking.is_queued(queue) {
                if !self.asking.may_ask(now.steady, Asker::Api, queue.class()) {
                    return;
                }
                let Some((kind, keys)) = self.next_batch(queue) else { break };
                self.asking.take(queue, &keys);
                if self.send_question(now, queue, kind, keys) {
                    return;
                }
            }
        }
    }

    fn ask_website(&mut self, now: Now) {
        if !self.asking.may_ask(now.steady, Asker::Website, Class::LookUp) {
            return;
        }
        let Some(key) = self.asking.queues.get_mut(&Queue::Website).and_then(BTreeSet::pop_first) else { return };
        self.send_question(now, Queue::Website, Kind::Website, vec![key]);
    }

    /// How the first in a queue is to be asked about, and who else can be asked about with it.
    fn next_batch(&self, queue: Queue) -> Option<(Kind, Vec<Key>)> {
        let queued = self.asking.queues.get(&queue)?;
        let kind = queued.first().map(|key| self.kind_for(queue, *key))?;
        let limit = self.batch_limit(queue, kind);
        let alike = |key: &&Key| self.kind_for(queue, **key) == kind;
        let mut keys: Vec<Key> = queued.iter().filter(alike).take(limit).copied().collect();
        if queue == Queue::Fresh {
            // What room is left costs nothing.
            let routine = self.asking.queues.get(&Queue::Routine);
            let more = routine.into_iter().flatten().filter(|key| alike(key) && !queued.contains(key));
            keys.extend(more.take(limit - keys.len()));
        }
        Some((kind, keys))
    }

    fn kind_for(&self, queue: Queue, key: Key) -> Kind {
        let Some(streamer) = self.streamers.get(&key) else { return Kind::Name };
        let ids = &streamer.ids;
        if queue == Queue::Names {
            return Kind::Name;
        }
        if ids.user.is_none() && ids.unknown && ids.configured_user.is_some() {
            return Kind::Hint;
        }
        if ids.user.is_none() || ids.doubtful.is_some() {
            return Kind::Name;
        }
        match queue {
            Queue::Reveal => Kind::Reveal,
            Queue::Second => match streamer.doubt.map(|doubt| doubt.first.endpoint) {
                Some(Endpoint::Channels) => Kind::LiveList,
                _ => Kind::Channels,
            },
            _ => Kind::LiveList,
        }
    }

    fn batch_limit(&self, queue: Queue, kind: Kind) -> usize {
        let most = match (queue, kind) {
            (Queue::Second, _) => return SMALL_BATCH.min(self.settings.batch),
            (_, Kind::LiveList) if self.live_list() == Some(Endpoint::UsersLivestreams) => USERS_BATCH,
            _ => self.settings.batch,
        };
        (most / self.asking.divisor).max(SMALL_BATCH.min(most))
    }

    /// The endpoint that lists who is live, as far as Kick still has one.
    fn live_list(&self) -> Option<Endpoint> {
        [Endpoint::UsersLivestreams, Endpoint::Livestreams]
            .into_iter()
            .find(|endpoint| !self.asking.gone.contains(endpoint))
    }

    /// Whether there is one.
    pub(super) fn has_live_list(&self) -> bool {
        self.live_list().is_some()
    }

    /// Whether `/livestreams` can be asked for a channel id.
    pub(super) fn has_livestreams(&self) -> bool {
        !self.asking.gone.contains(&Endpoint::Livestreams)
    }

    /// Makes one request of these streamers. False when none of them can be asked about any more.
    fn send_question(&mut self, now: Now, queue: Queue, kind: Kind, keys: Vec<Key>) -> bool {
        let keys: Vec<Key> = keys.into_iter().filter(|key| self.streamers.contains_key(key)).collect();
        let Some((query, batch)) = self.query(kind, &keys) else { return false };
        let asker = if kind == Kind::Website { Asker::Website } else { Asker::Api };
        if asker == Asker::Api {
            // The website is asked for ids alone; who is asked about there is still to be compared.
            self.asking.take(Queue::Routine, &keys);
        }
        let id = RequestId(self.asking.next);
        self.asking.next += 1;
        self.asking.budget.spend(now.steady, 1);
        let keys = keys.iter().filter_map(|key| self.streamers.get(key).map(|streamer| (*key, streamer.epoch)));
        let flight = Flight { id, endpoint: query.endpoint(), kind, queue, keys: keys.collect(), batch };
        self.asking.flights.insert(asker, flight);
        self.out.push(Output::Ask(asker, Request { id, query }));
        true
    }

    /// Two rows may name one streamer (R16): Kick is asked once.
    fn query(&self, kind: Kind, keys: &[Key]) -> Option<(Query, usize)> {
        let of = |key: &Key| self.streamers.get(key);
        if matches!(kind, Kind::Name | Kind::Website) {
            let mut slugs: Vec<Slug> = keys.iter().filter_map(of).map(|streamer| streamer.asked_slug()).collect();
            slugs.sort();
            slugs.dedup();
            let batch = slugs.len();
            let query = match kind {
                Kind::Website => Query::Website(slugs.pop()?),
                _ => Query::ChannelsBySlug(slugs),
            };
            return (batch > 0).then_some((query, batch));
        }
        let user = |key: &Key| of(key).and_then(|streamer| streamer.ids.user.or(streamer.ids.configured_user));
        let mut users: Vec<UserId> = keys.iter().filter_map(user).collect();
        users.sort();
        users.dedup();
        let batch = users.len();
        let query = match (kind, self.live_list()) {
            (Kind::Reveal, _) | (Kind::LiveList, Some(Endpoint::Livestreams)) => Query::Livestreams(users),
            (Kind::LiveList, Some(_)) => Query::UsersLivestreams(users),
            _ => Query::ChannelsByUser(users),
        };
        (batch > 0).then_some((query, batch))
    }
}
