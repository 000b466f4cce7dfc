//! A push event is in the table at once, and what is no evidence is not. The API learns of nothing
//! here, so that whatever is found in the table came by push.

use super::stage::{Stage, changes, wait_change};

/// Watched and Offline, with an API that learns of nothing from now on.
fn by_push_alone(usernames: &[&str]) -> (Stage, lab::Daemon) {
    let stage = Stage::with(usernames);
    stage.kick.set_api_lag(None);
    let daemon = stage.watch(usernames);
    usernames.iter().for_each(|username| stage.wait_status(username, "Offline"));
    (stage, daemon)
}

#[test]
fn who_goes_live_and_stops_is_online_and_offline() {
    let (stage, daemon) = by_push_alone(&["ana"]);
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
    stage.kick.stop("ana");
    stage.wait_status("ana", "Offline");
    wait_change(&daemon, "ana", 3);
    let said: Vec<[String; 4]> = changes(&daemon, "ana")
        .iter()
        .map(|line| ["id", "status", "source"].map(|key| line.key(key).to_owned()))
        .map(|[id, status, source]| [id, status, source, String::new()])
        .collect();
    assert_eq!(said.len(), 3, "{said:?}");
}
