//! Whatever bytes come from outside, nothing panics, and what is made of them keeps its promises. Each
//! target begins with the seeds of `tests/fuzz/seeds`, one a line; a crash that was mended stays there.

// How seeds are changed.
mod mutate;

use crate::e2e::scratch::{REQUIRED, Scratch, finish, with_config};
use kick_monitor::config::{self, Sources};
use kick_monitor::domain::ask::{Endpoint, Liveness};
use kick_monitor::domain::json::{Json, mended};
use kick_monitor::domain::push::Transport;
use kick_monitor::domain::secret::Secret;
use kick_monitor::domain::way::{Place, Way};
use kick_monitor::domain::{ChannelId, Slug, Steady};
use kick_monitor::gateway::database::decode::{Raw, Rows};
use kick_monitor::gateway::kick::entries;
use kick_monitor::gateway::state;
use kick_monitor::monitor::Terms;
use kick_monitor::wire::names::EventNames;
use kick_monitor::wire::webhook::{Reader, Reading, Request};
use kick_monitor::wire::{Act, SessionInput, offer, sessions};
use mutate::fuzz;
use std::collections::BTreeMap;
use std::time::Duration;

/// The seeds of a file, one a line.
fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}

/// A session that hears each line as a frame, with seconds in between.
fn converse(transport: Transport, bytes: &[u8]) {
    let mut now = Steady::after(Duration::from_secs(1));
    let mut session = sessions(&["channel.{id}".to_owned()], &EventNames::default())(now, transport);
    let mut acts = Vec::new();
    session.handle(now, SessionInput::Opened, &mut acts);
    session.handle(now, SessionInput::Follow(&[ChannelId(668), ChannelId(2_587_387)]), &mut acts);
    for (number, frame) in bytes.split(|byte| *byte == b'\x1e').enumerate() {
        now = now + Duration::from_secs(number as u64 % 7);
        acts.clear();
        session.handle(now, SessionInput::Text(&String::from_utf8_lossy(frame)), &mut acts);
        let mut ticks = 0;
        while session.next_wake() <= now && !acts.iter().any(|act| matches!(act, Act::End(_))) {
            session.handle(now, SessionInput::Tick, &mut acts);
            ticks += 1;
            assert!(ticks < 10, "it does not stop waking");
        }
        // An answer to each object of the frame at most, and what waits for its time.
        let sent = acts.iter().filter(|act| matches!(act, Act::Send(_))).count();
        assert!(sent <= 10 + frame.iter().filter(|byte| **byte == b'\n').count(), "{sent} frames at once");
        if acts.iter().any(|act| matches!(act, Act::End(_))) {
            return;
        }
    }
}

#[test]
fn frames_of_pusher() {
    let mut seeds = lines(include_str!("../frames/recorded.jsonl"));
    seeds.extend(lines(include_str!("seeds/pusher.txt")));
    seeds.push(seeds.join(&b'\x1e'));
    fuzz("pusher", &seeds, |bytes| converse(Transport::Pusher, bytes));
}

#[test]
fn frames_of_centrifugo() {
    let mut seeds = lines(include_str!("seeds/centrifugo.txt"));
    seeds.push(seeds.join(&b'\x1e'));
    fuzz("centrifugo", &seeds, |bytes| converse(Transport::Centrifugo, bytes));
}

#[test]
fn answers_of_the_api() {
    let endpoints = [Endpoint::Channels, Endpoint::Livestreams, Endpoint::UsersLivestreams, Endpoint::Website];
    fuzz("answers", &lines(include_str!("seeds/answers.txt")), |bytes| {
        for seen in endpoints.iter().filter_map(|endpoint| entries::seen(*endpoint, bytes)).flatten() {
            assert!(seen.user.is_some() || seen.slug.is_some(), "an entry names somebody: {seen:?}");
            assert!(seen.user.is_none_or(|user| user.0 > 0), "{seen:?}");
        }
    });
}

