//! Short drops that do not show, and broadcasts that are told by their start and title (R26).

use super::reload::reload;
use super::scratch::finish;
use super::stage::{PATIENCE, Stage, changes, wait_change};
use kick_sim::Timestamp;
use lab::{Daemon, wait_for};
use postgres::fallible_iterator::FallibleIterator;
use serde_json::Value;
use std::time::Duration;

/// A table with both times; `written` tells when each write was done.
fn stage() -> Stage {
    let stage = Stage::with(&["ana"]);
    stage.database.execute(
        "ALTER TABLE streamers ADD changed_at timestamptz, ADD started_at timestamptz;
         ALTER TABLE written ADD at timestamptz DEFAULT clock_timestamp(), ADD changed_at timestamptz;
         CREATE OR REPLACE FUNCTION trace() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO written (username, status, changed_at) VALUES (NEW.username, NEW.status, NEW.changed_at);
             RETURN NULL; END $$",
    );
    stage.kick.set_api_lag(None);
    stage
}

/// Starts with this delay, and waits until ana is followed.
fn watch(stage: &Stage, delay: &str) -> Daemon {
    let builder = stage.builder().set("OFFLINE_DELAY_SECS", delay).set("DB_NOTIFY_CHANNEL", "changes");
    let builder = builder.set("DB_CHANGED_AT_COLUMN", "changed_at").set("DB_STARTED_AT_COLUMN", "started_at");
    let daemon = stage.start(builder);
    stage.wait_followed(&["ana"]);
    stage.wait_status("ana", "Offline");
    daemon
}

/// What is known of ana, when her Offline waits, or does not.
#[track_caller]
fn wait_delayed(daemon: &Daemon, waits: bool) -> Value {
    wait_for("what is known of ana", PATIENCE, || {
        let ended = finish(daemon.command("status").args(["--json", "ana"]));
        let told: Value = serde_json::from_str(&ended.stdout).ok()?;
        let ana = told.get(0).unwrap_or(&told).clone();
        let right =
            ana["delayed_until"].is_string() == waits && ana["status"] == if waits { "Offline" } else { "Online" };
        right.then_some(ana)
    })
}

#[test]
fn r26_a_short_drop_writes_nothing_and_another_broadcast_is_told_as_one() {
    let stage = stage();
    let mut listener = stage.database.client();
    listener.batch_execute("LISTEN changes").expect("it listens");
    let daemon = watch(&stage, "3600");
    let first = stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    stage.kick.stop("ana");
    let ana = wait_delayed(&daemon, true);
    assert_eq!((&ana["shown"], &ana["title"]), (&Value::from("Online"), &Value::Null), "{ana}");
    let screen = finish(daemon.command("status").arg("ana")).stdout;
    assert!(screen.contains("Offline is written at"), "{screen}");
    let whole = finish(daemon.command("status").arg("--json")).stdout;
    assert!(whole.contains("\"pending_writes\":0"), "{whole}");
    let later = Timestamp::now() + Duration::from_secs(10);
    stage.kick.push_live("ana", first + 1, later);
    let ana = wait_delayed(&daemon, false);
    assert!(ana["title"].as_str().is_some_and(|title| title.contains("ana | ")), "{ana}");
    let start = format!("SELECT abs(extract(epoch FROM started_at - '{later}')) < 2 FROM streamers");
    wait_for("the start of the second", PATIENCE, || {
        (stage.database.value(&start).as_deref() == Some("t")).then_some(())
    });
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Online"]);
    assert_eq!(changes(&daemon, "ana").len(), 2, "no change of the status is logged");
    let mut notifications = listener.notifications();
    let mut seen = notifications.timeout_iter(PATIENCE);
    let mut told = || -> Value {
        let notification = seen.next().expect("connected").expect("a notification");
        serde_json::from_str(notification.payload()).expect("it is JSON")
    };
    let [offline, online, another] = [told(), told(), told()];
    assert_eq!((&offline["status"], &offline["started_at"]), (&Value::from("Offline"), &Value::Null));
    for broadcast in [&online, &another] {
        assert_eq!((&broadcast["status"], &broadcast["source"]), (&Value::from("Online"), &Value::from("push")));
        assert!(broadcast["title"].as_str().is_some_and(|title| title.contains("¡hola!")), "{broadcast}");
    }
    let [first, second] = [&online, &another].map(|payload| payload["started_at"].as_str().expect("a start"));
    let apart = format!("SELECT '{second}'::timestamptz - '{first}' > interval '4 s'");
    assert_eq!(stage.database.value(&apart).as_deref(), Some("t"), "{first} {second}");

    // What waits is judged by a new delay at once, and nothing of the wait is latency.
    stage.kick.push_stop("ana", 1 << 40);
    wait_delayed(&daemon, true);
    reload(&daemon, &[("OFFLINE_DELAY_SECS", "0")]);
    stage.wait_status("ana", "Offline");
    let lag: f64 = wait_change(&daemon, "ana", 3).key("lag_ms").parse().expect("a number");
    assert!(lag < PATIENCE.as_secs_f64() * 1e3, "{lag}");
}

#[test]
fn r26_a_long_one_is_written_after_it_and_has_the_time_of_the_stop() {
    let stage = stage();
    let daemon = watch(&stage, "2");
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    stage.kick.stop("ana");
    stage.wait_status("ana", "Offline");
    let waited = "SELECT at - changed_at >= interval '1.9 s' FROM written ORDER BY number DESC LIMIT 1";
    assert_eq!(stage.database.value(waited).as_deref(), Some("t"));
    let kept = "SELECT started_at IS NOT NULL FROM streamers";
    assert_eq!(stage.database.value(kept).as_deref(), Some("t"), "Offline leaves the start alone");
    drop(daemon);
}

#[test]
fn r26_what_waits_is_not_written_by_a_stop_and_a_restart_writes_nothing_twice() {
    let stage = stage();
    let daemon = watch(&stage, "3600");
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    stage.kick.stop("ana");
    wait_delayed(&daemon, true);
    assert_eq!(daemon.stop(PATIENCE).code(), Some(0));
    assert_eq!(daemon.wait_event("stopped", PATIENCE).key("unwritten"), "0");
    assert_eq!(stage.status("ana").as_deref(), Some("Online"));
    stage.kick.go_live("ana");
    stage.kick.set_api_lag(Duration::ZERO);
    let before = stage.written("ana");
    stage.database.execute("UPDATE streamers SET started_at = now()");
    let version = stage.xmin("ana");
    let position = daemon.position();
    daemon.start_again();
    daemon.wait_line_from(position, PATIENCE, |line| line.event == "ready");
    stage.wait_followed(&["ana"]);
    // A change of somebody else shows that rows are written by now.
    stage.kick.add("ben");
    stage.insert("ben", None);
    stage.wait_status("ben", "Offline");
    assert_eq!((stage.xmin("ana"), stage.written("ana").len()), (version, before.len() + 1));
}
