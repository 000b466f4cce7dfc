//! What the outside may cost: open files, floods, and answers that ask for too much patience.

use super::stage::{PATIENCE, Stage, wait_change, wait_snapshot};
use kick_sim::{Face, Fault, Offer, Transport};
use lab::{Daemon, Signal, wait_for};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

/// The program as a shell starts it that has set the limit of open files.
pub(crate) fn with_open_files(stage: &Stage, most: usize) -> PathBuf {
    let name = format!("{}-{most}-files.sh", stage.database.name());
    let script = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let program = env!("CARGO_BIN_EXE_kick-monitor");
    let text = format!("#!/bin/sh\nulimit -n {most} && exec '{program}' \"$@\"\n");
    fs::write(&script, text)
        .and_then(|()| fs::set_permissions(&script, Permissions::from_mode(0o755)))
        .expect("a file");
    script
}

/// What `status` tells.
pub(super) fn status(daemon: &Daemon) -> serde_json::Value {
    let output = daemon.command("status").arg("--json").output().expect("it runs");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn under_a_low_limit_of_open_files_it_lives_and_says_what_it_cannot_carry() {
    let names: Vec<String> = (0..60).map(|n| format!("s{n:02}")).collect();
    let usernames: Vec<&str> = names.iter().map(String::as_str).collect();
    let stage = Stage::with(&usernames);
    let builder = stage.builder().program(with_open_files(&stage, 100));
    let daemon = stage.start(builder.set("PUSHER_CHANNELS_PER_CONNECTION", "1").set("SWEEP_SECS", "1"));
    // Half of so few files are kept for everything else, and a connection needs two.
    let carried = |kick: &kick_sim::Kick| kick.connections() == 25 && kick.subscriptions().len() == 25;
    assert!(stage.kick.wait_for(PATIENCE, carried), "{} connections", stage.kick.connections());
    let line = daemon.wait_event("subscription_failed", PATIENCE);
    let reason = line.key("reason");
    assert!(reason.contains("that the limit of 100 open files allows: 25; raise LimitNOFILE"), "{}", line.text);
    usernames.iter().for_each(|username| stage.wait_status(username, "Offline"));
    wait_for("the problem in the status", PATIENCE, || {
        let problems = status(&daemon)["problems"].to_string();
        (problems.contains("push_limited") && problems.contains("not followed: 35")).then_some(())
    });

    // Followed or not, everybody's changes are written.
    let followed = stage.kick.subscriptions();
    let (some, others): (Vec<&str>, Vec<&str>) =
        usernames.iter().copied().partition(|username| followed.contains(&stage.channel(username)));
    stage.kick.go_live(some[0]);
    assert_eq!(wait_change(&daemon, some[0], 2).key("source"), "push");
    stage.kick.go_live(others[0]);
    assert_eq!(wait_change(&daemon, others[0], 2).key("source"), "sweep");

    // Where a followed one leaves, another takes the place.
    stage.database.execute(&format!("DELETE FROM streamers WHERE username = '{}'", some[1]));
    let moved = |kick: &kick_sim::Kick| carried(kick) && !kick.subscriptions().contains(&stage.channel(some[1]));
    assert!(stage.kick.wait_for(PATIENCE, moved), "nobody took the place");

    // All connections anew, while the old ones still close, and the database's, too.
    let made = stage.kick.connections_made();
    daemon.rewrite_config([("PUSHER_CHANNELS_PER_CONNECTION", "2")]);
    daemon.signal(Signal::HUP);
    daemon.wait_event("reloaded", PATIENCE);
    daemon.rewrite_config([("CHANNEL_NAMES", "channel.{id},channel_{id}")]);
    daemon.signal(Signal::HUP);
    let anew = |kick: &kick_sim::Kick| kick.connections() == 25 && kick.connections_made() >= made + 25;
    assert!(stage.kick.wait_for(PATIENCE, anew), "{} connections", stage.kick.connections());
    stage.database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'kick-monitor' AND datname = current_database()",
    );
    stage.kick.go_live(others[1]);
    stage.wait_status(others[1], "Online");
    wait_for("a fresh status", PATIENCE, || (status(&daemon)["streamers"]["online"] == 3).then_some(()));
    assert!(daemon.descriptors() < 100 && daemon.runs());
    assert!(daemon.events("fatal").is_empty() && daemon.events("thread_restarted").is_empty());
    assert!(daemon.events("status_file").is_empty() && daemon.events("state_file").is_empty());
    assert!(daemon.stop(PATIENCE).success());
}

#[test]
fn a_flood_of_what_cannot_be_read_costs_its_connection_and_nothing_else() {
    let stage = Stage::with(&["ana"]);
    stage.kick.offer(&[Offer::Centrifugo]);
    let daemon = stage.watch_over(Transport::Centrifugo, stage.builder().set("REALTIME", "centrifugo"), &["ana"]);
    let before = daemon.resident();
    stage.kick.send_raw_frame(&"x\n".repeat(100_000));
    let line = daemon.wait_event("realtime_disconnected", PATIENCE);
    assert_eq!(line.key("reason"), "the server sends too many messages", "{}", line.text);
    // Kick may take the lost connection for one that stands, and would tell it.
    wait_for("another connection", PATIENCE, || (daemon.events("realtime_connected").len() > 1).then_some(()));
    wait_snapshot(&daemon, "ana to be followed again", |snapshot| snapshot["streamers"]["subscribed"] == 1);
    assert!(daemon.resident() < before + (64 << 20), "{} bytes, {before} before", daemon.resident());
    stage.assert_push_tells(&daemon, "ana");
    assert!(daemon.lines_from(0).len() < 1000, "{} lines", daemon.lines_from(0).len());
}

#[test]
fn r5_a_title_that_no_decoder_likes_hides_nobody() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for needless in [r#""\ud83d""#, "1e999", &deep] {
        let stage = Stage::with(&["ana", "bob"]);
        stage.kick.set_api_lag(None);
        let daemon = stage.watch(&["ana", "bob"]);
        stage.wait_status("ana", "Offline");
        let channel = stage.kick.ids("ana").channel;
        let data = format!(
            r#"{{"livestream":{{"session_title":{needless},"id":99000111,"channel_id":{channel},"viewers":{needless}}}}}"#
        );
        stage.kick.push_raw(&stage.channel("ana"), "App\\Events\\StreamerIsLive", &data);
        let line = wait_change(&daemon, "ana", 2);
        assert_eq!((line.key("status"), line.key("source")), ("Online", "push"), "{needless}");
    }
}

#[test]
fn an_hour_that_the_token_endpoint_asks_for_is_ten_minutes_and_a_reload_ends_it() {
    let stage = Stage::with(&["ana"]);
    stage.kick.fault(Face::OAuth, Fault::rate_limited(Some(3600)));
    let daemon = stage.builder().start();
    let line = daemon.wait_event("token_unavailable", PATIENCE);
    let pause: f64 = line.key("retry_in").parse().expect("seconds");
    assert!((590.0..=600.0).contains(&pause), "{}", line.text);
    stage.kick.clear_fault(Face::OAuth);
    daemon.signal(Signal::HUP);
    daemon.wait_event("ready", Duration::from_secs(30));
    assert_eq!(stage.kick.count(Face::OAuth), 2);
}
