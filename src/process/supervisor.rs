//! Keeps workers alive, and ends them in order. It knows no worker: each is a [`Spec`].
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
//! It has no thread: the main thread calls it. A worker is told to stop by hanging up, and by
//! dropping what could make it again, for that holds clones of its channels. Two workers of one
//! name never run at once.

mod restarts;
#[cfg(test)]
mod tests;

use crate::clock::{Clock, Pulse};
use crate::domain::Steady;
use crate::domain::event::Event;
use crate::repeats::Repeats;
use crate::stop::{Stop, StopSource, stop_pair};
use crate::thread::{self, Exit, How};
use crossbeam_channel::{Receiver, Sender, unbounded};
use restarts::{Restarts, Verdict};
use std::collections::BTreeMap;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a worker may take until its first turn.
const FIRST_TURN: Duration = Duration::from_secs(30);

/// One life of a worker: runs until its `Stop`, or the hanging up of a channel, tells it to end,
/// and then returns `Ok`.
pub(super) type Body = Box<dyn FnOnce(&Pulse, Stop) -> anyhow::Result<()> + Send>;

/// A worker, and how to make it anew.
pub(super) struct Spec {
    /// The thread's name, at most 15 bytes; no two workers share one.
    pub name: String,
    /// When it is told to stop.
    pub stage: Stage,
    /// Whether the process cannot go on without this very life of it: it is never restarted.
    pub vital: bool,
    /// Makes a fresh body.
    pub make: Box<dyn FnMut() -> Body>,
}

/// The place in the order of stopping: lower ones first, and all of one have ended before the next
/// is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stage(pub u8);

/// A worker cannot be kept alive; the process is to end in order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Fatal(pub String);

/// All workers.
pub(super) struct Supervisor {
    clock: Clock,
    rng: fastrand::Rng,
    workers: BTreeMap<String, Worker>,
    // Control is never blocked: unbounded, and one message a thread's life.
    report: Sender<Exit>,
    exits: Receiver<Exit>,
    repeats: Repeats,
}

enum Worker {
    Running(Spec, Restarts, Run),
    Resting(Spec, Restarts, Steady),
    Leaving(Stage, Ending, Option<Spec>),
}

/// A thread that runs.
struct Run {
    // Dropping a run hangs up.
    _stop: StopSource,
    ending: Ending,
}

/// What remains of a thread that is told to stop.
struct Ending {
    pulse: Pulse,
    handle: JoinHandle<()>,
}

impl Supervisor {
    /// Without any worker. `seed` is for the jitter of pauses.
    pub(super) fn new(clock: Clock, seed: u64) -> Supervisor {
        let (report, exits) = unbounded();
        let (rng, repeats) = (fastrand::Rng::with_seed(seed), Repeats::default());
        Supervisor { clock, rng, workers: BTreeMap::new(), report, exits, repeats }
    }

    /// The ends of threads, to be given to [`Supervisor::ended`].
    pub(super) fn exits(&self) -> &Receiver<Exit> {
        &self.exits
    }

    /// Where other threads of the process report their end; [`Supervisor::ended`] takes any such
    /// end for a bug, but for being told to.
    pub(super) fn report(&self) -> &Sender<Exit> {
        &self.report
    }

    /// Starts a worker. One of the same name is told to stop, and the new one starts when it has.
    pub(super) fn add(&mut self, now: Steady, spec: Spec) -> Result<(), Fatal> {
        self.remove(&spec.name);
        match self.workers.get_mut(&spec.name) {
            Some(Worker::Leaving(_, _, successor)) => *successor = Some(spec),
            _ => self.start(now, spec, Restarts::default())?,
        }
        Ok(())
    }

    /// Tells a worker to stop; its end comes through [`Supervisor::exits`]. One that there is not,
    /// or that is told already, is no error.
    pub(super) fn remove(&mut self, name: &str) {
        match self.workers.remove(name) {
            Some(Worker::Running(spec, _, run)) => {
                self.workers.insert(spec.name, Worker::Leaving(spec.stage, run.ending, None));
            }
            Some(Worker::Leaving(stage, ending, _)) => {
                self.workers.insert(name.to_owned(), Worker::Leaving(stage, ending, None));
            }
            Some(Worker::Resting(..)) | None => {}
        }
    }

    /// Whether there is a worker of this name; one that was told to stop is there until it has ended.
    pub(super) fn has(&self, name: &str) -> bool {
        self.workers.contains_key(name)
    }

    /// Tells every worker of a stage to stop.
    pub(super) fn remove_stage(&mut self, stage: Stage) {
        let of_stage = |(name, worker): (&String, &Worker)| (worker.stage() == stage).then(|| name.clone());
        for name in self.workers.iter().filter_map(of_stage).collect::<Vec<_>>() {
            self.remove(&name);
        }
    }

    /// A thread has ended: what comes next for it.
    pub(super) fn ended(&mut self, now: Steady, exit: Exit) -> Result<(), Fatal> {
        match self.workers.remove(&exit.name) {
            Some(Worker::Running(spec, restarts, run)) => {
                join(run.ending);
                self.fell(now, spec, restarts, exit.how)
            }
            Some(Worker::Leaving(_, ending, successor)) => {
                join(ending);
                match successor {
                    Some(spec) => self.start(now, spec, Restarts::default()),
                    None => Ok(()),
                }
            }
            Some(resting @ Worker::Resting(..)) => {
                self.workers.insert(exit.name, resting);
                Ok(())
            }
            None => match exit.how {
                How::Ended => Ok(()),
                how => Err(Fatal(format!("{} {}", exit.name, reason(how)))),
            },
        }
    }

