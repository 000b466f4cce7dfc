//! Push connections that break, refuse, or go silent: what changed meanwhile is caught up, once, and
//! nobody else suffers. No sweep helps here unless a test asks for one.

use super::stage::{PATIENCE, Stage, changes, wait_change};
use kick_sim::{Face, Fault, Kick};
use lab::{Daemon, wait_for};
use std::collections::BTreeSet;
use std::time::Duration;

/// Longer than a dead connection may go unnoticed.
const DEAD: Duration = Duration::from_secs(90);

/// Watched and Offline, with an API that learns of nothing until it is told to catch up, so that the
/// questions behind a subscription cannot overtake push.
fn watched(usernames: &[&str]) -> (Stage, Daemon) {
    let stage = Stage::with(usernames);
    stage.kick.set_api_lag(None);
    let daemon = stage.watch(usernames);
    usernames.iter().for_each(|username| stage.wait_status(username, "Offline"));
    (stage, daemon)
}

/// So many reports of lost connections.
fn losses(daemon: &Daemon) -> usize {
    daemon.events("realtime_disconnected").len()
}

/// Ends the connection while nobody can connect, lets a broadcast begin, and allows connections
/// again: the row must be written once, and push must work as before (R17, R18).
#[track_caller]
fn a_loss_is_caught_up(end: impl FnOnce(&Kick), code: &str) {
    let (stage, daemon) = watched(&["ana", "bob"]);
    stage.kick.fault(Face::Push, Fault::Refuse);
    end(&stage.kick);
    let line = daemon.wait_event("realtime_disconnected", PATIENCE);
    assert_eq!((line.key("transport"), line.key("code")), ("pusher", code), "{}", line.text);
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections() == 0));
    stage.kick.go_live("ana");
    stage.kick.api_catches_up();
    stage.kick.clear_fault(Face::Push);
    let caught_up = wait_change(&daemon, "ana", 2);
    assert_eq!((caught_up.key("status"), caught_up.key("source")), ("Online", "sweep"));
    stage.wait_followed(&["ana", "bob"]);
    stage.kick.stop("ana");
    let told = wait_change(&daemon, "ana", 3);
    assert_eq!((told.key("status"), told.key("source")), ("Offline", "push"));
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline"]);
    assert_eq!(stage.written("bob"), ["Offline"]);
}

#[test]
fn a_change_behind_a_close_1001_is_caught_up() {
    a_loss_is_caught_up(|kick| kick.close_push(1001, "going away"), "1001");
}

#[test]
fn a_change_behind_a_reset_is_caught_up() {
    a_loss_is_caught_up(|kick| kick.fault(Face::Push, Fault::Reset), "-");
}

#[test]
fn a_change_behind_a_hang_up_is_caught_up() {
    a_loss_is_caught_up(|kick| kick.fault(Face::Push, Fault::Close), "-");
}

#[test]
fn a_change_behind_half_a_frame_is_caught_up() {
    a_loss_is_caught_up(|kick| kick.fault(Face::Push, Fault::Cut), "-");
}

#[test]
fn a_change_behind_bytes_that_are_no_frame_is_caught_up() {
    a_loss_is_caught_up(|kick| kick.fault(Face::Push, Fault::Garbage), "-");
}

#[test]
fn a_change_on_a_connection_that_is_dead_without_a_word_is_caught_up() {
    let stage = Stage::with(&["ana"]);
    stage.kick.script_push(|push| push.activity_timeout = 5);
    stage.kick.set_api_lag(None);
    let daemon = stage.watch(&["ana"]);
    stage.wait_status("ana", "Offline");
    stage.kick.fault(Face::Push, Fault::Stall);
    stage.kick.go_live("ana");
    let line = daemon.wait_event("realtime_disconnected", DEAD);
    assert_eq!((line.key("code"), line.key("reason")), ("-", "no answer to ping"));
    assert_eq!(changes(&daemon, "ana").len(), 1, "a lost connection changes no status");
    stage.kick.api_catches_up();
    stage.kick.clear_fault(Face::Push);
    assert_eq!(wait_for_change(&daemon, "ana", 2).key("status"), "Online");
    assert_eq!(stage.written("ana"), ["Offline", "Online"]);
}

/// As [`wait_change`], when pauses have grown long.
#[track_caller]
fn wait_for_change(daemon: &Daemon, username: &str, count: usize) -> lab::Line {
    wait_for("a change after long pauses", DEAD, || changes(daemon, username).into_iter().nth(count - 1))
}

