//! Evidence that was once read wrongly: broadcasts that resume, restarts within the API's lag, Kick's clock, entries
//! without a stream, addresses for names; and of push, connections that take nobody or not everybody, and events that have
//! lost a part of their names.

use super::reload::reload;
use super::stage::{LAGGING, PATIENCE, Stage, changes, wait_change};
use kick_sim::{Answer, Face, Fault, Offer, PushScript, Transport};
use lab::{Daemon, Signal, wait_for};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Waits until so many questions more about everybody have been answered.
#[track_caller]
fn wait_sweeps(daemon: &Daemon, count: usize) {
    for _ in 0..count {
        let position = daemon.position();
        daemon.wait_line_from(position, PATIENCE, |line| line.event == "sweep_done");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a repetition and a resumption differ by their time alone")]
fn a_broadcast_that_resumes_is_online_again() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.watch(&["ana"]);
    stage.wait_status("ana", "Offline");
    let id = stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    // The API shows it all the time, for the pause is short.
    stage.kick.push_stop("ana", id);
    stage.wait_status("ana", "Offline");
    let stopped = Instant::now();
    wait_for("the pause to end", PATIENCE, || (stopped.elapsed() > Duration::from_secs(6)).then_some(()));
    stage.kick.push_live("ana", id, jiff::Timestamp::now() - Duration::from_secs(60));
    stage.wait_status("ana", "Online");
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline", "Online"]);
    // It is the one that runs, so its stop ends it at once.
    stage.kick.set_api_lag(None);
    stage.kick.stop("ana");
    let told = wait_change(&daemon, "ana", 5);
    assert_eq!((told.key("status"), told.key("source")), ("Offline", "push"), "{}", told.text);
}

/// Push told of ana and ben just before; the API knows of neither.
fn restarted_within_the_lag(end: impl FnOnce(&Daemon)) {
    let stage = Stage::with(&["ana", "ben"]);
    stage.kick.go_live("ben");
    let daemon = stage.start(stage.builder().set("SWEEP_SECS", "1"));
    stage.wait_followed(&["ana", "ben"]);
    stage.wait_status("ana", "Offline");
    stage.wait_status("ben", "Online");
    stage.kick.set_api_lag(None);
    stage.kick.go_live("ana");
    stage.kick.stop("ben");
    stage.wait_status("ana", "Online");
    stage.wait_status("ben", "Offline");
    end(&daemon);
    daemon.start_again();
    wait_for("the second comparison", PATIENCE, || (daemon.events("ready").len() == 2).then_some(()));
    stage.wait_followed(&["ana", "ben"]);
    wait_sweeps(&daemon, 5);
    stage.kick.api_catches_up();
    wait_sweeps(&daemon, 3);
    assert_eq!(stage.written("ana"), ["Offline", "Online"]);
    assert_eq!(stage.written("ben"), ["Online", "Offline"]);
}

#[test]
fn a_restart_within_the_lag_of_the_api_takes_nothing_back() {
    restarted_within_the_lag(|daemon| assert_eq!(daemon.stop(PATIENCE).code(), Some(0)));
}

#[test]
fn a_death_within_the_lag_of_the_api_takes_nothing_back() {
    restarted_within_the_lag(|daemon| {
        daemon.signal(Signal::KILL);
        daemon.wait_exit(PATIENCE);
    });
}

#[test]
fn one_answer_with_another_time_does_not_set_kicks_clock() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.watch(&["ana"]);
    stage.wait_status("ana", "Offline");
    let sweep = || {
        let position = daemon.position();
        daemon.signal(Signal::USR1);
        daemon.wait_line_from(position, PATIENCE, |line| line.event == "sweep_done");
    };
    sweep();
    stage.kick.set_clock_offset(jiff::SignedDuration::from_hours(24));
    sweep();
    stage.kick.set_clock_offset(jiff::SignedDuration::ZERO);
    stage.kick.set_api_lag(None);
    stage.kick.go_live("ana");
    let told = wait_change(&daemon, "ana", 2);
    assert_eq!((told.key("status"), told.key("source")), ("Online", "push"), "{}", told.text);
}

#[test]
fn who_is_mentioned_without_a_stream_and_missing_from_the_live_is_offline() {
    let stage = Stage::with(&["ana"]);
    stage.kick.go_live("ana");
    let daemon = stage.start(stage.builder().set("SWEEP_SECS", "1").set("PUSH_HOLD_SECS", "0"));
    stage.wait_status("ana", "Online");
    let entry = format!(
        r#"{{"data":[{{"broadcaster_user_id":{},"slug":"ana","stream":null}}],"message":"OK"}}"#,
        stage.kick.ids("ana").user
    );
    stage.kick.fault(Face::Channels, Fault::Answer(Answer::new(200, "application/json", entry)));
    wait_sweeps(&daemon, 3);
    assert_eq!(stage.status("ana").as_deref(), Some("Online"), "a mention alone says nothing");
    stage.kick.stop_silently("ana");
    stage.wait_status_within(LAGGING, "ana", "Offline");
    assert_eq!(stage.written("ana"), ["Online", "Offline"]);
}

#[test]
fn addresses_lead_to_their_streamer_and_pages_to_none() {
    let stage = Stage::empty();
    for name in ["ana", "popout", "category"] {
        stage.kick.add(name);
        stage.kick.go_live(name);
    }
    let (of_ana, of_nobody) = ("https://kick.com/popout/ana/chat", "https://kick.com/category/irl");
    stage.insert(of_ana, None);
    stage.insert(of_nobody, None);
    let daemon = stage.start(stage.builder());
    stage.wait_status(of_ana, "Online");
    let said = daemon.wait_event("streamer_unusable", PATIENCE);
    assert_eq!(said.key("username"), of_nobody);
    stage.wait_followed(&["ana"]);
    stage.kick.stop("ana");
    stage.wait_status(of_ana, "Offline");
    assert_eq!(stage.status(of_nobody), None);
}

