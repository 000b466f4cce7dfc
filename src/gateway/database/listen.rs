//! A connection that waits for notifications on `ROSTER_NOTIFY_CHANNEL`. They only say "look": the
//! poll stays the truth, for a notification may be lost and says nothing of what changed.

use super::Database;
use super::connect::Connector;
use super::error::{DbError, connecting};
use super::sql;
use postgres::Client;
use postgres::fallible_iterator::FallibleIterator;
use std::sync::Arc;
use std::time::Duration;

/// The listening connection.
pub struct Listening {
    client: Client,
    connector: Arc<Connector>,
    heartbeat: String,
    /// The heartbeat came back since it was last sent.
    alive: bool,
}

impl Listening {
    pub(super) fn start(connector: Arc<Connector>, channel: &str, heartbeat: &str) -> Result<Listening, DbError> {
        let mut client = connector.open()?;
        let both = format!("{}; {}", sql::listen(channel), sql::listen(heartbeat));
        client.batch_execute(&both).map_err(|error| connecting(&error, connector.place()))?;
        Ok(Listening { client, connector, heartbeat: heartbeat.to_owned(), alive: false })
    }

    /// Waits; true when at least one notification came, false when `limit` has passed. Takes all
    /// that came. The heartbeat is none.
    pub fn wait(&mut self, limit: Duration) -> Result<bool, DbError> {
        let broken = |error: postgres::Error| connecting(&error, self.connector.place());
        let mut notifications = self.client.notifications();
        let mut next = notifications.timeout_iter(limit).next().map_err(broken)?;
        let mut came = false;
        while let Some(notification) = next {
            match notification.channel() == self.heartbeat {
                true => self.alive = true,
                false => came = true,
            }
            next = notifications.iter().next().map_err(broken)?;
        }
        drop(notifications);
        if self.client.is_closed() {
            return Err(DbError::Connection(format!("lost the connection to {}", self.connector.place())));
        }
        Ok(came)
    }

    /// Sends a heartbeat on another connection. Nothing is ever asked on this one: the driver, told to
    /// drop a connection that owes it an answer, waits for that answer without end.
    pub fn beat(&mut self, database: &Database) -> Result<(), DbError> {
        self.alive = false;
        database.notify(&self.heartbeat)
    }

    /// Whether the last heartbeat came back. One that does not tells that nobody hears us: the peer is
    /// gone, or a pooler has given our session to somebody else.
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// What is said when it is not.
    pub fn silence(&self) -> DbError {
        let place = self.connector.place();
        DbError::Connection(format!("no notification comes through from {place} (is there a pooler between?)"))
    }
}
