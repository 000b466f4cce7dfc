//! What push did not tell, the sweep finds; and no lag, lie or outage of the API puts a wrong status
//! into the table.

use super::stage::{PATIENCE, Stage, changes, wait_change};
use kick_sim::{Answer, Face, Fault, Kick, Lie};
use lab::{Builder, Daemon, Line};
use std::time::{Duration, Instant};

/// Kick as a test may find it after a minute and more of waiting.
const LONG: Duration = Duration::from_secs(90);

/// Sweeps every second.
fn sweeping(stage: &Stage) -> Builder {
    stage.builder().set("SWEEP_SECS", "1")
}

/// Sweeps every second, and nothing that push said long ago outweighs the API.
fn sweeping_without_hold(stage: &Stage) -> Builder {
    sweeping(stage).set("PUSH_HOLD_SECS", "0")
}

/// So many streamers who are truly live, and Online in the table.
fn crowd(number: usize) -> (Stage, Vec<String>) {
    let stage = Stage::empty();
    let usernames: Vec<String> = (0..number).map(|number| format!("streamer-{number}")).collect();
    for username in &usernames {
        stage.kick.add(username);
        stage.kick.go_live(username);
        stage.insert(username, Some("Online"));
    }
    (stage, usernames)
}

/// Waits until so many sweeps more are done.
#[track_caller]
fn wait_sweeps(daemon: &Daemon, count: usize) {
    for _ in 0..count {
        let position = daemon.position();
        daemon.wait_line_from(position, PATIENCE, |line| line.event == "sweep_done");
    }
}

/// How many rows were ever written.
fn writes(stage: &Stage) -> String {
    stage.database.value("SELECT count(*) FROM written").expect("a count")
}

#[test]
fn what_push_did_not_tell_is_found_and_said() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.start(sweeping_without_hold(&stage));
    stage.wait_followed(&["ana"]);
    stage.wait_status("ana", "Offline");
    wait_sweeps(&daemon, 2);
    stage.kick.go_live_silently("ana");
    stage.wait_status("ana", "Online");
    assert_eq!(wait_change(&daemon, "ana", 2).key("source"), "sweep");
    assert_eq!(daemon.wait_event("push_missed", PATIENCE).key("username"), "ana");
    stage.kick.stop_silently("ana");
    stage.wait_status("ana", "Offline");
    assert_eq!(wait_change(&daemon, "ana", 3).key("source"), "sweep");
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline"]);
}

/// The API still shows what was before both changes when push has told them.
#[test]
fn an_api_that_lags_undoes_nothing() {
    const LAG: Duration = Duration::from_secs(15);
    let stage = Stage::with(&["begins", "ends"]);
    stage.kick.go_live("ends");
    let daemon = stage.start(sweeping(&stage));
    stage.wait_followed(&["begins", "ends"]);
    stage.wait_status("begins", "Offline");
    stage.wait_status("ends", "Online");

    stage.kick.set_api_lag(LAG);
    stage.kick.go_live("begins");
    stage.kick.stop("ends");
    stage.wait_status("begins", "Online");
    stage.wait_status("ends", "Offline");
    let shows_it = |kick: &Kick, since: Instant| {
        let later = |at: Instant| at.duration_since(since) > LAG;
        kick.requests().iter().filter(|request| Face::API.contains(&request.face) && later(request.at)).count() >= 3
    };
    let since = stage.kick.requests().last().expect("requests were made").at;
    assert!(stage.kick.wait_for(LONG, |kick| shows_it(kick, since)), "no sweep after the lag");
    wait_sweeps(&daemon, 2);
    assert_eq!(stage.written("begins"), ["Offline", "Online"]);
    assert_eq!(stage.written("ends"), ["Online", "Offline"]);
    let sources = ["begins", "ends"].map(|username| wait_change(&daemon, username, 2).key("source").to_owned());
    assert_eq!(sources, ["push", "push"]);
    assert_eq!(daemon.events("push_missed").len(), 0);
}

