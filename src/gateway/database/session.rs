//! One connection to the database and the thread that owns it.
//!
//! The driver waits for an answer without a limit, and a time-out set inside a statement does not end that
//! statement's own wait for a table lock. So workers do not wait inside the driver: a worker passes its call to the
//! connection's thread and waits for the answer on a channel. It has the server cancel a statement that takes too
//! long, which is the last one on its connection, and can abandon a connection that never answers. An abandoned thread
//! ends when the server answers or hangs up.

use super::connect::Connector;
use super::error::{DbError, Fault, Obstacle};
use super::plan::Plan;
use super::table::Table;
use crate::clock::Clock;
use crate::domain::Steady;
use crate::stop::Stop;
use crate::thread::{self, Exit};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use postgres::fallible_iterator::FallibleIterator;
use postgres::{CancelToken, Client, Notification};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The limit for making a connection: several addresses, each with its own limit, TLS, and the login, for which the
/// driver has no limit.
const OPEN_LIMIT: Duration = Duration::from_secs(15);
/// How often a wait for an answer checks its time limit and the stop.
const LOOK: Duration = Duration::from_millis(250);
/// How long the server may take to cancel a statement before it is asked again or the connection is abandoned.
const CANCEL_LIMIT: Duration = Duration::from_secs(2);
/// The most abandoned connections that may still have a thread. Beyond that, no connection is begun before one of
/// these threads ends.
const LEFT_MAX: u32 = 8;

/// The state of a connection's thread.
pub(super) struct Held {
    pub(super) client: Client,
    /// The prepared one-row statement, if there is one.
    pub(super) plan: Option<Plan>,
}

impl Held {
    /// Waits up to `limit` for the first notification, and hands over those that have arrived by then, until `take`
    /// returns false. Returns true if the connection is closed.
    pub(super) fn hear(
        &mut self,
        limit: Duration,
        mut take: impl FnMut(Notification) -> bool,
    ) -> Result<bool, postgres::Error> {
        let mut notifications = self.client.notifications();
        let mut next = notifications.timeout_iter(limit).next()?;
        while let Some(notification) = next {
            next = if take(notification) { notifications.iter().next()? } else { None };
        }
        drop(notifications);
        Ok(self.client.is_closed())
    }
}

/// A call that runs on the connection's thread.
type Call = Box<dyn FnOnce(&mut Held) + Send>;

/// A handle on a connection and its thread, and what was learned through the connection.
pub(super) struct Session {
    /// The description of the table; dropped when an error suggests that the table has changed.
    pub(super) table: Option<Table>,
    /// The number of the connection, counted from 0.
    pub(super) number: u64,
    /// Whether the connection is no longer usable.
    pub(super) lost: bool,
    /// Whether the server was asked to cancel a statement. It may do so late, or twice, since it signals both the process
    /// and its group, and would hit the next statement. So the connection is not used again.
    pub(super) spent: bool,
    /// Capacity 1: the next call is made when the last one is answered. Dropping the sender ends the thread.
    calls: Sender<Call>,
    /// Whether the driver found the connection closed after the last call.
    closed: Arc<AtomicBool>,
    token: CancelToken,
    /// The end of the thread that asks for the call to be cancelled.
    cancelling: Option<Receiver<Exit>>,
    connector: Arc<Connector>,
}

/// How to wait for an answer.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    pub(super) clock: Clock,
    /// The time after which the server is asked to cancel the statement.
    pub(super) limit: Duration,
    /// Whether to abandon a connection that does not answer even then. True for statements that change nothing. A
    /// write is waited for: while it may still take effect, no other write of the same row may be sent (R19).
    pub(super) leaves: bool,
    /// A stop has the statement cancelled at once.
    pub(super) stop: &'a Stop,
    /// Called at every check, to renew the worker's pulse.
    pub(super) alive: &'a dyn Fn(),
    /// Set when what this database still does no longer matters: every connection is abandoned then.
    pub(super) abandoned: &'a AtomicBool,
}

impl Session {
    /// Makes a connection, on a thread of its own.
    pub(super) fn open(connector: &Arc<Connector>, crowd: &Crowd, number: u64) -> Result<Session, DbError> {
        let place = connector.place();
        let Some(present) = crowd.enter(OPEN_LIMIT) else {
            let text = format!("{place} does not answer: {} connections to it still wait", crowd.max);
            return Err(DbError::Connection(Obstacle::Other, text));
        };
        let (calls, inbox) = bounded(1);
        let (ready, opened) = bounded(1);
        let way = Arc::clone(connector);
        // The thread ends with the connection; how it ended requires no action.
        let (exits, _) = bounded(1);
        // Linux allows 15 bytes for a thread's name.
        let name = format!("db-{}", number % 1_000_000);
        let body = move || {
            let _present = present;
            live(&way, &ready, &inbox);
            Ok(())
        };
        thread::spawn(&name, &exits, body).map_err(|error| {
            DbError::Connection(Obstacle::Other, format!("failed to start a thread for {place}: {error}"))
        })?;
        let token = opened.recv_timeout(OPEN_LIMIT).map_err(|error| {
            DbError::Connection(
                Obstacle::Other,
                match error {
                    RecvTimeoutError::Timeout => format!("{place} did not answer within {OPEN_LIMIT:?}"),
                    RecvTimeoutError::Disconnected => format!("failed to connect to {place}: the driver panicked"),
                },
            )
        })??;
        Ok(Session {
            table: None,
            number,
            lost: false,
            spent: false,
            calls,
            closed: Arc::default(),
            token,
            cancelling: None,
            connector: Arc::clone(connector),
        })
    }

