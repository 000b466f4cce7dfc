//! Which transport is taken: what Kick offers, what is configured when Kick says nothing, and another
//! one when the one in use is refused or goes silent.

use super::stage::{PATIENCE, Stage, changes, wait_change};
use kick_sim::{Answer, Face, Fault, Kick, Offer, OfferForm, Transport};
use lab::{Builder, Daemon, wait_for};
use std::time::Duration;

/// Push must be back within this when Kick changes its transport.
const BACK: Duration = Duration::from_secs(15);

/// Starts the program and waits until everybody is Offline and followed over this transport, with an
/// API that learns of nothing until it is told to catch up.
#[track_caller]
fn watch(stage: &Stage, builder: Builder, usernames: &[&str], transport: Transport) -> Daemon {
    stage.kick.set_api_lag(None);
    let daemon = stage.start(builder);
    wait_followed(stage, usernames, transport, PATIENCE);
    usernames.iter().for_each(|username| stage.wait_status(username, "Offline"));
    daemon
}

#[track_caller]
fn wait_followed(stage: &Stage, usernames: &[&str], transport: Transport, limit: Duration) {
    for username in usernames {
        let channel = stage.channel(username);
        assert!(
            stage.kick.wait_subscribed_on(transport, &channel, limit),
            "nobody follows {username} over {transport:?}"
        );
    }
}

/// Push tells of the next change, the API having learned of nothing.
#[track_caller]
fn push_works(stage: &Stage, daemon: &Daemon, username: &str) {
    let said = changes(daemon, username).len();
    if stage.kick.stop(username).is_none() {
        stage.kick.go_live(username);
    }
    assert_eq!(wait_change(daemon, username, said + 1).key("source"), "push");
}

/// The paths of Pusher's handshakes so far.
fn pusher_paths(kick: &Kick) -> Vec<String> {
    kick.requests().into_iter().filter(|request| request.face == Face::Push).map(|request| request.path).collect()
}

// What Kick offers.

#[test]
fn another_key_that_kick_offers_is_used_from_the_beginning() {
    let stage = Stage::with(&["ana"]);
    stage.kick.set_app_key("anotherkey");
    stage.kick.offer(&[Offer::Unknown("webtransport".into()), Offer::PusherKey("anotherkey".into())]);
    let daemon = watch(&stage, stage.builder(), &["ana"], Transport::Pusher);
    push_works(&stage, &daemon, "ana");
    assert_eq!(pusher_paths(&stage.kick), ["/app/anotherkey"]);
    assert!(daemon.events("realtime_refused").is_empty());
}

#[test]
fn the_answer_of_august_2026_is_understood() {
    for form in [OfferForm::Bare, OfferForm::UpperCase] {
        let stage = Stage::with(&["ana"]);
        stage.kick.offer(&[Offer::Centrifugo]);
        stage.kick.set_offer_form(form);
        let daemon = watch(&stage, stage.builder(), &["ana"], Transport::Centrifugo);
        push_works(&stage, &daemon, "ana");
    }
}

#[test]
fn pusher_is_taken_where_kick_offers_both() {
    let stage = Stage::with(&["ana"]);
    stage.kick.offer(&[Offer::Centrifugo, Offer::Pusher]);
    let daemon = watch(&stage, stage.builder(), &["ana"], Transport::Pusher);
    assert_eq!(daemon.wait_event("realtime_connected", PATIENCE).key("transport"), "pusher");
    assert_eq!(stage.kick.count(Face::Centrifugo), 0);
}

#[test]
fn a_url_that_is_not_allowed_is_not_used() {
    let stage = Stage::with(&["ana"]);
    // Where it leads somebody listens, and it is the user's name alone that forbids it.
    let url = stage.kick.centrifugo_url().replace("://", "://somebody@");
    stage.kick.offer(&[
        Offer::CentrifugoUrl(url),
        Offer::CentrifugoUrl("wss://kick.com.evil.test/connection/websocket".into()),
    ]);
    let daemon = watch(&stage, stage.builder(), &["ana"], Transport::Pusher);
    push_works(&stage, &daemon, "ana");
    assert_eq!((stage.kick.count(Face::Centrifugo), stage.kick.guests().len()), (0, 0));
}

// Kick says nothing.

