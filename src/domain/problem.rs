//! Every problem that the daemon can have, in one table: its stable code, its text, its remedy, and the
//! health that it causes. The manual has a paragraph for each, in the same words.
//!
//! Nothing here decides whether a problem exists; `monitor` does.

use serde::{Deserialize, Serialize};

/// The health of the daemon: that of its worst problem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Statuses are right, and changes are written at once.
    #[default]
    Ok,
    /// Statuses are right but may be delayed, or some rows are not followed.
    Degraded,
    /// Statuses may be out of date.
    Failing,
}

impl Health {
    /// The word for the status file: `ok`, `degraded` or `failing`.
    pub fn word(self) -> &'static str {
        match self {
            Health::Ok => "ok",
            Health::Degraded => "degraded",
            Health::Failing => "failing",
        }
    }
}

/// A kind of problem. The worst come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the table below says what each is")]
pub enum Code {
    DatabaseUnavailable,
    CoordinationLost,
    CoordinationMisfit,
    TokenRefused,
    KickUnreachable,
    Starting,
    PushRefused,
    PushDown,
    PushIncomplete,
    PushLimited,
    PushSilent,
    PushPartial,
    SubscriptionFailed,
    WebhookListener,
    WebhookSilent,
    WebhookIncomplete,
    TokenUnavailable,
    ApiBlocked,
    ApiRateLimited,
    ApiError,
    SweepBehind,
    CoordinationOff,
    WriteRefused,
    RosterListener,
    StreamerUnusable,
    StreamerUnknown,
    MetricsFile,
    StreamerRenamed,
    ChannelIdMismatch,
    HeartbeatUrl,
}

/// Every code, the worst first.
pub const CODES: [Code; 30] = [
    Code::DatabaseUnavailable,
    Code::CoordinationLost,
    Code::CoordinationMisfit,
    Code::TokenRefused,
    Code::KickUnreachable,
    Code::Starting,
    Code::PushRefused,
    Code::PushDown,
    Code::PushIncomplete,
    Code::PushLimited,
    Code::PushSilent,
    Code::PushPartial,
    Code::SubscriptionFailed,
    Code::WebhookListener,
    Code::WebhookSilent,
    Code::WebhookIncomplete,
    Code::TokenUnavailable,
    Code::ApiBlocked,
    Code::ApiRateLimited,
    Code::ApiError,
    Code::SweepBehind,
    Code::CoordinationOff,
    Code::WriteRefused,
    Code::RosterListener,
    Code::StreamerUnusable,
    Code::StreamerUnknown,
    Code::MetricsFile,
    Code::StreamerRenamed,
    Code::ChannelIdMismatch,
    Code::HeartbeatUrl,
];

/// The entry of the table for one code.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The stable name.
    pub code: &'static str,
    /// The health while this problem exists, unless another one makes it worse.
    pub health: Health,
    /// What is wrong, as `status` shows it.
    pub text: &'static str,
    /// What the administrator can do about it.
    pub remedy: &'static str,
}

