//! Kick over HTTP: the token endpoint, the official API, and the website's channel look-up.
//!
//! Each call makes one request, blocks no longer than its limit, and returns the outcome in the types of
//! `domain::ask`. Nothing here waits, decides or retries, except for a GET that was lost because a kept connection
//! had been closed. Redirects are not followed and no proxy is used. No text that leaves this module contains the
//! client secret, a token or a part of a body.

pub mod entries;
mod realtime;
#[cfg(test)]
pub(crate) mod tests;
mod webhooks;

pub(crate) use realtime::Realtime;

use crate::config::KickConfig;
use crate::domain::ask::{Endpoint, Failure, FailureKind, Query, Seen};
use crate::domain::json::{Json, mended};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::gateway::http::{self, Reply, Unread};
use std::fmt::Display;
use std::ops::Range;
use std::time::Duration;

/// The limit of one HTTP request, everything included (docs/rules.md, "Times").
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(15);

/// The lifetime of a token if Kick does not state one (docs/kick.md §4).
const LIFE_UNSTATED: Duration = Duration::from_secs(3600);

/// The error words of the token endpoint that mean that the credentials themselves are wrong: those of RFC 6749 and
/// Kick's own (docs/kick.md §4). Any other 400 or 401 may come from a firewall or an outage.
const REFUSALS: [&str; 7] = [
    "invalid_client",
    "invalid_request",
    "invalid_grant",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
    "Invalid request",
];

const FIREWALL: &str = "a firewall answered, not Kick";
const REDIRECT: &str = "a redirect, which is never followed";
const PAGE: &str = "an HTML page instead of JSON";

/// A client for Kick's endpoints. Threads may share it; connections are kept and used again.
#[derive(Debug)]
pub(crate) struct Kick {
    client: http::Client,
    config: KickConfig,
}

/// An app token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub secret: Secret,
    /// The lifetime that Kick states.
    pub expires_in: Duration,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// Kick refuses the client id or the client secret: the operator has to act.
    #[error("the credentials are refused: {word}")]
    Refused {
        status: u16,
        /// Kick's error word, from our list of known ones.
        word: String,
    },
    /// A temporary failure: the network, a firewall, an outage (docs/kick.md §4). It says nothing about the
    /// credentials.
    #[error("{reason}")]
    Unavailable {
        kind: FailureKind,
        /// A short description for the log.
        reason: String,
        /// The `Retry-After` header, if there was one.
        retry_after: Option<Duration>,
        /// The HTTP status, if there was a response.
        status: Option<u16>,
    },
}

impl TokenError {
    /// The HTTP status, if there was a response.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            TokenError::Refused { status, .. } => Some(*status),
            TokenError::Unavailable { status, .. } => *status,
        }
    }
}

/// The outcome of one request to the API or the website.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The `Date` header: the time by Kick's clock, to whole seconds.
    pub server_date: Option<Timestamp>,
    /// The channels listed, or why there is no answer. A failure contains the HTTP status.
    pub result: Result<Vec<Seen>, Failure>,
}

impl Kick {
    /// Uses the addresses and credentials of `config`; each call ends within `limit`.
    pub(crate) fn new(config: &KickConfig, limit: Duration) -> Kick {
        Kick { client: http::Client::new(config.tls_ca.clone(), limit), config: config.clone() }
    }

    /// Gets an app token with the client credentials (docs/kick.md §4).
    pub(crate) fn token(&self) -> Result<Token, TokenError> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.config.client_id),
            ("client_secret", self.config.client_secret.reveal()),
        ];
        let reply = http::read(self.client.agent().post(&self.config.oauth_url.text).send_form(form)).map_err(
            |http::Unanswered { phase, text }| TokenError::Unavailable {
                kind: FailureKind::Network(phase),
                reason: text,
                retry_after: None,
                status: None,
            },
        )?;
        judge_token(reply)
    }

    /// Sends one request. Requests to the website never carry a token, even if one is given.
    pub(crate) fn ask(&self, token: Option<&Secret>, query: &Query) -> Asked {
        let token = token.filter(|_| query.endpoint() != Endpoint::Website);
        match self.client.get(&self.address(query), token.map(Secret::reveal)) {
            Ok(reply) => Asked {
                server_date: reply.date,
                // Only a 200 is an observation (R6).
                result: judge(200..201, reply, |body| entries::seen(query.endpoint(), body)),
            },
            Err(why) => Asked { server_date: None, result: Err(unanswered(why)) },
        }
    }

    /// Aborts the requests of other threads and makes all later ones fail, so that a stop need not wait for Kick. A
    /// name look-up or a connection attempt in progress ends by itself.
    pub(crate) fn hang_up(&self) {
        self.client.hang_up();
    }

    /// The URL of a request. Slugs and ids need no percent-encoding.
    fn address(&self, query: &Query) -> String {
        let (api, web) = (&self.config.api_url.text, &self.config.web_url.text);
        match query {
            Query::ChannelsBySlug(slugs) => format!("{api}/channels?{}", repeated("slug", slugs)),
            Query::ChannelsByUser(users) => format!("{api}/channels?{}", repeated("broadcaster_user_id", users)),
            // Without a limit, Kick lists 25 and omits the rest without notice (docs/kick.md §5.2).
            Query::Livestreams(users) => {
                format!("{api}/livestreams?{}&limit=100", repeated("broadcaster_user_id", users))
            }
            Query::UsersLivestreams(users) => format!("{api}/users/livestreams?{}", repeated("user_id", users)),
            Query::Website(slug) => format!("{web}/api/v2/channels/{slug}"),
        }
    }
}

