//! One lane of writes: takes what is queued, makes one statement of it after another, tells what became of it.
//!
//! What goes into a statement is for `lane.rs` to say, which tries again by halves what one row has spoilt.
//! What is set aside, refused or unavailable goes back to the core, which knows what is wanted by then
//! (R19).

pub mod lane;
mod pace;

use crate::clock::{Clock, Pulse};
use crate::domain::row::{DatabaseEvent, Write, Written};
use crate::gateway::database::{Attempt, Database};
use crate::monitor::io::Input;
use crate::stop::Stop;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use lane::Lane;
use std::sync::Arc;
use std::time::Duration;

/// How long it waits for a write before it shows that it is alive.
const TURN: Duration = Duration::from_secs(5);
/// A turn with one statement in it: a connection made anew (5 s), a statement until it is cancelled
/// (10 s), both twice, and a busy machine.
const STATEMENT_TURN: Duration = Duration::from_secs(60);

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
        let mut lane = Lane::default();
        while heard {
            pulse.promise(2 * TURN);
            if lane.is_empty() {
                match self.inbox.recv_timeout(TURN) {
                    Ok(write) => lane.add(write),
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            self.inbox.try_iter().for_each(|write| lane.add(write));
            let Some(statement) = lane.choose() else { continue };
            pulse.promise(STATEMENT_TURN);
            let begun = self.clock.steady();
            let attempt =
                self.database.write(&statement.rows, statement.limit, stop, &|| pulse.promise(STATEMENT_TURN));
            let (at, reached) = (self.clock.now(), !matches!(attempt, Attempt::Away(_)));
            let broken_before = std::mem::replace(&mut broken, self.database.broken());
            let results = lane.take(statement, attempt, at.steady.since(begun));
            if !results.is_empty() {
                heard = self.inputs.send(Input::Written(Written { at, results })).is_ok();
            }
            if reached && broken != broken_before {
                heard &= self.inputs.send(Input::Database(DatabaseEvent::Reconnected)).is_ok();
            }
        }
        Ok(())
    }
}
