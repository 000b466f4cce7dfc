//! The logger against a real datagram socket in the place of `/dev/log`.

use super::{Logger, WAITING_MAX};
use crate::clock::Clock;
use crate::config::{LogConfig, LogTarget};
use crossbeam_channel::unbounded;
use log::{Level, LevelFilter, Log, Record};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A logger, where its syslog is to be, and what it wrote to standard error.
struct Scene {
    logger: Logger,
    path: PathBuf,
    stderr: File,
}

impl Scene {
    fn new(name: &str, prefixed: bool) -> Scene {
        let folder = std::env::temp_dir().join(format!("kick-monitor-{name}-{}", fastrand::u64(..)));
        std::fs::create_dir_all(&folder).expect("the temporary directory is writable");
        let stderr = File::options().read(true).append(true).create(true).open(folder.join("stderr"));
        let stderr = stderr.expect("a file can be made");
        let logger = logger(&folder, stderr.try_clone().expect("it can be shared").into(), prefixed);
        Scene { logger, path: folder.join("log"), stderr }
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
        self.logger.flush();
        let (mut file, mut text) = (&self.stderr, String::new());
        file.rewind().and_then(|()| file.read_to_string(&mut text)).expect("lines are UTF-8");
        self.stderr.set_len(0).expect("it can be emptied");
        text
    }
}

/// A logger that finds syslog in this folder.
fn logger(folder: &Path, stderr: OwnedFd, prefixed: bool) -> Logger {
    let stderr: &'static OwnedFd = Box::leak(Box::new(stderr));
    let logger = Logger::new(Clock::start(), folder.join("log"), stderr.as_fd(), prefixed);
    logger.start(&unbounded().0).expect("threads can be had");
    logger
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
        assert!(clock.steady().elapsed() < Duration::from_secs(20), "syslog is never tried again");
        scene.log("kick_monitor", Level::Info, "again");
    }
}

#[test]
fn a_syslog_that_does_not_read_costs_little_time_and_no_line() {
    let scene = Scene::new("full", false).with_syslog("daemon");
    let _never_read = scene.listen();
    let clock = Clock::start();
    while scene.written().is_empty() {
        assert!(clock.steady().elapsed() < Duration::from_secs(20), "a full queue goes unnoticed");
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

#[test]
fn what_neither_syslog_nor_standard_error_takes_waits_or_is_counted() {
    let (_unread, stderr) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("a pipe can be made");
    while rustix::io::write(&stderr, &[b'x'; 4096]) != Err(Errno::AGAIN) {}
    fcntl_setfl(&stderr, OFlags::empty()).expect("it is a pipe");
    let mut scene = Scene::new("stalled", false);
    scene.logger = logger(scene.path.parent().expect("it lies in a folder"), stderr, false);
    let scene = scene.with_syslog("daemon");
    let syslog = scene.listen();
    let count = WAITING_MAX + 3_000;
    for number in 0..count {
        scene.log("kick_monitor", Level::Info, &format!("number {number}"));
    }
    // In vain, but not for long.
    scene.logger.flush();
    let mut written = 0;
    let dropped = loop {
        let (priority, text) = next(&syslog);
        match text.split_once(" event=log_dropped lines=") {
            Some((_, lines)) => break (priority, lines.parse::<usize>().expect("a number")),
            None => assert!(text.ends_with(&format!(": number {written}")), "{text}"),
        }
        written += 1;
    };
    // The mark of the flush has had no room either, which makes no line.
    assert_eq!(dropped, (3 * 8 + 4, count - written));
    assert!(written >= WAITING_MAX, "{written}");
    scene.log("kick_monitor", Level::Info, "all is well");
    assert!(next(&syslog).1.ends_with(": all is well"));
}
