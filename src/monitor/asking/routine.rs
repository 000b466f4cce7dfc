//! The sweep, which compares every streamer with the API, and the first complete comparison after the start.

use super::{Asking, Queue};
use crate::domain::ask::RequestId;
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::{Now, Status, Steady};
use crate::monitor::book::{Book, Timer};
use crate::monitor::streamer::Streamer;
use crate::monitor::streamers::{Key, Streamers};
use crate::monitor::times::USERS_BATCH;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::Duration;

/// The state of the sweep and of the first comparison.
#[derive(Debug)]
pub(super) struct Routine {
    born: Steady,
    /// Streamers of the first roster that no answer has covered yet.
    unmet: BTreeSet<Key>,
    ready: bool,
    every: Duration,
    cycle: Option<Cycle>,
    /// The streamers that are yet to be queued.
    pass: Option<Pass>,
    /// Statuses that the API corrected since the last sweep was complete.
    corrected: usize,
}

/// A sweep under way.
#[derive(Debug)]
struct Cycle {
    began: Steady,
    covers: usize,
    left: BTreeSet<Key>,
    /// The first request of this sweep. Answers to older requests may describe the time before it.
    first: RequestId,
    /// It was ordered: it waits for no quick turns.
    whole: bool,
    /// Another sweep was ordered meanwhile.
    again: bool,
    /// The streamers by coverage, and by whether they are asked about by user id.
    counts: [[usize; 2]; 2],
}

/// The streamers are queued some at a time, so that no push event waits for a large table.
#[derive(Clone, Copy, Debug)]
struct Pass {
    /// The last one that was looked at.
    after: Option<Key>,
    /// The sweep has just begun, and takes all of them; otherwise those that are left.
    anew: bool,
}

impl Routine {
    pub(super) fn new(now: Now, every: Duration) -> Routine {
        Routine { born: now.steady, unmet: BTreeSet::new(), ready: false, every, cycle: None, pass: None, corrected: 0 }
    }

    pub(super) fn forget(&mut self, key: Key) {
        self.unmet.remove(&key);
        if let Some(cycle) = &mut self.cycle {
            cycle.left.remove(&key);
        }
    }
}

impl Asking {
    /// Adds a new row to those that the first complete comparison must cover.
    pub(in crate::monitor) fn greet(&mut self, key: Key) {
        if !self.routine.ready {
            self.routine.unmet.insert(key);
        }
    }

    /// Returns true once every streamer of the first roster has been compared with Kick.
    pub(in crate::monitor) fn is_ready(&self) -> bool {
        self.routine.ready
    }

    /// Counts a status that the API corrected.
    pub(in crate::monitor) fn corrects(&mut self) {
        self.routine.corrected += 1;
    }

    /// Sets the interval of sweeps. Returns true if it changes.
    pub(in crate::monitor) fn sweep_every(&mut self, every: Duration) -> bool {
        std::mem::replace(&mut self.routine.every, every) != every
    }

    /// Plans the next sweep one interval from now, in place of the one that was planned.
    pub(in crate::monitor) fn schedule_sweep(&self, now: Now, book: &mut Book) {
        book.timers.retain(|(_, timer)| *timer != Timer::Sweep);
        book.at(now.steady + self.routine.every, Timer::Sweep);
    }

    /// Starts a sweep at once. If one is under way, another one follows it, because it may have compared some streamers
    /// before the order came.
    pub(in crate::monitor) fn order_sweep(&mut self, now: Now, streamers: &Streamers, book: &mut Book) {
        if self.is_sweeping(streamers) {
            self.routine.cycle.iter_mut().for_each(|cycle| (cycle.whole, cycle.again) = (true, true));
        }
        self.begin(now, true, streamers, book);
    }

    /// Compares every streamer with the API. If a sweep is still under way, it goes on instead.
    pub(in crate::monitor) fn begin_sweep(&mut self, now: Now, streamers: &Streamers, book: &mut Book) {
        self.begin(now, false, streamers, book);
    }

