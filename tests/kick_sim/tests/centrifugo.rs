//! Centrifugo's websocket, against docs/kick.md §1.4.

use crate::broker::guest_token;
use crate::client::{LONG, Listener, SHORT};
use kick_sim::{Face, Fault, Kick, Offer, PushEnd, Transport};
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};
use std::net::TcpStream;
use std::time::Duration;
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

/// A connection to Centrifugo.
struct Guest {
    socket: WebSocket<TcpStream>,
    /// Messages of a frame that were not looked at yet.
    lines: VecDeque<Value>,
    last: u64,
}

fn open(kick: &Kick, origin: Option<&str>) -> Result<Guest, Error> {
    let url = kick.centrifugo_url();
    let place = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).expect("no TLS");
    let stream = TcpStream::connect(place).expect("a connection");
    stream.set_read_timeout(Some(LONG)).expect("a time-out");
    let mut request = url.into_client_request().expect("a URL");
    if let Some(origin) = origin {
        request.headers_mut().insert("Origin", HeaderValue::from_str(origin).expect("a header"));
    }
    match tungstenite::client(request, stream) {
        Ok((socket, _)) => Ok(Guest { socket, lines: VecDeque::new(), last: 0 }),
        Err(HandshakeError::Failure(error)) => Err(error),
        Err(HandshakeError::Interrupted(_)) => panic!("the socket blocks"),
    }
}

impl Guest {
    /// Connected, not introduced.
    fn open(kick: &Kick) -> Guest {
        open(kick, Some("https://kick.com")).expect("a handshake")
    }

    /// Connected and greeted.
    fn new(kick: &Kick) -> Guest {
        let mut guest = Guest::open(kick);
        let reply = guest.ask("connect", &json!({"token": guest_token(kick), "name": "js"}));
        assert!(reply["connect"]["client"].is_string(), "{reply}");
        guest
    }

