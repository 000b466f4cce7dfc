//! Two instances that do not share one table, so that each follows every row: each change is written and notified
//! once, whoever is killed or deaf. Those that share it are in `sharing.rs`.

use super::stage::{PATIENCE, Stage, changes};
use kick_sim::{Kick, Transport};
use lab::{Builder, Daemon, Relay, Signal, Trouble, wait_for};
use postgres::fallible_iterator::FallibleIterator;
use std::collections::BTreeSet;

#[test]
fn two_instances_write_a_change_once() {
    let stage = Stage::with(&["ana", "first", "second"]);
    stage.kick.set_api_lag(None);
    // Each has a streamer whom the other one does not follow, and one writer, which keeps the order:
    // when that one's change is in the table, so is everything before.
    let instance = |other: &str| {
        let builder = stage.builder().set("DB_POOL_SIZE", "1");
        stage.start(builder.set("DB_FILTER", format!("username <> '{other}'")))
    };
    let instances = ["second", "first"].map(instance);
    let follow = |kick: &Kick| kick.subscriptions_by_connection().iter().map(BTreeSet::len).sum::<usize>();
    assert!(stage.kick.wait_for(PATIENCE, |kick| follow(kick) == 4), "not everybody is followed");
    let all_become = |status: &str| ["ana", "first", "second"].iter().for_each(|name| stage.wait_status(name, status));
    all_become("Offline");
    for _ in 0..3 {
        for name in ["ana", "first", "second"] {
            stage.kick.go_live(name);
        }
        all_become("Online");
        for name in ["ana", "first", "second"] {
            stage.kick.stop(name);
        }
        all_become("Offline");
    }
    assert_eq!(stage.written("ana").len(), 7);
    wait_for("every change to be said by one of them", PATIENCE, || {
        (instances.iter().map(|daemon| changes(daemon, "ana").len()).sum::<usize>() == 7).then_some(())
    });
}

/// An instance that tells of its changes.
fn telling(stage: &Stage) -> Builder {
    stage.builder().set("DB_COORDINATION", "off").set("DB_NOTIFY_CHANNEL", "changes").set("SWEEP_SECS", "1")
}

/// Waits until so many connections follow everybody.
#[track_caller]
fn wait_followed_by(stage: &Stage, connections: usize) {
    let all = |kick: &Kick| {
        let following = kick.subscriptions_by_connection();
        following.len() == connections && following.iter().all(|channels| channels.len() == 2)
    };
    assert!(stage.kick.wait_for(PATIENCE, all), "not everybody is followed");
}

#[test]
fn who_is_killed_is_not_missed_and_nothing_is_told_twice() {
    let stage = Stage::with(&["ana", "bob"]);
    let mut listener = stage.database.client();
    listener.batch_execute("LISTEN changes").expect("it listens");
    let [first, second] = [0, 1].map(|_| stage.start(telling(&stage)));
    wait_followed_by(&stage, 2);
    stage.wait_status("ana", "Offline");
    stage.wait_status("bob", "Offline");
    let become_online = |username: &str| {
        stage.kick.go_live(username);
        stage.wait_status(username, "Online");
    };
    become_online("ana");
    first.signal(Signal::KILL);
    first.wait_exit(PATIENCE);
    stage.kick.stop("ana");
    stage.wait_status("ana", "Offline");
    first.start_again();
    wait_followed_by(&stage, 2);
    second.signal(Signal::KILL);
    second.wait_exit(PATIENCE);
    become_online("bob");
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline"]);
    assert_eq!(stage.written("bob"), ["Offline", "Online"]);
    // Bob's last change comes after all others.
    let mut told = Vec::new();
    while told.last().is_none_or(|payload: &String| !(payload.contains("bob") && payload.contains("Online"))) {
        let mut notifications = listener.notifications();
        let notification = notifications.timeout_iter(PATIENCE).next().expect("connected").expect("a notification");
        told.push(notification.payload().to_owned());
    }
    assert_eq!(told.len(), 5, "{told:?}");
}

#[test]
fn one_that_push_does_not_reach_never_writes_against_the_other() {
    let stage = Stage::with(&["ana", "bob"]);
    let pusher = stage.kick.pusher_url();
    let port = pusher.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
    let relay = Relay::to(port);
    let builder = telling(&stage).set("PUSHER_URL", format!("ws://127.0.0.1:{}", relay.port()));
    let deaf = stage.start(builder.set("REALTIME", "pusher"));
    let hearing = stage.start(telling(&stage));
    wait_followed_by(&stage, 2);
    stage.wait_status("ana", "Offline");
    relay.trouble(Some(Trouble::Silent));
    assert!(stage.kick.wait_for(PATIENCE, |kick| kick.connections_on(Transport::Pusher) == 1));
    let sweeps = |daemon: &Daemon| daemon.events("sweep_done").len();
    for status in ["Online", "Offline", "Online"] {
        if status == "Online" {
            stage.kick.go_live("ana");
        } else {
            stage.kick.stop("ana");
        }
        stage.wait_status("ana", status);
        let seen = sweeps(&deaf);
        wait_for("the deaf one to compare everybody", PATIENCE, || (sweeps(&deaf) > seen + 3).then_some(()));
    }
    assert_eq!(stage.written("ana"), ["Offline", "Online", "Offline", "Online"]);
    assert!(!changes(&hearing, "ana").is_empty());
}
