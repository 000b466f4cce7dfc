//! The text frames of Pusher Channels, protocol 7 (docs/kick.md §2): reading and writing them. It never
//! decides what one means.

use crate::wire::names::{EventNames, Meaning};
use serde::Deserialize;
use serde_json::{Deserializer, value::RawValue};

/// What a frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Established,
    Ping,
    Error,
    Subscribed,
    SubscriptionError,
    /// Whatever else there is: Kick's events, and pongs.
    Event(Meaning),
}

/// A frame, as far as it is of interest.
#[derive(Deserialize)]
pub(super) struct Frame<'a> {
    pub(super) event: String,
    pub(super) channel: Option<String>,
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
}

/// Reads a frame. None for an event of no interest: by far the most frames are such, so that one that names its event
/// first is not read any further, nor checked.
pub(super) fn read<'a>(text: &'a str, names: &EventNames) -> serde_json::Result<Option<Frame<'a>>> {
    if let Some(rest) = text.strip_prefix(r#"{"event":"#) {
        let first = Deserializer::from_str(rest).into_iter::<String>().next();
        if first.is_some_and(|first| first.is_ok_and(|word| name(&word, names) == Name::Event(Meaning::Nothing))) {
            return Ok(None);
        }
    }
    serde_json::from_str(text).map(Some)
}

/// What an event of this name is.
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

/// Asks for a public channel.
pub(super) fn subscribe(channel: &str) -> String {
    format!(r#"{{"event":"pusher:subscribe","data":{{"auth":"","channel":{}}}}}"#, quoted(channel))
}

/// Gives a channel up.
pub(super) fn unsubscribe(channel: &str) -> String {
    format!(r#"{{"event":"pusher:unsubscribe","data":{{"channel":{}}}}}"#, quoted(channel))
}

fn quoted(text: &str) -> serde_json::Value {
    text.into()
}
