//! What one push event means for one streamer: R1 and R2, and R12 for events through a doubtful channel id.

use super::broadcasts::later_by;
use super::kick_clock::KickTime;
use super::streamer::{Heard, Streamer};
use super::times::{CLOCK_MARGIN, LATE_STOP, RESUMED_AFTER};
use crate::domain::push::{Push, PushKind};
use crate::domain::time::Timestamp;
use crate::domain::{LivestreamId, Status, Steady};

/// What a push event means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Believe it.
    Believe,
    /// It would be believed, but the channel id is doubtful: ask the API.
    Question,
    /// Ask the API.
    Ask,
    /// Another live event of the running broadcast: the hold begins anew.
    Renew,
    /// Nothing new.
    Nothing,
}

impl Streamer {
    /// Judges an event, and remembers what it tells.
    pub(crate) fn hear(&mut self, push: &Push, time: &KickTime) -> Verdict {
        // R4: a time in the future counts as missing.
        let start = |created_at: Option<Timestamp>| created_at.filter(|created| !time.is_to_come(*created));
        let verdict = match push.what {
            PushKind::Live { livestream, created_at, .. } => {
                self.judge_live(livestream, start(created_at), push.received, time)
            }
            PushKind::Stop { livestream } => self.judge_stop(livestream, push.received),
        };
        // R12: an event through a suspect id that Kick never confirmed is only a question.
        let questionable = self.ids.suspect && !self.ids.are_confirmed();
        match (verdict, &push.what) {
            (Verdict::Believe, _) if questionable => {
                self.questioned = Some(Box::new(push.clone()));
                return Verdict::Question;
            }
            (Verdict::Believe, what) => {
                let (status, at, held) = (what.status(), push.received, self.ids.are_confirmed());
                let blind = self.broadcast.highest.is_none();
                match what {
                    PushKind::Live { livestream, created_at, title } => {
                        self.broadcast.begin(*livestream, start(*created_at), title.clone());
                    }
                    PushKind::Stop { livestream } => self.broadcast.end(*livestream, at),
                }
                // R27: what a webhook told has the hold, whatever channel id bears it out.
                if held || self.heard.is_none_or(|heard| heard.status != status || heard.sent.is_none()) {
                    let (resumed, insisted) = (false, false);
                    self.heard = Some(Heard { status, at, held, blind, again: None, resumed, insisted, sent: None });
                }
            }
            (Verdict::Ask, PushKind::Live { livestream, created_at, .. }) if !questionable => {
                let start = start(*created_at);
                self.broadcast.heard_of(*livestream, start);
                self.hear_again(*livestream, start, push.received);
            }
            (Verdict::Nothing, PushKind::Live { .. }) if self.told_again(push.received, time) => return Verdict::Renew,
            _ => {}
        }
        verdict
    }

    /// R1: renews the hold for a live event of the running broadcast that comes too long after the last one to be a
    /// mere repetition. The stop of a short pause may be lost, and the API may yet report the pause.
    fn told_again(&mut self, received: Steady, time: &KickTime) -> bool {
        let heard = self.heard.as_mut().filter(|heard| heard.status == Status::Online && heard.held);
        let Some(heard) = heard.filter(|heard| received >= heard.at + RESUMED_AFTER) else { return false };
        heard.at = received;
        // R27: a delivery of the stop of that pause comes late.
        let pause = time.at(received).checked_sub(RESUMED_AFTER).ok().filter(|_| time.dated);
        heard.sent = heard.sent.map(|sent| pause.map_or(sent, |pause| pause.max(sent)));
        // What was seen before the event counts no more.
        (self.doubt, self.vanished) = (None, None);
        true
    }

    /// R1: judges a live event.
    fn judge_live(
        &self,
        livestream: LivestreamId,
        created_at: Option<Timestamp>,
        received: Steady,
        time: &KickTime,
    ) -> Verdict {
        if self.broadcast.current == Some(livestream) {
            // Somebody else may have written Offline (R15).
            let offline = self.belief.status == Some(Status::Offline);
            return if offline { Verdict::Ask } else { Verdict::Nothing };
        }
        if self.broadcast.is_shown(livestream, created_at, received) {
            return Verdict::Believe;
        }
        if self.broadcast.highest.is_some_and(|highest| livestream <= highest) {
            return Verdict::Ask;
        }
        if self.ended_by_webhook(created_at).is_some() {
            return Verdict::Ask;
        }
        let outdated = match (created_at, self.found_offline) {
            (Some(created), Some(offline)) => later_by(time.at(offline), created) > CLOCK_MARGIN,
            _ => false,
        };
        if outdated { Verdict::Ask } else { Verdict::Believe }
    }

    /// R27: when a webhook told of the end of the broadcast that began then. The id of what ended is not known.
    fn ended_by_webhook(&self, created_at: Option<Timestamp>) -> Option<Steady> {
        let told = self.heard.filter(|heard| heard.status == Status::Offline && heard.sent.is_some())?;
        created_at.filter(|created| self.broadcast.has_ended(*created) == Some(true)).map(|_| told.at)
    }

    /// R2: judges a stop event. If a stop already ended this id, it is a repetition, and says nothing about a broadcast
    /// that has begun since and whose id may not be known.
    ///
    /// If only the API reported the end of a broadcast, its stop is still to come. For a while, a stop that is not of
    /// the broadcast known to run may be that one, and is only a question.
    fn judge_stop(&self, livestream: LivestreamId, received: Steady) -> Verdict {
        let seen = &self.broadcast;
        if seen.ended_at(livestream).is_some() {
            return if self.belief.status == Some(Status::Online) { Verdict::Ask } else { Verdict::Nothing };
        }
        let known = seen.current == Some(livestream);
        let due = seen.unheard_end.is_some_and(|at| received.since(at) < LATE_STOP);
        if due && !known && self.belief.status == Some(Status::Online) {
            return Verdict::Ask;
        }
        if known || seen.highest.is_none_or(|highest| livestream >= highest) {
            Verdict::Believe
        } else {
            // One absurdly high id must not make every later stop worthless.
            Verdict::Ask
        }
    }

    /// R1: a live event of a broadcast that has ended is only a question. If it comes too long after the stop to be
    /// a mere repetition, it is also a witness, because Kick keeps a broadcast's id over a short pause. If the streamer
    /// is believed Online already, it tells nothing new, and is no witness against what the table shows later.
    fn hear_again(&mut self, livestream: LivestreamId, created_at: Option<Timestamp>, received: Steady) {
        let ended = self.broadcast.ended_at(livestream);
        let ended = ended.or_else(|| self.ended_by_webhook(created_at).or(self.broadcast.ended_unheard(livestream)));
        // By the table: somebody else wrote Offline.
        let running = self.broadcast.current == Some(livestream);
        let ended = ended.or(Some(self.belief.since.steady).filter(|_| running));
        let offline = self.belief.status == Some(Status::Offline);
        if let (Some(heard), Some(ended)) = (self.heard.as_mut().filter(|_| offline), ended) {
            if received >= ended + RESUMED_AFTER {
                heard.again = Some((Some(livestream), received));
            }
        }
    }
}
