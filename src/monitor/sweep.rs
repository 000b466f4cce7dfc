//! The API's evidence: R5, R6 and R10; the weighing of each observation, R7 to R9, is the streamer's.

use super::asking::{Flight, Kind, Queue, asked_by};
use super::kick_clock::KickTime;
use super::streamer::{Belief, Vanished};
use super::times::{
    ENDPOINT_LAG, FLIPS_ALWAYS, FLIPS_SHARE, SECOND_LOOK, UNCONFIRMED_GRACE, UNSETTLED_LOOK, VANISHED, VANISHED_APART,
    VANISHED_MIN, WEBSITE_PAUSE,
};
use super::weighing::{Doubt, Observation, Weight};
use super::{Key, Monitor, Timer};
use crate::domain::ask::{Answer, Endpoint, Liveness, Seen};
use crate::domain::event::Event;
use crate::domain::{Now, Slug, Source, Status, Steady, UserId};
use std::collections::{BTreeMap, BTreeSet};

impl Monitor {
    pub(super) fn take_answer(&mut self, now: Now, answer: Answer) {
        let Some(flight) = self.asking.landed(answer.id) else { return };
        self.asking.budget.spend(now.steady, answer.spent.saturating_sub(1));
        self.book.asked(flight.endpoint, &answer);
        if self.kick.hear(&answer) {
            let time = self.kick.read(now);
            self.streamers.iter_mut().for_each(|(_, streamer)| streamer.broadcast.forget_what_is_to_come(&time));
        }
        match &answer.result {
            Ok(seen) => {
                self.kick_works(flight.endpoint);
                self.asking.answered(&flight);
                self.take_seen(now, &answer, &flight, seen);
            }
            Err(failure) => self.take_failure(now, &flight, failure),
        }
        self.judge_asked(now, &flight);
        self.asking.check_swept(now, &self.streamers, &mut self.book);
        self.check_ready(now);
    }

    fn kick_works(&mut self, endpoint: Endpoint) {
        self.asking.weather.works(endpoint);
        if self.book.works(endpoint) {
            self.log(Event::ApiRecovered { endpoint: endpoint.word() });
        }
    }

    fn take_seen(&mut self, now: Now, answer: &Answer, flight: &Flight, seen: &[Seen]) {
        let by_user: BTreeMap<UserId, &Seen> = seen.iter().filter_map(|s| s.user.map(|user| (user, s))).collect();
        let by_slug: BTreeMap<&Slug, &Seen> =
            seen.iter().filter_map(|s| s.slug.as_ref().map(|slug| (slug, s))).collect();
        let names: BTreeSet<Slug> =
            flight.keys.iter().filter_map(|(key, _)| asked_by(flight.kind, *key, &self.streamers).1).collect();
        let (asked, time, mut weighed) = (answer.started.steady, self.kick.read(now), Vec::new());
        for (key, epoch) in flight.keys.iter().chain(&flight.namesakes) {
            let Some(streamer) = self.streamers.get(key).filter(|streamer| streamer.epoch == *epoch) else { continue };
            let asked_user = streamer.ids.user.or(streamer.ids.configured_user);
            let entry = match flight.kind {
                Kind::Name | Kind::Website => about(&streamer.asked_slug(), &by_slug, &names),
                _ => asked_user.and_then(|user| by_user.get(&user).copied()),
            };
            if let (Some(_), Some(streamer)) = (entry, self.streamers.get_mut(key)) {
                // R6: whoever is named has not vanished, whatever is said of them.
                streamer.vanished = None;
            }
            let same = match entry {
                Some(entry) => self.take_identity(now, *key, entry, flight.kind),
                None => self.take_missing(now, *key, flight, asked),
            };
            // A name whose other spelling is yet to be asked about is not compared.
            let open = self.streamers.get(key).is_some_and(|s| s.ids.user.is_none() && !s.ids.unknown);
            if flight.kind != Kind::Website && (entry.is_some() || !open) {
                self.asking.compared(*key, flight.id);
                self.compared_at(*key, asked);
            }
            if !same {
                continue;
            }
            if entry.is_some_and(|entry| entry.liveness == Liveness::Unsaid) {
                self.take_mention(*key, asked);
            }
            if let Some(observation) = self.observation(answer, flight, entry, &time) {
                if let Some(streamer) = self.streamers.get(key).filter(|it| answers(asked, &it.belief)) {
                    weighed.push((*key, observation, streamer.weigh(&observation, self.settings.hold, &time)));
                }
            }
        }
        let braked = !flight.is_second_look() && self.implausible(now, flight, &weighed);
        for (key, observation, weight) in weighed {
            self.apply(now, key, &observation, weight, braked);
        }
        if flight.is_second_look() {
            self.look_until_settled(now, flight);
        }
        if flight.kind == Kind::Reveal {
            // What this answer did not reveal, the same question would not either.
            self.asking.revealed(flight);
        }
    }

