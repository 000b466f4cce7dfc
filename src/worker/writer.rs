//! The threads `writer-<n>`: each takes the queued writes of its lane, writes them in one statement after another,
//! and reports the outcome.
//!
//! `lane.rs` decides which rows go into a statement, and splits a statement that failed. Rows that were set aside or
//! refused, or could not be written, go back to the core, which knows their wanted status by then (R19).

pub mod lane;
mod pace;

use super::hold_cell::{Clearance, HoldCell};
use crate::clock::{Clock, Pulse};
use crate::domain::row::{DatabaseEvent, Write, WriteId, WriteResult, Written};
use crate::gateway::database::{Attempt, Database, Lease};
use crate::monitor::io::Input;
use crate::stop::Stop;
use crate::worker::Worker;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use lane::Lane;
use std::sync::Arc;
use std::time::Duration;

/// The longest wait for a write before the pulse is renewed.
const TURN: Duration = Duration::from_secs(5);
/// What the pulse allows for a turn with a statement: a new connection (5 s) and a statement until it is cancelled
/// (10 s), each twice, and a busy machine.
const STATEMENT_TURN: Duration = Duration::from_secs(60);

/// The state of a thread `writer-<n>`.
#[derive(Clone, Debug)]
pub struct Writer {
    /// The number of this writer, from 0.
    pub lane: usize,
    /// The number of writers.
    pub lanes: usize,
    /// The rows to be written. A row is queued once at most, so the roster bounds the queue.
    pub inbox: Receiver<Write>,
    /// The channel to the core; a full one makes the writer wait.
    pub inputs: Sender<Input>,
    /// The database to write to.
    pub database: Arc<Database>,
    /// Whether a write may still be sent, and its lease.
    pub cell: Arc<HoldCell>,
    /// Times the commits.
    pub clock: Clock,
}

impl Worker for Writer {
    /// Runs until the inbox is hung up and empty, or the core is gone. A stop cancels the statement that runs, which
    /// would otherwise continue after the end of the process; the queued rows are still written.
    fn run(self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        // The core sends everything again that it sent before it hears of this start.
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
            let Some(mut statement) = lane.choose() else { continue };
            let (mut results, lease) = self.clear(&mut statement.rows);
            pulse.promise(STATEMENT_TURN);
            let begun = self.clock.steady();
            let alive = || pulse.promise(STATEMENT_TURN);
            let attempt = match statement.rows.is_empty() {
                true => Attempt::Done(Vec::new()),
                false => self.database.write(&statement.rows, lease.as_ref(), statement.limit, stop, &alive),
            };
            let (at, reached) = (self.clock.now(), !matches!(attempt, Attempt::Away(_)));
            let broken_before = std::mem::replace(&mut broken, self.database.broken());
            results.extend(lane.take(statement, attempt, at.steady.since(begun)));
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

impl Writer {
    /// Takes out the rows whose hold is over, and returns their results and the lease of the others.
    fn clear(&self, rows: &mut Vec<Write>) -> (Vec<(WriteId, WriteResult)>, Option<Lease>) {
        let (mut lapsed, mut lease) = (Vec::new(), None);
        rows.retain(|write| match self.cell.clearance(write.hold) {
            Clearance::Free => true,
            Clearance::Leased(newest) => {
                lease = Some(newest);
                true
            }
            Clearance::Lapsed => {
                lapsed.push((write.id, WriteResult::Lapsed));
                false
            }
        });
        (lapsed, lease)
    }
}
