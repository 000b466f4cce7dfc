//! Answers that Kick gave, others that it might give, and malformed ones that must do no harm.

use super::{Offer, read};

fn pusher(app_key: &str, cluster: &str) -> Offer {
    Offer::Pusher { app_key: app_key.to_owned(), cluster: cluster.to_owned() }
}

fn centrifugo(url: &str) -> Offer {
    Offer::Centrifugo { url: url.to_owned() }
}

#[test]
fn the_recorded_answers_are_read() {
    for (body, offers) in [
        (
            r#"{"connections":[{"credentials":{"app_key":"32cbd69e4b950bf97679","cluster":"us2"},"provider":"PUSHER"}],"mode":"WEBSOCKET"}"#,
            vec![pusher("32cbd69e4b950bf97679", "us2")],
        ),
        (
            r#"{"data":{"connections":[{"provider":"centrifugo","credentials":{"url":"wss://realtime.us-west-2.platform.kick.com/connection/websocket"}}],"mode":"websocket"},"message":"success"}"#,
            vec![centrifugo("wss://realtime.us-west-2.platform.kick.com/connection/websocket")],
        ),
        (
            r#"{"data":{"connections":[{"provider":"pusher","credentials":{"app_key":"32cbd69e4b950bf97679","cluster":"us2"}}],"mode":"websocket"},"message":"success"}"#,
            vec![pusher("32cbd69e4b950bf97679", "us2")],
        ),
    ] {
        assert_eq!(read(body.as_bytes()), Some(offers), "{body}");
    }
}

#[test]
fn the_order_is_kicks_and_what_is_not_understood_is_left_out() {
    let body = r#"{"data":{"connections":[
        {"provider":"mqtt","credentials":{"url":"wss://x.kick.com/"}},
        {"provider":"Centrifugo","credentials":{"url":"wss://a.kick.com/","region":1},"weight":7},
        {"provider":"pusher","credentials":{"app_key":"../x","cluster":"us2"}},
        {"provider":"pusher","credentials":{"app_key":"k","cluster":"evil.com/"}},
        {"provider":"pusher","credentials":{"app_key":"","cluster":"us2"}},
        {"provider":"pusher","credentials":{"app_key":"k"}},
        {"provider":"pusher","credentials":null},
        {"provider":"centrifugo"},
        {"provider":"centrifugo","credentials":{"url":7}},
        {"provider":null,"credentials":{}},
        {"credentials":{}},
        null, 7, [],
        {"provider":"pusher","credentials":{"app_key":"A-b_9","cluster":"eu-1"}}
    ]}}"#;
    assert_eq!(read(body.as_bytes()), Some(vec![centrifugo("wss://a.kick.com/"), pusher("A-b_9", "eu-1")]));
}

#[test]
fn an_answer_may_hold_nothing_for_us() {
    for body in [
        r#"{"data":{"connections":[],"mode":"websocket"}}"#,
        r#"{"connections":[{"provider":"centrifugo","credentials":{"url":"https://kick.com/sse"}}],"mode":"SSE"}"#,
    ] {
        assert_eq!(read(body.as_bytes()), Some(Vec::new()), "{body}");
    }
}

#[test]
fn garbage_is_no_answer() {
    for body in [
        "",
        "<!DOCTYPE html><title>Just a moment...</title>",
        "null",
        "7",
        "[]",
        "{}",
        r#"{"data":null}"#,
        r#"{"data":{"connections":{}}}"#,
        r#"{"data":{"connections":null},"message":"success"}"#,
        r#"{"message":"Not found."}"#,
        r#"{"data":{"connections":["#,
    ] {
        assert_eq!(read(body.as_bytes()), None, "{body}");
    }
    assert_eq!(read(b"\xff\xfe"), None);
}

#[test]
fn r5_what_nobody_needs_does_not_spoil_an_offer() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for needless in [r#""\ud83d""#, "1e999", &deep] {
        let body = format!(
            r#"{{"x":{needless},"data":{{"x":{needless},"connections":[{{"provider":{needless}}},
            {{"x":{needless},"provider":"pusher","credentials":{{"x":{needless},"app_key":"k","cluster":"us2"}}}}]}}}}"#
        );
        let expected = Offer::Pusher { app_key: "k".to_owned(), cluster: "us2".to_owned() };
        assert_eq!(read(body.as_bytes()), Some(vec![expected]), "{needless}");
    }
}

#[test]
fn of_a_list_without_end_the_first_offers_count() {
    let one = r#"{"provider":"pusher","credentials":{"app_key":"k","cluster":"us2"}}"#;
    let body = format!(r#"{{"connections":[{}]}}"#, vec![one; 10_000].join(","));
    assert_eq!(read(body.as_bytes()).map(|offers| offers.len()), Some(16));
}
