//! The words of the field: ids, statuses, times, and what the floors above say to each other.
//!
//! Nothing here decides, waits or fails for a reason of its own; every type is a plain value.

pub mod ask;
pub mod event;
pub mod id;
pub mod json;
pub mod problem;
pub mod push;
pub mod report;
pub mod row;
pub mod secret;
pub mod slug;
pub(crate) mod text;
pub mod time;
pub mod way;

pub use id::{ChannelId, LivestreamId, RowId, UserId};
pub use slug::{Slug, UnusableName};
pub use time::{Now, Steady};

/// What the table says of a streamer, and what Kick says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// A broadcast is running.
    Online,
    /// No broadcast is running.
    Offline,
}

impl Status {
    /// The word for logs and the status file: `Online` or `Offline`. The words that the table
    /// gets are configuration (`DB_ONLINE_VALUE`, `DB_OFFLINE_VALUE`).
    pub fn word(self) -> &'static str {
        match self {
            Status::Online => "Online",
            Status::Offline => "Offline",
        }
    }
}

/// Where the evidence for a change came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
