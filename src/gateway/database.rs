//! PostgreSQL: reads the roster and writes statuses, in the user's own table. It never inserts,
//! deletes or alters, keeps no session state, and needs no named prepared statement, so that it
//! works through PgBouncer in transaction mode.

mod connect;
mod error;
mod guard;
mod listen;
mod plan;
mod pool;
mod sql;
mod table;
mod write;

pub use error::DbError;
pub use listen::Listening;

use crate::clock::{Clock, Pulse};
use crate::config::DatabaseConfig;
use crate::domain::row::{Row, Shown, Write, WriteId, WriteResult};
use crate::domain::{ChannelId, RowId, Status, UserId};
use crate::stop::Stop;
use connect::{Connector, Session};
use error::Fault;
use guard::{Guard, Watched};
use plan::Plan;
use pool::Pool;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{ToSql, Type};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use table::Table;

/// A write that takes longer is cancelled; it waits for a table's lock, most likely.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// A read that takes longer is cancelled; a filter may be slow.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// The database of one configuration. Connects when it is first used, and again when it has to.
pub struct Database {
    config: DatabaseConfig,
    connector: Arc<Connector>,
    pool: Pool,
    guard: Guard,
    /// A session keeps what was prepared in it: there is no pooler in between that gives us others.
    keeps_plans: AtomicBool,
}

/// What `check` wants to know beyond "it works".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The role that we are.
    pub role: String,
    /// Configured columns that the role may not read.
    pub unreadable: Vec<String>,
    /// Columns to be written that the role may not update.
    pub unwritable: Vec<String>,
    /// Whether a unique index stands on the id column alone.
    pub id_unique: bool,
    /// PostgreSQL's version.
    pub version: String,
    /// Whether it takes no writes: a standby, or told so.
    pub read_only: bool,
    /// Whether the server itself listens on another port than the one that we connect to.
    pub through_another_port: bool,
    /// The configured columns: key, name, and type as declared.
    pub columns: Vec<(&'static str, String, String)>,
}

impl Database {
    /// Whether [`Database::new`] would succeed. Begins no thread, as that does.
    pub fn vet(config: &DatabaseConfig) -> Result<(), DbError> {
        Connector::new(config).map(drop)
    }

    /// Reads `sslrootcert` and prepares the pool, which begins its threads; connects to nothing.
    pub fn new(config: DatabaseConfig, clock: Clock) -> Result<Database, DbError> {
        let connector = Arc::new(Connector::new(&config)?);
        // One more than there are writers, for the roster.
        let pool = Pool::new(Arc::clone(&connector), config.pool_size + 1);
        let guard = Guard::new(clock, connector.tls());
        Ok(Database { config, connector, pool, guard, keeps_plans: AtomicBool::new(true) })
    }

    /// Reads the whole roster; the filter applies.
    pub fn read_roster(&self) -> Result<Vec<Row>, DbError> {
        self.run(READ_LIMIT, |work| {
            let statement = work.table()?.roster.clone();
            let config = &self.config;
            let values: [(&(dyn ToSql + Sync), Type); 2] =
                [(&config.online_value, Type::TEXT), (&config.offline_value, Type::TEXT)];
            let judge = |error: postgres::Error| Fault::judge(&error, self.place());
            let _watched = work.watch();
            // Row by row: a large roster is not held twice.
            let mut rows = work.session.client.query_typed_raw(&statement, values).map_err(judge)?;
            let mut roster = Vec::new();
            while let Some(row) = rows.next().map_err(judge)? {
                roster.push(to_row(&row).map_err(judge)?);
            }
            Ok(roster)
        })
        .map_err(|fault| self.explain(fault.into_error(), true))
    }

    /// Writes the rows that do not show their status already, and tells what became of each.
    /// `between` is called before each statement, of which there may be many when rows are refused.
    pub fn write(&self, writes: &[Write], between: &dyn Fn()) -> Vec<(WriteId, WriteResult)> {
        if writes.is_empty() {
            return Vec::new();
        }
        self.run(WRITE_LIMIT, |work| write::write_batch(work, writes, between)).unwrap_or_else(|fault| {
            let reason = self.explain(fault.into_error(), false).to_string();
            writes.iter().map(|write| (write.id, WriteResult::Unavailable(reason.clone()))).collect()
        })
    }

