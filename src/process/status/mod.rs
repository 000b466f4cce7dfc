//! What the administrator sees of the running daemon (kick-monitor(8)): the thread that writes the files of
//! `RUN_DIR`, and the command that reads them.
//!
//! ```text
//! hub ── Bulletin ──► Scribe ──► RUN_DIR/status.json, streamers.jsonl ──► kick-monitor status
//!                         └────► METRICS_FILE, STATUS= for the service manager
//! ```

pub mod command;
mod files;
mod place;
mod plugin;
mod prometheus;
mod screen;
mod scribe;
mod streamers;
mod watch;

pub(super) use screen::span;
pub use scribe::Scribe;

use crate::domain::report::Report;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The file in `RUN_DIR` with the status as a whole.
pub const WHOLE: &str = "status.json";
/// The file in `RUN_DIR` with one line of JSON for each streamer.
pub const STREAMERS: &str = "streamers.jsonl";

/// The content of [`WHOLE`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the keys of `status --json`")]
pub struct Snapshot {
    pub version: String,
    pub pid: i32,
    pub started_at: Timestamp,
    /// When this was written; if it is old, the daemon does not run any more.
    pub written_at: Timestamp,
    /// `SWEEP_SECS`
    #[serde(default)]
    pub sweep_every_seconds: f64,
    #[serde(flatten)]
    pub report: Report,
}
