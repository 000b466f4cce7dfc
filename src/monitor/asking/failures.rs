//! R5: a failed request says nothing about any streamer. Decides what failed (the endpoint, or one name or id in the
//! request), and who is asked about again.

use super::{Asking, Flight, Kind, Queue};
use crate::domain::Now;
use crate::domain::ask::{Endpoint, Failure, FailureKind};
use crate::monitor::Asker;
use crate::monitor::book::{Book, Timer};
use crate::monitor::streamers::{Key, Streamers};
use crate::monitor::times::{NO_TOKEN_PAUSE, UNKNOWN_NAME_RETRY, WEBSITE_PAUSE};
use std::time::Duration;

impl Asking {
    /// Takes a failed request. Returns the streamers whose names Kick refuses, which count as not known.
    pub(crate) fn fails(
        &mut self,
        now: Now,
        flight: &Flight,
        failure: &Failure,
        streamers: &mut Streamers,
        book: &mut Book,
    ) -> Vec<Key> {
        let asker = if flight.endpoint == Endpoint::Website { Asker::Website } else { Asker::Api };
        if flight.stranger.is_some() {
            // No streamer who is followed here is concerned, so it is no problem.
            if failure.kind != FailureKind::NotFound {
                self.weather.fails(now.steady, flight.endpoint, failure.kind, &mut book.rng);
            }
            return Vec::new();
        }
        match (asker, failure.kind) {
            (_, FailureKind::NoToken) => {
                self.put_back(flight);
                self.weather.wait_for_token(now.steady + NO_TOKEN_PAUSE);
                return Vec::new();
            }
            (Asker::Api, FailureKind::BadRequest) => return self.refused_batch(now, flight, failure, streamers, book),
            (Asker::Website, FailureKind::NotFound) => {
                flight.keys().for_each(|key| book.at(now.steady + WEBSITE_PAUSE, Timer::LookUp(key)));
                return Vec::new();
            }
            (Asker::Api, FailureKind::NotFound) if flight.endpoint != Endpoint::Channels => {
                self.weather.lost(now.steady, flight.endpoint);
                self.put_back(flight);
                if !self.has_livestreams() {
                    // The website is asked for channel ids instead.
                    let keys = self.queues.remove(&Queue::Reveal).unwrap_or_default();
                    keys.into_iter().for_each(|key| self.put(Queue::Website, key));
                }
                say_failure(now, flight.endpoint, failure, Duration::ZERO, book);
                return Vec::new();
            }
            (Asker::Api, FailureKind::Server(_) | FailureKind::Garbage | FailureKind::Network(_)) => {
                self.narrow_down(now, flight, streamers, book);
            }
            _ => self.put_back(flight),
        }
        // The website also blocks machines that ask seldom.
        let is_website_block = asker == Asker::Website && failure.kind == FailureKind::Blocked;
        if failure.asks_for_fewer() && !is_website_block {
            self.budget.refused(now.steady);
        }
        let pause = self.weather.fails(now.steady, flight.endpoint, failure.kind, &mut book.rng);
        say_failure(now, flight.endpoint, failure, pause, book);
        Vec::new()
    }

    /// One of the names or ids in the request may be at fault: asks about each half, until that one is alone.
    fn narrow_down(&mut self, now: Now, flight: &Flight, streamers: &mut Streamers, book: &mut Book) {
        if self.halve(flight) {
            return;
        }
        let keys: Vec<Key> = flight.keys().collect();
        if keys.iter().any(|key| self.poison.was_found(*key)) {
            // It was found before, and has now been tried again. The next to ask is the sweep, or the pace of unknown
            // names.
            for key in keys {
                self.poison.failed_again(key);
                if let Some(streamer) = streamers.get_mut(&key).filter(|streamer| streamer.ids.unknown) {
                    let due = streamer.ids.plan_name(now.steady, UNKNOWN_NAME_RETRY.0);
                    due.into_iter().for_each(|due| book.at(due, Timer::UnknownName(key)));
                }
                self.compared(key, flight.id);
                self.look_again_later(now, key, streamers, book);
            }
            return;
        }
        self.put_back(flight);
        if self.poison.failed_alone(flight.endpoint, &keys) {
            self.gather();
        }
    }

    /// 400: Kick refuses one of the names or ids. The others are asked about without it.
    fn refused_batch(
        &mut self,
        now: Now,
        flight: &Flight,
        failure: &Failure,
        streamers: &Streamers,
        book: &mut Book,
    ) -> Vec<Key> {
        if self.halve(flight) {
            return Vec::new();
        }
        let same = |(key, epoch): &&(Key, u32)| streamers.get(key).is_some_and(|streamer| streamer.epoch == *epoch);
        let refused: Vec<Key> = flight.keys.iter().filter(same).map(|(key, _)| *key).collect();
        refused.iter().for_each(|key| self.compared(*key, flight.id));
        flight.keys().for_each(|key| self.look_again_later(now, key, streamers, book));
        if flight.kind.is_by_name() || flight.kind == Kind::Hint {
            return refused;
        }
        self.set_apart(now, flight, failure, book);
        Vec::new()
    }

    /// An id that Kick refuses is asked about alone from now on, and at once if another endpoint is left.
    fn set_apart(&mut self, now: Now, flight: &Flight, failure: &Failure, book: &mut Book) {
        let keys: Vec<Key> = flight.keys().collect();
        if keys.iter().any(|key| self.poison.was_found(*key)) {
            return keys.into_iter().for_each(|key| self.poison.failed_again(key));
        }
        let mut pause = Duration::ZERO;
        if self.poison.refused_alone(flight.endpoint, &keys) {
            // This endpoint refuses every request.
            self.gather();
            pause = self.weather.fails(now.steady, flight.endpoint, failure.kind, &mut book.rng);
        } else if flight.kind == Kind::LiveList {
            self.put_back(flight);
        }
        say_failure(now, flight.endpoint, failure, pause, book);
    }

    /// Splits a request that failed as a whole. Returns false if it asked about one name or id only, which is then at
    /// fault.
    fn halve(&mut self, flight: &Flight) -> bool {
        if flight.batch < 2 {
            return false;
        }
        self.poison.failed_together();
        let keys: Vec<Key> = flight.keys().collect();
        let (left, right) = keys.split_at(keys.len() / 2);
        self.pieces.extend([left, right].map(|half| (flight.queue, flight.kind, half.to_vec())));
        true
    }

    /// No name was at fault: the parts of split requests are asked about together again.
    fn gather(&mut self) {
        for (queue, _, keys) in std::mem::take(&mut self.pieces) {
            keys.into_iter().for_each(|key| self.put(queue, key));
        }
    }
}

fn say_failure(now: Now, endpoint: Endpoint, failure: &Failure, retry_in: Duration, book: &mut Book) {
    if book.failed(now, endpoint.word(), failure) {
        book.log(failure.clone().event(endpoint.word(), retry_in));
    }
}
