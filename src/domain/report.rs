//! The core's report on itself: the summary for `status`, and one entry per streamer for `status NAME`
//! (kick-monitor(8)). Plain values whose JSON form is a public interface: fields are added, never changed or removed.

use crate::domain::ask::ChannelSource;
use crate::domain::problem::Health;
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::domain::{Source, Status};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// The summary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the keys of `status --json`")]
pub struct Report {
    pub health: Health,
    pub problems: Vec<Problem>,
    pub streamers: Streamers,
    pub realtime: Realtime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<Webhooks>,
    pub api: Api,
    pub database: Database,
    pub latency_ms: LatencyMs,
    /// The longest time, since the start, for which the thread that decides took no further input.
    #[serde(default)]
    pub longest_turn_ms: f64,
    pub counters: Counters,
    /// The last changes written, the latest first.
    pub recent: Vec<Change>,
    /// How the table is shared with other instances.
    #[serde(default)]
    pub coordination: Coordination,
}

/// How the instances on the table share its rows (R25).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordination {
    /// Whether they share it.
    pub mode: Sharing,
    /// The number of shards that this instance holds. If it is 0, the instance stands by.
    pub held: usize,
    /// The number of shards of the roster; 0 while it is not known.
    pub of: u16,
    /// The number of instances on the table, as far as they share it.
    pub instances: u32,
    /// Why they do not share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether the instances on the table share its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sharing {
    /// Not known yet.
    #[default]
    Starting,
    /// They do.
    Shared,
    /// They do not: each follows all rows.
    Off,
    /// This instance has lost its hold, and writes nothing.
    Lost,
    /// The others have another number of shards, so this instance stands by.
    Misfit,
}

impl Coordination {
    /// Whether other instances have all rows, so that this one waits for its turn.
    pub(crate) fn stands_by(&self) -> bool {
        self.held == 0 && matches!(self.mode, Sharing::Shared | Sharing::Misfit)
    }
}

/// A problem that exists at present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The problem's stable name ([`crate::domain::problem`]).
    pub code: String,
    /// What is wrong, and which streamer or setting is concerned.
    pub text: String,
    /// What the operator can do.
    pub remedy: String,
    /// When it began.
    pub since: Timestamp,
}

/// Numbers of streamers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the keys of `status --json`")]
pub struct Streamers {
    pub total: usize,
    pub online: usize,
    pub offline: usize,
    pub unknown: usize,
    /// Streamers whose push channels are all acknowledged.
    pub subscribed: usize,
    /// Streamers covered by push: subscribed by a confirmed id, and nothing suggests that push misses their changes
    /// (R23).
    #[serde(default)]
    pub covered: usize,
    /// Rows that cannot be used and are not followed; not part of the total.
    pub unusable: usize,
}

/// The state of push.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Realtime {
    /// The transport in use; none before the first connection.
    pub transport: Option<String>,
    /// The number of connections that should be open.
    pub connections: usize,
    /// The number of connections that are open.
    pub connected: usize,
    /// When the last event about any streamer arrived.
    pub last_event_at: Option<Timestamp>,
    /// Events with unknown names on followed channels, one entry per name.
    #[serde(default)]
    pub unrecognised_events: Vec<UnrecognisedEvent>,
}

/// The state of webhooks, while they are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhooks {
    /// The number of streamers with a subscription.
    pub subscriptions: usize,
    /// When the last delivery about any streamer arrived.
    pub last_delivery_at: Option<Timestamp>,
}

/// The events of one unknown name. Name and sample come from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnrecognisedEvent {
    /// The name as it was sent.
    pub name: String,
    /// How many arrived since the process began.
    pub count: u64,
    /// The payload of the first of them.
    pub sample: String,
}

/// The state of the official API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Api {
    /// When the token in use expires.
    pub token_expires_at: Option<Timestamp>,
    /// When the last comparison of all streamers was complete.
    pub last_sweep_at: Option<Timestamp>,
    /// How long that comparison took.
    pub last_sweep_seconds: Option<f64>,
    /// Whether the first comparison of all streamers is complete.
    pub ready: bool,
    /// The interval, in seconds, at which streamers not covered by push are compared. None if there are no such
    /// streamers, or if they are compared as often as the others.
    #[serde(default)]
    pub uncovered_every_seconds: Option<f64>,
    /// The time since each streamer's last comparison.
    #[serde(default)]
    pub comparison_age_seconds: ComparisonAge,
}

/// The time since the streamers were last compared with the API, in seconds. None if there are no streamers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComparisonAge {
    /// The median.
    pub p50: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
    /// The maximum.
    pub max: Option<f64>,
}

/// The state of the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Whether the table can be read and written.
    pub ok: bool,
    /// The number of streamers with a change that is not written yet.
    pub pending_writes: usize,
    /// When the last change was committed.
    pub last_write_at: Option<Timestamp>,
}

