//! One lane of writes: takes what is queued, makes one statement of it, tells what became of it.
//!
//! It decides nothing and never tries again by itself: what is set aside, refused or unavailable
//! goes back to the core, which knows what is wanted by then (RULES R19).

use crate::clock::{Clock, Pulse};
use crate::domain::row::{DatabaseEvent, Write, WriteResult, Written};
use crate::gateway::database::Database;
use crate::monitor::io::Input;
use crate::stop::Stop;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// How long it waits for a write before it shows that it is alive.
const TURN: Duration = Duration::from_secs(5);
/// A turn with one statement in it: a connection made anew (5 s), a statement until it is cancelled
/// (10 s), both twice, and a busy machine.
const STATEMENT_TURN: Duration = Duration::from_secs(60);
/// Rows in one statement. More would gain nothing and make a refused row among them, which is found
/// by halving, delay the others for longer.
const ROWS_MAX: usize = 1000;

/// A writer and its ends of the channels.
#[derive(Debug)]
pub struct Writer {
    /// Which of the writers this is,
    pub lane: usize,
    /// and of how many.
    pub lanes: usize,
    /// What is to be written. One row is in it once at most, so the roster bounds it.
    pub inbox: Receiver<Write>,
    /// To the core; full means wait.
    pub inputs: Sender<Input>,
    /// Where to write.
    pub database: Arc<Database>,
    /// For the time of the commit.
    pub clock: Clock,
}

impl Writer {
    /// Writes until the inbox is hung up and empty, or nobody wants to hear of it any more. A stop cancels the
    /// statement that runs, or it would go on after the process has ended; it does not shorten the inbox.
    pub fn run(&mut self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        // The core gives out again whatever was given out before it hears of this start.
        while self.inbox.try_recv().is_ok() {}
        let started = Input::WriterStarted { lane: self.lane, lanes: self.lanes };
        let mut heard = self.inputs.send(started).is_ok();
        let mut broken = self.database.broken();
        while heard {
            pulse.promise(2 * TURN);
            let first = match self.inbox.recv_timeout(TURN) {
                Ok(write) => write,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let rest = self.inbox.try_iter().take(ROWS_MAX - 1);
            // The core has one write of a row out. Just after a restart there may be another, which it has
            // given up; the later one is the one that counts.
            let mut rows = HashSet::new();
            let mut batch: Vec<Write> = std::iter::once(first).chain(rest).collect();
            batch.reverse();
            batch.retain(|write| rows.insert(write.row.clone()));
            batch.reverse();
            let results = self.database.write(&batch, stop, &|| pulse.promise(STATEMENT_TURN));
            let broken_before = std::mem::replace(&mut broken, self.database.broken());
            let reached = results.iter().any(|(_, result)| !matches!(result, WriteResult::Unavailable(_)));
            heard = self.inputs.send(Input::Written(Written { at: self.clock.now(), results })).is_ok();
            if reached && broken != broken_before {
                heard &= self.inputs.send(Input::Database(DatabaseEvent::Reconnected)).is_ok();
            }
        }
        Ok(())
    }
}