#[test]
fn a_refusal_needs_an_operator_and_is_tried_again_slowly_while_the_sweep_goes_on() {
    let stage = Stage::with(&["ana"]);
    stage.kick.close_next_push(2, 4001, "App key 32cbd69e4b950bf97679 not in this cluster");
    let daemon = stage.builder().set("SWEEP_SECS", "1").start();
    let line = daemon.wait_event("realtime_refused", PATIENCE);
    assert_eq!(line.key("code"), "4001");
    assert!(line.text.contains("PUSHER_APP_KEY") && line.key("reason").contains("not in this cluster"));
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    stage.wait_followed(&["ana"]);
    stage.kick.stop("ana");
    stage.wait_status("ana", "Offline");
    let tries: Vec<_> = stage.kick.requests().into_iter().filter(|request| request.face == Face::Push).collect();
    assert_eq!(tries.len(), 3, "at once, and then after a pause");
    assert!(tries[2].at - tries[1].at >= Duration::from_secs(4));
    assert_eq!(daemon.events("realtime_refused").len(), 1, "said once while it lasts");
}

#[test]
fn a_server_over_capacity_gets_a_pause_of_a_second() {
    let (stage, daemon) = watched(&["ana"]);
    stage.kick.close_push(4100, "over capacity");
    let line = daemon.wait_event("realtime_disconnected", PATIENCE);
    assert_eq!(line.key("code"), "4100");
    assert!(line.key("retry_in").parse::<f64>().is_ok_and(|pause| pause >= 1.0), "{}", line.text);
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections_made() == 2));
    stage.wait_followed(&["ana"]);
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
}

#[test]
fn a_server_that_wants_us_back_at_once_is_not_stormed() {
    let (stage, daemon) = watched(&["ana"]);
    stage.kick.clear_requests();
    stage.kick.close_next_push(5, 4200, "please reconnect immediately");
    stage.kick.close_push(4200, "please reconnect immediately");
    assert_eq!(daemon.wait_event("realtime_disconnected", PATIENCE).key("retry_in"), "0.0");
    assert!(stage.kick.wait_for(DEAD, |kick| kick.connections_made() == 2));
    let tries: Vec<_> = stage.kick.requests().into_iter().filter(|request| request.face == Face::Push).collect();
    assert_eq!(tries.len(), 6);
    // Three are allowed at once; the others are 0.1, 0.8 and 1.6 s apart at the least.
    assert!(tries[5].at - tries[0].at >= Duration::from_secs(2), "six tries in a moment");
    stage.wait_followed(&["ana"]);
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
}

#[test]
fn the_servers_pings_are_answered() {
    for by_websocket in [false, true] {
        let stage = Stage::with(&["ana"]);
        stage.kick.script_push(|push| {
            push.ping_after = Some(Duration::from_millis(100));
            push.pong_timeout = Duration::from_secs(3);
            push.ping_by_websocket = by_websocket;
        });
        let daemon = stage.start(stage.builder().set("SWEEP_SECS", "1"));
        // Six seconds or so: an unanswered ping would have ended the connection.
        wait_for("some sweeps", PATIENCE, || (daemon.events("sweep_done").len() >= 6).then_some(()));
        assert_eq!((losses(&daemon), stage.kick.connections_made()), (0, 1));
    }
}

const SIX: [&str; 6] = ["ana", "bob", "cyd", "dan", "eve", "fay"];

/// Six streamers on connections of two.
fn three_connections() -> (Stage, Daemon) {
    let stage = Stage::with(&SIX);
    stage.kick.set_api_lag(None);
    let daemon = stage.start(stage.builder().set("PUSHER_CHANNELS_PER_CONNECTION", "2"));
    stage.wait_followed(&SIX);
    SIX.iter().for_each(|username| stage.wait_status(username, "Offline"));
    (stage, daemon)
}

#[test]
fn a_large_roster_is_spread_over_connections_which_end_with_their_rows() {
    let (stage, daemon) = three_connections();
    let spread = stage.kick.subscriptions_by_connection();
    assert_eq!(spread.iter().map(BTreeSet::len).collect::<Vec<_>>(), [2, 2, 2]);
    for username in SIX {
        stage.kick.go_live(username);
        assert_eq!(wait_change(&daemon, username, 2).key("source"), "push");
    }
    let on_first = SIX.into_iter().filter(|username| spread[0].contains(&stage.channel(username)));
    for username in on_first {
        stage.database.execute(&format!("DELETE FROM streamers WHERE username = '{username}'"));
    }
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections() == 2));
    let ends = stage.kick.push_ends();
    assert_eq!(ends.iter().map(|end| end.client_code).collect::<Vec<_>>(), [Some(1000)]);
    stage.kick.add("gus");
    stage.insert("gus", None);
    stage.wait_followed(&["gus"]);
    assert_eq!(stage.kick.connections(), 3);
    assert_eq!(losses(&daemon), 0, "a connection that is not needed is not lost");
}

