//! One streamer: what we believe, why, and the rules that judge one piece of evidence about them.
//!
//! Nothing here knows other streamers, queues or connections.

use crate::domain::ask::Endpoint;
use crate::domain::push::Push;
use crate::domain::row::Shown;
use crate::domain::{ChannelId, LivestreamId, Now, RowId, Slug, Source, Status, Steady, UserId, time::Timestamp};
use crate::monitor::broadcasts::{Broadcasts, apart, later_by};
use crate::monitor::kick_clock::KickTime;
use crate::monitor::table::Table;
use crate::monitor::times::{
    CLOCK_MARGIN, ENDPOINT_LAG, LATE_STOP, MENTIONS_APART, RESUMED_AFTER, SAME_BROADCAST, SECOND_LOOK, SMALL_BATCH,
    STALE_LIVE, UNCONFIRMED_GRACE,
};
use std::sync::Arc;
use std::time::Duration;

/// One row of the roster and everything known of its streamer.
#[derive(Debug)]
pub(crate) struct Streamer {
    pub row: RowId,
    /// As the table has it.
    pub username: Arc<str>,
    /// The username, normalised.
    pub name: Slug,
    /// Grows when the row names somebody else: answers about the one before are then dropped.
    pub epoch: u32,
    pub ids: Ids,
    pub belief: Belief,
    /// The last push event that was believed.
    pub heard: Option<Heard>,
    /// The last one that was only a question because of the id that it came through (RULES R12).
    pub questioned: Option<Box<Push>>,
    pub broadcast: Broadcasts,
    /// When the request that last found the streamer Offline started.
    pub found_offline: Option<Steady>,
    /// What the API tells at present, by the answers that counted.
    pub found: Option<Found>,
    /// A change that waits for a second look.
    pub doubt: Option<Box<Doubt>>,
    /// `/channels` leaves the streamer out, and nothing names them.
    pub vanished: Option<Box<Vanished>>,
    pub table: Table,
}

/// How long somebody has been left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vanished {
    pub since: Steady,
    /// How often, and when it was counted last.
    pub times: u32,
    pub counted: Steady,
}

/// What Kick calls this streamer.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    /// The slug that Kick answered with; the name until then.
    pub slug: Option<Slug>,
    /// The user id that Kick gave for the name.
    pub user: Option<UserId>,
    /// The user id that the table gives; a hint for a name that Kick does not know.
    pub configured_user: Option<UserId>,
    /// The channel id that push is followed by.
    pub channel: Option<ChannelId>,
    /// The channel id that the table gives; a hint.
    pub configured_channel: Option<ChannelId>,
    /// Kick stated `channel` itself.
    pub confirmed: bool,
    /// Something speaks against `channel`: it is looked up again, and unless it is confirmed, push
    /// through it is only a question (RULES R12).
    pub suspect: bool,
    /// Kick did not know the name; the other spelling is asked about.
    pub dashed: bool,
    /// Kick knows neither spelling, and it was said.
    pub unknown: bool,
    /// How often in a row Kick did not know the name.
    pub misses: u32,
    /// When the name is asked about again.
    pub name_due: Option<Steady>,
    /// An answer showed this other slug for the user id: the name must be asked about.
    pub doubtful: Option<Slug>,
}

/// What we hold to be true.
#[derive(Debug)]
pub(crate) struct Belief {
    /// None: not known.
    pub status: Option<Status>,
    /// Kick said so to us; otherwise it is only what the table showed.
    pub verified: bool,
    pub since: Now,
    pub source: Source,
    /// When the evidence was received: for the latency of the write; what only the table says, for R15.
    pub received: Steady,
}

/// A push event that was believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub status: Status,
    pub at: Steady,
    /// It came through an id that Kick confirmed, so the hold applies.
    pub held: bool,
    /// A stop that came when no id was known: the broadcast that runs may be a later one (R2).
    pub blind: bool,
    /// A live event for a broadcast that had ended, which came later (R1).
    pub again: Option<(LivestreamId, Steady)>,
}

/// A change that the API told first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub status: Status,
    /// When the request started whose answer told so, and where it went.
    pub at: Steady,
    pub endpoint: Endpoint,
    /// When the broadcast began that runs, or that ended.
    pub start: Option<Timestamp>,
}

