//! One streamer: what is believed, why, and the rules that judge one piece of evidence.
//!
//! It knows no other streamers, no queues and no connections.

use crate::domain::ask::{ChannelSource, Endpoint};
use crate::domain::push::Push;
use crate::domain::row::{Row, Shown};
use crate::domain::shards::Shard;
use crate::domain::{ChannelId, LivestreamId, Now, RowId, Slug, Source, Status, Steady, UserId, time::Timestamp};
use crate::monitor::broadcasts::Broadcasts;
use crate::monitor::table::Table;
use crate::monitor::times::{API_LAG, ASKED_AGAIN, QUESTIONS_MAX};
use crate::monitor::weighing::{Doubt, Observation};
use std::sync::Arc;
use std::time::Duration;

/// One row of the roster, and everything that is known about its streamer.
#[derive(Debug)]
pub(crate) struct Streamer {
    pub row: RowId,
    /// The shard of the row (R25).
    pub shard: Shard,
    /// As it stands in the table.
    pub username: Arc<str>,
    /// The username, normalised.
    pub name: Slug,
    /// Grows when the row turns out to name somebody else. Answers to older requests are then dropped.
    pub epoch: u32,
    pub ids: Ids,
    pub belief: Belief,
    /// The last push event that was believed.
    pub heard: Option<Heard>,
    /// The last delivery of a webhook, whatever it meant.
    pub delivered: Option<(Status, Steady)>,
    /// The last push event that was only a question because of its channel id (R12).
    pub questioned: Option<Box<Push>>,
    /// Since when questions by push are counted, and how many there were.
    pub questions: (Steady, u8),
    pub broadcast: Broadcasts,
    /// When the request that last found the streamer Offline started.
    pub found_offline: Option<Steady>,
    /// What the API last reported, by the observations that counted.
    pub found: Option<Found>,
    /// A change that waits for a second look.
    pub doubt: Option<Box<Doubt>>,
    /// Since when `/channels` has left the streamer out, if no list names them either.
    pub vanished: Option<Box<Vanished>>,
    /// Whether push should report every change (R23).
    pub covered: bool,
    /// Whether the subscription to the channel is confirmed.
    pub subscribed: bool,
    /// When the request of the last comparison started; until the first one, when the streamer was added. `None` while
    /// Kick does not know the name.
    pub compared: Option<Steady>,
    pub table: Table,
}

/// How long a streamer has been missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vanished {
    pub since: Steady,
    /// How often that was counted, and when last.
    pub times: u32,
    pub counted: Steady,
}

/// The names and ids of this streamer at Kick.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    /// The slug in Kick's answer. Until there is one, the name is used.
    pub slug: Option<Slug>,
    /// The user id that Kick gave for the name.
    pub user: Option<UserId>,
    /// The user id that the table gives; a hint for a name that Kick does not know.
    pub configured_user: Option<UserId>,
    /// The channel id by which push is followed.
    pub channel: Option<ChannelId>,
    /// Where `channel` comes from; for a confirmed one, who confirmed it.
    pub channel_source: Option<ChannelSource>,
    /// The channel id that the table gives; a hint.
    pub configured_channel: Option<ChannelId>,
    /// Something speaks against `channel`. It is looked up again, and while Kick has not confirmed it, push through it
    /// is only a question (R12).
    pub suspect: bool,
    /// Kick did not know the name, and is asked about its other spelling.
    pub dashed: bool,
    /// Kick knows neither spelling, and that was reported.
    pub unknown: bool,
    /// How many times in a row Kick did not know the name.
    pub misses: u32,
    /// When the name is asked about again.
    pub name_due: Option<Steady>,
    /// An answer by user id showed this other slug: the name must be asked about.
    pub doubtful: Option<Slug>,
}

/// What is believed to be true.
#[derive(Debug)]
pub(crate) struct Belief {
    /// `None`: not known.
    pub status: Option<Status>,
    /// Kick said so to this process; otherwise only the table shows it.
    pub verified: bool,
    pub since: Now,
    pub source: Source,
    /// When the evidence was received. Used for the latency of the write and, if only the table shows the status, for
    /// R15.
    pub received: Steady,
    /// The table showed it, and may know more than the API.
    pub fresher: Option<Fresher>,
}

/// How long what the table shows is kept against answers of an API that may lag (R13, R15).
#[derive(Debug)]
pub(crate) struct Fresher {
    pub until: Steady,
    /// These endpoints agreed with the table, so what they say later is news.
    pub borne_out: Vec<Endpoint>,
}

