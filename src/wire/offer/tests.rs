//! The answers that Kick gave, those that it might give, and those that must do no harm.

use super::{Offer, Place, acceptable, pusher_host, read};

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

fn shown(place: Option<Place>) -> Option<String> {
    place.map(|Place { tls, host, port, path_and_query }| format!("{tls} {host} {port} {path_and_query}"))
}

#[test]
fn urls_of_kick_and_pusher_are_used() {
    for (url, place) in [
        (
            "wss://realtime.us-west-2.platform.kick.com/connection/websocket",
            "true realtime.us-west-2.platform.kick.com 443 /connection/websocket",
        ),
        ("wss://kick.com", "true kick.com 443 /"),
        ("WSS://Realtime.KICK.com:443/a?b=c&d", "true realtime.kick.com 443 /a?b=c&d"),
        ("wss://ws-us2.pusher.com/app/x#part", "true ws-us2.pusher.com 443 /app/x"),
    ] {
        for configured_is_loopback in [false, true] {
            assert_eq!(shown(acceptable(url, configured_is_loopback)).as_deref(), Some(place), "{url}");
        }
    }
}

#[test]
fn loopback_is_used_where_the_configured_host_is_loopback() {
    for (url, place) in [
        ("ws://127.0.0.1:4000/connection/websocket", "false 127.0.0.1 4000 /connection/websocket"),
        ("wss://localhost:4001", "true localhost 4001 /"),
        ("ws://[::1]:4002/x", "false ::1 4002 /x"),
        ("ws://127.9.9.9/x", "false 127.9.9.9 80 /x"),
        ("wss://LOCALHOST/x", "true localhost 443 /x"),
    ] {
        assert_eq!(shown(acceptable(url, true)).as_deref(), Some(place), "{url}");
        assert_eq!(acceptable(url, false), None, "{url}");
    }
}

#[test]
fn no_other_url_is_used() {
    for url in [
        "",
        "nonsense",
        "/connection/websocket",
        "kick.com",
        "wss://",
        "ws://realtime.kick.com/x",
        "https://realtime.kick.com/x",
        "wss://realtime.kick.com:8443/x",
        "wss://realtime.kick.com:0/x",
        "wss://realtime.kick.com:70000/x",
        "wss://realtime.kick.com:/x",
        "wss://evilkick.com/x",
        "wss://kick.com.evil.com/x",
        "wss://kick.com./x",
        "wss://.kick.com/x",
        "wss://user@kick.com/x",
        "wss://user:password@kick.com/x",
        "wss://kick.com@evil.com/x",
        "wss://kick.com:443@evil.com/x",
        "wss://evil.com/kick.com",
        "wss://evil.com?.kick.com",
        "wss://evil.com#.kick.com",
        "wss://evil.com\\.kick.com/x",
        "wss://kick.com/x y",
        "wss://kick.com/x\r\nHost: evil.com",
        "wss://kick.com/\u{e9}",
        "wss://192.0.2.1/x",
        "wss://[2001:db8::1]/x",
        "wss://169.254.169.254/x",
        "ws://localhost.evil.com/x",
        "ws://127.0.0.1.evil.com/x",
        "ws://0.0.0.0/x",
        "http://127.0.0.1/x",
        "ws://user@127.0.0.1/x",
    ] {
        for configured_is_loopback in [false, true] {
            assert_eq!(acceptable(url, configured_is_loopback), None, "{url:?}");
        }
    }
}

#[test]
fn the_cluster_replaces_that_of_pushers_own_host_alone() {
    for (configured, cluster, host) in [
        ("ws-us2.pusher.com", "eu", "ws-eu.pusher.com"),
        ("ws-us2.pusher.com", "us2", "ws-us2.pusher.com"),
        ("ws-mt1.pusher.com", "ap-1", "ws-ap-1.pusher.com"),
        ("127.0.0.1", "eu", "127.0.0.1"),
        ("push.example.org", "eu", "push.example.org"),
        ("ws-.pusher.com", "eu", "ws-.pusher.com"),
        ("ws-us2.x.pusher.com", "eu", "ws-us2.x.pusher.com"),
        ("ws-us2.pusher.com.example.org", "eu", "ws-us2.pusher.com.example.org"),
        ("x.ws-us2.pusher.com", "eu", "x.ws-us2.pusher.com"),
    ] {
        assert_eq!(pusher_host(configured, cluster).as_deref(), Some(host), "{configured} {cluster}");
    }
}

#[test]
fn a_cluster_cannot_name_another_host() {
    for cluster in ["", "evil.com/", "evil.com", "a.b", "a/b", "a@b", "a:1", "a b", "a_b", "\u{e9}", "a\r\nb", "%2e"] {
        assert_eq!(pusher_host("ws-us2.pusher.com", cluster), None, "{cluster:?}");
    }
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
