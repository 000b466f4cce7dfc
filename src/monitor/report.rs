//! What the core tells of itself (CONTRACT §5): what it counts as it goes, the whole as a [`Report`],
//! and each streamer with the reasons of their status.

use super::latency::Latency;
use super::streamer::Streamer;
use super::troubles::Troubles;
use super::{Key, Monitor, RowId};
use crate::domain::ask::{Answer, Endpoint, Failure, FailureKind};
use crate::domain::problem::Code;
use crate::domain::report::{Api, Change, Counters, Database, Realtime, Report, Streamers, Told};
use crate::domain::row::Shown;
use crate::domain::time::to_milliseconds;
use crate::domain::{Now, Source, Status, Steady, report};
use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

/// So many changes are told of.
const RECENT_MAX: usize = 10;

/// How many streamers are believed to be what. Kept as beliefs change: counting a hundred thousand
/// takes ten milliseconds, in which no push event is decided upon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    online: usize,
    offline: usize,
    unknown: usize,
}

impl Tally {
    fn of(&mut self, status: Option<Status>) -> &mut usize {
        match status {
            Some(Status::Online) => &mut self.online,
            Some(Status::Offline) => &mut self.offline,
            None => &mut self.unknown,
        }
    }

    /// A streamer comes, with this belief.
    pub(super) fn enters(&mut self, status: Option<Status>) {
        *self.of(status) += 1;
    }

    /// A streamer goes.
    pub(super) fn leaves(&mut self, status: Option<Status>) {
        let count = self.of(status);
        *count = count.saturating_sub(1);
    }
}

/// A change that was written.
#[derive(Debug)]
pub(super) struct Committed {
    pub(super) at: Steady,
    pub(super) id: RowId,
    pub(super) username: Arc<str>,
    pub(super) status: Status,
    pub(super) source: Source,
    pub(super) lag: Duration,
}

impl Committed {
    fn tell(&self, now: Now) -> Change {
        Change {
            at: now.wall_at(self.at),
            id: self.id.to_string(),
            username: self.username.to_string(),
            status: self.status.word().to_owned(),
            source: self.source.word().to_owned(),
            lag_ms: self.lag.as_secs_f64() * 1000.0,
        }
    }
}

/// What is remembered for the report alone.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) troubles: Troubles,
    pub(super) counters: Counters,
    pub(super) tally: Tally,
    pub(super) latency: Latency,
    recent: VecDeque<Committed>,
    last_write: Option<Steady>,
    /// When the last sweep was complete, and how long it took.
    pub(super) last_sweep: Option<(Steady, f64)>,
    /// Since when the API has not answered, and since when no push connection stands.
    api_away: Option<Steady>,
    push_away: Option<Steady>,
    /// What was last spoken to us.
    pub(super) transport: Option<&'static str>,
    /// Grows whenever what is told of a streamer may have changed.
    pub(super) revision: u64,
}

