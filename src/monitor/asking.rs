//! What is asked of Kick next: R22. One request at a time is out to the API and one to the website,
//! all from one budget.

mod ages;
mod budget;
mod next;
mod poison;
mod questions;
mod routine;
mod uncovered;
mod weather;

use super::Asker;
use super::io::Settings;
use super::streamers::{Key, Streamers};
use super::times::SMALL_BATCH;
use crate::domain::ask::{Endpoint, RequestId};
use crate::domain::{Now, Steady};
use ages::Ages;
use budget::{Budget, Class};
use poison::Poison;
pub(super) use questions::asked_by;
use routine::Routine;
use std::collections::{BTreeMap, BTreeSet};
use uncovered::Uncovered;
use weather::Weather;

/// Who is to be asked about, and what holds questions back.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) budget: Budget,
    routine: Routine,
    uncovered: Uncovered,
    /// Which of the three lower classes was asked last: they take turns.
    last_turn: Option<Class>,
    /// How old the last comparisons are.
    pub(super) ages: Ages,
    /// Names or ids in one request of most endpoints.
    batch: usize,
    queues: BTreeMap<Queue, BTreeSet<Key>>,
    /// Queues of which nobody could be asked about while these endpoints were clear, and who has come since:
    /// a great roster is not gone through again for every input that changes nothing of it.
    fruitless: BTreeMap<Queue, (BTreeSet<Endpoint>, Vec<Key>)>,
    /// Parts of requests that Kick refused as a whole.
    pieces: Vec<(Queue, Kind, Vec<Key>)>,
    flights: BTreeMap<Asker, Flight>,
    /// The number of the next request.
    next: RequestId,
    pub(super) weather: Weather,
    pub(super) poison: Poison,
    /// Whom the website was asked about last, so that one name it fails on holds up no other.
    website_last: Option<Key>,
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
    /// Those whom push does not cover, in turn (R23); nobody is put here.
    Uncovered,
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
    pub(super) id: RequestId,
    pub(super) endpoint: Endpoint,
    pub(super) kind: Kind,
    queue: Queue,
    /// Whom it covers, and which identity of theirs.
    pub(super) keys: Vec<(Key, u32)>,
    /// The other rows that name one of these streamers: an answer serves them, too (R16).
    pub(super) namesakes: Vec<(Key, u32)>,
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
            Queue::Uncovered => Class::Uncovered,
            Queue::Names | Queue::Website => Class::LookUp,
        }
    }
}

impl Asking {
    pub(super) fn new(now: Now, settings: &Settings) -> Asking {
        let mut uncovered = Uncovered::default();
        uncovered.set_pace(settings.sweep_uncovered, settings.sweep);
        Asking {
            routine: Routine::new(now, settings.sweep),
            uncovered,
            last_turn: None,
            ages: Ages::default(),
            budget: Budget::new(settings.requests_per_minute),
            batch: settings.batch,
            queues: BTreeMap::new(),
            fruitless: BTreeMap::new(),
            pieces: Vec::new(),
            flights: BTreeMap::new(),
            next: RequestId(0),
            weather: Weather::new(),
            poison: Poison::default(),
            website_last: None,
            wake: None,
        }
    }

    /// The settings changed.
    pub(super) fn set(&mut self, settings: &Settings) {
        self.reconsider();
        self.budget.set(settings.requests_per_minute);
        self.batch = settings.batch;
        self.uncovered.set_pace(settings.sweep_uncovered, settings.sweep);
    }

    pub(super) fn put(&mut self, queue: Queue, key: Key) {
        self.queues.entry(queue).or_default().insert(key);
        if let Some((_, since)) = self.fruitless.get_mut(&queue) {
            since.push(key);
        }
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

    pub(super) fn forget(&mut self, key: Key) {
        for queued in self.queues.values_mut() {
            queued.remove(&key);
        }
        self.poison.forget(key);
        self.routine.forget(key);
        self.uncovered.remove(key);
    }

    /// Asks `/livestreams` for the channel id of a live streamer whose id Kick has not stated yet (R12).
    pub(super) fn reveal_channel(&mut self, key: Key, streamers: &Streamers) {
        let wanted = streamers.get(&key).is_some_and(|it| it.ids.user.is_some() && !it.ids.are_certain());
        if wanted && self.has_livestreams() {
            self.put(Queue::Reveal, key);
        }
    }

    pub(super) fn no_second_look(&mut self, key: Key) {
        self.take(Queue::Second, &[key]);
    }

    /// `/livestreams` has said what it knows of these.
    pub(super) fn revealed(&mut self, flight: &Flight) {
        for (key, _) in &flight.keys {
            self.take(Queue::Reveal, &[*key]);
        }
    }

    /// Something may have changed how anybody is to be asked about.
    pub(super) fn reconsider(&mut self) {
        self.fruitless.clear();
    }

    /// The request with this number is answered.
    pub(super) fn landed(&mut self, id: RequestId) -> Option<Flight> {
        self.reconsider();
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
        self.poison.failed_together();
        let keys: Vec<Key> = flight.keys.iter().map(|(key, _)| *key).collect();
        let (left, right) = keys.split_at(keys.len() / 2);
        self.pieces.extend([left, right].map(|half| (flight.queue, flight.kind, half.to_vec())));
        Some(())
    }

    /// Nobody's name was at fault: the parts of the requests are asked for together again.
    pub(super) fn gather(&mut self) {
        for (queue, _, keys) in std::mem::take(&mut self.pieces) {
            keys.into_iter().for_each(|key| self.put(queue, key));
        }
    }

    /// An answer came to this request.
    pub(super) fn answered(&mut self, flight: &Flight) {
        let keys: Vec<Key> = flight.keys.iter().map(|(key, _)| *key).collect();
        self.poison.answered(flight.endpoint, &keys, !self.pieces.is_empty());
    }

    fn wake_at(&mut self, at: Steady) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Kick lists nobody's channel id any more: the website is asked instead.
    pub(super) fn reveal_at_website(&mut self) {
        let keys = self.queues.remove(&Queue::Reveal).unwrap_or_default();
        keys.into_iter().for_each(|key| self.put(Queue::Website, key));
    }

    /// Whether the endpoint can be asked, and arranges to be woken when not.
    fn is_clear(&mut self, now: Steady, endpoint: Endpoint) -> bool {
        let at = self.weather.clears_at(endpoint);
        if at > now {
            self.wake_at(at);
        }
        at <= now
    }

    /// Whether the budget has a request of this class to give, and arranges to be woken when not.
    fn can_afford(&mut self, now: Steady, class: Class) -> bool {
        let at = self.budget.ready_at(now, class);
        if at > now {
            self.wake_at(at);
        }
        at <= now
    }

    /// Takes the second look at a streamer, if there is still a doubt.
    pub(super) fn look_again(&mut self, key: Key, streamers: &Streamers) {
        if streamers.get(&key).is_some_and(|streamer| streamer.doubt.is_some()) {
            self.put(Queue::Second, key);
        }
    }

    /// A thread that asks began anew: its request is asked again.
    pub(super) fn ask_again(&mut self, asker: Asker) {
        if let Some(flight) = self.flights.remove(&asker) {
            self.put_back(&flight);
        }
        self.weather.forget(asker);
    }
}
