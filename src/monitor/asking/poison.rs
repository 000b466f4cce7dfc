//! A name or an id that has Kick fail every request that holds it: found by halving, asked about alone
//! from then on, so that it costs nobody else an answer.
//!
//! It is told from an outage by what follows: others are answered at the same endpoint, or they are not.

use crate::domain::ask::Endpoint;
use crate::monitor::streamers::Key;
use crate::monitor::times::REFUSED_MAX;
use std::collections::BTreeMap;

/// What is known of such names and ids. Knows no queues.
#[derive(Debug, Default)]
pub(super) struct Poison {
    /// The last that failed alone, and where: the next answer there decides.
    accused: Option<(Endpoint, Vec<Key>)>,
    /// Where the last answer came from, while the parts of a failed request are asked for.
    parts_work: Option<Endpoint>,
    /// Those that an endpoint refused alone since it last answered.
    refused: Option<(Endpoint, Vec<Key>)>,
    /// Where each was found, and how often it has been asked about alone since.
    found: BTreeMap<Key, (Endpoint, u32)>,
}

impl Poison {
    /// An answer came from there; `narrowing`: other parts of a failed request are yet to be asked for.
    pub(super) fn answered(&mut self, endpoint: Endpoint, keys: &[Key], narrowing: bool) {
        self.parts_work = narrowing.then_some(endpoint);
        for key in keys {
            match self.found.get_mut(key) {
                Some((spoilt, _)) if *spoilt == endpoint => drop(self.found.remove(key)),
                Some((_, asked)) => *asked = asked.saturating_add(1),
                None => {}
            }
        }
        self.refused.take_if(|(at, _)| *at == endpoint);
        let accused = self.accused.take_if(|(at, _)| *at == endpoint);
        for key in accused.into_iter().flat_map(|(_, keys)| keys).filter(|key| !keys.contains(key)) {
            self.found.insert(key, (endpoint, 0));
        }
    }

    /// A request about several failed.
    pub(super) fn failed_together(&mut self) {
        self.parts_work = None;
    }

    /// A request about these alone failed there. True when others did so just before: it is an outage,
    /// and nobody's fault.
    pub(super) fn failed_alone(&mut self, endpoint: Endpoint, keys: &[Key]) -> bool {
        if self.parts_work.take() == Some(endpoint) {
            self.found.extend(keys.iter().map(|key| (*key, (endpoint, 0))));
            return false;
        }
        let others = self.accused.as_ref().is_some_and(|(at, accused)| *at == endpoint && accused.as_slice() != keys);
        self.accused = (!others).then(|| (endpoint, keys.to_vec()));
        others
    }

    /// A request about these alone was refused there: they are asked about elsewhere next. True when it has refused
    /// so many in a row that it is nobody's fault.
    pub(super) fn refused_alone(&mut self, endpoint: Endpoint, keys: &[Key]) -> bool {
        let (_, refused) = self.refused.take_if(|(at, _)| *at == endpoint).unwrap_or((endpoint, Vec::new()));
        let refused = [refused, keys.to_vec()].concat();
        if refused.len() > REFUSED_MAX {
            self.found.retain(|key, _| !refused.contains(key));
            return true;
        }
        self.found.extend(keys.iter().map(|key| (*key, (endpoint, 1))));
        self.refused = Some((endpoint, refused));
        false
    }

    /// One that was found failed again.
    pub(super) fn failed_again(&mut self, key: Key) {
        if let Some((_, asked)) = self.found.get_mut(&key) {
            *asked = asked.saturating_add(1);
        }
    }

    pub(super) fn was_found(&self, key: Key) -> bool {
        self.found.contains_key(&key)
    }

    /// Whether nobody is to be asked about together with this one.
    pub(super) fn is_alone(&self, key: Key) -> bool {
        self.was_found(key) || self.accused.as_ref().is_some_and(|(_, keys)| keys.contains(&key))
    }

    /// Whether the next question goes to another endpoint than the usual one; it is every other that does,
    /// so that the streamer is known of, and the end of the trouble too.
    pub(super) fn goes_around(&self, key: Key) -> bool {
        self.found.get(&key).is_some_and(|(_, asked)| asked % 2 == 1)
    }

    pub(super) fn forget(&mut self, key: Key) {
        self.found.remove(&key);
        if let Some((_, keys)) = &mut self.accused {
            keys.retain(|other| *other != key);
        }
        self.accused.take_if(|(_, keys)| keys.is_empty());
        if let Some((_, keys)) = &mut self.refused {
            keys.retain(|other| *other != key);
        }
    }
}