impl Ledger {
    /// A change was written, `lag` after its evidence came.
    pub(super) fn written(&mut self, change: Committed) {
        self.last_write = Some(change.at);
        match change.source {
            Source::Push => {
                self.counters.status_changes_push += 1;
                self.latency.took(change.lag);
            }
            Source::Sweep => self.counters.status_changes_sweep += 1,
        }
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_back();
        }
        self.recent.push_front(change);
    }

    /// Kick was asked, or could not be.
    pub(super) fn asked(&mut self, endpoint: Endpoint, answer: &Answer) {
        let code = match &answer.result {
            Ok(_) => Some(200),
            Err(failure) => failure.status,
        };
        if answer.spent > 1 {
            // The gateway asks again after this alone (KICK.md §9).
            self.count_request(endpoint.word(), Some(401));
        }
        if answer.spent > 0 {
            self.count_request(endpoint.word(), code);
        }
        if endpoint == Endpoint::Website {
            return;
        }
        let away = match &answer.result {
            Ok(_) => false,
            Err(Failure { kind, .. }) => {
                !matches!(kind, FailureKind::BadRequest | FailureKind::NotFound | FailureKind::RateLimited(_))
            }
        };
        if !away {
            self.api_away = None;
        } else if self.api_away.is_none() {
            self.api_away = Some(answer.finished.steady);
        }
    }

    /// Whether the API did not answer when it was last asked.
    pub(super) fn api_is_away(&self) -> bool {
        self.api_away.is_some()
    }

    pub(super) fn count_request(&mut self, endpoint: &str, code: Option<u16>) {
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        let codes = self.counters.api_requests.entry(endpoint.to_owned()).or_default();
        *codes.entry(code).or_default() += 1;
    }

    /// A question to Kick failed. Whether to log it.
    pub(super) fn failed(&mut self, now: Now, endpoint: Endpoint, failure: &Failure) -> bool {
        let code = match failure.kind {
            FailureKind::Blocked => Code::ApiBlocked,
            FailureKind::RateLimited(_) => Code::ApiRateLimited,
            _ => Code::ApiError,
        };
        for other in [Code::ApiBlocked, Code::ApiRateLimited, Code::ApiError] {
            if other != code {
                self.troubles.settle(other, endpoint.word());
            }
        }
        let words = match failure.status {
            Some(status) => format!("{}: {status}, {}", endpoint.word(), failure.text),
            None => format!("{}: {}", endpoint.word(), failure.text),
        };
        let how = format!("{:?} {:?} {}", std::mem::discriminant(&failure.kind), failure.status, failure.text);
        let news = self.troubles.raise(now, code, endpoint.word(), words, &how);
        if failure.kind == FailureKind::NotFound {
            // The endpoint is done without.
            self.troubles.rest(code, endpoint.word());
        }
        news
    }

    /// A question to Kick was answered. Whether to log it, for others had failed.
    pub(super) fn works(&mut self, endpoint: Endpoint) -> bool {
        let codes = [Code::ApiBlocked, Code::ApiRateLimited, Code::ApiError];
        codes.map(|code| self.troubles.settle(code, endpoint.word())).contains(&true)
    }
}

impl Monitor {
    /// Whether a problem came or went since the last report.
    pub fn has_news(&self) -> bool {
        self.ledger.troubles.changed
    }

    /// Grows whenever what is told of a streamer may have changed.
    pub fn revision(&self) -> u64 {
        self.ledger.revision
    }

    /// The whole.
    pub fn report(&mut self, now: Now) -> Report {
        self.judge_the_whole(now);
        self.ledger.troubles.changed = false;
        let wall = |at: Option<Steady>| at.map(|at| now.wall_at(at));
        let ledger = &self.ledger;
        let mut counters = ledger.counters.clone();
        counters.push_discarded = self.discarded;
        counters.change_latency = ledger.latency.histogram();
        Report {
            health: ledger.troubles.health(),
            problems: ledger.troubles.list(),
            streamers: self.count_streamers(),
            realtime: Realtime {
                transport: ledger.transport.map(str::to_owned),
                connections: self.links.count(),
                connected: self.links.connected(),
                last_event_at: wall(self.last_push),
            },
            api: Api {
                token_expires_at: wall(self.token_expires),
                last_sweep_at: wall(ledger.last_sweep.map(|(at, _)| at)),
                last_sweep_seconds: ledger.last_sweep.map(|(_, seconds)| seconds),
                ready: self.routine.ready,
            },
            database: Database {
                ok: self.loaded && self.writes.works(),
                pending_writes: self.writes.pending(),
                last_write_at: wall(ledger.last_write),
            },
            latency_ms: ledger.latency.percentiles(),
            counters,
            recent: ledger.recent.iter().map(|change| change.tell(now)).collect(),
        }
    }

    /// The streamers of so many rows behind `after`, in the order of their ids as text.
    pub fn page(&self, now: Now, after: Option<&RowId>, most: usize) -> Vec<report::Streamer> {
        let behind = after.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = self.by_row.range((behind, Bound::Unbounded)).take(most).map(|(_, key)| key);
        keys.filter_map(|key| self.streamers.get(key)).map(|streamer| self.tell_of(now, streamer)).collect()
    }

    /// What no single event tells: it lasts, or it is about several of them together.
    fn judge_the_whole(&mut self, now: Now) {
        let (links, up) = (self.links.count(), self.links.connected());
        let ledger = &mut self.ledger;
        ledger.push_away = if up > 0 { None } else { ledger.push_away.or(Some(now.steady)) };
        let both = ledger.push_away.zip(ledger.api_away).map(|(push, api)| now.steady.since(push.max(api)));
        let unreachable = !self.streamers.is_empty() && both.is_some_and(|both| both > self.settings.sweep);
        let nothing = |is: bool| is.then(String::new);
        let troubles = &mut ledger.troubles;
        troubles.set(now, Code::KickUnreachable, nothing(unreachable));
        troubles.set(now, Code::Starting, nothing(!self.routine.ready));
        troubles.set(now, Code::PushDown, nothing(links > 0 && up == 0));
        let some = (up > 0 && up < links).then(|| format!("{} of {links}", links - up));
        troubles.set(now, Code::PushIncomplete, some);
    }

