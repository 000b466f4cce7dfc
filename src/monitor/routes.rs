//! The rules that need several parts, and what one part learns that others must know. Only this file, the files in
//! `routes/`, and `mod.rs` name more than one part.

mod coverage;
mod roster;
mod sharing;
mod webhooks;

use super::Monitor;
use super::asking::{Entries, Flight};
use super::book::Timer;
use super::hearing::Verdict;
use super::names;
use super::streamer::Kind;
use super::streamers::Key;
use super::times::{ASKED_AGAIN, SECOND_LOOK, WEBSITE_PAUSE};
use super::weighing::{Doubt, Observation, Weight};
use crate::domain::ask::{Answer, Endpoint, Liveness, Seen};
use crate::domain::problem::Code;
use crate::domain::push::{LinkId, Push};
use crate::domain::{Now, Source, Status, Steady};

/// The problems that concern one row, and end with it.
const OF_A_ROW: [Code; 4] = [Code::WriteRefused, Code::StreamerUnknown, Code::StreamerRenamed, Code::ChannelIdMismatch];

/// A changed belief, and what follows from it.
impl Monitor {
    /// Changes what is believed about a streamer, and has it written.
    fn believe(&mut self, now: Now, key: Key, status: Status, source: Source, received: Steady) {
        self.streamers.believe(now, key, status, source, received);
        self.asking.no_second_look(key);
        self.write(now, key);
        if status == Status::Online {
            self.asking.reveal_channel(key, &self.streamers);
        }
    }

    /// Has a streamer's row show what is believed (R19).
    fn write(&mut self, now: Now, key: Key) {
        self.writes.write(now, key, &mut self.streamers, &mut self.book);
    }
}

/// The evidence of the API: R5 to R10.
impl Monitor {
    pub(super) fn take_answer(&mut self, now: Now, answer: &Answer) {
        let Some(flight) = self.asking.landed(now, answer, &mut self.book) else { return };
        if self.kick.hear(answer) {
            let time = self.kick.read(now);
            self.streamers.iter_mut().for_each(|(_, streamer)| streamer.broadcast.forget_what_is_to_come(&time));
        }
        self.webhooks.tell_time(self.kick.zero(), &mut self.book);
        match &answer.result {
            Ok(seen) => {
                self.asking.answered(&flight, &mut self.book);
                if let Some(name) = &flight.stranger {
                    self.names.take_stranger(name, seen, &mut self.book);
                }
                self.take_seen(now, answer, &flight, seen);
            }
            Err(failure) => {
                for key in self.asking.fails(now, &flight, failure, &mut self.streamers, &mut self.book) {
                    // R5: a refused name may count as unknown, but not as missing.
                    self.names.is_unknown(now, key, flight.kind, &mut self.streamers, &mut self.book);
                }
            }
        }
        self.judge_asked(now, &flight);
        self.check_compared(now);
    }

    fn take_seen(&mut self, now: Now, answer: &Answer, flight: &Flight, seen: &[Seen]) {
        let entries = Entries::new(flight, seen, &self.streamers);
        let (asked, time, mut weighed) = (answer.started.steady, self.kick.read(now), Vec::new());
        for (key, epoch) in flight.keys.iter().chain(&flight.namesakes) {
            let Some(streamer) = self.streamers.get_mut(key).filter(|it| it.epoch == *epoch) else { continue };
            let entry = entries.about(streamer);
            let counts = match entry {
                Some(entry) => {
                    // R6: a streamer who is named has not vanished, whatever the entry says.
                    streamer.vanished = None;
                    if let Liveness::Live(start) = entry.liveness {
                        streamer.broadcast.hear_title(start, &entry.title);
                    }
                    let Monitor { names, streamers, book, .. } = self;
                    for key in names.take_identity(now, *key, entry, flight.kind, streamers, book) {
                        self.replay_questioned(now, key);
                    }
                    self.share_told(now, *key);
                    true
                }
                None => self.take_absence(now, *key, flight, asked),
            };
            // A name with another spelling that is still to be tried has not been compared.
            let open = self.streamers.get(key).is_some_and(|it| it.ids.user.is_none() && !it.ids.unknown);
            if flight.kind != Kind::Website && (entry.is_some() || !open) {
                self.asking.compared(*key, flight.id);
                self.asking.compared_at(*key, asked, &mut self.streamers);
            }
            if !counts {
                continue;
            }
            if entry.is_some_and(|entry| entry.liveness == Liveness::Unsaid) {
                self.asking.mentioned(*key, asked, &mut self.streamers);
            }
            if let Some(observation) = self.asking.observation(answer, flight, entry, &time) {
                if let Some(streamer) = self.streamers.get(key).filter(|streamer| streamer.is_told_by(asked)) {
                    weighed.push((*key, observation, streamer.weigh(&observation, self.settings.hold, &time)));
                }
            }
        }
        let braked = self.asking.is_implausible(now, flight, &weighed, &self.streamers, &mut self.book);
        for (key, observation, weight) in weighed {
            self.apply(now, key, &observation, weight, braked);
        }
        self.asking.is_read(now, flight, &self.streamers, &mut self.book);
    }

