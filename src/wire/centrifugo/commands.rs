//! The numbers on one connection: of commands, by which replies name them, and of channels, by which
//! pushes may. It never knows how far a subscription has come.

use crate::domain::Steady;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// A reply that comes later than this is not understood any more: a server that never replies must
/// not fill our memory.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the numbers stand for.
#[derive(Debug, Default)]
pub(super) struct Commands {
    last: u64,
    /// The channels that were asked for, by the command's number; so in order of time.
    asked: BTreeMap<u64, (Steady, String)>,
    /// The channels that the server gave a number.
    numbered: HashMap<u64, String>,
}

impl Commands {
    /// The number of the next command.
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The number of a command that asks for this channel.
    pub(super) fn ask(&mut self, now: Steady, channel: &str) -> u64 {
        while let Some(oldest) = self.asked.first_entry().filter(|oldest| now.since(oldest.get().0) > PATIENCE) {
            oldest.remove();
        }
        let id = self.number();
        self.asked.insert(id, (now, channel.to_owned()));
        id
    }

    /// The channel that the command of this number asked for. A reply comes once.
    pub(super) fn answered(&mut self, id: u64) -> Option<String> {
        self.asked.remove(&id).map(|(_, channel)| channel)
    }

    /// The server gave the channel a number.
    pub(super) fn name(&mut self, number: u64, channel: String) {
        self.numbered.insert(number, channel);
    }

    /// The channel of this number.
    pub(super) fn named(&self, number: u64) -> Option<&str> {
        self.numbered.get(&number).map(String::as_str)
    }

    /// The subscription is over: neither a late reply nor its number stands for the channel.
    pub(super) fn forget(&mut self, channel: &str) {
        self.asked.retain(|_, (_, asked)| asked != channel);
        self.numbered.retain(|_, named| named != channel);
    }
}