/// What one answer says of one streamer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    pub status: Status,
    /// When the broadcast began, if the answer says.
    pub start: Option<Timestamp>,
    /// The answer names the streamer, rather than leaving them out of a list of those live.
    pub explicit: bool,
    pub endpoint: Endpoint,
    /// How many the request asked about.
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
    /// Only another endpoint will do (RULES R7).
    pub elsewhere: bool,
    /// When the requests started that first and last found a mention without a status (R6).
    pub mentions: Option<(Steady, Steady)>,
}

/// What a push event means for a streamer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Believe it.
    Believe,
    /// Ask the API.
    Ask,
    /// Nothing new.
    Nothing,
}

/// What an observation means for a streamer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It agrees with what is believed.
    Agrees,
    /// It changes the belief.
    Changes,
    /// It would, after a second look; `elsewhere`: by another endpoint.
    Doubts { elsewhere: bool },
    /// It is not to be counted; ask again then.
    NotBefore(Steady),
    /// It is not to be counted.
    Nothing,
}

impl Streamer {
    /// R1: a live event.
    pub(crate) fn judge_live(
        &self,
        livestream: LivestreamId,
        created_at: Option<Timestamp>,
        time: &KickTime,
    ) -> Verdict {
        if self.broadcast.current == Some(livestream) {
            return Verdict::Nothing;
        }
        if self.broadcast.highest.is_some_and(|highest| livestream <= highest) {
            return Verdict::Ask;
        }
        let outdated = match (created_at, self.found_offline) {
            (Some(created), Some(offline)) => later_by(time.at(offline), created) > CLOCK_MARGIN,
            _ => false,
        };
        if outdated { Verdict::Ask } else { Verdict::Believe }
    }

