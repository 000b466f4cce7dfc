//! Kick over HTTP: the token endpoint, the official API, and the website's channel look-up.
//!
//! Each call is one request, blocks for at most the limit, and tells what came of it in the words of
//! the rules. Nothing here retries (but for a GET that a kept connection lost), waits or decides; no redirect is
//! followed, no proxy is used, and no text that leaves this module holds the client secret, a token or a piece of a body.

pub mod entries;
mod http;
mod realtime;
mod roots;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use realtime::Realtime;

use crate::config::KickConfig;
use crate::domain::ask::{Endpoint, Failure, FailureKind, Query, Seen};
use crate::domain::json::{Json, mended};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use http::{Reply, Unread};
use std::fmt::Display;
use std::ops::Range;
use std::time::Duration;

/// One HTTP request, everything included (docs/rules.md, "Times").
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(15);

/// How long a token is believed to live when Kick does not say (docs/kick.md §4).
const LIFE_UNSTATED: Duration = Duration::from_secs(3600);

/// What the token endpoint says when the credentials themselves are at fault: the words of RFC 6749
/// and Kick's own (docs/kick.md §4). Any other 400 or 401 may as well be a firewall or an outage.
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

/// The way to Kick. May be shared by threads; connections are kept and used again.
#[derive(Debug)]
pub(crate) struct Kick {
    client: http::Client,
    config: KickConfig,
}

/// An app token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// The token itself.
    pub secret: Secret,
    /// How long it lives, as Kick says.
    pub expires_in: Duration,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// Kick refuses the client id or secret: needs an operator.
    #[error("the credentials are refused: {word}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Kick's word for it, out of a list of ours.
        word: String,
    },
    /// Weather: the network, a firewall, an outage (docs/kick.md §4). Says nothing about the credentials.
    #[error("{reason}")]
    Unavailable {
        /// A few words for the log.
        reason: String,
        /// `Retry-After`, when given.
        retry_after: Option<Duration>,
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
    },
}

impl TokenError {
    /// The HTTP status, if there was an answer.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            TokenError::Refused { status, .. } => Some(*status),
            TokenError::Unavailable { status, .. } => *status,
        }
    }
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The `Date` header: Kick's clock, to whole seconds.
    pub server_date: Option<Timestamp>,
    /// The channels listed, or why there is no answer; a failure carries the HTTP status.
    pub result: Result<Vec<Seen>, Failure>,
}

impl Kick {
    /// The way to Kick as `config` has it; each call ends within `limit`.
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
        let reply = http::read(self.client.agent().post(&self.config.oauth_url.text).send_form(form))
            .map_err(|reason| TokenError::Unavailable { reason, retry_after: None, status: None })?;
        judge_token(reply)
    }

    /// Asks Kick. The website is asked without a token, whatever is given.
    pub(crate) fn ask(&self, token: Option<&Secret>, query: &Query) -> Asked {
        let token = token.filter(|_| query.endpoint() != Endpoint::Website);
        match self.client.get(&self.address(query), token.map(Secret::reveal)) {
            Ok(reply) => Asked {
                server_date: reply.date,
                // Nothing but a 200 is an observation (R6).
                result: judge(200..201, reply, |body| entries::seen(query.endpoint(), body)),
            },
            Err(text) => Asked { server_date: None, result: Err(unanswered(text)) },
        }
    }

    /// Ends the requests that other threads are in the midst of, and fails all later ones: so that
    /// nobody who stops has to wait for Kick. A name look-up or a connection being made ends by itself.
    pub(crate) fn hang_up(&self) {
        self.client.hang_up();
    }

    /// Where a question goes. Slugs and ids need no percent-encoding.
    fn address(&self, query: &Query) -> String {
        let (api, web) = (&self.config.api_url.text, &self.config.web_url.text);
        match query {
            Query::ChannelsBySlug(slugs) => format!("{api}/channels?{}", repeated("slug", slugs)),
            Query::ChannelsByUser(users) => format!("{api}/channels?{}", repeated("broadcaster_user_id", users)),
            // Without a limit Kick lists 25 and cuts the rest off silently (docs/kick.md §5.2).
            Query::Livestreams(users) => {
                format!("{api}/livestreams?{}&limit=100", repeated("broadcaster_user_id", users))
            }
            Query::UsersLivestreams(users) => format!("{api}/users/livestreams?{}", repeated("user_id", users)),
            Query::Website(slug) => format!("{web}/api/v2/channels/{slug}"),
        }
    }
}

/// There was no answer.
fn unanswered(text: String) -> Failure {
    Failure { kind: FailureKind::Network, status: None, text }
}

/// What an answer is worth; `read` understands the body of one whose status is `fine`.
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
            Err(Unread::Broken(text)) => {
                return Err(Failure { kind: FailureKind::Network, status: Some(reply.status), text });
            }
        },
        400 => (FailureKind::BadRequest, "Kick rejects a value in the request"),
        401 => (FailureKind::Unauthorized, "the token is not accepted"),
        404 | 410 => (FailureKind::NotFound, "not found"),
        500.. => (FailureKind::Server(reply.retry_after), "the server failed"),
        _ => (FailureKind::Server(reply.retry_after), "an unexpected status"),
    };
    Err(Failure { kind, status: Some(reply.status), text: text.to_owned() })
}

/// What came of asking for a token.
fn judge_token(reply: Reply) -> Result<Token, TokenError> {
    let text = reply.body.as_ref().map(|body| mended(body)).unwrap_or_default();
    let body = Json::read(&text);
    let why = match reply.status {
        403 | 423 => FIREWALL,
        300..400 => REDIRECT,
        _ if reply.html => PAGE,
        200 => match (body.and_then(token_in), &reply.body) {
            (Some(token), _) => return Ok(token),
            (None, Err(Unread::Broken(text))) => text,
            (None, _) => "the answer contains no token",
        },
        400 | 401 => match body.and_then(refusal_in) {
            Some(word) => return Err(TokenError::Refused { status: reply.status, word: word.to_owned() }),
            None => "the answer does not say what is refused",
        },
        429 => "too many requests",
        500.. => "the server failed",
        _ => "an unexpected status",
    };
    let reason = format!("status {}: {why}", reply.status);
    Err(TokenError::Unavailable { reason, retry_after: reply.retry_after, status: Some(reply.status) })
}

/// Text that a header can carry.
fn secret_in(value: Json<'_>) -> Option<Secret> {
    let text = value.text().filter(|text| !text.is_empty())?;
    text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| Secret::new(&text))
}

/// The token in an answer, if it is a clean one.
fn token_in(body: Json<'_>) -> Option<Token> {
    let secret = secret_in(body.get("access_token")?)?;
    // Kick's documents show a string, Kick sends a number.
    let stated = body.get("expires_in").and_then(|life| life.integer().or_else(|| life.text()?.trim().parse().ok()));
    let seconds = stated.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
    Some(Token { secret, expires_in: seconds.map_or(LIFE_UNSTATED, Duration::from_secs) })
}

/// The word by which the credentials are refused. Ours, not the answer's: an answer may quote what
/// it was sent.
fn refusal_in(body: Json<'_>) -> Option<&'static str> {
    let error = body.get("error")?.text()?;
    REFUSALS.into_iter().find(|word| *word == error)
}

/// `name=a&name=b`: Kick does not read lists with commas (docs/kick.md §5.1).
fn repeated(name: &str, values: &[impl Display]) -> String {
    values.iter().map(|value| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}
