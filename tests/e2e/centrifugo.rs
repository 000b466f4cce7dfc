//! Push over Centrifugo: tokens that end, pings, and connections that break, refuse, or go silent.

use super::stage::{PATIENCE, Stage, changes, wait_change};
use kick_sim::{Face, Fault, Offer, Transport};
use lab::{Builder, Daemon, wait_for};
use std::collections::BTreeSet;
use std::time::Duration;

/// Longer than a dead connection may go unnoticed.
const DEAD: Duration = Duration::from_secs(90);

/// At Kick there is Centrifugo alone; it pings every two seconds.
fn stage(usernames: &[&str]) -> Stage {
    let stage = Stage::with(usernames);
    stage.kick.offer(&[Offer::Centrifugo]);
    stage.kick.script_push(|push| push.ping_interval = Duration::from_secs(2));
    stage
}

/// Nothing but Centrifugo helps.
fn alone(stage: &Stage) -> Builder {
    stage.builder().set("REALTIME", "centrifugo")
}

/// Watched over Centrifugo, and Offline.
#[track_caller]
fn watch(stage: &Stage, builder: Builder, usernames: &[&str]) -> Daemon {
    stage.watch_over(Transport::Centrifugo, builder, usernames)
}

#[test]
fn one_connection_outlives_three_tokens_and_its_pings_are_answered() {
    let stage = stage(&["ana"]);
    stage.kick.set_guest_lifetime(Duration::from_secs(8));
    let daemon = watch(&stage, stage.builder(), &["ana"]);
    stage.assert_push_tells(&daemon, "ana");
    // A token is renewed half-way, so that the seventh comes when three lifetimes have passed.
    assert!(stage.kick.wait_for(DEAD, |kick| kick.guests().len() == 7));
    stage.assert_push_tells(&daemon, "ana");
    assert_eq!((stage.kick.connections_made(), daemon.events("realtime_disconnected").len()), (1, 0));
    assert_eq!(daemon.events("realtime_connected")[0].key("transport"), "centrifugo");
    let guests = stage.kick.guests();
    assert!(guests.iter().all(|guest| guest.client_id == guests[0].client_id));
    assert_eq!(stage.kick.count(Face::Push), 0);
}

#[test]
fn no_guest_token_is_ever_logged() {
    let stage = stage(&["ana"]);
    stage.kick.set_guest_lifetime(Duration::from_secs(8));
    let daemon = watch(&stage, alone(&stage).set("LOG_LEVEL", "trace"), &["ana"]);
    assert!(stage.kick.wait_for(DEAD, |kick| kick.guests().len() == 2));
    // Whatever can go wrong near a token does.
    stage.kick.close_push(3500, "invalid token");
    daemon.wait_event("realtime_refused", PATIENCE);
    assert!(stage.kick.wait_for(DEAD, |kick| kick.connections_made() == 2));
    stage.kick.fault(Face::GuestToken, Fault::Garbage);
    stage.kick.close_push(3005, "connection expired");
    daemon.wait_line(PATIENCE, |line| line.event == "api_error" && line.key("endpoint") == "guest_token");
    assert!(daemon.stop(PATIENCE).success());
    assert!(stage.kick.guests().len() >= 3);
    for guest in stage.kick.guests() {
        let secrets = guest.token.split('.').filter(|part| !part.is_empty());
        for secret in secrets {
            let told: Vec<_> = daemon.lines_from(0).into_iter().filter(|line| line.text.contains(secret)).collect();
            assert!(told.is_empty(), "{secret}: {told:?}");
        }
    }
}

#[test]
fn a_connection_whose_token_cannot_be_renewed_ends_and_heals() {
    let stage = stage(&["ana"]);
    stage.kick.script_push(|script| script.renewal_grace = Duration::ZERO);
    stage.kick.set_guest_lifetime(Duration::from_secs(8));
    let daemon = watch(&stage, alone(&stage), &["ana"]);
    stage.kick.fault(Face::GuestToken, Fault::challenge());
    let line = daemon.wait_event("realtime_disconnected", PATIENCE);
    assert_eq!(line.key("transport"), "centrifugo");
    assert_eq!(daemon.wait_event("api_blocked", PATIENCE).key("endpoint"), "guest_token");
    stage.kick.go_live("ana");
    stage.kick.api_catches_up();
    stage.kick.clear_fault(Face::GuestToken);
    let caught_up = wait_for("ana to be caught up", DEAD, || changes(&daemon, "ana").into_iter().nth(1));
    assert_eq!((caught_up.key("status"), caught_up.key("source")), ("Online", "sweep"));
}

