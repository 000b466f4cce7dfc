//! The push channels that one connection follows, and the state of each subscription. Knows names and times; how a
//! subscription is written is up to the protocol. A failed subscription is retried without end.
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

/// The placeholder for the channel id in a template.
const ID: &str = "{id}";
/// A subscription that is not acknowledged within this time has failed.
const ACK: Duration = Duration::from_secs(10);
/// The most subscriptions sent in one turn, and the pause until the next turn: a large roster must not keep the
/// thread from reading.
const PACE: (usize, Duration) = (100, Duration::from_millis(10));
/// The pauses before a failed subscription is retried: they double from the first to the second value.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// After a subscription was acknowledged for this long, its earlier failures no longer count.
const STOOD: Duration = Duration::from_secs(60);

/// A push channel: the streamer, and the number of the template.
type Key = (ChannelId, usize);

/// The push channels of one connection.
#[derive(Debug)]
pub(super) struct Subscriptions {
    templates: Arc<[String]>,
    channels: BTreeMap<Key, Channel>,
    /// When the state of each channel needs attention, in order of time.
    agenda: BTreeSet<(Steady, Key)>,
    /// The pace: no subscription is sent before this time.
    not_before: Steady,
}

#[derive(Debug)]
struct Channel {
    state: State,
    /// Failed attempts since the last acknowledgement that lasted [`STOOD`].
    tries: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be sent at this time.
    Due(Steady),
    /// Refused, and to be sent again at this time.
    Refused(Steady),
    /// Sent; counts as failed at this time.
    Asked(Steady),
    /// Acknowledged at this time.
    Acked(Steady),
}

/// A step that `turn` asks its caller to take.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Subscribe to the channel of this name.
    Subscribe(String),
    /// A subscription for this streamer was not acknowledged in time.
    Failed(ChannelId),
}

impl Subscriptions {
    /// Creates an empty set. Each template contains `{id}` once.
    pub(super) fn new(now: Steady, templates: Arc<[String]>) -> Subscriptions {
        Subscriptions { templates, channels: BTreeMap::new(), agenda: BTreeSet::new(), not_before: now }
    }

    /// Follows these streamers as well, with subscriptions due at once. Streamers that are followed already stay as
    /// they are.
    pub(super) fn follow(&mut self, now: Steady, ids: &[ChannelId]) {
        for &id in ids {
            for number in 0..self.templates.len() {
                let key = (id, number);
                // A name stands for one channel, also if several templates give the same name.
                if self.key(&self.name(key)).is_none() {
                    self.channels.insert(key, Channel { state: State::Due(now), tries: 0 });
                    self.agenda.insert((now, key));
                }
            }
        }
    }

    /// Stops following these streamers. Returns the names of the channels that the server may know about.
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

    /// Takes all steps that are due, within the limits of the pace.
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

    /// Notes that the server acknowledged this channel. Returns the streamer if all its channels are acknowledged
    /// now. A refused channel must be subscribed to again first: otherwise a server that refuses and acknowledges by
    /// turns could bypass the pauses.
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

    /// Notes that the server refused this channel. Returns the streamer unless the refusal was known already.
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

    /// The number of channels followed.
    pub(super) fn count(&self) -> usize {
        self.channels.len()
    }

    /// The streamer that the channel of this name belongs to, if it is followed.
    pub(super) fn named(&self, name: &str) -> Option<ChannelId> {
        self.key(name).map(|(id, _)| id)
    }

    /// When `turn` must be called next.
    pub(super) fn next_wake(&self) -> Option<Steady> {
        self.agenda.first().map(|&(time, _)| time.max(self.not_before))
    }

    /// The channel with this name, if it is followed.
    fn key(&self, name: &str) -> Option<Key> {
        self.templates.iter().enumerate().find_map(|(number, template)| {
            let (before, after) = template.split_once(ID)?;
            let id = name.strip_prefix(before)?.strip_suffix(after)?;
            let key = (ChannelId(id.parse().ok()?), number);
            // A number has several spellings (such as leading zeros), but only one is the name of our channel.
            (self.channels.contains_key(&key) && self.name(key) == name).then_some(key)
        })
    }

    fn name(&self, (id, number): Key) -> String {
        self.templates[number].replace(ID, &id.to_string())
    }

    /// The only function that changes a state, so that `agenda` always agrees with the states.
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

/// The pause after `tries` failed attempts.
fn pause_after(tries: u32) -> Duration {
    let (first, most) = RETRY;
    let doubled = first.saturating_mul(1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(most)
}
