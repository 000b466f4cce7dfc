//! Whoever is in the table is watched, and nobody else; and what the table says at the start is put
//! right.

use super::stage::{LAGGING, PATIENCE, Stage, changes, wait_change};
use kick_sim::{Face, Request, UnknownSlug};
use lab::{Daemon, Signal, wait_for};
use std::time::Duration;

#[test]
fn what_the_table_shows_at_the_start_is_put_right() {
    let stage = Stage::empty();
    // An earlier run, which push told nothing: what the table shows is old.
    let daemon = stage.start(stage.builder());
    assert_eq!(daemon.stop(PATIENCE).code(), Some(0));
    let rows = [
        ("stale-online", Some("Online"), false),
        ("stale-offline", Some("Offline"), true),
        ("null-online", None, true),
        ("null-offline", None, false),
        ("right-online", Some("Online"), true),
        ("right-offline", Some("Offline"), false),
        ("nonsense", Some("maybe"), true),
    ];
    for (username, status, live) in rows {
        stage.kick.add(username);
        stage.insert(username, status);
        if live {
            stage.kick.go_live(username);
        }
    }
    daemon.start_again();
    for (username, shown, live) in rows {
        let truth = if live { "Online" } else { "Offline" };
        stage.wait_status(username, truth);
        let expected: &[&str] = if shown == Some(truth) { &[] } else { &[truth] };
        assert_eq!(stage.written(username), expected, "{username}");
    }
    // Nobody is called Offline after one look, nor after two that were as good as one.
    let change = wait_change(&daemon, "stale-online", 1);
    assert_eq!(change.key("source"), "sweep");
    let looks: Vec<Request> = stage.kick.requests().into_iter().filter(|request| asks(request, &stage)).collect();
    let (first, last) = (looks.first().expect("one look"), looks.last().expect("two looks"));
    assert!(last.at.duration_since(first.at) >= Duration::from_secs(3), "{looks:?}");
}

/// Whether a request of the API is about who is wrongly Online.
fn asks(request: &Request, stage: &Stage) -> bool {
    let user = stage.kick.ids("stale-online").user.to_string();
    Face::API.contains(&request.face)
        && request.query.iter().any(|(_, value)| *value == user || *value == "stale-online")
}

#[test]
fn after_a_restart_nothing_is_written_and_nobody_is_looked_up() {
    let stage = Stage::with(&["ana", "ben"]);
    stage.kick.go_live("ben");
    let daemon = stage.watch(&["ana", "ben"]);
    stage.wait_status("ana", "Offline");
    stage.wait_status("ben", "Online");
    let before = [stage.xmin("ana"), stage.xmin("ben")];
    assert_eq!(daemon.stop(PATIENCE).code(), Some(0));

    stage.kick.clear_requests();
    daemon.start_again();
    wait_for("the second comparison", PATIENCE, || (daemon.events("ready").len() == 2).then_some(()));
    stage.wait_followed(&["ana", "ben"]);
    // Nor did whatever followed upon the subscription change anything.
    stage.kick.stop("ben");
    stage.wait_status("ben", "Offline");
    assert_eq!(stage.xmin("ana"), before[0]);
    assert_eq!(stage.written("ben"), ["Online", "Offline"]);
    let requests = stage.kick.requests();
    let look_ups: Vec<&Request> = requests
        .iter()
        .filter(|request| request.face == Face::Website || request.all("slug").next().is_some())
        .collect();
    assert!(look_ups.is_empty() && !requests.is_empty(), "{look_ups:?}");
}

#[test]
fn a_new_row_is_watched_after_the_next_read() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.watch(&["ana"]);
    stage.kick.add("ben");
    stage.kick.go_live("ben");
    stage.insert("ben", None);
    stage.wait_status("ben", "Online");
    stage.wait_followed(&["ben"]);
    stage.kick.stop("ben");
    stage.wait_status("ben", "Offline");
    let loaded = daemon.events("roster_loaded");
    let loaded: Vec<[&str; 3]> =
        loaded.iter().map(|line| ["streamers", "added", "removed"].map(|key| line.key(key))).collect();
    assert_eq!(loaded, [["1", "1", "0"], ["2", "1", "0"]]);
}

