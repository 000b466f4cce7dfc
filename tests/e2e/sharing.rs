//! Several instances that share one table (R25): which of them follows whom when one is killed, stopped, joins, leaves
//! or cannot take part; and that each change is written and notified once meanwhile.

use super::reload::reload;
use super::stage::{LAGGING, PATIENCE, Stage, changes, wait_snapshot};
use kick_sim::Kick;
use lab::{Bouncer, Builder, Cluster, Daemon, Shutdown, Signal, wait_for};
use postgres::fallible_iterator::FallibleIterator;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longer than the server takes to let go of an instance that is stopped, 10 s, and everything that follows.
const TAKEN_OVER: Duration = Duration::from_secs(60);

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("streamer{n}")).collect()
}

fn stage(count: usize) -> Stage {
    Stage::with(&names(count).iter().map(String::as_str).collect::<Vec<_>>())
}

fn builder(stage: &Stage, shards: u16) -> Builder {
    stage.builder().set("DB_SHARDS", shards.to_string()).set("DB_NOTIFY_CHANNEL", "changes")
}

/// How many shards each instance has, by the locks: the smallest number first.
fn shares(stage: &Stage) -> Vec<i64> {
    let query = "SELECT count(*) FILTER (WHERE mode = 'ExclusiveLock') FROM pg_locks
         WHERE locktype = 'advisory' AND objsubid = 2 AND classid = 'streamers'::regclass
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         GROUP BY pid HAVING bool_or(mode = 'ShareLock') ORDER BY 1";
    let rows = stage.database.client().query(query, &[]).expect("the locks can be read");
    rows.iter().map(|row| row.get(0)).collect()
}

#[track_caller]
fn wait_shares(stage: &Stage, expected: &[i64]) {
    wait_for(&format!("shares of {expected:?}"), TAKEN_OVER, || (shares(stage) == expected).then_some(()));
}

/// Starts an instance that has the table for itself, and waits until it follows everybody and knows their status.
#[track_caller]
fn start_first(stage: &Stage, builder: Builder, names: &[String]) -> Daemon {
    let daemon = builder.start();
    names.iter().for_each(|name| stage.wait_followed(&[name]));
    names.iter().for_each(|name| stage.wait_status(name, "Offline"));
    daemon
}

/// Whoever is live stops, and whoever is not goes live. Returns the statuses that the table must come to show.
fn turn_round(stage: &Stage, names: &[String]) -> Vec<&'static str> {
    let turn = |name: &String| {
        if stage.kick.stop(name).is_some() {
            return "Offline";
        }
        stage.kick.go_live(name);
        "Online"
    };
    names.iter().map(turn).collect()
}

/// What changed while nobody listened is found by the API, which is believed after a minute where the row may be
/// fresher (R13).
#[track_caller]
fn wait_statuses(stage: &Stage, names: &[String], statuses: &[&str]) {
    for (name, status) in names.iter().zip(statuses) {
        stage.wait_status_within(LAGGING, name, status);
    }
}

/// Waits until push follows everybody for this instance, has these statuses change, and waits for them.
#[track_caller]
fn follow_a_change(stage: &Stage, daemon: &Daemon, names: &[String]) {
    let all: u64 =
        stage.database.value("SELECT count(*) FROM streamers").and_then(|n| n.parse().ok()).expect("a number");
    wait_snapshot(daemon, "it to follow everybody", |snapshot| snapshot["streamers"]["subscribed"] == all);
    let statuses = turn_round(stage, names);
    for (name, status) in names.iter().zip(statuses) {
        stage.wait_status(name, status);
    }
}

/// Nobody's status was written twice in a row, and the last one is what it must be.
#[track_caller]
fn assert_written_once(stage: &Stage, names: &[String], count: usize) {
    for name in names {
        let written = stage.written(name);
        assert!(written.windows(2).all(|pair| pair[0] != pair[1]), "{name}: {written:?}");
        assert_eq!(written.len(), count, "{name}: {written:?}");
    }
}

