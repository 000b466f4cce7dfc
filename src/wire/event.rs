//! The payloads of the two events that are evidence (RULES R3; KICK.md §3.3, §3.4), the same
//! whatever transport carried them. It never looks at the name of the push channel.

use crate::domain::push::PushKind;
use crate::domain::{ChannelId, LivestreamId, time::parse_kick_time};
use serde_json::{Value, value::RawValue};

/// The two events that are evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// `App\Events\StreamerIsLive`
    Live,
    /// `App\Events\StopStreamBroadcast`
    Stop,
}

/// Reads the `data` of such an event: a JSON object, or a string that holds one. Gives what
/// happened and the channel id inside, where there is one.
///
/// None when there is no livestream id, or when two channel ids inside contradict each other
/// (RULES R4). Everything else may be missing, be of another type, or be more than we know.
pub fn read(what: Evidence, data: &RawValue) -> Option<(PushKind, Option<ChannelId>)> {
    let payload = payload(data)?;
    let stream = &payload["livestream"];
    let livestream = LivestreamId(number(&stream["id"])?);
    let flat = number(&stream["channel_id"]);
    let nested = number(&stream["channel"]["id"]);
    if flat.is_some() && nested.is_some() && flat != nested {
        return None;
    }
    let what = match what {
        Evidence::Live => {
            let created_at = stream["created_at"].as_str().and_then(parse_kick_time);
            PushKind::Live { livestream, created_at }
        }
        Evidence::Stop => PushKind::Stop { livestream },
    };
    Some((what, flat.or(nested).map(ChannelId)))
}

/// The `data` of any event: a JSON value, or a string that holds one (KICK.md §2.5).
pub(super) fn payload(data: &RawValue) -> Option<Value> {
    match serde_json::from_str(data.get()).ok()? {
        Value::String(text) => serde_json::from_str(&text).ok(),
        value => Some(value),
    }
}

/// An id, as a number or as a numeric string. Kick's ids begin at 1; a zero is Go's "no value".
fn number(value: &Value) -> Option<i64> {
    let number = match value {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
        _ => return None,
    };
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

    fn created_at(value: &str) -> Option<String> {
        let data = format!(r#"{{"livestream":{{"id":1,"created_at":{value}}}}}"#);
        let data = RawValue::from_string(data).expect("the test writes JSON");
        match read(Evidence::Live, &data).expect("still an event").0 {
            PushKind::Live { created_at, .. } => created_at.map(|time| time.to_string()),
            PushKind::Stop { .. } => unreachable!("a live is read as a live"),
        }
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
    fn a_start_time_that_cannot_be_read_is_none_and_the_event_counts() {
        let utc = Some("2025-09-14T16:11:18Z".to_owned());
        assert_eq!(created_at(r#""2025-09-14T16:11:18.000000Z""#), utc);
        assert_eq!(created_at(r#""2025-09-14 16:11:18""#), utc);
        for value in [r#""0001-01-01T00:00:00Z""#, r#""yesterday""#, "null", "1757866278", "{}"] {
            assert_eq!(created_at(value), None, "{value}");
        }
    }
}