    fn send(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).expect("a frame can be sent");
    }

    /// Sends a command, and gives the next message that is no ping.
    fn ask(&mut self, command: &str, parameters: &Value) -> Value {
        self.last += 1;
        self.send(json!({"id": self.last, command: parameters}).to_string());
        let reply = self.message();
        assert_eq!(reply["id"], self.last, "{reply}");
        reply
    }

    fn subscribe(&mut self, channel: &str) -> Value {
        self.ask("subscribe", &json!({"channel": channel, "flag": 1}))
    }

    /// The next message; those of one frame one after the other.
    fn message(&mut self) -> Value {
        while self.lines.is_empty() {
            match self.socket.read().expect("a frame") {
                Message::Text(text) => {
                    self.lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        self.lines.pop_front().expect("a message")
    }

    fn is_quiet(&mut self) -> bool {
        self.socket.get_ref().set_read_timeout(Some(SHORT)).expect("a time-out");
        let quiet = matches!(self.socket.read(), Err(Error::Io(error))
            if error.kind() == std::io::ErrorKind::WouldBlock);
        self.socket.get_ref().set_read_timeout(Some(LONG)).expect("a time-out");
        quiet
    }

    /// The code and reason of the close frame that comes, whatever comes before it.
    fn closed(&mut self) -> (u16, String) {
        loop {
            match self.socket.read() {
                Ok(Message::Close(Some(frame))) => return (frame.code.into(), frame.reason.to_string()),
                Ok(Message::Text(_)) => {}
                other => panic!("a close frame was expected, not {other:?}"),
            }
        }
    }
}

fn error(code: u64, message: &str) -> Value {
    json!({"code": code, "message": message})
}

#[test]
fn a_broadcast_is_told_to_who_subscribed_on_either_transport() {
    let kick = Kick::start();
    kick.offer(&[Offer::Centrifugo, Offer::Pusher]);
    let channel = format!("channel.{}", kick.add("xqc").channel);
    let mut guest = Guest::new(&kick);
    let mut listener = Listener::new(&kick);
    assert_eq!(guest.subscribe(&channel), json!({"id": 2, "subscribe": {}}));
    assert!(kick.wait_subscribed_on(Transport::Centrifugo, &channel, LONG));
    assert_eq!(kick.subscriptions_on(Transport::Pusher), BTreeSet::new());
    listener.subscribe(&channel);
    let livestream = kick.go_live("xqc");
    let push = guest.message();
    assert_eq!(push["push"]["channel"], channel);
    let event = &push["push"]["pub"]["data"];
    assert_eq!((&event["event"], &event["tags"]), (&json!("App\\Events\\StreamerIsLive"), &json!({})));
    let (there, _) = listener.event_and_data();
    assert_eq!(event["data"], there["data"], "the payload is the same");
    assert!(event["data"].as_str().is_some_and(|data| data.contains(&livestream.to_string())));
    assert_eq!((kick.connections_on(Transport::Centrifugo), kick.connections(), kick.connections_made()), (1, 2, 2));

    kick.deafen(Transport::Pusher, true);
    kick.stop("xqc");
    assert!(guest.message()["push"]["pub"].is_object());
    assert!(listener.is_quiet());
    assert_eq!(guest.ask("unsubscribe", &json!({"channel": channel}))["unsubscribe"], json!({}));
    kick.go_live("xqc");
    assert!(guest.is_quiet());
    guest.socket.close(None).expect("a close frame");
    assert!(kick.wait_for(LONG, |kick| kick.connections() == 1));
    let end = PushEnd { transport: Transport::Centrifugo, connection: 1, client_code: Some(1005) };
    assert_eq!(kick.push_ends(), [end]);
}

#[test]
fn only_kicks_own_page_is_let_in() {
    let kick = Kick::start();
    let refused = |origin| match open(&kick, origin) {
        Err(Error::Http(answer)) => answer.status().as_u16(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("{origin:?} was let in"),
    };
    assert_eq!((refused(None), refused(Some("null")), refused(Some("https://evil.test"))), (403, 403, 403));
    kick.fault(Face::Centrifugo, Fault::status(503, "no"));
    assert_eq!(refused(Some("https://kick.com")), 503);
    kick.clear_faults();
    drop(Guest::open(&kick));
    assert_eq!(kick.count(Face::Centrifugo), 5);
}

#[test]
fn a_token_lets_in_while_it_lives_and_can_be_renewed() {
    let kick = Kick::start();
    kick.set_guest_lifetime(Duration::ZERO);
    let old = guest_token(&kick);
    kick.set_guest_lifetime(Duration::from_millis(2999));
    let mut guest = Guest::open(&kick);
    assert_eq!(guest.ask("connect", &json!({"token": "invented"}))["error"], error(101, "unauthorized"));
    assert_eq!(guest.ask("connect", &json!({"token": old}))["error"], error(109, "token expired"));
    assert_eq!((kick.connections(), kick.connections_made()), (0, 0));
    let reply = guest.ask("connect", &json!({"token": guest_token(&kick), "name": "js"}));
    let expected = json!({"client": "00000000-0000-4000-8000-000000000001", "version": "6.9.6 PRO", "expires": true,
        "ttl": 3, "ping": 25, "pong": true});
    assert_eq!(reply["connect"], expected);
    assert_eq!(guest.ask("refresh", &json!({"token": old}))["error"]["code"], 109);
    kick.set_guest_lifetime(Duration::from_secs(60));
    assert_eq!(guest.ask("refresh", &json!({"token": guest_token(&kick)}))["refresh"]["ttl"], 60);
    kick.set_guest_lifetime(Duration::from_secs(1));
    let short = guest_token(&kick);
    let mut late = Guest::open(&kick);
    assert_eq!(late.ask("connect", &json!({"token": short}))["connect"]["ttl"], 1);
    // It is over when it lets nobody in any more, this very second.
    while late.ask("refresh", &json!({"token": short}))["error"]["code"] != 109 {}
    assert_eq!(late.ask("refresh", &json!({"token": guest_token(&kick)}))["refresh"]["ttl"], 1, "it is not too late");
    kick.script_push(|push| push.renewal_grace = Duration::ZERO);
    let mut other = Guest::new(&kick);
    assert_eq!(other.closed(), (3005, "connection expired".to_owned()));
    assert_eq!(guest.ask("ping", &json!({}))["ping"], json!({}));
}

#[test]
fn subscriptions_are_refused_ended_and_numbered() {
    let kick = Kick::start();
    let mut guest = Guest::new(&kick);
    assert_eq!(guest.subscribe("private-channel.1")["error"], error(103, "permission denied"));
    kick.script_push(|push| push.refused = BTreeSet::from(["channel.13".to_owned()]));
    assert_eq!(guest.subscribe("channel.13")["error"]["code"], 103);
    guest.subscribe("channel.1");
    assert_eq!(guest.subscribe("channel.1")["error"], error(105, "already subscribed"));
    kick.end_subscriptions("channel.1", 2500, "insufficient state");
    let unsubscribe = json!({"code": 2500, "reason": "insufficient state"});
    assert_eq!(guest.message(), json!({"push": {"channel": "channel.1", "unsubscribe": unsubscribe}}));
    assert!(!kick.wait_subscribed("channel.1", Duration::ZERO));

    kick.script_push(|push| push.compact = true);
    let number = guest.subscribe("channel.1")["subscribe"]["id"].clone();
    assert!(number.is_u64());
    kick.push_raw("channel.1", "x", "{}");
    let data = json!({"event": "x", "data": "{}", "tags": {}});
    assert_eq!(guest.message(), json!({"push": {"id": number, "pub": {"data": data}}}));
    assert_eq!(guest.ask("subscribe", &json!({"channel": "channel.2"}))["subscribe"], json!({}));
    kick.script_push(|push| push.channel_limit = Some(2));
    let refusal = json!({"code": 106, "message": "limit exceeded"});
    assert_eq!(guest.ask("subscribe", &json!({"channel": "channel.3"}))["error"], refusal);
    kick.script_push(|push| push.channel_limit = None);
    kick.script_push(|push| push.drop_acks = true);
    guest.send(json!({"id": 99, "subscribe": {"channel": "channel.3"}}).to_string());
    assert!(kick.wait_subscribed("channel.3", LONG));
    assert!(guest.is_quiet());
}

#[test]
fn several_messages_come_in_one_frame() {
    let kick = Kick::start();
    let mut guest = Guest::new(&kick);
    let commands =
        (2..5).map(|id| json!({"id": id, "subscribe": {"channel": format!("channel.{id}"), "flag": 1}}).to_string());
    guest.send(commands.collect::<Vec<_>>().join("\n"));
    let replies = "{\"id\":2,\"subscribe\":{}}\n{\"id\":3,\"subscribe\":{}}\n{\"id\":4,\"subscribe\":{}}";
    assert_eq!(guest.socket.read().expect("a frame"), Message::text(replies));
}

#[test]
fn nonsense_ends_the_connection() {
    let kick = Kick::start();
    let bad = |say: &dyn Fn(&mut Guest)| {
        let mut guest = Guest::new(&kick);
        say(&mut guest);
        guest.closed()
    };
    let bad_request = (3501, "bad request".to_owned());
    assert_eq!(bad(&|guest| guest.send("hello")), bad_request);
    assert_eq!(bad(&|guest| guest.send(r#"{"subscribe":{"channel":"channel.1"}}"#)), bad_request);
    assert_eq!(bad(&|guest| guest.send(r#"{"id":2,"connect":{"token":"again"}}"#)), bad_request);
    let mut guest = Guest::open(&kick);
    guest.send(r#"{"id":1,"subscribe":{"channel":"channel.1"}}"#);
    assert_eq!(guest.closed(), bad_request);
    assert_eq!(Guest::new(&kick).ask("rpc", &json!({}))["error"], error(104, "method not found"));
}

#[test]
fn a_ping_without_an_answer_ends_in_3012() {
    let kick = Kick::start();
    kick.script_push(|push| push.ping_interval = Duration::from_secs(1));
    let mut guest = Guest::new(&kick);
    for _ in 0..2 {
        assert_eq!(guest.message(), json!({}));
        guest.send("{}");
    }
    assert_eq!(guest.closed(), (3012, "no pong".to_owned()));
    kick.script_push(|push| push.no_pings = true);
    let mut guest = Guest::new(&kick);
    assert!(guest.is_quiet());
    assert_eq!(guest.ask("ping", &json!({}))["ping"], json!({}));
    kick.script_push(|push| push.ignore_pings = true);
    guest.send(r#"{"id":9,"ping":{}}"#);
    assert!(guest.is_quiet());
    assert_eq!(kick.connections_on(Transport::Centrifugo), 1);
}

#[test]
fn connections_are_closed_with_any_code_one_transport_at_a_time() {
    let kick = Kick::start();
    let mut listener = Listener::new(&kick);
    let mut guest = Guest::new(&kick);
    kick.close_push_on(Transport::Centrifugo, 3500, "invalid token");
    assert_eq!(guest.closed(), (3500, "invalid token".to_owned()));
    kick.close_next_push_on(Transport::Centrifugo, 1, 4500, "go away");
    listener.subscribe("channel.1");
    listener = Listener::new(&kick);
    let mut guest = Guest::open(&kick);
    guest.send(json!({"id": 1, "connect": {"token": guest_token(&kick)}}).to_string());
    assert_eq!(guest.closed(), (4500, "go away".to_owned()));
    Guest::new(&kick);
    kick.close_push(3001, "shutdown");
    assert_eq!(u16::from(listener.closed().code), 3001);
}

#[test]
fn open_connections_break_in_every_way() {
    let kick = Kick::start();
    let mut listener = Listener::new(&kick);
    let end = |fault| {
        let mut guest = Guest::new(&kick);
        kick.fault(Face::Centrifugo, fault);
        let end = guest.socket.read().expect_err("no frame comes");
        kick.clear_faults();
        end
    };
    assert!(matches!(end(Fault::Reset), Error::Io(_)));
    assert!(matches!(end(Fault::Close), Error::Protocol(_)));
    assert!(matches!(end(Fault::Cut), Error::Protocol(_)));
    assert!(matches!(end(Fault::Garbage), Error::Protocol(_)));
    let mut guest = Guest::new(&kick);
    guest.subscribe("channel.1");
    kick.fault(Face::Centrifugo, Fault::Stall);
    kick.push_raw("channel.1", "late", "{}");
    assert!(guest.is_quiet());
    listener.subscribe("channel.1");
    kick.clear_faults();
    assert_eq!(guest.message()["push"]["pub"]["data"]["event"], "late");
}

#[test]
fn a_retired_key_closes_pusher_and_another_opens_it() {
    let kick = Kick::start();
    let mut listener = Listener::new(&kick);
    let _guest = Guest::new(&kick);
    kick.retire_key();
    assert_eq!(u16::from(listener.closed().code), 4001);
    let query = "?protocol=7&client=js&version=8.4.0&flash=false";
    assert_eq!(u16::from(Listener::with(&kick, kick.app_key(), query).closed().code), 4001);
    kick.set_app_key("another");
    assert_eq!(u16::from(Listener::with(&kick, kick.app_key(), query).closed().code), 4001);
    assert_eq!(Listener::with(&kick, "another", query).event()["event"], "pusher:connection_established");
    assert_eq!(kick.connections_on(Transport::Centrifugo), 1);
}
