//! The texts of Pusher's protocol 7, server side (KICK.md §2, §3.3, §3.4). Pure.

use crate::world::{Broadcast, Ids};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The event of a broadcast's begin.
pub(crate) const STREAMER_IS_LIVE: &str = "App\\Events\\StreamerIsLive";
/// The event of a broadcast's end.
pub(crate) const STOP_STREAM_BROADCAST: &str = "App\\Events\\StopStreamBroadcast";

/// How the `data` of an event is put into its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataForm {
    /// As JSON in a string, as Kick does.
    #[default]
    Text,
    /// As an object, as lenient servers do.
    Object,
    /// `"[]"`, as some of Kick's other events have it.
    EmptyList,
    /// A string that is no JSON.
    NotJson,
    /// Not at all.
    Absent,
}

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
pub(super) fn event(channel: &str, event: &str, data: &str, form: DataForm) -> String {
    let data = match form {
        DataForm::Text => Some(json!(data)),
        DataForm::Object => Some(serde_json::from_str(data).unwrap_or_else(|_| json!(data))),
        DataForm::EmptyList => Some(json!("[]")),
        DataForm::NotJson => Some(json!("not JSON {")),
        DataForm::Absent => None,
    };
    text(&Frame { event, data, channel: Some(channel) })
}

/// The data of `StreamerIsLive`, as captured.
pub(crate) fn live_data(ids: Ids, broadcast: &Broadcast, title: &str) -> String {
    #[derive(Serialize)]
    struct Data<'a> {
        livestream: Livestream<'a>,
    }
    #[derive(Serialize)]
    struct Livestream<'a> {
        id: i64,
        channel_id: i64,
        session_title: &'a str,
        source: Option<&'a str>,
        created_at: String,
    }
    let created_at = broadcast.created_at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    let livestream =
        Livestream { id: broadcast.id, channel_id: ids.channel, session_title: title, source: None, created_at };
    text(&Data { livestream })
}

/// The data of `StopStreamBroadcast`, as captured.
pub(crate) fn stop_data(ids: Ids, livestream: i64) -> String {
    let channel = ids.channel;
    format!(r#"{{"livestream":{{"id":{livestream},"channel":{{"id":{channel},"is_banned":false}}}}}}"#)
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

fn text(frame: &impl Serialize) -> String {
    // Strings, numbers and JSON values: nothing in a frame can fail to be written.
    serde_json::to_string(frame).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{DataForm, STOP_STREAM_BROADCAST, STREAMER_IS_LIVE, event, greeting, live_data, stop_data};
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