#[test]
fn what_nobody_needs_in_answers_and_frames() {
    let mut seeds = lines(include_str!("seeds/needless.txt"));
    seeds.extend(lines(include_str!("seeds/answers.txt")));
    fuzz("needless", &seeds, |bytes| {
        // A line of its own is another message to Centrifugo.
        if Json::read(&mended(bytes)).is_none() || bytes.contains(&b'\n') {
            return;
        }
        let around = |before: &str, after: &str| [before.as_bytes(), bytes, after.as_bytes()].concat();
        let answer = around(
            r#"{"data":[{"slug":"ana","stream":{"is_live":false}},{"title":"#,
            r#","slug":"bob","stream":{"is_live":false}}]}"#,
        );
        let seen = entries::seen(Endpoint::Channels, &answer).expect("a list");
        let offline = seen.iter().filter(|seen| seen.liveness == Liveness::Offline).count();
        assert_eq!((seen.len(), offline), (2, 2));
        let inner = around(r#"{"title":"#, r#","livestream":{"id":7}}"#);
        let quoted = serde_json::Value::from(String::from_utf8_lossy(&inner)).to_string();
        for data in [String::from_utf8_lossy(&inner).into_owned(), quoted] {
            let event = format!(r#""event":"App\\Events\\StopStreamBroadcast","data":{data}"#);
            let pusher = format!(r#"{{{event},"channel":"channel.668"}}"#);
            let centrifugo = format!(r#"{{"push":{{"channel":"channel.668","pub":{{"data":{{{event}}}}}}}}}"#);
            assert!(brings_evidence(Transport::Pusher, &[GREETING, &pusher]), "{pusher}");
            let frames = [r#"{"id":1,"connect":{}}"#, &centrifugo];
            assert!(brings_evidence(Transport::Centrifugo, &frames), "{centrifugo}");
        }
    });
}

const GREETING: &str = r#"{"event":"pusher:connection_established","data":"{}"}"#;

/// Whether the last of the frames is evidence to a session that follows 668.
fn brings_evidence(transport: Transport, frames: &[&str]) -> bool {
    let now = Steady::after(Duration::from_secs(1));
    let mut session = sessions(&["channel.{id}".to_owned()], &EventNames::default())(now, transport);
    let mut acts = Vec::new();
    session.handle(now, SessionInput::Opened, &mut acts);
    session.handle(now, SessionInput::Token(&Secret::new("t")), &mut acts);
    session.handle(now, SessionInput::Follow(&[ChannelId(668)]), &mut acts);
    for frame in frames {
        acts.clear();
        session.handle(now, SessionInput::Text(frame), &mut acts);
    }
    acts.iter().any(|act| matches!(act, Act::Push(_)))
}

#[test]
fn offers_of_transports() {
    let host = "ws-us2.pusher.com".to_owned();
    let pusher = Place { tls: true, host, port: 443, path_and_query: String::new() };
    let terms = Terms { only: None, pusher, app_key: "key".to_owned(), broker_is_loopback: false };
    fuzz("offers", &lines(include_str!("seeds/offers.txt")), |bytes| {
        for offer in offer::read(bytes).into_iter().flatten() {
            match terms.way(&offer) {
                Some(Way::Centrifugo { place }) => {
                    let kicks = ["kick.com", "pusher.com"].iter().any(|domain| place.host.ends_with(domain));
                    assert!(place.tls && place.port == 443 && kicks, "{place:?}");
                }
                Some(Way::Pusher { place: Place { host, .. }, .. }) => {
                    assert!(host.starts_with("ws-") && host.ends_with(".pusher.com"), "{host}");
                }
                None => assert_eq!(offer.transport(), Transport::Centrifugo, "it was read as a cluster"),
            }
        }
    });
}

#[test]
fn requests_for_webhooks() {
    let seeds = lines(include_str!("seeds/webhook.txt"));
    let seeds: Vec<Vec<u8>> =
        seeds.iter().map(|seed| String::from_utf8_lossy(seed).replace("\\r\\n", "\r\n").into_bytes()).collect();
    fuzz("webhook", &seeds, |bytes| {
        let mut read = Vec::new();
        // In two pieces, and whole: it is the same requests.
        for cut in [bytes.len() / 2, bytes.len()] {
            let mut reader = Reader::new("/kick");
            let mut requests = Vec::new();
            for piece in [&bytes[..cut], &bytes[cut..]] {
                reader.take(piece);
                loop {
                    match reader.step() {
                        Reading::Whole(request) => requests.push(request),
                        Reading::Continue => {}
                        Reading::Nothing | Reading::Refused(_) => break,
                    }
                }
            }
            assert!(requests.len() <= bytes.len() / 100 + 1, "{} requests", requests.len());
            for request in &requests {
                assert!(request.signed().len() <= bytes.len() + 64, "it signs no more than came");
                if let Some(packed) = request.pack() {
                    let unpacked = Request::unpack(&packed).map(|request| (request.signed(), request.signature));
                    assert_eq!(unpacked, Some((request.signed(), request.signature.clone())));
                }
                if let Ok(Some(delivery)) = request.delivery(Steady::default()) {
                    assert!(delivery.user.0 > 0, "{delivery:?}");
                }
            }
            read.push(requests);
        }
        let same = read[0].iter().zip(&read[1]).all(|(a, b)| a == b);
        assert!(same, "{read:?}");
    });
}

#[test]
fn requests_that_instances_pass_on() {
    let seeds = ["01JD\n2026-11-30T09:00:00Z\nc2ln\n{}", "01JD\n2026-11-30 09:00:00\n\n\n\n", "\n\n\n"];
    fuzz("passed_on", &seeds.map(|seed| seed.as_bytes().to_vec()), |bytes| {
        if let Some(request) = Request::unpack(bytes) {
            assert_eq!(request.pack().as_deref(), Some(bytes));
        }
    });
}

#[test]
fn configurations() {
    let example = include_str!("../../etc/kick-monitor.env");
    let filled = example.replace("\n#", "\n");
    let seeds = [REQUIRED.as_bytes().to_vec(), example.into(), filled.into_bytes()];
    fuzz("configuration", &seeds, |bytes| {
        let environment = BTreeMap::new();
        let mut read = |_, _: &_| Err("is not read".to_owned());
        let sources = Sources { file: "f", text: bytes, environment: &environment, read: &mut read, partial: false };
        let parsed = config::parse(sources);
        for problem in parsed.err().into_iter().flatten() {
            let said = problem.to_string();
            assert!(said.starts_with("f:") || said.starts_with("f "), "{said}");
            assert!(!said.contains('\n'), "one line each: {said}");
            let end = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
            assert!(problem.line.is_none_or(|line| (1..=end).contains(&line)), "{said}");
        }
    });
}

#[test]
fn usernames() {
    fuzz("usernames", &lines(include_str!("seeds/usernames.txt")), |bytes| {
        let Ok(slug) = Slug::from_username(&String::from_utf8_lossy(bytes)) else { return };
        assert!((1..=25).contains(&slug.as_str().len()), "{slug:?}");
        assert_eq!(Slug::from_username(slug.as_str()).as_ref(), Ok(&slug));
    });
}

#[test]
fn rows_of_the_table() {
    let mut seeds = lines(include_str!("seeds/usernames.txt"));
    seeds.extend([b"1\x1fcaf\xe9\x1f77\x1f\xff".to_vec(), b"\xff\x1fxqc".to_vec()]);
    seeds.extend(["é", " ", "a"].map(|text| format!("1\x1fhttps://kick.com/xqc?{}", text.repeat(1200)).into_bytes()));
    fuzz("rows", &seeds, |bytes| {
        let mut parts = bytes.split(|byte| *byte == b'\x1f');
        let (first, second) = (parts.next().unwrap_or_default(), parts.next());
        let username = second.unwrap_or(first);
        let (channel, user) = (parts.next(), parts.next());
        let raw = Raw { id: first, username, username_length: username.len(), channel, user, ..Raw::default() };
        for encoding in ["UTF8", "SQL_ASCII", "WIN1252"] {
            let mut rows = Rows::new(encoding);
            rows.push(&raw);
            let foreign = rows.foreign().len();
            let rows = rows.finish(vec![None; foreign]);
            let [row] = &rows[..] else { panic!("one row: {rows:?}") };
            assert!([row.id.as_str(), &row.username].iter().all(|text| text.chars().count() <= 1001), "{row:?}");
            assert!(row.channel.is_none_or(|channel| channel.0 >= 0), "{row:?}");
            if let Ok(name) = row.name() {
                let whole = std::str::from_utf8(username).expect("what is used is text");
                assert_eq!(Slug::from_username(whole), Ok(name), "to cut a name makes no other of it");
                assert_eq!(row.id.as_str().as_bytes(), first, "the row can be addressed");
            }
        }
    });
}

#[test]
fn learned_ids() {
    let scratch = Scratch::new();
    fuzz("learned", &lines(include_str!("seeds/learned.txt")), |bytes| {
        let file = scratch.file("learned.json", bytes, 0o600);
        if state::load(&scratch.path("")).is_err() {
            assert!(!file.exists(), "what is broken is set aside");
        }
    });
}

#[test]
fn status_files() {
    let scratch = Scratch::new();
    let config = scratch.config(format!("{REQUIRED}RUN_DIR={}\n", scratch.path("").display()));
    let seeds = lines(include_str!("seeds/status.txt"));
    let show = |bytes: &[u8]| {
        scratch.file("status.json", bytes, 0o644);
        scratch.file("streamers.jsonl", bytes, 0o644);
        for options in [&[][..], &["--prometheus"], &["ana"]] {
            let ended = finish(&mut with_config("status", &config, options));
            assert!(matches!(ended.code, Some(0 | 1 | 3)), "{ended:?}");
            assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        }
    };
    // Each is three processes, so they are few.
    seeds.iter().for_each(|seed| show(seed));
    let cut = seeds.iter().flat_map(|seed| (0..seed.len()).step_by(seed.len() / 8 + 1).map(|end| &seed[..end]));
    cut.for_each(show);
}
