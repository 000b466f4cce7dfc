//! `HUP`: what changed takes effect, what did not is left alone, and a broken file changes nothing.

use super::scratch::Scratch;
use super::stage::{PATIENCE, Stage};
use kick_sim::{Face, Fault, Kick};
use lab::{Daemon, Line, Signal, wait_for};
use std::collections::BTreeSet;
use std::fs;

/// Rewrites the configuration, reloads, and waits until it is in force.
#[track_caller]
pub(super) fn reload(daemon: &Daemon, changes: &[(&str, &str)]) {
    daemon.rewrite_config(changes.iter().copied());
    let position = daemon.position();
    daemon.signal(Signal::HUP);
    let line = daemon.wait_line_from(position, PATIENCE, |line| line.event.starts_with("reload"));
    assert_eq!(line.event, "reloaded", "{}", line.text);
    assert!(line.key("seconds").parse::<f64>().is_ok(), "{}", line.text);
}

/// The ids of its threads: a thread that began anew has another. A name look-up has a thread for a moment,
/// so they are read until they stay the same.
fn threads(daemon: &Daemon) -> BTreeSet<String> {
    let path = format!("/proc/{}/task", daemon.pid());
    let (mut last, mut same) = (BTreeSet::new(), 0);
    wait_for("the threads that stay", PATIENCE, || {
        let list = fs::read_dir(&path).expect("the daemon runs");
        let now: BTreeSet<String> =
            list.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        same = if now == last { same + 1 } else { 0 };
        last.clone_from(&now);
        (same == 30).then_some(now)
    })
}

/// Ana goes live and stops, and push tells.
#[track_caller]
fn assert_push_works(stage: &Stage) {
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    stage.kick.stop("ana");
    stage.wait_status("ana", "Offline");
}

#[test]
fn a_new_sweep_interval_keeps_every_websocket() {
    let stage = Stage::with(&["ana", "bea", "cid"]);
    let daemon = stage.start(stage.builder().set("PUSHER_CHANNELS_PER_CONNECTION", "1"));
    stage.wait_followed(&["ana", "bea", "cid"]);
    let threads_before = threads(&daemon);
    // R17 asks about who was subscribed just now, as a sweep would.
    reload(&daemon, &[("SWEEP_SECS", "1")]);
    let position = daemon.position();
    daemon.wait_line_from(position, PATIENCE, |line| line.event == "sweep_done");
    stage.kick.go_live_silently("bea");
    stage.wait_status("bea", "Online");
    assert_eq!((stage.kick.connections(), stage.kick.connections_made()), (3, 3));
    assert_eq!(threads(&daemon), threads_before);
}

#[test]
fn nothing_changed_restarts_nobody() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.watch(&["ana"]);
    let (threads_before, tokens) = (threads(&daemon), stage.kick.count(Face::OAuth));
    reload(&daemon, &[]);
    reload(&daemon, &[("HEARTBEAT_SECS", "1"), ("LOG_LEVEL", "debug")]);
    daemon.wait_event("heartbeat", PATIENCE);
    assert_push_works(&stage);
    assert_eq!(threads(&daemon), threads_before);
    assert_eq!((stage.kick.connections_made(), stage.kick.count(Face::OAuth)), (1, tokens));
}

#[test]
fn a_new_secret_gets_a_token() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.builder().set("KICK_CLIENT_SECRET", "mistyped").start();
    daemon.wait_event("token_refused", PATIENCE);
    reload(&daemon, &[("KICK_CLIENT_SECRET", stage.kick.client_secret())]);
    daemon.wait_event("token_refreshed", PATIENCE);
    stage.wait_status("ana", "Offline");
    for secret in ["mistyped", stage.kick.client_secret(), "app-token"] {
        assert!(daemon.lines_from(0).iter().all(|line| !line.text.contains(secret)), "{secret} is in the log");
    }
}

