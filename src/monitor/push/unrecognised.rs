//! R24: push events whose names are not known. They are counted by name, and are evidence of nothing.

use crate::domain::push::UnrecognisedEvent;
use crate::domain::text::{escaped, shown};
use crate::domain::{ChannelId, Steady, report};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The most names that are remembered.
const NAMES_MAX: usize = 50;
/// The number of latest events that are remembered with their channel, and for how long.
const RECENT_MAX: (usize, Duration) = (4096, Duration::from_secs(3600));
/// How far from a change an event may come that reported it.
const NEAR: Duration = Duration::from_secs(15);

/// The names, and the channels to which such events came lately.
#[derive(Debug, Default)]
pub(super) struct Unrecognised {
    names: BTreeMap<String, Seen>,
    recent: VecDeque<(Steady, ChannelId, String)>,
}

#[derive(Debug)]
struct Seen {
    count: u64,
    sample: String,
}

impl Unrecognised {
    /// Counts events of one name.
    pub(super) fn take(&mut self, event: UnrecognisedEvent) {
        let UnrecognisedEvent { channel, name, sample, times, received } = event;
        if !self.names.contains_key(&name) && self.names.len() == NAMES_MAX {
            return;
        }
        self.names.entry(name.clone()).or_insert(Seen { count: 0, sample }).count += times;
        let (most, age) = RECENT_MAX;
        let outdated = |(at, _, _): &(Steady, ChannelId, String)| received.since(*at) > age;
        while self.recent.len() >= most || self.recent.front().is_some_and(outdated) {
            self.recent.pop_front();
        }
        self.recent.push_back((received, channel, name));
    }

    /// The names of the events on this channel around a change: it came after `before`, when the old status was still
    /// right, and was found at `found`.
    pub(super) fn near(&self, channel: ChannelId, before: Steady, found: Steady) -> Vec<&str> {
        let around = |at: Steady| at + NEAR >= before && at <= found + NEAR;
        let near = self.recent.iter().filter(|(at, of, _)| *of == channel && around(*at));
        let mut names: Vec<&str> = near.map(|(_, _, name)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// All of them, for the report.
    pub(super) fn report(&self) -> Vec<report::UnrecognisedEvent> {
        let told = |(name, seen): (&String, &Seen)| report::UnrecognisedEvent {
            name: shown(name),
            count: seen.count,
            sample: escaped(&seen.sample),
        };
        self.names.iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Unrecognised, UnrecognisedEvent};
    use crate::domain::{ChannelId, Steady};

    #[test]
    fn what_a_stranger_names_an_event_controls_no_terminal() {
        let mut events = Unrecognised::default();
        let name = "App\\X\u{9b}31m\u{7f}\u{202e}".to_owned();
        let (channel, sample) = (ChannelId(668), "{\u{1b}}".to_owned());
        events.take(UnrecognisedEvent { channel, name, sample, times: 1, received: Steady::default() });
        let told = events.report();
        assert_eq!(told[0].name, r"App\X\u009b31m\u007f\u202e");
        assert_eq!(told[0].sample, r"{\u001b}");
    }
}