    /// What an entry, or its absence, says. R5: a contradiction or a missing field says nothing. R6: so
    /// does absence from `/channels`; absence from a list of those who are live means Offline.
    fn observation(
        &self,
        answer: &Answer,
        flight: &Flight,
        entry: Option<&Seen>,
        time: &KickTime,
    ) -> Option<Observation> {
        // The website is asked for ids; what it shows of a broadcast is cached and not supported.
        if flight.endpoint == Endpoint::Website {
            return None;
        }
        let lists_live = matches!(flight.endpoint, Endpoint::Livestreams | Endpoint::UsersLivestreams);
        let (status, start, explicit) = match entry.map(|entry| entry.liveness) {
            // R5: nothing is remembered as later than Kick's present.
            Some(Liveness::Live(start)) => (Status::Online, start.filter(|start| !time.is_to_come(*start)), true),
            Some(Liveness::Offline) => (Status::Offline, None, true),
            None if lists_live => (Status::Offline, None, false),
            Some(Liveness::Unsaid | Liveness::Nothing) | None => return None,
        };
        Some(Observation {
            status,
            start,
            explicit,
            endpoint: flight.endpoint,
            batch: flight.batch,
            sole: self.asking.live_list().is_none(),
            started: answer.started.steady,
        })
    }

    fn take_mention(&mut self, key: Key, asked: Steady) {
        let Some(streamer) = self.streamers.get_mut(&key).filter(|streamer| answers(asked, &streamer.belief)) else {
            return;
        };
        if streamer.mention(asked) && self.asking.live_list().is_some() {
            self.asking.put(Queue::Second, key);
        }
    }

    /// R6: missing from `/channels` is unknown; missing from everywhere for long is Offline.
    /// Whether the absence can be an observation of the same streamer.
    fn take_missing(&mut self, now: Now, key: Key, flight: &Flight, asked: Steady) -> bool {
        match (flight.kind, flight.endpoint) {
            (Kind::Name | Kind::Hint, _) => {
                if self.name_unknown(now, key, flight.kind) {
                    self.missed(now, key);
                    self.has_vanished(now, key, asked);
                }
                false
            }
            (_, Endpoint::Website) => {
                self.at(now.steady + WEBSITE_PAUSE, Timer::WebsiteAgain(key));
                false
            }
            (_, Endpoint::Livestreams | Endpoint::UsersLivestreams) => {
                if self.streamers.get(&key).is_some_and(|streamer| streamer.vanished.is_some()) {
                    self.has_vanished(now, key, asked);
                }
                true
            }
            (_, Endpoint::Channels) => {
                self.missed(now, key);
                if self.asking.live_list().is_none() {
                    // Kick has no list left that could bear it out.
                    self.has_vanished(now, key, asked);
                }
                false
            }
        }
    }

    /// Nothing listed the streamer, once more.
    fn missed(&mut self, now: Now, key: Key) {
        if let Some(streamer) = self.streamers.get_mut(&key) {
            let first = Vanished { since: now.steady, times: 1, counted: now.steady };
            let vanished = streamer.vanished.get_or_insert_with(|| Box::new(first));
            if now.steady.since(vanished.counted) >= VANISHED_APART {
                vanished.times += 1;
                vanished.counted = now.steady;
            }
        }
    }

    /// R6: a streamer whom nothing lists, repeatedly and for so long, is banned or deleted, and not live.
    fn has_vanished(&mut self, now: Now, key: Key, asked: Steady) {
        let Some(streamer) = self.streamers.get(&key) else { return };
        let long = streamer
            .vanished
            .as_ref()
            .is_some_and(|it| it.times >= VANISHED_MIN && now.steady.since(it.since) >= VANISHED);
        let fresher = streamer.belief.fresher.as_ref().is_some_and(|fresher| asked < fresher.until);
        if long && !fresher && streamer.belief.status == Some(Status::Online) && answers(asked, &streamer.belief) {
            self.asking.corrects();
            self.believe(now, key, Status::Offline, Source::Sweep, now.steady);
        }
    }

    /// R10: one answer that would change implausibly many is looked at again first.
    fn implausible(&mut self, now: Now, flight: &Flight, weighed: &[(Key, Observation, Weight)]) -> bool {
        let flips = weighed.iter().filter(|(_, _, weight)| matches!(weight, Weight::Changes | Weight::Doubts { .. }));
        let known = flips.filter(|(key, _, _)| self.streamers.get(key).is_some_and(|it| it.belief.status.is_some()));
        // R16: rows that name one streamer are one change.
        let changed: BTreeSet<_> = known.map(|(key, _, _)| asked_by(flight.kind, *key, &self.streamers)).collect();
        let (changes, covered) = (changed.len(), flight.batch);
        let braked = changes > FLIPS_ALWAYS && changes * FLIPS_SHARE > covered;
        if braked && self.brakes.fails(now.steady, "implausible", flight.endpoint.word()) {
            self.log(Event::SweepImplausible { endpoint: flight.endpoint.word(), covered, changes });
        }
        braked
    }

