//! What one answer of the API means for one streamer, given what push reported and what the table shows: R6 to R9, R13
//! and R15.

use super::broadcasts::{apart, later_by};
use super::kick_clock::KickTime;
use super::streamer::{Heard, Streamer, Vanished};
use super::times::{
    CLOCK_MARGIN, ENDPOINT_LAG, MENTIONS_APART, SAME_BROADCAST, SECOND_LOOK, SMALL_BATCH, STALE_LIVE,
    UNCONFIRMED_GRACE, VANISHED, VANISHED_APART, VANISHED_MIN,
};
use crate::domain::ask::Endpoint;
use crate::domain::time::Timestamp;
use crate::domain::{Status, Steady};
use std::time::Duration;

/// What one answer says about one streamer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    pub status: Status,
    /// When the broadcast began, if the answer says so.
    pub start: Option<Timestamp>,
    /// The answer names the streamer, and does not merely leave them out of a list of live streams.
    pub explicit: bool,
    pub endpoint: Endpoint,
    /// The number of streamers that the request asked about.
    pub batch: usize,
    /// Kick has no other endpoint left to ask.
    pub sole: bool,
    /// When the request was sent.
    pub started: Steady,
}

/// A first observation that needs a second one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doubt {
    pub first: Observation,
    /// The second one must come from another endpoint (R7).
    pub elsewhere: bool,
    /// When the first and the last request started whose answers mentioned the streamer without a status (R6).
    pub mentions: Option<(Steady, Steady)>,
}

/// What an observation means for a streamer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It agrees with what is believed.
    Agrees,
    /// It changes the belief.
    Changes,
    /// It would change the belief, after a second look. `elsewhere`: at another endpoint.
    Doubts { elsewhere: bool },
    /// It does not count; ask again at this time.
    NotBefore(Steady),
    /// It does not count.
    Nothing,
}

impl Streamer {
    /// R7 to R9, R13: what an observation means. R10 comes afterwards.
    pub(crate) fn weigh(&self, seen: &Observation, hold: Duration, time: &KickTime) -> Weight {
        if self.resumes(seen).is_some() {
            // The table may have shown it first.
            let known = self.belief.status == Some(Status::Online);
            return if known { Weight::Agrees } else { Weight::Changes };
        }
        if let Some(at) = self.table_knows_more(seen, time) {
            return Weight::NotBefore(at);
        }
        if let Some(heard) = self.heard.filter(|heard| heard.status != seen.status) {
            if let Some(weight) = self.weigh_against_push(&heard, seen, hold, time) {
                return weight;
            }
        }
        let Some(believed) = self.belief.status else { return Weight::Changes };
        if believed == seen.status {
            return Weight::Agrees;
        }
        if let Some(at) = self.trails_until(seen, hold) {
            return Weight::NotBefore(at);
        }
        match (&self.doubt, seen.status) {
            (Some(doubt), status) if doubt.first.status == status => {
                if doubt.settled_by(seen) {
                    Weight::Changes
                } else {
                    Weight::Nothing
                }
            }
            // R8: one observation is enough.
            (_, Status::Online) => Weight::Changes,
            (_, Status::Offline) => Weight::Doubts { elsewhere: false },
        }
    }

    /// Takes an observation that agrees with the belief.
    pub(crate) fn agree(&mut self, seen: &Observation) {
        self.belief.verified = true;
        self.doubt = None;
        self.resume(seen);
        if let Some(fresher) = self.belief.fresher.as_mut().filter(|it| !it.borne_out.contains(&seen.endpoint)) {
            fresher.borne_out.push(seen.endpoint);
        }
        // If push reported the change first, it counts as found by the endpoint that confirms it.
        let news =
            self.heard.is_some_and(|heard| heard.status == seen.status && seen.started.since(heard.at) < ENDPOINT_LAG);
        if news {
            self.find(seen);
        }
        self.note(seen);
    }

    /// R10: what an observation means in an answer that changes implausibly many. A doubt that already waits for its
    /// second look goes on waiting, or frequent sweeps would put that off for ever.
    pub(crate) fn brake(&self, seen: &Observation, weight: Weight) -> Weight {
        match (weight, &self.doubt) {
            (Weight::Changes, _) if self.belief.status.is_none() => weight,
            (Weight::Changes, Some(doubt)) if doubt.first.status == seen.status => Weight::Nothing,
            (Weight::Changes, _) => Weight::Doubts { elsewhere: false },
            _ => weight,
        }
    }

    /// R12: returns true if an observation speaks against the channel id. The API's ordinary lag does not: with a wrong
    /// suspicion, the stop that follows would be only a question, and be lost.
    pub(crate) fn suspects_its_channel(&self, seen: &Observation) -> bool {
        self.heard.is_some_and(|heard| {
            !heard.held && heard.status != seen.status && seen.started >= heard.at + UNCONFIRMED_GRACE
        })
    }

    /// R15: returns true if the answer to a request sent at `asked` can confirm or contradict the belief. If only the
    /// table shows the status, the request must be newer than that.
    pub(crate) fn is_told_by(&self, asked: Steady) -> bool {
        self.belief.verified || asked >= self.belief.received
    }

    /// R6: an answer has left the streamer out.
    pub(crate) fn missed(&mut self, now: Steady) {
        let first = Vanished { since: now, times: 1, counted: now };
        let vanished = self.vanished.get_or_insert_with(|| Box::new(first));
        if now.since(vanished.counted) >= VANISHED_APART {
            vanished.times += 1;
            vanished.counted = now;
        }
    }

