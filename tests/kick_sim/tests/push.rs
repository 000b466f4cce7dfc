//! The push websocket, against docs/kick.md §2 and §3.

use crate::client::{LONG, Listener, SHORT, now};
use kick_sim::{DataForm, Face, Fault, Ids, Kick, PushEnd, Transport};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tungstenite::{Error, Message};

const QUERY: &str = "?protocol=7&client=js&version=8.4.0&flash=false";

#[test]
fn a_broadcast_is_told_to_who_subscribed() {
    let kick = Kick::start();
    kick.add_with("xqc", Ids { user: 676, channel: 668, chatroom: 667 });
    kick.add("other");
    let mut listener = Listener::new(&kick);
    listener.subscribe("channel.668");
    kick.go_live("other");
    let livestream = kick.go_live("xqc");
    let (event, data) = listener.event_and_data();
    assert_eq!((&event["event"], &event["channel"]), (&json!("App\\Events\\StreamerIsLive"), &json!("channel.668")));
    assert_eq!((&data["livestream"]["id"], &data["livestream"]["channel_id"]), (&json!(livestream), &json!(668)));
    assert!(data["livestream"]["created_at"].as_str().is_some_and(|time| time.ends_with(".000000Z")));
    assert_eq!(kick.live(), BTreeSet::from(["other".to_owned(), "xqc".to_owned()]));

    assert_eq!(kick.stop("xqc"), Some(livestream));
    let (event, data) = listener.event_and_data();
    assert_eq!(event["event"], "App\\Events\\StopStreamBroadcast");
    assert_eq!(data, json!({"livestream": {"id": livestream, "channel": {"id": 668, "is_banned": false}}}));
    assert_eq!(kick.stop("xqc"), None);
    kick.go_live_silently("xqc");
    kick.stop_silently("xqc");
    assert!(listener.is_quiet());
}

#[test]
fn subscriptions_are_counted_and_undone() {
    let kick = Kick::start();
    let mut listener = Listener::new(&kick);
    listener.subscribe("channel.1");
    listener.subscribe("channel.999999999");
    listener.ask("channel.1");
    let complaint = listener.event();
    assert_eq!(complaint["event"], "pusher:error");
    assert_eq!(complaint["data"], json!({"message": "Existing subscription to channel channel.1", "code": null}));
    assert!(kick.wait_subscribed("channel.1", LONG));
    listener.send(&json!({"event": "pusher:unsubscribe", "data": {"channel": "channel.1"}}));
    assert!(kick.wait_for(LONG, |kick| kick.subscriptions() == BTreeSet::from(["channel.999999999".to_owned()])));
    kick.push_raw("channel.1", "x", "{}");
    assert!(listener.is_quiet());
    listener.socket.close(None).expect("a close frame");
    assert!(kick.wait_for(LONG, |kick| kick.connections() == 0));
    assert_eq!(kick.subscriptions(), BTreeSet::new());
    assert_eq!(kick.push_ends(), [PushEnd { transport: Transport::Pusher, connection: 1, client_code: Some(1005) }]);
}

#[test]
fn wrong_parameters_are_refused_as_pusher_does() {
    let kick = Kick::start();
    let closed = |key: &str, query: &str| {
        let frame = Listener::with(&kick, key, query).closed();
        (u16::from(frame.code), frame.reason.to_string())
    };
    let (code, reason) = closed("eb1d5f283081a78b932c", QUERY);
    assert_eq!(code, 4001);
    assert_eq!(reason, "App key eb1d5f283081a78b932c not in this cluster. Did you forget to specify the cluster?");
    assert_eq!(closed(kick.app_key(), "").0, 4008);
    assert_eq!(closed(kick.app_key(), "?protocol=99").0, 4007);
    kick.close_next_push(1, 4100, "Over capacity");
    assert_eq!(closed(kick.app_key(), QUERY), (4100, "Over capacity".to_owned()));
    assert_eq!(kick.connections_made(), 0);
    Listener::new(&kick);
}

