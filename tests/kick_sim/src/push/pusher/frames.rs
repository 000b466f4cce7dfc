//! The texts of Pusher's protocol 7, server side (docs/kick.md §2). Pure.

use crate::push::payload::{DataForm, text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Subscribe(String),
    Unsubscribe(String),
    Ping,
    Other,
    NotJson,
}

/// Understands a client's frame.
pub(super) fn said(text: &str) -> Said {
    #[derive(Deserialize)]
    struct Frame {
        event: String,
        #[serde(default)]
        data: Value,
    }
    let Ok(frame) = serde_json::from_str::<Frame>(text) else { return Said::NotJson };
    let channel = || frame.data.get("channel").and_then(Value::as_str).map(str::to_owned);
    match frame.event.as_str() {
        "pusher:subscribe" => channel().map_or(Said::Other, Said::Subscribe),
        "pusher:unsubscribe" => channel().map_or(Said::Other, Said::Unsubscribe),
        "pusher:ping" => Said::Ping,
        _ => Said::Other,
    }
}

/// The first frame.
pub(super) fn greeting(connection: u64, activity_timeout: u64) -> String {
    let data = format!(r#"{{"socket_id":"2756710.{connection}","activity_timeout":{activity_timeout}}}"#);
    text(&Frame { event: "pusher:connection_established", data: Some(json!(data)), channel: None })
}

/// The answer to a subscription.
pub(super) fn acknowledgement(channel: &str) -> String {
    let event = "pusher_internal:subscription_succeeded";
    text(&Frame { event, data: Some(json!("{}")), channel: Some(channel) })
}

/// The answer to a subscription that is refused.
pub(super) fn subscription_error(event: &str, channel: &str) -> String {
    let data = json!({"type": "AuthError", "error": "The connection is unauthorized.", "status": 401});
    text(&Frame { event, data: Some(data), channel: Some(channel) })
}

/// The answer to a second subscription to the same channel.
pub(super) fn existing_subscription(channel: &str) -> String {
    error(&format!("Existing subscription to channel {channel}"))
}

/// A complaint that ends nothing; its `data` is an object.
pub(super) fn error(message: &str) -> String {
    text(&Frame { event: "pusher:error", data: Some(json!({"message": message, "code": null})), channel: None })
}

/// The server's own ping.
pub(super) fn ping() -> String {
    text(&Frame { event: "pusher:ping", data: Some(json!("{}")), channel: None })
}

/// The answer to a client's ping.
pub(super) fn pong() -> String {
    text(&Frame { event: "pusher:pong", data: Some(json!("{}")), channel: None })
}

/// An event, its data in whatever form.
pub(in crate::push) fn event(channel: &str, event: &str, data: &str, form: DataForm) -> String {
    text(&Frame { event, data: form.of(data), channel: Some(channel) })
}

/// Fields in the order in which Kick sends them.
#[derive(Serialize)]
struct Frame<'a> {
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::{event, greeting};
    use crate::push::payload::{DataForm, STOP_STREAM_BROADCAST, STREAMER_IS_LIVE, live_data, stop_data};
    use crate::world::{Broadcast, Ids};

    #[test]
    fn frames_are_the_captured_ones_to_the_letter() {
        assert_eq!(
            greeting(7, 120),
            r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"2756710.7\",\"activity_timeout\":120}"}"#
        );
        let ids = Ids { user: 676, channel: 668, chatroom: 668 };
        assert_eq!(
            event("channel.668", STOP_STREAM_BROADCAST, &stop_data(ids, 129_925_755), DataForm::Text),
            r#"{"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":129925755,\"channel\":{\"id\":668,\"is_banned\":false}}}","channel":"channel.668"}"#
        );
        let created_at = "2025-09-14T16:11:18Z".parse().expect("a time");
        let ids = Ids { user: 2_642_629, channel: 2_587_387, chatroom: 1 };
        let broadcast = Broadcast { id: 74_265_904, created_at, started_at: created_at };
        let data = live_data(ids, &broadcast, "4HEAD | …");
        assert_eq!(
            data,
            r#"{"livestream":{"id":74265904,"channel_id":2587387,"session_title":"4HEAD | …","source":null,"created_at":"2025-09-14T16:11:18.000000Z"}}"#
        );
        let frame = event("channel.2587387", STREAMER_IS_LIVE, &data, DataForm::Text);
        assert!(frame.starts_with(r#"{"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":"#));
    }
}
