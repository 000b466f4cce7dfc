//! Whom push does not cover is compared with the API every few seconds, within the budget; whom it covers is not.

use super::exposition;
use super::scratch::finish;
use super::stage::{PATIENCE, Stage, wait_snapshot};
use kick_sim::{Face, Fault};
use lab::{Builder, free_port};
use serde_json::Value;

/// Only the quick turns of those whom push does not cover can find a change in time.
fn turning(stage: &Stage) -> Builder {
    stage.builder().set("SWEEP_UNCOVERED_SECS", "2").set("API_REQUESTS_PER_MINUTE", "60")
}

#[test]
fn without_push_changes_are_found_within_seconds() {
    let stage = Stage::with(&["ana", "ben"]);
    let nowhere = format!("ws://127.0.0.1:{}", free_port());
    let daemon = stage.start(turning(&stage).set("REALTIME", "pusher").set("PUSHER_URL", nowhere));
    ["ana", "ben"].iter().for_each(|username| stage.wait_status(username, "Offline"));
    stage.kick.go_live_silently("ana");
    stage.wait_status("ana", "Online");
    stage.kick.stop_silently("ana");
    stage.wait_status("ana", "Offline");
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline"]);
    let seen = wait_snapshot(&daemon, "the pace", |seen| seen["api"]["uncovered_every_seconds"].is_number());
    assert_eq!(seen["streamers"]["covered"], 0);
    assert!(seen["api"]["comparison_age_seconds"]["max"].is_number(), "{}", seen["api"]);
    let most = stage.kick.busiest_minute();
    assert!(most <= 60, "{most} requests in a minute");
}

/// The channel id is told by Kick once the streamer is live; from then on push covers them, and the quick turns end.
#[test]
fn who_is_followed_through_a_stated_id_has_no_quick_turns_any_more() {
    let stage = Stage::with(&["ana", "ben"]);
    stage.kick.fault([Face::Website], Fault::blocked());
    let daemon = stage.start(turning(&stage));
    ["ana", "ben"].iter().for_each(|username| stage.wait_status(username, "Offline"));
    stage.kick.go_live_silently("ana");
    stage.wait_status("ana", "Online");
    stage.wait_followed(&["ana"]);
    wait_snapshot(&daemon, "one who is covered", |seen| seen["streamers"]["covered"] == 1);
    let ended = finish(daemon.command("status").args(["--json", "ana"]));
    let told: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    assert_eq!((&told["covered"], told["compared_at"].is_string()), (&Value::Bool(true), true), "{told}");
    let metrics = exposition::read(&finish(daemon.command("status").arg("--prometheus")).stdout);
    assert_eq!(metrics["kick_monitor_streamers_covered"], 1.0);
    assert!(metrics["kick_monitor_comparison_age_seconds{quantile=\"1\"}"] >= 0.0);
}

/// A push that is silent is found out by what it misses, and then nobody waits for the sweep.
#[test]
fn who_was_missed_by_push_has_quick_turns() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.start(turning(&stage).set("SWEEP_SECS", "4").set("PUSH_HOLD_SECS", "0"));
    stage.wait_followed(&["ana"]);
    stage.wait_status("ana", "Offline");
    wait_snapshot(&daemon, "ana is covered", |seen| seen["streamers"]["covered"] == 1);
    stage.kick.go_live_silently("ana");
    stage.wait_status("ana", "Online");
    daemon.wait_event("push_missed", PATIENCE);
    wait_snapshot(&daemon, "ana is not covered any more", |seen| seen["streamers"]["covered"] == 0);
    stage.kick.stop("ana");
    stage.wait_status("ana", "Offline");
    wait_snapshot(&daemon, "ana is covered again", |seen| seen["streamers"]["covered"] == 1);
}
