//! What every part of the core writes into and none decides by: outputs, timers, problems and counters.

use super::Output;
use super::latency::Latency;
use super::streamers::Key;
use super::times::API_LAG;
use super::troubles::Troubles;
use crate::domain::ask::{Answer, Endpoint, Failure, FailureKind};
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::report::{Change, Counters};
use crate::domain::{ChannelId, Now, RowId, Source, Status, Steady};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The number of latest changes in the report.
const RECENT_MAX: usize = 10;

/// What is to happen at a given time. If that is now, it happens before the turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Ask about a streamer.
    Ask(Key),
    /// Take the second look at a streamer.
    SecondLook(Key),
    /// Ask who has the names of the streamers that are followed by user id.
    Names,
    /// Ask again about a name that Kick did not know.
    UnknownName(Key),
    /// Look a channel id up at the website.
    LookUp(Key),
    /// Find out whether a channel id is right.
    FindChannel(Key),
    /// The time in which push could confirm what the sweep found is over.
    PushGrace(Key),
    /// Write a row that was set aside.
    Rewrite(Key),
    /// Find out whether this writer can write again.
    Probe(usize),
    /// A subscription that had failed has been confirmed for a while.
    Stands(ChannelId),
    /// Look up the channel id of a streamer that another instance follows.
    LookAhead,
    /// Check whether a shard can be released.
    Release,
    /// Start the sweep.
    Sweep,
    /// Log the heartbeat.
    Heartbeat,
    /// An Offline has stood for as long as it must before it is written.
    Stood(Key),
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
            status: self.status,
            source: self.source,
            lag_ms: self.lag.as_secs_f64() * 1000.0,
        }
    }
}

/// What all parts share.
#[derive(Debug)]
pub(super) struct Book {
    /// For the jitter of pauses.
    pub(super) rng: fastrand::Rng,
    /// The outputs of this turn, in order.
    pub(super) out: Vec<Output>,
    /// What is to happen later.
    pub(super) timers: BTreeSet<(Steady, Timer)>,
    pub(super) troubles: Troubles,
    pub(super) counters: Counters,
    /// How many streamers push covers (R23).
    pub(super) covered: usize,
    /// The number of streamers whose subscription is confirmed.
    pub(super) subscribed: usize,
    pub(super) latency: Latency,
    recent: VecDeque<Committed>,
    pub(super) last_write: Option<Steady>,
    /// When the last push event came.
    pub(super) last_event: Option<Steady>,
    /// When the token in use expires.
    pub(super) token_expires: Option<Steady>,
    /// When the last sweep was complete, and how long it took.
    pub(super) last_sweep: Option<(Steady, f64)>,
    /// Since when the API has not answered, and since when no push connection has been open.
    api_away: Option<Steady>,
    push_away: Option<Steady>,
    /// Grows whenever the report on some streamer may have changed.
    pub(super) revision: u64,
}

impl Book {
    pub(super) fn new(seed: u64) -> Book {
        Book {
            rng: fastrand::Rng::with_seed(seed),
            out: Vec::new(),
            timers: BTreeSet::new(),
            troubles: Troubles::default(),
            counters: Counters::default(),
            covered: 0,
            subscribed: 0,
            latency: Latency::default(),
            recent: VecDeque::new(),
            last_write: None,
            last_event: None,
            token_expires: None,
            last_sweep: None,
            api_away: None,
            push_away: None,
            revision: 0,
        }
    }

    /// Sets a timer.
    pub(super) fn at(&mut self, when: Steady, timer: Timer) {
        self.timers.insert((when, timer));
    }

    pub(super) fn log(&mut self, event: Event) {
        self.out.push(Output::Log(event));
    }

    /// Plans the next heartbeat, if there is to be one, in place of the one that was planned.
    pub(super) fn schedule_heartbeat(&mut self, now: Now, every: Option<Duration>) {
        self.timers.retain(|(_, timer)| *timer != Timer::Heartbeat);
        every.into_iter().for_each(|every| self.at(now.steady + every, Timer::Heartbeat));
    }

    /// R13: has these rows kept as changed lately, for a process that starts within this time.
    pub(super) fn changed_lately(&mut self, now: Now, rows: Vec<RowId>, span: Duration) {
        let until = now.wall.checked_add(span.max(API_LAG)).unwrap_or(now.wall);
        self.out.push(Output::Recent(rows, until));
    }

    /// Counts a change that was written `lag` after its evidence arrived.
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

