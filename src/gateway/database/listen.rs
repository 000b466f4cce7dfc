//! A connection that waits for notifications on `ROSTER_NOTIFY_CHANNEL`. A notification only triggers a read: it may
//! be lost and does not say what changed, so the regular reads remain authoritative.

use super::error::{DbError, Fault, Obstacle, connecting};
use super::session::{Held, Patience, Session};
use super::{Database, sql};
use crate::clock::Clock;
use crate::stop::Stop;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How long the server may take to begin listening, and the driver to return from a wait.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

pub(crate) struct Listening {
    session: Session,
    clock: Clock,
    place: String,
    heartbeat: String,
    /// Whether the last heartbeat came back.
    alive: bool,
}

/// The result of a wait.
#[derive(Default)]
struct Heard {
    heartbeat: bool,
    other: bool,
    closed: bool,
}

impl Listening {
    pub(super) fn start(session: Session, clock: Clock, channel: &str, heartbeat: &str) -> Result<Listening, DbError> {
        let both = format!("{}; {}", sql::listen(channel), sql::listen(heartbeat));
        let (place, heartbeat) = (session.place().to_owned(), heartbeat.to_owned());
        let mut listening = Listening { session, clock, place, heartbeat, alive: false };
        listening.call(ANSWER_LIMIT, move |held| held.client.batch_execute(&both))?;
        Ok(listening)
    }

    /// Waits for notifications and takes all that arrived. Returns true if there was at least one, false if `limit`
    /// has passed. Heartbeats do not count.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<bool, DbError> {
        let heartbeat = self.heartbeat.clone();
        let heard = self.call(limit + ANSWER_LIMIT, move |held| {
            let mut heard = Heard::default();
            heard.closed = held.hear(limit, |notification| {
                match notification.channel() == heartbeat {
                    true => heard.heartbeat = true,
                    false => heard.other = true,
                }
                true
            })?;
            Ok(heard)
        })?;
        self.alive |= heard.heartbeat;
        if heard.closed {
            return Err(DbError::Connection(Obstacle::Other, format!("lost the connection to {}", self.place)));
        }
        Ok(heard.other)
    }

    fn call<T: Send + 'static>(
        &mut self,
        limit: Duration,
        work: impl FnOnce(&mut Held) -> Result<T, postgres::Error> + Send + 'static,
    ) -> Result<T, DbError> {
        let (stop, abandoned) = (Stop::never(), AtomicBool::new(false));
        let patience =
            Patience { clock: self.clock, limit, leaves: true, stop: &stop, alive: &|| (), abandoned: &abandoned };
        let done = self.session.call(&patience, work).map_err(Fault::into_error)?;
        done.map_err(|error| connecting(&error, &self.place))
    }

    /// Sends a heartbeat through another connection. An answer on this one would not prove that notifications arrive.
    pub(crate) fn beat(&mut self, database: &Database) -> Result<(), DbError> {
        self.alive = false;
        database.notify(&self.heartbeat)
    }

    /// Returns true if the last heartbeat came back. Otherwise no notification reaches us: the server is gone, or a
    /// pooler has given our session to another client.
    pub(crate) fn is_alive(&self) -> bool {
        self.alive
    }

    /// The error for a heartbeat that did not come back.
    pub(crate) fn silence(&self) -> DbError {
        DbError::Connection(
            Obstacle::Other,
            format!("no notification comes through from {} (is there a pooler in between?)", self.place),
        )
    }
}
