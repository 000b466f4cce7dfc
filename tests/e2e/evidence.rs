//! Evidence that was once read wrongly: broadcasts that resume, restarts within the API's lag, Kick's clock, entries
//! without a stream, addresses for names.

use super::stage::{LAGGING, PATIENCE, Stage, changes};
use kick_sim::{Answer, Face, Fault};
use lab::{Daemon, Signal, wait_for};
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
    stage.wait_status("ana", "Offline");
    let told = changes(&daemon, "ana").pop().expect("it was told");
    assert_eq!(told.key("source"), "push", "{}", told.text);
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
    stage.wait_status("ana", "Online");
    let told = changes(&daemon, "ana").pop().expect("it was told");
    assert_eq!(told.key("source"), "push", "{}", told.text);
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
