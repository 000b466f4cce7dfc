//! The thread `roster`: reads the roster at regular intervals, at once when nudged, and again after a pause when a
//! read failed.
//!
//! It compares nothing: it reports to the core what the table holds and whether the database answers.

use super::hold_cell::HoldCell;
use crate::backoff::Backoff;
use crate::clock::{Clock, Pulse};
use crate::domain::Steady;
use crate::domain::row::{DatabaseEvent, Nudge, RosterRead};
use crate::domain::shards::Scope;
use crate::gateway::database::{Database, Taker};
use crate::monitor::io::Input;
use crate::stop::{Received, Stop};
use crate::worker::Worker;
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The pauses before reconnecting to the database (docs/rules.md, "Times").
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(5);
/// The longest wait before the pulse is renewed, whatever the poll interval.
const TURN: Duration = Duration::from_secs(5);
/// The shortest time from the end of a read to the next one caused by a nudge: any role of the database may notify as
/// often as it likes.
const NUDGED_APART: Duration = Duration::from_millis(500);
/// The same limit as a multiple of the last read's duration, so that such reads take at most a tenth of the time.
const NUDGED_SHARE: u32 = 10;
/// How often all rows are read where this instance follows some of them only: it must know how old the statuses of the
/// others are when it gets them (R25). Half the lag of the API.
const LOOK_AROUND: Duration = Duration::from_secs(30);
/// How long the first read waits for the coordinator: a read that was sent before this instance held shards is of no use.
/// Not for long, because the database may not answer at all, which is to be said.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How often that wait looks whether instances share the table at all.
const LOOK: Duration = Duration::from_millis(10);
/// What the pulse allows for a turn with a read: a new connection (5 s) and a read until it is cancelled (30 s), each
/// twice, and a busy machine.
const READ_TURN: Duration = Duration::from_secs(120);

/// The state of the thread `roster`.
#[derive(Clone, Debug)]
pub struct Roster {
    /// `ROSTER_POLL_SECS`
    pub poll: Duration,
    /// Requests to read now. Capacity 1: a second nudge before the read would add little.
    pub nudge: Receiver<Nudge>,
    /// The channel to the core; a full one makes the worker wait.
    pub inputs: Sender<Input>,
    /// The database to read from.
    pub database: Arc<Database>,
    /// Which rows to read.
    pub cell: Arc<HoldCell>,
    /// Times the reads.
    pub clock: Clock,
    /// For the jitter of pauses.
    pub rng: fastrand::Rng,
}

impl Worker for Roster {
    /// Runs until the stop comes, the core is gone, or no sender of nudges is left.
    fn run(mut self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MOST);
        let teller = Arc::new(Teller { inputs: self.inputs.clone(), broken: AtomicU64::new(self.database.broken()) });
        let mut works = true;
        let mut looked = Steady::default();
        pulse.promise(READ_TURN);
        if !self.wait_for_hold(stop) {
            return Ok(());
        }
        while !stop.is_stopped() {
            pulse.promise(READ_TURN);
            let started = self.clock.steady();
            let around = started.since(looked) >= LOOK_AROUND;
            let scope = if around { Scope::All } else { self.cell.scope() };
            looked = if scope == Scope::All { started } else { looked };
            // After a failure, what is read counts when the whole read is known to have succeeded.
            let taker = works.then(|| teller.taker(&scope, &self.database));
            let read = self.database.read_roster_by_parts(&scope, taker.as_ref(), stop);
            works = read.is_ok();
            let goes_on = match read {
                Ok((sent, rows)) => {
                    backoff.reset();
                    let read = RosterRead { started: sent, scope, rows, more: false };
                    teller.say_broken(&self.database)
                        && self.tell(Input::Database(DatabaseEvent::Up))
                        && self.tell(Input::Roster(read))
                        && self.wait(started, pulse, stop)
                }
                Err(error) => {
                    // A nudge does not shorten this pause, because it says nothing about the database. The pause
                    // counts from the start of the read: a read that waited in vain is followed by the next at once,
                    // so that a server is noticed as soon as it answers again.
                    let pause = backoff.next(&mut self.rng).saturating_sub(self.clock.steady().since(started));
                    self.tell(Input::Database(DatabaseEvent::Down(error.to_string()))) && !stop.wait(pause)
                }
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }
}

/// What passes on a read, part by part.
struct Teller {
    inputs: Sender<Input>,
    /// The number of broken connections that the core was told of.
    broken: AtomicU64,
}

impl Teller {
    fn taker(self: &Arc<Teller>, scope: &Scope, database: &Arc<Database>) -> Taker {
        let (teller, scope, database) = (Arc::clone(self), scope.clone(), Arc::clone(database));
        Arc::new(move |started, rows| {
            let read = RosterRead { started, scope: scope.clone(), rows, more: true };
            // Without a core the process ends.
            let _ = teller.say_broken(&database) && teller.inputs.send(Input::Roster(read)).is_ok();
        })
    }

    /// Tells the core of connections that broke, before it gets rows: they may show the state before a crash. Returns
    /// false if the worker is to end.
    fn say_broken(&self, database: &Database) -> bool {
        let broken = database.broken();
        self.broken.swap(broken, Ordering::Relaxed) == broken
            || self.inputs.send(Input::Database(DatabaseEvent::Reconnected)).is_ok()
    }
}

impl Roster {
    fn tell(&self, input: Input) -> bool {
        self.inputs.send(input).is_ok()
    }

    /// Before the first read: waits for the order that follows when this instance holds shards, or until it is known that
    /// instances do not share the table. Returns false if the worker is to end.
    fn wait_for_hold(&self, stop: &Stop) -> bool {
        let until = self.clock.steady() + FIRST_WAIT;
        while !self.cell.is_off() && self.clock.steady() < until {
            match stop.recv(&self.nudge, LOOK) {
                Received::Message(Nudge::Ordered) => return true,
                Received::Message(Nudge::Notified) | Received::Nothing => {}
                Received::HungUp | Received::Stopped => return false,
            }
        }
        true
    }

    /// Waits for the next poll or a nudge. Returns false if the worker is to end. `started`: when the last read
    /// began.
    fn wait(&self, started: Steady, pulse: &Pulse, stop: &Stop) -> bool {
        let now = self.clock.steady();
        let mut next = now + self.poll;
        let nudged = now + NUDGED_APART.max(now.since(started) * NUDGED_SHARE);
        let never = crossbeam_channel::never();
        let mut nudge = &self.nudge;
        loop {
            pulse.promise(2 * TURN);
            let left = self.clock.until(next);
            match stop.recv(nudge, left.min(TURN)) {
                Received::Message(Nudge::Ordered) => next = now,
                Received::Message(Nudge::Notified) => {
                    next = next.min(nudged);
                    nudge = &never;
                }
                Received::Nothing if left.is_zero() => {
                    // The read that follows answers all nudges sent until now.
                    self.nudge.try_iter().for_each(drop);
                    return true;
                }
                Received::Nothing => {}
                Received::HungUp | Received::Stopped => return false,
            }
        }
    }
}
