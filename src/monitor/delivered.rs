//! What one delivery of a webhook means for one streamer: R27. It knows no livestream id: its broadcast is known by the
//! time at which it began.

use super::broadcasts::later_by;
use super::hearing::Verdict;
use super::kick_clock::KickTime;
use super::streamer::{Heard, Streamer};
use super::times::{API_LAG, CLOCK_MARGIN, OLD_DELIVERY, RESUMED_AFTER};
use crate::domain::Status;
use crate::domain::time::Timestamp;
use crate::domain::webhook::Delivery;

impl Streamer {
    /// Takes note of a delivery, and says what it means.
    pub(crate) fn hear_delivery(&mut self, delivery: &Delivery, time: &KickTime) -> Verdict {
        self.delivered = Some((delivery.status, delivery.received));
        // R4: a time in the future counts as missing.
        let start = delivery.started_at.filter(|start| !time.is_to_come(*start));
        let old = later_by(time.at(delivery.received), delivery.sent) > OLD_DELIVERY;
        let early = time.is_to_come(delivery.sent);
        let Some(start) = start.filter(|_| !old && !early && !self.overtakes(delivery, time)) else {
            return Verdict::Ask;
        };
        let verdict = match delivery.status {
            Status::Online => self.judge_start(start, delivery, time),
            Status::Offline => self.judge_end(start, delivery, time),
        };
        let repeats = verdict == Verdict::Nothing && self.repeats(start, delivery.status);
        if let Some(heard) = self.heard.as_mut().filter(|_| repeats) {
            // What the websocket told first is about Kick's own user id from now on.
            heard.held = true;
            heard.sent = heard.sent.max(Some(delivery.sent));
            // R1: an end that Kick sent so much later is hardly the same one. It may have gone on unheard for a while.
            if delivery.status == Status::Offline && later_by(delivery.sent, time.at(heard.at)) >= RESUMED_AFTER {
                heard.at = delivery.received;
                return Verdict::Renew;
            }
        }
        if verdict == Verdict::Believe {
            let (status, at, sent) = (delivery.status, delivery.received, Some(delivery.sent));
            let blind = self.broadcast.start.is_none();
            match status {
                Status::Online => self.broadcast.began(start, at),
                Status::Offline => self.broadcast.ended(start, at),
            }
            let heard = Heard { status, at, held: true, blind, again: None, resumed: false, insisted: false, sent };
            self.heard = Some(heard);
        }
        verdict
    }

    /// Returns true if what is believed is later: Kick sent it later, or the broadcast has resumed since, or was told of
    /// again (R1). Kick sends the end of a broadcast some seconds after it.
    fn overtakes(&self, delivery: &Delivery, time: &KickTime) -> bool {
        self.heard.is_some_and(|heard| {
            let resumed = heard.resumed && delivery.status == Status::Offline;
            let sent_before = || later_by(delivery.sent, time.at(heard.at)) < RESUMED_AFTER;
            let stop = heard.status == Status::Online && delivery.status == Status::Offline;
            let long_before = || time.dated && later_by(time.at(heard.at), delivery.sent) >= RESUMED_AFTER;
            match heard.sent {
                Some(sent) if delivery.sent < sent => true,
                None if stop && long_before() => true,
                _ => resumed && sent_before(),
            }
        })
    }

    /// Returns true if the last event that was believed told the same of the broadcast that began then.
    fn repeats(&self, start: Timestamp, status: Status) -> bool {
        let same = match status {
            Status::Online => self.broadcast.began_at(Some(start)),
            Status::Offline => self.broadcast.last_ended(start),
        };
        same && self.heard.is_some_and(|heard| heard.status == status)
    }

    fn judge_start(&mut self, start: Timestamp, delivery: &Delivery, time: &KickTime) -> Verdict {
        if self.broadcast.began_at(Some(start)) {
            return self.judge_again(delivery, time);
        }
        if self.broadcast.start.is_some_and(|running| start < running) {
            return Verdict::Ask;
        }
        let heard_end = self.heard.filter(|heard| heard.status == Status::Offline);
        let trails = || heard_end.is_some_and(|heard| !time.dated || start <= time.at(heard.at));
        if self.broadcast.has_ended(start).unwrap_or_else(trails) {
            self.may_resume(delivery, time);
            return Verdict::Ask;
        }
        // The API lags, but not by more than this.
        let outdated = self.found_offline.is_some_and(|found| later_by(time.at(found), delivery.sent) > API_LAG);
        if outdated { Verdict::Ask } else { Verdict::Believe }
    }

    /// One more of the broadcast that runs: the first that is heard of it, a repetition, or, if it was sent so much
    /// later that it is hardly one, a sign that the stop of a short pause may be lost (R1).
    fn judge_again(&mut self, delivery: &Delivery, time: &KickTime) -> Verdict {
        let Some(heard) = self.heard.as_mut().filter(|heard| heard.status == Status::Online) else {
            return Verdict::Believe;
        };
        if later_by(delivery.sent, time.at(heard.at)) < RESUMED_AFTER {
            return Verdict::Nothing;
        }
        heard.at = delivery.received;
        heard.sent = Some(delivery.sent);
        Verdict::Renew
    }

    fn judge_end(&self, start: Timestamp, delivery: &Delivery, time: &KickTime) -> Verdict {
        let online = self.belief.status == Some(Status::Online);
        // The API lags, but not by more than this.
        let outdated = |asked| time.dated && later_by(time.at(asked), delivery.sent) > API_LAG;
        if online && self.doubt.is_none() && self.compared.is_some_and(outdated) {
            return Verdict::Ask;
        }
        match self.broadcast.start {
            Some(_) if self.broadcast.began_at(Some(start)) => Verdict::Believe,
            // A start was missed, and the API has to tell what runs now.
            Some(running) if start > running => Verdict::Ask,
            Some(_) => Verdict::Nothing,
            None if self.broadcast.has_ended(start) != Some(true) => Verdict::Believe,
            None if online => Verdict::Ask,
            None => Verdict::Nothing,
        }
    }

    /// R1: a live delivery for a broadcast that has ended is a witness, too, if Kick sent it so much later than the
    /// stop that it is hardly an earlier one that was late.
    fn may_resume(&mut self, delivery: &Delivery, time: &KickTime) {
        let offline = self.belief.status == Some(Status::Offline);
        let Some(heard) = self.heard.as_mut().filter(|heard| offline && heard.status == Status::Offline) else {
            return;
        };
        let (ended, margin) = match heard.sent {
            Some(sent) => (sent, RESUMED_AFTER),
            None => (time.at(heard.at), if time.dated { RESUMED_AFTER } else { CLOCK_MARGIN }),
        };
        if later_by(delivery.sent, ended) >= margin {
            heard.again = Some((None, delivery.received));
        }
    }
}
