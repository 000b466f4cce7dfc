//! The numbers of one connection: those of commands, which replies repeat, and those of channels, which pushes may
//! use instead of the name. The state of a subscription is kept elsewhere (`subscriptions.rs`).

use crate::domain::Steady;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// How long a reply is waited for. A later one is ignored, so that a server which never replies cannot fill our
/// memory.
const PATIENCE: Duration = Duration::from_secs(60);

/// The channels behind the numbers of commands and of channels.
#[derive(Debug, Default)]
pub(super) struct Commands {
    last: u64,
    /// The channels that were subscribed to, by the number of the command, hence in order of time.
    asked: BTreeMap<u64, (Steady, String)>,
    /// The channels by the number that the server gave them.
    numbered: HashMap<u64, String>,
}

impl Commands {
    /// Returns the number for the next command.
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Returns the number for a command that subscribes to this channel, and remembers the channel.
    pub(super) fn ask(&mut self, now: Steady, channel: &str) -> u64 {
        while let Some(oldest) = self.asked.first_entry().filter(|oldest| now.since(oldest.get().0) > PATIENCE) {
            oldest.remove();
        }
        let id = self.number();
        self.asked.insert(id, (now, channel.to_owned()));
        id
    }

    /// The channel that the command of this number subscribed to. Forgets it, because a reply comes once.
    pub(super) fn answered(&mut self, id: u64) -> Option<String> {
        self.asked.remove(&id).map(|(_, channel)| channel)
    }

    /// Notes the number that the server gave to a channel.
    pub(super) fn name(&mut self, number: u64, channel: String) {
        self.numbered.insert(number, channel);
    }

    pub(super) fn named(&self, number: u64) -> Option<&str> {
        self.numbered.get(&number).map(String::as_str)
    }

    /// Forgets a channel whose subscription ended: a late reply or its number no longer leads to it.
    pub(super) fn forget(&mut self, channel: &str) {
        self.asked.retain(|_, (_, asked)| asked != channel);
        self.numbered.retain(|_, named| named != channel);
    }
}
