//! HTTP requests and responses, as used for Kick and for `HEARTBEAT_URL`: a request is sent and its response is read
//! to the end.
//!
//! The meaning of a body is not known here.

mod kept;
mod roots;

use crate::clock::Clock;
use crate::domain::ask::{Phase, RETRY_AFTER_MAX};
use crate::domain::text::tls_reason;
use crate::domain::time::Timestamp;
use crate::gateway::trust::Trusting;
use jiff::fmt::rfc2822::DateTimeParser;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{HeaderMap, Response, header};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, DefaultConnector};
use ureq::{Agent, Body, Error, Timeout};

/// The longest body that is read, in bytes; a hundred livestreams take some hundred KiB.
const BODY_MAX: u64 = 4 << 20;

/// A response that was read to its end.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// The `Date` header.
    pub(super) date: Option<Timestamp>,
    /// The `Retry-After` header.
    pub(super) retry_after: Option<Duration>,
    /// Whether the body is a web page: a firewall's, never that of Kick's API (docs/kick.md §5.5).
    pub(super) html: bool,
    /// The body, or why it could not be read.
    pub(super) body: Result<Vec<u8>, Unread>,
}

/// Why a response has a status but no body.
#[derive(Debug)]
pub(super) enum Unread {
    /// Longer than any answer of Kick's ([`BODY_MAX`]).
    TooLong,
    /// The connection broke or the time-out passed.
    Broken(Unanswered),
}

/// Why there is no complete response.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) phase: Phase,
    /// A short description for the log.
    pub(super) text: String,
}

/// An HTTP client that keeps its connections.
#[derive(Debug)]
pub(super) struct Client {
    /// The content of `TLS_CA_FILE`.
    own_roots: Option<String>,
    limit: Duration,
    agent: Trusting<Agent>,
}

impl Client {
    /// Creates a client whose requests take `limit` at most.
    pub(super) fn new(own_roots: Option<String>, limit: Duration) -> Client {
        Client { own_roots, limit, agent: Trusting::new() }
    }

    /// The agent for the next request.
    pub(super) fn agent(&self) -> Agent {
        let made: Result<Agent, Infallible> = self.agent.get(|| Ok(agent(self.own_roots.as_deref(), self.limit)));
        made.unwrap_or_else(|never| match never {})
    }

    /// Sends a GET. If it was lost because the server had closed the kept connection, it is sent once more on a new
    /// connection, within the remaining time.
    pub(super) fn get(&self, address: &str, bearer: Option<&str>) -> Result<Reply, Unanswered> {
        let agent = self.agent();
        let request = || {
            let request = agent.get(address);
            match bearer {
                Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
                None => request,
            }
        };
        let clock = Clock::start();
        match request().call() {
            Err(error) if kept::was_lost(&error) => {
                let left = self.limit.saturating_sub(clock.steady().elapsed());
                // With a maximum idle age of zero, no kept connection is used.
                let config = request().config().max_idle_age(Duration::ZERO).timeout_global(Some(left));
                read(config.build().call())
            }
            result => read(result),
        }
    }

    /// Aborts the requests of other threads and makes later ones fail. If the platform's authorities change at the
    /// same moment, requests on the other side of that change run until their limit.
    pub(super) fn hang_up(&self) {
        self.agent().shutdown();
    }
}

