//! The pool: connections that are kept for the next statement, made in the background, and told at
//! once when they cannot be made.

use super::connect::Connector;
use super::error::DbError;
use super::session::{Crowd, Session};
use r2d2::{HandleError, ManageConnection, PooledConnection};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Who wants a connection waits for one so long.
const CHECKOUT_LIMIT: Duration = Duration::from_secs(5);
/// How often who waits for a connection looks for one.
const CHECKOUT_LOOK: Duration = Duration::from_millis(20);
/// The pool tries to connect again by itself, at least every half of this.
const RETRY: Duration = Duration::from_secs(2);

/// A few connections to one database.
pub(super) struct Pool {
    pool: r2d2::Pool<Manager>,
    connector: Arc<Connector>,
    /// How many connections were begun.
    begun: Arc<AtomicU64>,
    /// How many were found broken.
    broken: Arc<AtomicU64>,
    failures: Failures,
}

impl Pool {
    /// An empty pool; the first who wants a connection has it made.
    pub(super) fn new(connector: Arc<Connector>, crowd: Crowd, size: u32) -> Pool {
        let failures = Failures::default();
        let (begun, broken) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let manager = Manager {
            connector: Arc::clone(&connector),
            crowd,
            begun: Arc::clone(&begun),
            broken: Arc::clone(&broken),
        };
        let pool = r2d2::Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .idle_timeout(None)
            .max_lifetime(None)
            .connection_timeout(RETRY)
            // It would cost a round trip before each write; a dead connection is met by repeating
            // the statement on another.
            .test_on_check_out(false)
            .error_handler(Box::new(failures.clone()))
            .build_unchecked(manager);
        Pool { pool, connector, begun, broken, failures }
    }

    /// How many connections were begun: those with a lower number may have died unseen by now.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// How many connections were found broken.
    pub(super) fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }

    /// A connection, or why there is none.
    pub(super) fn checkout(&self) -> Result<PooledConnection<Manager>, DbError> {
        let before = self.failures.count();
        // This starts a connection if none is idle. To wait here for longer would be to learn of a
        // failure only when the time is up.
        if let Ok(session) = self.pool.get_timeout(CHECKOUT_LOOK) {
            return Ok(session);
        }
        for _ in 0..CHECKOUT_LIMIT.as_millis() / CHECKOUT_LOOK.as_millis() {
            if let Some(session) = self.pool.try_get() {
                return Ok(session);
            }
            if let Some(error) = self.failures.since(before, CHECKOUT_LOOK) {
                return Err(error);
            }
        }
        let text = format!("{} gave no connection within {CHECKOUT_LIMIT:?}", self.connector.place());
        Err(DbError::Connection(text))
    }
}

/// r2d2's view of a [`Connector`].
pub(super) struct Manager {
    connector: Arc<Connector>,
    crowd: Crowd,
    begun: Arc<AtomicU64>,
    broken: Arc<AtomicU64>,
}

impl ManageConnection for Manager {
    type Connection = Session;
    type Error = DbError;

    fn connect(&self) -> Result<Session, DbError> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        Session::open(&self.connector, &self.crowd, number)
    }

    /// Never asked: a connection is not tested before it is given out.
    fn is_valid(&self, _: &mut Session) -> Result<(), DbError> {
        Ok(())
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        // The pool asks once, when a connection comes back to it, and drops it if so.
        let broken = session.is_broken();
        self.broken.fetch_add(u64::from(broken), Ordering::Relaxed);
        broken
    }
}

/// The last failed attempt to connect. The pool makes them in the background and would tell late.
#[derive(Clone, Debug, Default)]
struct Failures(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// How many there were, and the last.
    last: Mutex<(u64, Option<DbError>)>,
    changed: Condvar,
}

impl Failures {
    fn count(&self) -> u64 {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits for a failure after the first `count`, for `limit` at most.
    fn since(&self, count: u64, limit: Duration) -> Option<DbError> {
        let last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.changed.wait_timeout_while(last, limit, |last| last.0 == count);
        let (last, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if last.0 == count { None } else { last.1.clone() }
    }
}

impl HandleError<DbError> for Failures {
    fn handle_error(&self, error: DbError) {
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = (last.0 + 1, Some(error));
        self.0.changed.notify_all();
    }
}
