//! The text frames of Pusher Channels, protocol 7 (KICK.md §2): reading and writing them. It never
//! decides what one means.

use serde::Deserialize;
use serde_json::{Deserializer, value::RawValue};

/// What a frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Name {
    #[serde(rename = "App\\Events\\StreamerIsLive")]
    Live,
    #[serde(rename = "App\\Events\\StopStreamBroadcast")]
    Stop,
    #[serde(rename = "pusher:connection_established")]
    Established,
    #[serde(rename = "pusher:ping")]
    Ping,
    #[serde(rename = "pusher:error")]
    Error,
    #[serde(rename = "pusher_internal:subscription_succeeded")]
    Subscribed,
    #[serde(rename = "pusher:subscription_error", alias = "pusher_internal:subscription_error")]
    SubscriptionError,
    /// Chat, goals, pongs and whatever Kick invents next.
    #[serde(other)]
    Other,
}

/// A frame, as far as it is of interest.
#[derive(Deserialize)]
pub(super) struct Frame<'a> {
    pub(super) event: Name,
    pub(super) channel: Option<String>,
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
}

/// Reads a frame. One that names an event of no interest first is not read any further, nor
/// checked: by far the most frames are such, and nobody asks for the rest of them.
pub(super) fn read(text: &str) -> serde_json::Result<Frame<'_>> {
    if let Some(rest) = text.strip_prefix(r#"{"event":"#) {
        let first = Deserializer::from_str(rest).into_iter().next();
        if matches!(first, Some(Ok(Name::Other))) {
            return Ok(Frame { event: Name::Other, channel: None, data: None });
        }
    }
    serde_json::from_str(text)
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