/// A new agent without connections.
fn agent(own_roots: Option<&str>, limit: Duration) -> Agent {
    let roots = match own_roots {
        None => RootCerts::PlatformVerifier,
        Some(pem) => RootCerts::Specific(Arc::new(roots::platform_and(pem))),
    };
    let config = Agent::config_builder()
        .tls_config(TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build())
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!("kick-monitor/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        // Without this header, a response may be compressed (RFC 9110, 12.5.3).
        .accept_encoding("identity")
        // The global limit is what matters. The limits of the phases are shorter, so that an error can name the phase
        // that hangs, and so that a second address is tried if the first does not answer.
        .timeout_global(Some(limit))
        .timeout_resolve(Some(limit / 3))
        .timeout_connect(Some(limit / 2))
        .timeout_send_request(Some(limit / 3))
        .timeout_send_body(Some(limit / 3))
        .timeout_recv_response(Some(limit / 5 * 4))
        .timeout_recv_body(Some(limit / 5 * 4));
    let connector = DefaultConnector::default().chain(kept::Watch);
    Agent::with_parts(config.build(), connector, DefaultResolver::default())
}

/// Reads a response to its end.
pub(super) fn read(result: Result<Response<Body>, Error>) -> Result<Reply, Unanswered> {
    let mut response = result.map_err(|error| unanswered(&error))?;
    let date = text(response.headers(), header::DATE).and_then(http_date);
    let retry_after = text(response.headers(), header::RETRY_AFTER).and_then(|text| retry_after(text, date));
    let page = text(response.headers(), header::CONTENT_TYPE).is_some_and(is_page);
    let body = response.body_mut().with_config().limit(BODY_MAX).read_to_vec().map_err(|error| match error {
        Error::BodyExceedsLimit(_) => Unread::TooLong,
        error => Unread::Broken(unanswered(&error)),
    });
    let html = page || body.as_ref().is_ok_and(|body| body.trim_ascii_start().starts_with(b"<"));
    Ok(Reply { status: response.status().as_u16(), date, retry_after, html, body })
}

/// A header's value, if it is text.
fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether a `Content-Type` is that of a web page.
fn is_page(kind: &str) -> bool {
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
}

/// Parses an HTTP date; the RFC 2822 format accepts it.
fn http_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

/// Parses `Retry-After`: seconds, or a time, which is relative to the server's own `Date`. `None` for anything else.
fn retry_after(text: &str, date: Option<Timestamp>) -> Option<Duration> {
    let text = text.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number with too many digits means a very long time.
        text.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        Duration::try_from(http_date(text)?.duration_since(date?)).unwrap_or_default()
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// The phase that failed, and its description.
fn unanswered(error: &Error) -> Unanswered {
    let (phase, text) = match error {
        Error::Timeout(timeout) => {
            let (phase, doing) = match timeout {
                Timeout::Resolve => (Phase::Name, "looking up the name"),
                Timeout::Connect => (Phase::Connection, "connecting"),
                Timeout::SendRequest | Timeout::SendBody => (Phase::Answer, "sending the request"),
                Timeout::RecvResponse => (Phase::Answer, "waiting for the answer"),
                Timeout::RecvBody => (Phase::Answer, "reading the answer"),
                _ => (Phase::Answer, "asking"),
            };
            (phase, format!("timed out while {doing}"))
        }
        Error::HostNotFound => (Phase::Name, "the host name is not known".to_owned()),
        Error::NativeTls(error) => (Phase::Tls, format!("TLS failed: {}", tls_reason(&error.to_string()))),
        // The look-up's own failures have no kind.
        Error::Io(error) if error.to_string().contains("lookup address") => {
            (Phase::Name, format!("looking up the name failed: {error}"))
        }
        Error::Io(error) => (Phase::Connection, format!("the connection failed: {}", tls_reason(&error.to_string()))),
        error => (Phase::Answer, format!("the request failed: {error}")),
    };
    Unanswered { phase, text }
}

#[cfg(test)]
mod tests {
    use super::{http_date, retry_after};
    use std::time::Duration;

    const DATE: &str = "Wed, 14 Oct 2026 08:00:00 GMT";

    #[test]
    fn a_date_of_http_is_read() {
        assert_eq!(http_date(DATE).map(|time| time.to_string()).as_deref(), Some("2026-10-14T08:00:00Z"));
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_time_and_has_a_limit() {
        for (text, date, seconds) in [
            ("7", None, Some(7)),
            (" 0 ", None, Some(0)),
            ("86400", None, Some(600)),
            ("3600", None, Some(600)),
            ("340282366920938463463374607431768211456", None, Some(600)),
            ("Wed, 14 Oct 2099 08:00:30 GMT", Some(DATE), Some(600)),
            ("", None, None),
            ("1e3", None, None),
            ("Wed, 14 Oct 2026 08:00:30 GMT", Some(DATE), Some(30)),
            ("Wed, 14 Oct 2026 07:00:00 GMT", Some(DATE), Some(0)),
            ("Wed, 14 Oct 2026 08:00:30 GMT", None, None),
            ("soon", Some(DATE), None),
            ("-1", None, None),
        ] {
            let wait = retry_after(text, date.and_then(http_date));
            assert_eq!(wait, seconds.map(Duration::from_secs), "{text:?}");
        }
    }
}
