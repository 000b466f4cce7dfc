//! What can go wrong with a statement, and what caused it: one row, the statement, or the connection. Messages name
//! the place and the remedy, never a password.

use super::words;
use crate::domain::text::tls_reason;
use postgres::error::{DbError as ServerError, Severity, SqlState};
use std::error::Error as _;
use std::io;

/// Why the database did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// There is no connection: it could not be made, was refused, or broke. A retry may succeed.
    #[error("{1}")]
    Connection(Obstacle, String),
    /// The server is reachable but cannot do it at present: read-only, out of resources, or the table is locked. A
    /// retry may succeed.
    #[error("{0}")]
    Server(String),
    /// The table, a column, a privilege, a value or the filter does not fit the configuration. The operator has to
    /// act.
    #[error("{1}")]
    Setup(Misfit, String),
    /// The role lacks a privilege, which this statement grants. The operator has to act.
    #[error("{text}; to allow it: {sql}")]
    Denied {
        /// What the role may not do.
        text: String,
        /// The statement, for a role that may run it, such as the table's owner.
        sql: String,
    },
}

/// What is in the way of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The host's name has no address.
    Name,
    /// Nothing listens at that address and port.
    Refused,
    /// There is no such socket in the file system.
    Socket,
    /// No answer came in time.
    Silence,
    /// The server's certificate is not trusted.
    Untrusted,
    /// The server's certificate is for another name.
    OtherName,
    /// The server does not speak TLS.
    NoTls,
    /// The password is wrong or missing.
    Password,
    /// There is no such role.
    Role,
    /// `pg_hba.conf` or an authentication by the system's user does not let the role in.
    Entry,
    /// There is no such database.
    Database,
    /// Too many connections.
    Full,
    /// Anything else, such as a connection that broke.
    Other,
}

/// What does not fit the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The table cannot be found, or the connection cannot be configured as the URL says.
    Table,
    /// The role may not use the table's schema.
    Schema,
    /// A column does not exist.
    Column,
    /// A column is of a type that cannot be used.
    Type,
    /// A value does not fit the status column, or cannot be told from the other one there.
    Value,
    /// The role lacks a privilege.
    Privilege,
    /// PostgreSQL refuses the statement, or a value that it computes: of what we send, only the filter can do that.
    Statement,
    /// A row was refused for another reason.
    Row,
}

/// A failed statement, with a judgement of its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// A guess. Whether a row or the statement is the cause is only certain after the statement has been run without
    /// rows, see `write.rs`.
    pub(super) blame: Blame,
    /// The error in a form that is suitable for a refused row.
    pub(super) said: String,
    /// Whether the connection is no longer usable.
    pub(super) lost: bool,
    /// Whether what we know of the table may be out of date.
    pub(super) stale: bool,
    /// If the statement is the cause: whether another server may be able to run it.
    pub(super) misplaced: bool,
    /// Whether the error came without a context and is of a kind that a row seldom causes.
    pub(super) general: bool,
    /// Whether the table lacks a replica identity, which a publication needs.
    pub(super) unidentified: bool,
}