/// A failure without a response.
fn unanswered(http::Unanswered { phase, text }: http::Unanswered) -> Failure {
    Failure { kind: FailureKind::Network(phase), status: None, text }
}

/// Classifies a response. `read` parses the body if the status is in `fine`.
fn judge<T>(fine: Range<u16>, reply: Reply, read: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, Failure> {
    let (kind, text) = match reply.status {
        429 => (FailureKind::RateLimited(reply.retry_after), "too many requests"),
        403 | 423 => (FailureKind::Blocked, FIREWALL),
        300..400 => (FailureKind::Server(None), REDIRECT),
        _ if reply.html => (FailureKind::Blocked, PAGE),
        status if fine.contains(&status) => match reply.body.map(|body| read(&body)) {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => (FailureKind::Garbage, "the answer is not the JSON that Kick documents"),
            Err(Unread::TooLong) => (FailureKind::Garbage, "the answer is too long"),
            Err(Unread::Broken(why)) => return Err(Failure { status: Some(reply.status), ..unanswered(why) }),
        },
        400 => (FailureKind::BadRequest, "Kick rejects a value in the request"),
        401 => (FailureKind::Unauthorized, "the token is not accepted"),
        404 | 410 => (FailureKind::NotFound, "not found"),
        500.. => (FailureKind::Server(reply.retry_after), "the server failed"),
        _ => (FailureKind::Server(reply.retry_after), "an unexpected status"),
    };
    Err(Failure { kind, status: Some(reply.status), text: text.to_owned() })
}

/// Classifies the response to a token request.
fn judge_token(reply: Reply) -> Result<Token, TokenError> {
    let text = reply.body.as_ref().map(|body| mended(body)).unwrap_or_default();
    let body = Json::read(&text);
    let retry_after = reply.retry_after;
    let (kind, why) = match reply.status {
        403 | 423 => (FailureKind::Blocked, FIREWALL),
        300..400 => (FailureKind::Server(None), REDIRECT),
        _ if reply.html => (FailureKind::Blocked, PAGE),
        200 => match (body.and_then(token_in), &reply.body) {
            (Some(token), _) => return Ok(token),
            (None, Err(Unread::Broken(why))) => (FailureKind::Network(why.phase), why.text.as_str()),
            (None, _) => (FailureKind::Garbage, "the answer contains no token"),
        },
        400 | 401 => match body.and_then(refusal_in) {
            Some(word) => return Err(TokenError::Refused { status: reply.status, word: word.to_owned() }),
            None => (FailureKind::Unauthorized, "the answer does not say what is refused"),
        },
        429 => (FailureKind::RateLimited(retry_after), "too many requests"),
        500.. => (FailureKind::Server(retry_after), "the server failed"),
        _ => (FailureKind::Server(retry_after), "an unexpected status"),
    };
    let reason = format!("status {}: {why}", reply.status);
    Err(TokenError::Unavailable { kind, reason, retry_after, status: Some(reply.status) })
}

/// The text of a token, if it can be sent in a header.
fn secret_in(value: Json<'_>) -> Option<Secret> {
    let text = value.text().filter(|text| !text.is_empty())?;
    text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| Secret::new(&text))
}

/// The token in a response, if it is complete and valid.
fn token_in(body: Json<'_>) -> Option<Token> {
    let secret = secret_in(body.get("access_token")?)?;
    // Kick's documentation shows a string, but Kick sends a number.
    let stated = body.get("expires_in").and_then(|life| life.integer().or_else(|| life.text()?.trim().parse().ok()));
    let seconds = stated.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
    Some(Token { secret, expires_in: seconds.map_or(LIFE_UNSTATED, Duration::from_secs) })
}

/// The error word by which the credentials are refused. It is taken from our list and not from the response, because
/// a response may quote what was sent.
fn refusal_in(body: Json<'_>) -> Option<&'static str> {
    let error = body.get("error")?.text()?;
    REFUSALS.into_iter().find(|word| *word == error)
}

/// `name=a&name=b`: Kick does not accept lists with commas (docs/kick.md §5.1).
fn repeated(name: &str, values: &[impl Display]) -> String {
    values.iter().map(|value| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}