    /// How many connections were found broken so far, those included whose statement succeeded on
    /// another one at once: the server may have crashed in between (RULES R15).
    pub fn broken(&self) -> u64 {
        self.pool.broken()
    }

    /// Looks at the table, the values and the privileges.
    pub fn inspect(&self) -> Result<Inspection, DbError> {
        self.run(WRITE_LIMIT, |work| {
            let columns = work.table()?.columns.clone();
            let config = &self.config;
            let read: Vec<&str> = table::columns(config)
                .into_iter()
                .filter(|(key, _)| *key != "DB_CHANGED_AT_COLUMN")
                .map(|(_, name)| name)
                .collect();
            let written: Vec<&str> = [Some(&config.status_column), config.changed_at_column.as_ref()]
                .into_iter()
                .flatten()
                .map(String::as_str)
                .collect();
            let rows = work.query(
                sql::INSPECT,
                &[
                    (&config.table, Type::TEXT),
                    (&read, Type::TEXT_ARRAY),
                    (&written, Type::TEXT_ARRAY),
                    (&config.id_column, Type::TEXT),
                ],
            )?;
            let row = rows.first().ok_or_else(|| DbError::Server("the server gave no answer".to_owned()))?;
            let mut inspection = to_inspection(row).map_err(|error| work.judge(&error))?;
            let port: Option<i32> = row.try_get(6).map_err(|error| work.judge(&error))?;
            inspection.through_another_port = port.is_some_and(|port| !self.connector.has_port(port));
            inspection.columns = columns;
            Ok(inspection)
        })
        .map_err(Fault::into_error)
    }

    /// Opens a connection of its own and listens on `channel`, and on `heartbeat`, which nobody else uses.
    pub fn listen(&self, channel: &str, heartbeat: &str) -> Result<Listening, DbError> {
        Listening::start(Arc::clone(&self.connector), channel, heartbeat)
    }

    /// Sends an empty notification.
    pub fn notify(&self, channel: &str) -> Result<(), DbError> {
        self.run(WRITE_LIMIT, |work| work.query(sql::NOTIFY, &[(&channel, Type::TEXT)]).map(drop))
            .map_err(Fault::into_error)
    }

    /// Ends statements that take too long, until it is stopped. Wants a thread of its own; without
    /// it nothing but the wait for locks is unbounded.
    pub fn guard(&self, pulse: &Pulse, stop: &Stop) {
        self.guard.run(pulse, stop);
    }

    /// Which database this is, for messages; no secrets.
    pub fn place(&self) -> &str {
        self.connector.place()
    }

    /// Whether any of its hosts is another machine.
    pub fn is_remote(&self) -> bool {
        self.connector.is_remote()
    }

    /// Does `work` on a connection. What fails because the connection has died in the pool, or
    /// because the table is no longer what it was, is done again: every statement may be repeated.
    fn run<T>(&self, limit: Duration, mut work: impl FnMut(&mut Work<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let begun = self.pool.begun();
        loop {
            let mut session = self.pool.checkout()?;
            let known = session.table.is_some();
            let mut at_work = Work { session: &mut session, database: self, limit, known };
            let result = work(&mut at_work);
            let Err(fault) = result else { return result };
            at_work.learn_from(&fault);
            // Each turn uses up an old connection, or what was known: so the turns end.
            let again = if fault.lost { session.number < begun } else { fault.stale && known };
            if !again {
                return Err(fault);
            }
        }
    }

    /// Adds what we know of the cause to what the server said.
    fn explain(&self, error: DbError, reading: bool) -> DbError {
        let DbError::Setup(text) = &error else { return error };
        match &self.config.filter {
            _ if text.starts_with("42501") => DbError::Setup(format!("{text}; {}", self.remedy())),
            Some(filter) if reading && (text.starts_with("42") || text.starts_with("22")) => {
                DbError::Setup(format!("DB_FILTER ({filter}): {text}"))
            }
            _ => error,
        }
    }

    /// The grants that the role needs.
    fn remedy(&self) -> String {
        let list = |names: Vec<&str>| names.into_iter().map(sql::identifier).collect::<Vec<_>>().join(", ");
        let read = table::columns(&self.config).into_iter().filter(|(key, _)| *key != "DB_CHANGED_AT_COLUMN");
        let written = [Some(&self.config.status_column), self.config.changed_at_column.as_ref()];
        format!(
            "to allow it: GRANT SELECT ({}), UPDATE ({}) ON {} TO {}",
            list(read.map(|(_, name)| name).collect()),
            list(written.into_iter().flatten().map(String::as_str).collect()),
            self.config.table,
            self.connector.user(),
        )
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("place", &self.place()).finish_non_exhaustive()
    }
}

/// A connection that is at work.
struct Work<'a> {
    session: &'a mut Session,
    database: &'a Database,
    /// For each statement.
    limit: Duration,
    /// Whether what is known of the table was learned earlier, and may be out of date.
    known: bool,
}

