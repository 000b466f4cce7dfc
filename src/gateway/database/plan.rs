//! A statement that the server keeps planned, for the one that is worth it: planning takes twice as long as
//! writing a row.
//!
//! It is prepared in SQL and under a name that nobody else has, because the driver counts its names from
//! zero: behind a pooler that gives each transaction another session, the name would be another program's,
//! or ours with another statement. So there such a name is not known, which is an error and nothing else
//! ([`is_not_known`]), and the caller does without.

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
    /// Prepares `sql`, whose parameters are `count` texts, in the place of what was prepared before.
    pub(super) fn prepare(client: &mut Client, old: Option<Plan>, sql: &str, count: usize) -> Result<Plan, Error> {
        let name = format!("kick_monitor_{:016x}", Rng::new().u64(..));
        let types = vec!["pg_catalog.text"; count].join(", ");
        let forget = old.map(|old| format!("DEALLOCATE {};\n", old.name)).unwrap_or_default();
        client.batch_execute(&format!("{forget}PREPARE {name} ({types}) AS {sql}"))?;
        Ok(Plan { name, sql: sql.to_owned() })
    }

    /// Whether it is of this statement.
    pub(super) fn is_of(&self, sql: &str) -> bool {
        self.sql == sql
    }

    /// Runs it; how many rows it gave.
    pub(super) fn execute(&self, client: &mut Client, values: &[String]) -> Result<usize, Error> {
        let values: Vec<String> = values.iter().map(|value| escape_literal(value)).collect();
        let answer = client.simple_query(&format!("EXECUTE {}({})", self.name, values.join(", ")))?;
        Ok(answer.iter().filter(|message| matches!(message, SimpleQueryMessage::Row(_))).count())
    }
}

/// Whether the session is another one than the one that prepared it.
pub(super) fn is_not_known(error: &Error) -> bool {
    error.code() == Some(&SqlState::INVALID_SQL_STATEMENT_NAME)
}
