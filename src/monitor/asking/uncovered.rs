//! R23: the streamers whom push does not cover, and whose turn it is to be compared with the API. They are asked
//! about much oftener than the others, the one whose last question is the oldest first, so that a roster which the
//! budget cannot carry at that pace goes round and leaves nobody out.
//!
//! It knows whose turn it is, and neither budget nor endpoint.

use crate::domain::Steady;
use crate::monitor::streamers::Key;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The streamers, and when each was last asked about.
#[derive(Debug, Default)]
pub(super) struct Uncovered {
    /// How often each is compared at best. None when that is no oftener than everybody is.
    every: Option<Duration>,
    asked: BTreeMap<Key, Steady>,
    order: BTreeSet<(Steady, Key)>,
}

impl Uncovered {
    /// Sets the pace; `sweep` is that of everybody.
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

    /// Push does not cover this one (any more), who was last asked about then.
    pub(super) fn add(&mut self, key: Key, asked: Steady) {
        if let Entry::Vacant(place) = self.asked.entry(key) {
            place.insert(asked);
            self.order.insert((asked, key));
        }
    }

    /// Whether it was one of them.
    pub(super) fn remove(&mut self, key: Key) -> bool {
        let asked = self.asked.remove(&key);
        asked.is_some_and(|asked| self.order.remove(&(asked, key)))
    }

    /// This one is asked about now, or has to give its turn to the next one.
    pub(super) fn had_turn(&mut self, key: Key, now: Steady) {
        if let Some(asked) = self.asked.get_mut(&key) {
            self.order.remove(&(*asked, key));
            *asked = now;
            self.order.insert((now, key));
        }
    }

    /// Since when this one has not been asked about.
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

    /// Those whose turn has come.
    pub(super) fn due(&self, now: Steady) -> impl Iterator<Item = Key> + '_ {
        self.waiting(now, self.every)
    }

    /// Those whose turn has come, or comes within half a pace: a request that has room for them spares another one.
    pub(super) fn due_soon(&self, now: Steady) -> impl Iterator<Item = Key> + '_ {
        self.waiting(now, self.every.map(|every| every / 2))
    }

    fn waiting(&self, now: Steady, wait: Option<Duration>) -> impl Iterator<Item = Key> + '_ {
        let order = wait.map(|wait| self.order.iter().take_while(move |(asked, _)| *asked + wait <= now));
        order.into_iter().flatten().map(|(_, key)| *key)
    }
}