#[test]
fn both_kinds_of_ping_are_answered() {
    let kick = Kick::start();
    let mut listener = Listener::new(&kick);
    listener.send(&json!({"event": "pusher:ping", "data": {}}));
    assert_eq!(listener.event(), json!({"event": "pusher:pong", "data": "{}"}));
    listener.socket.send(Message::Ping(b"hello".to_vec().into())).expect("a ping");
    assert_eq!(listener.socket.read().expect("a pong"), Message::Pong(b"hello".to_vec().into()));
    kick.script_push(|push| push.ignore_pings = true);
    listener.send(&json!({"event": "pusher:ping", "data": {}}));
    assert!(listener.is_quiet());
}

#[test]
fn a_server_ping_without_an_answer_ends_in_4201() {
    let kick = Kick::start();
    kick.script_push(|push| {
        push.activity_timeout = 7;
        push.ping_after = Some(Duration::from_millis(50));
    });
    let mut listener = Listener::with(&kick, kick.app_key(), QUERY);
    let (_, greeting) = listener.event_and_data();
    assert_eq!(greeting["activity_timeout"], 7);
    assert_eq!(listener.event()["event"], "pusher:ping");
    listener.send(&json!({"event": "pusher:pong", "data": {}}));
    assert_eq!(listener.event()["event"], "pusher:ping", "an answered ping is followed by another");
    kick.script_push(|push| push.pong_timeout = Duration::ZERO);
    listener.send(&json!({"event": "pusher:pong", "data": {}}));
    loop {
        match listener.socket.read().expect("a frame") {
            Message::Close(frame) => break assert_eq!(frame.map(|frame| frame.code.into()), Some(4201_u16)),
            ping => assert!(ping.is_text()),
        }
    }
    kick.script_push(|push| {
        push.ping_by_websocket = true;
        push.pong_timeout = Duration::from_secs(60);
    });
    let mut listener = Listener::new(&kick);
    assert!(listener.socket.read().expect("a frame").is_ping());
}

#[test]
fn push_misbehaves_as_it_is_told() {
    let kick = Kick::start();
    let ids = kick.add("xqc");
    let channel = format!("channel.{}", ids.channel);
    let mut listener = Listener::new(&kick);

    kick.script_push(|push| push.refused.extend(["channel.13".to_owned()]));
    listener.ask("channel.13");
    let refusal = listener.event();
    assert_eq!(
        (&refusal["event"], &refusal["channel"]),
        (&json!("pusher_internal:subscription_error"), &json!("channel.13"))
    );
    kick.script_push(|push| push.refusing.extend([Transport::Pusher]));
    listener.ask(&channel);
    assert_eq!(listener.event()["event"], json!("pusher_internal:subscription_error"));
    kick.script_push(|push| push.ignoring = std::mem::take(&mut push.refusing));
    listener.ask(&channel);
    assert!(listener.is_quiet() && !kick.wait_subscribed(&channel, Duration::ZERO));
    kick.script_push(|push| push.ignoring.clear());
    kick.script_push(|push| push.drop_acks = true);
    listener.ask(&channel);
    assert!(kick.wait_subscribed(&channel, LONG));
    assert!(listener.is_quiet());

    kick.script_push(|push| push.copies = 3);
    let livestream = kick.go_live("xqc");
    (0..3).for_each(|_| assert_eq!(listener.event_and_data().1["livestream"]["id"], livestream));
    assert!(listener.is_quiet());
    kick.deafen(Transport::Pusher, true);
    kick.stop("xqc");
    assert!(listener.is_quiet());
    kick.clear_faults();

    let mut data = |form| {
        kick.script_push(|push| push.data_form = form);
        kick.push_stop("xqc", 7);
        listener.event().get("data").cloned()
    };
    assert!(data(DataForm::Text).is_some_and(|data| data.is_string()));
    assert_eq!(data(DataForm::Object).map(|data| data["livestream"]["id"].clone()), Some(json!(7)));
    assert_eq!(data(DataForm::EmptyList), Some(json!("[]")));
    assert_eq!(data(DataForm::NotJson), Some(json!("not JSON {")));
    assert_eq!(data(DataForm::Absent), None);
    kick.send_raw_frame("[1]");
    assert_eq!(listener.event(), json!([1]));
}