/// With this fault of the broker the configured Pusher is used, and the fault is said once.
#[track_caller]
fn the_configured_pusher_is_used(fault: Fault, event: &str) {
    let stage = Stage::with(&["ana"]);
    stage.kick.offer(&[Offer::Centrifugo]);
    stage.kick.fault(Face::Broker, fault);
    let daemon = watch(&stage, stage.builder(), &["ana"], Transport::Pusher);
    assert_eq!(daemon.wait_event(event, PATIENCE).key("endpoint"), "realtime");
    push_works(&stage, &daemon, "ana");
    assert_eq!(pusher_paths(&stage.kick), [format!("/app/{}", stage.kick.app_key())]);
    assert_eq!(daemon.events(event).len(), 1);
    assert_eq!(stage.kick.count(Face::Centrifugo), 0);
}

#[test]
fn a_broker_behind_a_challenge_leaves_the_configured_pusher() {
    the_configured_pusher_is_used(Fault::challenge(), "api_blocked");
}

#[test]
fn a_broker_that_is_not_there_leaves_the_configured_pusher() {
    the_configured_pusher_is_used(Fault::status(404, "not found"), "api_error");
}

#[test]
fn a_broker_that_is_down_leaves_the_configured_pusher() {
    the_configured_pusher_is_used(Fault::Refuse, "api_error");
}

#[test]
fn a_broker_that_hangs_leaves_the_configured_pusher() {
    the_configured_pusher_is_used(Fault::Silent, "api_error");
}

#[test]
fn a_broker_that_is_cut_off_leaves_the_configured_pusher() {
    the_configured_pusher_is_used(Fault::Cut, "api_error");
}

#[test]
fn a_broker_that_talks_nonsense_leaves_the_configured_pusher() {
    the_configured_pusher_is_used(Fault::Garbage, "api_error");
    the_configured_pusher_is_used(Fault::Answer(Answer::new(200, "application/json", "[1,2]")), "api_error");
}

#[test]
fn what_worked_last_is_taken_when_neither_kick_nor_the_configuration_knows_better() {
    let stage = Stage::with(&["ana"]);
    stage.kick.retire_key();
    stage.kick.offer(&[Offer::Centrifugo]);
    let daemon = watch(&stage, stage.builder(), &["ana"], Transport::Centrifugo);
    assert!(daemon.stop(PATIENCE).success());
    stage.kick.fault(Face::Broker, Fault::challenge());
    daemon.start_again();
    wait_followed(&stage, &["ana"], Transport::Centrifugo, PATIENCE);
    push_works(&stage, &daemon, "ana");
}

// One transport alone.

#[test]
fn pusher_alone_never_asks_kick_while_its_key_works() {
    let stage = Stage::with(&["ana"]);
    stage.kick.offer(&[Offer::Centrifugo]);
    let daemon = watch(&stage, stage.builder().set("REALTIME", "pusher"), &["ana"], Transport::Pusher);
    stage.kick.close_push(1001, "going away");
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections_made() == 2));
    wait_followed(&stage, &["ana"], Transport::Pusher, PATIENCE);
    push_works(&stage, &daemon, "ana");
    assert_eq!(stage.kick.count([Face::Broker, Face::GuestToken, Face::Centrifugo]), 0);
}

#[test]
fn pusher_alone_takes_kicks_key_when_its_own_is_refused() {
    let stage = Stage::with(&["ana"]);
    stage.kick.set_app_key("anotherkey");
    stage.kick.offer(&[Offer::Centrifugo, Offer::Pusher]);
    let daemon = watch(&stage, stage.builder().set("REALTIME", "pusher"), &["ana"], Transport::Pusher);
    push_works(&stage, &daemon, "ana");
    assert_eq!(stage.kick.count(Face::Centrifugo), 0);
}

#[test]
fn centrifugo_alone_is_taken_though_kick_prefers_pusher() {
    let stage = Stage::with(&["ana"]);
    stage.kick.offer(&[Offer::Pusher, Offer::Centrifugo]);
    let builder = stage.builder().set("REALTIME", "centrifugo");
    let daemon = watch(&stage, builder, &["ana"], Transport::Centrifugo);
    push_works(&stage, &daemon, "ana");
    assert_eq!(stage.kick.count(Face::Push), 0);
}

#[test]
fn centrifugo_alone_never_speaks_pusher_and_the_sweep_covers() {
    let offers: [(Option<Fault>, &[Offer]); 2] = [(None, &[Offer::Pusher]), (Some(Fault::challenge()), &[])];
    for (fault, offers) in offers {
        let stage = Stage::with(&["ana"]);
        stage.kick.offer(offers);
        fault.into_iter().for_each(|fault| stage.kick.fault(Face::Broker, fault));
        let daemon = stage.start(stage.builder().set("REALTIME", "centrifugo").set("SWEEP_SECS", "1"));
        let line = daemon.wait_event("realtime_disconnected", PATIENCE);
        assert!(line.key("reason").contains("REALTIME"), "{}", line.text);
        stage.wait_status("ana", "Offline");
        stage.kick.go_live("ana");
        stage.wait_status("ana", "Online");
        assert_eq!(stage.kick.count([Face::Push, Face::Centrifugo]), 0);
    }
}