    fn count_streamers(&self) -> Streamers {
        let Tally { online, offline, unknown } = self.ledger.tally;
        debug_assert_eq!(self.ledger.tally, self.tally_anew(), "a belief changed and was not counted");
        Streamers {
            total: self.streamers.len(),
            online,
            offline,
            unknown,
            subscribed: self.links.subscribed(),
            unusable: self.unusable.values().map(|unfit| unfit.rows).sum(),
        }
    }

    fn tally_anew(&self) -> Tally {
        let mut tally = Tally::default();
        self.streamers.values().for_each(|streamer| tally.enters(streamer.belief.status));
        tally
    }

    /// Takes over what the table shows of a streamer, and asks Kick to confirm it (RULES R13, R15).
    pub(super) fn believe_table(&mut self, now: Now, key: Key, shown: Shown) {
        let Some(streamer) = self.streamers.get_mut(&key) else { return };
        self.ledger.tally.leaves(streamer.belief.status);
        streamer.believe_table(shown, now);
        self.ledger.tally.enters(streamer.belief.status);
        self.ask_about(key);
    }

    fn tell_of(&self, now: Now, streamer: &Streamer) -> report::Streamer {
        let Streamer { ids, belief, table, broadcast, .. } = streamer;
        let told = |status: Status, at: Steady, by: Option<Endpoint>| Told {
            status: status.word().to_owned(),
            at: now.wall_at(at),
            by: by.map(|endpoint| endpoint.word().to_owned()),
        };
        let shown = match table.shown {
            Shown::Known(status) => Some(status),
            Shown::Unknown => None,
        };
        let source = if belief.verified || belief.status != shown { belief.source.word() } else { "table" };
        let trust = match (ids.suspect, ids.confirmed) {
            (true, _) => "suspect",
            (false, true) => "confirmed",
            (false, false) => "configured",
        };
        let home = ids.channel.and_then(|channel| self.links.home(channel));
        report::Streamer {
            id: streamer.row.to_string(),
            username: streamer.username.to_string(),
            name: streamer.name.to_string(),
            slug: ids.slug.as_ref().filter(|slug| **slug != streamer.name).map(ToString::to_string),
            status: belief.status.map(|status| status.word().to_owned()),
            source: source.to_owned(),
            since: to_milliseconds(belief.since.wall),
            shown: shown.map(|status| status.word().to_owned()),
            pending: self.why_pending(now, streamer).map(str::to_owned),
            last_write: table.confirmed.map(|(status, at)| told(status, at, None)),
            last_push: streamer.heard.map(|heard| told(heard.status, heard.at, None)),
            last_found: streamer.found.map(|found| told(found.status, found.at, Some(found.endpoint))),
            doubt: streamer
                .doubt
                .as_ref()
                .map(|doubt| told(doubt.first.status, doubt.first.started, Some(doubt.first.endpoint))),
            livestream_id: broadcast.current.map(|id| id.0),
            started_at: broadcast.start,
            user_id: ids.user.map(|id| id.0),
            channel_id: ids.channel.map(|id| id.0),
            channel_trust: ids.channel.map(|_| trust.to_owned()),
            connection: home.map(|(link, _)| link.0),
            subscribed_at: home.and_then(|(_, since)| since).map(|at| now.wall_at(at)),
            unknown_to_kick: ids.unknown,
        }
    }

    fn why_pending(&self, now: Now, streamer: &Streamer) -> Option<&'static str> {
        let wanted = streamer.belief.status.filter(|status| !streamer.table.shows(*status));
        wanted.map(|_| match () {
            () if !self.writes.works() => "the database cannot be used",
            () if !streamer.belief.verified => "the API is asked first whether the table is right",
            () if streamer.table.not_before > now.steady => "the row is locked or refused, and tried again",
            () => "it is being written",
        })
    }
}
