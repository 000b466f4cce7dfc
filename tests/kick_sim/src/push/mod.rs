//! Push: who is connected, who subscribed to what, and what to do wrong, on every transport.
//!
//! Publishing only puts frames into the outboxes of those who subscribed; each connection's own thread
//! sends them. A transport brings its own frames and its own [`connection::Speaker`], and registers here.

mod centrifugo;
mod connection;
mod handshake;
mod outbox;
mod payload;
mod pusher;
mod script;

pub(crate) use connection::converse;
pub(crate) use handshake::answer;
pub use payload::DataForm;
pub(crate) use payload::{STOP_STREAM_BROADCAST, STREAMER_IS_LIVE, live_data, stop_data};
pub(crate) use pusher::no_such_app;
pub use script::PushScript;

use crate::clock;
use crate::fault::{Face, Fault, Faults};
use crate::journal::Bell;
use outbox::{End, Out, Outbox};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How push is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// Pusher Channels (docs/kick.md §2).
    Pusher,
    /// Centrifugo (docs/kick.md §1.4).
    Centrifugo,
}

impl Transport {
    /// The face of its websocket.
    pub(crate) fn face(self) -> Face {
        match self {
            Transport::Pusher => Face::Push,
            Transport::Centrifugo => Face::Centrifugo,
        }
    }
}

/// A push connection that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushEnd {
    /// How it was delivered.
    pub transport: Transport,
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
    close_next: VecDeque<(Option<Transport>, u16, String)>,
    connections: BTreeMap<u64, Subscriber>,
    by_channel: HashMap<String, BTreeSet<u64>>,
    opened: u64,
    greeted: u64,
    ends: Vec<PushEnd>,
}

#[derive(Debug)]
struct Subscriber {
    transport: Transport,
    greeted: bool,
    outbox: Arc<Outbox>,
    /// Some with a number by which pushes name them.
    channels: BTreeMap<String, Option<u64>>,
    numbers: u64,
}

/// What becomes of a subscription.
enum Grant {
    /// It is made; if there is a number, pushes name the channel by it.
    Made(Option<u64>),
    Existing,
    Refused,
    /// The connection has all the channels that it may have.
    Full,
}

/// For scripts.
impl Push {
    pub(crate) fn new(bell: Arc<Bell>, faults: Arc<Faults>) -> Push {
        Push { inner: Mutex::default(), bell, faults }
    }

    /// Sends an event to everybody who subscribed to the channel.
    pub(crate) fn publish(&self, channel: &str, event: &str, data: &str) {
        let inner = self.lock();
        let form = inner.script.data_form;
        for subscriber in inner.by_channel.get(channel).into_iter().flatten().filter_map(|id| inner.connections.get(id))
        {
            if inner.script.deaf.contains(&subscriber.transport) {
                continue;
            }
            let text = match (subscriber.transport, subscriber.channels.get(channel).copied().flatten()) {
                (Transport::Pusher, _) => pusher::event(channel, event, data, form),
                (Transport::Centrifugo, number) => centrifugo::event(channel, number, event, data, form),
            };
            let due = clock::steady() + self.latency(subscriber.transport);
            let frame = Out::Text(text.into());
            (0..inner.script.copies).for_each(|_| subscriber.outbox.put(due, frame.clone()));
        }
    }

    /// Ends everybody's subscription to the channel on Centrifugo.
    pub(crate) fn end_subscriptions(&self, channel: &str, code: u32, reason: &str) {
        let mut inner = self.lock();
        for id in inner.by_channel.get(channel).cloned().unwrap_or_default() {
            let Some(subscriber) = inner.connections.get_mut(&id) else { continue };
            if subscriber.transport == Transport::Centrifugo {
                let number = subscriber.channels.remove(channel).flatten();
                let due = clock::steady() + self.latency(subscriber.transport);
                subscriber.outbox.put(due, Out::Text(centrifugo::unsubscribe(channel, number, code, reason).into()));
                inner.forget(id, channel);
            }
        }
        drop(inner);
        self.bell.ring();
    }

    /// Sends a text frame to every connection, whatever it is.
    pub(crate) fn send_to_all(&self, text: &str) {
        for subscriber in self.lock().connections.values() {
            let due = clock::steady() + self.latency(subscriber.transport);
            subscriber.outbox.put(due, Out::Text(text.into()));
        }
    }

    /// Closes every connection that there is, or those of one transport, behind all that was sent before.
    pub(crate) fn close(&self, transport: Option<Transport>, code: u16, reason: &str) {
        for subscriber in self.lock().connections.values().filter(|subscriber| subscriber.is(transport)) {
            let due = clock::steady() + self.latency(subscriber.transport);
            subscriber.outbox.put(due, Out::Close(code, reason.to_owned()));
        }
    }

    /// Closes the next connections, or those of one transport, instead of greeting them.
    pub(crate) fn close_next(&self, transport: Option<Transport>, count: usize, code: u16, reason: &str) {
        self.lock().close_next.extend(std::iter::repeat_n((transport, code, reason.to_owned()), count));
    }

