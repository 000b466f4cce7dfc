//! R23: the streamers that push does not cover, and whose turn it is to be compared with the API. They are asked about
//! much more often than the others, those that have waited longest first. So if the budget does not allow that pace for
//! all of them, they go round more slowly and nobody is left out.
//!
//! It knows neither the budget nor the endpoints.

use crate::domain::Steady;
use crate::monitor::streamers::Key;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The streamers, and when each was last asked about.
#[derive(Debug, Default)]
pub(super) struct Uncovered {
    /// The shortest interval for each streamer. `None` if that is not shorter than the interval of the sweep.
    every: Option<Duration>,
    asked: BTreeMap<Key, Steady>,
    order: BTreeSet<(Steady, Key)>,
}

impl Uncovered {
    /// Sets the pace. `sweep`: the interval of the sweep.
    pub(super) fn set_pace(&mut self, every: Duration, sweep: Duration) {
        self.every = Some(every).filter(|every| *every < sweep);
    }

    /// The pace of these streamers, if they have one of their own.
    pub(super) fn every(&self) -> Option<Duration> {
        self.every
    }

    pub(super) fn len(&self) -> usize {
        self.asked.len()
    }

    /// Adds a streamer that push does not cover, last asked about at `asked`.
    pub(super) fn add(&mut self, key: Key, asked: Steady) {
        if let Entry::Vacant(place) = self.asked.entry(key) {
            place.insert(asked);
            self.order.insert((asked, key));
        }
    }

    /// Removes a streamer. Returns true if it was there.
    pub(super) fn remove(&mut self, key: Key) -> bool {
        let asked = self.asked.remove(&key);
        asked.is_some_and(|asked| self.order.remove(&(asked, key)))
    }

    /// The streamer is asked about now, or gives its turn to the next one.
    pub(super) fn had_turn(&mut self, key: Key, now: Steady) {
        if let Some(asked) = self.asked.get_mut(&key) {
            self.order.remove(&(*asked, key));
            *asked = now;
            self.order.insert((now, key));
        }
    }

    /// When this streamer was last asked about.
    pub(super) fn waits_since(&self, key: Key) -> Option<Steady> {
        self.asked.get(&key).copied()
    }

    /// When the next turn comes.
    pub(super) fn due_at(&self) -> Option<Steady> {
        self.order.first().zip(self.every).map(|((asked, _), every)| *asked + every)
    }

    pub(super) fn is_due(&self, now: Steady) -> bool {
        self.due_at().is_some_and(|at| at <= now)
    }

    /// The streamers whose turn has come, those that have waited longest first.
    pub(super) fn due(&self, now: Steady) -> impl Iterator<Item = Key> + '_ {
        self.waiting(now, self.every)
    }

    /// The same, and those whose turn comes within half a pace. Where they fit into a request, they save another one.
    pub(super) fn due_soon(&self, now: Steady) -> impl Iterator<Item = Key> + '_ {
        self.waiting(now, self.every.map(|every| every / 2))
    }

    fn waiting(&self, now: Steady, wait: Option<Duration>) -> impl Iterator<Item = Key> + '_ {
        let order = wait.map(|wait| self.order.iter().take_while(move |(asked, _)| *asked + wait <= now));
        order.into_iter().flatten().map(|(_, key)| *key)
    }
}