/// A push event that was believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub status: Status,
    pub at: Steady,
    /// It came through a channel id that Kick confirmed, so the hold applies.
    pub held: bool,
    /// A stop that came while no id was known: the running broadcast may be a later one (R2).
    pub blind: bool,
    /// A live event for a broadcast that had ended, received after its stop (R1). A delivery of a webhook knows no id.
    pub again: Option<(Option<LivestreamId>, Steady)>,
    /// A broadcast that had ended resumed with it (R1).
    pub resumed: bool,
    /// What somebody else wrote was written over because of this event (R15).
    pub insisted: bool,
    /// When Kick sent it, if a webhook brought it (R27).
    pub sent: Option<Timestamp>,
}

/// A change that the API reported first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub status: Status,
    /// When the request started whose answer reported it, and its endpoint.
    pub at: Steady,
    pub endpoint: Endpoint,
    /// When the broadcast had begun that is running, or that ended, if the API has shown it.
    pub start: Option<Timestamp>,
}

/// How a streamer can be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `/channels` by slug: the user id is not known, or in doubt.
    Name,
    /// `/channels` by the user id that the table gives, for a name that Kick does not know.
    Hint,
    /// A list of live streams, by user id.
    LiveList,
    /// `/livestreams` by user id, for the channel id.
    Reveal,
    /// `/channels` by user id.
    Channels,
    /// The website, by slug.
    Website,
}

impl Kind {
    /// Returns true if the request is by name.
    pub(crate) fn is_by_name(self) -> bool {
        matches!(self, Kind::Name | Kind::Website)
    }

    /// Where a channel id comes from that an answer to such a request states.
    pub(crate) fn channel_source(self) -> ChannelSource {
        match self {
            Kind::Name | Kind::Hint | Kind::Channels => ChannelSource::Channels,
            Kind::LiveList | Kind::Reveal => ChannelSource::Livestreams,
            Kind::Website => ChannelSource::Website,
        }
    }
}

impl Ids {
    /// Returns true if Kick stated the channel id.
    pub(crate) fn are_confirmed(&self) -> bool {
        self.channel_source.is_some_and(ChannelSource::is_certain)
    }

    /// Returns true if Kick stated the channel id, and nothing speaks against it.
    pub(crate) fn are_certain(&self) -> bool {
        self.are_confirmed() && !self.suspect
    }

    /// Plans to ask about the name again after this pause. Returns the time, or `None` if that was planned already.
    pub(crate) fn plan_name(&mut self, now: Steady, pause: Duration) -> Option<Steady> {
        let planned = self.name_due.is_some_and(|due| due > now);
        (!planned).then(|| *self.name_due.insert(now + pause))
    }
}

impl Streamer {
    /// R13: a new row, about which only the table is known.
    pub(crate) fn new(now: Now, row: Row, name: Slug, read_at: Steady) -> Streamer {
        let (source, received) = (Source::Sweep, now.steady);
        let mut streamer = Streamer {
            row: row.id,
            shard: row.shard,
            username: row.username,
            name,
            epoch: 0,
            ids: Ids { configured_user: row.user, configured_channel: row.channel, ..Ids::default() },
            belief: Belief { status: None, verified: false, since: now, source, received, fresher: None },
            heard: None,
            delivered: None,
            questioned: None,
            questions: (Steady::default(), 0),
            broadcast: Broadcasts::default(),
            found_offline: None,
            found: None,
            doubt: None,
            vanished: None,
            covered: false,
            subscribed: false,
            compared: None,
            table: Table::new(row.shown, row.started_at, read_at),
        };
        streamer.believe_table(row.shown, now);
        streamer
    }

    /// What push told within the hold, through a confirmed id, if it is believed still.
    pub(super) fn told_lately(&self, now: Steady, hold: Duration) -> Option<Heard> {
        let believed = self.heard.filter(|heard| heard.held && self.belief.status == Some(heard.status));
        believed.filter(|heard| now.since(heard.at) < hold)
    }

    /// Returns true if one more event may have the API asked at once: a channel may have thousands a minute, and other
    /// streamers wait meanwhile (R22).
    pub(super) fn may_question(&mut self, now: Steady) -> bool {
        let (since, times) = &mut self.questions;
        if now.since(*since) >= ASKED_AGAIN {
            (*since, *times) = (now, 0);
        }
        *times = times.saturating_add(1);
        *times <= QUESTIONS_MAX
    }

