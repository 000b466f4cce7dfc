//! The events that the daemon logs: one line each, with stable names (kick-monitor(8), EVENTS).
//!
//! This is the whole list. A new event is a new variant here, a line in the manual, and nothing
//! else; what it looks like in a log is decided here too, and by nobody else.

#![expect(missing_docs, reason = "fields are the keys of the log line, and the manual explains each")]

mod keys;
mod line;
#[cfg(test)]
mod tests;

use crate::domain::{ChannelId, RowId, Source, Status, push::LinkId};
use std::sync::Arc;
use std::time::Duration;

/// How much a line matters; syslog's severities, as far as they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is broken and somebody should look.
    Error,
    /// Something is wrong and will right itself, or harms one streamer.
    Warn,
    /// What the program exists for: a status changed.
    Notice,
    /// Ordinary life.
    Info,
    /// For the developer.
    Debug,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The process began.
    Started { version: &'static str },
    /// Every streamer of the roster was compared with Kick once.
    Ready { version: &'static str, seconds: f64, streamers: usize },
    /// A new configuration is in force.
    Reloaded { seconds: f64 },
    /// The process was told to end, after so many seconds of life.
    Stopping { reason: String, seconds: f64 },
    /// The process ends; ending took so many seconds.
    Stopped { seconds: f64, unwritten: usize },
    /// The configuration cannot be used; `key` is empty where the file as a whole is meant.
    ConfigError { file: String, key: String, reason: String },
    /// A reload found a configuration that cannot be used; the old one stays in force.
    ReloadRefused { file: String, key: String, reason: String },
    /// The roster was read and is new or different.
    RosterLoaded { streamers: usize, added: usize, removed: usize },
    /// A row whose username or id cannot be used; it is left alone.
    StreamerUnusable { username: Arc<str>, id: RowId, reason: String },
    /// Kick does not know the name.
    StreamerUnknown { username: Arc<str>, id: RowId },
    /// Kick knows the streamer by another name now; the id is followed.
    StreamerRenamed { username: Arc<str>, id: RowId, actual: String },
    /// Kick states another channel id than the one configured or learned.
    ChannelIdMismatch { username: Arc<str>, configured: ChannelId, actual: ChannelId },
    /// A row's status was written.
    StatusChanged { username: Arc<str>, id: RowId, status: Status, source: Source, lag: Duration },
    /// A push connection stands.
    RealtimeConnected { transport: &'static str, connection: LinkId },
    /// A push connection is gone.
    RealtimeDisconnected {
        transport: &'static str,
        connection: LinkId,
        code: Option<u16>,
        reason: String,
        retry_in: Duration,
    },
    /// The push server refuses our parameters: needs an operator, or Kick.
    RealtimeRefused { transport: &'static str, code: Option<u16>, reason: String },
    /// The sweep found what push should have told.
    /// `unrecognised`: names of events that came meanwhile and are not known; empty as a rule (R24).
    PushMissed { username: Arc<str>, status: Status, unrecognised: String },
    /// Push looks dead although connected; `kind`: it does not tell of starts, of stops, or of both.
    PushSilent { transport: &'static str, missed: u32, kind: &'static str },
    /// A good part of what push should tell does not come.
    PushPartial { missed: usize, of: usize },
    /// A subscription was refused or not acknowledged in time, or there may be no connection for it.
    SubscriptionFailed { username: Arc<str>, channel: String, reason: String },
    /// A new token.
    TokenRefreshed { expires_in: Duration },
    /// The credentials were refused.
    TokenRefused { reason: String, retry_in: Duration },
    /// No token could be had.
    TokenUnavailable { reason: String, retry_in: Duration },
    /// A request to Kick failed.
    ApiError { status: Option<u16>, endpoint: &'static str, reason: String, retry_in: Duration },
    /// A firewall in front of Kick answered.
    ApiBlocked { status: Option<u16>, endpoint: &'static str, reason: String, retry_in: Duration },
    /// Kick asked for fewer requests.
    ApiRateLimited { status: Option<u16>, endpoint: &'static str, retry_in: Duration },
    /// Kick answers again.
    ApiRecovered { endpoint: &'static str },
    /// Every streamer was compared with the API.
    SweepDone { streamers: usize, seconds: f64, corrected: usize },
    /// The budget does not allow for a sweep in `SWEEP_SECS`.
    SweepBehind { streamers: usize, seconds: f64, fitting: u64 },
    /// One answer would change implausibly many; a second look is taken first (R10).
    SweepImplausible { endpoint: &'static str, covered: usize, changes: usize },
    /// The database cannot be used.
    DbUnavailable { reason: String, pending: usize },
    /// The database can be used again.
    DbRecovered { pending: usize },
    /// PostgreSQL does not take this row.
    WriteRefused { username: Arc<str>, id: RowId, reason: String },
    /// The file of learned ids cannot be read or written.
    StateFile { file: String, reason: String },
    /// A status file cannot be written.
    StatusFile { file: String, reason: String },
    /// Lines could not be written and are missing.
    LogDropped { lines: u64 },
    /// A thread ended where it should not have, and was begun anew.
    ThreadRestarted { thread: String, reason: String },
    /// The process ends because a part of it cannot be kept alive.
    Fatal { reason: String },
    /// A sign of life.
    Heartbeat {
        streamers: usize,
        online: usize,
        subscribed: usize,
        connections: usize,
        pending: usize,
        /// Streamers whom push covers, and how old the oldest comparison with the API is (R23).
        covered: usize,
        oldest_comparison: Option<Duration>,
        token_expires_in: Option<Duration>,
        last_event_ago: Option<Duration>,
        latency_p50_ms: Option<f64>,
        latency_p99_ms: Option<f64>,
    },
    /// What only a developer wants to know: a stable word, and the details.
    Detail { what: &'static str, text: String },
}