#[test]
fn on_usr1_a_new_row_is_watched_at_once() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.start(stage.builder().set("ROSTER_POLL_SECS", "3600"));
    stage.wait_followed(&["ana"]);
    stage.kick.add("ben");
    stage.insert("ben", None);
    // Lost by push, and found by the sweep that USR1 brings.
    stage.kick.go_live_silently("ana");
    daemon.signal(Signal::USR1);
    stage.wait_followed(&["ben"]);
    stage.wait_status("ben", "Offline");
    stage.wait_status("ana", "Online");
}

#[test]
fn a_row_that_is_gone_is_watched_no_longer() {
    let stage = Stage::with(&["ana", "ben"]);
    let daemon = stage.watch(&["ana", "ben"]);
    stage.wait_status("ana", "Offline");
    let channel = stage.channel("ana");
    stage.database.execute("DELETE FROM streamers WHERE username = 'ana'");
    assert!(stage.kick.wait_for(PATIENCE, |kick| !kick.subscriptions().contains(&channel)), "still followed");
    // What was being asked when the row went is answered by then.
    sweep_again(&daemon);
    stage.kick.clear_requests();
    stage.kick.go_live("ana");
    stage.kick.go_live("ben");
    stage.wait_status("ben", "Online");
    sweep_again(&daemon);
    let user = stage.kick.ids("ana").user.to_string();
    let about_her = |request: &Request| request.query.iter().any(|(_, value)| *value == user || *value == "ana");
    assert!(!stage.kick.requests().iter().any(about_her), "{:?}", stage.kick.requests());
    assert_eq!(changes(&daemon, "ana").len(), 1);

    // The last rows too, although an empty table is believed only when it is read twice.
    stage.database.execute("DELETE FROM streamers");
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.subscriptions().is_empty()), "still followed");
}

#[test]
fn a_row_that_gets_another_name_follows_that_one() {
    let stage = Stage::with(&["ana"]);
    stage.kick.add("ben");
    stage.kick.go_live("ana");
    let daemon = stage.watch(&["ana"]);
    stage.wait_status("ana", "Online");
    let before = stage.channel("ana");
    stage.database.execute("UPDATE streamers SET username = 'ben'");
    stage.wait_status("ben", "Offline");
    stage.wait_followed(&["ben"]);
    assert!(stage.kick.wait_for(PATIENCE, |kick| !kick.subscriptions().contains(&before)), "still followed");
    stage.kick.set_api_lag(None);
    stage.kick.stop("ana");
    stage.kick.go_live("ana");
    stage.kick.go_live("ben");
    stage.wait_status("ben", "Online");
    let said = wait_change(&daemon, "ben", 2);
    assert_eq!([said.key("id"), said.key("source")], ["1", "push"]);
    // The first of them is the rename itself.
    assert_eq!(stage.written("ben"), ["Online", "Offline", "Online"]);
}

#[test]
fn who_is_renamed_at_kick_is_followed_by_id() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.watch(&["ana"]);
    stage.wait_status("ana", "Offline");
    stage.kick.rename("ana", "new-ana");
    stage.kick.go_live("new-ana");
    stage.wait_status("ana", "Online");
    // The name is seen in the API's answers about who is live.
    sweep_again(&daemon);
    let said = daemon.wait_event("streamer_renamed", PATIENCE);
    assert_eq!([said.key("username"), said.key("actual")], ["ana", "new-ana"]);
    sweep_again(&daemon);
    stage.kick.stop("new-ana");
    stage.wait_status("ana", "Offline");
    assert_eq!(daemon.events("streamer_renamed").len(), 1);
    assert_eq!(daemon.events("streamer_unknown").len(), 0);
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline"]);
}

#[test]
fn what_somebody_else_writes_is_put_right_if_it_is_wrong() {
    let stage = Stage::with(&["ana", "ben"]);
    let daemon = stage.watch(&["ana", "ben"]);
    ["ana", "ben"].iter().for_each(|username| stage.wait_status(username, "Offline"));
    // Of ben, the user knows it before everybody else.
    stage.kick.set_api_lag(None);
    stage.kick.go_live_silently("ben");
    stage.database.execute("UPDATE streamers SET status = 'Online'");
    stage.kick.api_catches_up();
    stage.wait_status_within(LAGGING, "ana", "Offline");
    sweep_again(&daemon);
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline"]);
    assert_eq!(stage.written("ben"), ["Offline", "Online"]);

    // What push said a moment ago needs no question: the API does not know it yet.
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    stage.database.execute("UPDATE streamers SET status = 'Offline' WHERE username = 'ana'");
    stage.wait_status("ana", "Online");
    assert_eq!(stage.written("ana")[3..], ["Online", "Offline", "Online"]);
}

