//! The session by which instances on one table share its rows (R25), on a connection of its own. Its advisory locks
//! (`sql/locks.rs`) say who works on what; the server lets go of them when the session ends. Decides nothing: it reports
//! who has which lock, and takes and releases what it is told to.
//!
//! A lock of a session is worth nothing behind a pooler that gives each statement another session. That is noticed
//! before the first lock is taken: while another connection holds a transaction open, two statements here must run in
//! one session, and not in that transaction's. Later, each turn compares the session and looks for its own locks.

mod passing;

use super::error::{DbError, Fault, Misfit, Obstacle, connecting};
use super::session::{Held, Patience, Session};
use super::sql::locks::{self, Membership};
use super::work::{Value, Work};
use super::{Database, WRITE_LIMIT};
use crate::clock::Clock;
use crate::domain::shards::Shard;
use crate::stop::Stop;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long each statement may take when the session begins or is probed.
const FIRST_LIMIT: Duration = Duration::from_secs(5);
/// How often a new session is probed for a pooler, and how often each probe looks whether the session has moved: others
/// who use the pooler at the same moments hide it from single looks.
const PROBES: u32 = 5;
const PROBE_LOOKS: u32 = 10;

/// Why this connection does not coordinate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It never will: locks do not last on it, or the server has none. The text is the reason.
    #[error("{0}")]
    Never(String),
    /// It does not at present, or no longer.
    #[error("{0}")]
    Failed(DbError),
}

/// The right to write, until a time of the server's clock. It is worth nothing once that server has restarted, or on
/// another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub(super) until: String,
    pub(super) server: String,
}

impl Lease {
    /// The parameters of a statement.
    pub(super) fn values(&self) -> [&str; 2] {
        [&self.until, &self.server]
    }
}

/// What one turn saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// What a write may carry from now on.
    pub lease: Lease,
    /// The instances on the table, this one included once it has joined.
    pub instances: Vec<Instance>,
}

/// An instance that works on the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The process of the server that serves it.
    pub pid: i32,
    /// Whether it is this one.
    pub own: bool,
    /// Its `DB_SHARDS`.
    pub of: u16,
    /// Whether it follows the same rows: its filter and its columns are the same.
    pub same_rows: bool,
    /// The shards that it has locked.
    pub shards: BTreeSet<Shard>,
}

/// The outcome of joining.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// This instance is one of those that work on the table.
    Joined,
    /// One of them has another `DB_SHARDS`.
    Misfit,
    /// Another instance joined at the same time.
    Busy,
}

/// A session that holds locks.
pub struct Seat {
    session: Session,
    clock: Clock,
    place: String,
    table: String,
    membership: Membership,
    pid: i32,
    oid: i64,
    joined: bool,
    /// Whether it listens for what other instances pass on.
    listens: bool,
    /// Whether the server ends this session when the process is stopped.
    pub ends_when_stopped: bool,
}

impl Database {
    /// Opens the session. Takes no lock.
    pub fn coordinate(&self) -> Result<Seat, Unfit> {
        let session = Session::open(&self.connector, &self.crowd, 0).map_err(Unfit::Failed)?;
        let mut seat = Seat {
            session,
            clock: self.clock,
            place: self.place().to_owned(),
            table: self.config.table.clone(),
            membership: Membership::of(&self.config),
            pid: 0,
            oid: 0,
            joined: false,
            listens: false,
            ends_when_stopped: false,
        };
        seat.pid = seat.identify(FIRST_LIMIT)?;
        for _ in 0..PROBES {
            self.probe(&mut seat)?;
        }
        let rows = seat.query(FIRST_LIMIT, locks::LIMITS, Vec::new())?;
        seat.ends_when_stopped = seat.first(&rows, 0)?;
        let rows = seat.query(FIRST_LIMIT, locks::LOOK, vec![Value::text(&self.config.table)])?;
        seat.oid = seat.table_of(&rows)?;
        Ok(seat)
    }

    /// Fails if another client's transaction runs in the session of this seat, or moves the seat to another session.
    fn probe(&self, seat: &mut Seat) -> Result<(), Unfit> {
        let stop = Stop::never();
        let outcome = self.run(&self.patience(WRITE_LIMIT, &stop), |work| {
            work.call(|held| held.client.batch_execute("BEGIN"))?;
            let other = other_session(work);
            let moved = other.as_ref().ok().map(|other| {
                let pids = [seat.identify(FIRST_LIMIT), seat.identify(FIRST_LIMIT)];
                pids.into_iter().any(|pid| !pid.is_ok_and(|pid| pid == seat.pid && pid != *other))
            });
            // Whatever went wrong, the transaction must not stay open in the pool.
            if let Err(fault) = work.call(|held| held.client.batch_execute("ROLLBACK")) {
                work.session.lost = true;
                return Err(fault);
            }
            other.map(|_| moved)
        });
        match outcome {
            // If the seat does not answer while a transaction is open elsewhere, but that transaction does, a pooler
            // makes it wait for its turn.
            Ok(Some(true)) => return Err(seat.pooled()),
            Ok(_) => {}
            Err(fault) => return Err(Unfit::Failed(fault.into_error())),
        }
        // A pooler hands out next the session that was given back last.
        for _ in 0..PROBE_LOOKS {
            if seat.identify(FIRST_LIMIT)? != seat.pid {
                return Err(seat.pooled());
            }
        }
        Ok(())
    }
}