#[test]
fn open_connections_end_in_every_way() {
    let kick = Kick::start();
    let end = |fault| {
        let mut listener = Listener::new(&kick);
        kick.fault(Face::Push, fault);
        let end = listener.socket.read().expect_err("no frame comes");
        kick.clear_faults();
        end
    };
    assert!(matches!(end(Fault::Reset), Error::Io(_)));
    assert!(matches!(end(Fault::Close), Error::Protocol(_)));
    assert!(matches!(end(Fault::Cut), Error::Protocol(_)));
    assert!(matches!(end(Fault::Garbage), Error::Protocol(_)));
    let mut listener = Listener::new(&kick);
    kick.send_raw_frame("\"first\"");
    kick.close_push(4200, "Please reconnect");
    assert_eq!(listener.event(), "first");
    assert_eq!(u16::from(listener.closed().code), 4200);
    assert!(kick.wait_for(LONG, |kick| kick.connections() == 0));
}

#[test]
fn a_frozen_connection_thaws() {
    let kick = Kick::start();
    let mut listener = Listener::new(&kick);
    listener.subscribe("channel.1");
    kick.fault(Face::Push, Fault::Stall);
    kick.push_raw("channel.1", "first", "{}");
    listener.send(&json!({"event": "pusher:ping", "data": {}}));
    assert!(listener.is_quiet());
    assert_eq!(kick.connections(), 1);
    kick.clear_fault(Face::Push);
    let mut events = [listener.event()["event"].clone(), listener.event()["event"].clone()];
    events.sort_by_key(ToString::to_string);
    assert_eq!(events, ["first", "pusher:pong"]);
}

#[test]
fn a_client_that_does_not_read_delays_nobody() {
    let kick = Kick::start();
    let (mut deaf, mut listener) = (Listener::new(&kick), Listener::new(&kick));
    deaf.subscribe("channel.1");
    listener.subscribe("channel.1");
    let data = "x".repeat(9_000);
    for number in 0..2_000 {
        kick.push_raw("channel.1", &number.to_string(), &data);
        assert_eq!(listener.event()["event"], number.to_string());
    }
    kick.fault(Face::Push, Fault::Reset);
    assert!(kick.wait_for(LONG, |kick| kick.connections() == 0), "what is queued holds no end up");
}

#[test]
fn frames_come_late_and_in_order() {
    let kick = Kick::start();
    let mut listener = Listener::new(&kick);
    listener.subscribe("channel.1");
    let began = now();
    kick.fault(Face::Push, Fault::Latency(SHORT));
    kick.push_raw("channel.1", "first", "{}");
    kick.clear_fault(Face::Push);
    kick.push_raw("channel.1", "second", "{}");
    assert_eq!(listener.event()["event"], "first");
    assert!(began.elapsed() >= SHORT);
    assert_eq!(listener.event()["event"], "second");
}

#[test]
fn the_handshake_can_fail_too() {
    let kick = Kick::start();
    let url = kick.pusher_url();
    let connect = || {
        let stream = std::net::TcpStream::connect(url.strip_prefix("ws://").expect("no TLS")).expect("a connection");
        tungstenite::client(format!("{url}/app/{}{QUERY}", kick.app_key()), stream).map(drop).map_err(|error| {
            match error {
                tungstenite::HandshakeError::Failure(error) => error,
                tungstenite::HandshakeError::Interrupted(_) => panic!("the socket blocks"),
            }
        })
    };
    kick.fault(Face::Push, Fault::challenge());
    assert!(matches!(connect(), Err(Error::Http(answer)) if answer.status() == 403));
    kick.fault(Face::Push, Fault::Refuse);
    assert!(matches!(connect(), Err(Error::Io(_))));
    kick.fault(Face::Push, Fault::Garbage);
    assert!(connect().is_err());
    kick.clear_fault(Face::Push);
    assert!(connect().is_ok());
}

#[test]
fn many_channels_and_events_arrive_whole_and_in_order() {
    const CHANNELS: usize = 10_000;
    const EVENTS: usize = 100_000;
    let kick = Kick::start();
    let mut listener = Listener::new(&kick);
    for number in 0..CHANNELS {
        listener.subscribe(&format!("channel.{number}"));
    }
    assert_eq!(kick.subscriptions().len(), CHANNELS);
    let began = now();
    for number in 0..EVENTS {
        kick.push_raw(&format!("channel.{}", number % CHANNELS), "App\\Events\\X", &number.to_string());
    }
    for number in 0..EVENTS {
        assert_eq!(listener.event_and_data().1, json!(number));
    }
    println!("{EVENTS} events took {:?}", began.elapsed());
}
