//! The JSON messages of Centrifugo's client protocol (docs/kick.md §1.4): reading and writing them. It never
//! decides what one means.

use crate::wire::names::{EventNames, Meaning};
use serde::Deserialize;
use serde_json::{Deserializer, Value, value::RawValue};
use std::time::Duration;

/// A message of the server's, as far as it is of interest: a reply to the command of this id, or a push.
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

/// Why a command was refused.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    pub(super) code: u32,
    pub(super) message: String,
    pub(super) temporary: bool,
}

/// What a token was good for; times in seconds.
#[derive(Deserialize)]
pub(super) struct Admission {
    #[serde(default)]
    expires: bool,
    ttl: Option<u64>,
    ping: Option<u64>,
}

/// A subscription that was granted.
#[derive(Deserialize)]
pub(super) struct Subscribed {
    /// By this number pushes may name the channel from now on.
    pub(super) id: Option<u64>,
}

/// What comes unasked: about a channel, or the end of the connection.
#[derive(Deserialize)]
pub(super) struct Pushed<'a> {
    pub(super) channel: Option<String>,
    /// The channel's number, if the subscription was granted with one.
    pub(super) id: Option<u64>,
    #[serde(borrow, rename = "pub")]
    pub(super) publication: Option<Publication<'a>>,
    pub(super) unsubscribe: Option<Closing>,
    pub(super) disconnect: Option<Closing>,
}

#[derive(Deserialize)]
pub(super) struct Publication<'a> {
    #[serde(borrow)]
    pub(super) data: Option<Kick<'a>>,
}

/// Kick's own message inside: what is Pusher's whole frame, without the channel.
#[derive(Deserialize)]
pub(super) struct Kick<'a> {
    pub(super) event: String,
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
}

/// The end of a subscription or of the connection.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Closing {
    pub(super) code: u32,
    pub(super) reason: String,
}

impl Admission {
    /// For how long the connection may go on without another token; none: for ever.
    pub(super) fn lasts(&self) -> Option<Duration> {
        self.ttl.filter(|_| self.expires).map(Duration::from_secs)
    }

    /// How often the server pings. It leaves a zero out, which says nothing.
    pub(super) fn ping(&self) -> Option<Duration> {
        self.ping.filter(|&seconds| seconds > 0).map(Duration::from_secs)
    }
}

/// Reads a message. None for a publication of no interest: by far the most messages are such, so
/// that one written in Centrifugo's usual way is not read beyond its event's name, nor checked.
pub(super) fn read<'a>(line: &'a str, names: &EventNames) -> serde_json::Result<Option<Message<'a>>> {
    if usual_event(line).is_some_and(|name| names.meaning(&name) == Meaning::Nothing) {
        return Ok(None);
    }
    serde_json::from_str(line).map(Some)
}

/// The event of a publication whose fields come in the usual order.
fn usual_event(line: &str) -> Option<String> {
    let push = line.strip_prefix(r#"{"push":{"#)?;
    let rest = match push.strip_prefix(r#""channel":""#) {
        Some(channel) => channel.split_once('"')?.1,
        None => push.strip_prefix(r#""id":"#)?.trim_start_matches(|c: char| c.is_ascii_digit()),
    };
    let event = rest.strip_prefix(r#","pub":{"data":{"event":"#)?;
    Deserializer::from_str(event).into_iter().next()?.ok()
}

/// The server's ping, and the answer to it.
pub(super) const PING: &str = "{}";

/// Asks the server whether it lives; a refusal is an answer, too.
pub(super) fn ping(id: u64) -> String {
    format!(r#"{{"id":{id},"ping":{{}}}}"#)
}

/// Says who we are.
pub(super) fn connect(id: u64, token: &str) -> String {
    format!(r#"{{"id":{id},"connect":{{"token":{},"name":"js"}}}}"#, Value::from(token))
}

/// Goes on as who we are.
pub(super) fn refresh(id: u64, token: &str) -> String {
    format!(r#"{{"id":{id},"refresh":{{"token":{}}}}}"#, Value::from(token))
}

/// Asks for a channel, and lets the server give it a number, as Kick's own page does.
pub(super) fn subscribe(id: u64, channel: &str) -> String {
    format!(r#"{{"id":{id},"subscribe":{{"channel":{},"flag":1}}}}"#, Value::from(channel))
}

/// Gives a channel up.
pub(super) fn unsubscribe(id: u64, channel: &str) -> String {
    format!(r#"{{"id":{id},"unsubscribe":{{"channel":{}}}}}"#, Value::from(channel))
}
