//! What can go wrong with a statement, and whose fault it is: one row's, the whole statement's, or
//! the connection's. Messages name the place and the remedy, never a password.

use postgres::error::{DbError as ServerError, Severity, SqlState};
use std::error::Error as _;

/// Why the database did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// There is no connection: it could not be made, was refused, or broke. Trying again helps.
    #[error("{0}")]
    Connection(String),
    /// The server is there and cannot do it now: read-only, out of resources, the table locked.
    /// Trying again helps.
    #[error("{0}")]
    Server(String),
    /// The table, a column, a privilege, a value or the filter is not as configured. An operator
    /// has to act.
    #[error("{0}")]
    Setup(String),
}

/// One failed statement, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) blame: Blame,
    /// Whether the connection is of no further use.
    pub(super) lost: bool,
    /// Whether what we know of the table may be out of date.
    pub(super) stale: bool,
}

/// Whose fault it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// Nothing of the statement's can be done.
    Statement(DbError),
    /// A row was refused; the others may be fine.
    Row(String),
    /// Another client was in the way of a row; it may be fine next time.
    Conflict,
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Fault {
        Fault { blame: Blame::Statement(error), lost: false, stale: false }
    }
}

impl Fault {
    /// The fault as the statement's.
    pub(super) fn into_error(self) -> DbError {
        match self.blame {
            Blame::Statement(error) => error,
            Blame::Row(reason) => DbError::Setup(reason),
            Blame::Conflict => DbError::Server("another client was in the way".to_owned()),
        }
    }

    /// Judges an error of the driver's. `place` says which database.
    pub(super) fn judge(error: &postgres::Error, place: &str) -> Fault {
        let Some(server) = error.as_db_error() else {
            let text = format!("lost the connection to {place}: {}", chain(error));
            return Fault { blame: Blame::Statement(DbError::Connection(text)), lost: true, stale: false };
        };
        let fatal = matches!(server.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
        let code = server.code();
        let mut text = describe(server);
        if *code == SqlState::QUERY_CANCELED {
            text.push_str(" (it took too long; is the table locked?)");
        }
        // A standby that we took for the primary: the next connection may find the right one.
        let lost = fatal || code.code().starts_with("08") || *code == SqlState::READ_ONLY_SQL_TRANSACTION;
        let blame = if lost {
            Blame::Statement(DbError::Connection(format!("{place}: {text}")))
        } else if is_conflict(code) {
            Blame::Conflict
        } else if is_rows(server) {
            Blame::Row(text)
        } else if code.code().starts_with("42") {
            Blame::Statement(DbError::Setup(text))
        } else {
            Blame::Statement(DbError::Server(format!("{place}: {text}")))
        };
        Fault { blame, lost, stale: is_stale(code) }
    }
}

/// Why there is no connection to `place`.
pub(super) fn connecting(error: &postgres::Error, place: &str) -> DbError {
    let Some(server) = error.as_db_error() else {
        return DbError::Connection(format!("failed to connect to {place}: {}", chain(error)));
    };
    let remedy = match server.code().code() {
        "28P01" => " (check the user and password in DATABASE_URL)",
        "28000" => " (check the user in DATABASE_URL, and pg_hba.conf)",
        "3D000" => " (check the database name in DATABASE_URL)",
        _ => "",
    };
    DbError::Connection(format!("failed to connect to {place}: {}{remedy}", describe(server)))
}

/// SQLSTATE, message, detail and hint; the driver alone would say "db error".
fn describe(server: &ServerError) -> String {
    let mut text = format!("{}: {}", server.code().code(), server.message());
    for more in [server.detail(), server.hint()].into_iter().flatten() {
        text = format!("{text} ({more})");
    }
    text
}

/// An error and its causes as one sentence.
fn chain(error: &postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

fn is_conflict(code: &SqlState) -> bool {
    [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE].contains(code)
}

/// Whether one row's content, or what a trigger thinks of it, made the statement fail.
fn is_rows(server: &ServerError) -> bool {
    match server.code().code().get(..2).unwrap_or_default() {
        // Resources, intervention, system, internal.
        "53" | "54" | "57" | "58" | "XX" => false,
        // The statement cannot be understood or is not allowed; unless a function says so, which
        // only a trigger calls, or it is the policy that refuses the new row. The routine is asked
        // because the message is in the server's language.
        "42" | "0A" | "25" | "3F" => server.where_().is_some() || server.routine() == Some("ExecWithCheckOptions"),
        _ => true,
    }
}

/// Whether the error may come from a table that is not what it was when we looked.
fn is_stale(code: &SqlState) -> bool {
    let class = code.code().get(..2).unwrap_or_default();
    class == "42" || class == "0A" || *code == SqlState::INVALID_TEXT_REPRESENTATION
}
