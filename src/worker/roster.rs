//! Reads the roster: every so often, at once when nudged, and again after a pause when it failed.
//!
//! It compares nothing; the core is told what the table holds, and how the conversation goes.

use crate::backoff::Backoff;
use crate::clock::{Clock, Pulse};
use crate::domain::Steady;
use crate::domain::row::{DatabaseEvent, RosterRead};
use crate::gateway::database::Database;
use crate::monitor::io::Input;
use crate::stop::{Received, Stop};
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;
use std::time::Duration;

/// docs/rules.md, "Times": database reconnection.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(5);
/// How long it waits before it shows that it is alive, whatever the poll interval.
const TURN: Duration = Duration::from_secs(5);
/// The least time from the end of a read to the next one that a nudge brings: any role of the database may notify as
/// often as it likes.
const NUDGED_APART: Duration = Duration::from_millis(500);
/// The same as a multiple of what the last read took, so that all of them together take a tenth of the time at most.
const NUDGED_SHARE: u32 = 10;
/// A turn with a read in it: a connection made anew (5 s), a read until it is cancelled (30 s), both
/// twice, and a busy machine.
const READ_TURN: Duration = Duration::from_secs(120);

/// The roster's reader and its ends of the channels.
#[derive(Debug)]
pub struct Roster {
    /// `ROSTER_POLL_SECS`
    pub poll: Duration,
    /// "Read now." Holds one: two nudges before a read mean the same as one.
    pub nudge: Receiver<()>,
    /// To the core; full means wait.
    pub inputs: Sender<Input>,
    /// Where to read.
    pub database: Arc<Database>,
    /// For the time of the read.
    pub clock: Clock,
    /// For the jitter of pauses.
    pub rng: fastrand::Rng,
}

impl Roster {
    /// Reads until it is stopped, or nobody wants to hear of it or to nudge it any more.
    pub fn run(&mut self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MOST);
        let mut broken = self.database.broken();
        while !stop.is_stopped() {
            pulse.promise(READ_TURN);
            let started = self.clock.steady();
            let read = self.database.read_roster(stop);
            let broken_before = std::mem::replace(&mut broken, self.database.broken());
            let goes_on = match read {
                Ok(rows) => {
                    backoff.reset();
                    // Before the roster: the core must know that what it shows may be the work of a crash.
                    (broken == broken_before || self.tell(Input::Database(DatabaseEvent::Reconnected)))
                        && self.tell(Input::Database(DatabaseEvent::Up))
                        && self.tell(Input::Roster(RosterRead { started, rows }))
                        && self.wait(started, pulse, stop)
                }
                Err(error) => {
                    // A nudge does not shorten this: a nudge knows nothing of the database. The pause counts from
                    // when the read began: one that waited in vain is followed by the next at once, so that a server
                    // that answers again is heard at once.
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

    fn tell(&self, input: Input) -> bool {
        self.inputs.send(input).is_ok()
    }

    /// Waits for the next poll or a nudge; false means to end. `started`: when the last read did.
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
                Received::Message(()) => {
                    next = next.min(nudged);
                    nudge = &never;
                }
                Received::Nothing if left.is_zero() => {
                    // What was asked for until now, the read that follows answers.
                    self.nudge.try_iter().for_each(drop);
                    return true;
                }
                Received::Nothing => {}
                Received::HungUp | Received::Stopped => return false,
            }
        }
    }
}
