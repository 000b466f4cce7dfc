//! Keeps workers running and ends them in order. It does not know what a worker does: each is a [`Spec`].
//!
//! ```text
//!            add                   error or panic             too often, or vital
//!   (none) ───────► running ───────────────────► resting ───► Fatal
//!     ▲              ▲    │ remove, add             │
//!     │              └────┼──────────── time ───────┘
//!     │   ended           ▼
//!     └──────────────── leaving ──── ended, with a successor ───► running
//! ```
//!
//! It has no thread of its own: the main thread calls it. A worker is told to stop by dropping its `StopSource` and its
//! [`Spec`], because the `Spec` holds clones of its channels. Two workers of one name never run at the same time.

mod restarts;
#[cfg(test)]
mod tests;

use crate::clock::{Clock, Pulse};
use crate::domain::Steady;
use crate::domain::event::Event;
use crate::repeats::Repeats;
use crate::stop::{Stop, StopSource, stop_pair};
use crate::thread::{self, Exit, How};
use crate::worker::Worker;
use crossbeam_channel::{Receiver, Sender, unbounded};
use restarts::{AfterFailure, Restarts};
use std::collections::BTreeMap;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

/// The time that a worker has until its first turn.
const FIRST_TURN: Duration = Duration::from_secs(30);

/// One run of a worker. It ends when its `Stop` or the end of a channel tells it to, and then returns `Ok`.
pub(super) type Body = Box<dyn FnOnce(&Pulse, Stop) -> anyhow::Result<()> + Send>;

/// A worker, and how to restart it.
pub(super) struct Spec {
    /// The thread's name, at most 15 bytes and unique.
    pub name: String,
    /// The stage in which it is told to stop.
    pub stage: Stage,
    /// Whether the process cannot continue without this run of the worker, so that it is never restarted.
    pub vital: bool,
    /// Makes the body of the next run.
    pub make: Box<dyn FnMut() -> Body>,
}

impl Spec {
    /// A worker that `make` makes for each of its runs.
    pub(super) fn new<W: Worker>(name: &str, stage: Stage, mut make: impl FnMut() -> W + 'static) -> Spec {
        let make = move || -> Body {
            let worker = make();
            Box::new(move |pulse, stop| worker.run(pulse, &stop))
        };
        Spec { name: name.to_owned(), stage, vital: false, make: Box::new(make) }
    }
}

/// A stage in the order of stopping. Lower stages come first, and all workers of a stage have ended before those of
/// the next are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stage(pub u8);

/// A worker cannot be kept running; the process is to end in order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Fatal(pub String);

/// All workers and their threads, by name.
pub(super) struct Supervisor {
    clock: Clock,
    rng: fastrand::Rng,
    workers: BTreeMap<String, State>,
    // Unbounded, because control messages never block. There is one message per thread.
    report: Sender<Exit>,
    exits: Receiver<Exit>,
    repeats: Repeats,
}

enum State {
    Running(Spec, Restarts, Run),
    Resting(Spec, Restarts, Steady),
    Leaving(Stage, Ending, Option<Spec>),
}

/// A running thread.
struct Run {
    // Dropping it tells the thread to stop.
    _stop: StopSource,
    ending: Ending,
}

/// A thread that was told to stop.
struct Ending {
    pulse: Pulse,
    handle: JoinHandle<()>,
}

impl Supervisor {
    /// Creates a supervisor without workers. `seed` is for the jitter of pauses.
    pub(super) fn new(clock: Clock, seed: u64) -> Supervisor {
        let (report, exits) = unbounded();
        let (rng, repeats) = (fastrand::Rng::with_seed(seed), Repeats::default());
        Supervisor { clock, rng, workers: BTreeMap::new(), report, exits, repeats }
    }

    /// The ends of threads. Pass each to [`Supervisor::ended`].
    pub(super) fn exits(&self) -> &Receiver<Exit> {
        &self.exits
    }

    /// Where other threads of the process report their end. [`Supervisor::ended`] takes an end without an order to
    /// stop for a bug.
    pub(super) fn report(&self) -> &Sender<Exit> {
        &self.report
    }

