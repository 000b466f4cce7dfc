//! Listens on `ROSTER_NOTIFY_CHANNEL` and nudges the roster.
//!
//! It reports nothing: the roster's poll tells how the database is, and finds what was missed here.

use crate::backoff::Backoff;
use crate::clock::{Clock, Pulse};
use crate::gateway::database::{Database, DbError};
use crate::stop::Stop;
use crossbeam_channel::{Sender, TrySendError};
use std::sync::Arc;
use std::time::Duration;

/// RULES, "Times": database reconnection.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(5);
/// The driver cannot be woken, so this is how long a stop may take to be seen.
const TURN: Duration = Duration::from_secs(1);
/// How often the connection is probed: one that died says nothing.
const PROBE: Duration = Duration::from_secs(10);
/// A turn with a connection attempt or a probe in it.
const LONG_TURN: Duration = Duration::from_secs(60);

/// The listener and its ends of the channels.
#[derive(Debug)]
pub struct Listener {
    /// `ROSTER_NOTIFY_CHANNEL`
    pub channel: String,
    /// To the roster; full means that it will read anyway.
    pub nudge: Sender<()>,
    /// Where to listen.
    pub database: Arc<Database>,
    /// For the time of the next probe.
    pub clock: Clock,
    /// For the jitter of pauses.
    pub rng: fastrand::Rng,
}

impl Listener {
    /// Listens until it is stopped, or the roster is gone.
    pub fn run(&mut self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MOST);
        loop {
            let over = self.listen(pulse, stop, &mut backoff).is_ok();
            if over || stop.wait(backoff.next(&mut self.rng)) {
                return Ok(());
            }
        }
    }

    /// One connection's life; an end without an error means to stop.
    fn listen(&self, pulse: &Pulse, stop: &Stop, backoff: &mut Backoff) -> Result<(), DbError> {
        pulse.promise(LONG_TURN);
        let mut listening = self.database.listen(&self.channel)?;
        // What was notified while nobody listened is in the table by now.
        let mut nudge = true;
        let mut probe = self.clock.steady() + PROBE;
        while !stop.is_stopped() {
            if nudge && self.nudge.try_send(()) == Err(TrySendError::Disconnected(())) {
                break;
            }
            pulse.promise(LONG_TURN);
            nudge = listening.wait(TURN)?;
            if self.clock.until(probe).is_zero() {
                listening.probe()?;
                backoff.reset();
                probe = self.clock.steady() + PROBE;
            }
        }
        Ok(())
    }
}