    /// Starts what has rested long enough. Gives back when to come again, if anything still rests.
    pub(super) fn turn(&mut self, now: Steady) -> Result<Option<Steady>, Fatal> {
        let rested = |worker: &Worker| matches!(worker, Worker::Resting(_, _, until) if *until <= now);
        let due: Vec<String> = self.workers.iter().filter(|(_, w)| rested(w)).map(|(name, _)| name.clone()).collect();
        for name in due {
            if let Some(Worker::Resting(spec, restarts, _)) = self.workers.remove(&name) {
                self.start(now, spec, restarts)?;
            }
        }
        let until = |worker: &Worker| match worker {
            Worker::Resting(_, _, until) => Some(*until),
            Worker::Running(..) | Worker::Leaving(..) => None,
        };
        Ok(self.workers.values().filter_map(until).min())
    }

    /// The threads that did not keep their promise to be back; the watchdog is fed while there are
    /// none.
    pub(super) fn stale(&self) -> Vec<&str> {
        let stale = |worker: &Worker| match worker {
            Worker::Running(_, _, run) => !run.ending.pulse.fresh(),
            Worker::Leaving(_, ending, _) => !ending.pulse.fresh(),
            Worker::Resting(..) => false,
        };
        self.workers.iter().filter(|(_, worker)| stale(worker)).map(|(name, _)| name.as_str()).collect()
    }

    /// Ends everything, stage by stage, within `limit`: each stage may take half of what is left of
    /// it, the last one all. Gives back the names of those that did not end; their threads are
    /// abandoned.
    pub(super) fn stop(mut self, limit: Duration) -> Vec<String> {
        let deadline = self.clock.steady() + limit;
        let mut abandoned = Vec::new();
        while let Some(stage) = self.workers.values().map(Worker::stage).min() {
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

    /// Waits until no worker of `stage` is left, or `deadline`. What of the later stages ends
    /// meanwhile is not made again.
    fn wait_for_stage(&mut self, stage: Stage, deadline: Steady) {
        while self.workers.values().any(|worker| worker.stage() == stage) {
            let Ok(exit) = self.exits.recv_timeout(self.clock.until(deadline)) else { return };
            match self.workers.remove(&exit.name) {
                Some(Worker::Running(_, _, Run { ending, .. }) | Worker::Leaving(_, ending, _)) => join(ending),
                Some(Worker::Resting(..)) | None => {}
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
                self.workers.insert(spec.name.clone(), Worker::Running(spec, restarts, run));
                Ok(())
            }
            Err(error) if spec.vital => Err(Fatal(format!("{}: failed to start the thread: {error}", spec.name))),
            Err(error) => {
                self.wait_for_a_thread(now, spec, restarts, &error);
                Ok(())
            }
        }
    }

    /// The system has no thread to give: that is no failure of the worker, however long it lasts.
    fn wait_for_a_thread(&mut self, now: Steady, spec: Spec, mut restarts: Restarts, error: &io::Error) {
        let thread = spec.name.clone();
        let until = now + restarts.not_begun(&mut self.rng);
        self.workers.insert(thread.clone(), Worker::Resting(spec, restarts, until));
        // A thousand connections may wait for theirs.
        if self.repeats.fails(now, "thread", &error.to_string()) {
            Event::ThreadRestarted { thread, reason: format!("failed to start the thread: {error}") }.say();
        }
    }

    /// What to do about a worker that ended without our doing.
    fn fell(&mut self, now: Steady, spec: Spec, mut restarts: Restarts, how: How) -> Result<(), Fatal> {
        let thread = spec.name.clone();
        if spec.vital {
            return Err(Fatal(format!("{thread} {}", reason(how))));
        }
        if how == How::Ended {
            // Its channel was hung up: that is the other way to be told.
            return Ok(());
        }
        let reason = reason(how);
        match restarts.failed(now, &mut self.rng) {
            Verdict::RestartAfter(pause) => {
                self.workers.insert(thread.clone(), Worker::Resting(spec, restarts, now + pause));
                Event::ThreadRestarted { thread, reason }.say();
                Ok(())
            }
            Verdict::GiveUp => Err(Fatal(format!("{thread} failed too often; at last it {reason}"))),
        }
    }
}

impl Worker {
    fn stage(&self) -> Stage {
        match self {
            Worker::Running(spec, ..) | Worker::Resting(spec, ..) => spec.stage,
            Worker::Leaving(stage, ..) => *stage,
        }
    }
}

/// The thread has said its last word, so this does not wait.
fn join(ending: Ending) {
    // It catches its panics and reports them as its end.
    let _ = ending.handle.join();
}

fn reason(how: How) -> String {
    match how {
        How::Ended => "ended by itself".to_owned(),
        How::Failed(text) => format!("failed: {text}"),
        How::Panicked(text) => format!("panicked: {text}"),
    }
}