impl<'a> Work<'a> {
    /// The table as this connection knows it.
    fn table(&mut self) -> Result<&Table, Fault> {
        let _watched = self.watch();
        let table = match self.session.table.take() {
            Some(table) => table,
            None => Table::learn(&mut self.session.client, &self.database.config, self.database.place())?,
        };
        Ok(self.session.table.insert(table))
    }

    fn query(&mut self, sql: &str, values: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<postgres::Row>, Fault> {
        let _watched = self.watch();
        self.session.client.query_typed(sql, values).map_err(|error| self.judge(&error))
    }

    /// Writes one row by these parameters of [`sql::write_one`]; whether it was written.
    fn write_one(&mut self, values: [&str; 7]) -> Result<bool, Fault> {
        let sql = self.table()?.write_one.clone();
        if self.database.keeps_plans.load(Ordering::Relaxed) {
            let _watched = self.watch();
            match self.execute(&sql, &values) {
                Err(error) if plan::is_not_known(&error) => self.database.keeps_plans.store(false, Ordering::Relaxed),
                done => return done.map_err(|error| self.judge(&error)),
            }
        }
        let values = values.each_ref().map(|value| (value as &(dyn ToSql + Sync), Type::TEXT));
        self.query(&sql, &values).map(|rows| !rows.is_empty())
    }

    fn execute(&mut self, sql: &str, values: &[&str]) -> Result<bool, postgres::Error> {
        let Session { client, plan, .. } = &mut *self.session;
        let plan = match plan.take() {
            Some(same) if same.is_of(sql) => plan.insert(same),
            other => plan.insert(Plan::prepare(client, other, sql, values.len())?),
        };
        plan.execute(client, values).map(|rows| rows > 0)
    }

    /// The limit holds from here until what is given back is dropped.
    fn watch(&self) -> Watched<'a> {
        self.database.guard.watch(self.session.client.cancel_token(), self.limit)
    }

    /// Takes what a fault says of the connection and the table to heart.
    fn learn_from(&mut self, fault: &Fault) {
        self.session.lost |= fault.lost;
        if fault.stale {
            self.session.table = None;
        }
    }

    fn judge(&self, error: &postgres::Error) -> Fault {
        Fault::judge(error, self.database.place())
    }
}

impl DatabaseConfig {
    /// The configured word for a status.
    fn status_value(&self, status: Status) -> &str {
        match status {
            Status::Online => &self.online_value,
            Status::Offline => &self.offline_value,
        }
    }
}

fn to_row(row: &postgres::Row) -> Result<Row, postgres::Error> {
    let username: Option<&str> = row.try_get(1)?;
    let shown = match row.try_get(2)? {
        Some("+") => Shown::Known(Status::Online),
        Some("-") => Shown::Known(Status::Offline),
        _ => Shown::Unknown,
    };
    Ok(Row {
        id: RowId::new(row.try_get(0)?),
        username: username.unwrap_or_default().into(),
        shown,
        channel: number(row.try_get(3)?).map(ChannelId),
        user: number(row.try_get(4)?).map(UserId),
    })
}

/// A Kick id out of a column of any type; what is not a plain number is none.
fn number(text: Option<&str>) -> Option<i64> {
    let text = text?.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn to_inspection(row: &postgres::Row) -> Result<Inspection, postgres::Error> {
    let list = |index: usize| row.try_get::<_, Option<Vec<String>>>(index).map(Option::unwrap_or_default);
    Ok(Inspection {
        role: row.try_get(0)?,
        unreadable: list(1)?,
        unwritable: list(2)?,
        id_unique: row.try_get(3)?,
        version: row.try_get(4)?,
        read_only: row.try_get(5)?,
        through_another_port: false,
        columns: Vec::new(),
    })
}