    /// R6: returns true if the streamer has been left out repeatedly, for ten minutes, and no list names them: they are
    /// banned or deleted, and not live.
    pub(crate) fn has_vanished(&self, now: Steady, asked: Steady) -> bool {
        let vanished = self.vanished.as_ref();
        let long = vanished.is_some_and(|it| it.times >= VANISHED_MIN && now.since(it.since) >= VANISHED);
        let fresher = self.belief.fresher.as_ref().is_some_and(|fresher| asked < fresher.until);
        long && !fresher && self.belief.status == Some(Status::Online) && self.is_told_by(asked)
    }

    /// R7: weighs an observation that contradicts the last push event. `None` if the event does not stand against it.
    fn weigh_against_push(&self, heard: &Heard, seen: &Observation, hold: Duration, time: &KickTime) -> Option<Weight> {
        let shielded = heard.at + if heard.held { hold } else { UNCONFIRMED_GRACE.min(hold) };
        if seen.status == Status::Offline {
            return (seen.started < shielded).then_some(Weight::NotBefore(shielded));
        }
        if seen.started < heard.at {
            return Some(Weight::NotBefore(shielded));
        }
        let Some(start) = seen.start else {
            return (seen.started < shielded).then_some(Weight::NotBefore(shielded));
        };
        // Kick's own times are better than our clock, which may be wrong, and than the time of a stop, which may be
        // late.
        let heard_at = heard.sent.map_or(time.at(heard.at), |sent| sent.min(time.at(heard.at)));
        let trails = || time.dated && !heard.blind && start <= heard_at;
        let stopped = self.broadcast.was_stopped(start);
        let stale = stopped.unwrap_or_else(trails);
        let can_tell = time.dated || stopped.is_some();
        if !stale && can_tell && later_by(start, heard_at) > CLOCK_MARGIN {
            return None;
        }
        if !stale || !heard.held {
            return (seen.started < shielded).then_some(Weight::NotBefore(shielded));
        }
        if seen.started < heard.at + STALE_LIVE {
            let due = if seen.started < shielded { shielded } else { heard.at + STALE_LIVE };
            return Some(Weight::NotBefore(due));
        }
        if self.belief.status == Some(Status::Online) {
            return None;
        }
        match &self.doubt {
            Some(doubt) if doubt.elsewhere && doubt.first.status == Status::Online => None,
            _ => Some(Weight::Doubts { elsewhere: true }),
        }
    }

    /// R13, R15: until when what the table shows may be more recent than this observation, which contradicts it. A
    /// broadcast that began later than the table was read is news all the same.
    fn table_knows_more(&self, seen: &Observation, time: &KickTime) -> Option<Steady> {
        let contradicts = self.belief.status.is_some_and(|believed| believed != seen.status);
        let fresher = self.belief.fresher.as_ref().filter(|it| contradicts && seen.started < it.until)?;
        let since = time.at(self.belief.received);
        let began_later = time.dated && seen.start.is_some_and(|start| later_by(start, since) > CLOCK_MARGIN);
        let in_doubt = self.doubt.as_ref().is_some_and(|doubt| doubt.first.status == seen.status);
        let news = began_later || in_doubt || fresher.borne_out.contains(&seen.endpoint);
        (!news).then_some(fresher.until)
    }

    /// R7 among the endpoints: one may still show a broadcast that another has already seen end, or not yet show one
    /// that another has seen begin. Returns until when that may be so; `None` if the observation is news.
    fn trails_until(&self, seen: &Observation, hold: Duration) -> Option<Steady> {
        let found = self.found.filter(|found| found.status != seen.status)?;
        let until = found.at + ENDPOINT_LAG.min(hold);
        let trails = match seen.status {
            Status::Online => found.start.zip(seen.start).is_some_and(|(a, b)| apart(a, b) <= SAME_BROADCAST),
            // The endpoint that reported a change first may retract it; others may then confirm the retraction.
            Status::Offline => {
                found.endpoint != seen.endpoint
                    && self.doubt.as_ref().is_none_or(|doubt| doubt.first.endpoint != found.endpoint)
            }
        };
        (trails && seen.started < until).then_some(until)
    }

    /// R6: `/channels` mentioned the streamer without a status, which says something only together with absence from
    /// the list of live streams. Returns true if that list is to be asked once more.
    pub(crate) fn mention(&mut self, asked: Steady) -> bool {
        let Some(doubt) = self.doubt.as_mut().filter(|doubt| doubt.first.status == Status::Offline) else {
            return false;
        };
        let (first, last) = doubt.mentions.unwrap_or((asked, asked));
        doubt.mentions = Some((first.min(asked), last.max(asked)));
        doubt.mentioned_twice()
    }
}

impl Doubt {
    /// R9, R10: returns true if the second observation confirms the first one.
    fn settled_by(&self, second: &Observation) -> bool {
        let elsewhere = second.endpoint != self.first.endpoint;
        let trusted = elsewhere || ((!self.elsewhere || second.sole) && second.batch <= SMALL_BATCH);
        let explicit = second.status == Status::Online || second.explicit || self.first.explicit;
        let settled = trusted && explicit && second.started >= self.first.started + SECOND_LOOK;
        settled || (self.mentioned_twice() && second.started >= self.first.started + MENTIONS_APART)
    }

    /// R6: returns true if there were enough mentions for an absence to settle the doubt.
    pub(crate) fn mentioned_twice(&self) -> bool {
        self.mentions.is_some_and(|(first, last)| last >= first + MENTIONS_APART)
    }
}
