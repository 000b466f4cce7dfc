//! Parses the payloads of the two events that are evidence (R3; docs/kick.md §3.3, §3.4). They are the same on every
//! transport. The name of the push channel is not looked at here.

use crate::domain::json::{Json, without_controls};
use crate::domain::push::PushKind;
use crate::domain::text;
use crate::domain::{ChannelId, LivestreamId, time::parse_kick_time};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The two events that are evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// `App\Events\StreamerIsLive`
    Live,
    /// `App\Events\StopStreamBroadcast`
    Stop,
}

/// Parses the `data` of such an event: a JSON object, or a string that contains one. Returns what happened, and the
/// channel id in the payload if there is one.
///
/// `None` if the livestream id is missing or two channel ids contradict each other (R4). Any other field may be
/// missing, have another type, or be unknown.
pub(super) fn read(what: Evidence, data: &RawValue) -> Option<(PushKind, Option<ChannelId>)> {
    let payload = payload(data);
    let stream = Json::read(&payload)?.get("livestream")?;
    let [id, flat, channel, created_at, title] =
        stream.fields(["id", "channel_id", "channel", "created_at", "session_title"])?;
    let livestream = LivestreamId(number(id?)?);
    let flat = flat.and_then(number);
    let nested = channel.and_then(|channel| channel.get("id")).and_then(number);
    if flat.is_some() && nested.is_some() && flat != nested {
        return None;
    }
    let what = match what {
        Evidence::Live => {
            let created_at = created_at.and_then(Json::text).and_then(|time| parse_kick_time(&time));
            let title = title.and_then(Json::text).and_then(|title| text::title(&title));
            PushKind::Live { livestream, created_at, title }
        }
        Evidence::Stop => PushKind::Stop { livestream },
    };
    Some((what, flat.or(nested).map(ChannelId)))
}

/// The JSON text in the `data` of an event: the value itself, or the string's content (docs/kick.md §2.5).
pub(super) fn payload(data: &RawValue) -> Cow<'_, str> {
    match Json::from(data).text() {
        Some(text) => without_controls(Cow::Owned(text)),
        None => Cow::Borrowed(data.get()),
    }
}

