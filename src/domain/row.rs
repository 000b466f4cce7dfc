//! Rows of the user's table: what the roster worker reads, and what the writers write.

use crate::domain::shards::{Hold, Scope, Shard};
use crate::domain::{ChannelId, Now, RowId, Slug, Source, Status, Steady, UnusableName, UserId, time::Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The status column of a row, as PostgreSQL compared it with the two configured values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shown {
    /// `DB_ONLINE_VALUE` or `DB_OFFLINE_VALUE`.
    Known(Status),
    /// NULL or any other value: the status is not known.
    Unknown,
}

/// One row of the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The value of the id column, as text.
    pub id: RowId,
    /// The username column. NULL is read as the empty text, and a very long text is cut.
    pub username: Arc<str>,
    /// The status that the row shows.
    pub shown: Shown,
    /// The part of the roster that the row belongs to; 0 if instances do not share the table.
    pub shard: Shard,
    /// `DB_CHANNEL_ID_COLUMN`, if it is configured and holds a number.
    pub channel: Option<ChannelId>,
    /// `DB_USER_ID_COLUMN`, if it is configured and holds a number.
    pub user: Option<UserId>,
    /// `DB_STARTED_AT_COLUMN`, if it is configured and holds a time.
    pub started_at: Option<Timestamp>,
    /// Why the row cannot be used, if that became clear when it was read.
    pub flaw: Option<Unusable>,
}

impl Row {
    /// The slug of the streamer that the row names, or why the row cannot be used.
    pub fn name(&self) -> Result<Slug, Unusable> {
        match self.flaw {
            Some(flaw) => Err(flaw),
            None => Slug::of(&self.username).map_err(Unusable::Name),
        }
    }
}

/// Why a row is not followed. `Display` gives a short text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The username cannot be a Kick name.
    #[error(transparent)]
    Name(UnusableName),
    /// The username has bytes that are not valid in the database's encoding.
    #[error("the username has bytes that are no text in the database's encoding")]
    UsernameBytes,
    /// The username is too long to be read.
    #[error("the username is longer than 64 kB")]
    UsernameLength,
    /// The id has bytes that are not valid in the database's encoding, so no statement could refer to the row.
    #[error("the id has bytes that are no text in the database's encoding")]
    IdBytes,
    /// The id is too long to be sent with every statement.
    #[error("the id is longer than 1000 characters")]
    IdLength,
    /// The id is not unique: a write would change the other rows as well.
    #[error("other rows have the same id; set DB_ID_COLUMN to a column that tells rows apart")]
    IdShared,
}

/// A read of the roster, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterRead {
    /// When the statement was sent, which tells reads apart. It may miss rows written later.
    pub started: Steady,
    /// Which rows it covers.
    pub scope: Scope,
    /// Rows of the scope, in no particular order.
    pub rows: Vec<Row>,
    /// Other parts of the read follow, unless it fails.
    pub more: bool,
}

/// Why the roster is to be read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// The core wants it, which is rare: at once.
    Ordered,
    /// A notification came: not more often than is good for the database.
    Notified,
}

/// The rows whose last change the API may not know yet: push reported it, or another client wrote it, shortly before
/// an earlier process ended (R13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recent {
    /// Not known: it may be any row.
    Any,
    /// Exactly these rows.
    Rows(BTreeSet<RowId>),
}

impl Recent {
    /// Returns true if the row may be one of them.
    pub(crate) fn holds(&self, row: &RowId) -> bool {
        match self {
            Recent::Any => true,
            Recent::Rows(rows) => rows.contains(row),
        }
    }
}

/// The number of a write. Never used again, so an answer that comes late cannot be mistaken for another write's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId(pub u64);

/// A row to be written, and what is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The number that the answer repeats.
    pub id: WriteId,
    /// The id of the row to be written.
    pub row: RowId,
    /// The username as it stands in the table, for the notification.
    pub username: Arc<str>,
    /// The status to be written.
    pub status: Status,
    /// When the change became known, for `DB_CHANGED_AT_COLUMN` and the notification.
    pub changed_at: Timestamp,
    /// The kind of evidence, for the notification.
    pub source: Source,
    /// When the broadcast that runs began, if that is known; with Online alone.
    pub started_at: Option<Timestamp>,
    /// What it is called, for the notification.
    pub title: Option<Arc<str>>,
    /// Whether the row shows Online already, and only the start of the broadcast is to be written (R26).
    pub start_only: bool,
    /// Whether the row was refused at the last try. It is then written in a statement of its own (R20).
    pub apart: bool,
    /// The hold during which the row is this instance's (R25); `None` if instances do not share the table.
    pub hold: Option<Hold>,
}

/// The outcome of the write of one row (R21).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteResult {
    /// The row showed another status and now shows the wanted one; committed.
    Written,
    /// The row showed the wanted status already; nothing was written.
    AlreadySo,
    /// There is no such row.
    Gone,
    /// Another client holds the row's lock, or changed the row in the meantime.
    Locked,
    /// The row exists, shows another status and is not known to be locked, but was not written although there was no
    /// error: a trigger or a policy suppressed the update.
    SetAside,
    /// PostgreSQL refused this row: SQLSTATE and message.
    Refused(String),
    /// As `Refused`, but the row delayed the other rows: its statement took long, was cancelled, or lost the
    /// connection. The row is tried again rarely.
    TimedOut(String),
    /// The database as a whole could not write: unreachable, read-only, or the table is missing. Whether the row was
    /// written is not known.
    Unavailable(String),
    /// The hold of the write was over (R25). Nothing was written.
    Lapsed,
}

/// A writer's answer for the rows of one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// When the commit was confirmed.
    pub at: Now,
    /// The outcome for each row.
    pub results: Vec<(WriteId, WriteResult)>,
}

/// What the roster worker reports about the database. The writers report `Reconnected` too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseEvent {
    /// A statement succeeded.
    Up,
    /// A connection was found broken and was replaced at once, without losing a statement. The server may have
    /// crashed and lost changes that it had confirmed.
    Reconnected,
    /// The connection broke or could not be made, or the roster could not be read; the text is the reason.
    Down(String),
}
