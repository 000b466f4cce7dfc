//! What happens by the clock: the routine sweep, the first complete comparison, the heartbeat.

use super::asking::Queue;
use super::times::USERS_BATCH;
use super::{Key, Monitor, Timer};
use crate::domain::ask::RequestId;
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::{Now, Status, Steady};
use std::collections::{BTreeMap, BTreeSet};

/// The state of the routine.
#[derive(Debug)]
pub(super) struct Routine {
    born: Steady,
    /// Streamers of the first roster that no answer has covered yet.
    unmet: BTreeSet<Key>,
    pub(super) ready: bool,
    cycle: Option<Cycle>,
    /// Statuses that the API put right since a sweep was last done.
    pub(super) corrected: usize,
    /// Changes that the sweep found and push has until then to tell of (R11).
    pub(super) expected_push: BTreeMap<(Key, Status), Steady>,
}

/// One sweep.
#[derive(Debug)]
struct Cycle {
    began: Steady,
    covers: usize,
    left: BTreeSet<Key>,
    /// The first request that is of the sweep; the answer to an older one may say what was before it.
    first: RequestId,
    /// Another sweep was ordered meanwhile.
    again: bool,
}

impl Routine {
    pub(super) fn new(now: Now) -> Routine {
        Routine {
            born: now.steady,
            unmet: BTreeSet::new(),
            ready: false,
            cycle: None,
            corrected: 0,
            expected_push: BTreeMap::new(),
        }
    }

    /// A new row, which the first complete comparison must cover.
    pub(super) fn greet(&mut self, key: Key) {
        if !self.ready {
            self.unmet.insert(key);
        }
    }

    pub(super) fn forget(&mut self, key: Key) {
        self.unmet.remove(&key);
        self.expected_push.retain(|(expected, _), _| *expected != key);
        if let Some(cycle) = &mut self.cycle {
            cycle.left.remove(&key);
        }
    }
}

impl Monitor {
    /// The next sweep comes one interval from now, whatever was planned.
    pub(super) fn schedule_sweep(&mut self, now: Now) {
        self.book.timers.retain(|(_, timer)| *timer != Timer::Sweep);
        self.at(now.steady + self.settings.sweep, Timer::Sweep);
    }

    /// Sweeps at once; behind a sweep that is under way, which may have compared some before the order.
    pub(super) fn order_sweep(&mut self, now: Now) {
        if self.is_sweeping() {
            self.routine.cycle.iter_mut().for_each(|cycle| cycle.again = true);
        }
        self.begin_sweep(now);
    }

    /// Compares everybody with the API. A sweep that is still under way is not begun again.
    pub(super) fn begin_sweep(&mut self, now: Now) {
        self.schedule_sweep(now);
        self.asking.weather.hope(now.steady);
        // Names that Kick does not know have their own pace.
        let known = self.streamers.iter().filter(|(_, streamer)| !streamer.ids.unknown);
        let keys: Vec<Key> = known.map(|(key, _)| key).collect();
        if keys.is_empty() || self.is_sweeping() {
            return;
        }
        self.say_if_behind(now);
        self.routine.cycle = Some(Cycle {
            began: now.steady,
            covers: keys.len(),
            left: keys.iter().copied().collect(),
            first: self.asking.next,
            again: false,
        });
        for key in keys {
            self.asking.put(Queue::Routine, key);
            if self.streamers.get(&key).is_some_and(|streamer| streamer.belief.status == Some(Status::Online)) {
                self.reveal_channel(key);
            }
        }
    }

    /// Whether a sweep is under way that only needs time. One whose rest cannot be asked about just now
    /// holds up nobody else: it is begun again with all.
    fn is_sweeping(&self) -> bool {
        let left = self.routine.cycle.as_ref().map(|cycle| cycle.left.iter().copied());
        left.is_some_and(|left| !self.asking.are_unreachable(left, &self.streamers))
    }

    /// R22: a sweep that cannot fit is a problem that is said, with the interval that would fit.
    fn say_if_behind(&mut self, now: Now) {
        let named = self.streamers.values().filter(|streamer| streamer.ids.user.is_none()).count();
        let listed = self.streamers.len() - named;
        let requests = listed.div_ceil(USERS_BATCH) + named.div_ceil(self.settings.batch);
        let takes = self.asking.budget.time_for(requests);
        let fitting = takes.as_secs() + 1;
        if takes <= self.settings.sweep {
            self.book.troubles.settle(Code::SweepBehind, "");
            return;
        }
        let words = format!("{fitting} s would fit {} streamers", self.streamers.len());
        if self.book.troubles.raise(now, Code::SweepBehind, "", words, "") {
            self.log(Event::SweepBehind { streamers: self.streamers.len(), seconds: takes.as_secs_f64(), fitting });
        }
    }

    /// The answer to this request covered this streamer, whatever it said.
    pub(super) fn compared(&mut self, key: Key, request: RequestId) {
        self.routine.unmet.remove(&key);
        let cycle = self.routine.cycle.as_mut();
        if cycle.as_ref().is_some_and(|cycle| request < cycle.first) {
            return;
        }
        self.asking.compared(key);
        if let Some(cycle) = cycle {
            cycle.left.remove(&key);
        }
    }

    /// Says that the sweep is done, when it is, and begins one that was ordered meanwhile.
    pub(super) fn check_swept(&mut self, now: Now) {
        let Some(cycle) = self.routine.cycle.take_if(|cycle| cycle.left.is_empty()) else { return };
        let seconds = now.steady.since(cycle.began).as_secs_f64();
        self.book.last_sweep = Some((now.steady, seconds));
        let corrected = std::mem::take(&mut self.routine.corrected);
        self.log(Event::SweepDone { streamers: cycle.covers, seconds, corrected });
        if cycle.again {
            self.begin_sweep(now);
        }
    }

    /// Says once that every streamer of the roster has been compared.
    pub(super) fn check_ready(&mut self, now: Now) {
        if self.routine.ready || !self.loaded || !self.routine.unmet.is_empty() {
            return;
        }
        self.routine.ready = true;
        self.book.troubles.changed = true;
        self.book.last_sweep.get_or_insert((now.steady, now.steady.since(self.routine.born).as_secs_f64()));
        self.log(Event::Ready {
            version: env!("CARGO_PKG_VERSION"),
            seconds: now.steady.since(self.routine.born).as_secs_f64(),
            streamers: self.streamers.len(),
        });
    }

    pub(super) fn schedule_heartbeat(&mut self, now: Now) {
        self.book.timers.retain(|(_, timer)| *timer != Timer::Heartbeat);
        if let Some(every) = self.settings.heartbeat {
            self.at(now.steady + every, Timer::Heartbeat);
        }
    }

    pub(super) fn heartbeat(&mut self, now: Now) {
        let online = self.streamers.values().filter(|streamer| streamer.belief.status == Some(Status::Online)).count();
        let latency = self.book.latency.percentiles();
        self.log(Event::Heartbeat {
            streamers: self.streamers.len(),
            online,
            subscribed: self.links.subscribed(),
            connections: self.links.connected(),
            pending: self.writes.pending(),
            token_expires_in: self.token_expires.map(|at| at.since(now.steady)),
            last_event_ago: self.last_push.map(|at| now.steady.since(at)),
            latency_p50_ms: latency.p50,
            latency_p99_ms: latency.p99,
        });
        self.schedule_heartbeat(now);
    }
}