#[test]
fn an_answer_that_would_flip_everybody_is_looked_at_again() {
    let (stage, usernames) = crowd(20);
    let daemon = stage.start(sweeping_without_hold(&stage));
    wait_sweeps(&daemon, 1);
    // It lists nobody, and only that endpoint does so.
    usernames.iter().for_each(|username| stage.kick.lie(username, Face::UsersLivestreams, Lie::Offline));
    let said = daemon.wait_event("sweep_implausible", PATIENCE);
    assert_eq!([said.key("covered"), said.key("changes")], ["20", "20"]);
    stage.kick.clear_requests();
    let looked_again = |kick: &Kick| {
        let again = kick.requests().into_iter().filter(|request| request.face == Face::Channels);
        again.map(|request| request.query.len()).filter(|asked| *asked <= 10).sum::<usize>() >= 20
    };
    assert!(stage.kick.wait_for(PATIENCE, looked_again), "nobody looked again");
    wait_sweeps(&daemon, 2);
    assert_eq!(writes(&stage), "0");

    // When it is true, it is believed all the same.
    stage.kick.tell_the_truth();
    for username in &usernames {
        stage.kick.stop_silently(username);
    }
    usernames.iter().for_each(|username| stage.wait_status(username, "Offline"));
    assert_eq!(writes(&stage), "20");
}

#[test]
fn an_api_that_errs_in_large_batches_makes_nobody_offline() {
    let (stage, usernames) = crowd(24);
    stage.kick.set_wrong_above(10);
    // Without the lists of who is live, every sweep is one large batch that errs.
    stage.kick.fault([Face::UsersLivestreams, Face::Livestreams], Fault::status(404, "gone"));
    let daemon = stage.start(sweeping_without_hold(&stage));
    let names: Vec<&str> = usernames.iter().map(String::as_str).collect();
    stage.wait_followed(&names);
    wait_sweeps(&daemon, 6);
    let large = |kick: &Kick| {
        let requests = kick.requests().into_iter();
        requests.filter(|request| request.face == Face::Channels && request.query.len() > 10).count()
    };
    let seen = large(&stage.kick);
    assert!(seen >= 6, "{seen} answers were wrong");
    assert_eq!(writes(&stage), "0");
}

/// An API with this fault: it is said once, in this way; nobody's status changes; push goes on; and
/// when the fault is over, that is said too. Gives the line that said it.
#[track_caller]
fn the_weather_is_said_and_passes(fault: &Fault, event: &str) -> Line {
    let stage = Stage::with(&["online", "offline", "pushed"]);
    stage.kick.go_live("online");
    let daemon = stage.start(sweeping(&stage));
    stage.wait_followed(&["online", "offline", "pushed"]);
    stage.wait_status("online", "Online");
    stage.wait_status("offline", "Offline");
    wait_sweeps(&daemon, 1);

    stage.kick.fault(Face::API, fault.clone());
    let line = daemon.wait_event(event, PATIENCE);
    let asked = stage.kick.count(Face::API);
    stage.kick.go_live("pushed");
    assert_eq!(wait_change(&daemon, "pushed", 2).key("source"), "push");
    assert!(stage.kick.wait_for(LONG, |kick| kick.count(Face::API) >= asked + 2), "it was not asked again");
    stage.kick.stop("pushed");
    assert_eq!(wait_change(&daemon, "pushed", 3).key("source"), "push");
    stage.kick.clear_fault(Face::API);
    daemon.wait_event("api_recovered", LONG);
    wait_sweeps(&daemon, 1);
    let said = ["api_error", "api_blocked", "api_rate_limited"].map(|name| (name, daemon.events(name)));
    let said: Vec<(&str, usize)> = said.iter().map(|(name, lines)| (*name, lines.len())).collect();
    let once: Vec<(&str, usize)> = said.iter().map(|(name, _)| (*name, usize::from(*name == event))).collect();
    assert_eq!(said, once);
    assert_eq!(changes(&daemon, "online").len(), 1);
    assert_eq!(stage.written("online"), ["Online"]);
    assert_eq!(stage.written("offline"), ["Offline"]);
    assert_eq!(stage.written("pushed"), ["Offline", "Online", "Offline"]);
    line
}

#[test]
fn an_api_that_is_down_changes_nobody() {
    the_weather_is_said_and_passes(&Fault::Refuse, "api_error");
}

#[test]
fn an_api_behind_a_challenge_changes_nobody() {
    the_weather_is_said_and_passes(&Fault::challenge(), "api_blocked");
}

#[test]
fn an_api_that_talks_nonsense_changes_nobody() {
    the_weather_is_said_and_passes(&Fault::Garbage, "api_error");
}

#[test]
fn an_api_that_answers_with_other_json_changes_nobody() {
    let answer = Answer::new(200, "application/json", r#"{"data":{},"message":"OK"}"#);
    the_weather_is_said_and_passes(&Fault::Answer(answer), "api_error");
}

#[test]
fn an_api_that_wants_fewer_requests_changes_nobody() {
    let said = the_weather_is_said_and_passes(&Fault::rate_limited(Some(4)), "api_rate_limited");
    assert_eq!([said.key("status"), said.key("retry_in")], ["429", "4.0"]);
}
