//! The gateway against a small server with scripted answers: every status, body and time-out described in
//! docs/kick.md, over real sockets and real TLS.

pub(crate) mod server;
mod tls;

use super::{Kick, REQUEST_LIMIT, Realtime, Token, TokenError};
use crate::config::{KickConfig, PushConfig, WebUrl};
use crate::domain::ask::{Failure, FailureKind, Phase, Query};
use crate::domain::secret::Secret;
use crate::domain::{Slug, UserId};
use server::{Script, Server, json, response};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

/// The configuration for Kick at `base`, with credentials that must be encoded in a form.
pub(crate) fn config(base: &str) -> KickConfig {
    let url = |path: &str| WebUrl {
        tls: base.starts_with("https"),
        host: "127.0.0.1".to_owned(),
        port: 0,
        path: path.to_owned(),
        text: format!("{base}{path}"),
    };
    KickConfig {
        client_id: "the id".to_owned(),
        client_secret: Secret::new("hunter2&="),
        oauth_url: url("/oauth/token"),
        api_url: url("/public/v1"),
        web_url: url(""),
        tls_ca: None,
    }
}

/// A client for the broker at `base`.
pub(crate) fn broker(base: &str) -> Realtime {
    let url = |path: &str| WebUrl { path: path.to_owned(), text: format!("{base}{path}"), ..config(base).web_url };
    Realtime::new(&PushConfig {
        only: None,
        pusher_url: url(""),
        pusher_app_key: "key".to_owned(),
        realtime_url: url("/api/v1/realtime"),
        channels_per_connection: 100,
        channel_names: Vec::new(),
        live_events: Vec::new(),
        stop_events: Vec::new(),
        tls_ca: None,
    })
}

/// A server that gives the same answer to every request, and a client for it.
fn kick(script: Script) -> (Server, Kick) {
    let server = Server::start(move |_| script.clone());
    let kick = Kick::new(&config(&server.base), REQUEST_LIMIT);
    (server, kick)
}

fn users() -> Query {
    Query::ChannelsByUser(vec![UserId(676)])
}

/// The failure that this answer is classified as.
fn failure(script: Script) -> Failure {
    let (_server, kick) = kick(script);
    kick.ask(Some(&Secret::new("tok")), &users()).result.expect_err("a failure")
}