#[test]
fn what_a_reload_or_a_stop_cuts_off_is_not_said_of_kick() {
    let stage = Stage::with(&["ana"]);
    stage
        .database
        .execute(&format!("ALTER TABLE streamers ADD channel bigint DEFAULT {}", stage.kick.ids("ana").channel));
    stage.kick.fault([Face::Broker, Face::OAuth], Fault::Silent);
    let both_wait = || {
        let asked = |kick: &Kick| [Face::Broker, Face::OAuth].iter().all(|face| kick.count(*face) > 0);
        assert!(stage.kick.wait_for(PATIENCE, asked));
        stage.kick.clear_requests();
    };
    let daemon = stage.builder().set("DB_CHANNEL_ID_COLUMN", "channel").start();
    for key in ["one", "two", "three"] {
        both_wait();
        reload(&daemon, &[("KICK_CLIENT_SECRET", key), ("PUSHER_APP_KEY", key)]);
    }
    both_wait();
    assert!(daemon.stop(PATIENCE).success());
    let blames_kick = |line: &Line| line.event.starts_with("api_") || line.event.starts_with("token_");
    assert_eq!(daemon.lines_from(0).into_iter().find(blames_kick), None);
}

#[test]
fn the_file_of_a_secret_is_read_again() {
    let stage = Stage::with(&["ana"]);
    let scratch = Scratch::new();
    let file = scratch.file("secret", "mistyped\n", 0o600);
    let builder = stage.builder().set("KICK_CLIENT_SECRET", "");
    let daemon = builder.set("KICK_CLIENT_SECRET_FILE", file.display().to_string()).start();
    daemon.wait_event("token_refused", PATIENCE);
    scratch.file("secret", stage.kick.client_secret(), 0o600);
    reload(&daemon, &[]);
    daemon.wait_event("token_refreshed", PATIENCE);
    stage.wait_status("ana", "Offline");
}

#[test]
fn another_table_is_served() {
    let stage = Stage::with(&["ana"]);
    stage.kick.add("bea");
    stage.database.execute(
        "CREATE TABLE others (id int PRIMARY KEY, username text, status text); INSERT INTO others VALUES (1, 'bea', NULL)",
    );
    let daemon = stage.watch(&["ana"]);
    stage.wait_status("ana", "Offline");
    let before = stage.xmin("ana");
    let status = |wanted: &str| {
        wait_for(wanted, PATIENCE, || {
            (stage.database.value("SELECT status FROM others").as_deref() == Some(wanted)).then_some(())
        });
    };
    reload(&daemon, &[("DB_TABLE", "others")]);
    status("Offline");
    stage.wait_followed(&["bea"]);
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.subscriptions() == BTreeSet::from([stage.channel("bea")])));
    stage.kick.go_live("ana");
    stage.kick.go_live("bea");
    status("Online");
    assert_eq!(stage.xmin("ana"), before, "nobody asked for the old table");
}

#[test]
fn a_change_that_waits_survives_new_database_settings() {
    let stage = Stage::with(&["ana", "bea"]);
    let daemon = stage.watch(&["ana", "bea"]);
    ["ana", "bea"].iter().for_each(|username| stage.wait_status(username, "Offline"));
    let mut holder = stage.database.client();
    let mut lock = holder.transaction().expect("a transaction begins");
    lock.execute("SELECT FROM streamers WHERE username = 'ana' FOR UPDATE", &[]).expect("the row is locked");
    stage.kick.go_live("ana");
    stage.kick.go_live("bea");
    stage.wait_status("bea", "Online");
    reload(&daemon, &[("DB_POOL_SIZE", "5"), ("DB_SYNCHRONOUS_COMMIT", "on")]);
    lock.commit().expect("the lock is released");
    stage.wait_status("ana", "Online");
    assert_eq!(stage.written("ana"), ["Offline", "Online"]);
    // The share of the table does not depend on these settings.
    assert!(daemon.events("coordination_off").is_empty(), "{:?}", daemon.events("coordination_off"));
}