    fn begin(&mut self, now: Now, whole: bool, streamers: &Streamers, book: &mut Book) {
        self.schedule_sweep(now, book);
        self.weather.hope(now.steady);
        let anew = !self.is_sweeping(streamers);
        if anew {
            let (began, first, left) = (now.steady, self.next, BTreeSet::new());
            self.routine.cycle =
                Some(Cycle { began, covers: 0, left, first, whole, again: false, counts: Default::default() });
        }
        self.routine.pass.get_or_insert(Pass { after: None, anew });
        self.go_on_sweeping(now, streamers, book);
    }

    /// Returns true if not all streamers are queued yet that a sweep is to compare.
    pub(super) fn is_passing(&self) -> bool {
        self.routine.pass.is_some()
    }

    /// Queues some more of the streamers that a sweep is to compare. Names that Kick does not know have their own pace.
    pub(in crate::monitor) fn go_on_sweeping(&mut self, now: Now, streamers: &Streamers, book: &mut Book) {
        let Some(pass) = self.routine.pass.take() else { return };
        let Some(mut cycle) = self.routine.cycle.take() else { return };
        let (mut last, mut seen) = (pass.after, 0);
        if pass.anew {
            for (key, streamer) in streamers.after(pass.after).take(self.slice) {
                (last, seen) = (Some(key), seen + 1);
                if streamer.ids.unknown {
                    continue;
                }
                cycle.covers += 1;
                cycle.left.insert(key);
                cycle.counts[usize::from(streamer.covered)][usize::from(streamer.ids.user.is_some())] += 1;
                if cycle.whole || !self.has_quick_turns(now.steady, key) {
                    self.put(Queue::Routine, key);
                }
                if streamer.belief.status == Some(Status::Online) {
                    self.reveal_channel(key, streamers);
                }
            }
        } else {
            let flying: BTreeSet<Key> =
                self.flights.values().flat_map(|flight| flight.keys.iter().map(|(key, _)| *key)).collect();
            let from = pass.after.map_or(Bound::Unbounded, Bound::Excluded);
            for key in cycle.left.range((from, Bound::Unbounded)).take(self.slice).copied() {
                (last, seen) = (Some(key), seen + 1);
                if !flying.contains(&key) && (cycle.whole || !self.has_quick_turns(now.steady, key)) {
                    self.put(Queue::Routine, key);
                }
            }
        }
        if seen == self.slice {
            self.routine.pass = Some(Pass { after: last, ..pass });
        } else if pass.anew && cycle.covers > 0 {
            self.say_if_behind(now, cycle.counts, book);
        }
        self.routine.cycle = Some(cycle).filter(|cycle| cycle.covers > 0 || self.routine.pass.is_some());
    }

    /// R23: decides, after coverage has been judged, whether this streamer is compared in quick turns or by the sweep
    /// only. Names that Kick does not know have their own pace.
    pub(in crate::monitor) fn set_pace(&mut self, now: Now, key: Key, streamer: &mut Streamer) {
        match (streamer.ids.unknown, streamer.compared) {
            (true, Some(asked)) => {
                self.ages.remove(asked);
                streamer.compared = None;
            }
            (false, None) => {
                self.ages.add(now.steady);
                streamer.compared = Some(now.steady);
            }
            _ => {}
        }
        if let Some(asked) = streamer.compared.filter(|_| !streamer.covered) {
            return self.uncovered.add(key, asked);
        }
        // A sweep that had left the streamer to its quick turns must ask itself.
        let had = self.uncovered.remove(key);
        if had && self.routine.cycle.as_ref().is_some_and(|cycle| cycle.left.contains(&key)) {
            self.put(Queue::Routine, key);
        }
    }

    /// The answer to a request sent at `asked` compared this streamer with the API.
    pub(in crate::monitor) fn compared_at(&mut self, key: Key, asked: Steady, streamers: &mut Streamers) {
        let compared = streamers.get_mut(&key).and_then(|streamer| streamer.compared.as_mut());
        if let Some(before) = compared.filter(|before| **before < asked) {
            self.ages.remove(std::mem::replace(before, asked));
            self.ages.add(asked);
        }
    }

    /// The age that the last comparison does not exceed for this share of the streamers.
    pub(in crate::monitor) fn comparison_age(&self, now: Now, share: f64) -> Option<Duration> {
        self.ages.quantile(now.steady, share)
    }

