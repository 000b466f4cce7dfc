//! PostgreSQL: reads the roster and writes statuses, in the user's own table. Never inserts or deletes rows and never
//! alters the table. Keeps no session state (except the locks of `coordination.rs`) and needs no prepared statements, so it
//! works through PgBouncer in transaction mode.

mod connect;
mod coordination;
pub mod decode;
mod error;
mod listen;
mod plan;
mod pool;
mod roster;
mod session;
mod sql;
mod table;
mod words;
mod work;
mod write;

pub use coordination::{Instance, Joining, Lease, Seat, Sight, Unfit};
pub use error::{DbError, Misfit, Obstacle};
pub(crate) use listen::Listening;
pub use roster::Taker;
pub use sql::{Target, set_ids};
pub(crate) use sql::{identifier, literal};
pub use write::{Attempt, Spoilt};

use crate::clock::Clock;
use crate::config::{Coordination, DatabaseConfig};
use crate::domain::row::Row;
use crate::domain::shards::Scope;
use crate::domain::{RowId, Status, Steady};
use crate::stop::Stop;
use connect::Connector;
use error::Fault;
use pool::Pool;
use session::{Crowd, Patience, Session};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use work::{Value, Work};

/// The longest time limit of a write. A longer write most likely waits for a lock on the table.
pub(crate) const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// The time limit of a read; a filter may be slow.
const READ_LIMIT: Duration = Duration::from_secs(30);

/// The database of one configuration. Connects at the first use, and again when needed.
pub struct Database {
    config: Arc<DatabaseConfig>,
    connector: Arc<Connector>,
    crowd: Crowd,
    pool: Pool,
    clock: Clock,
    /// Set when a reload has replaced this database: what it still does no longer matters.
    abandoned: AtomicBool,
    /// Whether prepared statements survive between calls: true until a pooler hands out another session.
    keeps_plans: AtomicBool,
}

/// The findings for `check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The role that the connection uses.
    pub role: String,
    /// Configured columns that the role may not read.
    pub unreadable: Vec<String>,
    /// Columns to be written that the role may not update.
    pub unwritable: Vec<String>,
    /// Whether the id column alone has a unique index.
    pub id_unique: bool,
    /// Whether the id column is part of a unique index on several columns.
    pub id_part_of_key: bool,
    /// The kind of relation, as in `pg_class.relkind`: `r` for a table, `v` for a view.
    pub relation: String,
    /// The server's version.
    pub version: String,
    /// Whether the server accepts no writes: it is a standby, or set to read-only.
    pub read_only: bool,
    /// Whether the server listens on another port than the one that we connect to, as behind a pooler.
    pub through_another_port: bool,
    /// The configured columns: key, name, and type as declared.
    pub columns: Vec<(&'static str, String, String)>,
    /// Whether the table has a trigger of its owner's.
    pub has_trigger: bool,
    /// The keys of the columns for times that have no time zone, and are set in UTC.
    pub zoneless: Vec<&'static str>,
}

impl Database {
    /// Checks whether [`Database::new`] would succeed. Unlike that, it starts no threads.
    pub(crate) fn vet(config: &DatabaseConfig) -> Result<(), DbError> {
        Connector::new(config).map(drop)
    }

    /// Reads `sslrootcert` and creates the pool, which starts its threads. Does not connect yet.
    pub fn new(config: DatabaseConfig, clock: Clock) -> Result<Database, DbError> {
        let connector = Arc::new(Connector::new(&config)?);
        // One connection per writer, and one for the roster.
        let size = config.pool_size + 1;
        // And one for the listener, and one for the coordinator.
        let crowd = Crowd::new(size + 2);
        let pool = Pool::new(Arc::clone(&connector), crowd.clone(), size);
        let (config, abandoned) = (Arc::new(config), AtomicBool::new(false));
        Ok(Database { config, connector, crowd, pool, clock, abandoned, keeps_plans: AtomicBool::new(true) })
    }

    /// Reads the rows of the roster that are in the scope, with the filter applied. A stop cancels the read.
    pub fn read_roster(&self, scope: &Scope, stop: &Stop) -> Result<Vec<Row>, DbError> {
        self.read_roster_by_parts(scope, None, stop).map(|(_, rows)| rows)
    }

    /// The same in parts, if there is a `taker`: it gets all but the last one. Returns that, with the time at which the
    /// statement was sent. A read that fails may have passed on some parts; if it is tried once more, that begins anew,
    /// with a later time.
    pub fn read_roster_by_parts(
        &self,
        scope: &Scope,
        taker: Option<&Taker>,
        stop: &Stop,
    ) -> Result<(Steady, Vec<Row>), DbError> {
        self.run(&self.patience(READ_LIMIT, stop), |work| roster::read(work, scope, taker))
            .map_err(|fault| self.explain(fault.into_error(), true))
    }

