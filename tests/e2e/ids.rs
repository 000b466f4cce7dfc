//! Ids that heal: what Kick reveals of them on the way, when the website is closed to us, the table is
//! wrong, or an endpoint is gone.

use super::stage::{PATIENCE, Stage, wait_change};
use kick_sim::{Face, Fault};
use lab::{Daemon, wait_for};

/// Waits until so many more sweeps are done.
#[track_caller]
fn wait_sweeps(daemon: &Daemon, more: usize) {
    let count = daemon.events("sweep_done").len() + more;
    wait_for("some sweeps", PATIENCE, || (daemon.events("sweep_done").len() >= count).then_some(()));
}

/// Waits until `status NAME` has these words.
#[track_caller]
pub(super) fn wait_told(daemon: &Daemon, name: &str, words: &str) {
    wait_for(&format!("{words} in the status of {name}"), PATIENCE, || {
        let output = daemon.command("status").arg(name).output().expect("the program can be started");
        String::from_utf8_lossy(&output.stdout).contains(words).then_some(())
    });
}

#[test]
fn without_the_website_the_sweep_covers_until_the_api_tells_the_channel_id() {
    let stage = Stage::with(&["ana"]);
    stage.kick.fault(Face::Website, Fault::challenge());
    let daemon = stage.start(stage.builder().set("SWEEP_SECS", "1"));
    stage.wait_status("ana", "Offline");
    wait_sweeps(&daemon, 2);
    assert!(stage.kick.subscriptions().is_empty(), "nobody knows the channel id of who never was live");
    stage.kick.go_live("ana");
    assert_eq!(wait_change(&daemon, "ana", 2).key("source"), "sweep");
    stage.wait_followed(&["ana"]);
    wait_told(&daemon, "ana", "(confirmed, told by the API's /livestreams)");
    stage.kick.set_api_lag(None);
    stage.kick.stop("ana");
    assert_eq!(wait_change(&daemon, "ana", 3).key("source"), "push");
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline"]);
}

#[test]
fn a_user_id_in_the_column_for_channel_ids_heals_without_the_website() {
    let stage = Stage::with(&["ana"]);
    let ids = stage.kick.ids("ana");
    stage.database.execute(&format!("ALTER TABLE streamers ADD channel bigint DEFAULT {}", ids.user));
    stage.kick.fault(Face::Website, Fault::challenge());
    let builder = stage.builder().set("SWEEP_SECS", "1").set("DB_CHANNEL_ID_COLUMN", "channel");
    let daemon = stage.start(builder);
    assert!(stage.kick.wait_subscribed(&format!("channel.{}", ids.user), PATIENCE), "the table is all that is known");
    stage.wait_status("ana", "Offline");
    stage.kick.go_live("ana");
    assert_eq!(wait_change(&daemon, "ana", 2).key("source"), "sweep");
    let said = daemon.wait_event("channel_id_mismatch", PATIENCE);
    let (configured, actual) = (ids.user.to_string(), ids.channel.to_string());
    assert_eq!(["configured", "actual"].map(|key| said.key(key)), [configured.as_str(), actual.as_str()]);
    stage.wait_followed(&["ana"]);
    stage.kick.set_api_lag(None);
    stage.kick.stop("ana");
    assert_eq!(wait_change(&daemon, "ana", 3).key("source"), "push");
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.subscriptions().len() == 1));
    // What was learned outlives the process, and the table stays wrong.
    assert!(daemon.stop(PATIENCE).success());
    stage.kick.clear_requests();
    daemon.start_again();
    stage.wait_followed(&["ana"]);
    assert_eq!(stage.kick.subscriptions().len(), 1);
    stage.kick.go_live("ana");
    stage.wait_status("ana", "Online");
}

#[test]
fn an_api_without_livestreams_is_enough() {
    let stage = Stage::with(&["ana"]);
    stage.kick.fault(Face::Website, Fault::challenge());
    stage.kick.fault(Face::Livestreams, Fault::status(410, "gone"));
    let daemon = stage.start(stage.builder().set("SWEEP_SECS", "1").set("PUSH_HOLD_SECS", "0"));
    for (count, status) in [(1, "Offline"), (2, "Online"), (3, "Offline")] {
        assert_eq!(wait_change(&daemon, "ana", count).key("status"), status);
        if status == "Online" {
            stage.kick.stop("ana")
        } else {
            Some(stage.kick.go_live("ana"))
        };
    }
    wait_change(&daemon, "ana", 4);
    wait_sweeps(&daemon, 3);
    assert_eq!(stage.kick.count(Face::Livestreams), 1, "gone is gone");
}