    /// Returns true if quick turns compare this streamer within this sweep, without a request of its own (R23).
    fn has_quick_turns(&self, now: Steady, key: Key) -> bool {
        let waits = self.uncovered.waits_since(key).map(|asked| now.since(asked));
        let quick = self.uncovered.every().is_some() && waits.is_some_and(|waits| waits < self.routine.every / 2);
        quick && !self.poison.is_alone(key)
    }

    /// Returns true if a sweep is under way and only needs time. If the streamers left over cannot be asked about at
    /// present, the next sweep starts again with all streamers, and they delay nobody.
    fn is_sweeping(&self, streamers: &Streamers) -> bool {
        let left = self.routine.cycle.as_ref().map(|cycle| cycle.left.iter().copied());
        self.is_passing() || left.is_some_and(|left| !self.are_unreachable(left, streamers))
    }

    /// The interval at which streamers not covered by push are compared, as far as the budget allows (R23). `None` if
    /// there are no such streamers, or if they have no pace of their own.
    pub(in crate::monitor) fn uncovered_every(&self) -> Option<Duration> {
        let every = self.uncovered.every().filter(|_| self.uncovered.len() > 0)?;
        Some(every.max(self.budget.time_for(self.uncovered.len().div_ceil(USERS_BATCH))))
    }

    /// R22: reports a sweep that takes longer than its interval, with the interval that would fit. Streamers not
    /// covered by push use up to half of the budget meanwhile (R23).
    fn say_if_behind(&self, now: Now, counts: [[usize; 2]; 2], book: &mut Book) {
        let requests = |[named, listed]: [usize; 2]| listed.div_ceil(USERS_BATCH) + named.div_ceil(self.batch);
        let [uncovered, covered] = counts.map(requests);
        let all = self.budget.time_for(covered + uncovered);
        let takes = match self.uncovered.every() {
            Some(every) => {
                let whole = 1.0 / self.budget.time_for(1).as_secs_f64();
                let left = (whole - uncovered as f64 / every.as_secs_f64()).max(whole / 2.0);
                all.max(Duration::from_secs_f64(covered as f64 / left))
            }
            None => all,
        };
        let fitting = takes.as_secs() + 1;
        if takes <= self.routine.every {
            book.troubles.settle(Code::SweepBehind, "");
            return;
        }
        let streamers = counts.iter().flatten().sum();
        let words = format!("{fitting} s would fit {streamers} streamers");
        if book.troubles.raise(now, Code::SweepBehind, "", words, "") {
            book.log(Event::SweepBehind { streamers, seconds: takes.as_secs_f64(), fitting });
        }
    }

    /// Takes note that the answer to this request covered this streamer, whatever it said.
    pub(in crate::monitor) fn compared(&mut self, key: Key, request: RequestId) {
        self.routine.unmet.remove(&key);
        if self.routine.cycle.as_ref().is_some_and(|cycle| request < cycle.first) {
            return;
        }
        self.take(Queue::Routine, &[key]);
        if let Some(cycle) = &mut self.routine.cycle {
            cycle.left.remove(&key);
        }
    }

    /// Reports a sweep that is complete, and starts one that was ordered meanwhile.
    pub(in crate::monitor) fn check_swept(&mut self, now: Now, streamers: &Streamers, book: &mut Book) {
        let passes = self.is_passing();
        let Some(cycle) = self.routine.cycle.take_if(|cycle| cycle.left.is_empty() && !passes) else { return };
        let seconds = now.steady.since(cycle.began).as_secs_f64();
        book.last_sweep = Some((now.steady, seconds));
        let corrected = std::mem::take(&mut self.routine.corrected);
        book.log(Event::SweepDone { streamers: cycle.covers, seconds, corrected });
        if cycle.again {
            self.begin(now, true, streamers, book);
        }
    }

    /// Reports, once, that every streamer of the roster has been compared.
    pub(in crate::monitor) fn check_ready(&mut self, now: Now, streamers: &Streamers, book: &mut Book) {
        if self.routine.ready || !self.routine.unmet.is_empty() {
            return;
        }
        self.routine.ready = true;
        book.troubles.changed = true;
        book.last_sweep.get_or_insert((now.steady, now.steady.since(self.routine.born).as_secs_f64()));
        book.log(Event::Ready {
            version: env!("CARGO_PKG_VERSION"),
            seconds: now.steady.since(self.routine.born).as_secs_f64(),
            streamers: streamers.len(),
        });
    }
}