    /// R2: a stop event. An id that a stop already ended is a repetition: it says nothing of a
    /// broadcast that has begun since, whose own id we may not know.
    ///
    /// Where the API alone told that a broadcast ended, its stop is still to come: for a while, one that
    /// is not of the broadcast known to run may be that one, and is only a question.
    pub(crate) fn judge_stop(&self, livestream: LivestreamId, received: Steady) -> Verdict {
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
            // One id that was higher than all to come must not make every later stop worthless.
            Verdict::Ask
        }
    }

    /// R1: a live event of a broadcast that a stop ended is only a question, but a witness too when it comes so
    /// much later that it is hardly a repetition: Kick keeps a broadcast's id over a short pause.
    pub(crate) fn hear_again(&mut self, livestream: LivestreamId, received: Steady) {
        let ended = self.broadcast.ended_at(livestream);
        if let (Some(heard), Some(ended)) = (&mut self.heard, ended) {
            if received >= ended + RESUMED_AFTER {
                heard.again = Some((livestream, received));
            }
        }
    }

    /// R1: the broadcast that such a live event told of, when an answer to a later question bears it out.
    fn resumes(&self, seen: &Observation) -> Option<(LivestreamId, Steady)> {
        let again = self.heard.and_then(|heard| heard.again);
        again.filter(|(_, at)| seen.status == Status::Online && seen.started >= *at)
    }

    /// Takes note of a broadcast that has resumed, if that is what the observation means.
    pub(crate) fn resume(&mut self, seen: &Observation) -> bool {
        let Some((livestream, at)) = self.resumes(seen) else { return false };
        self.broadcast.resume(livestream, seen.start);
        let held = self.heard.is_some_and(|heard| heard.held);
        self.heard = Some(Heard { status: Status::Online, at, held, blind: false, again: None });
        true
    }

    /// R7 to R9, R13: what an observation means, R10 aside.
    pub(crate) fn weigh(&self, seen: &Observation, hold: Duration, time: &KickTime) -> Weight {
        if self.belief.status == Some(Status::Offline) && self.resumes(seen).is_some() {
            return Weight::Changes;
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

    /// R7: an observation that contradicts the last push event. None: the event says nothing against it.
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
        // Kick's own times say more than our clock, which may be wrong, and than a stop, which may be late.
        let heard_at = time.at(heard.at);
        let trails = || time.dated && !heard.blind && start <= heard_at;
        let stale = self.broadcast.has_ended(start).unwrap_or_else(trails);
        if !stale && later_by(start, heard_at) > CLOCK_MARGIN {
            return None;
        }
        if !stale || !heard.held {
            return (seen.started < shielded).then_some(Weight::NotBefore(shielded));
        }
        if seen.started < heard.at + STALE_LIVE {
            return Some(if seen.started < shielded { Weight::NotBefore(shielded) } else { Weight::Nothing });
        }
        if self.belief.status == Some(Status::Online) {
            return None;
        }
        match &self.doubt {
            Some(doubt) if doubt.elsewhere && doubt.first.status == Status::Online => None,
            _ => Some(Weight::Doubts { elsewhere: true }),
        }
    }

    /// R7 among the endpoints: one may still show the broadcast that another has already seen end, and not
    /// yet the one that another has seen begin. Until when that may be so; None: the observation is news.
    fn trails_until(&self, seen: &Observation, hold: Duration) -> Option<Steady> {
        let found = self.found.filter(|found| found.status != seen.status)?;
        let until = found.at + ENDPOINT_LAG.min(hold);
        let trails = match seen.status {
            Status::Online => found.start.zip(seen.start).is_some_and(|(a, b)| apart(a, b) <= SAME_BROADCAST),
            // Whoever told first may take it back, and then others may bear that out.
            Status::Offline => {
                found.endpoint != seen.endpoint
                    && self.doubt.as_ref().is_none_or(|doubt| doubt.first.endpoint != found.endpoint)
            }
        };
        (trails && seen.started < until).then_some(until)
    }

    /// R6: `/channels` mentioned the streamer without a status, which says something only beside absence from the
    /// live list. Whether the list is to be asked once more.
    pub(crate) fn mention(&mut self, asked: Steady) -> bool {
        let Some(doubt) = self.doubt.as_mut().filter(|doubt| doubt.first.status == Status::Offline) else {
            return false;
        };
        let (first, last) = doubt.mentions.unwrap_or((asked, asked));
        doubt.mentions = Some((first.min(asked), last.max(asked)));
        doubt.mentioned_twice()
    }

    /// Remembers what an observation that counts says of the broadcast.
    pub(crate) fn note(&mut self, seen: &Observation) {
        match seen.status {
            Status::Online => self.broadcast.seen_running(seen.start, seen.started),
            Status::Offline => {
                self.broadcast.seen_none(seen.started);
                self.found_offline = self.found_offline.max(Some(seen.started));
            }
        }
    }

    /// Remembers a change that the API told.
    pub(crate) fn find(&mut self, seen: &Observation) {
        let Observation { status, endpoint, .. } = *seen;
        let start = seen.start.or(self.broadcast.start);
        self.found = Some(Found { status, at: seen.started, endpoint, start });
    }

    /// Believes a status from now on.
    pub(crate) fn believe(&mut self, status: Status, source: Source, received: Steady, now: Now) {
        self.belief = Belief { status: Some(status), verified: true, since: now, source, received };
        self.doubt = None;
        self.vanished = None;
    }

    /// Takes over what the table shows, which Kick has yet to confirm (RULES R13, R15).
    pub(crate) fn believe_table(&mut self, shown: Shown, now: Now) {
        let status = match shown {
            Shown::Known(status) => Some(status),
            Shown::Unknown => None,
        };
        self.belief = Belief { status, verified: false, since: now, source: Source::Sweep, received: now.steady };
        self.doubt = None;
    }

    /// What the row is to show and may not. What only the table says is no evidence to write (R13).
    pub(crate) fn wanted(&self) -> Option<Status> {
        self.belief.status.filter(|status| self.belief.verified && !self.table.shows(*status))
    }

    /// Whether a slug is another name than the table's.
    pub(crate) fn spells_otherwise(&self, slug: &Slug) -> bool {
        !slug.is_spelling_of(&self.name)
    }

    /// The slug to ask Kick by.
    pub(crate) fn asked_slug(&self) -> Slug {
        if self.ids.doubtful.is_none() {
            if let Some(slug) = &self.ids.slug {
                return slug.clone();
            }
        }
        self.ids.dashed.then(|| self.name.dashed()).flatten().unwrap_or_else(|| self.name.clone())
    }
}

impl Doubt {
    /// R9, R10: whether the second observation bears the first one out.
    fn settled_by(&self, second: &Observation) -> bool {
        let elsewhere = second.endpoint != self.first.endpoint;
        let trusted = elsewhere || ((!self.elsewhere || second.sole) && second.batch <= SMALL_BATCH);
        let explicit = second.status == Status::Online || second.explicit || self.first.explicit;
        let settled = trusted && explicit && second.started >= self.first.started + SECOND_LOOK;
        settled || (self.mentioned_twice() && second.started >= self.first.started + MENTIONS_APART)
    }

    /// R6: often enough for an absence to settle it.
    pub(crate) fn mentioned_twice(&self) -> bool {
        self.mentions.is_some_and(|(first, last)| last >= first + MENTIONS_APART)
    }
}