#[test]
fn two_channels_a_streamer_halve_what_a_connection_carries() {
    let stage = Stage::with(&["ana", "bob", "cyd"]);
    stage.kick.set_api_lag(None);
    let builder = stage.builder().set("PUSHER_CHANNELS_PER_CONNECTION", "2");
    let daemon = stage.start(builder.set("CHANNEL_NAMES", "channel.{id}, channel_{id}"));
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.subscriptions().len() == 6));
    assert_eq!(stage.kick.subscriptions_by_connection().iter().map(BTreeSet::len).collect::<Vec<_>>(), [2, 2, 2]);
    stage.wait_status("cyd", "Offline");
    stage.kick.go_live("cyd");
    assert_eq!(wait_change(&daemon, "cyd", 2).key("source"), "push");
}

#[test]
fn one_lost_connection_of_three_harms_the_others_not() {
    let (stage, daemon) = three_connections();
    let spread = stage.kick.subscriptions_by_connection();
    let lost: Vec<&str> = SIX.into_iter().filter(|username| spread[1].contains(&stage.channel(username))).collect();
    // Too large a message ends the connection that it comes through, and no other.
    stage.kick.push_raw(&stage.channel(lost[0]), "App\\Events\\StreamerIsLive", &"x".repeat(300 * 1024));
    let line = daemon.wait_event("realtime_disconnected", PATIENCE);
    assert!(line.key("reason").contains("over the limit"), "{}", line.text);
    for username in SIX.into_iter().filter(|username| !lost.contains(username)) {
        stage.kick.go_live(username);
        assert_eq!(wait_change(&daemon, username, 2).key("source"), "push");
    }
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections_made() == 4));
    stage.wait_followed(&SIX);
    stage.kick.go_live(lost[0]);
    stage.wait_status(lost[0], "Online");
    assert_eq!((losses(&daemon), stage.kick.connections()), (1, 3));
}

#[test]
fn a_refused_subscription_is_said_and_tried_again() {
    let stage = Stage::with(&["ana", "bob"]);
    let channel = stage.channel("ana");
    stage.kick.script_push(|push| push.refused = BTreeSet::from([channel.clone()]));
    let daemon = stage.start(stage.builder());
    let line = daemon.wait_event("subscription_failed", PATIENCE);
    assert_eq!(line.key("username"), "ana");
    assert!(channel.ends_with(line.key("channel")), "{}", line.text);
    stage.wait_followed(&["bob"]);
    stage.kick.go_live_silently("ana");
    stage.kick.script_push(|push| push.refused.clear());
    stage.wait_followed(&["ana"]);
    stage.wait_status("ana", "Online");
    assert_eq!(stage.kick.connections_made(), 1);
}

#[test]
fn a_subscription_that_nobody_acknowledges_is_said_and_tried_again() {
    let stage = Stage::with(&["ana"]);
    stage.kick.script_push(|push| push.drop_acks = true);
    let daemon = stage.builder().start();
    daemon.wait_event("subscription_failed", PATIENCE);
    stage.wait_status("ana", "Offline");
    stage.kick.go_live_silently("ana");
    stage.kick.script_push(|push| push.drop_acks = false);
    // Confirmed at last, the streamer is asked about.
    stage.wait_status("ana", "Online");
    assert_eq!(stage.kick.connections_made(), 1);
}

#[test]
fn frames_that_make_no_sense_are_passed_over() {
    let (stage, daemon) = watched(&["ana"]);
    let deep = "[".repeat(50_000);
    let channel = stage.channel("ana");
    let wrong = format!(r#"{{"event":"App\\Events\\StreamerIsLive","channel":"{channel}","data":{{"livestream":7}}}}"#);
    for frame in ["", "null", "[]", "{}", "not json", r#"{"event":7}"#, r#"{"event":"pusher:error"}"#, &deep, &wrong] {
        stage.kick.send_raw_frame(frame);
    }
    stage.kick.go_live("ana");
    assert_eq!(wait_change(&daemon, "ana", 2).key("source"), "push");
    assert_eq!((losses(&daemon), stage.kick.connections_made()), (0, 1));
    assert!(daemon.events("thread_restarted").is_empty());
}

#[test]
fn a_frame_beyond_all_measure_costs_the_connection_and_nothing_else() {
    let (stage, daemon) = watched(&["ana"]);
    stage.kick.send_raw_frame(&"x".repeat(300 * 1024));
    daemon.wait_event("realtime_disconnected", PATIENCE);
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections_made() == 2));
    stage.wait_followed(&["ana"]);
    stage.kick.go_live("ana");
    assert_eq!(wait_change(&daemon, "ana", 2).key("source"), "push");
    assert!(daemon.events("thread_restarted").is_empty());
}
