//! The calls on a connection that the statements consist of. Makes no decisions.

use super::Database;
use super::error::Fault;
use super::plan::{self, Plan};
use super::session::{Held, Patience, Session};
use super::table::Table;
use postgres::types::{ToSql, Type};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A connection in use.
pub(super) struct Work<'a> {
    pub(super) session: &'a mut Session,
    pub(super) database: &'a Database,
    /// Applies to each statement.
    pub(super) patience: Patience<'a>,
}

/// A parameter of a statement: `text`, `text[]` or `bytea[]`, because the driver would look up any other type.
pub(super) enum Value {
    Null,
    Text(String),
    List(Vec<String>),
    Bytes(Vec<Vec<u8>>),
}

impl Value {
    pub(super) fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    pub(super) fn list<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Value {
        Value::List(texts.into_iter().map(Into::into).collect())
    }

    pub(super) fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Value::Null => (&None::<String>, Type::TEXT),
            Value::Text(text) => (text, Type::TEXT),
            Value::List(texts) => (texts, Type::TEXT_ARRAY),
            Value::Bytes(texts) => (texts, Type::BYTEA_ARRAY),
        }
    }
}

impl Work<'_> {
    /// The description of the table, read first if this connection does not have it.
    pub(super) fn table(&mut self) -> Result<&Table, Fault> {
        let table = match self.session.table.take() {
            Some(table) => table,
            None => {
                let (config, place) = (Arc::clone(&self.database.config), self.database.place().to_owned());
                // Reading the description changes nothing.
                let patience = Patience { leaves: true, ..self.patience };
                self.session.call(&patience, move |held| Table::learn(&mut held.client, &config, &place))??
            }
        };
        Ok(self.session.table.insert(table))
    }

    /// Runs `work` on the connection's thread.
    pub(super) fn call<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Held) -> Result<T, postgres::Error> + Send + 'static,
    ) -> Result<T, Fault> {
        self.session.call(&self.patience, work)?.map_err(|error| self.judge(&error))
    }

    pub(super) fn query(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<postgres::Row>, Fault> {
        let sql = sql.to_owned();
        self.call(move |held| {
            let values: Vec<_> = values.iter().map(Value::typed).collect();
            held.client.query_typed(&sql, &values)
        })
    }

    /// Writes one row by this statement ([`sql::write_one`]) with these parameters. Returns true if it was written.
    pub(super) fn write_one(&mut self, sql: &Arc<str>, values: &[&str]) -> Result<bool, Fault> {
        if self.database.keeps_plans.load(Ordering::Relaxed) {
            let (sql, values) = (Arc::clone(sql), values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
            match self.session.call(&self.patience, move |held| execute(held, &sql, &values))? {
                Err(error) if plan::is_not_known(&error) => self.database.keeps_plans.store(false, Ordering::Relaxed),
                done => return done.map_err(|error| self.judge(&error)),
            }
        }
        self.query(sql, values.iter().map(|value| Value::text(value)).collect()).map(|rows| !rows.is_empty())
    }

    /// Updates the session's state according to a fault: lost, or with an outdated description of the table.
    pub(super) fn learn_from(&mut self, fault: &Fault) {
        self.session.lost |= fault.lost;
        if fault.stale {
            self.session.table = None;
        }
    }

    pub(super) fn judge(&self, error: &postgres::Error) -> Fault {
        Fault::judge(error, self.database.place())
    }
}

/// Executes the prepared one-row statement. Prepares it first if another one, or none, is prepared.
fn execute(held: &mut Held, sql: &str, values: &[String]) -> Result<bool, postgres::Error> {
    let Held { client, plan } = held;
    let plan = match plan.take() {
        Some(same) if same.is_of(sql) => plan.insert(same),
        other => plan.insert(Plan::prepare(client, other, sql, values.len())?),
    };
    plan.execute(client, values).map(|rows| rows > 0)
}
