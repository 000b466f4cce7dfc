//! Parses and writes the JSON messages of Centrifugo's client protocol (docs/kick.md §1.4). What a message means is
//! decided by the session.

use crate::wire::names::{EventNames, Meaning};
use serde::Deserialize;
use serde_json::{Deserializer, Value, value::RawValue};
use std::time::Duration;

/// A message of the server, with the fields that are used: a reply to the command with this id, or a push.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    pub(super) id: Option<u64>,
    pub(super) error: Option<Refusal>,
    pub(super) connect: Option<Admission>,
    pub(super) refresh: Option<Admission>,
    pub(super) subscribe: Option<Subscribed>,
    #[serde(borrow)]
    pub(super) push: Option<Pushed<'a>>,
}

/// The error in the reply to a refused command.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    pub(super) code: u32,
    pub(super) message: String,
    pub(super) temporary: bool,
}

/// The reply to `connect` or `refresh`; times are in seconds.
#[derive(Deserialize)]
pub(super) struct Admission {
    #[serde(default)]
    expires: bool,
    ttl: Option<u64>,
    ping: Option<u64>,
}

/// The reply to an accepted subscription.
#[derive(Deserialize)]
pub(super) struct Subscribed {
    /// The number by which later pushes may refer to the channel.
    pub(super) id: Option<u64>,
}

/// A push message: about a channel, or the end of the connection.
#[derive(Deserialize)]
pub(super) struct Pushed<'a> {
    pub(super) channel: Option<String>,
    /// The channel's number, if the subscription was accepted with one.
    pub(super) id: Option<u64>,
    #[serde(borrow, rename = "pub")]
    pub(super) publication: Option<Publication<'a>>,
    pub(super) unsubscribe: Option<Closing>,
    pub(super) disconnect: Option<Closing>,
}

#[derive(Deserialize)]
pub(super) struct Publication<'a> {
    #[serde(borrow)]
    pub(super) data: Option<KickEvent<'a>>,
}

/// Kick's message in a publication. In Pusher's protocol it is the whole frame, with the channel.
#[derive(Deserialize)]
pub(super) struct KickEvent<'a> {
    pub(super) event: String,
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
}

/// The reason for the end of a subscription or of the connection.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Closing {
    pub(super) code: u32,
    pub(super) reason: String,
}

impl Admission {
    /// How long the connection may last without a new token; `None` if without limit.
    pub(super) fn lasts(&self) -> Option<Duration> {
        self.ttl.filter(|_| self.expires).map(Duration::from_secs)
    }

    /// The server's ping interval, if stated. The server omits a zero, so a zero is ignored.
    pub(super) fn ping(&self) -> Option<Duration> {
        self.ping.filter(|&seconds| seconds > 0).map(Duration::from_secs)
    }
}

/// Parses a message. `None` for a publication that is not needed. Nearly all messages are such, so one with
/// Centrifugo's usual order of fields is read no further than the event's name, and the rest of it is not validated.
pub(super) fn read<'a>(line: &'a str, names: &EventNames) -> serde_json::Result<Option<Message<'a>>> {
    if usual_event(line).is_some_and(|name| names.meaning(&name) == Meaning::Nothing) {
        return Ok(None);
    }
    serde_json::from_str(line).map(Some)
}

/// The event's name in a publication whose fields have the usual order.
fn usual_event(line: &str) -> Option<String> {
    let push = line.strip_prefix(r#"{"push":{"#)?;
    let rest = match push.strip_prefix(r#""channel":""#) {
        Some(channel) => channel.split_once('"')?.1,
        None => push.strip_prefix(r#""id":"#)?.trim_start_matches(|c: char| c.is_ascii_digit()),
    };
    let event = rest.strip_prefix(r#","pub":{"data":{"event":"#)?;
    Deserializer::from_str(event).into_iter().next()?.ok()
}

/// The server's ping, which is also the answer to it.
pub(super) const PING: &str = "{}";

/// A request by which we check that the server is alive; an error in reply proves that as well.
pub(super) fn ping(id: u64) -> String {
    format!(r#"{{"id":{id},"ping":{{}}}}"#)
}

/// The first command of a connection. It carries the guest token.
pub(super) fn connect(id: u64, token: &str) -> String {
    format!(r#"{{"id":{id},"connect":{{"token":{},"name":"js"}}}}"#, Value::from(token))
}

/// Replaces the connection's token by a new one.
pub(super) fn refresh(id: u64, token: &str) -> String {
    format!(r#"{{"id":{id},"refresh":{{"token":{}}}}}"#, Value::from(token))
}

/// Subscribes to a channel and allows the server to give it a number, as Kick's own page does.
pub(super) fn subscribe(id: u64, channel: &str) -> String {
    format!(r#"{{"id":{id},"subscribe":{{"channel":{},"flag":1}}}}"#, Value::from(channel))
}

pub(super) fn unsubscribe(id: u64, channel: &str) -> String {
    format!(r#"{{"id":{id},"unsubscribe":{{"channel":{}}}}}"#, Value::from(channel))
}