/// Ends the connection while nobody can connect, lets a broadcast begin, and allows connections
/// again: the row must be written once, and push must work as before (R17, R18).
#[track_caller]
fn a_loss_is_caught_up(end: impl FnOnce(&Stage), code: &str) {
    let stage = stage(&["ana", "bob"]);
    let daemon = watch(&stage, alone(&stage), &["ana", "bob"]);
    stage.kick.fault(Face::Centrifugo, Fault::Refuse);
    end(&stage);
    let line = daemon.wait_event("realtime_disconnected", PATIENCE);
    assert_eq!((line.key("transport"), line.key("code")), ("centrifugo", code), "{}", line.text);
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections() == 0));
    stage.kick.go_live("ana");
    stage.kick.api_catches_up();
    stage.kick.clear_fault(Face::Centrifugo);
    let caught_up = wait_change(&daemon, "ana", 2);
    assert_eq!((caught_up.key("status"), caught_up.key("source")), ("Online", "sweep"));
    stage.wait_followed(&["ana", "bob"]);
    stage.kick.stop("ana");
    assert_eq!(wait_change(&daemon, "ana", 3).key("source"), "push");
    assert_eq!((stage.written("ana").len(), stage.written("bob").len()), (3, 1));
}

#[test]
fn a_change_behind_a_shutdown_is_caught_up() {
    a_loss_is_caught_up(|stage| stage.kick.close_push(3001, "shutdown"), "3001");
}

#[test]
fn a_change_behind_a_reset_is_caught_up() {
    a_loss_is_caught_up(|stage| stage.kick.fault(Face::Centrifugo, Fault::Reset), "-");
}

#[test]
fn a_change_behind_half_a_frame_is_caught_up() {
    a_loss_is_caught_up(|stage| stage.kick.fault(Face::Centrifugo, Fault::Cut), "-");
}

#[test]
fn a_change_behind_an_announced_disconnection_is_caught_up() {
    let announced = r#"{"push":{"disconnect":{"code":3008,"reason":"slow"}}}"#;
    a_loss_is_caught_up(|stage| stage.kick.send_raw_frame(announced), "3008");
}

#[test]
fn a_change_on_a_connection_that_is_dead_without_a_word_is_caught_up() {
    let stage = stage(&["ana"]);
    let daemon = watch(&stage, alone(&stage), &["ana"]);
    stage.kick.fault(Face::Centrifugo, Fault::Stall);
    stage.kick.go_live("ana");
    let line = daemon.wait_event("realtime_disconnected", DEAD);
    assert_eq!((line.key("code"), line.key("reason")), ("-", "no answer to ping"));
    assert_eq!(changes(&daemon, "ana").len(), 1, "a lost connection changes no status");
    stage.kick.api_catches_up();
    stage.kick.clear_fault(Face::Centrifugo);
    let caught_up = wait_for("ana to be caught up", DEAD, || changes(&daemon, "ana").into_iter().nth(1));
    assert_eq!(caught_up.key("status"), "Online");
    assert_eq!(stage.written("ana"), ["Offline", "Online"]);
}

#[test]
fn a_server_that_does_not_ping_is_asked_whether_it_lives() {
    let stage = stage(&["ana"]);
    stage.kick.script_push(|push| push.no_pings = true);
    let daemon = watch(&stage, alone(&stage).set("SWEEP_SECS", "1"), &["ana"]);
    // It is asked after seven seconds of silence, and would be dead fifteen later.
    wait_for("some sweeps", DEAD, || (daemon.events("sweep_done").len() >= 26).then_some(()));
    assert_eq!((daemon.events("realtime_disconnected").len(), stage.kick.connections_made()), (0, 1));
}

#[test]
fn a_subscription_that_the_server_ends_is_made_again() {
    for (code, failures) in [(2500, 0), (2000, 1)] {
        let stage = stage(&["ana"]);
        stage.kick.script_push(|push| push.compact = true);
        let daemon = watch(&stage, alone(&stage), &["ana"]);
        stage.assert_push_tells(&daemon, "ana");
        let channel = stage.channel("ana");
        stage.kick.end_subscriptions(&channel, code, "as you like");
        stage.wait_followed(&["ana"]);
        stage.assert_push_tells(&daemon, "ana");
        assert_eq!(daemon.events("subscription_failed").len(), failures, "code {code}");
        assert_eq!(stage.kick.connections_made(), 1);
    }
}

#[test]
fn a_refused_subscription_is_said_and_tried_again() {
    let stage = stage(&["ana", "bob"]);
    let channel = stage.channel("ana");
    stage.kick.script_push(|push| push.refused = BTreeSet::from([channel.clone()]));
    stage.kick.set_api_lag(None);
    let daemon = stage.start(alone(&stage));
    assert_eq!(daemon.wait_event("subscription_failed", PATIENCE).key("username"), "ana");
    stage.wait_followed(&["bob"]);
    stage.wait_status("bob", "Offline");
    stage.assert_push_tells(&daemon, "bob");
    stage.kick.script_push(|push| push.refused.clear());
    stage.wait_followed(&["ana"]);
    stage.wait_status("ana", "Offline");
    stage.assert_push_tells(&daemon, "ana");
}

#[test]
fn the_connection_is_closed_in_order_when_the_program_stops() {
    let stage = stage(&["ana"]);
    let daemon = watch(&stage, stage.builder(), &["ana"]);
    assert!(daemon.stop(PATIENCE).success());
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections() == 0));
    let ends = stage.kick.push_ends();
    let ends: Vec<_> = ends.iter().map(|end| (end.transport, end.client_code)).collect();
    assert_eq!(ends, [(Transport::Centrifugo, Some(1000))]);
}