/// The time from receiving a push frame to the commit, in seconds, over the last thousand changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyMs {
    /// The median.
    pub p50: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
}

/// Counters since the process began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// Changes written on the evidence of push.
    pub status_changes_push: u64,
    /// Changes written on the evidence of the API.
    pub status_changes_sweep: u64,
    /// Changes found by the sweep that push should have reported.
    pub push_missed: u64,
    /// Push events that were discarded.
    pub push_discarded: u64,
    /// Reconnections of push.
    pub realtime_reconnects: u64,
    /// Subscriptions that were refused or not acknowledged.
    pub subscription_failures: u64,
    /// Requests to Kick, by endpoint and by HTTP status; `none` if there was no response.
    pub api_requests: BTreeMap<String, BTreeMap<String, u64>>,
    /// Requests for webhooks, by result.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub webhook_deliveries: BTreeMap<String, u64>,
    /// Rows that PostgreSQL refused, and statements that failed.
    pub db_write_errors: u64,
    /// The time from receiving a push frame to the commit.
    pub change_latency: Histogram,
}

/// A histogram in the form that Prometheus uses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Upper bounds in seconds, each with the number of values that do not exceed it.
    pub buckets: Vec<(f64, u64)>,
    /// The number of values.
    pub count: u64,
    /// The sum of all values, in seconds.
    pub sum: f64,
}

/// A change that was written to the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the keys of the event status_changed")]
pub struct Change {
    pub at: Timestamp,
    #[serde(serialize_with = "shown")]
    pub id: String,
    #[serde(serialize_with = "shown")]
    pub username: String,
    pub status: Status,
    pub source: Source,
    pub lag_ms: f64,
}

/// One streamer: the believed status and the evidence for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streamer {
    /// The id of the row.
    #[serde(serialize_with = "shown")]
    pub id: String,
    /// The username as it stands in the table.
    #[serde(serialize_with = "shown")]
    pub username: String,
    /// The username, normalised.
    pub name: String,
    /// Kick's name of the streamer, if it differs from `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// The believed status; none while it is not known.
    pub status: Option<Status>,
    /// What the belief comes from.
    pub source: Basis,
    /// Since when that status is believed.
    pub since: Timestamp,
    /// The status in the table; none for NULL or any other value.
    pub shown: Option<Status>,
    /// Why a pending change is not written yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<String>,
    /// When an Offline is written that is to stand for `OFFLINE_DELAY_SECS` first, unless the streamer is live again
    /// by then (R26).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delayed_until: Option<Timestamp>,
    /// The last write by this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_write: Option<Told>,
    /// The last push event that was accepted as evidence; `by` is `webhook` if a webhook brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_push: Option<Told>,
    /// Since when the webhook subscription is known to stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_since: Option<Timestamp>,
    /// The last delivery of a webhook, whatever it meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_delivery: Option<Told>,
    /// The last change that the API reported first, and the endpoint that reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_found: Option<Told>,
    /// An answer that is to be confirmed by a second look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Told>,
    /// The id of the broadcast that is running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub livestream_id: Option<i64>,
    /// When it began, by Kick's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Its title, which comes from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Kick's user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<i64>,
    /// The channel id by which the push channel is followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<i64>,
    /// How certain the channel id is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_trust: Option<Trust>,
    /// The source of the channel id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_source: Option<ChannelSource>,
    /// The number of the push connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<u32>,
    /// Since when the subscription is acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribed_at: Option<Timestamp>,
    /// Whether push should report every change of this streamer (R23).
    #[serde(default)]
    pub covered: bool,
    /// When the API last answered a request about this streamer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_at: Option<Timestamp>,
    /// Whether Kick does not know the name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown_to_kick: bool,
}

/// Serialises text from the table, which may hold anything: it is escaped and cut for the status files.
fn shown<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text::shown(text))
}

/// What a believed status comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// A push event.
    Push,
    /// An answer of the API.
    Sweep,
    /// Only the table: Kick has not confirmed it yet.
    Table,
}

/// How certain a channel id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Kick stated it.
    Confirmed,
    /// The table or a banner gives it.
    Configured,
    /// Something speaks against it.
    Suspect,
}

/// A status, and when it was reported or written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The status that was reported or written.
    pub status: Status,
    /// When it was reported or written.
    pub at: Timestamp,
    /// The endpoint that reported it, if it was the API, or `webhook`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What the hub sends to the `status` thread, which writes the files of `RUN_DIR`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bulletin {
    /// The summary, which every bulletin carries whole.
    pub report: Report,
    /// How often all streamers are to be compared.
    pub sweep_every: Duration,
    /// A part of the streamers; none when it is not time for one.
    pub page: Option<Page>,
}

/// A part of the streamers. A round of pages covers all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Whether this is the first page of its round.
    pub first: bool,
    /// Whether this is the last page of its round.
    pub last: bool,
    /// The streamers of this page, in the order of the round.
    pub streamers: Vec<Streamer>,
}