    /// R1: the broadcast of a live event that came after its stop, if the answer to a later request confirms that it
    /// resumed.
    pub(super) fn resumes(&self, seen: &Observation) -> Option<(Option<LivestreamId>, Steady)> {
        let again = self.heard.and_then(|heard| heard.again);
        let another = seen.start.is_some_and(|start| self.broadcast.has_ended(start) == Some(false));
        again.filter(|(_, at)| seen.status == Status::Online && seen.started >= *at && !another)
    }

    /// If the observation means that a broadcast has resumed, takes note of that.
    pub(crate) fn resume(&mut self, seen: &Observation) -> bool {
        let Some((livestream, at)) = self.resumes(seen) else { return false };
        self.broadcast.resume(livestream, seen.start);
        let held = self.heard.is_some_and(|heard| heard.held);
        let (status, sent) = (Status::Online, self.heard.and_then(|heard| heard.sent));
        self.heard = Some(Heard { status, at, held, blind: false, again: None, resumed: true, insisted: false, sent });
        true
    }

    /// Remembers what an observation that counts says about the broadcast.
    pub(crate) fn note(&mut self, seen: &Observation) {
        match seen.status {
            Status::Online => self.broadcast.seen_running(seen.start, seen.started),
            Status::Offline => {
                self.broadcast.seen_none(seen.started);
                self.found_offline = self.found_offline.max(Some(seen.started));
            }
        }
    }

    /// Remembers a change that the API reported.
    pub(crate) fn find(&mut self, seen: &Observation) {
        let Observation { status, endpoint, .. } = *seen;
        let start = seen.start.or(self.broadcast.shown_start());
        self.found = Some(Found { status, at: seen.started, endpoint, start });
    }

    /// Changes what is believed.
    pub(crate) fn believe(&mut self, status: Status, source: Source, received: Steady, now: Now) {
        self.belief = Belief { status: Some(status), verified: true, since: now, source, received, fresher: None };
        self.doubt = None;
        self.vanished = None;
    }

    /// Push confirms what is believed.
    pub(crate) fn bear_out(&mut self) {
        if !self.belief.verified {
            // Only the table had shown it.
            self.belief.source = Source::Push;
        }
        self.belief.verified = true;
        self.doubt = None;
        self.vanished = None;
    }

    /// Believes what the table shows, until Kick has confirmed it (R13, R15).
    pub(crate) fn believe_table(&mut self, shown: Shown, now: Now) {
        let status = match shown {
            Shown::Known(status) => Some(status),
            Shown::Unknown => None,
        };
        let (source, received) = (Source::Sweep, now.steady);
        self.belief = Belief { status, verified: false, since: now, source, received, fresher: None };
        self.doubt = None;
    }

    /// What the table shows since then may be more recent than what the API says.
    pub(crate) fn table_is_fresh(&mut self, since: Steady) {
        self.belief.received = since;
        self.belief.fresher = Some(Fresher { until: since + API_LAG, borne_out: Vec::new() });
    }

    /// The status that the row is to show and does not. What only the table shows is no reason to write (R13).
    pub(crate) fn wanted(&self) -> Option<Status> {
        self.belief.status.filter(|status| self.belief.verified && !self.table.shows(*status))
    }

    /// Returns true if a slug is another name than the table's, not just another spelling.
    pub(crate) fn spells_otherwise(&self, slug: &Slug) -> bool {
        !slug.is_spelling_of(&self.name)
    }

    /// The slug that Kick answered with, if that is another name.
    pub(crate) fn other_slug(&self) -> Option<Slug> {
        self.ids.slug.clone().filter(|slug| self.spells_otherwise(slug))
    }

    /// The name belongs to another user than was thought: forgets what was known about that one.
    pub(crate) fn become_another(&mut self) {
        self.epoch += 1;
        let Ids { configured_user, configured_channel, .. } = self.ids;
        self.ids = Ids { configured_user, configured_channel, ..Ids::default() };
        self.heard = None;
        self.delivered = None;
        self.questioned = None;
        self.broadcast = Broadcasts::default();
        self.found_offline = None;
        self.vanished = None;
        self.found = None;
    }

    /// The slug to ask Kick about.
    pub(crate) fn asked_slug(&self) -> Slug {
        if self.ids.doubtful.is_none() {
            if let Some(slug) = &self.ids.slug {
                return slug.clone();
            }
        }
        self.ids.dashed.then(|| self.name.dashed()).flatten().unwrap_or_else(|| self.name.clone())
    }
}
