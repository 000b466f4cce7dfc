//! Webhooks from end to end: Kick's subscriptions and signed deliveries on one side, the row on the other.

use super::check::SetUp;
use super::exposition;
use super::reload::reload;
use super::scratch::finish;
use super::stage::{PATIENCE, Stage, changes, wait_change, wait_snapshot};
use kick_sim::{Face, Fault, status_of};
use lab::{Builder, Daemon, Line, free_port, wait_for};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Webhooks alone: no push connection can be made, and the API learns of nothing.
fn alone(stage: &Stage, address: &str) -> Builder {
    stage.kick.set_api_lag(None);
    stage.unpushed().set("WEBHOOK_LISTEN", address)
}

/// A free address for the listener.
pub(crate) fn address() -> String {
    format!("127.0.0.1:{}", free_port())
}

/// Starts the program and waits until everybody is Offline and subscribed to, as Kick shows.
#[track_caller]
fn start(stage: &Stage, builder: Builder, usernames: &[&str]) -> Daemon {
    let daemon = stage.start(builder);
    usernames.iter().for_each(|username| stage.wait_status(username, "Offline"));
    let line = daemon.wait_event("webhook_subscribed", PATIENCE);
    assert_eq!(line.key("streamers"), usernames.len().to_string());
    daemon
}

/// What listens, of all that the process has open.
fn listeners(pid: u32) -> BTreeSet<String> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).expect("its files");
    let links = links.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let inodes: BTreeSet<String> =
        links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect();
    let table = |name: &str| fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
    let mut listening = BTreeSet::new();
    for name in ["tcp", "tcp6"] {
        let rows = table(name);
        let fields = rows.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
        let mine = fields.filter(|it| it.get(3) == Some(&"0A") && it.get(9).is_some_and(|id| inodes.contains(*id)));
        listening.extend(mine.map(|it| it[1].to_owned()));
    }
    let rows = table("unix");
    let fields = rows.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let mine = fields.filter(|it| it.get(3) == Some(&"00010000") && it.get(6).is_some_and(|id| inodes.contains(*id)));
    listening.extend(mine.map(|it| it.last().copied().unwrap_or_default().to_owned()));
    listening
}

#[test]
fn by_default_nothing_listens_and_kick_is_asked_for_nothing() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.watch(&["ana"]);
    assert_eq!(listeners(daemon.pid()), BTreeSet::new());
    assert_eq!(stage.kick.count([Face::PublicKey, Face::Subscriptions]), 0);
    let address = address();
    reload(&daemon, &[("WEBHOOK_LISTEN", &address)]);
    wait_for("a listener", PATIENCE, || (listeners(daemon.pid()).len() == 1).then_some(()));
    daemon.wait_event("webhook_subscribed", PATIENCE);
    reload(&daemon, &[("WEBHOOK_LISTEN", "")]);
    wait_for("no listener", PATIENCE, || listeners(daemon.pid()).is_empty().then_some(()));
}

#[test]
fn where_push_is_refused_webhooks_alone_are_enough() {
    let stage = Stage::with(&["ana", "ben"]);
    let address = address();
    let daemon = start(&stage, alone(&stage, &address), &["ana", "ben"]);
    assert_eq!(stage.kick.webhooks(), ["ana", "ben"]);
    for (status, count) in [("Online", 2), ("Offline", 3)] {
        match status {
            "Online" => drop(stage.kick.go_live_silently("ana")),
            _ => drop(stage.kick.stop_silently("ana")),
        }
        assert_eq!(stage.kick.delivery("ana").send(&address).expect("an answer"), 200);
        let line = wait_change(&daemon, "ana", count);
        assert_eq!((line.key("status"), line.key("source")), (status, "push"), "{}", line.text);
        stage.wait_status("ana", status);
    }
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline"]);
    assert_eq!(stage.written("ben"), ["Offline"]);
    wait_for("which witness told what", PATIENCE, || {
        let told = finish(daemon.command("status").arg("ana")).stdout;
        (told.contains("last event Offline by webhook") && told.contains("last delivery Offline")).then_some(())
    });
    let seen = wait_snapshot(&daemon, "both are covered", |seen| seen["streamers"]["covered"] == 2);
    assert_eq!(seen["webhooks"]["subscriptions"], 2, "{seen}");
    let metrics = exposition::read(&finish(daemon.command("status").arg("--prometheus")).stdout);
    assert_eq!(metrics["kick_monitor_webhook_subscriptions"], 2.0);
    assert_eq!(metrics["kick_monitor_webhook_deliveries_total{result=\"taken\"}"], 2.0);
}

