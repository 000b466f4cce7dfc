//! What requests are read as, and what is refused.

use super::{BODY_MAX, HEAD_MAX, Reader, Reading};
use crate::domain::webhook::{Delivery, Refusal};
use crate::domain::{Status, Steady, UserId};

const KICK: &str = "Kick-Event-Message-Id: 01JD\r\nKick-Event-Message-Timestamp: 2026-11-30T09:00:00Z\r\n\
                    Kick-Event-Signature: c2ln\r\nKick-Event-Type: livestream.status.updated\r\n\
                    Kick-Event-Version: 1\r\n";

/// What a new connection reads, up to the first reading that is nothing or a refusal.
fn read(bytes: &[u8]) -> Vec<Reading> {
    let mut reader = Reader::new("/kick");
    reader.take(bytes);
    let mut readings = Vec::new();
    loop {
        readings.push(reader.step());
        if matches!(readings.last(), Some(Reading::Nothing | Reading::Refused(_))) {
            return readings;
        }
    }
}

fn post(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /kick HTTP/1.1\r\nHost: k\r\n{KICK}{headers}\r\n{body}").into_bytes()
}

fn refusal(bytes: &[u8]) -> Option<Refusal> {
    match read(bytes).pop() {
        Some(Reading::Refused(refusal)) => Some(refusal),
        _ => None,
    }
}

/// The signed text of each request that is read.
fn signed(bytes: &[u8]) -> Vec<String> {
    let whole = read(bytes).into_iter().filter_map(|reading| match reading {
        Reading::Whole(request) => Some(String::from_utf8_lossy(&request.signed()).into_owned()),
        _ => None,
    });
    whole.collect()
}

#[test]
fn a_request_is_read_however_its_body_is_framed_and_cut() {
    let expected = "01JD.2026-11-30T09:00:00Z.{\"a\":1}";
    for bytes in [
        post("Content-Length: 7\r\n", "{\"a\":1}"),
        post("Transfer-Encoding: chunked\r\n", "3\r\n{\"a\r\n4;x=y\r\n\":1}\r\n0\r\n\r\n"),
        post("transfer-encoding: Chunked\r\n", "7\r\n{\"a\":1}\r\n0\r\nX-Sum: 1\r\n\r\n"),
    ] {
        assert_eq!(signed(&bytes), [expected]);
        let mut reader = Reader::new("/kick");
        let mut whole = 0;
        for byte in &bytes {
            reader.take(&[*byte]);
            let reading = reader.step();
            assert!(!matches!(reading, Reading::Refused(_)), "{reading:?} of {:?}", String::from_utf8_lossy(&bytes));
            whole += usize::from(matches!(reading, Reading::Whole(_)));
        }
        assert_eq!((whole, reader.is_amid()), (1, false), "byte by byte");
        assert_eq!(signed(&bytes.repeat(3)), [expected; 3], "one after another");
    }
}

#[test]
fn a_connection_stays_open_as_http_has_it() {
    let stays = |text: &str| match &read(text.as_bytes())[0] {
        Reading::Whole(request) => Some(request.stays),
        _ => None,
    };
    assert_eq!(stays(&format!("POST /kick HTTP/1.1\r\n{KICK}\r\n")), Some(true));
    assert_eq!(stays(&format!("POST /kick?a=b HTTP/1.1\r\n{KICK}Connection: x, Close\r\n\r\n")), Some(false));
    assert_eq!(stays(&format!("POST /kick HTTP/1.0\r\n{KICK}\r\n")), Some(false));
    assert_eq!(stays(&format!("POST /kick HTTP/1.0\r\n{KICK}Connection: Keep-Alive\r\n\r\n")), Some(true));
}

#[test]
fn the_body_is_asked_for_once_where_the_client_waits_for_that() {
    let mut reader = Reader::new("/kick");
    reader.take(&post("Content-Length: 2\r\nExpect: 100-continue\r\n", ""));
    assert_eq!((reader.step(), reader.step()), (Reading::Continue, Reading::Nothing));
    reader.take(b"{}");
    assert!(matches!(reader.step(), Reading::Whole(_)));
}

#[test]
fn what_is_no_request_of_kicks_is_refused() {
    let get = |line: &str| format!("{line} HTTP/1.1\r\nHost: k\r\n\r\n").into_bytes();
    for line in ["GET /", "POST /other", "POST /kick/", "POST /KICK", "POST http://k/kick", "OPTIONS *"] {
        assert_eq!(refusal(&get(line)), Some(Refusal::Path), "{line}");
    }
    for line in ["GET /kick", "HEAD /kick", "PUT /kick?x", "post /kick"] {
        assert_eq!(refusal(&get(line)), Some(Refusal::Method), "{line}");
    }
    for headers in [
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: 0x1\r\n",
        "Content-Length:\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Kick-Event-Message-Id: 2\r\n",
        "Kick-Event-Signature: 2\r\n",
        " folded: x\r\n",
        "no colon\r\n",
        "\0: x\r\n",
    ] {
        assert_eq!(refusal(&post(headers, "x")), Some(Refusal::Malformed), "{headers:?}");
    }
    for line in KICK.split_inclusive("\r\n") {
        let name = line.split(':').next().expect("a name");
        let expected = match name {
            "Kick-Event-Version" => None,
            "Kick-Event-Signature" => Some(Refusal::Signature),
            _ => Some(Refusal::Malformed),
        };
        let whole = String::from_utf8(post("", "")).expect("text");
        assert_eq!(refusal(whole.replace(line, "").as_bytes()), expected, "without {name}");
        if name == "Kick-Event-Message-Id" || name == "Kick-Event-Message-Timestamp" {
            for value in ["", "a b", "ü", &"x".repeat(65)] {
                let wrong = whole.replace(line, &format!("{name}: {value}\r\n"));
                assert_eq!(refusal(wrong.as_bytes()), Some(Refusal::Malformed), "{name}: {value}");
            }
        }
    }
    for bytes in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}",
        "POST /kick\r\n\r\n",
        "POST /kick HTTP/3.0\r\n\r\n",
    ] {
        assert_eq!(refusal(bytes.as_bytes()), Some(Refusal::Malformed), "{bytes:?}");
    }
}