#[test]
fn when_the_active_one_is_killed_the_other_follows_everybody() {
    let (stage, names) = (stage(20), names(20));
    let first = start_first(&stage, builder(&stage, 1), &names);
    let second = builder(&stage, 1).start();
    wait_shares(&stage, &[0, 1]);
    assert_eq!(stage.kick.subscriptions_by_connection().len(), 1, "one that stands by follows nobody");
    first.signal(Signal::KILL);
    let killed = kick_monitor::clock::Clock::start();
    // One changes while nobody listens.
    let (missed, others) = names.split_at(1);
    let statuses = turn_round(&stage, missed);
    follow_a_change(&stage, &second, others);
    println!("right {:.1} s after the active instance was killed", killed.steady().elapsed().as_secs_f64());
    wait_statuses(&stage, missed, &statuses);
    assert_written_once(&stage, &names, 2);
}

#[test]
fn a_stopped_one_is_replaced_and_writes_nothing_when_it_wakes() {
    let (stage, names) = (stage(20), names(20));
    let first = start_first(&stage, builder(&stage, 1), &names);
    let second = builder(&stage, 1).start();
    wait_shares(&stage, &[0, 1]);
    // It is stopped with a statement in hand, which waits for the table.
    let mut client = stage.database.client();
    let mut lock = client.transaction().expect("a transaction");
    lock.batch_execute("LOCK TABLE streamers IN EXCLUSIVE MODE").expect("locked");
    stage.kick.go_live(&names[0]);
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'streamers'::regclass";
    wait_for("a write to wait", PATIENCE, || (stage.database.value(waiting)? != "0").then_some(()));
    first.signal(Signal::STOP);
    let stopped = kick_monitor::clock::Clock::start();
    stage.kick.stop(&names[0]);
    wait_for("the other one to take over", TAKEN_OVER, || {
        second.events("shards_changed").iter().any(|line| line.key("held") == "1").then_some(())
    });
    lock.rollback().expect("unlocked");
    follow_a_change(&stage, &second, &names[1..]);
    println!("right {:.1} s after the active instance was stopped", stopped.steady().elapsed().as_secs_f64());
    let said = first.position();
    first.signal(Signal::CONT);
    wait_shares(&stage, &[0, 1]);
    follow_a_change(&stage, &second, &names[1..]);
    assert_written_once(&stage, &names[1..], 3);
    // It was stopped before it could write that this one had gone live, and has not written it since.
    assert_eq!(stage.written(&names[0]), ["Offline"]);
    let late: Vec<_> = first.lines_from(said).into_iter().filter(|line| line.event == "status_changed").collect();
    assert!(late.is_empty(), "{late:?}");
}

/// The notifications that have come, by username.
fn notified(listener: &mut postgres::Client) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut notifications = listener.notifications();
    let mut come = notifications.timeout_iter(Duration::from_secs(1));
    while let Some(notification) = come.next().expect("connected") {
        let told: serde_json::Value = serde_json::from_str(notification.payload()).expect("it is JSON");
        *counts.entry(told["username"].as_str().expect("a name").to_owned()).or_insert(0) += 1;
    }
    counts
}

#[test]
fn while_shares_are_handed_over_each_change_is_written_and_notified_once() {
    let (stage, names) = (stage(20), names(20));
    let mut listener = stage.database.client();
    listener.batch_execute("LISTEN changes").expect("it listens");
    let first = start_first(&stage, builder(&stage, 4), &names);
    wait_shares(&stage, &[4]);
    let second = builder(&stage, 4).start();
    let mut rounds = 0;
    for hand_over in 0..2 {
        // The second one comes, and goes in order.
        loop {
            let statuses = turn_round(&stage, &names);
            rounds += 1;
            wait_statuses(&stage, &names, &statuses);
            let expected: &[i64] = if hand_over % 2 == 0 { &[2, 2] } else { &[4] };
            if shares(&stage) == expected && rounds % 2 == 0 {
                break;
            }
        }
        if hand_over == 0 {
            second.stop(PATIENCE);
        }
    }
    println!("{} changes during hand-overs", rounds * names.len());
    assert_written_once(&stage, &names, rounds + 1);
    let counts = notified(&mut listener);
    assert!(names.iter().all(|name| counts.get(name) == Some(&(rounds + 1))), "{rounds}: {counts:?}");
    let said: usize = [&first, &second].iter().map(|daemon| changes(daemon, &names[0]).len()).sum();
    assert!(said <= rounds + 1, "{said} of {rounds}");
}