    /// Lets open connections feel a fault that was just set or cleared.
    pub(crate) fn feel(&self, transport: Transport, fault: Option<&Fault>) {
        let end = match fault {
            Some(Fault::Reset) => Some(End::Reset),
            Some(Fault::Close) => Some(End::Drop),
            Some(Fault::Cut) => Some(End::Cut),
            Some(Fault::Garbage) => Some(End::Garbage),
            _ => None,
        };
        for subscriber in self.lock().connections.values().filter(|subscriber| subscriber.is(Some(transport))) {
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
}

/// For tests that look.
impl Push {
    /// The channels of each open connection, or those of one transport, the oldest connection first.
    pub(crate) fn subscriptions(&self, transport: Option<Transport>) -> Vec<BTreeSet<String>> {
        let inner = self.lock();
        let open = inner.connections.values().filter(|subscriber| subscriber.greeted && subscriber.is(transport));
        open.map(|subscriber| subscriber.channels.keys().cloned().collect()).collect()
    }

    pub(crate) fn is_subscribed(&self, transport: Option<Transport>, channel: &str) -> bool {
        let inner = self.lock();
        let mut listeners = inner.by_channel.get(channel).into_iter().flatten();
        listeners.any(|id| inner.connections.get(id).is_some_and(|subscriber| subscriber.is(transport)))
    }

    pub(crate) fn made(&self) -> u64 {
        self.lock().greeted
    }

    pub(crate) fn ends(&self) -> Vec<PushEnd> {
        self.lock().ends.clone()
    }
}

/// For the connections' own threads.
impl Push {
    /// Takes a new connection in.
    fn enter(&self, transport: Transport) -> io::Result<(u64, Arc<Outbox>)> {
        let outbox = Arc::new(Outbox::new()?);
        let mut inner = self.lock();
        inner.opened += 1;
        let id = inner.opened;
        let subscriber = Subscriber {
            transport,
            greeted: false,
            outbox: Arc::clone(&outbox),
            channels: BTreeMap::new(),
            numbers: 0,
        };
        inner.connections.insert(id, subscriber);
        Ok((id, outbox))
    }

    /// Greets a connection, or closes it instead, if that was scripted; whether it is greeted.
    fn greet(&self, id: u64, greeting: impl FnOnce(&PushScript) -> String) -> bool {
        let mut inner = self.lock();
        let Inner { script, close_next, connections, greeted, .. } = &mut *inner;
        let Some(subscriber) = connections.get_mut(&id) else { return false };
        let due = clock::steady() + self.latency(subscriber.transport);
        let refusal = close_next.iter().position(|(transport, ..)| subscriber.is(*transport));
        if let Some((_, code, reason)) = refusal.and_then(|position| close_next.remove(position)) {
            subscriber.outbox.put(due, Out::Close(code, reason));
            return false;
        }
        subscriber.greeted = true;
        *greeted += 1;
        subscriber.outbox.put(due, Out::Text(greeting(script).into()));
        drop(inner);
        self.bell.ring();
        true
    }

    fn leave(&self, id: u64, client_code: Option<u16>) {
        let mut inner = self.lock();
        let Some(subscriber) = inner.connections.remove(&id) else { return };
        subscriber.channels.keys().for_each(|channel| inner.forget(id, channel));
        if subscriber.greeted {
            inner.ends.push(PushEnd { transport: subscriber.transport, connection: id, client_code });
        }
        drop(inner);
        self.bell.ring();
    }

    /// Subscribes, and replies with what the transport says to it. A channel gets a number if
    /// `compact` is scripted too.
    fn subscribe(&self, id: u64, channel: &str, compact: bool, reply: impl FnOnce(&PushScript, &Grant) -> String) {
        let mut inner = self.lock();
        let Inner { script, connections, by_channel, .. } = &mut *inner;
        let Some(subscriber) = connections.get_mut(&id) else { return };
        if script.ignoring.contains(&subscriber.transport) {
            return;
        }
        let is_centrifugo = subscriber.transport == Transport::Centrifugo;
        let is_private = is_centrifugo && channel.starts_with("private-");
        let refuses = script.refused.contains(channel) || script.refusing.contains(&subscriber.transport);
        let full = script.channel_limit.is_some_and(|limit| is_centrifugo && subscriber.channels.len() >= limit);
        let grant = if is_private || refuses {
            Grant::Refused
        } else if subscriber.channels.contains_key(channel) {
            Grant::Existing
        } else if full {
            Grant::Full
        } else {
            subscriber.numbers += 1;
            let number = (compact && script.compact).then_some(subscriber.numbers);
            subscriber.channels.insert(channel.to_owned(), number);
            by_channel.entry(channel.to_owned()).or_default().insert(id);
            Grant::Made(number)
        };
        if !(script.drop_acks && matches!(grant, Grant::Made(_))) {
            let due = clock::steady() + script.ack_delay + self.latency(subscriber.transport);
            // Put in under the lock, so that no event of the channel overtakes its acknowledgement.
            subscriber.outbox.put(due, Out::Text(reply(script, &grant).into()));
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

    fn latency(&self, transport: Transport) -> Duration {
        match self.faults.lasting(transport.face()) {
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

impl Subscriber {
    /// Whether it is of this transport; `None` is any.
    fn is(&self, transport: Option<Transport>) -> bool {
        transport.is_none_or(|transport| transport == self.transport)
    }
}
