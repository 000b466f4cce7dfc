//! Listens on `ROSTER_NOTIFY_CHANNEL` and nudges the roster.
//!
//! The core is told whether anybody listens, and no more: the roster's poll tells how the database is,
//! and finds what was missed here.

use crate::backoff::Backoff;
use crate::clock::{Clock, Pulse};
use crate::gateway::database::{Database, DbError};
use crate::monitor::io::Input;
use crate::stop::Stop;
use crossbeam_channel::{Sender, TrySendError};
use std::sync::Arc;
use std::time::Duration;

/// docs/rules.md, "Times": database reconnection.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(5);
/// The driver cannot be woken, so this is how long a stop may take to be seen.
const TURN: Duration = Duration::from_secs(1);
/// How often the connection shows that it is heard: one that died says nothing.
const BEAT: Duration = Duration::from_secs(10);
/// How long a heartbeat may take.
const ANSWER: Duration = Duration::from_secs(5);
/// A turn with a connection attempt or a heartbeat in it.
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
    /// To the core; full means wait.
    pub inputs: Sender<Input>,
    /// For the time of the next heartbeat.
    pub clock: Clock,
    /// For the jitter of pauses, and the name of the heartbeat.
    pub rng: fastrand::Rng,
}

impl Listener {
    /// Listens until it is stopped, or the roster is gone.
    pub fn run(&mut self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MOST);
        loop {
            let ended = self.listen(pulse, stop, &mut backoff);
            let why = ended.as_ref().err().map(ToString::to_string);
            let over = ended.is_ok() || !self.tell(why);
            if over || stop.wait(backoff.next(&mut self.rng)) {
                return Ok(());
            }
        }
    }

    fn tell(&self, why_not: Option<String>) -> bool {
        self.inputs.send(Input::Listening(why_not)).is_ok()
    }

    /// One connection's life; an end without an error means to stop.
    fn listen(&mut self, pulse: &Pulse, stop: &Stop, backoff: &mut Backoff) -> Result<(), DbError> {
        pulse.promise(LONG_TURN);
        let heartbeat = format!("kick_monitor_alive_{:016x}", self.rng.u64(..));
        let mut listening = self.database.listen(&self.channel, &heartbeat)?;
        // What was notified while nobody listened is in the table by now.
        let mut nudge = true;
        let mut beat = self.clock.steady();
        let mut answer = None;
        let mut proven = false;
        while !stop.is_stopped() {
            if nudge && self.nudge.try_send(()) == Err(TrySendError::Disconnected(())) {
                break;
            }
            pulse.promise(LONG_TURN);
            if self.clock.until(beat).is_zero() {
                listening.beat(&self.database)?;
                beat = self.clock.steady() + BEAT;
                answer = Some(self.clock.steady() + ANSWER);
            }
            nudge = listening.wait(TURN)?;
            match answer {
                Some(_) if listening.is_alive() => {
                    answer = None;
                    backoff.reset();
                    if !std::mem::replace(&mut proven, true) && !self.tell(None) {
                        break;
                    }
                }
                Some(due) if self.clock.until(due).is_zero() => return Err(listening.silence()),
                _ => {}
            }
        }
        Ok(())
    }
}
