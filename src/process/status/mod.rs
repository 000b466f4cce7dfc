//! What the operator sees of the running daemon (kick-monitor(8)): the thread that keeps the files of
//! `RUN_DIR`, and the command that reads them.
//!
//! ```text
//! hub ── Bulletin ──► Scribe ──► RUN_DIR/status.json, streamers.jsonl ──► kick-monitor status
//!                         └────► METRICS_FILE, STATUS= for the service manager
//! ```

pub mod command;
mod files;
mod prometheus;
mod screen;
mod scribe;

pub(super) use screen::span;
pub use scribe::Scribe;

use crate::domain::report::Report;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The whole, in `RUN_DIR`.
pub const WHOLE: &str = "status.json";
/// Each streamer, one line of JSON each, in `RUN_DIR`.
pub const STREAMERS: &str = "streamers.jsonl";

/// The content of [`WHOLE`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the keys of `status --json`")]
pub struct Snapshot {
    pub version: String,
    pub pid: i32,
    pub started_at: Timestamp,
    /// When this was written: one that is old tells that nobody writes any more.
    pub written_at: Timestamp,
    #[serde(flatten)]
    pub report: Report,
}
