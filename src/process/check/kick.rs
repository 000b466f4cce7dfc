//! What the daemon needs of Kick over HTTP: a token, the API, and the website for ids.

use super::names::Asker;
use super::{Known, Report};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::ask::{Failure, FailureKind, Phase, Query};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::{Now, Slug};
use crate::gateway::kick::{Asked, Kick, REQUEST_LIMIT, TokenError};
use crate::process::status::span;

/// A streamer who is known to exist at Kick.
const SOMEBODY: &str = "xqc";
/// A clock that is wrong by more than this makes times in the log and the table misleading, in seconds.
const SKEW_MAX: i64 = 5;

/// Gives back the token, for what else needs one.
pub(super) fn check(
    config: &Config,
    known: &Known,
    names: &[String],
    clock: Clock,
    report: &mut Report,
) -> Option<Secret> {
    let kick = Kick::new(&config.kick, REQUEST_LIMIT);
    report.trying("asking for a token");
    let oauth = &config.kick.oauth_url.text;
    let token = match kick.token() {
        Ok(token) => {
            report.ok("token", format!("{oauth} gave one for {}", span(token.expires_in)));
            Some(token.secret)
        }
        Err(error) => {
            let (text, remedy) = no_token(config, &error);
            report.fail("token", text, Some(remedy));
            None
        }
    };
    if api(config, &kick, token.as_ref(), known, clock, report) {
        Asker::new(config, &kick, token.as_ref(), clock).roster(&known.names, report);
    }
    website(config, &kick, known, report);
    if config.heartbeat.url.is_some() {
        report.ok("heartbeat", "HEARTBEAT_URL is set, and is not asked here: that would say that the daemon runs");
    }
    Asker::new(config, &kick, token.as_ref(), clock).given(names, report);
    token
}

/// Why there is no token, and the remedy.
pub(in crate::process) fn no_token(config: &Config, error: &TokenError) -> (String, &'static str) {
    let oauth = &config.kick.oauth_url.text;
    match error {
        TokenError::Refused { word, .. } => (
            format!("{oauth} refuses the credentials: {word}"),
            "correct KICK_CLIENT_ID and KICK_CLIENT_SECRET: the developer tab of your Kick account has them",
        ),
        TokenError::Unavailable { kind, reason, .. } => {
            (format!("{oauth}: {reason}"), remedy_for(*kind, "KICK_OAUTH_URL"))
        }
    }
}

/// Whether the API answers.
fn api(config: &Config, kick: &Kick, token: Option<&Secret>, known: &Known, clock: Clock, report: &mut Report) -> bool {
    report.trying("asking the API");
    let Some(name) = known.names.first().cloned().or_else(|| Slug::from_username(SOMEBODY).ok()) else { return false };
    let before = clock.now();
    let Asked { server_date, result } = kick.ask(token, &Query::ChannelsBySlug(vec![name]));
    let url = &config.kick.api_url.text;
    let answers = match result {
        // It does not like the name; that is said below.
        Ok(_) | Err(Failure { kind: FailureKind::BadRequest, .. }) => {
            report.ok("API", format!("{url} answers"));
            true
        }
        Err(failure) if failure.kind == FailureKind::Unauthorized && token.is_none() => {
            report.ok("API", format!("{url} answers, and asks for a token"));
            false
        }
        Err(failure) => {
            let status = failure.status.map(|status| format!("status {status}, ")).unwrap_or_default();
            report.fail(
                "API",
                format!("{url}: {status}{}", failure.text),
                Some(remedy_for(failure.kind, "KICK_API_URL")),
            );
            false
        }
    };
    if let Some(theirs) = server_date {
        clocks(before, theirs, clock, report);
    }
    answers
}

/// Compares the clocks, by an answer to a question that was asked at `before`.
fn clocks(before: Now, theirs: Timestamp, clock: Clock, report: &mut Report) {
    let took = clock.steady().since(before.steady) / 2;
    // The header is cut to whole seconds.
    let ours = before.wall.as_millisecond() + i64::try_from(took.as_millis()).unwrap_or_default() - 500;
    let skew = (ours - theirs.as_millisecond()) / 1000;
    if skew.abs() <= SKEW_MAX {
        return report.ok("clock", "agrees with Kick's clock");
    }
    let how = if skew > 0 { "ahead of" } else { "behind" };
    let text = format!(
        "this machine's clock is {} s {how} Kick's clock; times in the table and the log are wrong",
        skew.abs()
    );
    report.warn("clock", text, "run: timedatectl set-ntp true");
}

/// The website is needed only for channel ids that the table does not have.
fn website(config: &Config, kick: &Kick, known: &Known, report: &mut Report) {
    let Some(name) = known.channelless.clone() else { return };
    report.trying("looking up a channel id");
    let url = &config.kick.web_url.text;
    match kick.ask(None, &Query::Website(name.clone())).result {
        Ok(_) => report.ok("website", format!("{url} gives channel ids")),
        Err(failure) if failure.kind == FailureKind::NotFound => {
            report.warn("website", format!("{url} does not know {name}"), "correct the username in the table");
        }
        Err(failure) => report.warn(
            "website",
            format!(
                "{url} gives no channel ids ({}); push follows a streamer without one only from when they are next live",
                failure.text
            ),
            "look the ids up on another machine with: kick-monitor ids --sql (see IDS in: man kick-monitor)",
        ),
    }
}

/// The remedy for a failure at the URL of this key.
pub(in crate::process) fn remedy_for(kind: FailureKind, key: &str) -> &'static str {
    match (kind, key) {
        (FailureKind::Network(Phase::Name), _) => {
            "correct the host in the URL, or look at this machine's DNS: /etc/resolv.conf"
        }
        (FailureKind::Network(Phase::Tls), _) => {
            "correct the host in the URL, set TLS_CA_FILE to a file with the CA certificate to trust, or look for a proxy that intercepts TLS"
        }
        (FailureKind::Network(Phase::Connection), _) => {
            "correct host and port in the URL, or allow connections to them in the firewall"
        }
        (FailureKind::Blocked, _) => "a firewall blocks this machine's address: use another one",
        (_, "KICK_OAUTH_URL") => "correct KICK_OAUTH_URL, or try again later",
        (_, "KICK_REALTIME_URL") => "correct KICK_REALTIME_URL, or try again later",
        (_, "KICK_WEB_URL") => "correct KICK_WEB_URL, or try again later",
        _ => "correct KICK_API_URL, or try again later",
    }
}