#[test]
fn three_share_fairly_and_each_row_is_followed_by_one() {
    let (stage, names) = (stage(20), names(20));
    let _first = start_first(&stage, builder(&stage, 7), &names);
    let _others = [0, 1].map(|_| builder(&stage, 7).start());
    wait_shares(&stage, &[2, 2, 3]);
    wait_for("each streamer to be followed once", TAKEN_OVER, || {
        let followed: usize = stage.kick.subscriptions_by_connection().iter().map(|channels| channels.len()).sum();
        (followed == names.len()).then_some(())
    });
    let statuses = turn_round(&stage, &names);
    wait_statuses(&stage, &names, &statuses);
    assert_written_once(&stage, &names, 2);
}

#[test]
fn one_with_another_number_of_shards_stands_by_and_says_so() {
    let (stage, names) = (stage(2), names(2));
    let first = start_first(&stage, builder(&stage, 1), &names);
    let other = builder(&stage, 4).start();
    let said = other.wait_event("coordination_off", PATIENCE);
    assert!(said.key("reason").contains("DB_SHARDS=1"), "{}", said.text);
    wait_snapshot(&other, "it to be failing", |snapshot| snapshot["health"] == "failing");
    first.stop(PATIENCE);
    wait_shares(&stage, &[4]);
    follow_a_change(&stage, &other, &names);
    wait_snapshot(&other, "it to be well", |snapshot| snapshot["health"] == "ok");
}

#[test]
fn a_new_number_of_shards_takes_effect_on_reload() {
    let (stage, names) = (stage(2), names(2));
    let daemon = start_first(&stage, builder(&stage, 1), &names);
    wait_shares(&stage, &[1]);
    reload(&daemon, &[("DB_SHARDS", "3")]);
    wait_shares(&stage, &[3]);
    // What is reported before does not tell whether everybody is followed under the new number.
    wait_snapshot(&daemon, "it to know of three shards", |snapshot| snapshot["coordination"]["held"] == 3);
    follow_a_change(&stage, &daemon, &names);
    reload(&daemon, &[("DB_COORDINATION", "off")]);
    wait_shares(&stage, &[]);
    wait_snapshot(&daemon, "it to follow all by itself", |snapshot| snapshot["coordination"]["mode"] == "off");
    follow_a_change(&stage, &daemon, &names);
    assert_written_once(&stage, &names, 3);
}

#[test]
fn through_a_pooler_each_follows_everything_and_says_so() {
    let (stage, names) = (stage(2), names(2));
    let bouncer = Bouncer::start(Cluster::shared(), &stage.database);
    let daemons = [0, 1].map(|_| builder(&stage, 1).set("DATABASE_URL", bouncer.url()).start());
    for daemon in &daemons {
        let said = daemon.wait_event("coordination_off", PATIENCE);
        assert!(said.key("reason").contains("pooler"), "{}", said.text);
    }
    wait_statuses(&stage, &names, &["Offline", "Offline"]);
    let both = |kick: &Kick| kick.subscriptions_by_connection().iter().filter(|all| all.len() == 2).count() == 2;
    assert!(stage.kick.wait_for(PATIENCE, both), "not everybody is followed by both");
    let statuses = turn_round(&stage, &names);
    wait_statuses(&stage, &names, &statuses);
    assert_written_once(&stage, &names, 2);
    wait_snapshot(&daemons[0], "it to be degraded", |snapshot| snapshot["health"] == "degraded");
}

#[test]
fn after_a_restart_of_postgresql_one_is_active_again() {
    let cluster = Cluster::start();
    let all = names(5);
    let stage = Stage::on(&cluster).add(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let _first = start_first(&stage, builder(&stage, 1), &all);
    let _second = builder(&stage, 1).start();
    wait_shares(&stage, &[0, 1]);
    cluster.stop(Shutdown::Fast);
    let statuses = turn_round(&stage, &all);
    cluster.start_again();
    wait_statuses(&stage, &all, &statuses);
    wait_shares(&stage, &[0, 1]);
    let statuses = turn_round(&stage, &all);
    wait_statuses(&stage, &all, &statuses);
    assert_written_once(&stage, &all, 3);
}
