//! Statements that are not answered: what becomes of them when the daemon stops, when it reloads, and when the server
//! is halted.

use super::limits::status;
use super::reload::reload;
use super::scratch::Scratch;
use super::stage::{PATIENCE, Stage};
use kick_sim::{Face, Fault};
use lab::{Cluster, Relay, Trouble, wait_for};
use rustix::process::Signal;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

/// How many statements of the daemon wait for a lock.
fn waiting(stage: &Stage) -> Option<String> {
    stage.database.value(
        "SELECT count(*)::text FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'kick-monitor' AND wait_event_type = 'Lock'",
    )
}

#[test]
fn a_statement_that_waits_at_the_stop_is_cancelled() {
    let stage = Stage::with(&["ana"]);
    let daemon = stage.watch(&["ana"]);
    stage.wait_status("ana", "Offline");
    let mut other = stage.database.client();
    other.batch_execute("BEGIN; LOCK TABLE streamers IN EXCLUSIVE MODE").expect("the table can be locked");
    stage.kick.go_live("ana");
    wait_for("the write to wait for the lock", PATIENCE, || (waiting(&stage).as_deref() == Some("1")).then_some(()));
    assert_eq!(daemon.stop(PATIENCE).code(), Some(0));
    wait_for("the statement to be gone", PATIENCE, || (waiting(&stage).as_deref() == Some("0")).then_some(()));
    // Had it stayed, it would write now, when there is no one left to correct it.
    other.batch_execute("COMMIT").expect("the lock goes");
    assert_eq!(stage.status("ana").as_deref(), Some("Offline"));
    assert_eq!(daemon.wait_event("stopped", PATIENCE).key("unwritten"), "1");
}

/// Nobody can cancel it then. By the setting that `schema` prints for the role, the server sees that its client is gone.
#[test]
fn a_statement_that_waits_when_the_daemon_is_killed_ends_with_it() {
    let stage = Stage::with(&["ana"]);
    stage
        .database
        .execute(&format!("ALTER DATABASE {} SET client_connection_check_interval = '2s'", stage.database.name()));
    // A lease would keep it from writing, too.
    let daemon = stage.start(stage.builder().set("DB_COORDINATION", "off"));
    stage.wait_followed(&["ana"]);
    stage.wait_status("ana", "Offline");
    let mut other = stage.database.client();
    other.batch_execute("BEGIN; LOCK TABLE streamers IN EXCLUSIVE MODE").expect("the table can be locked");
    stage.kick.go_live("ana");
    wait_for("the write to wait for the lock", PATIENCE, || (waiting(&stage).as_deref() == Some("1")).then_some(()));
    daemon.signal(Signal::KILL);
    daemon.wait_exit(PATIENCE);
    wait_for("the statement to be gone", PATIENCE, || (waiting(&stage).as_deref() == Some("0")).then_some(()));
    other.batch_execute("COMMIT").expect("the lock goes");
    assert_eq!(stage.status("ana").as_deref(), Some("Offline"));
}

/// R19: what an old writer has sent may still be done, so a new one would be overtaken by it.
#[test]
fn new_writers_begin_when_every_old_one_has_ended() {
    let names = ["ana", "bea", "cid", "dan", "eva", "fay", "gus", "hal"];
    let stage = Stage::with(&names);
    let port = Cluster::shared().port();
    let relay = Relay::to(port);
    let through = stage.database.url().replace(&format!(":{}/", port), &format!(":{}/", relay.port()));
    // Nothing but push may put a false status right.
    let builder = stage.builder().set("DATABASE_URL", through).set("DB_POOL_SIZE", "1").set("PUSH_HOLD_SECS", "0");
    let daemon = stage.start(builder);
    stage.wait_followed(&names);
    names.iter().for_each(|name| stage.wait_status(name, "Offline"));
    stage.kick.fault([Face::Channels, Face::Livestreams, Face::UsersLivestreams], Fault::Refuse);
    relay.trouble(Some(Trouble::Held));
    stage.kick.go_live("ana");
    wait_for("the write to be held", PATIENCE, || (relay.met() > 0).then_some(()));
    for name in &names[1..] {
        stage.kick.go_live(name);
    }
    reload(&daemon, &[("DB_POOL_SIZE", "8")]);
    for name in names {
        stage.kick.stop(name);
    }
    // The connection that the roster has made anew works, so new writers could write by now.
    let position = daemon.position();
    stage.kick.add("ida");
    stage.insert("ida", None);
    daemon.wait_line_from(position, PATIENCE, |line| line.event == "roster_loaded");
    relay.trouble(None);
    wait_for("the late write", PATIENCE, || stage.written("ana").contains(&"Online".to_owned()).then_some(()));
    names.iter().for_each(|name| stage.wait_status(name, "Offline"));
    for name in names {
        assert_eq!(stage.written(name).last().map(String::as_str), Some("Offline"), "{name}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the service manager counts seconds, too")]
fn a_halted_server_does_not_starve_the_watchdog() {
    // Longer than any promise of a worker's that a wait for an answer could break.
    const HALTED: Duration = Duration::from_secs(70);
    const WATCHDOG: Duration = Duration::from_secs(20);
    let cluster = Cluster::start();
    let stage = Stage::on(&cluster).add(&["ana", "bea"]);
    let scratch = Scratch::new();
    let manager = UnixDatagram::bind(scratch.path("notify")).expect("a socket can be bound");
    manager.set_read_timeout(Some(WATCHDOG)).expect("a time-out can be set");
    let builder = stage.builder().environment("NOTIFY_SOCKET", scratch.path("notify").display().to_string());
    let daemon = stage.start(builder.environment("WATCHDOG_USEC", "5000000"));
    stage.wait_followed(&["ana", "bea"]);
    ["ana", "bea"].iter().for_each(|name| stage.wait_status(name, "Offline"));
    cluster.freeze();
    stage.kick.go_live("ana");
    let halted = Instant::now();
    let mut fed = halted;
    while halted.elapsed() < HALTED {
        let mut message = [0; 1000];
        match manager.recv(&mut message) {
            Ok(length) if &message[..length] == b"WATCHDOG=1" => fed = Instant::now(),
            Err(error) if error.kind() != ErrorKind::Interrupted => panic!("nothing is heard of the daemon: {error}"),
            _ => {}
        }
        assert!(fed.elapsed() < WATCHDOG, "the watchdog would have ended it");
    }
    daemon.wait_event("db_unavailable", PATIENCE);
    stage.kick.go_live("bea");
    cluster.thaw();
    ["ana", "bea"].iter().for_each(|name| stage.wait_status(name, "Online"));
    daemon.wait_event("db_recovered", PATIENCE);
    // Halted again, it holds up no stop.
    cluster.freeze();
    stage.kick.stop("ana");
    stage.kick.stop("bea");
    wait_for("both stops to be heard", PATIENCE, || (status(&daemon)["database"]["pending_writes"] == 2).then_some(()));
    assert_eq!(daemon.stop(PATIENCE).code(), Some(0));
    assert_eq!(daemon.wait_event("stopped", PATIENCE).key("unwritten"), "2");
}
