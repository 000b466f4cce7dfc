//! A streamer's and a broadcast's numbers at Kick (docs/kick.md §3.1), each with a type of its own so that they
//! cannot be confused, and the id of a row.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Kick's user id (`broadcaster_user_id`), the key of requests to the official API (docs/kick.md §5).
    UserId
}
number! {
    /// Kick's channel id, which the names of push channels contain: `channel.<id>` (docs/kick.md §3.2).
    ChannelId
}
number! {
    /// The id of one broadcast. Ids grow with time (docs/kick.md §3.1): of two broadcasts, the one with the higher id
    /// began later.
    LivestreamId
}

/// The id of a row, in PostgreSQL's text form of the id column, whatever the column's type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(Arc<str>);

impl RowId {
    /// The id of the row whose id column reads `text`.
    pub fn new(text: &str) -> Self {
        RowId(text.into())
    }

    /// The writer of this row, of `lanes` writers. Always the same one, so that the row's writes keep their order.
    pub fn lane(&self, lanes: usize) -> usize {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        let hash = usize::try_from(hasher.finish() >> 33).unwrap_or_default();
        hash % lanes.max(1)
    }

    /// The text as PostgreSQL printed it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
