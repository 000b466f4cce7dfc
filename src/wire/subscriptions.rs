//! Which push channels one connection follows, and how far each has come. Knows names and times; it
//! never knows how a protocol writes a subscription, and never gives one up.
//!
//! ```text
//!             turn: Subscribe              acked
//!   Due(when) ────────────────► Asked(until) ───► Acked
//!       ▲ └──── acked late ───────── │ ──────────► │
//!       ├──────── no answer ─────────┤             │
//!   Refused(when) ◄── refused ───────┴─────────────┘
//! ```

use crate::domain::{ChannelId, Steady};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What stands in a template for the id.
const ID: &str = "{id}";
/// A subscription that is not acknowledged within this has failed.
const ACK: Duration = Duration::from_secs(10);
/// So many subscriptions go out in one turn, and the next turn comes so much later: a large roster
/// must not keep the thread from reading.
const PACE: (usize, Duration) = (100, Duration::from_millis(10));
/// The pauses before a failed subscription is tried again double between these, for ever.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// After a subscription stood for this long, its earlier failures are forgotten.
const STOOD: Duration = Duration::from_secs(60);

/// A streamer and the number of a template: one push channel.
type Key = (ChannelId, usize);

/// The push channels of one connection.
#[derive(Debug)]
pub(super) struct Subscriptions {
    templates: Arc<[String]>,
    channels: BTreeMap<Key, Channel>,
    /// What [`Channel::state`] waits for, in order of time.
    agenda: BTreeSet<(Steady, Key)>,
    /// Pacing: nothing is sent before this.
    not_before: Steady,
}

#[derive(Debug)]
struct Channel {
    state: State,
    /// Since the last acknowledgement that stood.
    tries: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be asked for at this time.
    Due(Steady),
    /// Refused, and to be asked for at this time.
    Refused(Steady),
    /// Asked for; has failed at this time.
    Asked(Steady),
    /// Acknowledged at this time.
    Acked(Steady),
}

/// What a turn gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask for the channel of this name.
    Subscribe(String),
    /// There was no answer in time, for a channel of this streamer's.
    Failed(ChannelId),
}

impl Subscriptions {
    /// No channels yet. Each template holds `{id}` once.
    pub(super) fn new(now: Steady, templates: Arc<[String]>) -> Subscriptions {
        Subscriptions { templates, channels: BTreeMap::new(), agenda: BTreeSet::new(), not_before: now }
    }

    /// Follows these too; they are due at once. Those followed already stay as they are.
    pub(super) fn follow(&mut self, now: Steady, ids: &[ChannelId]) {
        for &id in ids {
            for number in 0..self.templates.len() {
                let key = (id, number);
                // One name is one channel: also where templates collide.
                if self.key(&self.name(key)).is_none() {
                    self.channels.insert(key, Channel { state: State::Due(now), tries: 0 });
                    self.agenda.insert((now, key));
                }
            }
        }
    }

    /// Forgets these. The names that the server may know of.
    pub(super) fn unfollow(&mut self, ids: &[ChannelId]) -> Vec<String> {
        let mut known = Vec::new();
        for &id in ids {
            for number in 0..self.templates.len() {
                let Some(channel) = self.channels.remove(&(id, number)) else { continue };
                if let Some(time) = channel.state.time() {
                    self.agenda.remove(&(time, (id, number)));
                }
                if channel.tries > 0 {
                    known.push(self.name((id, number)));
                }
            }
        }
        known
    }

    /// Does what is due, up to the pace.
    pub(super) fn turn(&mut self, now: Steady, mut act: impl FnMut(Step)) {
        if now < self.not_before {
            return;
        }
        let (most, pause) = PACE;
        for _ in 0..most {
            let Some(&(_, key)) = self.agenda.first().filter(|(time, _)| *time <= now) else { return };
            let Some(channel) = self.channels.get_mut(&key) else { return };
            let (next, step) = match channel.state {
                State::Asked(_) => (State::Due(now + pause_after(channel.tries)), Step::Failed(key.0)),
                _ => {
                    channel.tries = channel.tries.saturating_add(1);
                    (State::Asked(now + ACK), Step::Subscribe(self.name(key)))
                }
            };
            self.set(key, next);
            act(step);
        }
        self.not_before = now + pause;
    }

    /// The server acknowledged this name. The streamer, when that makes the last of its channels. What was
    /// refused must be asked for first, so that refusals and acknowledgements by turns take our time.
    pub(super) fn acked(&mut self, now: Steady, name: &str) -> Option<ChannelId> {
        let key = self.key(name)?;
        if let State::Refused(_) | State::Acked(_) = self.channels.get(&key)?.state {
            return None;
        }
        self.set(key, State::Acked(now));
        let (id, _) = key;
        let mut all = self.channels.range((id, 0)..=(id, usize::MAX));
        all.all(|(_, channel)| matches!(channel.state, State::Acked(_))).then_some(id)
    }

    /// The server refused this name. The streamer, unless that is known already.
    pub(super) fn refused(&mut self, now: Steady, name: &str) -> Option<ChannelId> {
        let key = self.key(name)?;
        let channel = self.channels.get_mut(&key)?;
        match channel.state {
            State::Due(_) | State::Refused(_) => return None,
            State::Acked(since) if now.since(since) >= STOOD => channel.tries = 1,
            State::Acked(_) | State::Asked(_) => {}
        }
        let again = now + pause_after(channel.tries);
        self.set(key, State::Refused(again));
        Some(key.0)
    }

    /// How many channels are followed.
    pub(super) fn count(&self) -> usize {
        self.channels.len()
    }

    /// Whose channel has this name, if it is followed.
    pub(super) fn named(&self, name: &str) -> Option<ChannelId> {
        self.key(name).map(|(id, _)| id)
    }

    /// When `turn` has something to do.
    pub(super) fn next_wake(&self) -> Option<Steady> {
        self.agenda.first().map(|&(time, _)| time.max(self.not_before))
    }

    /// The channel that has this name, if it is followed.
    fn key(&self, name: &str) -> Option<Key> {
        self.templates.iter().enumerate().find_map(|(number, template)| {
            let (before, after) = template.split_once(ID)?;
            let id = name.strip_prefix(before)?.strip_suffix(after)?;
            let key = (ChannelId(id.parse().ok()?), number);
            // A number can be written in several ways, and a name in one.
            (self.channels.contains_key(&key) && self.name(key) == name).then_some(key)
        })
    }

    fn name(&self, (id, number): Key) -> String {
        self.templates[number].replace(ID, &id.to_string())
    }

    /// The one place where a state changes, so that the agenda agrees with the states.
    fn set(&mut self, key: Key, state: State) {
        let Some(channel) = self.channels.get_mut(&key) else { return };
        if let Some(time) = channel.state.time() {
            self.agenda.remove(&(time, key));
        }
        if let Some(time) = state.time() {
            self.agenda.insert((time, key));
        }
        channel.state = state;
    }
}

impl State {
    fn time(self) -> Option<Steady> {
        match self {
            State::Due(time) | State::Refused(time) | State::Asked(time) => Some(time),
            State::Acked(_) => None,
        }
    }
}

/// The pause after a failure that `tries` tries led to.
fn pause_after(tries: u32) -> Duration {
    let (first, most) = RETRY;
    let doubled = first.saturating_mul(1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(most)
}
