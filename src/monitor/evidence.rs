//! Push evidence: R1 to R4, and R11, which measures push by what the sweep finds.

use super::push::Silence;
use super::streamer::{Heard, Streamer, Verdict};
use super::times::ASKED_AGAIN;
use super::{Key, Monitor, Timer};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::push::{LinkId, Push, PushKind, Transport};
use crate::domain::time::Timestamp;
use crate::domain::{Now, Source, Status, Steady};

impl Monitor {
    pub(super) fn take_push(&mut self, now: Now, link: LinkId, push: &Push) {
        let status = push.what.status();
        if !self.push.may_bring(now.steady, link, push.named, status) {
            return self.discard("push_stranger", format!("channel {} is not followed on link {}", push.named, link.0));
        }
        // R4.
        if push.inside.is_some_and(|inside| inside != push.named) {
            return self.discard("push_conflict", format!("channel {} speaks of {:?}", push.named, push.inside));
        }
        self.last_push = Some(push.received);
        let suspected = self.push.is_suspected();
        if self.push.delivers(link, status) {
            self.book.troubles.settle(Code::PushSilent, "");
        }
        for key in self.streamers.of_channel(push.named).to_vec() {
            self.take_push_for(now, key, push);
            self.judge_coverage(now, key);
        }
        self.judge_all_if(now, suspected != self.push.is_suspected());
    }

    pub(super) fn discard(&mut self, what: &'static str, text: String) {
        self.discarded += 1;
        let text = format!("{text}; {} so far", self.discarded);
        self.log(Event::Detail { what, text });
    }

    fn take_push_for(&mut self, now: Now, key: Key, push: &Push) {
        let time = self.kick.read(now);
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        // R4: a time that has not come is none.
        let start = |created_at: Option<Timestamp>| created_at.filter(|created| !time.is_to_come(*created));
        let status = push.what.status();
        let verdict = match push.what {
            PushKind::Live { livestream, created_at } => streamer.judge_live(livestream, start(created_at), &time),
            PushKind::Stop { livestream } => streamer.judge_stop(livestream, push.received),
        };
        let news = verdict == Verdict::Believe && streamer.belief.status != Some(status);
        self.push.health.told(key, status, news);
        // R12: through a suspect id that Kick never confirmed, push is only a question.
        let questionable = streamer.ids.suspect && !streamer.ids.confirmed;
        match verdict {
            Verdict::Nothing => {}
            Verdict::Ask => {
                if let (PushKind::Live { livestream, created_at }, false) = (&push.what, questionable) {
                    streamer.broadcast.heard_of(*livestream, start(*created_at));
                    streamer.hear_again(*livestream, push.received);
                }
                self.ask_twice(now, key);
            }
            Verdict::Believe if questionable => {
                streamer.questioned = Some(Box::new(push.clone()));
                self.ask_twice(now, key);
            }
            Verdict::Believe => {
                let (at, held) = (push.received, streamer.ids.confirmed);
                let blind = streamer.broadcast.highest.is_none();
                match push.what {
                    PushKind::Live { livestream, created_at } => {
                        streamer.broadcast.begin(livestream, start(created_at));
                    }
                    PushKind::Stop { livestream } => streamer.broadcast.end(livestream, at),
                }
                streamer.heard = Some(Heard { status, at, held, blind, again: None });
                let row = streamer.row.clone();
                self.changed_lately(now, vec![row], self.settings.hold);
                self.believe_push(now, key, status, push);
            }
        }
    }

    /// R12: Kick has confirmed the id that a push event came through, which was only a question till then.
    pub(super) fn replay_questioned(&mut self, now: Now, key: Key) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        if let Some(push) = streamer.questioned.take() {
            if now.steady.since(push.received) < self.settings.hold {
                self.take_push_for(now, key, &push);
            }
            self.ask_about(key);
        }
    }

    /// A push event that is only a question. The API, which trails, may not know the answer yet.
    fn ask_twice(&mut self, now: Now, key: Key) {
        self.ask_about(key);
        self.at(now.steady + ASKED_AGAIN, Timer::Ask(key));
    }

    /// A push event that only repeats what the sweep found first is no change, and is not logged as one.
    fn believe_push(&mut self, now: Now, key: Key, status: Status, push: &Push) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        if streamer.belief.status == Some(status) {
            streamer.belief.verified = true;
            streamer.doubt = None;
            streamer.vanished = None;
            self.asking.no_second_look(key);
            return self.write(now, key);
        }
        self.believe(now, key, status, Source::Push, push.received);
    }

    /// R11: the sweep found a change; push has a little time to tell of it too.
    pub(super) fn expect_push(&mut self, now: Now, key: Key, status: Status) {
        let Some(channel) = self.streamers.get(&key).and_then(|streamer| streamer.ids.channel) else { return };
        if let Some(due) = self.push.expect(now.steady, self.settings.hold, key, channel, status) {
            self.at(due, Timer::PushGrace(key));
        }
    }

    /// R11: so many misses in a row mean that the transport is dead, however well it looks.
    fn missed_by(&mut self, now: Now, transport: Transport, status: Status) {
        let leave = self.push.health.missed(transport, status);
        let Some(Silence { kind, missed }) = self.push.health.silence(transport) else { return };
        if leave {
            self.push.silent(now.steady, transport, kind);
        }
        let (word, kind) = (transport.word(), kind.word());
        let what = if kind == "both" { "changes" } else { kind };
        let words = format!("{missed} {what} in a row, over {word}");
        if self.book.troubles.raise(now, Code::PushSilent, "", words, &format!("{word} {kind}")) {
            self.log(Event::PushSilent { transport: word, missed, kind });
        }
    }

    /// R11: whether a good part of what push should tell does not come.
    fn weigh_push(&mut self, now: Now) {
        let Some((missed, of)) = self.push.health.partial() else {
            self.book.troubles.settle(Code::PushPartial, "");
            return;
        };
        let words = format!("{missed} of the last {of}");
        if self.book.troubles.raise(now, Code::PushPartial, "", words, "") {
            self.log(Event::PushPartial { missed, of });
        }
    }

    /// R24: the names of unrecognised events that came when a change took place that the sweep found just now.
    fn unrecognised_near(&self, now: Now, streamer: &Streamer) -> String {
        let found = streamer.found.map_or(now.steady, |found| found.at);
        let before = Steady(found.0.saturating_sub(self.settings.sweep));
        let channel = streamer.ids.channel;
        channel.map(|channel| self.unrecognised.near(channel, before, found).join(",")).unwrap_or_default()
    }

    pub(super) fn push_did_not_come(&mut self, now: Now, key: Key) {
        let suspected = self.push.is_suspected();
        for status in self.push.health.overdue(now.steady, key) {
            let Some(streamer) = self.streamers.get(&key) else { continue };
            let username = streamer.username.clone();
            let carrier = streamer.ids.channel.and_then(|channel| self.push.links.carrier(channel));
            let unrecognised = self.unrecognised_near(now, streamer);
            self.log(Event::PushMissed { username, status, unrecognised });
            self.book.counters.push_missed += 1;
            self.suspect(key);
            if let Some(transport) = carrier {
                self.missed_by(now, transport, status);
            }
            self.weigh_push(now);
        }
        self.judge_coverage(now, key);
        self.judge_all_if(now, suspected != self.push.is_suspected());
    }
}