#[test]
fn every_length_has_a_limit() {
    let long = "x".repeat(HEAD_MAX);
    assert_eq!(refusal(format!("POST /{long}").as_bytes()), Some(Refusal::Malformed));
    assert_eq!(refusal(&post(&format!("X: {long}\r\n"), "")), Some(Refusal::Malformed));
    assert_eq!(refusal(&post(&"X: y\r\n".repeat(100), "")), Some(Refusal::Malformed), "many headers");
    let body = "x".repeat(BODY_MAX);
    assert_eq!(signed(&post(&format!("Content-Length: {BODY_MAX}\r\n"), &body)).len(), 1);
    let more = BODY_MAX + 1;
    assert_eq!(refusal(&post(&format!("Content-Length: {more}\r\n"), "")), Some(Refusal::TooLong), "before the body");
    assert_eq!(refusal(&post("Content-Length: 99999999999999999999999\r\n", "")), Some(Refusal::TooLong));
    let chunked = |chunks: &str| post("Transfer-Encoding: chunked\r\n", chunks);
    assert_eq!(signed(&chunked(&format!("{BODY_MAX:x}\r\n{body}\r\n0\r\n\r\n"))).len(), 1);
    assert_eq!(refusal(&chunked(&format!("{more:x}\r\n"))), Some(Refusal::TooLong));
    assert_eq!(refusal(&chunked(&format!("{BODY_MAX:x}\r\n{body}\r\n1\r\n"))), Some(Refusal::TooLong));
    assert_eq!(refusal(&chunked("ffffffffffffffff\r\n")), Some(Refusal::TooLong));
    for chunks in ["fffffffffffffffff\r\n", "x\r\n", "1\r\nabc", &format!("1;{long}"), &format!("0\r\n{long}")] {
        assert_eq!(refusal(&chunked(chunks)), Some(Refusal::Malformed), "{:?}", &chunks[..chunks.len().min(20)]);
    }
}

#[test]
fn the_sender_is_the_one_whom_the_proxy_saw_last() {
    let from = |value: &str| {
        let mut reader = Reader::new("/kick");
        reader.take(&post(&format!("X-Forwarded-For: {value}\r\n"), ""));
        reader.step();
        reader.forwarded_for().map(|from| from.to_string())
    };
    assert_eq!(from("10.0.0.1, 2001:db8::1").as_deref(), Some("2001:db8::1"));
    assert_eq!(from("unknown"), None);
}

fn delivery(body: &str) -> Result<Option<Delivery>, Refusal> {
    let bytes = post(&format!("Content-Length: {}\r\n", body.len()), body);
    match read(&bytes).into_iter().next() {
        Some(Reading::Whole(request)) => request.delivery(Steady::default()),
        reading => panic!("{reading:?}"),
    }
}

#[test]
fn a_delivery_says_who_what_and_of_which_broadcast() {
    let body = |rest: &str| format!(r#"{{"broadcaster":{{"user_id":676,"channel_slug":"xqc"}},{rest}}}"#);
    let taken = |rest: &str| delivery(&body(rest)).expect("readable").expect("about a status");
    let live = taken(r#""is_live":true,"title":"\ud83d","started_at":"2026-11-30T20:00:00+11:00","ended_at":null"#);
    assert_eq!((live.user, live.status), (UserId(676), Status::Online));
    assert_eq!(live.started_at.map(|at| at.to_string()).as_deref(), Some("2026-11-30T09:00:00Z"));
    assert_eq!(live.sent.to_string(), "2026-11-30T09:00:00Z");
    for none in [
        r#""is_live":false,"started_at":null"#,
        r#""is_live":false"#,
        r#""is_live":false,"started_at":"0001-01-01T00:00:00Z""#,
    ] {
        let stop = taken(none);
        assert_eq!((stop.status, stop.started_at), (Status::Offline, None), "{none}");
    }
    for broken in
        ["", "{", "[]", "null", "{}", &body(r#""is_live":null"#), &body(r#""is_live":"true""#), &body(r#""x":1"#)]
    {
        assert_eq!(delivery(broken), Err(Refusal::Unreadable), "{broken}");
    }
    for user in ["0", "-1", "1.5", "\"676\"", "99999999999999999999"] {
        let broken = body(r#""is_live":true"#).replace("676", user);
        assert_eq!(delivery(&broken), Err(Refusal::Unreadable), "{broken}");
    }
}

#[test]
fn another_event_is_no_delivery() {
    let bytes = String::from_utf8(post("Content-Length: 2\r\n", "{}")).expect("text");
    let bytes = bytes.replace("livestream.status.updated", "chat.message.sent");
    match read(bytes.as_bytes()).into_iter().next() {
        Some(Reading::Whole(request)) => assert_eq!(request.delivery(Steady::default()), Ok(None)),
        reading => panic!("{reading:?}"),
    }
}
