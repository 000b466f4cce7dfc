//! The vocabulary of the program: ids, statuses, times, and the messages between the floors above.
//!
//! Every type is a plain value. Nothing here makes decisions or waits.

pub mod ask;
pub mod event;
pub mod id;
pub mod json;
pub mod problem;
pub mod push;
pub mod report;
pub mod row;
pub mod secret;
pub mod shards;
pub mod slug;
pub(crate) mod text;
pub mod time;
pub mod way;
pub mod webhook;

pub use id::{ChannelId, LivestreamId, RowId, UserId};
pub use slug::{Slug, UnusableName};
pub use time::{Now, Steady};

use serde::{Deserialize, Serialize};

/// A streamer's status, in the table or at Kick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// A broadcast is running.
    Online,
    /// No broadcast is running.
    Offline,
}

impl Status {
    /// The word for logs and the status file: `Online` or `Offline`. The values for the table are configured
    /// (`DB_ONLINE_VALUE`, `DB_OFFLINE_VALUE`).
    pub fn word(self) -> &'static str {
        match self {
            Status::Online => "Online",
            Status::Offline => "Offline",
        }
    }
}

/// Which kind of evidence led to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A push event (docs/kick.md §3).
    Push,
    /// An answer of the official API (docs/kick.md §5).
    Sweep,
}

impl Source {
    /// The word for logs, metrics and notifications: `push` or `sweep`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Source::Push => "push",
            Source::Sweep => "sweep",
        }
    }
}
