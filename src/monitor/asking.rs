//! What Kick is asked next (R22), and which streamers its answers are about. At most one request to the API and one to
//! the website are out at a time; one budget pays for both.

mod ages;
mod answers;
mod budget;
mod failures;
mod look_ups;
mod next;
mod poison;
mod questions;
mod routine;
mod uncovered;
mod weather;

use super::Asker;
use super::book::{Book, Timer};
use super::io::Settings;
use super::streamer::Kind;
use super::streamers::{Key, Streamers};
use super::times::{NAMES_PAUSE, SMALL_BATCH, UNSETTLED_LOOK};
use crate::domain::ask::{Answer, Endpoint, RequestId};
use crate::domain::problem::Code;
use crate::domain::{Now, Slug, Steady};
use crate::repeats::Repeats;
use ages::Ages;
pub(super) use answers::Entries;
use budget::{Budget, Class};
pub(super) use look_ups::LookUp;
use poison::Poison;
use routine::Routine;
use std::collections::{BTreeMap, BTreeSet};
use uncovered::Uncovered;
use weather::Weather;

/// The streamers to ask about, and what limits the requests: the budget, pauses after failures, names that fail.
#[derive(Debug)]
pub(super) struct Asking {
    budget: Budget,
    routine: Routine,
    uncovered: Uncovered,
    /// The last of the three lower classes that had a request: they take turns.
    last_turn: Option<Class>,
    /// How old the last comparisons are.
    ages: Ages,
    /// Names or ids in one request of most endpoints.
    batch: usize,
    /// The most streamers that are queued in one turn, for the sweep or for the check of names.
    slice: usize,
    /// The check of names goes on behind this streamer.
    names_after: Option<Option<Key>>,
    queues: BTreeMap<Queue, BTreeSet<Key>>,
    /// Queues in which no streamer could be asked about while exactly these endpoints were available, and the streamers
    /// added since. So a large roster is not searched again for every input that changes nothing about it.
    fruitless: BTreeMap<Queue, (BTreeSet<Endpoint>, Vec<Key>)>,
    /// Parts of requests that failed or were refused as a whole, still to be sent.
    pieces: Vec<(Queue, Kind, Vec<Key>)>,
    flights: BTreeMap<Asker, Flight>,
    /// The number of the next request.
    next: RequestId,
    weather: Weather,
    poison: Poison,
    /// Limits how often answers that R10 holds back are logged.
    brakes: Repeats,
    /// The streamer last asked about at the website. The next one in order follows, so that a name for which the
    /// website fails does not delay the others.
    website_last: Option<Key>,
    /// A name that another instance follows and that is to be looked up at the website (R25).
    stranger: Option<Slug>,
    /// The kind of look-up whose turn is next.
    look_up_next: LookUp,
    /// When the budget has a request for a look-up again.
    look_ups_from: Steady,
    /// The earliest time at which a waiting question may be asked.
    wake: Option<Steady>,
}

/// Why a streamer is asked about, in the order of R22.
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
    /// Streamers that push does not cover, by turns (R23). This queue is never filled: `uncovered` knows whose turn it
    /// is.
    Uncovered,
    /// Names that Kick did not know.
    Names,
    /// Channel ids at the website.
    Website,
}

/// A request whose answer has not come yet.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) id: RequestId,
    pub(super) endpoint: Endpoint,
    pub(super) kind: Kind,
    queue: Queue,
    /// The streamers asked about, each with the epoch at that time.
    pub(super) keys: Vec<(Key, u32)>,
    /// Other rows of the same streamers: the answer is used for them too (R16).
    pub(super) namesakes: Vec<(Key, u32)>,
    /// The number of names or ids in the request.
    batch: usize,
    /// The name in the request if it is not about a streamer who is followed here (R25).
    pub(super) stranger: Option<Slug>,
}

impl Flight {
    /// Returns true for a second look in a batch small enough to settle a doubt.
    pub(super) fn is_second_look(&self) -> bool {
        self.queue == Queue::Second && self.batch <= SMALL_BATCH
    }

    fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.keys.iter().map(|(key, _)| *key)
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
            slice: settings.rows_a_turn,
            names_after: None,
            queues: BTreeMap::new(),
            fruitless: BTreeMap::new(),
            pieces: Vec::new(),
            flights: BTreeMap::new(),
            next: RequestId(0),
            weather: Weather::new(),
            poison: Poison::default(),
            brakes: Repeats::default(),
            website_last: None,
            stranger: None,
            look_up_next: LookUp::Names,
            look_ups_from: Steady::default(),
            wake: None,
        }
    }

    /// Takes changed settings.
    pub(super) fn set(&mut self, settings: &Settings) {
        self.reconsider();
        self.budget.set(settings.requests_per_minute);
        (self.batch, self.slice) = (settings.batch, settings.rows_a_turn);
        self.uncovered.set_pace(settings.sweep_uncovered, settings.sweep);
    }

    pub(super) fn put(&mut self, queue: Queue, key: Key) {
        self.queues.entry(queue).or_default().insert(key);
        if let Some((_, since)) = self.fruitless.get_mut(&queue) {
            since.push(key);
        }
    }

    /// Asks about a streamer as soon as the budget allows.
    pub(super) fn ask_about(&mut self, key: Key, streamers: &Streamers) {
        if streamers.contains_key(&key) {
            self.put(Queue::Fresh, key);
        }
    }

    /// Asks the website for the channel id, if that is not known or suspect.
    pub(super) fn look_up(&mut self, key: Key, streamers: &Streamers) {
        if streamers.get(&key).is_some_and(|it| it.ids.channel.is_none() || it.ids.suspect) {
            self.put(Queue::Website, key);
        }
    }

    /// Asks the website for the channel id of a streamer that another instance follows (R25).
    pub(super) fn look_up_stranger(&mut self, name: Slug) {
        self.stranger = Some(name);
    }

    /// R12: asks, for every streamer who is followed by user id, who has the name now.
    pub(super) fn check_names(&mut self, now: Now, streamers: &mut Streamers, book: &mut Book) {
        book.at(now.steady + NAMES_PAUSE, Timer::Names);
        self.names_after = Some(None);
        self.go_on_with_names(streamers);
    }

    /// Goes on with some more of them.
    pub(super) fn go_on_with_names(&mut self, streamers: &mut Streamers) {
        let Some(after) = self.names_after.take() else { return };
        let keys: Vec<Key> = streamers.after(after).take(self.slice).map(|(key, _)| key).collect();
        self.names_after = keys.last().filter(|_| keys.len() == self.slice).map(|key| Some(*key));
        for key in keys {
            let Some(streamer) = streamers.get_mut(&key).filter(|streamer| streamer.ids.user.is_some()) else {
                continue;
            };
            streamer.ids.doubtful = streamer.other_slug();
            self.put(Queue::Names, key);
        }
    }

    /// Returns true if a large table left something to be queued in the next turn.
    pub(super) fn owes_work(&self) -> bool {
        self.names_after.is_some() || self.is_passing()
    }

    /// Asks about one name that Kick did not know, or that the streamer no longer uses.
    pub(super) fn check_name(&mut self, key: Key, streamers: &mut Streamers) {
        let Some(streamer) = streamers.get_mut(&key) else { return };
        if streamer.ids.user.is_some() {
            let Some(slug) = streamer.other_slug() else { return };
            streamer.ids.doubtful = Some(slug);
        }
        self.put(Queue::Names, key);
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

    /// The streamer is no longer followed. `compared`: when the request of the last comparison started.
    pub(super) fn forget(&mut self, key: Key, compared: Option<Steady>) {
        compared.into_iter().for_each(|asked| self.ages.remove(asked));
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

    /// Something may have changed that decides who can be asked about: searches all queues again.
    pub(super) fn reconsider(&mut self) {
        self.fruitless.clear();
    }

    /// Takes an answer or a failure. Returns its request, or `None` if that is no longer awaited.
    pub(super) fn landed(&mut self, now: Now, answer: &Answer, book: &mut Book) -> Option<Flight> {
        self.reconsider();
        let asker = self.flights.iter().find(|(_, flight)| flight.id == answer.id).map(|(asker, _)| *asker)?;
        let flight = self.flights.remove(&asker)?;
        self.budget.spend(now.steady, answer.spent.saturating_sub(1));
        book.asked(flight.endpoint, answer);
        Some(flight)
    }

    /// Queues again what a request did not answer. The sweep asks about these streamers too, even if the reason for the
    /// request has gone.
    pub(super) fn put_back(&mut self, flight: &Flight) {
        for key in flight.keys() {
            self.put(flight.queue, key);
            if flight.endpoint != Endpoint::Website {
                self.put(Queue::Routine, key);
            }
        }
    }

    fn wake_at(&mut self, at: Steady) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Returns true if the endpoint may be asked now; otherwise plans a wake-up for when it may.
    fn is_clear(&mut self, now: Steady, endpoint: Endpoint) -> bool {
        let at = self.weather.clears_at(endpoint);
        if at > now {
            self.wake_at(at);
        }
        at <= now
    }

    /// Returns true if the budget allows a request of this class now; otherwise plans a wake-up for when it does.
    fn can_afford(&mut self, now: Steady, class: Class) -> bool {
        let at = self.budget.ready_at(now, class);
        if at > now {
            self.wake_at(at);
        }
        at <= now
    }

    /// Queues the second look at a streamer, if the doubt still exists.
    pub(super) fn look_again(&mut self, key: Key, streamers: &Streamers) {
        if streamers.get(&key).is_some_and(|streamer| streamer.doubt.is_some()) {
            self.put(Queue::Second, key);
        }
    }

    /// The thread of this asker was started again: queues its request again.
    pub(super) fn ask_again(&mut self, asker: Asker) {
        if let Some(flight) = self.flights.remove(&asker) {
            self.put_back(&flight);
        }
        self.weather.forget(asker);
    }

    /// Plans another second look at a streamer whose doubt is not settled.
    fn look_again_later(&self, now: Now, key: Key, streamers: &Streamers, book: &mut Book) {
        if streamers.get(&key).is_some_and(|streamer| streamer.doubt.is_some()) {
            book.at(now.steady + UNSETTLED_LOOK, Timer::SecondLook(key));
        }
    }

    /// Counts a request for a token or to the broker, which never waits.
    pub(super) fn spend_elsewhere(&mut self, now: Now) {
        self.budget.spend_elsewhere(now.steady, 1);
    }

    /// Counts requests about webhooks beyond the first.
    pub(super) fn spend(&mut self, now: Now, count: u32) {
        self.budget.spend(now.steady, count);
    }

    /// Kick asks for fewer requests.
    pub(super) fn is_refused(&mut self, now: Now) {
        self.budget.refused(now.steady);
    }

    /// The earliest time at which a waiting question may be asked.
    pub(super) fn due(&self) -> Option<Steady> {
        self.wake
    }

    /// Takes note of a token, which expires at `expires`.
    pub(super) fn take_token(&mut self, now: Now, expires: Steady, book: &mut Book) {
        book.token_expires = Some(expires);
        self.weather.token_came();
        book.count_request("token", Some(200));
        book.troubles.set(now, Code::TokenRefused, None);
        book.troubles.set(now, Code::TokenUnavailable, None);
    }
}
