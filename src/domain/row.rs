//! What the roster worker reads from the user's table, and what the writers do to it.

use crate::domain::{ChannelId, Now, RowId, Slug, Source, Status, Steady, UnusableName, UserId, time::Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the status column of a row holds, as PostgreSQL compared it with the two configured values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shown {
    /// `DB_ONLINE_VALUE` or `DB_OFFLINE_VALUE`.
    Known(Status),
    /// NULL, or a value that is neither: not known.
    Unknown,
}

/// One row of the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The id column.
    pub id: RowId,
    /// The username column as it stands; NULL is the empty text, and a very long one is cut.
    pub username: Arc<str>,
    /// The status column.
    pub shown: Shown,
    /// `DB_CHANNEL_ID_COLUMN`, when configured and a number.
    pub channel: Option<ChannelId>,
    /// `DB_USER_ID_COLUMN`, when configured and a number.
    pub user: Option<UserId>,
    /// Why the row cannot be used, where already its reading tells.
    pub flaw: Option<Unusable>,
}

impl Row {
    /// Whom the row names, or why it cannot be used.
    pub fn name(&self) -> Result<Slug, Unusable> {
        match self.flaw {
            Some(flaw) => Err(flaw),
            None => Slug::from_username(&self.username).map_err(Unusable::Name),
        }
    }
}

/// Why a row is left alone; `Display` says it in a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The username cannot be a Kick name.
    #[error(transparent)]
    Name(UnusableName),
    /// The username has bytes without a meaning in the database's encoding.
    #[error("the username has bytes that are no text in the database's encoding")]
    UsernameBytes,
    /// The username is so long that it is not even read.
    #[error("the username is longer than 64 kB")]
    UsernameLength,
    /// The id has such bytes: no statement could name the row.
    #[error("the id has bytes that are no text in the database's encoding")]
    IdBytes,
    /// The id is too long to be sent with each statement.
    #[error("the id is longer than 1000 characters")]
    IdLength,
    /// A write would change other rows as well.
    #[error("other rows have the same id; set DB_ID_COLUMN to a column that tells rows apart")]
    IdShared,
}

/// One complete reading of the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterRead {
    /// When the statement was sent: what was written after it may be missing in it.
    pub started: Steady,
    /// All rows, in no particular order.
    pub rows: Vec<Row>,
}

/// Whose change the API may not know of yet, for push told of it, or somebody else wrote it, just before an earlier
/// process ended (R13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recent {
    /// It is not known: any row may be one.
    Any,
    /// These rows.
    Rows(BTreeSet<RowId>),
}

impl Recent {
    /// Whether this row may be one.
    pub(crate) fn holds(&self, row: &RowId) -> bool {
        match self {
            Recent::Any => true,
            Recent::Rows(rows) => rows.contains(row),
        }
    }
}

/// Numbers a write, so that a late answer cannot be taken for another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId(pub u64);

/// One row to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Its number.
    pub id: WriteId,
    /// The row.
    pub row: RowId,
    /// Its username as the table has it, for the notification.
    pub username: Arc<str>,
    /// The status that the row shall show.
    pub status: Status,
    /// When the change became known, for `DB_CHANGED_AT_COLUMN` and the notification.
    pub changed_at: Timestamp,
    /// Where the evidence came from, for the notification.
    pub source: Source,
    /// The row was refused when it was last tried: it is tried apart from the others (R20).
    pub apart: bool,
}

/// What became of a row that was to be written (R21).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteResult {
    /// The row showed another status and now shows this one; committed.
    Written,
    /// The row showed this status already; nothing was written.
    AlreadySo,
    /// There is no such row.
    Gone,
    /// Another client holds the row's lock, or came in between.
    Locked,
    /// The row is there, shows another status, is not known to be locked, and was not written, without
    /// an error: suppressed by a trigger or a policy.
    SetAside,
    /// PostgreSQL refused this row: SQLSTATE and message.
    Refused(String),
    /// The same, and the others had to wait for it: it took long, had no end, or cost the connection. It is to be
    /// tried rarely.
    TimedOut(String),
    /// The database as a whole did not do it: unreachable, read-only, table missing. Whether the
    /// row was written is not known.
    Unavailable(String),
}

/// One writer's answer to the rows it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// When the commit was confirmed.
    pub at: Now,
    /// What became of each.
    pub results: Vec<(WriteId, WriteResult)>,
}

/// What the roster worker, and of `Reconnected` the writers too, say of the conversation with the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseEvent {
    /// A statement succeeded.
    Up,
    /// A connection was found broken and a new one took its place at once, without a statement lost:
    /// the server may have crashed and undone what it had confirmed.
    Reconnected,
    /// The connection broke, could not be made, or the roster could not be read: why.
    Down(String),
}
