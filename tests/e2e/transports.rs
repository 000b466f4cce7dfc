//! Another transport is taken when the one in use is refused or goes silent, and no status is wrong
//! meanwhile.

use super::reload::reload;
use super::stage::{PATIENCE, Stage, wait_change};
use kick_sim::{Face, Fault, Offer, Transport};
use lab::wait_for;
use std::time::Duration;

/// Push must be back within this when Kick changes its transport.
const BACK: Duration = Duration::from_secs(15);

#[test]
fn push_is_back_when_pushers_key_is_retired_for_centrifugo() {
    let stage = Stage::with(&["ana", "bob"]);
    let daemon = stage.watch_over(Transport::Pusher, stage.builder(), &["ana", "bob"]);
    stage.assert_push_tells(&daemon, "ana");
    stage.kick.offer(&[Offer::Centrifugo]);
    stage.kick.retire_key();
    stage.wait_followed_over(Transport::Centrifugo, &["ana", "bob"], BACK);
    assert_eq!(daemon.wait_event("realtime_refused", PATIENCE).key("code"), "4001");
    stage.assert_push_tells(&daemon, "bob");
    stage.assert_push_tells(&daemon, "ana");
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline"]);
    assert_eq!(stage.written("bob"), ["Offline", "Online"]);
}

#[test]
fn a_change_while_the_transport_changes_is_caught_up() {
    let stage = Stage::with(&["ana", "bob"]);
    let daemon = stage.watch_over(Transport::Pusher, stage.builder(), &["ana", "bob"]);
    stage.kick.offer(&[Offer::Centrifugo]);
    stage.kick.fault(Face::Centrifugo, Fault::status(503, "not yet"));
    stage.kick.retire_key();
    daemon.wait_event("realtime_refused", PATIENCE);
    stage.kick.go_live("ana");
    stage.kick.api_catches_up();
    stage.kick.clear_fault(Face::Centrifugo);
    assert_eq!(wait_change(&daemon, "ana", 2).key("source"), "sweep");
    stage.wait_followed_over(Transport::Centrifugo, &["ana"], BACK);
    stage.assert_push_tells(&daemon, "ana");
    assert_eq!((stage.written("ana").len(), stage.written("bob").len()), (3, 1));
}

#[test]
fn pusher_is_taken_when_centrifugo_refuses_for_good() {
    let stage = Stage::with(&["ana"]);
    stage.kick.offer(&[Offer::Centrifugo]);
    let daemon = stage.watch_over(Transport::Centrifugo, stage.builder(), &["ana"]);
    stage.kick.offer(&[Offer::Pusher]);
    stage.kick.close_next_push_on(Transport::Centrifugo, 1000, 4500, "banned");
    stage.kick.close_push_on(Transport::Centrifugo, 3500, "invalid token");
    let line = daemon.wait_event("realtime_refused", PATIENCE);
    assert_eq!(["transport", "code", "reason"].map(|key| line.key(key)), ["centrifugo", "3500", "invalid token"]);
    stage.wait_followed_over(Transport::Pusher, &["ana"], BACK);
    stage.assert_push_tells(&daemon, "ana");
}

const FIVE: [&str; 5] = ["ana", "bob", "cyd", "dan", "eve"];

#[test]
fn a_pusher_that_delivers_nothing_is_left_for_centrifugo() {
    let stage = Stage::with(&FIVE);
    stage.kick.offer(&[Offer::Pusher, Offer::Centrifugo]);
    stage.kick.deafen(Transport::Pusher, true);
    let builder = stage.builder().set("SWEEP_SECS", "1").set("PUSH_HOLD_SECS", "5");
    let daemon = stage.watch_over(Transport::Pusher, builder, &FIVE);
    // Push is expected to tell of what happens later than the hold after its subscription.
    wait_for("the hold to be over", PATIENCE, || (daemon.events("sweep_done").len() >= 8).then_some(()));
    for username in FIVE {
        stage.kick.go_live(username);
    }
    stage.kick.api_catches_up();
    FIVE.iter().for_each(|username| stage.wait_status(username, "Online"));
    let silent = daemon.wait_event("push_silent", PATIENCE);
    assert_eq!(["transport", "kind"].map(|key| silent.key(key)), ["pusher", "starts"]);
    assert!(daemon.events("push_missed").len() >= 5);
    stage.wait_followed_over(Transport::Centrifugo, &FIVE, BACK);
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections_on(Transport::Pusher) == 0));
    for username in FIVE {
        stage.assert_push_tells(&daemon, username);
        // No stop was heard before, so the hold alone keeps the API's lag from undoing it (R2).
        stage.kick.api_catches_up();
    }
    FIVE.iter().for_each(|username| assert_eq!(stage.written(username), ["Offline", "Online", "Offline"]));
}

#[test]
fn a_pusher_that_tells_of_stops_and_never_of_starts_is_left_for_centrifugo() {
    let stage = Stage::with(&FIVE);
    stage.kick.offer(&[Offer::Pusher, Offer::Centrifugo]);
    let builder = stage.builder().set("SWEEP_SECS", "1").set("PUSH_HOLD_SECS", "0");
    let daemon = stage.watch_over(Transport::Pusher, builder, &FIVE);
    stage.kick.set_api_lag(Duration::ZERO);
    FIVE.iter().for_each(|username| stage.wait_status(username, "Offline"));
    for username in FIVE {
        stage.kick.go_live_silently(username);
        stage.wait_status(username, "Online");
        stage.kick.stop(username);
        stage.wait_status(username, "Offline");
    }
    let silent = daemon.wait_event("push_silent", PATIENCE);
    assert_eq!(["transport", "kind"].map(|key| silent.key(key)), ["pusher", "starts"]);
    stage.wait_followed_over(Transport::Centrifugo, &FIVE, BACK);
    // The stops that it told of do not bring it back.
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections_on(Transport::Pusher) == 0));
    FIVE.iter().for_each(|username| stage.assert_push_tells(&daemon, username));
}