    /// The number of connections found broken so far. It includes those whose statement then succeeded on another
    /// connection, because the server may have crashed in between (R15).
    pub(crate) fn broken(&self) -> u64 {
        self.pool.broken()
    }

    /// Examines the table, the status values and the privileges.
    pub fn inspect(&self) -> Result<Inspection, DbError> {
        self.run(&self.patience(WRITE_LIMIT, &Stop::never()), |work| {
            let table = work.table()?;
            let (columns, zoneless) = (table.columns.clone(), table.zoneless.clone());
            let config = &self.config;
            let rows = work.query(
                sql::INSPECT,
                vec![
                    Value::text(&config.table),
                    Value::list(table::needed_columns(config)),
                    Value::list(table::written_columns(config)),
                    Value::text(&config.id_column),
                ],
            )?;
            let row = rows.first().ok_or_else(|| DbError::Server("the server gave no answer".to_owned()))?;
            let mut inspection = to_inspection(row).map_err(|error| work.judge(&error))?;
            let port: Option<i32> = row.try_get(6).map_err(|error| work.judge(&error))?;
            inspection.through_another_port = port.is_some_and(|port| !self.connector.has_port(port));
            inspection.columns = columns;
            inspection.zoneless = zoneless;
            Ok(inspection)
        })
        .map_err(|fault| self.explain(fault.into_error(), false))
    }

    /// Has the server plan the statements that write, for a row if one is given, and returns the plans. Nothing is
    /// executed, but errors that come from the kind of table or view are found here and not at the first change.
    pub fn plan_writes(&self, row: Option<&RowId>) -> Result<Vec<String>, DbError> {
        let id = || row.map_or(Value::Null, |row| Value::text(row.as_str()));
        let ids = || Value::list(row.map(RowId::as_str));
        let none = |count| (0..count).map(|_| Value::Null);
        let online = || Value::text(&self.config.online_value);
        let leased = self.config.coordination == Coordination::Auto;
        let lease = if leased { 2 } else { 0 };
        self.run(&self.patience(WRITE_LIMIT, &Stop::never()), |work| {
            let table = work.table()?;
            let (writing, start) = (table.writing(leased).clone(), table.writing(leased).start.clone());
            let one = [id(), online()].into_iter().chain(none(7 + lease)).collect();
            // None of the times is one, but nothing is executed.
            let many = || (0..5).map(|_| ids()).chain(none(2)).chain([ids(), ids()]).chain(none(lease)).collect();
            let why = [ids(), ids(), ids()].into_iter().chain(none(lease)).collect();
            let statements = [(writing.one.to_string(), one), (writing.many, many()), (writing.why_not, why)];
            let start = start.map(|statement| (statement, many()));
            let mut plans = Vec::new();
            for (statement, values) in statements.into_iter().chain(start) {
                let rows = work.query(&format!("EXPLAIN (COSTS OFF) {statement}"), values)?;
                let lines: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
                plans.push(lines.map_err(|error| work.judge(&error))?.join("\n"));
            }
            Ok(plans)
        })
        .map_err(Fault::into_error)
    }

    /// Opens a separate connection that listens on `channel`, and on `heartbeat`, a name that no other client uses.
    pub(crate) fn listen(&self, channel: &str, heartbeat: &str) -> Result<Listening, DbError> {
        let session = Session::open(&self.connector, &self.crowd, 0)?;
        Listening::start(session, self.clock, channel, heartbeat)
    }

    /// Sends a notification without payload.
    pub fn notify(&self, channel: &str) -> Result<(), DbError> {
        let stop = Stop::never();
        let patience = self.patience(WRITE_LIMIT, &stop);
        self.run(&patience, |work| work.query(sql::NOTIFY, vec![Value::text(channel)]).map(drop))
            .map_err(Fault::into_error)
    }

    /// Stops waiting for any answer, including those to writes: another database has replaced this one, and what this
    /// one still does no longer matters.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// Returns true if the configuration means the same table, reached in the same way.
    pub(crate) fn is_of(&self, config: &DatabaseConfig) -> bool {
        self.config.url == config.url && self.config.table == config.table
    }

