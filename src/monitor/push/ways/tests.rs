//! Which of Kick's offers are used, and which are refused because they might do harm.

use super::{Place, acceptable, pusher_host};

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
