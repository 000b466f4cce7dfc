//! R5: a question to Kick that failed says nothing of anybody. Which name or id it failed for, and who is asked again.

use super::asking::{Flight, Kind};
use super::times::{TOKEN_WAIT, WEBSITE_PAUSE};
use super::{Asker, Key, Monitor, Timer};
use crate::domain::Now;
use crate::domain::ask::{Endpoint, Failure, FailureKind};
use std::time::Duration;

impl Monitor {
    /// R5: a failure says nothing of anybody.
    pub(super) fn take_failure(&mut self, now: Now, flight: &Flight, failure: &Failure) {
        let asker = if flight.endpoint == Endpoint::Website { Asker::Website } else { Asker::Api };
        match (asker, failure.kind) {
            (_, FailureKind::NoToken) => {
                self.asking.put_back(flight);
                return self.asking.weather.wait_for_token(now.steady + TOKEN_WAIT);
            }
            (Asker::Api, FailureKind::BadRequest) => return self.refused_batch(now, flight, failure),
            (Asker::Website, FailureKind::NotFound) => {
                for (key, _) in &flight.keys {
                    self.at(now.steady + WEBSITE_PAUSE, Timer::WebsiteAgain(*key));
                }
                return;
            }
            (Asker::Api, FailureKind::NotFound) if flight.endpoint != Endpoint::Channels => {
                self.asking.weather.lost(now.steady, flight.endpoint);
                self.asking.put_back(flight);
                if !self.asking.has_livestreams() {
                    self.asking.reveal_at_website();
                }
                return self.say_failure(now, flight.endpoint, failure, Duration::ZERO);
            }
            _ => {}
        }
        match failure.kind {
            FailureKind::Server(_) | FailureKind::Garbage | FailureKind::Network if asker == Asker::Api => {
                self.narrow_down(now, flight);
            }
            _ => self.asking.put_back(flight),
        }
        // Kick's firewall, too, lets nobody pass who asks too often.
        let asks_too_often = match failure.kind {
            FailureKind::RateLimited(_) => true,
            FailureKind::Blocked => asker == Asker::Api && failure.status == Some(403),
            _ => false,
        };
        if asks_too_often {
            self.asking.budget.refused(now.steady);
        }
        let pause = self.asking.weather.fails(now.steady, flight.endpoint, failure.kind, &mut self.book.rng);
        self.say_failure(now, flight.endpoint, failure, pause);
    }

    /// The request may have failed for one of those it asks about: halves are asked for, until it is alone.
    fn narrow_down(&mut self, now: Now, flight: &Flight) {
        if self.asking.halve(flight).is_some() {
            return;
        }
        let keys: Vec<Key> = flight.keys.iter().map(|(key, _)| *key).collect();
        if keys.iter().any(|key| self.asking.poison.was_found(*key)) {
            // It has had its turn; the next sweep asks again, or the name's own pace.
            for key in keys {
                self.asking.poison.failed_again(key);
                self.ask_unknown_name_again(now, key);
                self.asking.compared(key, flight.id);
                self.look_again_later(now, key);
            }
            return;
        }
        self.asking.put_back(flight);
        if self.asking.poison.failed_alone(flight.endpoint, &keys) {
            self.asking.gather();
        }
    }

    /// 400: one of the names or ids is not to Kick's liking; the others must not suffer.
    fn refused_batch(&mut self, now: Now, flight: &Flight, failure: &Failure) {
        if self.asking.halve(flight).is_some() {
            return;
        }
        let by_name = matches!(flight.kind, Kind::Name | Kind::Hint);
        for (key, epoch) in &flight.keys {
            if self.streamers.get(key).is_none_or(|streamer| streamer.epoch != *epoch) {
                continue;
            }
            if by_name {
                // R5: who is refused may be unknown by name, but is not missing.
                self.name_unknown(now, *key, flight.kind);
            }
            self.asking.compared(*key, flight.id);
            self.look_again_later(now, *key);
        }
        self.look_until_settled(now, flight);
        if !by_name {
            self.set_apart(now, flight, failure);
        }
    }

    /// An id that Kick refuses is asked about alone from now on, and at once where another endpoint is left.
    fn set_apart(&mut self, now: Now, flight: &Flight, failure: &Failure) {
        let keys: Vec<Key> = flight.keys.iter().map(|(key, _)| *key).collect();
        if keys.iter().any(|key| self.asking.poison.was_found(*key)) {
            return keys.into_iter().for_each(|key| self.asking.poison.failed_again(key));
        }
        let mut pause = Duration::ZERO;
        if self.asking.poison.refused_alone(flight.endpoint, &keys) {
            // It refuses whatever it is asked.
            self.asking.gather();
            pause = self.asking.weather.fails(now.steady, flight.endpoint, failure.kind, &mut self.book.rng);
        } else if flight.kind == Kind::LiveList {
            self.asking.put_back(flight);
        }
        self.say_failure(now, flight.endpoint, failure, pause);
    }

    fn say_failure(&mut self, now: Now, endpoint: Endpoint, failure: &Failure, retry_in: Duration) {
        if self.book.failed(now, endpoint, failure) {
            self.log(failure.clone().event(endpoint.word(), retry_in));
        }
    }
}