/// The process of the server that serves a connection of the pool.
fn other_session(work: &mut Work<'_>) -> Result<i32, Fault> {
    let rows = work.query(locks::IDENTIFY, Vec::new())?;
    let pid = rows.first().map_or(Ok(0), |row| row.try_get(0));
    pid.map_err(|error| work.judge(&error))
}

impl Seat {
    /// Sees who has which locks, and confirms that this session and its own locks are still there.
    pub fn look(&mut self, limit: Duration) -> Result<Sight, Unfit> {
        let rows = self.query(limit, locks::LOOK, vec![Value::text(&self.table)])?;
        if self.table_of(&rows)? != self.oid {
            return Err(Unfit::Failed(DbError::Setup(
                Misfit::Table,
                format!("table {} (DB_TABLE) is another one now", self.table),
            )));
        }
        let lease = Lease { until: self.first(&rows, 1)?, server: self.first(&rows, 2)? };
        let mut instances: Vec<Instance> = Vec::new();
        let mut shards: Vec<(i32, Shard)> = Vec::new();
        let mut own = false;
        for row in &rows {
            let judge = |error: postgres::Error| self.judge(&error);
            let (pid, key): (Option<i32>, Option<i64>) =
                (row.try_get(4).map_err(judge)?, row.try_get(5).map_err(judge)?);
            let exclusive: Option<bool> = row.try_get(6).map_err(judge)?;
            let Some((pid, key)) = pid.zip(key.and_then(|key| u32::try_from(key).ok())) else { continue };
            if exclusive == Some(true) {
                shards.extend(u16::try_from(key).ok().filter(|shard| *shard < 1024).map(|shard| (pid, Shard(shard))));
            } else if let Some(membership) = Membership::from_key(key) {
                own |= pid == self.pid && membership == self.membership;
                instances.push(Instance {
                    pid,
                    own: pid == self.pid,
                    of: membership.shards(),
                    same_rows: membership.sees_as(self.membership),
                    shards: BTreeSet::new(),
                });
            }
        }
        // Its own lock is gone, or another instance has joined in the same session.
        if self.joined != own {
            return Err(self.pooled());
        }
        for (pid, shard) in shards {
            instances.iter_mut().filter(|instance| instance.pid == pid).for_each(|one| _ = one.shards.insert(shard));
        }
        Ok(Sight { lease, instances })
    }

    /// Joins the instances on the table, unless one of them has another `DB_SHARDS`.
    pub fn join(&mut self, limit: Duration) -> Result<Joining, Unfit> {
        let values = vec![self.oid(), Value::text(&self.membership.0.to_string())];
        let rows = self.query(limit, &locks::join(), values)?;
        let word: Option<String> = self.first(&rows, 0)?;
        self.joined = word.as_deref() == Some("joined");
        Ok(match word.as_deref() {
            Some("joined") => Joining::Joined,
            Some(_) => Joining::Misfit,
            None => Joining::Busy,
        })
    }

    /// Returns true if this instance has joined.
    pub fn has_joined(&self) -> bool {
        self.joined
    }

    /// Tries to take these shards; returns those that were free.
    pub fn take(&mut self, limit: Duration, shards: &BTreeSet<Shard>) -> Result<BTreeSet<Shard>, Unfit> {
        self.each(limit, locks::TAKE, shards)
    }

    /// Lets go of these shards.
    pub fn release(&mut self, limit: Duration, shards: &BTreeSet<Shard>) -> Result<(), Unfit> {
        self.each(limit, locks::RELEASE, shards).map(drop)
    }

    /// Lets go of everything, so that others need not wait until the connection is closed.
    pub fn leave(&mut self, limit: Duration) -> Result<(), Unfit> {
        self.query(limit, locks::LEAVE, Vec::new()).map(drop)
    }

    /// Takes a lock that means nothing to other instances and fails if it does not last.
    pub(crate) fn prove(&mut self) -> Result<(), Unfit> {
        let rows = self.query(FIRST_LIMIT, &locks::check(), vec![self.oid()])?;
        let taken: bool = self.first(&rows, 0)?;
        let rows = self.query(FIRST_LIMIT, locks::LOOK, vec![Value::text(&self.table)])?;
        let mut kept = false;
        for row in &rows {
            let lock: (Option<i32>, Option<i64>) =
                (row.try_get(4).map_err(|e| self.judge(&e))?, row.try_get(5).map_err(|e| self.judge(&e))?);
            kept |= lock == (Some(self.pid), Some(i64::from(locks::CHECKING)));
        }
        if taken && kept { Ok(()) } else { Err(self.pooled()) }
    }