#[test]
fn webhooks_that_do_not_come_are_said_to_be_silent() {
    let names = ["ana", "ben", "cem", "dee", "eve"];
    let stage = Stage::with(&names);
    let builder = stage.builder().set("PUSH_HOLD_SECS", "0").set("WEBHOOK_LISTEN", address());
    let daemon = start(&stage, builder, &names);
    stage.wait_followed(&names);
    // Push tells of all, and Kick delivers nothing.
    for name in names {
        stage.kick.go_live(name);
    }
    let line = daemon.wait_event("webhook_silent", PATIENCE);
    assert_eq!(line.key("kind"), "starts", "{}", line.text);
}

#[test]
fn a_webhook_and_a_push_event_of_one_change_are_one_write() {
    let stage = Stage::with(&["ana"]);
    stage.kick.set_api_lag(None);
    let path = stage.database.name().replace('/', "_");
    let socket = format!("unix:{}/{path}.sock", env!("CARGO_TARGET_TMPDIR"));
    let daemon = start(&stage, stage.builder().set("WEBHOOK_LISTEN", &socket), &["ana"]);
    stage.wait_followed(&["ana"]);
    // Push first.
    stage.kick.go_live("ana");
    wait_change(&daemon, "ana", 2);
    let late = stage.kick.delivery("ana");
    assert_eq!(late.send(&socket).expect("an answer"), 200);
    // The webhook first.
    let livestream = stage.kick.stop_silently("ana").expect("it was live");
    assert_eq!(stage.kick.delivery("ana").send(&socket).expect("an answer"), 200);
    wait_change(&daemon, "ana", 3);
    stage.kick.push_stop("ana", livestream);
    // The same message once more.
    assert_eq!(late.send(&socket).expect("an answer"), 401);
    wait_snapshot(&daemon, "all of them", |seen| seen["counters"]["webhook_deliveries"]["repeated"] == 1);
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline"]);
    assert_eq!(changes(&daemon, "ana").len(), 3);
    assert!(daemon.stop(PATIENCE).success());
    assert!(!fs::exists(socket.trim_start_matches("unix:")).expect("looked"), "the socket is gone");
}

#[test]
fn with_two_instances_a_delivery_reaches_the_one_that_follows_the_streamer() {
    let names = ["ana", "ben", "cem", "dee", "eve", "fay"];
    let stage = Stage::with(&names);
    let addresses = [address(), address()];
    let start = |address: &String| stage.start(alone(&stage, address).set("DB_SHARDS", "6"));
    let first = start(&addresses[0]);
    names.iter().for_each(|name| stage.wait_status(name, "Offline"));
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.webhooks() == names), "{:?}", stage.kick.webhooks());
    let deliver = |name: &str, addresses: &[String]| {
        let delivery = stage.kick.delivery(name);
        addresses.iter().for_each(|address| assert_eq!(delivery.send(address).expect("an answer"), 200));
    };
    let go_live = |name: &str| {
        stage.kick.go_live_silently(name);
        deliver(name, &addresses[..1]);
        stage.wait_status(name, "Online");
    };
    let (early, others) = names.split_at(1);
    early.iter().for_each(|name| go_live(name));
    let instances = [first, start(&addresses[1])];
    for daemon in &instances {
        wait_snapshot(daemon, "half of the shards", |seen| seen["coordination"]["held"] == 3);
    }
    others.iter().for_each(|name| go_live(name));
    // A proxy that sends to all.
    for name in names {
        stage.kick.stop_silently(name);
        deliver(name, &addresses);
        stage.wait_status(name, "Offline");
    }
    // What somebody else notifies is not Kick's word.
    let oid = stage.database.value("SELECT 'streamers'::regclass::oid::text").expect("the table");
    stage
        .database
        .execute(&format!("SELECT pg_notify('kick_monitor_{oid}', 'bm8='), pg_notify('kick_monitor_{oid}', '')"));
    for daemon in &instances {
        wait_snapshot(daemon, "both refused", |seen| seen["counters"]["webhook_deliveries"]["malformed"] == 2);
        assert!(names.iter().any(|name| !changes(daemon, name).is_empty()), "it followed somebody");
        let repeated = &wait_snapshot(daemon, "any", |_| true)["counters"]["webhook_deliveries"]["repeated"];
        assert!(repeated.is_null() || *repeated == 0, "{repeated}");
    }
    for name in names {
        assert_eq!(stage.written(name), ["Offline", "Online", "Offline"]);
    }
}

