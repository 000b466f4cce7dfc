//! Names and ids for which Kick fails every request that contains them. Each is found by halving requests and then
//! asked about alone, so that no other streamer goes without an answer.
//!
//! What follows tells such a failure from an outage: requests about others succeed at the same endpoint, or they do
//! not.

use crate::domain::ask::Endpoint;
use crate::monitor::streamers::Key;
use crate::monitor::times::REFUSED_MAX;
use std::collections::BTreeMap;

/// What is known about such names and ids.
#[derive(Debug, Default)]
pub(super) struct Poison {
    /// The streamers of the last request that failed alone, and its endpoint. The next answer of that endpoint decides
    /// whether they are at fault.
    accused: Option<(Endpoint, Vec<Key>)>,
    /// The endpoint of the last answer, while parts of a failed request are still to be asked about.
    parts_work: Option<Endpoint>,
    /// The streamers that an endpoint refused alone since its last answer.
    refused: Option<(Endpoint, Vec<Key>)>,
    /// The names and ids at fault, each with the endpoint that fails for it and the number of requests about it alone
    /// since.
    found: BTreeMap<Key, (Endpoint, u32)>,
}

impl Poison {
    /// Takes note of an answer. `narrowing`: parts of a failed request are still to be asked about.
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

    /// Takes note of a failed request about several streamers.
    pub(super) fn failed_together(&mut self) {
        self.parts_work = None;
    }

    /// Takes note of a failed request about these alone. Returns true if others failed alone just before: then it is an
    /// outage, and no name is at fault.
    pub(super) fn failed_alone(&mut self, endpoint: Endpoint, keys: &[Key]) -> bool {
        if self.parts_work.take() == Some(endpoint) {
            self.found.extend(keys.iter().map(|key| (*key, (endpoint, 0))));
            return false;
        }
        let others = self.accused.as_ref().is_some_and(|(at, accused)| *at == endpoint && accused.as_slice() != keys);
        self.accused = (!others).then(|| (endpoint, keys.to_vec()));
        others
    }

    /// Takes note that the endpoint refused these alone; another endpoint is asked about them next. Returns true if it
    /// has refused more than `REFUSED_MAX` in a row: then none of them is at fault.
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

    /// Takes note that one of those at fault failed again.
    pub(super) fn failed_again(&mut self, key: Key) {
        if let Some((_, asked)) = self.found.get_mut(&key) {
            *asked = asked.saturating_add(1);
        }
    }

    pub(super) fn was_found(&self, key: Key) -> bool {
        self.found.contains_key(&key)
    }

    /// Returns true if this one must be asked about alone.
    pub(super) fn is_alone(&self, key: Key) -> bool {
        self.was_found(key) || self.accused.as_ref().is_some_and(|(_, keys)| keys.contains(&key))
    }

    /// Returns true if the next request goes to another endpoint than usual. Every second one does, so that the
    /// streamer's status stays known and the end of the failure is noticed.
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