    /// Starts a worker. If one of this name exists, it is told to stop, and the new one starts after its end.
    pub(super) fn add(&mut self, now: Steady, spec: Spec) -> Result<(), Fatal> {
        self.remove(&spec.name);
        match self.workers.get_mut(&spec.name) {
            Some(State::Leaving(_, _, successor)) => *successor = Some(spec),
            _ => self.start(now, spec, Restarts::default())?,
        }
        Ok(())
    }

    /// Tells a worker to stop; its end arrives through [`Supervisor::exits`]. Does nothing if there is no such worker
    /// or if it was told already.
    pub(super) fn remove(&mut self, name: &str) {
        match self.workers.remove(name) {
            Some(State::Running(spec, _, run)) => {
                self.workers.insert(spec.name, State::Leaving(spec.stage, run.ending, None));
            }
            Some(State::Leaving(stage, ending, _)) => {
                self.workers.insert(name.to_owned(), State::Leaving(stage, ending, None));
            }
            Some(State::Resting(..)) | None => {}
        }
    }

    /// Returns true if there is a worker of this name. One that was told to stop counts until it has ended.
    pub(super) fn has(&self, name: &str) -> bool {
        self.workers.contains_key(name)
    }

    /// Tells every worker of a stage to stop.
    pub(super) fn remove_stage(&mut self, stage: Stage) {
        let of_stage = |(name, worker): (&String, &State)| (worker.stage() == stage).then(|| name.clone());
        for name in self.workers.iter().filter_map(of_stage).collect::<Vec<_>>() {
            self.remove(&name);
        }
    }

    /// Decides what follows from the end of a thread.
    pub(super) fn ended(&mut self, now: Steady, exit: Exit) -> Result<(), Fatal> {
        match self.workers.remove(&exit.name) {
            Some(State::Running(spec, restarts, run)) => {
                join(run.ending);
                self.fell(now, spec, restarts, exit.how)
            }
            Some(State::Leaving(_, ending, successor)) => {
                join(ending);
                match successor {
                    Some(spec) => self.start(now, spec, Restarts::default()),
                    None => Ok(()),
                }
            }
            Some(resting @ State::Resting(..)) => {
                self.workers.insert(exit.name, resting);
                Ok(())
            }
            None => match exit.how {
                How::Ended => Ok(()),
                how => Err(Fatal(format!("{} {}", exit.name, reason(how)))),
            },
        }
    }

    /// Restarts the workers whose pause is over. Returns when to call this again, if any worker still pauses.
    pub(super) fn turn(&mut self, now: Steady) -> Result<Option<Steady>, Fatal> {
        let rested = |worker: &State| matches!(worker, State::Resting(_, _, until) if *until <= now);
        let due: Vec<String> = self.workers.iter().filter(|(_, w)| rested(w)).map(|(name, _)| name.clone()).collect();
        for name in due {
            if let Some(State::Resting(spec, restarts, _)) = self.workers.remove(&name) {
                self.start(now, spec, restarts)?;
            }
        }
        let until = |worker: &State| match worker {
            State::Resting(_, _, until) => Some(*until),
            State::Running(..) | State::Leaving(..) => None,
        };
        Ok(self.workers.values().filter_map(until).min())
    }

    /// The threads that did not keep their promise to return to their loop. The watchdog is fed only while there are
    /// none.
    pub(super) fn stale(&self) -> Vec<&str> {
        let stale = |worker: &State| match worker {
            State::Running(_, _, run) => !run.ending.pulse.fresh(),
            State::Leaving(_, ending, _) => !ending.pulse.fresh(),
            State::Resting(..) => false,
        };
        self.workers.iter().filter(|(_, worker)| stale(worker)).map(|(name, _)| name.as_str()).collect()
    }