#[test]
fn another_push_server_is_gone_to() {
    let stage = Stage::with(&["ana"]);
    let other = Kick::start();
    let daemon = stage.watch(&["ana"]);
    reload(&daemon, &[("PUSHER_URL", &other.pusher_url())]);
    assert!(other.wait_subscribed(&stage.channel("ana"), PATIENCE));
    assert!(stage.kick.wait_for(PATIENCE, |kick| !kick.push_ends().is_empty()));
    assert_eq!((stage.kick.push_ends()[0].client_code, stage.kick.connections()), (Some(1000), 0));
    reload(&daemon, &[("PUSHER_URL", &stage.kick.pusher_url())]);
    stage.wait_followed(&["ana"]);
    assert_push_works(&stage);
}

#[test]
fn another_app_key_is_used() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.start(stage.builder().set("PUSHER_APP_KEY", "mistyped").set("REALTIME", "pusher"));
    daemon.wait_event("realtime_refused", PATIENCE);
    reload(&daemon, &[("PUSHER_APP_KEY", stage.kick.app_key())]);
    stage.wait_followed(&["ana"]);
    assert_push_works(&stage);
}

#[test]
fn the_roster_is_read_as_often_as_is_said_now() {
    let stage = Stage::with(&["ana"]);
    stage.kick.add("bea");
    let daemon = stage.start(stage.builder().set("ROSTER_POLL_SECS", "3600"));
    stage.wait_followed(&["ana"]);
    stage.insert("bea", None);
    reload(&daemon, &[("ROSTER_POLL_SECS", "1")]);
    stage.wait_status("bea", "Offline");
    stage.kick.add("cid");
    stage.insert("cid", None);
    stage.wait_status("cid", "Offline");
    assert_eq!(stage.kick.connections_made(), 1);
}

#[test]
fn another_log_level_holds_from_now_on() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.watch(&["ana"]);
    stage.wait_status("ana", "Offline");
    daemon.rewrite_config([("LOG_LEVEL", "error"), ("SWEEP_SECS", "1")]);
    daemon.signal(Signal::HUP);
    // The new interval shows that the reload is over; that it is, is no longer said.
    stage.kick.go_live_silently("ana");
    stage.wait_status("ana", "Online");
    let position = daemon.position();
    stage.kick.stop("ana");
    stage.wait_status("ana", "Offline");
    // A row has one write out at a time: when this one is in the table, all is said about the other.
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    assert_eq!(daemon.lines_from(position), []);
    reload(&daemon, &[("LOG_LEVEL", "info")]);
    stage.kick.stop("ana");
    daemon.wait_line_from(position, PATIENCE, |line| line.key("status") == "Offline");
}

#[test]
fn a_broken_file_is_refused_and_changes_nothing() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.watch(&["ana"]);
    let threads_before = threads(&daemon);
    daemon.rewrite_config([("SWEEP_SECS", "0"), ("DB_TABEL", "x"), ("LOG_LEVEL", "error"), ("DB_TABLE", "others")]);
    daemon.signal(Signal::HUP);
    wait_for("both refusals", PATIENCE, || (daemon.events("reload_refused").len() == 2).then_some(()));
    let refused = daemon.events("reload_refused");
    let mut keys: Vec<&str> = refused.iter().map(|line| line.key("key")).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["DB_TABEL", "SWEEP_SECS"]);
    let file = format!("{}:", daemon.config().display());
    assert!(refused.iter().all(|line| line.key("file").starts_with(&file)), "{refused:?}");
    assert_push_works(&stage);
    assert_eq!(daemon.events("reloaded").len(), 0);
    assert_eq!((threads(&daemon), stage.kick.connections_made()), (threads_before, 1));

    fs::remove_file(daemon.config()).expect("the file is there");
    let position = daemon.position();
    daemon.signal(Signal::HUP);
    let line = daemon.wait_line_from(position, PATIENCE, |line| line.event == "reload_refused");
    assert_eq!((line.key("file"), line.key("key")), (daemon.config().display().to_string().as_str(), "-"));
    assert_push_works(&stage);
    assert!(daemon.stop(PATIENCE).success());
}