#[test]
fn two_rows_for_one_streamer_are_both_kept_right() {
    let stage = Stage::with(&["ana"]);
    stage.insert("https://kick.com/ANA", Some("Offline"));
    let rows = ["ana", "https://kick.com/ANA"];
    let daemon = stage.watch(&["ana"]);
    rows.iter().for_each(|row| stage.wait_status(row, "Offline"));
    stage.kick.go_live("ana");
    rows.iter().for_each(|row| stage.wait_status(row, "Online"));
    // Each of them gives the streamer up for itself.
    stage.database.execute("DELETE FROM streamers WHERE username = 'ana'");
    wait_for("the row to be gone", PATIENCE, || {
        daemon.events("roster_loaded").into_iter().find(|line| line.key("removed") == "1")
    });
    stage.kick.stop("ana");
    stage.wait_status(rows[1], "Offline");
    assert_eq!(stage.written(rows[1]), ["Online", "Offline"]);
}

#[test]
fn names_that_cannot_be_are_said_once_and_harm_nobody() {
    let stage = Stage::with(&["ana"]);
    let unusable = ["".to_owned(), "n".repeat(300), "bell\u{7}".to_owned(), "two words".to_owned()];
    unusable.iter().for_each(|username| stage.insert(username, Some("untouched")));
    stage.insert("nobody-at-kick", Some("untouched"));
    let daemon = stage.watch(&["ana"]);
    stage.wait_status("ana", "Offline");
    let unknown = daemon.wait_event("streamer_unknown", PATIENCE);
    assert_eq!([unknown.key("username"), unknown.key("id")], ["nobody-at-kick", "6"]);

    // Another read of the table, and another sweep.
    stage.kick.add("ben");
    stage.insert("ben", None);
    stage.wait_followed(&["ben"]);
    daemon.signal(Signal::USR1);
    daemon.wait_event("sweep_done", PATIENCE);
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    assert_eq!(daemon.events("streamer_unknown").len(), 1);
    let said = daemon.events("streamer_unusable");
    let mut ids: Vec<&str> = said.iter().map(|line| line.key("id")).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["2", "3", "4", "5"]);
    assert!(said.iter().all(|line| line.text.len() < 600 && !line.text.contains('\u{7}')), "{said:?}");
    let touched = "SELECT count(*) FROM streamers WHERE status = 'untouched'";
    assert_eq!(stage.database.value(touched).as_deref(), Some("5"));
}

#[test]
fn a_name_that_makes_kick_refuse_the_request_blinds_nobody() {
    let stage = Stage::empty();
    stage.kick.set_unknown_slug(UnknownSlug::Refuse);
    let usernames: Vec<String> = (0..12).map(|number| format!("streamer-{number}")).collect();
    for (number, username) in usernames.iter().enumerate() {
        stage.kick.add(username);
        stage.insert(username, None);
        if number % 2 == 0 {
            stage.kick.go_live(username);
        }
        if number == 4 {
            stage.insert("nobody-at-kick", Some("untouched"));
        }
    }
    let daemon = stage.start(stage.builder());
    for (number, username) in usernames.iter().enumerate() {
        stage.wait_status(username, if number % 2 == 0 { "Online" } else { "Offline" });
    }
    assert_eq!(daemon.wait_event("streamer_unknown", PATIENCE).key("username"), "nobody-at-kick");
    sweep_again(&daemon);
    assert_eq!(daemon.events("streamer_unknown").len(), 1);
    assert_eq!(daemon.events("api_error").len(), 0, "a name is at fault, not Kick");
    assert_eq!(stage.status("nobody-at-kick").as_deref(), Some("untouched"));
}

fn sweep_again(daemon: &Daemon) {
    let position = daemon.position();
    daemon.signal(Signal::USR1);
    daemon.wait_line_from(position, PATIENCE, |line| line.event == "sweep_done");
}
