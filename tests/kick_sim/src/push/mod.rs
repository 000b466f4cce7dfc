//! Push as Pusher does it: who is connected, who subscribed to what, and what to do wrong.
//!
//! Publishing only puts frames into the outboxes of those who subscribed; each connection's own thread
//! sends them. A further transport brings its own frames and connection, and registers here too.

mod connection;
mod frames;
mod handshake;
mod outbox;

pub(crate) use connection::converse;
pub use frames::DataForm;
pub(crate) use frames::{STOP_STREAM_BROADCAST, STREAMER_IS_LIVE, live_data, stop_data};
pub(crate) use handshake::answer;

use crate::clock;
use crate::fault::{Face, Fault, Faults};
use crate::journal::Bell;
use outbox::{End, Out, Outbox};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What push does, and does wrong, beside the faults that every face can have.
#[derive(Clone, Debug)]
pub struct PushScript {
    /// Seconds, as the greeting says it. 120 unless changed.
    pub activity_timeout: u64,
    /// The server pings after so long a silence; never unless set.
    pub ping_after: Option<Duration>,
    /// The server's ping is a websocket ping, not `pusher:ping`.
    pub ping_by_websocket: bool,
    /// How long the server waits for any answer to its ping before it closes with 4201. 30 s unless changed.
    pub pong_timeout: Duration,
    /// `pusher:ping` is not answered.
    pub ignore_pings: bool,
    /// Subscriptions are made but not acknowledged.
    pub drop_acks: bool,
    /// Acknowledgements (and what comes behind them on the connection) come so much later.
    pub ack_delay: Duration,
    /// Subscriptions to these channels are refused.
    pub refused: BTreeSet<String>,
    /// The event that says so: `pusher_internal:subscription_error` unless changed.
    pub refusal_event: String,
    /// Connected, acknowledged, and no event is delivered.
    pub swallow: bool,
    /// How often each event comes. 1 unless changed.
    pub copies: usize,
    /// How the events' data is put into the frame.
    pub data_form: DataForm,
}

impl Default for PushScript {
    fn default() -> PushScript {
        PushScript {
            activity_timeout: 120,
            ping_after: None,
            ping_by_websocket: false,
            pong_timeout: Duration::from_secs(30),
            ignore_pings: false,
            drop_acks: false,
            ack_delay: Duration::ZERO,
            refused: BTreeSet::new(),
            refusal_event: "pusher_internal:subscription_error".to_owned(),
            swallow: false,
            copies: 1,
            data_form: DataForm::default(),
        }
    }
}

/// A push connection that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushEnd {
    /// Connections are numbered from 1.
    pub connection: u64,
    /// The code of the client's close frame; `None` when it sent none.
    pub client_code: Option<u16>,
}

/// All push connections.
#[derive(Debug)]
pub(crate) struct Push {
    inner: Mutex<Inner>,
    bell: Arc<Bell>,
    faults: Arc<Faults>,
}

#[derive(Debug, Default)]
struct Inner {
    script: PushScript,
    /// For one connection each: closed in place of a greeting.
    close_next: VecDeque<(u16, String)>,
    connections: BTreeMap<u64, Subscriber>,
    by_channel: HashMap<String, BTreeSet<u64>>,
    made: u64,
    ends: Vec<PushEnd>,
}

/// What becomes of a new connection.
enum Entry {
    Greeted(u64, Arc<Outbox>),
    Refused(u16, String),
}

#[derive(Debug)]
struct Subscriber {
    outbox: Arc<Outbox>,
    channels: BTreeSet<String>,
}

impl Push {
    pub(crate) fn new(bell: Arc<Bell>, faults: Arc<Faults>) -> Push {
        Push { inner: Mutex::default(), bell, faults }
    }

    // For scripts.

    /// Sends an event to everybody who subscribed to the channel.
    pub(crate) fn publish(&self, channel: &str, event: &str, data: &str) {
        let due = clock::steady() + self.latency();
        let inner = self.lock();
        let listeners = match inner.by_channel.get(channel) {
            Some(listeners) if !inner.script.swallow => listeners,
            _ => return,
        };
        let frame = Out::Text(frames::event(channel, event, data, inner.script.data_form).into());
        for subscriber in listeners.iter().filter_map(|id| inner.connections.get(id)) {
            (0..inner.script.copies).for_each(|_| subscriber.outbox.put(due, frame.clone()));
        }
    }

    /// Sends a text frame to every connection, whatever it is.
    pub(crate) fn send_to_all(&self, text: &str) {
        let due = clock::steady() + self.latency();
        let frame = Out::Text(text.into());
        self.lock().connections.values().for_each(|subscriber| subscriber.outbox.put(due, frame.clone()));
    }

