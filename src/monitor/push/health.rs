//! R11: whether push tells of what the sweep finds, counted for each transport.

use crate::domain::push::Transport;
use crate::domain::{Status, Steady};
use crate::monitor::Key;
use std::collections::BTreeMap;

/// What is expected of push, and what it missed.
#[derive(Debug, Default)]
pub(in crate::monitor) struct Health {
    /// Changes in a row that push did not tell of.
    missed: BTreeMap<Transport, u32>,
    /// Changes that the sweep found and push has until then to tell of.
    expected: BTreeMap<(Key, Status), Steady>,
}

impl Health {
    /// Push has until then to tell of this change.
    pub(super) fn expect(&mut self, key: Key, status: Status, due: Steady) {
        self.expected.insert((key, status), due);
    }

    /// Push told of it.
    pub(in crate::monitor) fn told(&mut self, key: Key, status: Status) {
        self.expected.remove(&(key, status));
    }

    /// The changes that push did not tell of in time; they are not expected any more.
    pub(in crate::monitor) fn overdue(&mut self, now: Steady, key: Key) -> Vec<Status> {
        let mut overdue = Vec::new();
        for status in [Status::Online, Status::Offline] {
            if self.expected.get(&(key, status)).is_some_and(|due| *due <= now) {
                self.expected.remove(&(key, status));
                overdue.push(status);
            }
        }
        overdue
    }

    /// An event came over this transport: it is alive, whatever it says.
    pub(super) fn delivers(&mut self, transport: Transport) {
        self.missed.remove(&transport);
    }

    /// This transport missed one more. How many in a row that makes.
    pub(in crate::monitor) fn missed(&mut self, transport: Transport) -> u32 {
        let missed = self.missed.entry(transport).or_default();
        *missed += 1;
        *missed
    }

    pub(in crate::monitor) fn forget(&mut self, key: Key) {
        self.expected.retain(|(expected, _), _| *expected != key);
    }

    /// The connections are new, and judged by what they miss themselves.
    pub(super) fn begin_anew(&mut self) {
        *self = Health::default();
    }
}