    fn apply(&mut self, now: Now, key: Key, seen: &Observation, weight: Weight, braked: bool) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        // R12. What is the API's ordinary lag speaks against nobody: a suspicion would turn the stop that
        // follows into a question, and lose it.
        let contradicts_unheld = streamer.heard.is_some_and(|heard| {
            !heard.held && heard.status != seen.status && seen.started >= heard.at + UNCONFIRMED_GRACE
        });
        match weight {
            Weight::Agrees => {
                streamer.belief.verified = true;
                streamer.doubt = None;
                let fresher = streamer.belief.fresher.as_mut();
                if let Some(fresher) = fresher.filter(|it| !it.borne_out.contains(&seen.endpoint)) {
                    fresher.borne_out.push(seen.endpoint);
                }
                // What push told first counts as told by whoever of the API bears it out.
                let news = streamer
                    .heard
                    .is_some_and(|heard| heard.status == seen.status && seen.started.since(heard.at) < ENDPOINT_LAG);
                if news {
                    streamer.find(seen);
                }
                self.asking.no_second_look(key);
                self.note(key, seen);
                self.write(now, key);
            }
            Weight::Changes if braked && streamer.belief.status.is_some() => {
                // A first look that waits for its second one already goes on waiting for it, or frequent
                // sweeps would put that off for ever.
                if streamer.doubt.as_ref().is_none_or(|doubt| doubt.first.status != seen.status) {
                    self.doubt(now, key, seen, false);
                }
            }
            Weight::Changes => self.change(now, key, seen),
            Weight::Doubts { elsewhere } => self.doubt(now, key, seen, elsewhere),
            Weight::NotBefore(at) => self.at(at.max(now.steady), Timer::Ask(key)),
            Weight::Nothing => {}
        }
        if contradicts_unheld {
            self.suspect(key);
        }
    }

    fn change(&mut self, now: Now, key: Key, seen: &Observation) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        streamer.find(seen);
        let resumed = streamer.resume(seen);
        let was_verified = streamer.belief.verified && streamer.belief.status.is_some();
        if streamer.belief.status.is_some() {
            self.asking.corrects();
        }
        self.note(key, seen);
        self.believe(now, key, seen.status, Source::Sweep, now.steady);
        if was_verified && !resumed {
            self.expect_push(now, key, seen.status);
        }
    }

    fn doubt(&mut self, now: Now, key: Key, seen: &Observation, elsewhere: bool) {
        if let Some(streamer) = self.streamers.get_mut(&key) {
            streamer.doubt = Some(Box::new(Doubt { first: *seen, elsewhere, mentions: None }));
            self.at(now.steady + SECOND_LOOK, Timer::SecondLook(key));
        }
    }

    /// Remembers what an observation that counts says of the broadcast.
    fn note(&mut self, key: Key, seen: &Observation) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        streamer.note(seen);
        if seen.status == Status::Online {
            self.asking.reveal_channel(key, &self.streamers);
        }
    }

    /// A second look that settled nothing (the streamer was missing from it, say) is taken again, later.
    pub(super) fn look_until_settled(&mut self, now: Now, flight: &Flight) {
        for (key, _) in &flight.keys {
            self.look_again_later(now, *key);
        }
    }

    pub(super) fn look_again_later(&mut self, now: Now, key: Key) {
        if self.streamers.get(&key).is_some_and(|streamer| streamer.doubt.is_some()) {
            self.at(now.steady + UNSETTLED_LOOK, Timer::SecondLook(key));
        }
    }
}

/// R15: what only the table shows is confirmed, or not, by the answer to a newer question.
fn answers(asked: Steady, belief: &Belief) -> bool {
    belief.verified || asked >= belief.received
}

/// R12: the entry that is about a name. Kick may answer with another spelling of it, if that is not somebody
/// else's who was `asked` about; any other name is another streamer's.
fn about<'a>(name: &Slug, seen: &BTreeMap<&Slug, &'a Seen>, asked: &BTreeSet<Slug>) -> Option<&'a Seen> {
    let spelt_otherwise = || {
        let mut others = seen.iter().filter(|(slug, _)| slug.is_spelling_of(name) && !asked.contains(**slug));
        others.next().filter(|_| others.next().is_none()).map(|(_, seen)| *seen)
    };
    seen.get(name).copied().or_else(spelt_otherwise)
}
