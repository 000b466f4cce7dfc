//! What can go wrong on the HTTP faces: each fault does what it says, and ends when it is cleared.

use crate::client::{Http, LONG, SHORT, now, token};
use kick_sim::{Face, Fault, Kick};
use std::io::ErrorKind;
use std::time::Duration;

const TARGET: &str = "/api/v2/channels/xqc";

fn kick() -> Kick {
    let kick = Kick::start();
    kick.add("xqc");
    kick
}

#[test]
fn connections_are_reset_or_closed() {
    let kick = kick();
    let error = |kick: &Kick| Http::new(kick).get(TARGET, "").err().map(|error| error.kind());
    kick.fault(Face::Website, Fault::Reset);
    assert_eq!(error(&kick), Some(ErrorKind::ConnectionReset));
    kick.fault(Face::Website, Fault::Close);
    assert_eq!(error(&kick), Some(ErrorKind::UnexpectedEof));
    kick.fault(Face::HTTP, Fault::Refuse);
    assert!(matches!(error(&kick), Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)));
    kick.clear_faults();
    assert_eq!(error(&kick), None);
}

#[test]
fn only_the_broken_face_is_broken() {
    let kick = kick();
    kick.fault(Face::API, Fault::status(500, "oops"));
    let (mut http, token) = (Http::new(&kick), token(&kick));
    assert_eq!(http.get("/public/v1/channels?slug=xqc", &token).expect("an answer").status, 500);
    assert_eq!(http.get(TARGET, "").expect("an answer").status, 200);
    assert_eq!((kick.count(Face::API), kick.count(Face::Website), kick.count(Face::OAuth)), (1, 1, 1));
}

#[test]
fn silence_lasts_until_it_is_cleared() {
    let kick = kick();
    kick.fault(Face::Website, Fault::Silent);
    let silent = Http::new(&kick).patience(SHORT).get(TARGET, "").err().map(|error| error.kind());
    assert_eq!(silent, Some(ErrorKind::WouldBlock));
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| Http::new(&kick).get(TARGET, "").map(|reply| reply.status));
        assert!(kick.wait_for(LONG, |kick| kick.count(Face::Website) == 2));
        kick.clear_fault(Face::Website);
        assert_eq!(answer.join().expect("no panic").expect("an answer"), 200);
    });
}

#[test]
fn half_an_answer_stalls_and_then_the_rest_comes() {
    let kick = kick();
    kick.fault_next(Face::Website, 1, Fault::Stall);
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| Http::new(&kick).get(TARGET, "").map(|reply| reply.json()["slug"].clone()));
        assert!(kick.wait_for(LONG, |kick| kick.count(Face::Website) == 1));
        assert!(!answer.is_finished());
        kick.clear_fault(Face::Website);
        assert_eq!(answer.join().expect("no panic").expect("an answer"), "xqc");
    });
}

#[test]
fn answers_are_cut_late_slow_garbled_or_huge() {
    let kick = kick();
    let get = || Http::new(&kick).get(TARGET, "");
    kick.fault(Face::Website, Fault::Cut);
    assert_eq!(get().err().map(|error| error.kind()), Some(ErrorKind::UnexpectedEof));
    kick.fault(Face::Website, Fault::Garbage);
    assert_eq!(get().err().map(|error| error.kind()), Some(ErrorKind::InvalidData));
    kick.fault(Face::Website, Fault::Oversize(5_000_000));
    assert!(get().expect("an answer").body.len() > 5_000_000);

    let began = now();
    kick.fault(Face::Website, Fault::Latency(Duration::from_millis(120)));
    assert_eq!(get().expect("an answer").status, 200);
    assert!(began.elapsed() >= Duration::from_millis(120));

    kick.fault(Face::Website, Fault::Drip(Duration::from_secs(1)));
    let slow = Http::new(&kick).patience(SHORT).get(TARGET, "").err().map(|error| error.kind());
    assert_eq!(slow, Some(ErrorKind::WouldBlock));
    kick.fault(Face::Website, Fault::Drip(Duration::from_micros(10)));
    assert_eq!(get().expect("an answer").json()["slug"], "xqc");
}

#[test]
fn a_late_answer_tells_what_was_true_when_it_was_asked() {
    let kick = kick();
    kick.fault(Face::Website, Fault::Latency(SHORT));
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| Http::new(&kick).get(TARGET, "").map(|reply| reply.json()["livestream"].clone()));
        assert!(kick.wait_for(LONG, |kick| kick.count(Face::Website) == 1));
        kick.go_live("xqc");
        assert_eq!(answer.join().expect("no panic").expect("an answer"), serde_json::Value::Null);
    });
}

#[test]
fn kicks_own_refusals_have_their_captured_forms() {
    let kick = kick();
    let mut http = Http::new(&kick);
    let mut check = |fault: Fault, status: u16, part: &str| {
        kick.fault_next(Face::Website, 1, fault);
        let reply = http.get(TARGET, "").expect("an answer");
        assert_eq!(reply.status, status);
        assert!(format!("{}{}", reply.head, reply.body).contains(part), "{}{}", reply.head, reply.body);
    };
    check(Fault::rate_limited(Some(7)), 429, "Retry-After: 7\r\n");
    check(Fault::rate_limited(None), 429, "Too Many Requests");
    check(Fault::challenge(), 403, "<!DOCTYPE html>");
    check(Fault::blocked(), 403, "Request blocked by security policy.");
    check(Fault::country_blocked(), 423, "<html>");
    check(Fault::empty_400(), 400, "Content-Length: 0\r\n");
    assert_eq!(http.get(TARGET, "").expect("an answer").status, 200, "six faults for six requests");
}

#[test]
fn requests_are_recorded_with_what_became_of_them() {
    let kick = kick();
    let token = token(&kick);
    kick.clear_requests();
    let mut http = Http::new(&kick);
    let _ = http.get("/public/v1/channels?slug=xqc&slug=a%2Db", &token).expect("an answer");
    kick.fault(Face::Livestreams, Fault::Close);
    assert!(http.get("/public/v1/livestreams", &token).is_err());
    let requests = kick.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!((requests[0].face, requests[0].status), (Face::Channels, Some(200)));
    assert_eq!((requests[1].face, requests[1].status), (Face::Livestreams, None));
    assert_eq!(requests[0].all("slug").collect::<Vec<_>>(), ["xqc", "a-b"]);
    assert!(requests[0].at <= requests[1].at);
}

#[test]
fn dropping_it_ends_even_who_waits() {
    let kick = kick();
    kick.fault(Face::Website, Fault::Silent);
    let http = Http::new(&kick);
    std::thread::scope(|scope| {
        let asker = scope.spawn(move || { http }.get(TARGET, "").is_err());
        assert!(kick.wait_for(LONG, |kick| kick.count(Face::Website) == 1));
        drop(kick);
        assert!(asker.join().expect("no panic"));
    });
}
