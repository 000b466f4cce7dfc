//! One connection to the database and the thread that owns it.
//!
//! The driver waits for an answer without end, and no time-out that is set inside a statement ends that
//! statement's own wait for a table's lock. So no worker ever waits inside the driver: it gives its work to the
//! connection's thread, waits for the answer on a channel, has the server cancel what takes too long, and can
//! leave a connection that never answers. Such a thread ends when the server answers or hangs up.

use super::connect::Connector;
use super::error::{DbError, Fault};
use super::plan::Plan;
use super::table::Table;
use crate::clock::Clock;
use crate::domain::Steady;
use crate::stop::Stop;
use crate::thread;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use postgres::{CancelToken, Client};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long making a connection may take in all: several addresses, each with a limit of its own, TLS, and the
/// login, for which the driver has no limit.
const OPEN_LIMIT: Duration = Duration::from_secs(15);
/// How often a wait for an answer looks whether it has lasted too long or is to stop.
const LOOK: Duration = Duration::from_millis(250);
/// How long the server may take to cancel a statement before it is asked again, or the connection is left.
const CANCEL_LIMIT: Duration = Duration::from_secs(2);
/// Connections may be left without an answer until this many of them still have a thread; then no other is begun
/// before one of those ends.
const LEFT_MAX: u32 = 8;

/// What a connection's thread owns.
pub(super) struct Held {
    pub(super) client: Client,
    /// The one-row statement, prepared.
    pub(super) plan: Option<Plan>,
}

/// Runs on the connection's thread.
type Call = Box<dyn FnOnce(&mut Held) + Send>;

/// The way to a connection, and what was learned on it.
pub(super) struct Session {
    /// What the table looked like, until an error makes that doubtful.
    pub(super) table: Option<Table>,
    /// Counts connections from 0.
    pub(super) number: u64,
    /// Whether it is of no further use.
    pub(super) lost: bool,
    /// Holds one call: the next is made when the last is answered. Dropping it ends the thread.
    calls: Sender<Call>,
    /// Whether the driver found the connection closed after the last call.
    closed: Arc<AtomicBool>,
    token: CancelToken,
    /// Whether a request to cancel is on its way.
    cancelling: Arc<AtomicBool>,
    connector: Arc<Connector>,
}

/// How an answer is waited for.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    pub(super) clock: Clock,
    /// After this long the server is asked to cancel.
    pub(super) limit: Duration,
    /// Whether a connection that does not answer even then is left. Right for what changes nothing. A write is
    /// waited for: while it may still be done, no other may be sent for the same row (R19).
    pub(super) leaves: bool,
    /// A stop has the server cancel at once.
    pub(super) stop: &'a Stop,
    /// Called at every look, to show that the worker is alive.
    pub(super) alive: &'a dyn Fn(),
    /// Set once nothing that this database still does matters any more: every connection is left.
    pub(super) abandoned: &'a AtomicBool,
}

impl Session {
    /// Makes a connection, on a thread of its own.
    pub(super) fn open(connector: &Arc<Connector>, crowd: &Crowd, number: u64) -> Result<Session, DbError> {
        let place = connector.place();
        let Some(present) = crowd.enter(OPEN_LIMIT) else {
            let text = format!("{place} does not answer: {} connections to it still wait", crowd.max);
            return Err(DbError::Connection(text));
        };
        let (calls, inbox) = bounded(1);
        let (ready, opened) = bounded(1);
        let way = Arc::clone(connector);
        // The thread ends with the connection, and there is nothing to do about how.
        let (exits, _) = bounded(1);
        // The kernel shows 15 bytes of a name.
        let name = format!("db-{}", number % 1_000_000);
        let body = move || {
            let _present = present;
            live(&way, &ready, &inbox);
            Ok(())
        };
        thread::spawn(&name, &exits, body)
            .map_err(|error| DbError::Connection(format!("failed to start a thread for {place}: {error}")))?;
        let token = opened.recv_timeout(OPEN_LIMIT).map_err(|error| {
            DbError::Connection(match error {
                RecvTimeoutError::Timeout => format!("{place} did not answer within {OPEN_LIMIT:?}"),
                RecvTimeoutError::Disconnected => format!("failed to connect to {place}: the driver panicked"),
            })
        })??;
        Ok(Session {
            table: None,
            number,
            lost: false,
            calls,
            closed: Arc::default(),
            token,
            cancelling: Arc::default(),
            connector: Arc::clone(connector),
        })
    }

    /// Does `work` on the connection and waits for it. Fails when there is no answer; the connection is then lost.
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
            // Not wanted any more, if the connection was left.
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
            self.cancel();
        }
    }

    /// Whether it is of no further use, as far as is known without asking.
    pub(super) fn is_broken(&self) -> bool {
        self.lost || self.closed.load(Ordering::Relaxed)
    }

    /// Which database, for messages.
    pub(super) fn place(&self) -> &str {
        self.connector.place()
    }

    fn gone(&mut self, how: &str) -> Fault {
        self.lost = true;
        let text = format!("the connection to {} {how}", self.connector.place());
        Fault { lost: true, ..DbError::Connection(text).into() }
    }

    /// Asks the server to cancel what runs, from a thread of its own: a server that is halted does not answer this
    /// either.
    fn cancel(&self) {
        if self.cancelling.swap(true, Ordering::Relaxed) {
            return;
        }
        let (token, tls, under_way) = (self.token.clone(), self.connector.tls(), Arc::clone(&self.cancelling));
        let (exits, _) = bounded(1);
        let body = move || {
            // A server that cannot be reached for this is noticed by the statement, too.
            let _ = token.cancel_query(tls);
            under_way.store(false, Ordering::Relaxed);
            Ok(())
        };
        if thread::spawn("db-cancel", &exits, body).is_err() {
            self.cancelling.store(false, Ordering::Relaxed);
        }
    }
}

/// The life of a connection's thread: until the session is dropped and what runs is answered.
fn live(connector: &Connector, ready: &Sender<Result<CancelToken, DbError>>, inbox: &Receiver<Call>) {
    let client = match connector.open() {
        Ok(client) => client,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let mut held = Held { client, plan: None };
    // Nobody waits for it any more, if it took too long.
    if ready.send(Ok(held.client.cancel_token())).is_ok() {
        inbox.iter().for_each(|call| call(&mut held));
    }
}

/// How many connections have a thread, and how many may.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    present: Arc<(Mutex<u32>, Condvar)>,
    max: u32,
}

/// Counts one thread while it lives.
struct Present(Arc<(Mutex<u32>, Condvar)>);

impl Crowd {
    /// Room for `used` connections in use and some that were left.
    pub(super) fn new(used: u32) -> Crowd {
        Crowd { present: Arc::default(), max: used + LEFT_MAX }
    }

    /// Waits for room, so that a server that answers again is asked at once.
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