    /// R6: missing from `/channels` alone says nothing; missing everywhere for long means Offline. Returns true if the
    /// absence may be an observation of this streamer.
    fn take_absence(&mut self, now: Now, key: Key, flight: &Flight, asked: Steady) -> bool {
        let not_live = matches!(flight.endpoint, Endpoint::Livestreams | Endpoint::UsersLivestreams);
        let (missed, may_have_vanished) = match flight.kind {
            Kind::Name | Kind::Hint => {
                let unknown = self.names.is_unknown(now, key, flight.kind, &mut self.streamers, &mut self.book);
                (unknown, unknown)
            }
            Kind::Website => {
                self.book.at(now.steady + WEBSITE_PAUSE, Timer::LookUp(key));
                return false;
            }
            _ if not_live => (false, true),
            // Without a list of live streams, nothing else could confirm it.
            _ => (true, self.asking.live_list().is_none()),
        };
        let Some(streamer) = self.streamers.get_mut(&key) else { return false };
        if missed {
            streamer.missed(now.steady);
        }
        if may_have_vanished && streamer.has_vanished(now.steady, asked) {
            self.asking.corrects();
            self.believe(now, key, Status::Offline, Source::Sweep, now.steady);
        }
        not_live
    }

    fn apply(&mut self, now: Now, key: Key, seen: &Observation, weight: Weight, braked: bool) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        let suspicious = streamer.suspects_its_channel(seen);
        match if braked { streamer.brake(seen, weight) } else { weight } {
            Weight::Agrees => {
                streamer.agree(seen);
                self.asking.no_second_look(key);
                if seen.status == Status::Online {
                    self.asking.reveal_channel(key, &self.streamers);
                }
                self.write(now, key);
            }
            Weight::Changes => self.change(now, key, seen),
            Weight::Doubts { elsewhere } => {
                streamer.doubt = Some(Box::new(Doubt { first: *seen, elsewhere, mentions: None }));
                self.book.at(now.steady + SECOND_LOOK, Timer::SecondLook(key));
            }
            Weight::NotBefore(at) => self.book.at(at.max(now.steady), Timer::Ask(key)),
            Weight::Nothing => {}
        }
        if suspicious {
            names::suspect(now, key, &mut self.streamers, &mut self.book);
        }
    }

    fn change(&mut self, now: Now, key: Key, seen: &Observation) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        streamer.find(seen);
        let resumed = streamer.resume(seen);
        streamer.note(seen);
        let (was_known, was_verified) = (streamer.belief.status.is_some(), streamer.belief.verified);
        // R11: push has a short time to report it too.
        let expected = was_known && was_verified && !resumed;
        let channel = streamer.ids.channel.filter(|_| expected);
        if was_known {
            self.asking.corrects();
        }
        self.believe(now, key, seen.status, Source::Sweep, now.steady);
        if let Some(channel) = channel {
            self.push.expect(now.steady, key, channel, seen.status, &mut self.book);
        }
        if expected {
            self.expect_delivery(now, key, seen.status);
        }
    }
}

/// The evidence of push: R1 to R4, and R11, which measures push by what the sweep finds.
impl Monitor {
    pub(super) fn take_push(&mut self, now: Now, link: LinkId, push: &Push) {
        if self.push.take(now.steady, link, push, &mut self.book) {
            let keys: Vec<Key> = self.streamers.of_channel(push.named).collect();
            for key in keys {
                self.take_push_for(now, key, push);
                self.judge_coverage(now, key);
            }
        }
    }