#[test]
fn what_is_not_kicks_or_not_of_now_gets_its_status_and_changes_nothing() {
    let stage = Stage::with(&["ana"]);
    let address = address();
    let daemon = start(&stage, alone(&stage, &address), &["ana"]);
    stage.kick.go_live_silently("ana");
    let good = stage.kick.delivery("ana");
    let text = good.request("/kick");
    let wrong = |from: &str, to: &str| text.replacen(from, to, 1).into_bytes();
    let many = "X: y\r\n".repeat(200);
    for (what, bytes, status) in [
        ("another body", wrong("\"is_live\":true", "\"is_live\":!!!!"), 401),
        ("another signature", wrong("Kick-Event-Signature: ", "Kick-Event-Signature: AAAA"), 401),
        ("no signature", wrong("Kick-Event-Signature", "X-Event-Signature"), 401),
        (
            "eleven minutes old",
            stage.kick.delivery_of("ana", Duration::from_secs(660)).request("/kick").into_bytes(),
            401,
        ),
        ("no message id", wrong("Kick-Event-Message-Id", "X-Id"), 400),
        ("another path", good.request("/").into_bytes(), 404),
        ("another method", wrong("POST", "PUT"), 405),
        ("GET", b"GET /kick HTTP/1.1\r\n\r\n".to_vec(), 405),
        ("too long", wrong("Content-Length: ", "Content-Length: 999999"), 413),
        ("many headers", wrong("Host: localhost\r\n", &many), 400),
        ("a long header", wrong("localhost", &"x".repeat(20_000)), 400),
        ("two lengths", wrong("Host: localhost\r\n", "Content-Length: 1\r\n"), 400),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), 400),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), 400),
        ("absurd", b"\0\xff\r\n\r\n".to_vec(), 400),
    ] {
        assert_eq!(status_of(&address, &bytes).unwrap_or_else(|error| panic!("{what}: {error}")), status, "{what}");
    }
    // Half a request gets its status when its time is over, and holds up nobody.
    let mut slow = TcpStream::connect(&address).expect("connected");
    slow.write_all(&text.as_bytes()[..200]).expect("sent");
    let flood: Vec<TcpStream> = (0..200).filter_map(|_| TcpStream::connect(&address).ok()).collect();
    assert_eq!(stage.written("ana"), ["Offline"], "none of them was evidence");
    assert_eq!(good.send(&address).expect("an answer"), 200);
    stage.wait_status("ana", "Online");
    drop(flood);
    let mut slow_too = TcpStream::connect(&address).expect("connected");
    slow_too.write_all(b"POST /kick HTTP/1.1\r\n").expect("sent");
    let mut answer = String::new();
    slow_too.set_read_timeout(Some(PATIENCE)).expect("a limit");
    slow_too.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    // However many they are, each reason is logged once.
    let slow = |line: &Line| line.event == "webhook_refused" && line.key("reason") == "slow";
    daemon.wait_line(PATIENCE, slow);
    let lines = daemon.events("webhook_refused");
    let reasons: BTreeSet<&str> = lines.iter().map(|line| line.key("reason")).collect();
    assert_eq!(lines.len(), reasons.len(), "{reasons:?}");
    assert!(reasons.is_superset(&["signature", "age", "path", "method", "malformed", "too_long", "slow"].into()));
    assert!(lines.iter().all(|line| line.key("from") == "127.0.0.1"));
}

#[test]
fn a_delivery_that_is_older_than_two_minutes_is_a_question_to_the_api() {
    let stage = Stage::with(&["ana"]);
    let address = address();
    let daemon = start(&stage, alone(&stage, &address), &["ana"]);
    let old =
        |stage: &Stage| stage.kick.delivery_of("ana", Duration::from_secs(150)).send(&address).expect("an answer");
    stage.kick.go_live_silently("ana");
    let asked = stage.kick.count(Face::API);
    assert_eq!(old(&stage), 200);
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.count(Face::API) > asked), "the API was not asked");
    assert_eq!(stage.written("ana"), ["Offline"]);
    stage.kick.api_catches_up();
    assert_eq!(old(&stage), 200);
    assert_eq!(wait_change(&daemon, "ana", 2).key("source"), "sweep");
}