    /// Closes every connection that there is, behind all that was sent before.
    pub(crate) fn close_all(&self, code: u16, reason: &str) {
        let due = clock::steady() + self.latency();
        for subscriber in self.lock().connections.values() {
            subscriber.outbox.put(due, Out::Close(code, reason.to_owned()));
        }
    }

    /// Closes the next connections instead of greeting them.
    pub(crate) fn close_next(&self, count: usize, code: u16, reason: &str) {
        self.lock().close_next.extend(std::iter::repeat_n((code, reason.to_owned()), count));
    }

    /// Lets open connections feel a fault that was just set or cleared.
    pub(crate) fn feel(&self, fault: Option<&Fault>) {
        let end = match fault {
            Some(Fault::Reset) => Some(End::Reset),
            Some(Fault::Close) => Some(End::Drop),
            Some(Fault::Cut) => Some(End::Cut),
            Some(Fault::Garbage) => Some(End::Garbage),
            _ => None,
        };
        for subscriber in self.lock().connections.values() {
            match &end {
                Some(end) => subscriber.outbox.end(end.clone()),
                None => subscriber.outbox.ring(),
            }
        }
    }

    pub(crate) fn script<T>(&self, act: impl FnOnce(&mut PushScript) -> T) -> T {
        act(&mut self.lock().script)
    }

    /// No more mischief.
    pub(crate) fn heal(&self) {
        let mut inner = self.lock();
        inner.script = PushScript::default();
        inner.close_next.clear();
    }

    // For tests that look.

    pub(crate) fn subscriptions(&self) -> Vec<BTreeSet<String>> {
        self.lock().connections.values().map(|subscriber| subscriber.channels.clone()).collect()
    }

    pub(crate) fn is_subscribed(&self, channel: &str) -> bool {
        self.lock().by_channel.contains_key(channel)
    }

    pub(crate) fn connections(&self) -> usize {
        self.lock().connections.len()
    }

    pub(crate) fn made(&self) -> u64 {
        self.lock().made
    }

    pub(crate) fn ends(&self) -> Vec<PushEnd> {
        self.lock().ends.clone()
    }

    // For the connections' own threads.

    /// Takes a new connection in and greets it, or says why it is to be closed instead.
    fn enter(&self) -> io::Result<Entry> {
        let outbox = Arc::new(Outbox::new()?);
        let mut inner = self.lock();
        if let Some((code, reason)) = inner.close_next.pop_front() {
            return Ok(Entry::Refused(code, reason));
        }
        inner.made += 1;
        let id = inner.made;
        let greeting = frames::greeting(id, inner.script.activity_timeout);
        outbox.put(clock::steady() + self.latency(), Out::Text(greeting.into()));
        inner.connections.insert(id, Subscriber { outbox: Arc::clone(&outbox), channels: BTreeSet::new() });
        drop(inner);
        self.bell.ring();
        Ok(Entry::Greeted(id, outbox))
    }

    fn leave(&self, id: u64, client_code: Option<u16>) {
        let mut inner = self.lock();
        let channels = inner.connections.remove(&id).map(|subscriber| subscriber.channels).unwrap_or_default();
        channels.iter().for_each(|channel| inner.forget(id, channel));
        inner.ends.push(PushEnd { connection: id, client_code });
        drop(inner);
        self.bell.ring();
    }

    fn subscribe(&self, id: u64, channel: &str) {
        let mut inner = self.lock();
        let Inner { script, connections, by_channel, .. } = &mut *inner;
        let Some(subscriber) = connections.get_mut(&id) else { return };
        let reply = if script.refused.contains(channel) {
            Some(frames::subscription_error(&script.refusal_event, channel))
        } else if !subscriber.channels.insert(channel.to_owned()) {
            Some(frames::existing_subscription(channel))
        } else {
            by_channel.entry(channel.to_owned()).or_default().insert(id);
            (!script.drop_acks).then(|| frames::acknowledgement(channel))
        };
        if let Some(reply) = reply {
            // Put in under the lock, so that no event of the channel overtakes its acknowledgement.
            subscriber.outbox.put(clock::steady() + script.ack_delay + self.latency(), Out::Text(reply.into()));
        }
        drop(inner);
        self.bell.ring();
    }

    fn unsubscribe(&self, id: u64, channel: &str) {
        let mut inner = self.lock();
        if let Some(subscriber) = inner.connections.get_mut(&id) {
            subscriber.channels.remove(channel);
        }
        inner.forget(id, channel);
        drop(inner);
        self.bell.ring();
    }

    fn latency(&self) -> Duration {
        match self.faults.lasting(Face::Push) {
            Some(Fault::Latency(delay)) => delay,
            _ => Duration::ZERO,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, id: u64, channel: &str) {
        if let Some(listeners) = self.by_channel.get_mut(channel) {
            listeners.remove(&id);
            if listeners.is_empty() {
                self.by_channel.remove(channel);
            }
        }
    }
}