impl Code {
    /// The entry of the table for this code.
    pub fn facts(self) -> Facts {
        use Health::{Degraded, Failing, Ok};
        let (code, health, text, remedy) = match self {
            Code::DatabaseUnavailable => {
                ("db_unavailable", Failing, "the database cannot be used, so changes wait", "run: kick-monitor check")
            }
            Code::CoordinationLost => (
                "coordination_lost",
                Failing,
                "this instance holds no shards since it lost its database session, and writes nothing until it holds some",
                "it is tried again; if it lasts, run: kick-monitor check",
            ),
            Code::CoordinationMisfit => (
                "coordination_misfit",
                Failing,
                "instances on this table have different settings, so this one stands by",
                "set DB_SHARDS to the same number in each of them, then reload",
            ),
            Code::TokenRefused => (
                "token_refused",
                Failing,
                "Kick refuses the credentials, so nothing is compared with the API",
                "correct KICK_CLIENT_ID and KICK_CLIENT_SECRET, then reload",
            ),
            Code::KickUnreachable => (
                "kick_unreachable",
                Failing,
                "neither push nor the API has worked for longer than SWEEP_SECS",
                "check this machine's connection to Kick with: kick-monitor check",
            ),
            Code::Starting => (
                "starting",
                Degraded,
                "not every streamer has been compared with Kick yet",
                "wait; a large table takes minutes",
            ),
            Code::PushRefused => (
                "push_refused",
                Degraded,
                "the push server refuses the connection, so changes are found by the sweep",
                "correct REALTIME, PUSHER_URL or PUSHER_APP_KEY, then reload",
            ),
            Code::PushDown => (
                "push_down",
                Degraded,
                "no push connection is established, so changes are found by the sweep",
                "it is tried again; if it lasts, run: kick-monitor check",
            ),
            Code::PushIncomplete => (
                "push_incomplete",
                Degraded,
                "some push connections are not established, so changes on them are found by the sweep",
                "it is tried again; if it lasts, run: kick-monitor check",
            ),
            Code::PushLimited => (
                "push_limited",
                Degraded,
                "push does not follow all streamers: each push connection needs two open files, and too few are allowed; \
                 the sweep finds the changes of the others",
                "raise LimitNOFILE (systemd) or ulimit -n, or PUSHER_CHANNELS_PER_CONNECTION, then restart",
            ),
            Code::PushSilent => (
                "push_silent",
                Degraded,
                "push is connected but reports nothing; the sweep finds the changes",
                "check CHANNEL_NAMES, REALTIME, PUSHER_URL and PUSHER_APP_KEY",
            ),
            Code::PushPartial => (
                "push_partial",
                Degraded,
                "push misses a quarter or more of the changes; the sweep finds them",
                "if it lasts, set REALTIME to the other transport, then reload",
            ),
            Code::SubscriptionFailed => (
                "subscription_failed",
                Degraded,
                "push channels cannot be subscribed to; the sweep finds those streamers' changes",
                "it is tried again; if it lasts, check CHANNEL_NAMES and the channel ids of the table",
            ),
            Code::WebhookListener => (
                "webhook_listener",
                Degraded,
                "webhooks cannot be taken",
                "correct WEBHOOK_LISTEN, or end what else uses that address; it is tried again",
            ),
            Code::WebhookSilent => (
                "webhook_silent",
                Degraded,
                "webhooks do not report changes; the sweep finds them",
                "check the address in the settings of the Kick app, its switch Enable Webhooks, and the proxy",
            ),
            Code::WebhookIncomplete => (
                "webhook_incomplete",
                Degraded,
                "some streamers have no webhook subscription; push or the sweep finds their changes",
                "Kick is asked again, after growing pauses; it allows 10000 subscriptions for each app",
            ),
            Code::TokenUnavailable => (
                "token_unavailable",
                Degraded,
                "no new token can be obtained",
                "it is tried again; if it lasts, check KICK_OAUTH_URL with: kick-monitor check",
            ),
            Code::ApiBlocked => (
                "api_blocked",
                Degraded,
                "a firewall answers in Kick's place",
                "if it lasts, use another address of this machine; if only the website is blocked, look the ids up elsewhere with: \
                 kick-monitor ids",
            ),
            Code::ApiRateLimited => (
                "api_rate_limited",
                Degraded,
                "Kick asks for fewer requests",
                "if it lasts, lower API_REQUESTS_PER_MINUTE",
            ),
            Code::ApiError => (
                "api_error",
                Degraded,
                "requests to Kick fail",
                "it is tried again; if it lasts, run: kick-monitor check",
            ),
            Code::SweepBehind => (
                "sweep_behind",
                Degraded,
                "the budget of requests is too small to compare all streamers every SWEEP_SECS",
                "raise SWEEP_SECS or API_REQUESTS_PER_MINUTE",
            ),
            Code::CoordinationOff => (
                "coordination_off",
                Degraded,
                "instances cannot share this table, so each of them follows all streamers",
                "connect to PostgreSQL directly, not through a pooler; if only one instance runs, set DB_COORDINATION=off",
            ),
            Code::WriteRefused => (
                "write_refused",
                Degraded,
                "some rows are not written",
                "check these rows, and the table's triggers, policies and locks",
            ),
            Code::RosterListener => (
                "roster_listener",
                Degraded,
                "LISTEN on ROSTER_NOTIFY_CHANNEL does not work, so new rows are noticed every ROSTER_POLL_SECS",
                "connect to PostgreSQL directly, not through a pooler; run: kick-monitor check",
            ),
            Code::StreamerUnusable => (
                "streamer_unusable",
                Degraded,
                "some rows have a username or an id that cannot be used, and are left alone",
                "correct these rows",
            ),
            Code::StreamerUnknown => (
                "streamer_unknown",
                Degraded,
                "Kick does not know some usernames",
                "correct the usernames; Kick is asked about them again every 10 minutes",
            ),
            Code::MetricsFile => (
                "metrics_file",
                Degraded,
                "METRICS_FILE cannot be written, so its readers see old numbers",
                "run: kick-monitor check",
            ),
            Code::StreamerRenamed => (
                "streamer_renamed",
                Ok,
                "streamers have another name now and are followed by their id",
                "write the new names into the table",
            ),
            Code::ChannelIdMismatch => (
                "channel_id_mismatch",
                Ok,
                "channel ids in the table are wrong; Kick's are used",
                "correct the column that DB_CHANNEL_ID_COLUMN names",
            ),
            Code::HeartbeatUrl => (
                "heartbeat_url",
                Ok,
                "HEARTBEAT_URL cannot be asked, so its service may raise an alarm",
                "it is tried again; if it lasts, correct HEARTBEAT_URL, then reload",
            ),
        };
        Facts { code, health, text, remedy }
    }
}

#[cfg(test)]
mod tests {
    use super::CODES;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_has_each_code_once() {
        let names: BTreeSet<&str> = CODES.iter().map(|code| code.facts().code).collect();
        assert_eq!(names.len(), CODES.len());
        assert!(CODES.is_sorted() && CODES.len() == CODES[CODES.len() - 1] as usize + 1, "a code is missing in CODES");
        for facts in CODES.map(super::Code::facts) {
            assert!(!facts.text.ends_with('.') && !facts.remedy.is_empty(), "{}", facts.code);
        }
    }
}