/// The cause of a failed statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// The statement: no row can be processed.
    Statement(DbError),
    /// A row was refused; the others may be valid.
    Row(Misfit, String),
    /// Another client held or changed a row; a retry may succeed.
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
    /// The fault as an error of the statement.
    pub(super) fn into_error(self) -> DbError {
        match self.blame {
            Blame::Statement(error) => error,
            Blame::Row(misfit, reason) => DbError::Setup(misfit, reason),
            Blame::Conflict => DbError::Server(format!("another client was in the way: {}", self.said)),
        }
    }

    /// Judges an error of the driver. `place` names the database in messages.
    ///
    /// The SQLSTATE alone is not sufficient: a trigger may raise any, with severity ERROR. Errors that the server
    /// raises about itself or the connection have another severity, or no context.
    pub(super) fn judge(error: &postgres::Error, place: &str) -> Fault {
        let Some(server) = error.as_db_error() else {
            let text = format!("lost the connection to {place}: {}", chain(error));
            return Fault { lost: true, ..DbError::Connection(Obstacle::Other, text).into() };
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
        // A standby that we took for the primary: the next connection may reach the right server.
        let misplaced = class == "08" || *code == SqlState::READ_ONLY_SQL_TRANSACTION;
        let lost = fatal || misplaced && context.is_none();
        let conflict = is_conflict(code);
        let rows = is_rows(server, context.is_some());
        let misfit = match class {
            _ if *code == SqlState::INSUFFICIENT_PRIVILEGE => Misfit::Privilege,
            "42" | "22" => Misfit::Statement,
            _ => Misfit::Row,
        };
        let blame = if lost {
            Blame::Statement(DbError::Connection(Obstacle::Other, format!("{place}: {text}")))
        } else if conflict {
            Blame::Conflict
        } else if rows {
            Blame::Row(misfit, said.clone())
        } else if class == "42" || *code == SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE {
            Blame::Statement(DbError::Setup(misfit, text))
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

/// The reason why there is no connection to `place`.
pub(super) fn connecting(error: &postgres::Error, place: &str) -> DbError {
    let Some(server) = error.as_db_error() else {
        return DbError::Connection(obstacle(error), format!("failed to connect to {place}: {}", chain(error)));
    };
    let (obstacle, remedy) = match server.code().code() {
        "28P01" => (Obstacle::Password, " (check the user and password in DATABASE_URL)"),
        // Its name: the server's words are in the server's language.
        "28000" if server.routine() == Some("InitializeSessionUserId") => {
            (Obstacle::Role, " (check the user in DATABASE_URL)")
        }
        "28000" => (Obstacle::Entry, " (check the user in DATABASE_URL, and pg_hba.conf)"),
        "3D000" => (Obstacle::Database, " (check the database name in DATABASE_URL)"),
        "53300" => (Obstacle::Full, ""),
        _ => (Obstacle::Other, ""),
    };
    DbError::Connection(obstacle, format!("failed to connect to {place}: {}{remedy}", words::describe(server)))
}

/// What was in the way before the server said anything. The driver has no types for some of it.
fn obstacle(error: &postgres::Error) -> Obstacle {
    let text = chain(error);
    let mut cause = error.source();
    let mut kind = None;
    while let Some(inner) = cause {
        kind = kind.or(inner.downcast_ref::<io::Error>().map(io::Error::kind));
        cause = inner.source();
    }
    match kind {
        _ if text.contains("lookup address") => Obstacle::Name,
        _ if text.contains("does not support TLS") => Obstacle::NoTls,
        _ if text.contains("ostname mismatch") || text.contains("address mismatch") => Obstacle::OtherName,
        _ if text.contains("certificate") => Obstacle::Untrusted,
        _ if text.contains("password missing") => Obstacle::Password,
        Some(io::ErrorKind::ConnectionRefused) => Obstacle::Refused,
        Some(io::ErrorKind::NotFound) => Obstacle::Socket,
        Some(io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            Obstacle::Silence
        }
        _ => Obstacle::Other,
    }
}

/// An error and its causes as one sentence. A cause that only repeats what was said is left out.
fn chain(error: &postgres::Error) -> String {
    let mut text = tls_reason(&error.to_string());
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = tls_reason(&inner.to_string());
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

fn is_conflict(code: &SqlState) -> bool {
    [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE].contains(code)
}

/// Guesses whether the content of a row, or a trigger's reaction to it, made the statement fail.
fn is_rows(server: &ServerError, has_context: bool) -> bool {
    match server.code().code().get(..2).unwrap_or_default() {
        // Classes: connection, resources, operator intervention, system, internal.
        "08" | "53" | "54" | "55" | "57" | "58" | "XX" => has_context,
        // The statement is invalid or not permitted. An error with a context comes from a trigger function instead,
        // since nothing else calls functions, and `ExecWithCheckOptions` means that a policy refused the new row. The
        // routine's name is checked because messages are in the server's language.
        "42" | "0A" | "25" | "3F" => has_context || server.routine() == Some("ExecWithCheckOptions"),
        _ => true,
    }
}
