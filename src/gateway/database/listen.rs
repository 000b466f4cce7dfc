//! A connection that waits for notifications on `ROSTER_NOTIFY_CHANNEL`. They only say "look": the
//! poll stays the truth, for a notification may be lost and says nothing of what changed.

use super::connect::Connector;
use super::error::{DbError, connecting};
use super::sql;
use postgres::Client;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::Type;
use std::sync::Arc;
use std::time::Duration;

/// A server that does not answer "are you there" for so long is not there.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The listening connection.
pub struct Listening {
    client: Client,
    channel: String,
    connector: Arc<Connector>,
}

impl Listening {
    pub(super) fn start(connector: Arc<Connector>, channel: &str) -> Result<Listening, DbError> {
        let mut client = connector.open()?;
        client.batch_execute(&sql::listen(channel)).map_err(|error| connecting(&error, connector.place()))?;
        Ok(Listening { client, channel: channel.to_owned(), connector })
    }

    /// Waits; true when at least one notification came, false when `limit` has passed. Takes all
    /// that came.
    pub fn wait(&mut self, limit: Duration) -> Result<bool, DbError> {
        let broken = |error: postgres::Error| connecting(&error, self.connector.place());
        let mut notifications = self.client.notifications();
        let came = notifications.timeout_iter(limit).next().map_err(broken)?.is_some();
        while notifications.iter().next().map_err(broken)?.is_some() {}
        drop(notifications);
        if self.client.is_closed() {
            return Err(DbError::Connection(format!("lost the connection to {}", self.connector.place())));
        }
        Ok(came)
    }

    /// Makes sure that the server is still there and still listens for us: a connection hears nothing
    /// when its peer is gone, nor when a pooler has given its server to somebody else.
    pub fn probe(&mut self) -> Result<(), DbError> {
        let broken = |error: postgres::Error| connecting(&error, self.connector.place());
        // This alone has a limit.
        self.client.is_valid(ANSWER_LIMIT).map_err(broken)?;
        let rows = self.client.query_typed(sql::LISTENS, &[(&self.channel, Type::TEXT)]).map_err(broken)?;
        let listens = rows.first().map_or(Ok(false), |row| row.try_get(0)).map_err(broken)?;
        if listens {
            return Ok(());
        }
        let place = self.connector.place();
        Err(DbError::Setup(format!("{place} forgets what is listened for: a pooler stands between")))
    }
}
