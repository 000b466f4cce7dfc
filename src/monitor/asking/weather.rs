//! How Kick answers at present: which endpoints are not to be asked before when, and which no longer exist
//! (docs/rules.md, "Times"). It knows no streamers.
//!
//! An endpoint that fails pauses for longer than the API as a whole. So one that keeps failing does not keep streamers
//! from being asked about at another one.

use crate::backoff::Backoff;
use crate::domain::Steady;
use crate::domain::ask::{Endpoint, FailureKind};
use crate::monitor::Asker;
use crate::monitor::times::{API_RETRY, GONE_PAUSE, WEBSITE_PAUSE};
use std::collections::BTreeMap;
use std::time::Duration;

/// How much earlier than the endpoint that failed the others are asked.
const FIRST_TURN: Duration = Duration::from_millis(1);

/// The pauses after failures.
#[derive(Debug)]
pub(super) struct Weather {
    api: Pause,
    endpoints: BTreeMap<Endpoint, Pause>,
    /// Endpoints that answered 404 or 410, and when they are tried again.
    gone: BTreeMap<Endpoint, Steady>,
    waits_for_token: bool,
}

#[derive(Debug)]
struct Pause {
    backoff: Backoff,
    until: Steady,
}

impl Pause {
    fn new() -> Pause {
        Pause { backoff: Backoff::new(API_RETRY.0, API_RETRY.1), until: Steady::default() }
    }
}

impl Weather {
    pub(super) fn new() -> Weather {
        Weather { api: Pause::new(), endpoints: BTreeMap::new(), gone: BTreeMap::new(), waits_for_token: false }
    }

    /// The thread of this asker was started again, perhaps with other settings: earlier failures no longer count.
    pub(super) fn forget(&mut self, asker: Asker) {
        match asker {
            Asker::Website => drop(self.endpoints.remove(&Endpoint::Website)),
            Asker::Api => {
                let website = self.endpoints.remove(&Endpoint::Website);
                *self = Weather::new();
                self.endpoints.extend(website.map(|pause| (Endpoint::Website, pause)));
            }
        }
    }

    /// Takes note of an answer.
    pub(super) fn works(&mut self, endpoint: Endpoint) {
        self.endpoints.remove(&endpoint);
        if endpoint != Endpoint::Website {
            self.api.backoff.reset();
        }
    }

    /// Takes note of a failure. Returns how long the endpoint is not asked.
    pub(super) fn fails(
        &mut self,
        now: Steady,
        endpoint: Endpoint,
        kind: FailureKind,
        rng: &mut fastrand::Rng,
    ) -> Duration {
        let after = kind.retry_after();
        let own = self.endpoints.entry(endpoint).or_insert_with(Pause::new);
        let mut pause = own.backoff.next(rng).max(after);
        if endpoint == Endpoint::Website {
            if kind == FailureKind::Blocked {
                pause = WEBSITE_PAUSE;
            }
        } else {
            self.waits_for_token = false;
            self.api.until = now + self.api.backoff.next(rng).max(after);
        }
        own.until = now + pause;
        if endpoint != Endpoint::Website {
            // The other endpoints come first when the API is asked again.
            own.until = own.until.max(self.api.until + FIRST_TURN);
        }
        own.until.since(now)
    }

    /// Returns true if the last request to the endpoint failed.
    pub(super) fn is_foul(&self, endpoint: Endpoint) -> bool {
        self.endpoints.contains_key(&endpoint)
    }

    /// Does not ask the API before `until`, unless a token comes.
    pub(super) fn wait_for_token(&mut self, until: Steady) {
        self.waits_for_token = true;
        self.api.until = until;
    }

    pub(super) fn token_came(&mut self) {
        if std::mem::take(&mut self.waits_for_token) {
            self.api.until = Steady::default();
        }
    }

    /// When the pauses allow the endpoint to be asked.
    pub(super) fn clears_at(&self, endpoint: Endpoint) -> Steady {
        let own = self.endpoints.get(&endpoint).map_or(Steady::default(), |pause| pause.until);
        if endpoint == Endpoint::Website { own } else { own.max(self.api.until) }
    }

    /// Kick has no such endpoint. It is tried again much later, in case that was a mistake of Kick's.
    pub(super) fn lost(&mut self, now: Steady, endpoint: Endpoint) {
        self.gone.insert(endpoint, now + GONE_PAUSE);
    }

    pub(super) fn has(&self, endpoint: Endpoint) -> bool {
        !self.gone.contains_key(&endpoint)
    }

    /// Has endpoints that have been gone for long enough tried again.
    pub(super) fn hope(&mut self, now: Steady) {
        self.gone.retain(|_, until| *until > now);
    }
}
