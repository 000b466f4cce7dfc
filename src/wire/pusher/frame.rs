//! Parses and writes the text frames of Pusher Channels, protocol 7 (docs/kick.md §2). What a frame means is decided
//! by the session.

use crate::wire::names::{EventNames, Meaning};
use serde::Deserialize;
use serde_json::{Deserializer, value::RawValue};

/// What a frame is about, by its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Established,
    Ping,
    Error,
    Subscribed,
    SubscriptionError,
    /// Any other event: Kick's events, and pongs.
    Event(Meaning),
}

/// A frame, with the fields that are used.
#[derive(Deserialize)]
pub(super) struct Frame<'a> {
    pub(super) event: String,
    pub(super) channel: Option<String>,
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
}

/// Parses a frame. `None` for an event that is not needed. Nearly all frames are such, so one that begins with the
/// event's name is read no further than that, and the rest of it is not validated.
pub(super) fn read<'a>(text: &'a str, names: &EventNames) -> serde_json::Result<Option<Frame<'a>>> {
    if let Some(rest) = text.strip_prefix(r#"{"event":"#) {
        let first = Deserializer::from_str(rest).into_iter::<String>().next();
        if first.is_some_and(|first| first.is_ok_and(|word| name(&word, names) == Name::Event(Meaning::Nothing))) {
            return Ok(None);
        }
    }
    serde_json::from_str(text).map(Some)
}

/// Classifies an event by its name.
pub(super) fn name(word: &str, names: &EventNames) -> Name {
    match word {
        "pusher:connection_established" => Name::Established,
        "pusher:ping" => Name::Ping,
        "pusher:error" => Name::Error,
        "pusher_internal:subscription_succeeded" => Name::Subscribed,
        "pusher:subscription_error" | "pusher_internal:subscription_error" => Name::SubscriptionError,
        other if other.starts_with("pusher:") || other.starts_with("pusher_internal:") => Name::Event(Meaning::Nothing),
        other => Name::Event(names.meaning(other)),
    }
}

pub(super) const PING: &str = r#"{"event":"pusher:ping","data":{}}"#;
pub(super) const PONG: &str = r#"{"event":"pusher:pong","data":{}}"#;

pub(super) fn subscribe(channel: &str) -> String {
    format!(r#"{{"event":"pusher:subscribe","data":{{"auth":"","channel":{}}}}}"#, quoted(channel))
}

pub(super) fn unsubscribe(channel: &str) -> String {
    format!(r#"{{"event":"pusher:unsubscribe","data":{{"channel":{}}}}}"#, quoted(channel))
}

fn quoted(text: &str) -> serde_json::Value {
    text.into()
}