    fn each(&mut self, limit: Duration, sql: &str, shards: &BTreeSet<Shard>) -> Result<BTreeSet<Shard>, Unfit> {
        let values = vec![self.oid(), Value::list(shards.iter().map(|shard| shard.0.to_string()))];
        let rows = self.query(limit, sql, values)?;
        let shard = |row: &postgres::Row| -> Result<Option<Shard>, postgres::Error> {
            Ok(u16::try_from(row.try_get::<_, i32>(0)?).ok().map(Shard))
        };
        let shards: Result<Vec<_>, _> = rows.iter().map(shard).collect();
        Ok(shards.map_err(|error| self.judge(&error))?.into_iter().flatten().collect())
    }

    fn identify(&mut self, limit: Duration) -> Result<i32, Unfit> {
        let rows = self.query(limit, locks::IDENTIFY, Vec::new())?;
        self.first(&rows, 0)
    }

    /// The table's oid, from a look. Fails if the look was another session's.
    fn table_of(&self, rows: &[postgres::Row]) -> Result<i64, Unfit> {
        if self.first::<i32>(rows, 0)? != self.pid {
            return Err(self.pooled());
        }
        let missing = || DbError::Setup(Misfit::Table, format!("there is no table {} (DB_TABLE)", self.table));
        self.first::<Option<i64>>(rows, 3)?.ok_or_else(missing).map_err(Unfit::Failed)
    }

    fn oid(&self) -> Value {
        Value::text(&self.oid.to_string())
    }

    /// A value of the first row.
    fn first<T>(&self, rows: &[postgres::Row], index: usize) -> Result<T, Unfit>
    where
        T: for<'a> postgres::types::FromSql<'a>,
    {
        let none = || Unfit::Failed(DbError::Server(format!("{} gave no answer", self.place)));
        rows.first().ok_or_else(none)?.try_get(index).map_err(|error| self.judge(&error))
    }

    /// Runs a statement.
    fn query(&mut self, limit: Duration, sql: &str, values: Vec<Value>) -> Result<Vec<postgres::Row>, Unfit> {
        let sql = sql.to_owned();
        self.call(limit, move |held| {
            let values: Vec<_> = values.iter().map(Value::typed).collect();
            held.client.query_typed(&sql, &values)
        })
    }

    /// Has the connection do something. After `limit` it is given up at once: waiting longer would gain nothing.
    fn call<T: Send + 'static>(
        &mut self,
        limit: Duration,
        work: impl FnOnce(&mut Held) -> Result<T, postgres::Error> + Send + 'static,
    ) -> Result<T, Unfit> {
        let (clock, due, given_up) = (self.clock, self.clock.steady() + limit, AtomicBool::new(false));
        let patience = Patience {
            clock,
            // Never reached, so the server is not asked to cancel anything.
            limit: 2 * limit + FIRST_LIMIT,
            leaves: true,
            stop: &Stop::never(),
            alive: &|| given_up.store(clock.until(due).is_zero(), Ordering::Relaxed),
            abandoned: &given_up,
        };
        match self.session.call(&patience, work) {
            Ok(done) => done.map_err(|error| self.judge(&error)),
            Err(_) if given_up.load(Ordering::Relaxed) => {
                let text = format!("{} did not answer within {:.1} s", self.place, limit.as_secs_f64());
                Err(Unfit::Failed(DbError::Connection(Obstacle::Other, text)))
            }
            Err(fault) => Err(Unfit::Failed(fault.into_error())),
        }
    }

    /// A server that does not know advisory locks, or does not let us have them, says so in these classes.
    fn judge(&self, error: &postgres::Error) -> Unfit {
        let class = error.code().and_then(|code| code.code().get(..2));
        match error.as_db_error() {
            Some(_) if matches!(class, Some("0A" | "42")) => {
                let reason = Fault::judge(error, &self.place).into_error();
                Unfit::Never(format!("PostgreSQL refuses what instances share a table by: {reason}"))
            }
            Some(_) => Unfit::Failed(Fault::judge(error, &self.place).into_error()),
            None => Unfit::Failed(connecting(error, &self.place)),
        }
    }

    fn pooled(&self) -> Unfit {
        Unfit::Never(format!(
            "the connection to {} goes through a pooler that gives each transaction another session, so it keeps no \
             advisory lock",
            self.place
        ))
    }
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("place", &self.place).field("pid", &self.pid).finish_non_exhaustive()
    }
}
