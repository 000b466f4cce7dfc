//! What can go wrong with a statement, and whose fault it is: one row's, the whole statement's, or
//! the connection's. Messages name the place and the remedy, never a password.

use super::words;
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
    /// A guess. What is a row's and what is the statement's is certain only when it is known how the statement
    /// fares without a row, see `write.rs`.
    pub(super) blame: Blame,
    /// The same in the words that are fit for the refusal of a row.
    pub(super) said: String,
    /// Whether the connection is of no further use.
    pub(super) lost: bool,
    /// Whether what we know of the table may be out of date.
    pub(super) stale: bool,
    /// Whether another server may be the right one, should it be the statement that cannot be done here.
    pub(super) misplaced: bool,
    /// Whether the error came without a context, and is of a kind that seldom is about a row.
    pub(super) general: bool,
    /// Whether the table lacks what a publication needs.
    pub(super) unidentified: bool,
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
        let said = error.to_string();
        Fault {
            blame: Blame::Statement(error),
            said,
            lost: false,
            stale: false,
            misplaced: false,
            general: false,
            unidentified: false,
        }
    }
}

impl Fault {
    /// The fault as the statement's.
    pub(super) fn into_error(self) -> DbError {
        match self.blame {
            Blame::Statement(error) => error,
            Blame::Row(reason) => DbError::Setup(reason),
            Blame::Conflict => DbError::Server(format!("another client was in the way: {}", self.said)),
        }
    }

    /// Judges an error of the driver's. `place` says which database.
    ///
    /// The SQLSTATE alone says little: a trigger may raise any, with the severity of an error. What a server
    /// says of itself or of the connection has another severity, or comes without a context.
    pub(super) fn judge(error: &postgres::Error, place: &str) -> Fault {
        let Some(server) = error.as_db_error() else {
            let text = format!("lost the connection to {place}: {}", chain(error));
            return Fault { lost: true, ..DbError::Connection(text).into() };
        };
        let fatal = matches!(server.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
        let code = server.code();
        let class = code.code().get(..2).unwrap_or_default();
        let context = words::context(server);
        let said = words::refusal(server);
        let mut text = words::describe(server);
        if *code == SqlState::QUERY_CANCELED && context.is_none() {
            text.push_str(" (it took too long; is the table locked?)");
        }
        // A standby that we took for the primary: the next connection may find the right one.
        let misplaced = class == "08" || *code == SqlState::READ_ONLY_SQL_TRANSACTION;
        let lost = fatal || misplaced && context.is_none();
        let conflict = is_conflict(code);
        let rows = is_rows(server, context.is_some());
        let blame = if lost {
            Blame::Statement(DbError::Connection(format!("{place}: {text}")))
        } else if conflict {
            Blame::Conflict
        } else if rows {
            Blame::Row(said.clone())
        } else if class == "42" || *code == SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE {
            Blame::Statement(DbError::Setup(text))
        } else {
            Blame::Statement(DbError::Server(format!("{place}: {text}")))
        };
        Fault {
            blame,
            said,
            lost,
            stale: context.is_none() && matches!(class, "42" | "0A" | "22"),
            misplaced,
            general: context.is_none() && !rows && !conflict,
            unidentified: server.routine() == Some("CheckCmdReplicaIdentity"),
        }
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
    DbError::Connection(format!("failed to connect to {place}: {}{remedy}", words::describe(server)))
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

/// Whether it is likely that one row's content, or what a trigger thinks of it, made the statement fail.
fn is_rows(server: &ServerError, has_context: bool) -> bool {
    match server.code().code().get(..2).unwrap_or_default() {
        // The connection, resources, intervention, system, internal.
        "08" | "53" | "54" | "55" | "57" | "58" | "XX" => has_context,
        // The statement cannot be understood or is not allowed; unless a function says so, which
        // only a trigger calls, or it is the policy that refuses the new row. The routine is asked
        // because the message is in the server's language.
        "42" | "0A" | "25" | "3F" => has_context || server.routine() == Some("ExecWithCheckOptions"),
        _ => true,
    }
}
