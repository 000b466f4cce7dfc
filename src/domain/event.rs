//! The events that the daemon logs, one line each, with stable names (kick-monitor(8), EVENTS).
//!
//! The list is complete. What else a new event needs stands in ARCHITECTURE.md.

#![expect(missing_docs, reason = "fields are the keys of the log line, and the manual explains each")]

mod keys;
mod line;
#[cfg(test)]
mod tests;

use crate::domain::{ChannelId, RowId, Source, Status, push::LinkId};
use std::sync::Arc;
use std::time::Duration;

/// The severities of syslog that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is broken and needs an operator.
    Error,
    /// Something is wrong that recovers by itself or affects one streamer.
    Warn,
    /// A status changed: what the program exists for.
    Notice,
    /// Normal operation.
    Info,
    /// Details for developers.
    Debug,
}

/// A log event with its details.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The process began.
    Started { version: &'static str },
    /// Every streamer of the roster has been compared with Kick once.
    Ready { version: &'static str, seconds: f64, streamers: usize },
    /// A new configuration is in force.
    Reloaded { seconds: f64 },
    /// The process was told to end; `seconds` is how long it has run.
    Stopping { reason: String, seconds: f64 },
    /// The process ends; `seconds` is how long the shutdown took, `unwritten` the number of rows not written.
    Stopped { seconds: f64, unwritten: usize },
    /// The configuration cannot be used; `key` is empty if the problem concerns the file as a whole.
    ConfigError { file: String, key: String, reason: String },
    /// A reload found a configuration that cannot be used; the old one stays in force.
    ReloadRefused { file: String, key: String, reason: String },
    /// The roster was read for the first time, or differs from the last read.
    RosterLoaded { streamers: usize, added: usize, removed: usize },
    /// A row whose username or id cannot be used; it is not followed.
    StreamerUnusable { username: Arc<str>, id: RowId, reason: String },
    /// Kick does not know the name.
    StreamerUnknown { username: Arc<str>, id: RowId },
    /// Kick knows the streamer by another name now; the streamer is followed by the user id.
    StreamerRenamed { username: Arc<str>, id: RowId, actual: String },
    /// Kick states another channel id than the configured or learned one.
    ChannelIdMismatch { username: Arc<str>, configured: ChannelId, actual: ChannelId },
    /// A row's status was written.
    StatusChanged { username: Arc<str>, id: RowId, status: Status, source: Source, lag: Duration },
    /// A push connection was established.
    RealtimeConnected { transport: &'static str, connection: LinkId },
    /// A push connection ended.
    RealtimeDisconnected {
        transport: &'static str,
        connection: LinkId,
        code: Option<u16>,
        reason: String,
        retry_in: Duration,
    },
    /// The push server refuses our parameters: the operator has to act, or Kick.
    RealtimeRefused { transport: &'static str, code: Option<u16>, reason: String },
    /// The sweep found a change that push should have reported. `unrecognised`: the names of unknown events that came
    /// in the meantime; usually empty (R24).
    PushMissed { username: Arc<str>, status: Status, unrecognised: String },
    /// Push delivers nothing although connected; `kind` says whether starts, stops, or both are missing.
    PushSilent { transport: &'static str, missed: u32, kind: &'static str },
    /// Push misses many of the changes it should report: `missed` of `of`.
    PushPartial { missed: usize, of: usize },
    /// A subscription was refused, was not acknowledged in time, or would need a connection that may not be opened.
    SubscriptionFailed { username: Arc<str>, channel: String, reason: String },
    /// A new token is in use.
    TokenRefreshed { expires_in: Duration },
    /// Kick refused the credentials.
    TokenRefused { reason: String, retry_in: Duration },
    /// No token could be obtained.
    TokenUnavailable { reason: String, retry_in: Duration },
    /// A request to Kick failed.
    ApiError { status: Option<u16>, endpoint: &'static str, reason: String, retry_in: Duration },
    /// A firewall in front of Kick answered instead of Kick.
    ApiBlocked { status: Option<u16>, endpoint: &'static str, reason: String, retry_in: Duration },
    /// Kick asked for fewer requests.
    ApiRateLimited { status: Option<u16>, endpoint: &'static str, retry_in: Duration },
    /// Kick answers again.
    ApiRecovered { endpoint: &'static str },
    /// Every streamer was compared with the API.
    SweepDone { streamers: usize, seconds: f64, corrected: usize },
    /// The request budget does not allow a complete sweep within `SWEEP_SECS`.
    SweepBehind { streamers: usize, seconds: f64, fitting: u64 },
    /// One answer would change implausibly many streamers; it is checked by a second look first (R10).
    SweepImplausible { endpoint: &'static str, covered: usize, changes: usize },
    /// A request for a webhook was refused: the first of its reason, or the first after a while; `times` counts those
    /// since the last line.
    WebhookRefused { reason: &'static str, from: String, times: u64 },
    /// Webhooks cannot be taken.
    WebhookListener { reason: String },
    /// Every streamer has a webhook subscription, as far as Kick makes them.
    WebhookSubscribed { streamers: usize },
    /// Webhooks do not report what other sources find; `kind` says whether starts, stops, or both are missing.
    WebhookSilent { missed: u32, kind: &'static str },
    /// The database cannot be used.
    DbUnavailable { reason: String, pending: usize },
    /// The database can be used again.
    DbRecovered { pending: usize },
    /// This instance holds other shards of the roster than before, or the number of instances has changed.
    ShardsChanged { held: usize, of: u16, instances: u32 },
    /// The instances on the table cannot share it, or this one cannot take part at present.
    CoordinationOff { reason: String },
    /// PostgreSQL refused to write this row.
    WriteRefused { username: Arc<str>, id: RowId, reason: String },
    /// A file of `STATE_DIR` could not be read or written, or is written again after that.
    StateFile { file: String, reason: String },
    /// A status file cannot be written.
    StatusFile { file: String, reason: String },
    /// Lines of the log could not be written and were dropped.
    LogDropped { lines: u64 },
    /// A thread ended unexpectedly and was restarted.
    ThreadRestarted { thread: String, reason: String },
    /// The process ends because one of its threads cannot be kept running.
    Fatal { reason: String },
    /// The periodic line that shows that the daemon works, with its main counters.
    Heartbeat {
        streamers: usize,
        online: usize,
        subscribed: usize,
        connections: usize,
        pending: usize,
        /// `covered`: the number of streamers covered by push; with it, how old the oldest comparison with the API is
        /// (R23).
        covered: usize,
        oldest_comparison: Option<Duration>,
        token_expires_in: Option<Duration>,
        last_event_ago: Option<Duration>,
        latency_p50_ms: Option<f64>,
        latency_p99_ms: Option<f64>,
    },
    /// `HEARTBEAT_URL` could not be asked; the reason does not contain the address.
    HeartbeatFailed { reason: String },
    /// It answers again, after this number of requests that failed.
    HeartbeatRecovered { failures: u64 },
    /// A detail for developers: a stable word, and free text.
    Detail { what: &'static str, text: String },
}