    /// Returns true if the instances that share the table are told apart, and the table's rows divided, in the same way.
    pub(crate) fn shares_as(&self, config: &DatabaseConfig) -> bool {
        let DatabaseConfig { pool_size, synchronous_commit, notify_channel, .. } = config.clone();
        DatabaseConfig { pool_size, synchronous_commit, notify_channel, ..(*self.config).clone() } == *config
    }

    /// How to wait for a statement that changes nothing.
    fn patience<'a>(&'a self, limit: Duration, stop: &'a Stop) -> Patience<'a> {
        Patience { clock: self.clock, limit, leaves: true, stop, alive: &|| (), abandoned: &self.abandoned }
    }

    /// The database's name and address for messages, without secrets.
    pub(crate) fn place(&self) -> &str {
        self.connector.place()
    }

    /// The role that logs in, as SQL, for messages.
    pub(crate) fn role(&self) -> &str {
        self.connector.role()
    }

    /// Returns true if any of the configured hosts is another machine.
    pub(crate) fn is_remote(&self) -> bool {
        self.connector.is_remote()
    }

    /// Runs `work` on a connection. It is repeated if the connection had died in the pool, or if what is known of the
    /// table is out of date; every statement may be repeated safely.
    fn run<T>(
        &self,
        patience: &Patience<'_>,
        mut work: impl FnMut(&mut Work<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let begun = self.pool.begun();
        loop {
            let mut session = self.pool.checkout()?;
            let known = session.table.is_some();
            let mut at_work = Work { session: &mut session, database: self, patience: *patience };
            let result = work(&mut at_work);
            let Err(fault) = result else { return result };
            at_work.learn_from(&fault);
            // Each repetition uses up an old connection or outdated knowledge of the table, so the loop ends.
            let again = if fault.lost { session.number < begun } else { fault.stale && known };
            if !again {
                return Err(fault);
            }
        }
    }

    /// Adds a remedy or the likely cause to the server's message.
    fn explain(&self, error: DbError, reading: bool) -> DbError {
        match (error, &self.config.filter) {
            (DbError::Setup(Misfit::Privilege, text), _) => {
                DbError::Denied { text, sql: grant(&self.config, self.role()) }
            }
            (DbError::Setup(Misfit::Schema, text), _) => match sql::schema(&self.config.table) {
                Some(schema) => DbError::Denied { text, sql: sql::grant_schema(schema, self.role()) },
                None => DbError::Setup(Misfit::Schema, text),
            },
            (DbError::Setup(misfit @ Misfit::Statement, text), Some(filter)) if reading => {
                DbError::Setup(misfit, format!("DB_FILTER ({filter}): {text}"))
            }
            (error, _) => error,
        }
    }
}

/// What the daemon's role needs on the table.
pub(crate) fn grant(config: &DatabaseConfig, role: &str) -> String {
    let read: Vec<String> = table::needed_columns(config).iter().map(|name| identifier(name)).collect();
    let written: Vec<String> = table::written_columns(config).into_iter().map(identifier).collect();
    format!("GRANT SELECT ({}), UPDATE ({}) ON {} TO {role}", read.join(", "), written.join(", "), config.table)
}

/// The role that the URL names, if it names one.
pub(crate) fn role_in(config: &DatabaseConfig) -> Option<String> {
    config.url.reveal().parse::<postgres::Config>().ok()?.get_user().map(str::to_owned)
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("place", &self.place()).finish_non_exhaustive()
    }
}

impl DatabaseConfig {
    /// Returns true if the rows are divided among instances.
    fn is_divided(&self) -> bool {
        self.coordination == Coordination::Auto && self.shards > 1
    }

    /// Returns true if somebody learns when a broadcast began, and what it is called.
    fn tells_starts(&self) -> bool {
        self.started_at_column.is_some() || self.notify_channel.is_some()
    }

    /// The configured value for a status.
    fn status_value(&self, status: Status) -> &str {
        match status {
            Status::Online => &self.online_value,
            Status::Offline => &self.offline_value,
        }
    }
}

fn to_inspection(row: &postgres::Row) -> Result<Inspection, postgres::Error> {
    let list = |index: usize| row.try_get::<_, Option<Vec<String>>>(index).map(Option::unwrap_or_default);
    Ok(Inspection {
        role: row.try_get(0)?,
        unreadable: list(1)?,
        unwritable: list(2)?,
        id_unique: row.try_get(3)?,
        id_part_of_key: row.try_get(7)?,
        relation: row.try_get(8)?,
        version: row.try_get(4)?,
        read_only: row.try_get(5)?,
        has_trigger: row.try_get(9)?,
        through_another_port: false,
        columns: Vec::new(),
        zoneless: Vec::new(),
    })
}
