//! What Kick says inside its events, the same on every transport (docs/kick.md §3.3, §3.4). Pure.

use crate::world::{Broadcast, Ids};
use serde::Serialize;
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

impl DataForm {
    /// The data in this form.
    pub(super) fn of(self, data: &str) -> Option<Value> {
        match self {
            DataForm::Text => Some(json!(data)),
            DataForm::Object => Some(serde_json::from_str(data).unwrap_or_else(|_| json!(data))),
            DataForm::EmptyList => Some(json!("[]")),
            DataForm::NotJson => Some(json!("not JSON {")),
            DataForm::Absent => None,
        }
    }
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

/// Fields in the order in which they are declared.
pub(super) fn text(frame: &impl Serialize) -> String {
    // Strings, numbers and JSON values: nothing in a frame can fail to be written.
    serde_json::to_string(frame).unwrap_or_default()
}
