//! The connection pool: connections are kept for later statements and made in the background; a failure to connect is
//! reported at once.

use super::connect::Connector;
use super::error::{DbError, Obstacle};
use super::session::{Crowd, Session};
use r2d2::{HandleError, ManageConnection, PooledConnection};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long a caller waits for a connection.
const CHECKOUT_LIMIT: Duration = Duration::from_secs(5);
/// How often a waiting caller checks for one.
const CHECKOUT_LOOK: Duration = Duration::from_millis(20);
/// The pool retries to connect by itself, at intervals of at most half of this.
const RETRY: Duration = Duration::from_secs(2);

/// A small pool of connections to one database.
pub(super) struct Pool {
    pool: r2d2::Pool<Manager>,
    connector: Arc<Connector>,
    /// The number of connections begun.
    begun: Arc<AtomicU64>,
    /// The number of connections found broken.
    broken: Arc<AtomicU64>,
    failures: Failures,
}

impl Pool {
    /// Creates an empty pool; the first caller that needs a connection has it made.
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
            // The test would cost a round trip before each write. A dead connection is handled by repeating the
            // statement on another one.
            .test_on_check_out(false)
            .error_handler(Box::new(failures.clone()))
            .build_unchecked(manager);
        Pool { pool, connector, begun, broken, failures }
    }

    /// The number of connections begun. Those with a lower number may have died unnoticed by now.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// The number of connections found broken.
    pub(super) fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }

    /// A connection, or the reason why there is none.
    pub(super) fn checkout(&self) -> Result<PooledConnection<Manager>, DbError> {
        let before = self.failures.count();
        // This starts a connection if none is idle. The time-out is short because r2d2 would report a failure to
        // connect only at its end.
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
        Err(DbError::Connection(Obstacle::Other, text))
    }
}

/// Adapts [`Connector`] to r2d2.
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

    /// Not used: connections are not tested before they are handed out.
    fn is_valid(&self, _: &mut Session) -> Result<(), DbError> {
        Ok(())
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        // r2d2 asks this when a connection is returned, and drops the connection if the answer is true.
        let broken = session.is_broken();
        self.broken.fetch_add(u64::from(broken), Ordering::Relaxed);
        broken || session.spent
    }
}

/// The last failed attempt to connect. r2d2 connects in the background and reports failures late.
#[derive(Clone, Debug, Default)]
struct Failures(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// The number of failures, and the last one.
    last: Mutex<(u64, Option<DbError>)>,
    changed: Condvar,
}

impl Failures {
    fn count(&self) -> u64 {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits up to `limit` for a failure after the first `count`.
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
