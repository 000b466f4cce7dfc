//! One streamer: what we believe, why, and the rules that judge one piece of evidence about them.
//!
//! Nothing here knows other streamers, queues or connections.

use crate::domain::ask::{ChannelSource, Endpoint};
use crate::domain::push::Push;
use crate::domain::row::{Row, Shown};
use crate::domain::{ChannelId, LivestreamId, Now, RowId, Slug, Source, Status, Steady, UserId, time::Timestamp};
use crate::monitor::broadcasts::Broadcasts;
use crate::monitor::table::Table;
use crate::monitor::times::API_LAG;
use crate::monitor::weighing::{Doubt, Observation};
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
    /// The last one that was only a question because of the id that it came through (R12).
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
    /// Push tells of every change, as far as we know (R23).
    pub covered: bool,
    /// When the question was asked whose answer compared the streamer last; when it came, until then. None while
    /// Kick does not know the name.
    pub compared: Option<Steady>,
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
    /// Where `channel` comes from: of a confirmed one, who confirmed it.
    pub channel_source: Option<ChannelSource>,
    /// The channel id that the table gives; a hint.
    pub configured_channel: Option<ChannelId>,
    /// Something speaks against `channel`: it is looked up again, and unless it is confirmed, push
    /// through it is only a question (R12).
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
    /// It may be fresher than what the API tells, for the table showed it.
    pub fresher: Option<Fresher>,
}

/// Until when an answer to a question of before does not contradict what the table shows (R13, R15).
#[derive(Debug)]
pub(crate) struct Fresher {
    pub until: Steady,
    /// These endpoints say the same, so what they say later is news.
    pub borne_out: Vec<Endpoint>,
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
    /// What somebody else wrote was written over for its sake (R15).
    pub insisted: bool,
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

/// How a streamer can be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `/channels` by slug: the user id is not known, or in doubt.
    Name,
    /// `/channels` by the user id that the table gives, for a name that Kick does not know.
    Hint,
    /// A list of those who are live, by user id.
    LiveList,
    /// `/livestreams` by user id, for the channel id.
    Reveal,
    /// `/channels` by user id.
    Channels,
    /// The website, by slug.
    Website,
}

impl Kind {
    /// The name of the table is what is asked by.
    pub(crate) fn is_by_name(self) -> bool {
        matches!(self, Kind::Name | Kind::Website)
    }

    /// Where a channel id comes from that an answer states.
    pub(crate) fn channel_source(self) -> ChannelSource {
        match self {
            Kind::Name | Kind::Hint | Kind::Channels => ChannelSource::Channels,
            Kind::LiveList | Kind::Reveal => ChannelSource::Livestreams,
            Kind::Website => ChannelSource::Website,
        }
    }
}

impl Ids {
    /// Kick stated the channel id itself.
    pub(crate) fn are_confirmed(&self) -> bool {
        self.channel_source.is_some_and(ChannelSource::is_certain)
    }

    /// Kick stated the channel id, and nothing speaks against it.
    pub(crate) fn are_certain(&self) -> bool {
        self.are_confirmed() && !self.suspect
    }

    /// Plans when the name is asked about again: after this pause. Nothing when that is planned already.
    pub(crate) fn plan_name(&mut self, now: Steady, pause: Duration) -> Option<Steady> {
        let planned = self.name_due.is_some_and(|due| due > now);
        (!planned).then(|| *self.name_due.insert(now + pause))
    }
}

impl Streamer {
    /// R13: a new row's, of whom only the table tells.
    pub(crate) fn new(now: Now, row: Row, name: Slug, read_at: Steady) -> Streamer {
        let (source, received) = (Source::Sweep, now.steady);
        let mut streamer = Streamer {
            row: row.id,
            username: row.username,
            name,
            epoch: 0,
            ids: Ids { configured_user: row.user, configured_channel: row.channel, ..Ids::default() },
            belief: Belief { status: None, verified: false, since: now, source, received, fresher: None },
            heard: None,
            questioned: None,
            broadcast: Broadcasts::default(),
            found_offline: None,
            found: None,
            doubt: None,
            vanished: None,
            covered: false,
            compared: None,
            table: Table::new(row.shown, read_at),
        };
        streamer.believe_table(row.shown, now);
        streamer
    }

    /// R1: the broadcast that such a live event told of, when an answer to a later question bears it out.
    pub(super) fn resumes(&self, seen: &Observation) -> Option<(LivestreamId, Steady)> {
        let again = self.heard.and_then(|heard| heard.again);
        again.filter(|(_, at)| seen.status == Status::Online && seen.started >= *at)
    }

    /// Takes note of a broadcast that has resumed, if that is what the observation means.
    pub(crate) fn resume(&mut self, seen: &Observation) -> bool {
        let Some((livestream, at)) = self.resumes(seen) else { return false };
        self.broadcast.resume(livestream, seen.start);
        let held = self.heard.is_some_and(|heard| heard.held);
        self.heard = Some(Heard { status: Status::Online, at, held, blind: false, again: None, insisted: false });
        true
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
        self.belief = Belief { status: Some(status), verified: true, since: now, source, received, fresher: None };
        self.doubt = None;
        self.vanished = None;
    }

    /// Push bears the belief out.
    pub(crate) fn bear_out(&mut self) {
        self.belief.verified = true;
        self.doubt = None;
        self.vanished = None;
    }

    /// Takes over what the table shows, which Kick has yet to confirm (R13, R15).
    pub(crate) fn believe_table(&mut self, shown: Shown, now: Now) {
        let status = match shown {
            Shown::Known(status) => Some(status),
            Shown::Unknown => None,
        };
        let (source, received) = (Source::Sweep, now.steady);
        self.belief = Belief { status, verified: false, since: now, source, received, fresher: None };
        self.doubt = None;
    }

    /// What the table shows may be fresher than what the API tells, from now on.
    pub(crate) fn table_is_fresh(&mut self, now: Now) {
        self.belief.fresher = Some(Fresher { until: now.steady + API_LAG, borne_out: Vec::new() });
    }

    /// What the row is to show and may not. What only the table says is no evidence to write (R13).
    pub(crate) fn wanted(&self) -> Option<Status> {
        self.belief.status.filter(|status| self.belief.verified && !self.table.shows(*status))
    }

    /// Whether a slug is another name than the table's.
    pub(crate) fn spells_otherwise(&self, slug: &Slug) -> bool {
        !slug.is_spelling_of(&self.name)
    }

    /// The slug that Kick answered with, if that is another name.
    pub(crate) fn other_slug(&self) -> Option<Slug> {
        self.ids.slug.clone().filter(|slug| self.spells_otherwise(slug))
    }

    /// The name belongs to another user than was thought: nothing that is known of them is about this one.
    pub(crate) fn become_another(&mut self) {
        self.epoch += 1;
        let Ids { configured_user, configured_channel, .. } = self.ids;
        self.ids = Ids { configured_user, configured_channel, ..Ids::default() };
        self.heard = None;
        self.questioned = None;
        self.broadcast = Broadcasts::default();
        self.found_offline = None;
        self.vanished = None;
        self.found = None;
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
