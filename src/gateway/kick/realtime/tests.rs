//! The broker, simulated by a small server: the requests, every answer described in docs/kick.md §1.3 and §1.4, and
//! every failure.

use super::uuid;
use crate::domain::ask::{FailureKind, Phase};
use crate::domain::push::Transport;
use crate::domain::way::Offer;
use crate::gateway::kick::tests::broker;
use crate::gateway::kick::tests::server::{Script, Server, json, response};
use serde_json::{Value, json as value};
use std::time::Duration;

const BOTH: [Transport; 2] = [Transport::Pusher, Transport::Centrifugo];
const CLIENT: u128 = 0x0b5f_0f0e_8a55_4d0c_9a3b_1f6d_3f4a_2c11;
const UUID: &str = "0b5f0f0e-8a55-4d0c-9a3b-1f6d3f4a2c11";

fn body(request: &str) -> Value {
    let (_, body) = request.split_once("\r\n\r\n").expect("a request");
    serde_json::from_str(body).expect("JSON")
}

fn offers(script: Script) -> Result<Vec<Offer>, (FailureKind, Option<u16>)> {
    let server = Server::start(move |_| script.clone());
    broker(&server.base).offers(CLIENT, &BOTH).map_err(|failure| (failure.kind, failure.status))
}

#[test]
fn the_questions_are_those_of_kicks_own_page() {
    let server = Server::start(|_| json(r#"{"data":{"connections":[],"token":"t","mode":"websocket"}}"#));
    let realtime = broker(&server.base);
    assert_eq!(realtime.offers(CLIENT, &BOTH).expect("an answer"), []);
    let request = server.heard();
    assert!(request.starts_with("POST /api/v1/realtime/connection HTTP/1.1\r\n"), "{request}");
    let head = request.to_lowercase();
    for header in ["content-type: application/json", "origin: https://kick.com", "x-app-platform: web"] {
        assert!(head.contains(header), "{request}");
    }
    let providers = value!([{"provider": "pusher"}, {"provider": "centrifugo"}]);
    assert_eq!(
        body(&request),
        value!({"client": {"id": UUID, "type": "web"}, "capabilities": {"accepted_providers": providers}})
    );
    assert_eq!(realtime.guest_token(CLIENT).expect("a token").reveal(), "t");
    let request = server.heard();
    assert!(request.starts_with("POST /api/v1/realtime/auth/connection HTTP/1.1\r\n"), "{request}");
    assert_eq!(body(&request), value!({"client_id": UUID}));
}

#[test]
fn what_kick_offers_is_read() {
    let pusher = r#"{"provider":"pusher","credentials":{"app_key":"key","cluster":"us2"}}"#;
    let answer = format!(r#"{{"data":{{"connections":[{pusher}],"mode":"websocket"}},"message":"success"}}"#);
    let offered = Offer::Pusher { app_key: "key".to_owned(), cluster: "us2".to_owned() };
    assert_eq!(offers(json(&answer)), Ok(vec![offered]));
}

#[test]
fn what_is_no_answer_of_kicks_is_a_failure_that_names_its_kind() {
    let page = "Content-Type: text/html\r\n";
    for (script, kind) in [
        (response(403, page, "<html>"), FailureKind::Blocked),
        (response(423, page, "<html>"), FailureKind::Blocked),
        (response(200, page, "<html>"), FailureKind::Blocked),
        (response(429, "Retry-After: 7\r\n", ""), FailureKind::RateLimited(Some(Duration::from_secs(7)))),
        (response(404, "", "{}"), FailureKind::NotFound),
        (response(302, "Location: http://127.0.0.1/\r\n", ""), FailureKind::Server(None)),
        (response(503, "", ""), FailureKind::Server(None)),
        (json("{}"), FailureKind::Garbage),
        (json("[1"), FailureKind::Garbage),
    ] {
        let status = script.status();
        assert_eq!(offers(script), Err((kind, Some(status))), "{status}");
    }
    assert_eq!(offers(Script::Raw(String::new())), Err((FailureKind::Network(Phase::Connection), None)));
}

#[test]
fn a_token_that_is_none_is_a_failure() {
    for body in [r#"{"data":{"token":""}}"#, r#"{"data":{"token":"a b"}}"#, r#"{"data":{"token":7}}"#, r#"{"data":{}}"#]
    {
        let answer = body.to_owned();
        let server = Server::start(move |_| json(&answer));
        let failure = broker(&server.base).guest_token(CLIENT).expect_err("no token");
        assert_eq!(failure.kind, FailureKind::Garbage, "{body}");
    }
}

#[test]
fn a_broker_that_is_silent_costs_seconds_and_not_more() {
    let clock = crate::clock::Clock::start();
    let server = Server::start(|_| Script::Silence);
    let failure = broker(&server.base).offers(CLIENT, &BOTH).expect_err("no answer");
    assert_eq!(failure.kind, FailureKind::Network(Phase::Answer));
    // A third more than the limit, for a busy machine.
    assert!(clock.steady().elapsed() < super::LIMIT * 4 / 3 + Duration::from_secs(2), "{:?}", clock.steady());
}

#[test]
fn the_id_of_a_client_is_a_uuid() {
    let mut rng = fastrand::Rng::with_seed(1);
    let (one, other) = (uuid(rng.u128(..)), uuid(rng.u128(..)));
    assert_ne!(one, other);
    for text in [one, other] {
        let lengths: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{text}");
        assert!(text[14..].starts_with('4') && "89ab".contains(&text[19..20]), "{text}");
    }
}