/// Longer than a connection that takes nobody is kept.
const TAKES_NOBODY: Duration = Duration::from_secs(120);

/// Pusher greets, and makes no subscription; Centrifugo is offered behind it.
#[expect(clippy::disallowed_methods, reason = "how long it was given a chance is what is tested")]
fn a_pusher_that_takes_nobody_is_left(how: impl FnOnce(&mut PushScript)) {
    let stage = Stage::with(&["ana", "bob"]);
    stage.kick.offer(&[Offer::Pusher, Offer::Centrifugo]);
    stage.kick.script_push(how);
    let begun = Instant::now();
    let daemon = stage.start(stage.builder());
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections_on(Transport::Pusher) == 1));
    stage.wait_followed_over(Transport::Centrifugo, &["ana", "bob"], TAKES_NOBODY);
    assert!(begun.elapsed() >= Duration::from_secs(60), "a minute is given");
    assert_eq!(daemon.wait_event("realtime_refused", PATIENCE).key("transport"), "pusher");
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections_on(Transport::Pusher) == 0));
    ["ana", "bob"].iter().for_each(|username| stage.wait_status(username, "Offline"));
    stage.assert_push_tells(&daemon, "ana");
    stage.assert_push_tells(&daemon, "bob");
}

#[test]
fn a_pusher_that_refuses_every_subscription_is_left_after_a_minute() {
    a_pusher_that_takes_nobody_is_left(|push| _ = push.refusing.insert(Transport::Pusher));
}

#[test]
fn a_pusher_that_ignores_every_subscription_is_left_after_a_minute() {
    a_pusher_that_takes_nobody_is_left(|push| _ = push.ignoring.insert(Transport::Pusher));
}

#[test]
fn channels_that_a_connection_of_centrifugo_does_not_take_go_to_further_ones() {
    let names: Vec<String> = (0..90).map(|number| format!("streamer{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let stage = Stage::with(&names);
    stage.kick.offer(&[Offer::Centrifugo]);
    stage.kick.script_push(|push| push.channel_limit = Some(40));
    let daemon = stage.watch_over(Transport::Centrifugo, stage.builder(), &names);
    let carried = || {
        let mut carried: Vec<usize> = stage.kick.subscriptions_by_connection().iter().map(BTreeSet::len).collect();
        carried.sort_unstable();
        carried
    };
    assert!(stage.kick.wait_for(PATIENCE, |_| carried() == [10, 40, 40]), "{:?}", carried());
    for username in [names[0], names[45], names[89]] {
        stage.assert_push_tells(&daemon, username);
    }
    assert!(daemon.events("realtime_refused").is_empty());
    // One that is added finds room.
    let stage = stage.add(&["late"]);
    stage.wait_followed_over(Transport::Centrifugo, &["late"], PATIENCE);
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.subscriptions().len() == 91 && kick.connections() == 3));
}

/// Push tells with events of other names than those that were captured.
fn events_by_other_names(transport: Transport, offer: Offer) {
    let stage = Stage::with(&["ana"]);
    stage.kick.offer(&[offer]);
    let daemon = stage.watch_over(transport, stage.builder(), &["ana"]);
    let (channel, ids) = (stage.channel("ana"), stage.kick.ids("ana"));
    let begins = |event: &str, id: i64| {
        let livestream = json!({"id": id, "channel_id": ids.channel, "session_title": "t", "source": null,
            "created_at": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()});
        stage.kick.push_raw(&channel, event, &json!({ "livestream": livestream }).to_string());
    };
    let ends = |event: &str, id: i64| {
        let livestream = json!({"id": id, "channel": {"id": ids.channel, "is_banned": false}});
        stage.kick.push_raw(&channel, event, &json!({ "livestream": livestream }).to_string());
    };
    begins("StreamerIsLive", 1);
    stage.wait_status("ana", "Online");
    ends("StopStreamBroadcast", 1);
    stage.wait_status("ana", "Offline");
    // A name that is not known is no evidence, until it is configured.
    begins("LivestreamBegan", 2);
    begins("StreamerIsLive", 3);
    stage.wait_status("ana", "Online");
    ends("LivestreamEnded", 3);
    reload(&daemon, &[("PUSH_LIVE_EVENTS", "LivestreamBegan"), ("PUSH_STOP_EVENTS", "LivestreamEnded")]);
    let told = |id: i64, tell: &dyn Fn(&str, i64), event: &str, status: &str| {
        wait_for(&format!("ana {status}"), PATIENCE, || {
            // Whoever listens since the reload may not have subscribed yet.
            tell(event, id);
            (stage.status("ana").as_deref() == Some(status)).then_some(())
        });
    };
    told(3, &ends, "LivestreamEnded", "Offline");
    told(4, &begins, "LivestreamBegan", "Online");
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline", "Online", "Offline", "Online"]);
    wait_change(&daemon, "ana", 6);
    let sources = changes(&daemon, "ana");
    assert!(sources[1..].iter().all(|line| line.key("source") == "push"), "{sources:?}");
}

#[test]
fn events_without_their_prefix_and_names_that_are_configured_are_understood_over_pusher() {
    events_by_other_names(Transport::Pusher, Offer::Pusher);
}

#[test]
fn events_without_their_prefix_and_names_that_are_configured_are_understood_over_centrifugo() {
    events_by_other_names(Transport::Centrifugo, Offer::Centrifugo);
}
