//! The logger against a real datagram socket in the place of `/dev/log`.

use super::Logger;
use crate::clock::Clock;
use crate::config::{LogConfig, LogTarget};
use log::{Level, LevelFilter, Log, Record};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A logger, where its syslog is to be, and what it wrote to standard error.
struct Scene {
    logger: Logger,
    path: PathBuf,
    stderr: Shared,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics here").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Scene {
    fn new(name: &str, prefixed: bool) -> Scene {
        let folder = std::env::temp_dir().join(format!("kick-monitor-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary directory is writable");
        let (path, stderr) = (folder.join("log"), Shared::default());
        let logger = Logger::new(Clock::start(), path.clone(), Box::new(stderr.clone()), prefixed);
        Scene { logger, path, stderr }
    }

    fn with_syslog(self, facility: &str) -> Scene {
        let config = LogConfig { level: LevelFilter::Trace, target: LogTarget::Stderr, facility: facility.to_owned() };
        self.logger.configure(&config, LogTarget::Syslog);
        self
    }

    fn listen(&self) -> UnixDatagram {
        let socket = UnixDatagram::bind(&self.path).expect("a socket can be bound");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out can be set");
        socket
    }

    fn log(&self, target: &str, level: Level, text: &str) {
        self.logger.log(&Record::builder().target(target).level(level).args(format_args!("{text}")).build());
    }

    fn written(&self) -> String {
        let mut bytes = self.stderr.0.lock().expect("nobody panics here");
        String::from_utf8(std::mem::take(&mut *bytes)).expect("lines are UTF-8")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.path.parent().expect("it lies in a folder"));
    }
}

/// The next datagram, as priority and what follows the time.
fn next(socket: &UnixDatagram) -> (u8, String) {
    let mut buffer = [0; 2_048];
    let length = socket.recv(&mut buffer).expect("a line arrives");
    let line = std::str::from_utf8(&buffer[..length]).expect("lines are UTF-8");
    let (priority, rest) = line.strip_prefix('<').and_then(|l| l.split_once('>')).expect("a priority comes first");
    // "Nov 23 08:56:00 ", 16 bytes.
    (priority.parse().expect("a number"), rest[16..].to_owned())
}

#[test]
fn lines_reach_syslog_with_priority_and_identity() {
    let scene = Scene::new("priority", false).with_syslog("daemon");
    let syslog = scene.listen();
    let us = |text| format!("kick-monitor[{}]: {text}", std::process::id());
    for (target, level, priority) in [
        ("kick_monitor", Level::Error, 3 * 8 + 3),
        ("kick_monitor", Level::Warn, 3 * 8 + 4),
        ("kick_monitor::notice", Level::Info, 3 * 8 + 5),
        ("kick_monitor", Level::Info, 3 * 8 + 6),
        ("kick_monitor", Level::Debug, 3 * 8 + 7),
    ] {
        scene.log(target, level, "a line event=x");
        assert_eq!(next(&syslog), (priority, us("a line event=x")));
    }
    let scene = scene.with_syslog("local7");
    scene.log("kick_monitor", Level::Info, "reloaded");
    assert_eq!(next(&syslog), (23 * 8 + 6, us("reloaded")));
    assert_eq!(scene.written(), "", "nothing is logged twice");
}

#[test]
fn a_syslog_that_began_anew_gets_the_very_next_line() {
    let scene = Scene::new("anew", false).with_syslog("daemon");
    let first = scene.listen();
    scene.log("kick_monitor", Level::Info, "one");
    next(&first);
    drop(first);
    std::fs::remove_file(&scene.path).expect("the socket can be removed");
    let second = scene.listen();
    scene.log("kick_monitor", Level::Info, "two");
    assert!(next(&second).1.ends_with(": two"));
    assert_eq!(scene.written(), "");
}

#[test]
fn while_syslog_is_gone_standard_error_has_the_lines() {
    let scene = Scene::new("gone", false).with_syslog("daemon");
    scene.log("kick_monitor", Level::Info, "early");
    assert_eq!(scene.written(), "early\n");
    let syslog = scene.listen();
    syslog.set_read_timeout(Some(Duration::from_millis(20))).expect("a time-out can be set");
    let clock = Clock::start();
    let mut buffer = [0; 100];
    while syslog.recv(&mut buffer).is_err() {
        assert!(clock.steady().0 < Duration::from_secs(20), "syslog is never tried again");
        scene.log("kick_monitor", Level::Info, "again");
    }
}

#[test]
fn a_syslog_that_does_not_read_costs_little_time_and_no_line() {
    let scene = Scene::new("full", false).with_syslog("daemon");
    let _never_read = scene.listen();
    let clock = Clock::start();
    while scene.written().is_empty() {
        assert!(clock.steady().0 < Duration::from_secs(20), "a full queue goes unnoticed");
        scene.log("kick_monitor", Level::Info, &"x".repeat(1_000));
    }
}

#[test]
fn only_our_own_records_are_logged() {
    let scene = Scene::new("foreign", false);
    for target in ["tungstenite::protocol", "ureq", "kick_monitors", ""] {
        scene.log(target, Level::Error, "Authorization: Bearer token");
    }
    scene.log("kick_monitor", Level::Trace, "ours");
    assert_eq!(scene.written(), "ours\n");
}

#[test]
fn the_journal_learns_the_priority_from_a_prefix() {
    let scene = Scene::new("journal", true);
    scene.log("kick_monitor", Level::Error, "bad");
    scene.log("kick_monitor::notice", Level::Info, "good");
    assert_eq!(scene.written(), "<3>bad\n<5>good\n");
}
