//! What instances on one table pass on to each other: a notification on their sessions. It reaches those that listen at
//! that moment, and says nothing that could be believed unseen: anybody who may connect can send one.

use super::{Seat, Unfit};
use crate::gateway::database::error::{DbError, Obstacle};
use crate::gateway::database::session::Held;
use crate::gateway::database::sql::{self, locks};
use crate::gateway::database::work::Value;
use openssl::base64;
use postgres::fallible_iterator::FallibleIterator;
use std::time::Duration;

/// A notification's text is shorter than this (PostgreSQL, NOTIFY).
const TEXT_MAX: usize = 8000;
/// The most that one wait takes, so that nobody who may connect can keep the session from its turns.
const TEXTS_MAX: usize = 256;

/// What a wait has brought.
struct Heard {
    texts: Vec<String>,
    closed: bool,
}

impl Seat {
    /// Passes something on to all other instances on the table that listen now. Returns false if it is too long.
    pub fn pass_on(&mut self, limit: Duration, what: &[u8]) -> Result<bool, Unfit> {
        // Text in the server's encoding, whatever that is.
        let text = base64::encode_block(what);
        if text.len() >= TEXT_MAX {
            return Ok(false);
        }
        let values = vec![Value::text(&self.channel()), Value::text(&text)];
        self.query(limit, locks::PASS_ON, values).map(|_| true)
    }

    /// Waits up to `limit` for what other instances pass on, and takes all that has arrived. Listens from the first
    /// call on.
    pub fn hear(&mut self, limit: Duration) -> Result<Vec<Vec<u8>>, Unfit> {
        if !self.listens {
            self.query(super::FIRST_LIMIT, &sql::listen(&self.channel()), Vec::new())?;
            self.listens = true;
        }
        let own = self.pid;
        let heard = self.call(limit + super::FIRST_LIMIT, move |held| hear(held, own, limit))?;
        if heard.closed {
            let text = format!("lost the connection to {}", self.place);
            return Err(Unfit::Failed(DbError::Connection(Obstacle::Other, text)));
        }
        Ok(heard.texts.iter().filter_map(|text| base64::decode_block(text).ok()).collect())
    }

    /// Listens no longer, and forgets what has come: nobody else would take it, and it would pile up in the driver.
    pub fn stop_hearing(&mut self, limit: Duration) -> Result<(), Unfit> {
        if std::mem::take(&mut self.listens) {
            self.query(limit, "UNLISTEN *", Vec::new())?;
            let own = self.pid;
            self.call(limit, move |held| hear(held, own, Duration::ZERO))?;
        }
        Ok(())
    }

    fn channel(&self) -> String {
        format!("kick_monitor_{}", self.oid)
    }
}

/// Waits for the first notification, and takes those that have arrived by then, as far as there is room. What this session sent itself is
/// left out.
fn hear(held: &mut Held, own: i32, limit: Duration) -> Result<Heard, postgres::Error> {
    let mut texts = Vec::new();
    let mut notifications = held.client.notifications();
    let mut next = notifications.timeout_iter(limit).next()?;
    while let Some(notification) = next {
        if notification.process_id() != own {
            texts.push(notification.payload().to_owned());
        }
        next = if texts.len() < TEXTS_MAX { notifications.iter().next()? } else { None };
    }
    drop(notifications);
    Ok(Heard { texts, closed: held.client.is_closed() })
}
