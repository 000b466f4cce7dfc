//! Asks Kick: one request at a time, paced, and again after a failure that passes. What does not pass is said once, with
//! a remedy, and that endpoint is asked no more.

use super::patience::{Pace, Patience, Then};
use super::progress::Progress;
use super::search::Lack;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::ask::{Endpoint, Failure, FailureKind, Query, Seen};
use crate::domain::secret::Secret;
use crate::gateway::kick::{Kick, REQUEST_LIMIT};
use crate::process::check::{no_token, remedy_for};
use crate::process::complain;
use crate::stop::Stop;
use std::collections::BTreeMap;

/// What helps where a firewall answers.
const ELSEWHERE: &str = "run this on a machine that Kick does not block, such as a desktop at home";

pub(super) struct Caller<'a> {
    config: &'a Config,
    kick: Kick,
    clock: Clock,
    pace: Pace,
    token: Option<Secret>,
    /// The token is one that took the place of another which was not accepted.
    renewed: bool,
    endpoints: BTreeMap<Endpoint, Line>,
    pub(super) progress: Progress,
}

/// What is known of an endpoint.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    patience: Patience,
    given_up: bool,
}

impl<'a> Caller<'a> {
    pub(super) fn new(config: &'a Config, progress: Progress) -> Caller<'a> {
        Caller {
            config,
            kick: Kick::new(&config.kick, REQUEST_LIMIT),
            clock: Clock::start(),
            pace: Pace::new(config.rules.requests_per_minute),
            token: None,
            renewed: false,
            endpoints: BTreeMap::new(),
            progress,
        }
    }

    pub(super) fn ask(&mut self, query: &Query) -> Result<Vec<Seen>, Lack> {
        let endpoint = query.endpoint();
        while !self.line(endpoint).given_up && self.has_token(endpoint) {
            Stop::never().wait(self.pace.wait(self.clock.steady()));
            let answer = match self.kick.ask(self.token.as_ref(), query).result {
                Ok(seen) => Ok(seen),
                Err(Failure { kind: FailureKind::BadRequest, .. }) => Err(Lack::Refused),
                Err(Failure { kind: FailureKind::NotFound, .. }) => Err(Lack::Unknown),
                Err(failure) if self.asks_again(endpoint, &failure) => continue,
                Err(_) => break,
            };
            self.renewed = false;
            self.line(endpoint).patience.answered();
            return answer;
        }
        Err(Lack::Silence)
    }

    /// Whether the question that failed is asked again; if so, this has waited until it is time.
    fn asks_again(&mut self, endpoint: Endpoint, failure: &Failure) -> bool {
        match failure.kind {
            FailureKind::Unauthorized if !self.renewed => {
                (self.token, self.renewed) = (None, true);
                return true;
            }
            FailureKind::RateLimited(_) => self.pace.slow_down(),
            _ => {}
        }
        match self.line(endpoint).patience.failed(failure.kind) {
            Then::Again(pause) => {
                self.progress.waits(pause);
                Stop::never().wait(pause);
                return true;
            }
            Then::Pass => {}
            Then::GiveUp => self.give_up(endpoint, failure),
        }
        false
    }

    fn line(&mut self, endpoint: Endpoint) -> &mut Line {
        self.endpoints.entry(endpoint).or_default()
    }

    /// Gets a token, if the endpoint wants one. Without one, the API is given up.
    fn has_token(&mut self, endpoint: Endpoint) -> bool {
        if endpoint == Endpoint::Website || self.token.is_some() {
            return true;
        }
        match self.kick.token() {
            Ok(token) => self.token = Some(token.secret),
            Err(error) => {
                let (text, remedy) = no_token(self.config, &error);
                self.say(&text, remedy);
                for endpoint in [Endpoint::Channels, Endpoint::Livestreams] {
                    self.line(endpoint).given_up = true;
                }
            }
        }
        self.token.is_some()
    }

    fn give_up(&mut self, endpoint: Endpoint, failure: &Failure) {
        self.line(endpoint).given_up = true;
        let (url, key) = match endpoint {
            Endpoint::Website => (&self.config.kick.web_url.text, "KICK_WEB_URL"),
            _ => (&self.config.kick.api_url.text, "KICK_API_URL"),
        };
        let remedy = match failure.kind {
            FailureKind::Blocked => ELSEWHERE,
            FailureKind::RateLimited(_) => "try again later, with a lower API_REQUESTS_PER_MINUTE",
            _ => remedy_for(failure.kind, key),
        };
        let status = failure.status.map(|status| format!("status {status}, ")).unwrap_or_default();
        self.say(&format!("{url}: {status}{}", failure.text), remedy);
    }

    fn say(&mut self, text: &str, remedy: &str) {
        self.progress.clear();
        complain(&format!("{text}; {remedy}"));
    }
}