#[test]
fn a_subscription_goes_with_its_row_over_a_restart_and_others_are_left_alone() {
    let stage = Stage::with(&["ana", "ben", "cem"]);
    stage.kick.add("stranger");
    stage.kick.subscribe_for_others("stranger");
    stage.kick.subscribe_for_others("cem");
    let address = address();
    let daemon = start(&stage, alone(&stage, &address), &["ana", "ben", "cem"]);
    assert_eq!(stage.kick.webhooks(), ["ana", "ben", "cem", "stranger"], "nobody twice");
    stage.database.execute("DELETE FROM streamers WHERE username = 'ana'");
    let left = |names: &'static [&str]| {
        let there = stage.kick.wait_for(PATIENCE, |kick| kick.webhooks() == names);
        assert!(there, "{:?}", stage.kick.webhooks());
    };
    left(&["ben", "cem", "stranger"]);
    daemon.stop(PATIENCE);
    stage.database.execute("DELETE FROM streamers WHERE username IN ('ben', 'cem')");
    stage.insert("ana", Some("Offline"));
    daemon.start_again();
    left(&["ana", "cem", "stranger"]);
}

#[test]
fn what_kick_refuses_or_does_not_show_is_said() {
    let stage = Stage::with(&["ana"]);
    stage.kick.refuse_subscriptions(Some("subscription limit reached"));
    let daemon = stage.start(alone(&stage, &address()));
    let problem = |words: &str| {
        wait_snapshot(&daemon, words, |seen| {
            let problems = seen["problems"].to_string();
            problems.contains("webhook_incomplete") && problems.contains(words)
        })
    };
    problem("1 refused by Kick, the first with: subscription limit reached");
    stage.kick.refuse_subscriptions(None);
    stage.kick.hide_subscriptions(true);
    stage.insert("ben", None);
    stage.kick.add("ben");
    problem("1 made by Kick, which does not show them");
    assert!(daemon.events("webhook_subscribed").is_empty());
}

#[test]
fn an_address_that_is_in_use_is_said_and_taken_when_it_is_free() {
    let stage = Stage::with(&["ana"]);
    let address = address();
    let taken = std::net::TcpListener::bind(&address).expect("an address");
    let daemon = stage.start(stage.builder().set("WEBHOOK_LISTEN", &address));
    let line = daemon.wait_event("webhook_listener", PATIENCE);
    assert!(line.key("reason").starts_with(&address), "{}", line.text);
    drop(taken);
    wait_for("a listener", PATIENCE, || (listeners(daemon.pid()).len() == 1).then_some(()));
    wait_snapshot(&daemon, "no problem", |seen| !seen["problems"].to_string().contains("webhook_listener"));
}

#[test]
fn check_tries_the_listener_and_the_list_and_says_what_to_enter_at_kick() {
    let set_up = SetUp::new();
    let address = address();
    let said = |changes: &[(&str, &str)], words: &[&str]| {
        let ended = set_up.check(changes, &[]);
        let line = ended.stdout.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(line, "{words:?} are not in\n{}", ended.stdout);
        ended.code
    };
    let here = [("WEBHOOK_LISTEN", address.as_str()), ("WEBHOOK_PATH", "/hook")];
    assert_eq!(said(&here, &["ok   webhook listener: ", &address]), Some(0));
    said(&here, &["ok   webhook subscriptions: ", "0 so far"]);
    said(&here, &["ok   webhook address: ", "https://YOUR-HOST/hook", &address]);
    let open = format!("0.0.0.0:{}", free_port());
    assert_eq!(said(&[("WEBHOOK_LISTEN", &open)], &["warn webhook listener: ", "other machines"]), Some(0));
    let taken = std::net::TcpListener::bind(&address).expect("an address");
    assert_eq!(said(&here, &["FAIL webhook listener: ", "in use"]), Some(69));
    drop(taken);
    set_up.fails(&[("WEBHOOK_LISTEN", "unix:/nowhere/x.sock")], &["webhook listener", "make the directory"]);
    set_up.stage.kick.fault([Face::Subscriptions], Fault::status(503, "later"));
    set_up.fails(&here, &["webhook subscriptions", "status 503"]);
    // Where the daemon runs, the address is in use, and by the right one.
    set_up.stage.kick.clear_faults();
    let daemon = set_up.stage.start(set_up.stage.builder().set("WEBHOOK_LISTEN", &address));
    wait_for("a listener", PATIENCE, || (listeners(daemon.pid()).len() == 1).then_some(()));
    assert_eq!(said(&here[..1], &["ok   webhook listener: ", &address]), Some(0));
}
