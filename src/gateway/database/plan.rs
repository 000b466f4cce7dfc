//! A prepared statement for the write of a single row: planning it would take twice as long as writing the row.
//!
//! It is prepared in SQL under a unique name, because the driver numbers its names from zero: behind a pooler that
//! assigns sessions per transaction, such a name could belong to another program, or to another statement of ours.
//! With a unique name the statement is at worst unknown, which is an error without other effects ([`is_not_known`]),
//! and the caller then sends the statement whole.

use fastrand::Rng;
use postgres::error::SqlState;
use postgres::{Client, Error, SimpleQueryMessage};
use postgres_protocol::escape::escape_literal;

/// A prepared statement of one session.
#[derive(Debug)]
pub(super) struct Plan {
    name: String,
    sql: String,
}

impl Plan {
    /// Prepares `sql`, which has `count` parameters of type text. Replaces `old`.
    pub(super) fn prepare(client: &mut Client, old: Option<Plan>, sql: &str, count: usize) -> Result<Plan, Error> {
        let name = format!("kick_monitor_{:016x}", Rng::new().u64(..));
        let types = vec!["pg_catalog.text"; count].join(", ");
        let forget = old.map(|old| format!("DEALLOCATE {};\n", old.name)).unwrap_or_default();
        client.batch_execute(&format!("{forget}PREPARE {name} ({types}) AS {sql}"))?;
        Ok(Plan { name, sql: sql.to_owned() })
    }

    /// Returns true if it was prepared from this SQL.
    pub(super) fn is_of(&self, sql: &str) -> bool {
        self.sql == sql
    }

    /// Executes it; returns the number of rows.
    pub(super) fn execute(&self, client: &mut Client, values: &[String]) -> Result<usize, Error> {
        let values: Vec<String> = values.iter().map(|value| escape_literal(value)).collect();
        let answer = client.simple_query(&format!("EXECUTE {}({})", self.name, values.join(", ")))?;
        Ok(answer.iter().filter(|message| matches!(message, SimpleQueryMessage::Row(_))).count())
    }
}

/// Returns true if the session is not the one that prepared the statement.
pub(super) fn is_not_known(error: &Error) -> bool {
    error.code() == Some(&SqlState::INVALID_SQL_STATEMENT_NAME)
}