    /// Ends everything, stage by stage, within `limit`. Each stage may take half of the remaining time, the last one
    /// all of it. Returns the names of the workers that did not end; their threads are abandoned.
    pub(super) fn stop(mut self, limit: Duration) -> Vec<String> {
        let deadline = self.clock.steady() + limit;
        let mut abandoned = Vec::new();
        while let Some(stage) = self.workers.values().map(State::stage).min() {
            self.remove_stage(stage);
            let last = self.workers.values().all(|worker| worker.stage() == stage);
            let left = self.clock.until(deadline);
            self.wait_for_stage(stage, self.clock.steady() + if last { left } else { left / 2 });
            self.workers.retain(|name, worker| {
                let stays = worker.stage() != stage;
                if !stays {
                    abandoned.push(name.clone());
                }
                stays
            });
        }
        abandoned
    }

    /// Waits until no worker of `stage` is left, or until `deadline`. Workers of later stages that end meanwhile are
    /// not restarted.
    fn wait_for_stage(&mut self, stage: Stage, deadline: Steady) {
        while self.workers.values().any(|worker| worker.stage() == stage) {
            let Ok(exit) = self.exits.recv_timeout(self.clock.until(deadline)) else { return };
            match self.workers.remove(&exit.name) {
                Some(State::Running(_, _, Run { ending, .. }) | State::Leaving(_, ending, _)) => join(ending),
                Some(State::Resting(..)) | None => {}
            }
        }
    }

    fn start(&mut self, now: Steady, mut spec: Spec, restarts: Restarts) -> Result<(), Fatal> {
        let (source, stop) = stop_pair();
        let pulse = Pulse::new(self.clock, FIRST_TURN);
        let (body, own) = ((spec.make)(), pulse.clone());
        match thread::spawn(&spec.name, &self.report, move || body(&own, stop)) {
            Ok(handle) => {
                let run = Run { _stop: source, ending: Ending { pulse, handle } };
                self.workers.insert(spec.name.clone(), State::Running(spec, restarts, run));
                Ok(())
            }
            Err(error) if spec.vital => Err(Fatal(format!("{}: failed to start the thread: {error}", spec.name))),
            Err(error) => {
                self.wait_for_a_thread(now, spec, restarts, &error);
                Ok(())
            }
        }
    }

    /// The system cannot create a thread. That does not count as a failure of the worker, however long it lasts.
    fn wait_for_a_thread(&mut self, now: Steady, spec: Spec, mut restarts: Restarts, error: &io::Error) {
        let thread = spec.name.clone();
        let until = now + restarts.not_begun(&mut self.rng);
        self.workers.insert(thread.clone(), State::Resting(spec, restarts, until));
        // A thousand connections may be waiting for threads at the same time.
        if self.repeats.fails(now, "thread", &error.to_string()) {
            Event::ThreadRestarted { thread, reason: format!("failed to start the thread: {error}") }.say();
        }
    }

    /// Decides what to do about a worker that ended without being told to.
    fn fell(&mut self, now: Steady, spec: Spec, mut restarts: Restarts, how: How) -> Result<(), Fatal> {
        let thread = spec.name.clone();
        if spec.vital {
            return Err(Fatal(format!("{thread} {}", reason(how))));
        }
        if how == How::Ended {
            // Its channel ended, which is the other way to be told to stop.
            return Ok(());
        }
        let reason = reason(how);
        match restarts.failed(now, &mut self.rng) {
            AfterFailure::RestartAfter(pause) => {
                self.workers.insert(thread.clone(), State::Resting(spec, restarts, now + pause));
                Event::ThreadRestarted { thread, reason }.say();
                Ok(())
            }
            AfterFailure::GiveUp => Err(Fatal(format!("{thread} failed too often; at last it {reason}"))),
        }
    }
}

impl State {
    fn stage(&self) -> Stage {
        match self {
            State::Running(spec, ..) | State::Resting(spec, ..) => spec.stage,
            State::Leaving(stage, ..) => *stage,
        }
    }
}

/// The thread has reported its end, so this does not block.
fn join(ending: Ending) {
    // The thread catches its panics and reports them as its end.
    let _ = ending.handle.join();
}

fn reason(how: How) -> String {
    match how {
        How::Ended => "ended by itself".to_owned(),
        How::Failed(text) => format!("failed: {text}"),
        How::Panicked(text) => format!("panicked: {text}"),
    }
}