    /// Runs `work` on the connection's thread and waits for its result. Fails if there is no answer; the connection
    /// is lost then.
    pub(super) fn call<T: Send + 'static>(
        &mut self,
        patience: &Patience<'_>,
        work: impl FnOnce(&mut Held) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, answer) = bounded(1);
        let closed = Arc::clone(&self.closed);
        let call: Call = Box::new(move |held| {
            let value = work(held);
            closed.store(held.client.is_closed(), Ordering::Relaxed);
            // There is no receiver if the connection was abandoned.
            let _ = reply.send(value);
        });
        if self.lost || self.calls.send(call).is_err() {
            return Err(self.gone("has ended"));
        }
        let due = patience.clock.steady() + patience.limit;
        let mut cancelled: Option<Steady> = None;
        loop {
            let look = if cancelled.is_none() { patience.clock.until(due).min(LOOK) } else { LOOK };
            match answer.recv_timeout(look) {
                Ok(value) => return Ok(value),
                Err(RecvTimeoutError::Disconnected) => return Err(self.gone("has ended: the driver panicked")),
                Err(RecvTimeoutError::Timeout) => (patience.alive)(),
            }
            let now = patience.clock.steady();
            if patience.abandoned.load(Ordering::Relaxed) {
                return Err(self.gone("is given up"));
            }
            match cancelled {
                None if now >= due || patience.stop.is_stopped() => {}
                Some(at) if now.since(at) >= CANCEL_LIMIT && patience.leaves => {
                    return Err(self.gone("does not answer, and does not cancel either"));
                }
                Some(at) if now.since(at) >= CANCEL_LIMIT => {}
                _ => continue,
            }
            cancelled = Some(now);
            self.spent = true;
            self.cancel();
        }
    }

    /// Returns true if the connection is known to be no longer usable, without asking the server.
    pub(super) fn is_broken(&self) -> bool {
        self.lost || self.closed.load(Ordering::Relaxed)
    }

    /// The database for messages, without secrets.
    pub(super) fn place(&self) -> &str {
        self.connector.place()
    }

    fn gone(&mut self, how: &str) -> Fault {
        self.lost = true;
        let text = format!("the connection to {} {how}", self.connector.place());
        Fault { lost: true, ..DbError::Connection(Obstacle::Other, text).into() }
    }

    /// Asks the server to cancel the statement. This happens on a separate thread, because a stopped server does not
    /// answer this request either.
    fn cancel(&mut self) {
        if self.cancelling.as_ref().is_some_and(Receiver::is_empty) {
            return;
        }
        let (token, tls) = (self.token.clone(), self.connector.tls());
        let (exits, end) = bounded(1);
        let body = move || {
            // If the server cannot be reached for this, the statement fails as well.
            let _ = token.cancel_query(tls);
            Ok(())
        };
        self.cancelling = thread::spawn("db-cancel", &exits, body).is_ok().then_some(end);
    }
}

/// The body of a connection's thread: runs until the session is dropped and the running call has been answered.
fn live(connector: &Connector, ready: &Sender<Result<CancelToken, DbError>>, inbox: &Receiver<Call>) {
    let client = match connector.open() {
        Ok(client) => client,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let mut held = Held { client, plan: None };
    // There is no receiver if connecting took too long.
    if ready.send(Ok(held.client.cancel_token())).is_ok() {
        inbox.iter().for_each(|call| call(&mut held));
    }
}

/// Counts the connections that have a thread, and limits their number.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    present: Arc<(Mutex<u32>, Condvar)>,
    max: u32,
}

/// Counts one thread while it lives.
struct Present(Arc<(Mutex<u32>, Condvar)>);

impl Crowd {
    /// Allows for `used` connections in use, and for [`LEFT_MAX`] that were abandoned.
    pub(super) fn new(used: u32) -> Crowd {
        Crowd { present: Arc::default(), max: used + LEFT_MAX }
    }

    /// Waits for room, so that a connection is made as soon as the server answers again.
    fn enter(&self, limit: Duration) -> Option<Present> {
        let (present, less) = &*self.present;
        let present = present.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = less.wait_timeout_while(present, limit, |present| *present >= self.max);
        let (mut present, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return None;
        }
        *present += 1;
        Some(Present(Arc::clone(&self.present)))
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let (present, less) = &*self.0;
        *present.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        less.notify_one();
    }
}
