//! The program against a Pusher server that others wrote: it follows, hears, comes back, and says what is
//! wrong. Of the changes here the API knows nothing until it is told to catch up.

use super::soketi::{KEY, Soketi};
use crate::e2e::stage::{Stage, changes, wait_change};
use jiff::Timestamp;
use lab::{Builder, Daemon, Signal, wait_for};
use serde_json::json;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn builder(stage: &Stage, soketi: &Soketi) -> Builder {
    stage.builder().set("REALTIME", "pusher").set("PUSHER_URL", soketi.url()).set("PUSHER_APP_KEY", KEY)
}

/// The program, following everybody over this server; the API stands still from now on.
fn watch(stage: &Stage, soketi: &Soketi, builder: Builder, usernames: &[&str]) -> Daemon {
    let daemon = stage.start(builder);
    wait_followed(soketi, usernames.len());
    usernames.iter().for_each(|username| stage.wait_status(username, "Offline"));
    stage.kick.set_api_lag(None);
    daemon
}

fn wait_followed(soketi: &Soketi, channels: usize) {
    wait_for("everybody to be followed", LONG, || (soketi.channels() == channels).then_some(()));
}

/// A streamer goes live, and the server tells (docs/kick.md §3.3).
fn go_live(stage: &Stage, soketi: &Soketi, username: &str) {
    let livestream = stage.kick.go_live_silently(username);
    let channel = stage.kick.ids(username).channel;
    let created_at = Timestamp::now().to_string();
    let data = json!({"livestream": {
        "id": livestream, "channel_id": channel, "session_title": "of ours", "source": null, "created_at": created_at,
    }});
    soketi.trigger(&stage.channel(username), "App\\Events\\StreamerIsLive", &data.to_string());
}

/// A streamer stops, and the server tells (docs/kick.md §3.4).
fn stop(stage: &Stage, soketi: &Soketi, username: &str) {
    let livestream = stage.kick.stop_silently(username).expect("they were live");
    let channel = stage.kick.ids(username).channel;
    let data = json!({"livestream": {"id": livestream, "channel": {"id": channel, "is_banned": false}}});
    soketi.trigger(&stage.channel(username), "App\\Events\\StopStreamBroadcast", &data.to_string());
}

#[test]
fn a_thousand_channels_are_followed_and_every_event_is_written() {
    let soketi = Soketi::start(None);
    let stage = Stage::empty();
    let usernames: Vec<String> = (0..1000).map(|n| format!("s{n}")).collect();
    let rows: Vec<String> = usernames
        .iter()
        .map(|username| format!("('{username}', 'Offline', {})", stage.kick.add(username).channel))
        .collect();
    stage.database.execute(&format!(
        "ALTER TABLE streamers ADD channel bigint; INSERT INTO streamers (username, status, channel) VALUES {}",
        rows.join(", ")
    ));
    let daemon = stage.start(builder(&stage, &soketi).set("DB_CHANNEL_ID_COLUMN", "channel"));
    wait_followed(&soketi, 1000);
    stage.kick.set_api_lag(None);
    let some: Vec<&String> = usernames.iter().step_by(7).collect();
    some.iter().for_each(|username| go_live(&stage, &soketi, username));
    let count = |status| stage.database.value(&format!("SELECT count(*) FROM streamers WHERE status = '{status}'"));
    wait_for("all who went live", LONG, || (count("Online") == Some(some.len().to_string())).then_some(()));
    some.iter().for_each(|username| stop(&stage, &soketi, username));
    wait_for("all who stopped", LONG, || (count("Offline").as_deref() == Some("1000")).then_some(()));
    let wrote = stage.database.value("SELECT count(*) FROM written");
    assert_eq!(wrote, Some((2 * some.len()).to_string()), "each change once");
    assert!(daemon.events("status_changed").iter().all(|line| line.key("source") == "push"));
    assert!(daemon.events("realtime_disconnected").is_empty());
}

