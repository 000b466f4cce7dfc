//! The thread `listener`: listens on `ROSTER_NOTIFY_CHANNEL` and nudges the roster worker.
//!
//! The core learns only whether notifications can arrive. The state of the database comes from the roster's regular
//! reads, which also find what was missed here.

use crate::backoff::Backoff;
use crate::clock::{Clock, Pulse};
use crate::domain::row::Nudge;
use crate::gateway::database::{Database, DbError};
use crate::monitor::io::Input;
use crate::stop::Stop;
use crate::worker::Worker;
use crossbeam_channel::{Sender, TrySendError};
use std::sync::Arc;
use std::time::Duration;

/// The pauses before reconnecting to the database (docs/rules.md, "Times").
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(5);
/// The driver cannot be woken, so a stop is noticed after this time at the latest.
const TURN: Duration = Duration::from_secs(1);
/// How often a heartbeat checks that notifications still arrive: a dead connection shows no error.
const BEAT: Duration = Duration::from_secs(10);
/// How long a heartbeat may take to arrive.
const ANSWER: Duration = Duration::from_secs(5);
/// What the pulse allows for a turn with a connection attempt or a heartbeat.
const LONG_TURN: Duration = Duration::from_secs(60);

/// The state of the thread `listener`.
#[derive(Clone, Debug)]
pub struct Listener {
    /// `ROSTER_NOTIFY_CHANNEL`
    pub channel: String,
    /// Nudges the roster worker. If the channel is full, a read is due anyway.
    pub nudge: Sender<Nudge>,
    /// The database to listen at.
    pub database: Arc<Database>,
    /// The channel to the core; a full one makes the listener wait.
    pub inputs: Sender<Input>,
    /// Times the heartbeats.
    pub clock: Clock,
    /// For the jitter of pauses and the name of the heartbeat's channel.
    pub rng: fastrand::Rng,
}

impl Worker for Listener {
    /// Runs until the stop comes, or the core or the roster worker is gone.
    fn run(mut self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
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
}

impl Listener {
    fn tell(&self, why_not: Option<String>) -> bool {
        self.inputs.send(Input::Listening(why_not)).is_ok()
    }

    /// Listens on one connection until it fails. Returns `Ok` if the listener is to end.
    fn listen(&mut self, pulse: &Pulse, stop: &Stop, backoff: &mut Backoff) -> Result<(), DbError> {
        pulse.promise(LONG_TURN);
        let heartbeat = format!("kick_monitor_alive_{:016x}", self.rng.u64(..));
        let mut listening = self.database.listen(&self.channel, &heartbeat)?;
        // Changes notified before the connection was made are in the table by now.
        let mut nudge = true;
        let mut beat = self.clock.steady();
        let mut answer = None;
        let mut proven = false;
        while !stop.is_stopped() {
            if nudge && matches!(self.nudge.try_send(Nudge::Notified), Err(TrySendError::Disconnected(_))) {
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