    fn take_push_for(&mut self, now: Now, key: Key, push: &Push) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        let status = push.what.status();
        let verdict = streamer.hear(push, &self.kick.read(now));
        let changes = streamer.belief.status != Some(status);
        let news = changes && matches!(verdict, Verdict::Believe | Verdict::Question);
        self.push.told(now, key, push.named, status, news, &mut self.book);
        let was_verified = streamer.belief.status.is_some() && streamer.belief.verified;
        if changes && was_verified && verdict == Verdict::Believe {
            self.expect_delivery(now, key, status);
        }
        self.follow_verdict(now, key, verdict, status, push.received);
    }

    /// What follows from a push event, or from a delivery of a webhook.
    fn follow_verdict(&mut self, now: Now, key: Key, verdict: Verdict, status: Status, received: Steady) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        match verdict {
            Verdict::Renew => self.book.changed_lately(now, vec![streamer.row.clone()], self.settings.hold),
            // The API lags, and may not know it yet.
            Verdict::Ask | Verdict::Question if streamer.may_question(now.steady) => {
                self.book.at(now.steady, Timer::Ask(key));
                self.book.at(now.steady + ASKED_AGAIN, Timer::Ask(key));
            }
            Verdict::Believe => {
                self.book.changed_lately(now, vec![streamer.row.clone()], self.settings.hold);
                if streamer.belief.status != Some(status) {
                    return self.believe(now, key, status, Source::Push, received);
                }
                // An event that only repeats what the sweep found first is no change, and is not logged as one.
                streamer.bear_out();
                self.asking.no_second_look(key);
                self.write(now, key);
            }
            // More questions than that are answered by those that are out.
            Verdict::Ask | Verdict::Question | Verdict::Nothing => {}
        }
    }

    /// R16: what push told of a streamer, within the hold, holds for a row of theirs of which nothing but the table is
    /// known.
    fn share_told(&mut self, now: Now, key: Key) {
        let new = self.streamers.get(&key).filter(|it| !it.belief.verified && it.heard.is_none());
        // Rows have namesakes by the user they are about.
        let Some(user) = new.and_then(|streamer| streamer.ids.user) else { return };
        let namesakes = self.streamers.namesakes(key);
        let departed = self.departed.get(&user).map(|departed| &**departed);
        let others = namesakes.iter().filter_map(|other| self.streamers.get(other)).chain(departed);
        let told = others.filter_map(|other| Some((other.told_lately(now.steady, self.settings.hold)?, other)));
        let Some((heard, other)) = told.max_by_key(|(heard, _)| heard.at) else { return };
        let (found, found_offline, broadcast) = (other.found, other.found_offline, other.broadcast.clone());
        // From now on, this row has what is newer.
        self.departed.remove(&user);
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        (streamer.heard, streamer.found, streamer.found_offline) = (Some(heard), found, found_offline);
        streamer.broadcast = broadcast;
        self.follow_verdict(now, key, Verdict::Believe, heard.status, now.steady);
    }

    /// R12: Kick has confirmed the channel id of a push event that was only a question until then: the event is judged
    /// again, unless the API was asked since and has told otherwise.
    fn replay_questioned(&mut self, now: Now, key: Key) {
        let Some(push) = self.streamers.get_mut(&key).and_then(|streamer| streamer.questioned.take()) else { return };
        let found = self.streamers.get(&key).and_then(|streamer| streamer.found);
        let overtaken = found.is_some_and(|found| found.at >= push.received && found.status != push.what.status());
        if now.steady.since(push.received) < self.settings.hold && !overtaken {
            self.take_push_for(now, key, &push);
        }
        self.book.at(now.steady, Timer::Ask(key));
    }

    pub(super) fn push_did_not_come(&mut self, now: Now, key: Key) {
        if self.push.has_missed(now, key, &self.streamers, &mut self.book) {
            names::suspect(now, key, &mut self.streamers, &mut self.book);
        }
        self.webhooks.overdue(now, key, &mut self.book);
        self.judge_coverage(now, key);
    }
}