/// The server ends, ana goes live, and it is back: she is caught up, and bob is heard over the new connection.
fn come_back(signal: Signal) -> Daemon {
    let soketi = Soketi::start(None);
    let stage = Stage::with(&["ana", "bob"]);
    let daemon = watch(&stage, &soketi, builder(&stage, &soketi), &["ana", "bob"]);
    soketi.stop(signal);
    daemon.wait_event("realtime_disconnected", LONG);
    stage.kick.go_live_silently("ana");
    stage.kick.api_catches_up();
    soketi.start_again();
    wait_followed(&soketi, 2);
    let line = wait_change(&daemon, "ana", 2);
    assert_eq!((line.key("status"), line.key("source")), ("Online", "sweep"), "{}", line.text);
    go_live(&stage, &soketi, "bob");
    let line = wait_change(&daemon, "bob", 2);
    assert_eq!((line.key("status"), line.key("source")), ("Online", "push"), "{}", line.text);
    stop(&stage, &soketi, "bob");
    stage.wait_status("bob", "Offline");
    assert_eq!(stage.written("bob"), ["Offline", "Online", "Offline"]);
    daemon
}

#[test]
fn a_server_that_ends_in_order_is_come_back_to() {
    let daemon = come_back(Signal::TERM);
    let lost = daemon.events("realtime_disconnected");
    assert_eq!(lost.first().map(|line| line.key("code")), Some("4200"), "{lost:?}");
}

#[test]
fn a_server_that_is_killed_is_come_back_to() {
    come_back(Signal::KILL);
}

#[test]
fn a_key_that_it_does_not_know_is_said_and_another_is_used_after_a_reload() {
    let soketi = Soketi::start(None);
    let stage = Stage::with(&["ana"]);
    let daemon = stage.start(builder(&stage, &soketi).set("PUSHER_APP_KEY", "another"));
    let line = daemon.wait_event("realtime_disconnected", LONG);
    assert_eq!(line.key("code"), "4001", "{}", line.text);
    assert_eq!(soketi.channels(), 0);
    daemon.rewrite_config([("PUSHER_APP_KEY", KEY)]);
    daemon.signal(Signal::HUP);
    wait_followed(&soketi, 1);
    stage.kick.set_api_lag(None);
    go_live(&stage, &soketi, "ana");
    stage.wait_status("ana", "Online");
}

#[test]
fn a_server_that_is_full_is_said_to_be_and_taken_when_there_is_room() {
    let soketi = Soketi::start(Some(1));
    let stage = Stage::with(&["ana", "bob"]);
    let daemon = stage.start(builder(&stage, &soketi).set("PUSHER_CHANNELS_PER_CONNECTION", "1"));
    daemon.wait_line(LONG, |line| line.event == "realtime_disconnected" && line.key("code") == "4100");
    wait_followed(&soketi, 1);
    stage.wait_status("ana", "Offline");
    stage.wait_status("bob", "Offline");
    stage.kick.set_api_lag(None);
    // One of the two is heard, whichever came first; then they leave, and there is room for the other.
    ["ana", "bob"].iter().for_each(|username| go_live(&stage, &soketi, username));
    let first = wait_for("one to be heard", LONG, || {
        ["ana", "bob"].into_iter().find(|username| changes(&daemon, username).len() == 2)
    });
    stage.database.execute(&format!("DELETE FROM streamers WHERE username = '{first}'"));
    let second = if first == "ana" { "bob" } else { "ana" };
    wait_for("the other to be followed", LONG, || {
        let lines = daemon.events("realtime_connected");
        (lines.len() >= 2 && soketi.channels() == 1).then_some(())
    });
    stop(&stage, &soketi, second);
    go_live(&stage, &soketi, second);
    let line = wait_change(&daemon, second, 2);
    assert_eq!((line.key("status"), line.key("source")), ("Online", "push"), "{}", line.text);
}
