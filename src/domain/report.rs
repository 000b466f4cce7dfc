//! What the core tells of itself: the whole for `status`, and each streamer for `status NAME`
//! (kick-monitor(8)). Plain values, whose JSON is a public interface: a field is only ever added.

use crate::domain::problem::Health;
use crate::domain::text;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;

/// The whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the keys of `status --json`")]
pub struct Report {
    pub health: Health,
    pub problems: Vec<Problem>,
    pub streamers: Streamers,
    pub realtime: Realtime,
    pub api: Api,
    pub database: Database,
    pub latency_ms: LatencyMs,
    pub counters: Counters,
    /// The last changes that were written, the latest first.
    pub recent: Vec<Change>,
}

/// A problem that there is at present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The stable name ([`crate::domain::problem`]).
    pub code: String,
    /// What is wrong, with whom or what it is about.
    pub text: String,
    /// What helps.
    pub remedy: String,
    /// Since when.
    pub since: Timestamp,
}

/// How many streamers there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the keys of `status --json`")]
pub struct Streamers {
    pub total: usize,
    pub online: usize,
    pub offline: usize,
    pub unknown: usize,
    /// Whose push channels are confirmed.
    pub subscribed: usize,
    /// Whose every change push should tell: subscribed through a confirmed id, and nothing speaks against it (R23).
    #[serde(default)]
    pub covered: usize,
    /// Rows that are left alone; not among the total.
    pub unusable: usize,
}

/// Push.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Realtime {
    /// Which one is spoken; none before the first connection.
    pub transport: Option<String>,
    /// Connections that should stand.
    pub connections: usize,
    /// Those that do.
    pub connected: usize,
    /// When the last event of any streamer came.
    pub last_event_at: Option<Timestamp>,
    /// Events on followed channels whose names are none of the known, by name.
    #[serde(default)]
    pub unrecognised_events: Vec<UnrecognisedEvent>,
}

/// Events of one name that is not known; name and sample come from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnrecognisedEvent {
    /// The name, as it was sent.
    pub name: String,
    /// How many came since the process began.
    pub count: u64,
    /// What came with the first of them.
    pub sample: String,
}

/// The official API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Api {
    /// When the token in use ends.
    pub token_expires_at: Option<Timestamp>,
    /// When everybody was last compared.
    pub last_sweep_at: Option<Timestamp>,
    /// How long that took.
    pub last_sweep_seconds: Option<f64>,
    /// Whether the first complete comparison is done.
    pub ready: bool,
    /// How often those are compared whom push does not cover, in seconds; none when there is nobody, or they are
    /// compared no oftener than the others.
    #[serde(default)]
    pub uncovered_every_seconds: Option<f64>,
    /// How old the last comparisons of all streamers are.
    #[serde(default)]
    pub comparison_age_seconds: ComparisonAge,
}

/// How long ago the streamers were last compared with the API, in seconds. None where there is no streamer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComparisonAge {
    /// Half of them no longer ago.
    pub p50: Option<f64>,
    /// 99 of 100 no longer ago.
    pub p99: Option<f64>,
    /// None of them longer ago.
    pub max: Option<f64>,
}

/// The database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Whether it can be read and written.
    pub ok: bool,
    /// Streamers whose change is not written yet.
    pub pending_writes: usize,
    /// When the last change was committed.
    pub last_write_at: Option<Timestamp>,
}

/// How long push took from the frame to the commit, over the last thousand changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyMs {
    /// Half of them took no longer.
    pub p50: Option<f64>,
    /// 99 of 100 took no longer.
    pub p99: Option<f64>,
}

/// What is counted since the process began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// Changes written because push told.
    pub status_changes_push: u64,
    /// Changes written because the API told.
    pub status_changes_sweep: u64,
    /// Changes that the sweep found and push should have told.
    pub push_missed: u64,
    /// Push events that could not be used.
    pub push_discarded: u64,
    /// Connections made again.
    pub realtime_reconnects: u64,
    /// Subscriptions that were refused or not acknowledged.
    pub subscription_failures: u64,
    /// Requests to Kick, by endpoint and by status; `none` where no answer came.
    pub api_requests: BTreeMap<String, BTreeMap<String, u64>>,
    /// Rows that were refused, and statements that failed.
    pub db_write_errors: u64,
    /// How long push took from the frame to the commit.
    pub change_latency: Histogram,
}

/// A histogram as Prometheus has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Upper bounds in seconds, and how many did not exceed each.
    pub buckets: Vec<(f64, u64)>,
    /// How many there were.
    pub count: u64,
    /// Seconds of all together.
    pub sum: f64,
}

/// A change that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the keys of the event status_changed")]
pub struct Change {
    pub at: Timestamp,
    #[serde(serialize_with = "shown")]
    pub id: String,
    #[serde(serialize_with = "shown")]
    pub username: String,
    pub status: String,
    pub source: String,
    pub lag_ms: f64,
}

/// One streamer: what is believed, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streamer {
    /// The row.
    #[serde(serialize_with = "shown")]
    pub id: String,
    /// As the table has it.
    #[serde(serialize_with = "shown")]
    pub username: String,
    /// The username, normalised.
    pub name: String,
    /// What Kick calls them, where it is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// What is believed; none when that is not known.
    pub status: Option<String>,
    /// `push`, `sweep`, or `table` for what Kick has not confirmed yet.
    pub source: String,
    /// Since when that is believed.
    pub since: Timestamp,
    /// What the table shows; none for NULL or another value.
    pub shown: Option<String>,
    /// Why the row is not written yet, if it is to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<String>,
    /// Our last write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_write: Option<Told>,
    /// The last push event that was believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_push: Option<Told>,
    /// The last change that the API told first, and by which endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_found: Option<Told>,
    /// What an answer said that waits for a second look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Told>,
    /// The broadcast that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub livestream_id: Option<i64>,
    /// When it began, by Kick's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Kick's user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<i64>,
    /// The channel id that push is followed by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<i64>,
    /// `confirmed` by Kick, `configured` or guessed only, or `suspect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_trust: Option<String>,
    /// Where it comes from: `table`, `kept` from an earlier process, `banner` (the address of one), or who stated it:
    /// `website`, `channels` or `livestreams`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_source: Option<String>,
    /// The number of the push connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<u32>,
    /// Since when its subscription is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribed_at: Option<Timestamp>,
    /// Push should tell every change of this streamer (R23).
    #[serde(default)]
    pub covered: bool,
    /// When the API was last asked about this streamer and answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_at: Option<Timestamp>,
    /// Kick does not know the name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown_to_kick: bool,
}

/// What the table holds may be anything; what the files show of it is escaped and cut.
fn shown<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text::shown(text))
}

/// A status, and when it was told or written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// `Online` or `Offline`.
    pub status: String,
    /// When.
    pub at: Timestamp,
    /// The endpoint, for what the API told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What the hub hands to whoever keeps the files of `RUN_DIR`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bulletin {
    /// The whole.
    pub report: Report,
    /// Some of the streamers, if it is time to tell of them.
    pub page: Option<Page>,
}

/// Some streamers of a round that goes through all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The round begins here.
    pub first: bool,
    /// The round ends here.
    pub last: bool,
    /// Who.
    pub streamers: Vec<Streamer>,
}
