//! What instances on one table pass on to each other: a notification on their sessions. It reaches those that listen at
//! that moment, and says nothing that could be believed unseen: anybody who may connect can send one.

use super::{Seat, Unfit};
use crate::gateway::database::error::{DbError, Obstacle};
use crate::gateway::database::sql::{self, locks};
use crate::gateway::database::work::Value;
use openssl::base64;
use std::time::Duration;

/// A notification's text is shorter than this (PostgreSQL, NOTIFY).
const TEXT_MAX: usize = 8000;
/// The most that one wait takes: any client of the database can send notifications, and the session's turns are due.
const TEXTS_MAX: usize = 256;

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
        let (texts, closed) = self.texts(limit, limit + super::FIRST_LIMIT)?;
        if closed {
            let text = format!("lost the connection to {}", self.place);
            return Err(Unfit::Failed(DbError::Connection(Obstacle::Other, text)));
        }
        Ok(texts.iter().filter_map(|text| base64::decode_block(text).ok()).collect())
    }

    /// Stops listening, and drops what has arrived. The driver would keep it for ever.
    pub fn stop_hearing(&mut self, limit: Duration) -> Result<(), Unfit> {
        if std::mem::take(&mut self.listens) {
            self.query(limit, "UNLISTEN *", Vec::new())?;
            self.texts(Duration::ZERO, limit)?;
        }
        Ok(())
    }

    /// Waits up to `wait` for notifications of other sessions. Returns their texts, and whether the connection is closed.
    fn texts(&mut self, wait: Duration, limit: Duration) -> Result<(Vec<String>, bool), Unfit> {
        let own = self.pid;
        self.call(limit, move |held| {
            let mut texts = Vec::new();
            let closed = held.hear(wait, |notification| {
                if notification.process_id() != own {
                    texts.push(notification.payload().to_owned());
                }
                texts.len() < TEXTS_MAX
            })?;
            Ok((texts, closed))
        })
    }

    fn channel(&self) -> String {
        format!("kick_monitor_{}", self.oid)
    }
}
