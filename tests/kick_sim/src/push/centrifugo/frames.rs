//! The texts of Centrifugo's client protocol in JSON, server side (docs/kick.md §1.4). Pure.

use crate::push::payload::{DataForm, text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// The server's ping, and the client's answer to it.
pub(super) const PING: &str = "{}";

/// Why a command is refused: code and message of the official server.
pub(super) type Refusal = (u32, &'static str);
pub(super) const UNAUTHORIZED: Refusal = (101, "unauthorized");
pub(super) const PERMISSION_DENIED: Refusal = (103, "permission denied");
pub(super) const METHOD_NOT_FOUND: Refusal = (104, "method not found");
pub(super) const ALREADY_SUBSCRIBED: Refusal = (105, "already subscribed");
pub(super) const LIMIT_EXCEEDED: Refusal = (106, "limit exceeded");
pub(super) const TOKEN_EXPIRED: Refusal = (109, "token expired");

/// What a client said in one line of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Pong,
    Command(u64, Command),
    /// No JSON, or no command.
    Nonsense,
}

/// What a client wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Connect {
        token: String,
    },
    Refresh {
        token: String,
    },
    Subscribe {
        channel: String,
        /// Pushes may name the channel by a number.
        compact: bool,
    },
    Unsubscribe {
        channel: String,
    },
    Ping,
    Unknown,
}

/// Understands a line of a client's.
pub(super) fn said(line: &str) -> Said {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Line {
        id: u64,
        connect: Option<Token>,
        refresh: Option<Token>,
        subscribe: Option<Channel>,
        unsubscribe: Option<Channel>,
        ping: Option<Value>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Token {
        token: String,
    }
    #[derive(Deserialize)]
    struct Channel {
        channel: String,
        #[serde(default)]
        flag: u64,
    }
    if line == PING {
        return Said::Pong;
    }
    let Ok(Line { id: id @ 1.., connect, refresh, subscribe, unsubscribe, ping }) = serde_json::from_str(line) else {
        return Said::Nonsense;
    };
    let command = match (connect, refresh, subscribe, unsubscribe, ping) {
        (Some(Token { token }), ..) => Command::Connect { token },
        (_, Some(Token { token }), ..) => Command::Refresh { token },
        (_, _, Some(Channel { channel, flag }), ..) => Command::Subscribe { channel, compact: flag & 1 == 1 },
        (_, _, _, Some(Channel { channel, .. }), _) => Command::Unsubscribe { channel },
        (_, _, _, _, Some(_)) => Command::Ping,
        _ => Command::Unknown,
    };
    Said::Command(id, command)
}

/// The answer to `connect`. Seconds are whole ones, rounded up.
pub(super) fn connected(id: u64, client: &str, ttl: Duration, ping: Duration) -> String {
    format!(
        r#"{{"id":{id},"connect":{{"client":"{client}","version":"6.9.6 PRO","expires":true,"ttl":{},"ping":{},"pong":true}}}}"#,
        seconds(ttl),
        seconds(ping)
    )
}

/// The answer to `refresh`.
pub(super) fn refreshed(id: u64, client: &str, ttl: Duration) -> String {
    format!(
        r#"{{"id":{id},"refresh":{{"client":"{client}","version":"6.9.6 PRO","expires":true,"ttl":{}}}}}"#,
        seconds(ttl)
    )
}

/// The answer to `subscribe`, with the channel's number if it has one.
pub(super) fn subscribed(id: u64, number: Option<u64>) -> String {
    match number {
        Some(number) => format!(r#"{{"id":{id},"subscribe":{{"id":{number}}}}}"#),
        None => format!(r#"{{"id":{id},"subscribe":{{}}}}"#),
    }
}

/// The answer to `unsubscribe`.
pub(super) fn unsubscribed(id: u64) -> String {
    format!(r#"{{"id":{id},"unsubscribe":{{}}}}"#)
}

/// The answer to the client's own ping.
pub(super) fn pong(id: u64) -> String {
    format!(r#"{{"id":{id},"ping":{{}}}}"#)
}

/// A command is refused.
pub(super) fn refused(id: u64, (code, message): Refusal) -> String {
    format!(r#"{{"id":{id},"error":{{"code":{code},"message":"{message}"}}}}"#)
}

/// An event to who subscribed, by the channel's number if it has one, else by its name.
pub(in crate::push) fn event(channel: &str, number: Option<u64>, event: &str, data: &str, form: DataForm) -> String {
    let data = Data { event, data: form.of(data), tags: json!({}) };
    push(channel, number, |push| push.publication = Some(Publication { data }))
}

/// The server ends a subscription.
pub(in crate::push) fn unsubscribe(channel: &str, number: Option<u64>, code: u32, reason: &str) -> String {
    push(channel, number, |push| push.unsubscribe = Some(json!({"code": code, "reason": reason})))
}

/// Fields in the order in which Kick sends them.
#[derive(Serialize)]
struct Frame<'a> {
    push: Push<'a>,
}

#[derive(Serialize)]
struct Push<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(rename = "pub", skip_serializing_if = "Option::is_none")]
    publication: Option<Publication<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsubscribe: Option<Value>,
}

#[derive(Serialize)]
struct Publication<'a> {
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    tags: Value,
}

fn push<'a>(channel: &'a str, number: Option<u64>, fill: impl FnOnce(&mut Push<'a>)) -> String {
    let mut push =
        Push { channel: number.is_none().then_some(channel), id: number, publication: None, unsubscribe: None };
    fill(&mut push);
    text(&Frame { push })
}

fn seconds(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Command, Said, event, said, subscribed};
    use crate::push::payload::{DataForm, STOP_STREAM_BROADCAST, stop_data};
    use crate::world::Ids;

    #[test]
    fn frames_are_the_captured_ones_to_the_letter() {
        let ids = Ids { user: 676, channel: 668, chatroom: 668 };
        let data = stop_data(ids, 129_925_755);
        assert_eq!(
            event("channel.668", None, STOP_STREAM_BROADCAST, &data, DataForm::Text),
            r#"{"push":{"channel":"channel.668","pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":129925755,\"channel\":{\"id\":668,\"is_banned\":false}}}","tags":{}}}}}"#
        );
        assert!(event("channel.668", Some(5), "x", "{}", DataForm::Text).starts_with(r#"{"push":{"id":5,"pub":{"#));
        assert_eq!(subscribed(2, None), r#"{"id":2,"subscribe":{}}"#);
        assert_eq!(subscribed(2, Some(5)), r#"{"id":2,"subscribe":{"id":5}}"#);
    }

    #[test]
    fn commands_are_understood_and_nonsense_is_known_as_such() {
        let subscribe = |compact| Command::Subscribe { channel: "channel.668".into(), compact };
        let table = [
            ("{}", Said::Pong),
            (r#"{"id":2,"subscribe":{"channel":"channel.668","flag":1}}"#, Said::Command(2, subscribe(true))),
            (r#"{"id":2,"subscribe":{"channel":"channel.668"}}"#, Said::Command(2, subscribe(false))),
            (r#"{"id":9,"ping":{}}"#, Said::Command(9, Command::Ping)),
            (r#"{"id":9,"rpc":{}}"#, Said::Command(9, Command::Unknown)),
            (r#"{"subscribe":{"channel":"channel.668"}}"#, Said::Nonsense),
            (r#"{"id":2,"subscribe":{}}"#, Said::Nonsense),
            ("hello", Said::Nonsense),
        ];
        for (line, meaning) in table {
            assert_eq!(said(line), meaning, "{line}");
        }
    }
}