#[test]
fn a_pusher_that_leaves_a_quarter_out_is_said_to_be_partial() {
    const EIGHT: [&str; 8] = ["ana", "bob", "cyd", "dan", "eve", "fay", "gus", "hal"];
    let (told, left_out) = EIGHT.split_at(6);
    let stage = Stage::with(&EIGHT);
    let builder = stage.builder().set("SWEEP_SECS", "1").set("PUSH_HOLD_SECS", "0");
    let daemon = stage.watch_over(Transport::Pusher, builder, &EIGHT);
    stage.kick.set_api_lag(Duration::ZERO);
    EIGHT.iter().for_each(|username| stage.wait_status(username, "Offline"));
    told.iter().for_each(|username| _ = stage.kick.go_live(username));
    left_out.iter().for_each(|username| _ = stage.kick.go_live_silently(username));
    EIGHT.iter().for_each(|username| stage.wait_status(username, "Online"));
    told.iter().for_each(|username| _ = stage.kick.stop(username));
    left_out.iter().for_each(|username| _ = stage.kick.stop_silently(username));
    let said = daemon.wait_event("push_partial", PATIENCE);
    assert_eq!(["missed", "of"].map(|key| said.key(key)), ["4", "16"]);
    assert!(daemon.events("push_silent").is_empty());
}

#[test]
fn a_silent_pusher_is_kept_where_kick_offers_no_other() {
    let stage = Stage::with(&FIVE);
    stage.kick.deafen(Transport::Pusher, true);
    let builder = stage.builder().set("SWEEP_SECS", "1").set("PUSH_HOLD_SECS", "0");
    let daemon = stage.watch_over(Transport::Pusher, builder, &FIVE);
    for username in FIVE {
        stage.kick.go_live(username);
    }
    stage.kick.api_catches_up();
    daemon.wait_event("push_silent", PATIENCE);
    FIVE.iter().for_each(|username| stage.wait_status(username, "Online"));
    let asked = stage.kick.count(Face::Broker);
    wait_for("some sweeps", PATIENCE, || (daemon.events("sweep_done").len() >= 20).then_some(()));
    assert_eq!((stage.kick.connections_made(), daemon.events("push_silent").len()), (1, 1));
    assert!(stage.kick.count(Face::Broker) <= asked + 1);
    stage.kick.deafen(Transport::Pusher, false);
    stage.assert_push_tells(&daemon, "ana");
}

#[test]
fn a_crowd_of_connections_changes_transport_without_storming_kick() {
    let stage = Stage::with(&FIVE);
    let builder = stage.builder().set("PUSHER_CHANNELS_PER_CONNECTION", "1");
    let daemon = stage.watch_over(Transport::Pusher, builder, &FIVE);
    assert_eq!((stage.kick.connections(), stage.kick.count(Face::Broker)), (5, 1));
    stage.kick.offer(&[Offer::Centrifugo]);
    stage.kick.retire_key();
    stage.wait_followed_over(Transport::Centrifugo, &FIVE, BACK);
    FIVE.iter().for_each(|username| stage.assert_push_tells(&daemon, username));
    assert_eq!(stage.kick.connections_on(Transport::Centrifugo), 5);
    let asked: Vec<_> =
        stage.kick.requests().into_iter().filter(|request| request.face == Face::Broker).map(|it| it.at).collect();
    // The answer from the start counts for five seconds even for those in doubt.
    assert!(asked.windows(2).all(|two| two[1] - two[0] >= Duration::from_millis(4900)), "{asked:?}");
    assert!(stage.kick.guests().len() < 5, "who wants a token at the same time gets the same one");
}

#[test]
fn a_guest_who_is_refused_for_good_comes_back_as_another() {
    let stage = Stage::with(&["ana"]);
    stage.kick.offer(&[Offer::Centrifugo]);
    let daemon = stage.watch_over(Transport::Centrifugo, stage.builder().set("REALTIME", "centrifugo"), &["ana"]);
    stage.kick.close_push(3500, "invalid token");
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections_made() == 2));
    stage.wait_followed_over(Transport::Centrifugo, &["ana"], PATIENCE);
    stage.assert_push_tells(&daemon, "ana");
    let guests = stage.kick.guests();
    assert_eq!(guests.len(), 2);
    assert_ne!(guests[0].client_id, guests[1].client_id);
}

#[test]
fn a_reload_changes_the_transport_and_no_status() {
    let stage = Stage::with(&["ana", "bob"]);
    stage.kick.offer(&[Offer::Pusher, Offer::Centrifugo]);
    let daemon = stage.watch_over(Transport::Pusher, stage.builder(), &["ana", "bob"]);
    stage.assert_push_tells(&daemon, "ana");
    for (realtime, transport) in
        [("centrifugo", Transport::Centrifugo), ("auto", Transport::Pusher), ("centrifugo", Transport::Centrifugo)]
    {
        reload(&daemon, &[("REALTIME", realtime)]);
        stage.wait_followed_over(transport, &["ana", "bob"], PATIENCE);
        assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections_on(transport) == kick.connections()));
        stage.assert_push_tells(&daemon, "bob");
    }
    assert_eq!(stage.written("ana"), ["Offline", "Online"]);
    assert!(daemon.events("realtime_disconnected").is_empty(), "what is given up is not lost");
}
