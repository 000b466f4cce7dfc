//! Where push goes: what Kick's broker offers, and what is configured when the broker says nothing.

use super::stage::{PATIENCE, Stage};
use kick_sim::{Answer, Face, Fault, Kick, Offer, OfferForm, Transport};
use std::time::Duration;

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
    let daemon = stage.watch_over(Transport::Pusher, stage.builder(), &["ana"]);
    stage.assert_push_tells(&daemon, "ana");
    assert_eq!(pusher_paths(&stage.kick), ["/app/anotherkey"]);
    assert!(daemon.events("realtime_refused").is_empty());
}

#[test]
fn the_answer_of_august_2026_is_understood() {
    for form in [OfferForm::Bare, OfferForm::UpperCase] {
        let stage = Stage::with(&["ana"]);
        stage.kick.offer(&[Offer::Centrifugo]);
        stage.kick.set_offer_form(form);
        let daemon = stage.watch_over(Transport::Centrifugo, stage.builder(), &["ana"]);
        stage.assert_push_tells(&daemon, "ana");
    }
}

#[test]
fn pusher_is_taken_where_kick_offers_both() {
    let stage = Stage::with(&["ana"]);
    stage.kick.offer(&[Offer::Centrifugo, Offer::Pusher]);
    let daemon = stage.watch_over(Transport::Pusher, stage.builder(), &["ana"]);
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
    let daemon = stage.watch_over(Transport::Pusher, stage.builder(), &["ana"]);
    stage.assert_push_tells(&daemon, "ana");
    assert_eq!((stage.kick.count(Face::Centrifugo), stage.kick.guests().len()), (0, 0));
}

// Kick says nothing.

/// With this fault of the broker the configured Pusher is used, and the fault is said once.
#[track_caller]
fn the_configured_pusher_is_used(fault: Fault, event: &str) {
    let stage = Stage::with(&["ana"]);
    stage.kick.offer(&[Offer::Centrifugo]);
    stage.kick.fault(Face::Broker, fault);
    let daemon = stage.watch_over(Transport::Pusher, stage.builder(), &["ana"]);
    assert_eq!(daemon.wait_event(event, PATIENCE).key("endpoint"), "realtime");
    stage.assert_push_tells(&daemon, "ana");
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
    let daemon = stage.watch_over(Transport::Centrifugo, stage.builder(), &["ana"]);
    assert!(daemon.stop(PATIENCE).success());
    stage.kick.fault(Face::Broker, Fault::challenge());
    daemon.start_again();
    stage.wait_followed_over(Transport::Centrifugo, &["ana"], PATIENCE);
    stage.assert_push_tells(&daemon, "ana");
}

// One transport alone.

#[test]
fn pusher_alone_never_asks_kick_while_its_key_works() {
    let stage = Stage::with(&["ana"]);
    stage.kick.offer(&[Offer::Centrifugo]);
    let daemon = stage.watch_over(Transport::Pusher, stage.builder().set("REALTIME", "pusher"), &["ana"]);
    stage.kick.close_push(1001, "going away");
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections_made() == 2));
    stage.wait_followed_over(Transport::Pusher, &["ana"], PATIENCE);
    stage.assert_push_tells(&daemon, "ana");
    assert_eq!(stage.kick.count([Face::Broker, Face::GuestToken, Face::Centrifugo]), 0);
}

#[test]
fn pusher_alone_takes_kicks_key_when_its_own_is_refused() {
    let stage = Stage::with(&["ana"]);
    stage.kick.set_app_key("anotherkey");
    stage.kick.offer(&[Offer::Centrifugo, Offer::Pusher]);
    let daemon = stage.watch_over(Transport::Pusher, stage.builder().set("REALTIME", "pusher"), &["ana"]);
    stage.assert_push_tells(&daemon, "ana");
    assert_eq!(stage.kick.count(Face::Centrifugo), 0);
}

#[test]
fn centrifugo_alone_is_taken_though_kick_prefers_pusher() {
    let stage = Stage::with(&["ana"]);
    stage.kick.offer(&[Offer::Pusher, Offer::Centrifugo]);
    let builder = stage.builder().set("REALTIME", "centrifugo");
    let daemon = stage.watch_over(Transport::Centrifugo, builder, &["ana"]);
    stage.assert_push_tells(&daemon, "ana");
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

// Kick is slow.

#[test]
fn a_broker_that_hangs_holds_no_stop_up() {
    let stage = Stage::with(&["ana"]);
    stage.kick.fault(Face::Broker, Fault::Silent);
    let daemon = stage.builder().start();
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.count(Face::Broker) == 1));
    let position = daemon.position();
    assert!(daemon.stop(PATIENCE).success());
    let line = daemon.wait_line_from(position, PATIENCE, |line| line.event == "stopped");
    assert!(line.key("seconds").parse::<f64>().is_ok_and(|seconds| seconds < 4.0), "{}", line.text);
}

#[test]
fn push_goes_on_while_kick_hangs_over_a_new_token() {
    let stage = Stage::with(&["ana"]);
    stage.kick.offer(&[Offer::Centrifugo]);
    stage.kick.set_guest_lifetime(Duration::from_secs(20));
    let daemon = stage.watch_over(Transport::Centrifugo, stage.builder(), &["ana"]);
    stage.kick.fault([Face::Broker, Face::GuestToken], Fault::Silent);
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.count(Face::GuestToken) == 2));
    stage.assert_push_tells(&daemon, "ana");
    stage.kick.clear_faults();
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.guests().len() == 2));
    stage.assert_push_tells(&daemon, "ana");
    assert!(daemon.events("realtime_disconnected").is_empty(), "there was time left for a second try");
}