/// An id, as a number or as a string of digits. Kick's ids begin at 1; 0 is Go's zero value and means "none".
fn number(value: Json<'_>) -> Option<i64> {
    let digits = |text: &String| text.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.integer().or_else(|| value.text().filter(digits)?.parse().ok())?;
    (number > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::{Evidence, read};
    use crate::domain::push::PushKind;
    use crate::domain::{ChannelId, LivestreamId};
    use serde_json::value::RawValue;

    fn stop(data: &str) -> Option<(i64, Option<i64>)> {
        let data = RawValue::from_string(data.to_owned()).expect("the test writes JSON");
        read(Evidence::Stop, &data).map(|(what, inside)| match what {
            PushKind::Stop { livestream: LivestreamId(id) } => (id, inside.map(|ChannelId(id)| id)),
            PushKind::Live { .. } => unreachable!("a stop is read as a stop"),
        })
    }

    /// The start and the title of a live event with this field.
    fn live(field: &str, value: &str) -> (Option<String>, Option<String>) {
        let data = format!(r#"{{"livestream":{{"id":1,"{field}":{value}}}}}"#);
        let data = RawValue::from_string(data).expect("the test writes JSON");
        match read(Evidence::Live, &data).expect("still an event").0 {
            PushKind::Live { created_at, title, .. } => {
                (created_at.map(|time| time.to_string()), title.map(|title| title.to_string()))
            }
            PushKind::Stop { .. } => unreachable!("a live is read as a live"),
        }
    }

    fn created_at(value: &str) -> Option<String> {
        live("created_at", value).0
    }

    #[test]
    fn ids_are_found_wherever_and_however_kick_may_write_them() {
        for (data, ids) in [
            (r#""{\"livestream\":{\"id\":7,\"channel\":{\"id\":668,\"is_banned\":false}}}""#, (7, Some(668))),
            (r#"{"livestream":{"id":7,"channel_id":668}}"#, (7, Some(668))),
            (r#"{"livestream":{"id":"7","channel_id":"668"}}"#, (7, Some(668))),
            (r#"{"livestream":{"id":7,"channel_id":668,"channel":{"id":"668"}},"more":[1]}"#, (7, Some(668))),
            (r#"{"livestream":{"id":7}}"#, (7, None)),
            (r#"{"livestream":{"id":7,"channel_id":null,"channel":"x"}}"#, (7, None)),
            (r#"{"livestream":{"id":7,"channel_id":"channel_01JZ"}}"#, (7, None)),
            (r#"{"livestream":{"id":9223372036854775807}}"#, (i64::MAX, None)),
        ] {
            assert_eq!(stop(data), Some(ids), "{data}");
        }
    }

    #[test]
    fn no_livestream_id_or_two_channel_ids_are_no_evidence() {
        for data in [
            r#"{"livestream":{"id":7,"channel_id":668,"channel":{"id":669}}}"#,
            r#"{"livestream":{"id":9223372036854775808}}"#,
            r#"{"livestream":{"id":1.5}}"#,
            r#"{"livestream":{"id":0}}"#,
            r#"{"livestream":{"id":-7}}"#,
            r#"{"livestream":{"id":"+7"}}"#,
            r#"{"livestream":{"id":""}}"#,
            r#"{"livestream":{"id":null}}"#,
            r#"{"livestream":[7]}"#,
            r#"{"id":7}"#,
            r#""[]""#,
            r#""nonsense""#,
            r#""""#,
            "[]",
            "null",
            "7",
            "true",
        ] {
            assert_eq!(stop(data), None, "{data}");
        }
    }

    #[test]
    fn r5_what_nobody_needs_does_not_spoil_an_event() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for needless in
            [r#""\ud83d""#, "1e999", &deep, r#"{"\ud83d":1}"#, "\"a\u{fffd}\u{1}\n\"", "99999999999999999999"]
        {
            let inner = format!(
                r#"{{"session_title":{needless},"livestream":{{"session_title":{needless},"id":7,"channel":{{"x":{needless},"id":668}}}}}}"#
            );
            let quoted = serde_json::Value::from(inner.as_str()).to_string();
            assert_eq!(stop(&quoted), Some((7, Some(668))), "in a string: {needless}");
            if !needless.contains('\n') {
                assert_eq!(stop(&inner), Some((7, Some(668))), "as an object: {needless}");
            }
        }
        // An unpaired surrogate that is only present in the outer string.
        assert_eq!(stop(r#""{\"livestream\":{\"session_title\":\"\ud83d\",\"id\":7}}""#), Some((7, None)));
    }

    #[test]
    fn a_title_may_be_anything_and_is_cut() {
        let title = |value: &str| live("session_title", value).1;
        assert_eq!(title(r#""4HEAD | \u65e5\u672c \ud83d\ude00""#).as_deref(), Some("4HEAD | 日本 😀"));
        assert_eq!(title(&format!("\"{}\"", "é".repeat(300))), Some("é".repeat(200)));
        for none in ["\"\"", "null", "7", "{}"] {
            assert_eq!(title(none), None, "{none}");
        }
    }

    #[test]
    fn a_start_time_that_cannot_be_read_is_none_and_the_event_counts() {
        let utc = Some("2025-09-14T16:11:18Z".to_owned());
        assert_eq!(created_at(r#""2025-09-14T16:11:18.000000Z""#), utc);
        assert_eq!(created_at(r#""2025-09-14 16:11:18""#), utc);
        for value in [r#""0001-01-01T00:00:00Z""#, r#""yesterday""#, "null", "1757866278", "{}"] {
            assert_eq!(created_at(value), None, "{value}");
        }
    }
}