// Kick changes its mind.

#[test]
fn push_is_back_when_pushers_key_is_retired_for_centrifugo() {
    let stage = Stage::with(&["ana", "bob"]);
    let daemon = watch(&stage, stage.builder(), &["ana", "bob"], Transport::Pusher);
    push_works(&stage, &daemon, "ana");
    stage.kick.offer(&[Offer::Centrifugo]);
    stage.kick.retire_key();
    wait_followed(&stage, &["ana", "bob"], Transport::Centrifugo, BACK);
    assert_eq!(daemon.wait_event("realtime_refused", PATIENCE).key("code"), "4001");
    push_works(&stage, &daemon, "bob");
    push_works(&stage, &daemon, "ana");
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline"]);
    assert_eq!(stage.written("bob"), ["Offline", "Online"]);
}

#[test]
fn a_change_while_the_transport_changes_is_caught_up() {
    let stage = Stage::with(&["ana", "bob"]);
    let daemon = watch(&stage, stage.builder(), &["ana", "bob"], Transport::Pusher);
    stage.kick.offer(&[Offer::Centrifugo]);
    stage.kick.fault(Face::Centrifugo, Fault::status(503, "not yet"));
    stage.kick.retire_key();
    daemon.wait_event("realtime_refused", PATIENCE);
    stage.kick.go_live("ana");
    stage.kick.api_catches_up();
    stage.kick.clear_fault(Face::Centrifugo);
    assert_eq!(wait_change(&daemon, "ana", 2).key("source"), "sweep");
    push_works(&stage, &daemon, "ana");
    assert_eq!((stage.written("ana").len(), stage.written("bob").len()), (3, 1));
}

#[test]
fn pusher_is_taken_when_centrifugo_refuses_for_good() {
    let stage = Stage::with(&["ana"]);
    stage.kick.offer(&[Offer::Centrifugo]);
    let daemon = watch(&stage, stage.builder(), &["ana"], Transport::Centrifugo);
    stage.kick.offer(&[Offer::Pusher]);
    stage.kick.close_next_push_on(Transport::Centrifugo, 1000, 4500, "banned");
    stage.kick.close_push_on(Transport::Centrifugo, 3500, "invalid token");
    let line = daemon.wait_event("realtime_refused", PATIENCE);
    assert_eq!(["transport", "code", "reason"].map(|key| line.key(key)), ["centrifugo", "3500", "invalid token"]);
    wait_followed(&stage, &["ana"], Transport::Pusher, BACK);
    push_works(&stage, &daemon, "ana");
}

const FIVE: [&str; 5] = ["ana", "bob", "cyd", "dan", "eve"];

#[test]
fn a_pusher_that_delivers_nothing_is_left_for_centrifugo() {
    let stage = Stage::with(&FIVE);
    stage.kick.offer(&[Offer::Pusher, Offer::Centrifugo]);
    stage.kick.deafen(Transport::Pusher, true);
    let builder = stage.builder().set("SWEEP_SECS", "1").set("PUSH_HOLD_SECS", "0");
    let daemon = watch(&stage, builder, &FIVE, Transport::Pusher);
    for username in FIVE {
        stage.kick.go_live(username);
    }
    stage.kick.api_catches_up();
    FIVE.iter().for_each(|username| stage.wait_status(username, "Online"));
    assert_eq!(daemon.wait_event("push_silent", PATIENCE).key("transport"), "pusher");
    assert!(daemon.events("push_missed").len() >= 5);
    wait_followed(&stage, &FIVE, Transport::Centrifugo, BACK);
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections_on(Transport::Pusher) == 0));
    FIVE.iter().for_each(|username| push_works(&stage, &daemon, username));
    FIVE.iter().for_each(|username| assert_eq!(stage.written(username), ["Offline", "Online", "Offline"]));
}

#[test]
fn a_silent_pusher_is_kept_where_kick_offers_no_other() {
    let stage = Stage::with(&FIVE);
    stage.kick.deafen(Transport::Pusher, true);
    let builder = stage.builder().set("SWEEP_SECS", "1").set("PUSH_HOLD_SECS", "0");
    let daemon = watch(&stage, builder, &FIVE, Transport::Pusher);
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
    push_works(&stage, &daemon, "ana");
}
