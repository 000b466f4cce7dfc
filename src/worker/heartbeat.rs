//! The thread `heartbeat`: asks `HEARTBEAT_URL` while the daemon does its work, so that its silence tells somebody
//! elsewhere.
//!
//! The hub says every two seconds how it is. So nothing is asked when the hub, the one that matters, hangs. Nothing
//! waits for this thread.

use crate::clock::{Clock, Pulse};
use crate::domain::Steady;
use crate::domain::event::Event;
use crate::domain::problem::Health;
use crate::gateway::heartbeat::Switch;
use crate::monitor::io::Input;
use crate::repeats::Repeats;
use crate::stop::{Received, Stop};
use crate::worker::Worker;
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;
use std::time::Duration;

/// The longest pause between two requests: services of this kind allow for a minute at the least.
const EVERY_MAX: Duration = Duration::from_secs(60);
/// The longest wait for the hub before the thread shows that it is alive.
const TURN: Duration = Duration::from_secs(20);
/// For how long what the hub said holds: it speaks every two seconds.
const FRESH: Duration = Duration::from_secs(5);
/// What a failure is called in `Repeats`.
const ASKING: &str = "HEARTBEAT_URL";

#[derive(Clone, Debug)]
pub(crate) struct Heartbeat {
    pub switch: Arc<Switch>,
    /// `HEARTBEAT_SECS`; `None` for 0, which turns off the line in the log alone.
    pub every: Option<Duration>,
    /// The health, from the hub. Capacity 1: while a request is out, one message waits, and later ones are dropped.
    pub health: Receiver<Health>,
    pub inputs: Sender<Input>,
    pub clock: Clock,
}

impl Worker for Heartbeat {
    /// Asks until the stop.
    fn run(self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        let pause = pause(self.every);
        // What waits may be from before this thread.
        let _ = self.health.try_recv();
        let mut due = Steady::default();
        let mut heard = None;
        let (mut failures, mut repeats) = (0, Repeats::default());
        loop {
            pulse.promise(2 * TURN);
            let works = |now: Steady, heard: Option<(Health, Steady)>| {
                heard.is_some_and(|(health, at)| health != Health::Failing && now.since(at) <= FRESH)
            };
            let now = self.clock.steady();
            let wait = if works(now, heard) { due.since(now).min(TURN) } else { TURN };
            match stop.recv(&self.health, wait) {
                Received::Message(health) => heard = Some((health, self.clock.steady())),
                Received::Nothing => {}
                Received::HungUp | Received::Stopped => return self.end(),
            }
            let now = self.clock.steady();
            if !works(now, heard) || now < due {
                continue;
            }
            due = next(due, now, pause);
            let asked = self.switch.ask();
            // A stop aborts the request; its failure says nothing about the service.
            if stop.is_stopped() || !self.report(asked, &mut failures, &mut repeats) {
                return self.end();
            }
        }
    }
}

impl Heartbeat {
    /// A failure that nothing tries to mend is no problem any more.
    fn end(&self) -> anyhow::Result<()> {
        let _ = self.inputs.send(Input::Heartbeat(None));
        Ok(())
    }

    /// Logs a failure as it begins, changes and ends, and tells the core. False if the core is gone.
    fn report(&self, asked: Result<(), String>, failures: &mut u64, repeats: &mut Repeats) -> bool {
        match &asked {
            Ok(()) => {
                if repeats.works(ASKING) {
                    Event::HeartbeatRecovered { failures: *failures }.say();
                }
                *failures = 0;
            }
            Err(reason) => {
                *failures += 1;
                if repeats.fails(self.clock.steady(), ASKING, reason) {
                    Event::HeartbeatFailed { reason: reason.clone() }.say();
                }
            }
        }
        self.inputs.send(Input::Heartbeat(asked.err())).is_ok()
    }
}

/// How long after one request the next one is due.
fn pause(every: Option<Duration>) -> Duration {
    every.map_or(EVERY_MAX, |every| every.min(EVERY_MAX))
}

/// When the next request is due, after one that was due at `due` and is sent `now`: as often as is wanted on average.
fn next(due: Steady, now: Steady, pause: Duration) -> Steady {
    if now.since(due) < pause { due + pause } else { now + pause }
}

#[cfg(test)]
mod tests {
    use super::{next, pause};
    use crate::domain::Steady;
    use std::time::Duration;

    #[test]
    fn a_request_that_is_late_does_not_put_off_the_next_one() {
        let at = |millis| Steady::after(Duration::from_millis(millis));
        for (due, now, then) in [(60_000, 60_020, 120_000), (60_000, 119_999, 120_000), (60_000, 200_000, 260_000)] {
            assert_eq!(next(at(due), at(now), Duration::from_secs(60)), at(then), "{due} {now}");
        }
    }

    #[test]
    fn it_is_asked_once_a_minute_at_least_whatever_the_log_says() {
        for (every, seconds) in [(None, 60), (Some(300), 60), (Some(86_400), 60), (Some(60), 60), (Some(7), 7)] {
            assert_eq!(pause(every.map(Duration::from_secs)), Duration::from_secs(seconds), "{every:?}");
        }
    }
}
