//! What the core tells of itself (CONTRACT §5): the whole as a [`Report`], and each streamer with the reasons of
//! their status.

use super::book::{Tally, Timer};
use super::streamer::Streamer;
use super::{Key, Monitor, RowId};
use crate::domain::ask::Endpoint;
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::report::{Api, ComparisonAge, Database, Realtime, Report, Streamers, Told};
use crate::domain::row::Shown;
use crate::domain::time::to_milliseconds;
use crate::domain::{Now, Status, Steady, report};

impl Monitor {
    /// Whether a problem came or went since the last report.
    pub fn has_news(&self) -> bool {
        self.book.troubles.changed
    }

    /// Grows whenever what is told of a streamer may have changed.
    pub fn revision(&self) -> u64 {
        self.book.revision
    }

    /// The whole.
    pub fn report(&mut self, now: Now) -> Report {
        self.judge_the_whole(now);
        self.book.troubles.changed = false;
        let wall = |at: Option<Steady>| at.map(|at| now.wall_at(at));
        let book = &self.book;
        let mut counters = book.counters.clone();
        counters.push_discarded = self.discarded;
        counters.change_latency = book.latency.histogram();
        Report {
            health: book.troubles.health(),
            problems: book.troubles.list(),
            streamers: self.count_streamers(),
            realtime: Realtime {
                transport: book.transport.map(str::to_owned),
                connections: self.push.links.count(),
                connected: self.push.links.connected(),
                last_event_at: wall(self.last_push),
                unrecognised_events: self.unrecognised.report(),
            },
            api: Api {
                token_expires_at: wall(self.token_expires),
                last_sweep_at: wall(book.last_sweep.map(|(at, _)| at)),
                last_sweep_seconds: book.last_sweep.map(|(_, seconds)| seconds),
                ready: self.asking.is_ready(),
                uncovered_every_seconds: self.asking.uncovered_every().map(|every| every.as_secs_f64()),
                comparison_age_seconds: self.comparison_age(now),
            },
            database: Database {
                ok: self.loaded && self.writes.works(),
                pending_writes: self.writes.pending(),
                last_write_at: wall(book.last_write),
            },
            latency_ms: book.latency.percentiles(),
            counters,
            recent: book.recent(now),
        }
    }

    fn comparison_age(&self, now: Now) -> ComparisonAge {
        let age = |share| self.asking.ages.quantile(now.steady, share).map(|age| age.as_secs_f64());
        ComparisonAge { p50: age(0.5), p99: age(0.99), max: age(1.0) }
    }

    pub(super) fn schedule_heartbeat(&mut self, now: Now) {
        self.book.timers.retain(|(_, timer)| *timer != Timer::Heartbeat);
        if let Some(every) = self.settings.heartbeat {
            self.at(now.steady + every, Timer::Heartbeat);
        }
    }

    pub(super) fn heartbeat(&mut self, now: Now) {
        let latency = self.book.latency.percentiles();
        self.log(Event::Heartbeat {
            streamers: self.streamers.len(),
            online: self.book.tally.online,
            subscribed: self.push.links.subscribed(),
            connections: self.push.links.connected(),
            pending: self.writes.pending(),
            covered: self.book.covered,
            oldest_comparison: self.asking.ages.quantile(now.steady, 1.0),
            token_expires_in: self.token_expires.map(|at| at.since(now.steady)),
            last_event_ago: self.last_push.map(|at| now.steady.since(at)),
            latency_p50_ms: latency.p50,
            latency_p99_ms: latency.p99,
        });
        self.schedule_heartbeat(now);
    }

    /// The streamers of so many rows behind `after`, in the order of their ids as text.
    pub fn page(&self, now: Now, after: Option<&RowId>, most: usize) -> Vec<report::Streamer> {
        let keys = self.streamers.behind(after).take(most);
        keys.filter_map(|key| self.streamers.get(&key)).map(|streamer| self.tell_of(now, streamer)).collect()
    }

    /// What no single event tells: it lasts, or it is about several of them together.
    fn judge_the_whole(&mut self, now: Now) {
        let (links, up) = (self.push.links.count(), self.push.links.connected());
        let book = &mut self.book;
        let both = book.both_away(now.steady, up > 0);
        let unreachable = !self.streamers.is_empty() && both.is_some_and(|both| both > self.settings.sweep);
        let nothing = |is: bool| is.then(String::new);
        let troubles = &mut book.troubles;
        troubles.set(now, Code::KickUnreachable, nothing(unreachable));
        troubles.set(now, Code::Starting, nothing(!self.asking.is_ready()));
        troubles.set(now, Code::PushDown, nothing(links > 0 && up == 0));
        let some = (up > 0 && up < links).then(|| format!("{} of {links}", links - up));
        troubles.set(now, Code::PushIncomplete, some);
    }

    fn count_streamers(&self) -> Streamers {
        let Tally { online, offline, unknown } = self.book.tally;
        debug_assert_eq!(self.book.tally, self.tally_anew(), "a belief changed and was not counted");
        Streamers {
            total: self.streamers.len(),
            online,
            offline,
            unknown,
            subscribed: self.push.links.subscribed(),
            covered: self.book.covered,
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
        self.book.tally.leaves(streamer.belief.status);
        streamer.believe_table(shown, now);
        self.book.tally.enters(streamer.belief.status);
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
        let home = ids.channel.and_then(|channel| self.push.links.home(channel));
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
            covered: streamer.covered,
            compared_at: streamer.compared.map(|at| now.wall_at(at)),
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