    /// Counts a request to Kick, and notes whether the API answers.
    pub(super) fn asked(&mut self, endpoint: Endpoint, answer: &Answer) {
        self.count_answer(endpoint.word(), answer.spent, answer.code());
        if endpoint == Endpoint::Website {
            return;
        }
        let away = match &answer.result {
            Ok(_) => false,
            Err(Failure { kind, .. }) => {
                !matches!(kind, FailureKind::BadRequest | FailureKind::NotFound | FailureKind::RateLimited(_))
            }
        };
        self.api_away = away.then(|| self.api_away.unwrap_or(answer.finished.steady));
    }

    /// Counts the HTTP requests of one answer.
    pub(super) fn count_answer(&mut self, word: &str, spent: u32, code: Option<u16>) {
        if spent > 1 {
            // Only after a 401 does the gateway ask a second time (docs/kick.md §9).
            self.count_request(word, Some(401));
        }
        if spent > 0 {
            self.count_request(word, code);
        }
    }

    /// This many requests for webhooks had this result.
    pub(super) fn count_deliveries(&mut self, result: &str, count: u64) {
        *self.counters.webhook_deliveries.entry(result.to_owned()).or_default() += count;
    }

    /// How long neither push nor the API has worked; `None` if one of them works. `push`: a connection is open.
    pub(super) fn both_away(&mut self, now: Steady, push: bool) -> Option<Duration> {
        self.push_away = if push { None } else { self.push_away.or(Some(now)) };
        self.push_away.zip(self.api_away).map(|(push, api)| now.since(push.max(api)))
    }

    /// The last changes that were written, the newest first.
    pub(super) fn recent(&self, now: Now) -> Vec<Change> {
        self.recent.iter().map(|change| change.tell(now)).collect()
    }

    /// Returns true if the API did not answer the last request.
    pub(super) fn api_is_away(&self) -> bool {
        self.api_away.is_some()
    }

    pub(super) fn count_request(&mut self, endpoint: &str, code: Option<u16>) {
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        let codes = self.counters.api_requests.entry(endpoint.to_owned()).or_default();
        *codes.entry(code).or_default() += 1;
    }

    /// Takes note that no token came. `refused`: Kick refuses the credentials.
    pub(super) fn token_failed(&mut self, now: Now, status: Option<u16>, reason: &str, refused: bool) {
        self.count_request("token", status);
        let (code, other) = match refused {
            true => (Code::TokenRefused, Code::TokenUnavailable),
            false => (Code::TokenUnavailable, Code::TokenRefused),
        };
        self.troubles.set(now, other, None);
        self.troubles.note(now, code, "", reason);
    }

    /// Takes note of a failed request. Returns true if it is to be logged.
    pub(super) fn failed(&mut self, now: Now, endpoint: &str, failure: &Failure) -> bool {
        let code = match failure.kind {
            FailureKind::Blocked => Code::ApiBlocked,
            FailureKind::RateLimited(_) => Code::ApiRateLimited,
            _ => Code::ApiError,
        };
        for other in [Code::ApiBlocked, Code::ApiRateLimited, Code::ApiError] {
            if other != code {
                self.troubles.settle(other, endpoint);
            }
        }
        let words = match failure.status {
            Some(status) => format!("{}: {status}, {}", endpoint, failure.text),
            None => format!("{}: {}", endpoint, failure.text),
        };
        let how = format!("{:?} {:?} {}", std::mem::discriminant(&failure.kind), failure.status, failure.text);
        let news = self.troubles.raise(now, code, endpoint, words, &how);
        if failure.kind == FailureKind::NotFound {
            // The endpoint is not used any more.
            self.troubles.rest(code, endpoint);
        }
        news
    }

    /// Takes note of an answer. Returns true if it ends failures that were logged.
    pub(super) fn works(&mut self, endpoint: &str) -> bool {
        let codes = [Code::ApiBlocked, Code::ApiRateLimited, Code::ApiError];
        codes.map(|code| self.troubles.settle(code, endpoint)).contains(&true)
    }
}

impl Timer {
    /// The purpose, in a word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Timer::Ask(_) => "ask",
            Timer::SecondLook(_) => "second look",
            Timer::Names => "names",
            Timer::UnknownName(_) => "unknown name",
            Timer::LookUp(_) | Timer::FindChannel(_) | Timer::LookAhead => "look-up",
            Timer::PushGrace(_) => "push grace",
            Timer::Rewrite(_) => "rewrite",
            Timer::Probe(_) => "probe",
            Timer::Stands(_) => "subscription stands",
            Timer::Release => "release",
            Timer::Sweep => "sweep",
            Timer::Heartbeat => "heartbeat",
            Timer::Stood(_) => "offline stood",
        }
    }
}