#[test]
fn each_question_has_the_shape_that_kick_reads() {
    let slug = |text: &str| Slug::from_username(text).expect("usable");
    let (server, kick) = kick(json(r#"{"data":[]}"#));
    for (query, line) in [
        (Query::ChannelsBySlug(vec![slug("xqc"), slug("sino-tf")]), "/public/v1/channels?slug=xqc&slug=sino-tf"),
        (
            Query::ChannelsByUser(vec![UserId(676), UserId(7)]),
            "/public/v1/channels?broadcaster_user_id=676&broadcaster_user_id=7",
        ),
        (
            Query::Livestreams(vec![UserId(676), UserId(7)]),
            "/public/v1/livestreams?broadcaster_user_id=676&broadcaster_user_id=7&limit=100",
        ),
        (Query::UsersLivestreams(vec![UserId(676), UserId(7)]), "/public/v1/users/livestreams?user_id=676&user_id=7"),
    ] {
        assert_eq!(kick.ask(Some(&Secret::new("tok")), &query).result, Ok(vec![]));
        let heard = server.heard();
        assert!(heard.starts_with(&format!("GET {line} HTTP/1.1\r\n")), "{heard}");
        let heard = heard.to_lowercase();
        assert!(heard.contains("\r\nauthorization: bearer tok\r\n"), "{heard}");
        assert!(heard.contains("\r\naccept: application/json\r\n"), "{heard}");
        assert!(heard.contains(concat!("\r\nuser-agent: kick-monitor/", env!("CARGO_PKG_VERSION"), "\r\n")), "{heard}");
        // Without this header, a response may be compressed.
        assert!(heard.contains("\r\naccept-encoding: identity\r\n"), "{heard}");
    }
    // A token that is passed by mistake must not reach the website.
    let asked = kick.ask(Some(&Secret::new("tok")), &Query::Website(slug("xqc")));
    assert_eq!(asked.result.map_err(|failure| failure.kind), Err(FailureKind::Garbage));
    let heard = server.heard();
    assert!(heard.starts_with("GET /api/v2/channels/xqc HTTP/1.1\r\n"), "{heard}");
    assert!(!heard.to_lowercase().contains("authorization"), "{heard}");
}

#[test]
fn every_status_and_body_has_its_meaning() {
    let page = "<!DOCTYPE html><title>Just a moment...</title>";
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (script, kind) in [
        (response(400, "", r#"{"data":"bad","message":"Bad request"}"#), FailureKind::BadRequest),
        (response(400, "", ""), FailureKind::BadRequest),
        (response(401, "", r#"{"data":{},"message":"Unauthorized"}"#), FailureKind::Unauthorized),
        (response(403, "", r#"{"error":"Request blocked by security policy."}"#), FailureKind::Blocked),
        (response(423, "", ""), FailureKind::Blocked),
        (response(503, "Content-Type: text/html; charset=UTF-8\r\n", "Just a moment"), FailureKind::Blocked),
        (response(200, "", page), FailureKind::Blocked),
        (response(200, "", &format!("\r\n {page}")), FailureKind::Blocked),
        (response(401, "", page), FailureKind::Blocked),
        (response(404, "", "{}"), FailureKind::NotFound),
        (response(410, "", ""), FailureKind::NotFound),
        (response(429, "", "Too Many Requests"), FailureKind::RateLimited(None)),
        (response(429, "Retry-After: 7\r\n", page), FailureKind::RateLimited(seconds(7))),
        (
            response(429, "Date: Wed, 14 Oct 2026 08:00:00 GMT\r\nRetry-After: Wed, 14 Oct 2026 08:00:09 GMT\r\n", ""),
            FailureKind::RateLimited(seconds(9)),
        ),
        (response(500, "", ""), FailureKind::Server(None)),
        (response(503, "Retry-After: 20\r\n", "{}"), FailureKind::Server(seconds(20))),
        (response(418, "", "{}"), FailureKind::Server(None)),
        (response(204, "", ""), FailureKind::Server(None)),
        (response(302, "Location: /elsewhere\r\n", page), FailureKind::Server(None)),
        (json(""), FailureKind::Garbage),
        (json("OK"), FailureKind::Garbage),
        (json("[]"), FailureKind::Garbage),
        (json(r#"{"data":null}"#), FailureKind::Garbage),
        (json(r#"{"data":{}}"#), FailureKind::Garbage),
        (json(r#"{"message":"OK"}"#), FailureKind::Garbage),
        (json(r#"{"data":[{"slug":"xqc""#), FailureKind::Garbage),
        (json(&"[".repeat(1000)), FailureKind::Garbage),
        (json(&format!(r#"{{"data":[],"message":"{}"}}"#, "x".repeat(4 << 20))), FailureKind::Garbage),
    ] {
        let failure = failure(script.clone());
        assert_eq!(failure.kind, kind, "{script:?}");
        assert_eq!(failure.status, Some(script.status()), "{script:?}");
        assert!(!failure.text.is_empty() && failure.text.len() < 100, "{failure:?}");
    }
}

#[test]
fn the_answer_carries_the_servers_clock() {
    let (_server, kick) = kick(response(200, "Date: Wed, 14 Oct 2026 08:00:00 GMT\r\n", r#"{"data":[]}"#));
    let date = kick.ask(None, &users()).server_date;
    assert_eq!(date.map(|date| date.to_string()).as_deref(), Some("2026-10-14T08:00:00Z"));
}

#[test]
fn a_redirect_is_never_followed() {
    let (server, kick) = kick(response(307, "Location: /public/v1/elsewhere\r\n", ""));
    kick.ask(Some(&Secret::new("tok")), &users()).result.expect_err("not followed");
    let error = kick.token().expect_err("not followed");
    assert!(matches!(&error, TokenError::Unavailable { reason, .. } if reason.contains("redirect")), "{error:?}");
    assert!(server.heard().starts_with("GET /public/v1/channels?"));
    assert!(server.heard().starts_with("POST /oauth/token "));
    assert!(server.heard_no_more());
}

#[test]
fn a_slow_or_silent_server_is_given_up_with_the_phase_in_words() {
    let drip = |text: &str| Script::Drip(text.to_owned());
    let cases = [
        (Script::Silence, "timed out while waiting for the answer"),
        (drip("HTTP/1.1 200"), "timed out while waiting for the answer"),
        (drip("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"), "timed out while reading the answer"),
    ];
    // In parallel, because each case takes its full time limit.
    std::thread::scope(|scope| {
        for (script, words) in cases {
            scope.spawn(move || {
                let server = Server::start(move |_| script.clone());
                let kick = Kick::new(&config(&server.base), Duration::from_secs(3));
                let failure = kick.ask(None, &users()).result.expect_err("a failure");
                assert_eq!((failure.kind, failure.text.as_str()), (FailureKind::Network(Phase::Answer), words));
            });
        }
    });
}

#[test]
fn what_is_not_http_and_who_is_not_there_are_the_network() {
    for script in [
        Script::Raw(String::new()),
        Script::Raw("220 smtp.example.com\r\n".to_owned()),
        Script::Raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"data\":[]}".to_owned()),
        Script::Raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned()),
        Script::Raw(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20))),
    ] {
        let failure = failure(script.clone());
        assert!(matches!(failure.kind, FailureKind::Network(_)), "{script:?}");
    }
    let gone = Server::start(|_| Script::Silence).base.clone();
    let failure = Kick::new(&config(&gone), REQUEST_LIMIT).ask(None, &users()).result.expect_err("nobody is there");
    assert_eq!((failure.kind, failure.status), (FailureKind::Network(Phase::Connection), None));
    assert!(failure.text.contains("refused"), "{failure:?}");
}

/// Kick with connections that are kept. `answers` has, for each connection, the number of requests answered on it
/// before it is closed at the next one. Returns the request lines of all requests, by connection.
fn kept(answers: &'static [usize]) -> (Kick, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let lines = server::spawn(move || {
        let mut lines = Vec::new();
        for answers in answers {
            let (stream, _) = listener.accept().expect("a connection");
            let mut reader = BufReader::new(stream);
            for request in 0.. {
                let mut head = Vec::new();
                while reader.read_until(b'\n', &mut head).is_ok_and(|read| read > 2) {}
                let head = String::from_utf8_lossy(&head);
                let Some(line) = head.lines().next() else { break };
                lines.push(line.to_owned());
                if request == *answers {
                    break;
                }
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"data\":[]}";
                reader.get_mut().write_all(answer.as_bytes()).expect("it reads");
            }
        }
        lines
    });
    (Kick::new(&config(&base), Duration::from_secs(5)), lines)
}

#[test]
fn a_question_that_a_kept_connection_loses_is_asked_once_more_on_a_new_one() {
    let (kick, lines) = kept(&[1, 1]);
    for _ in 0..2 {
        assert_eq!(kick.ask(None, &users()).result, Ok(vec![]));
    }
    drop(kick);
    assert_eq!(lines.join().expect("no panic").len(), 3, "the second one came twice");

    // Once.
    let (kick, lines) = kept(&[1, 0]);
    assert_eq!(kick.ask(None, &users()).result, Ok(vec![]));
    let failure = kick.ask(None, &users()).result.expect_err("lost twice");
    assert!(matches!(failure.kind, FailureKind::Network(_)), "{failure:?}");
    drop(kick);
    assert_eq!(lines.join().expect("no panic").len(), 3);
}

#[test]
fn a_question_that_a_new_connection_loses_is_not_repeated_nor_is_an_order() {
    let (kick, lines) = kept(&[0]);
    let failure = kick.ask(None, &users()).result.expect_err("lost");
    assert!(matches!(failure.kind, FailureKind::Network(_)), "{failure:?}");
    drop(kick);
    assert_eq!(lines.join().expect("no panic").len(), 1);

    let (kick, lines) = kept(&[1]);
    assert_eq!(kick.ask(None, &users()).result, Ok(vec![]));
    assert!(matches!(kick.token(), Err(TokenError::Unavailable { .. })));
    drop(kick);
    assert_eq!(lines.join().expect("no panic")[1], "POST /oauth/token HTTP/1.1");
}

#[test]
fn hanging_up_ends_a_request_at_once() {
    let (server, kick) = kick(Script::Silence);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| kick.ask(None, &users()));
        server.heard();
        kick.hang_up();
        let failure = asking.join().expect("no panic").result.expect_err("hung up");
        assert!(matches!(failure.kind, FailureKind::Network(_)), "{failure:?}");
        assert!(!failure.text.contains("timed out"), "{failure:?}");
    });
}

#[test]
fn a_token_is_asked_for_with_the_credentials_in_a_form() {
    let (server, kick) = kick(json(r#"{"access_token":"t.o-k","token_type":"Bearer","expires_in":5184000}"#));
    let token = Token { secret: Secret::new("t.o-k"), expires_in: Duration::from_secs(5_184_000) };
    assert_eq!(kick.token(), Ok(token));
    let heard = server.heard();
    assert!(heard.starts_with("POST /oauth/token HTTP/1.1\r\n"), "{heard}");
    assert!(heard.to_lowercase().contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{heard}");
    let form = heard.split("\r\n\r\n").nth(1).expect("a body").replace("%20", "+");
    assert_eq!(form, "grant_type=client_credentials&client_id=the+id&client_secret=hunter2%26%3D");
}

#[test]
fn the_life_of_a_token_is_a_number_or_text_and_an_hour_when_missing() {
    for (expires_in, seconds) in [
        (r#","expires_in":7200"#, 7200),
        (r#","expires_in":"7200""#, 7200),
        ("", 3600),
        (r#","expires_in":null"#, 3600),
        (r#","expires_in":"soon""#, 3600),
        (r#","expires_in":0"#, 3600),
        (r#","expires_in":-5"#, 3600),
    ] {
        let (_server, kick) = kick(json(&format!(r#"{{"access_token":"tok"{expires_in}}}"#)));
        assert_eq!(kick.token().map(|token| token.expires_in), Ok(Duration::from_secs(seconds)), "{expires_in:?}");
    }
}

#[test]
fn r5_what_nobody_needs_does_not_spoil_a_token() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for needless in [r#""\ud83d""#, "1e999", &deep] {
        let (_server, kick) = kick(json(&format!(r#"{{"scope":{needless},"access_token":"tok","expires_in":60}}"#)));
        assert_eq!(kick.token().map(|token| token.expires_in), Ok(Duration::from_secs(60)), "{needless}");
        let body = format!(r#"{{"error_description":{needless},"error":"invalid_client"}}"#);
        let (_server, kick) = self::kick(response(401, "", &body));
        assert!(matches!(kick.token(), Err(TokenError::Refused { .. })), "{needless}");
    }
}

#[test]
fn only_kicks_own_words_refuse_the_credentials() {
    for (script, word) in [
        (response(401, "", r#"{"error":"invalid_client","error_description":"for hunter2"}"#), Some("invalid_client")),
        (response(400, "", r#"{"error":"Invalid request"}"#), Some("Invalid request")),
        (response(400, "", r#"{"error":"unauthorized_client"}"#), Some("unauthorized_client")),
        (response(400, "", ""), None),
        (response(400, "", r#"{"error":"hunter2"}"#), None),
        (response(401, "Content-Type: text/html\r\n", "<html>hunter2"), None),
        (response(401, "", r#"{"error":"Request blocked by security policy.","reference":"9e4db7e3"}"#), None),
        (response(403, "", r#"{"error":"invalid_client"}"#), None),
        (response(500, "", "hunter2"), None),
        (response(429, "Retry-After: 4\r\n", ""), None),
        (json(r#"{"token":"hunter2"}"#), None),
        (json(r#"{"access_token":""}"#), None),
        (json(r#"{"access_token":"hunter2\r\nX: y"}"#), None),
        (json(r#"{"access_token":17}"#), None),
        (Script::Raw(String::new()), None),
    ] {
        let (_server, kick) = kick(script.clone());
        let error = kick.token().expect_err("no token");
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
        match word {
            Some(word) => {
                assert_eq!(error, TokenError::Refused { status: script.status(), word: word.to_owned() }, "{script:?}")
            }
            None => assert!(matches!(error, TokenError::Unavailable { .. }), "{script:?}: {error:?}"),
        }
    }
    let (_server, kick) = kick(response(503, "Retry-After: 4\r\n", ""));
    let wait = match kick.token() {
        Err(TokenError::Unavailable { retry_after, .. }) => retry_after,
        other => panic!("{other:?}"),
    };
    assert_eq!(wait, Some(Duration::from_secs(4)));
}
