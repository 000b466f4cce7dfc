//! A shell script stands in for the program: what the harness promises, without kick-monitor.

use super::Daemon;
use crate::{Signal, wait_for};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// A file of the repository, not one written here: a program that is open for writing, be it in a
/// child that another test has just begun, cannot be started.
const STAND_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/daemon/stand-in.pl");

#[test]
fn a_program_is_run_told_and_ended() {
    let daemon = Daemon::builder(STAND_IN).set("KEY", "old").environment("NAMED", "yes").start();
    let started = daemon.wait_event("started", LIMIT);
    assert_eq!(
        [started.key("args"), started.key("home"), started.key("named")],
        ["run --foreground --config", "none", "yes"]
    );
    assert_eq!(fs::metadata(daemon.config()).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert!(daemon.resident() > 0 && daemon.threads() == 1 && daemon.descriptors() >= 3);

    let position = daemon.position();
    daemon.rewrite_config([("KEY", "new")]);
    daemon.signal(Signal::HUP);
    let reloaded = daemon.wait_line_from(position, LIMIT, |line| line.event == "reloaded");
    assert_eq!(reloaded.key("value"), "KEY=new");

    assert_eq!(daemon.stop(LIMIT).code(), Some(3));
    assert_eq!(daemon.events("stopped").len(), 1);
    daemon.start_again();
    wait_for("the second start", LIMIT, || (daemon.events("started").len() == 2).then_some(()));
}

#[test]
fn waiting_for_one_that_has_ended_ends() {
    let daemon = Daemon::builder(STAND_IN).start();
    daemon.wait_event("started", LIMIT);
    daemon.signal(Signal::KILL);
    let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| daemon.wait_event("never", LIMIT)));
    let reason = waited.expect_err("there is no such event");
    assert_eq!(reason.downcast_ref(), Some(&"the daemon has ended without the event never".to_owned()));
}
