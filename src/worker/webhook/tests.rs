//! The worker from the socket to the core: what is taken, refused, and told.

use super::Webhook;
use crate::clock::{Clock, Pulse};
use crate::config::{Listen, WebhookConfig};
use crate::domain::webhook::{WebhookEvent, WebhookOrder};
use crate::domain::{Status, UserId};
use crate::gateway::kick::tests::server::{PATIENCE, spawn};
use crate::gateway::state::tests::Scratch;
use crate::monitor::io::Input;
use crate::stop::stop_pair;
use crate::wire::webhook::{Reader, Reading, Request};
use crate::worker::Worker;
use crate::worker::passing_cell::PassingCell;
use crate::worker::webhook_cell::WebhookCell;
use crossbeam_channel::{Receiver, unbounded};
use jiff::SignedDuration;
use openssl::base64;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// A request that Kick signed, sent this long after Kick's present time.
fn request(key: &PKey<Private>, message: &str, later: SignedDuration, body: &str) -> String {
    let sent = (jiff::Timestamp::now() + later).to_string();
    let mut signer = Signer::new(MessageDigest::sha256(), key).expect("a signer");
    let signed = format!("{message}.{sent}.{body}");
    let signature = base64::encode_block(&signer.sign_oneshot_to_vec(signed.as_bytes()).expect("signed"));
    let length = body.len();
    format!(
        "POST /kick HTTP/1.1\r\nConnection: close\r\nKick-Event-Message-Id: {message}\r\nKick-Event-Message-Timestamp: {sent}\r\n\
         Kick-Event-Signature: {signature}\r\nKick-Event-Type: livestream.status.updated\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// The same request, as another instance passes it on.
fn pack(request: &str) -> Vec<u8> {
    let mut reader = Reader::new("/kick");
    reader.take(request.as_bytes());
    let Reading::Whole(request) = reader.step() else { panic!("{request}") };
    request.pack().expect("it is about a status")
}

/// The next event that is not about listening.
fn next(inputs: &Receiver<Input>) -> WebhookEvent {
    match inputs.recv_timeout(PATIENCE).expect("an input") {
        Input::Webhook(WebhookEvent::Listening(None)) => next(inputs),
        Input::Webhook(event) => event,
        input => panic!("{input:?}"),
    }
}

#[test]
fn what_is_kicks_and_new_is_taken_and_all_else_is_counted() {
    let scratch = Scratch::new();
    let path = scratch.0.join("webhook.sock");
    let config = WebhookConfig { listen: Listen::Unix(path.clone()), path: "/kick".to_owned() };
    let (sender, inputs) = unbounded();
    let (cell, clock, (source, stop)) = (Arc::new(WebhookCell::default()), Clock::start(), stop_pair());
    let (passing, rng) = (Arc::new(PassingCell::default()), fastrand::Rng::with_seed(1));
    let (cells, shared) = (Arc::clone(&cell), Arc::clone(&passing));
    let worker = Webhook { config, cell: cells, passing: shared, inputs: sender, clock, rng };
    let pulse = Pulse::new(clock, PATIENCE);
    let thread = spawn(move || worker.run(&pulse, &stop));
    assert_eq!(inputs.recv_timeout(PATIENCE), Ok(Input::Webhook(WebhookEvent::Listening(None))));

    let status = |request: &str| {
        let mut client = UnixStream::connect(&path).expect("connected");
        client.set_read_timeout(Some(PATIENCE)).expect("a limit");
        client.write_all(request.as_bytes()).expect("sent");
        let mut line = String::new();
        BufReader::new(client).read_line(&mut line).expect("an answer");
        line[9..12].to_owned()
    };
    let [key, other] = [(), ()].map(|()| PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key"));
    let live = r#"{"broadcaster":{"user_id":676},"is_live":true,"started_at":"2026-11-30T09:00:00Z"}"#;
    let now = SignedDuration::ZERO;
    assert_eq!(status(&request(&key, "a", now, live)), "503", "the key is not known yet");
    let pem = key.public_key_to_pem().expect("PEM");
    cell.put(WebhookOrder::Key(String::from_utf8(pem).expect("text")));

    assert_eq!(status(&request(&key, "a", now, live)), "200");
    let mut events = vec![next(&inputs)];
    while !matches!(events.last(), Some(WebhookEvent::Delivered(_))) {
        events.push(next(&inputs));
    }
    let Some(WebhookEvent::Delivered(delivery)) = events.last() else { panic!("{events:?}") };
    assert_eq!((delivery.user, delivery.status), (UserId(676), Status::Online));

    let minutes = SignedDuration::from_mins;
    for (request, expected) in [
        (request(&key, "a", now, live), "401"),
        (request(&other, "b", now, live), "401"),
        (request(&key, "c", minutes(-11), live), "401"),
        (request(&key, "d", minutes(11), live), "401"),
        (request(&key, "e", now, "{}"), "400"),
        (request(&key, "f", minutes(-9), live), "200"),
        (request(&key, "g", now, live).replace("676", "677"), "401"),
    ] {
        assert_eq!(status(&request), expected, "{request}");
    }
    let mut counted = std::collections::BTreeMap::new();
    while counted.values().sum::<u64>() + events.len() as u64 - 1 < 7 {
        match next(&inputs) {
            WebhookEvent::Others(counts) => {
                counts.into_iter().for_each(|(result, count)| *counted.entry(result).or_default() += count);
            }
            WebhookEvent::Delivered(delivery) => assert_eq!(delivery.user, UserId(676)),
            event => panic!("{event:?}"),
        }
    }
    counted.remove("no_key");
    assert_eq!(
        counted.into_iter().collect::<Vec<_>>(),
        [("age", 2), ("repeated", 1), ("signature", 2), ("unreadable", 1)]
    );

    // Kick's clock is what counts, not ours.
    let zero = jiff::Timestamp::now() + minutes(60) - clock.steady().elapsed();
    cell.put(WebhookOrder::Clock(zero));
    assert_eq!(status(&request(&key, "h", now, live)), "401");
    assert_eq!(status(&request(&key, "i", minutes(60), live)), "200");

    // What was taken is passed on, once; what another instance passes on is judged as what comes here.
    let passed_on: Vec<Vec<u8>> = passing.to_pass_on().collect();
    let texts: Vec<_> = passed_on.iter().map(|packed| String::from_utf8_lossy(packed)).collect();
    assert_eq!(texts.iter().map(|text| &text[..2]).collect::<Vec<_>>(), ["a\n", "f\n", "i\n"]);
    assert!(
        passed_on
            .iter()
            .all(|packed| Request::unpack(packed).and_then(|request| request.pack()).as_ref() == Some(packed))
    );
    let ours = &passed_on[2];
    let theirs = pack(&request(&key, "j", minutes(60), &live.replace("676", "678")));
    let forged = pack(&request(&other, "k", minutes(60), live));
    for packed in [ours, &theirs, &theirs, &forged, &b"nothing".to_vec()] {
        passing.hear(packed.clone());
    }
    while !matches!(next(&inputs), WebhookEvent::Delivered(delivery) if delivery.user == UserId(678)) {}
    assert_eq!(
        next(&inputs),
        WebhookEvent::Others([("age", 1), ("malformed", 1), ("signature", 1)].into_iter().collect()),
        "the first is that of `h`; neither ours nor the repeated one is evidence once more, or refused"
    );
    assert_eq!(passing.to_pass_on().count(), 0, "what was passed on is not passed on again");
    drop(source);
    thread.join().expect("it ends").expect("in order");
    assert!(!path.exists());
}
