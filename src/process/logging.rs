//! Where the log goes: syslog, or standard error; one write a line, and only lines of our own.
//!
//! Whatever becomes of `/dev/log`, logging never panics, never blocks for long, and never needs a
//! thread: a line that syslog does not take goes to standard error, and syslog is tried again with
//! a later line. Records of libraries are dropped at any level, for some hold tokens.

#[cfg(test)]
mod tests;

use crate::clock::Clock;
use crate::config::{LogConfig, LogTarget};
use crate::domain::Steady;
use log::{Level, LevelFilter, Metadata, Record};
use std::io::{self, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use syslog::{Facility, Formatter3164, LoggerBackend};

/// Where every syslog service on Linux listens.
/// Where syslog takes lines.
pub const DEV_LOG: &str = "/dev/log";

/// The longest that one line may wait for a syslog that does not read. Then standard error has it,
/// and all that follow until [`AGAIN_AFTER`].
const SEND_LIMIT: Duration = Duration::from_millis(100);

/// How long after a failure syslog is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The process's logger. Before [`Logger::configure`] it writes to standard error.
pub struct Logger {
    clock: Clock,
    path: PathBuf,
    /// Whether standard error is the journal's, which reads `<N>` prefixes.
    prefixed: bool,
    state: Mutex<State>,
}

struct State {
    stderr: Box<dyn Write + Send>,
    target: LogTarget,
    facility: Facility,
    syslog: Option<Syslog>,
    /// Until then syslog is not tried.
    not_before: Steady,
}

type Syslog = syslog::Logger<LoggerBackend, Formatter3164>;

/// Makes the logger the program's, writing to standard error at level `info` until configured.
/// To be called once.
pub fn install(clock: Clock) -> anyhow::Result<&'static Logger> {
    let logger = Logger::new(clock, DEV_LOG.into(), Box::new(io::stderr()), stderr_is_the_journals());
    let logger: &'static Logger = Box::leak(Box::new(logger));
    log::set_logger(logger)?;
    log::set_max_level(LevelFilter::Info);
    Ok(logger)
}

impl Logger {
    /// A logger that finds syslog at `path`.
    fn new(clock: Clock, path: PathBuf, stderr: Box<dyn Write + Send>, prefixed: bool) -> Logger {
        let state = State {
            stderr,
            target: LogTarget::Stderr,
            facility: Facility::LOG_DAEMON,
            syslog: None,
            not_before: Steady::default(),
        };
        Logger { clock, path, prefixed, state: Mutex::new(state) }
    }

    /// Whether what is written to standard error is in the log, too.
    pub fn is_the_journals(&self) -> bool {
        self.prefixed
    }

    /// Logs as `config` says, but to `target`: a daemonized process has nothing but syslog, and a
    /// reload does not change the target (CONTRACT §1, §2).
    pub fn configure(&self, config: &LogConfig, target: LogTarget) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.target = target;
        // The configuration knows no other names than the crate does.
        state.facility = config.facility.parse().unwrap_or(Facility::LOG_DAEMON);
        // The facility and the process id are the connection's; the next line makes a new one.
        state.syslog = None;
        state.not_before = Steady::default();
        log::set_max_level(config.level);
    }

    fn to_syslog(&self, state: &mut State, priority: Priority, line: &str) -> bool {
        let now = self.clock.steady();
        if let Some(syslog) = &mut state.syslog {
            if priority.send(syslog, line).is_ok() {
                return true;
            }
            state.syslog = None;
        }
        if now < state.not_before {
            return false;
        }
        // A syslog service that began anew has a new socket: at once, so that no line is lost.
        let mut fresh = connect(&self.path, state.facility).ok();
        let sent = fresh.as_mut().is_some_and(|syslog| priority.send(syslog, line).is_ok());
        if sent {
            state.syslog = fresh;
        } else {
            state.not_before = self.clock.steady() + AGAIN_AFTER;
        }
        sent
    }
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        target == "kick_monitor" || target.starts_with("kick_monitor::")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let priority = Priority::of(record);
        let line = record.args().to_string();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.target == LogTarget::Syslog && self.to_syslog(&mut state, priority, &line) {
            return;
        }
        let prefix = if self.prefixed { format!("<{}>", priority as u8) } else { String::new() };
        // Where standard error is gone too, there is nobody left to tell.
        let _ = state.stderr.write_all(format!("{prefix}{line}\n").as_bytes());
    }

    fn flush(&self) {}
}

/// The severities of syslog that we use, with its numbers.
#[derive(Clone, Copy)]
enum Priority {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

impl Priority {
    fn of(record: &Record<'_>) -> Priority {
        match record.level() {
            Level::Error => Priority::Error,
            Level::Warn => Priority::Warning,
            // `log` has no notice of its own (`Event::say`).
            Level::Info if record.target() == "kick_monitor::notice" => Priority::Notice,
            Level::Info => Priority::Info,
            Level::Debug | Level::Trace => Priority::Debug,
        }
    }

    fn send(self, syslog: &mut Syslog, line: &str) -> Result<(), syslog::Error> {
        match self {
            Priority::Error => syslog.err(line),
            Priority::Warning => syslog.warning(line),
            Priority::Notice => syslog.notice(line),
            Priority::Info => syslog.info(line),
            Priority::Debug => syslog.debug(line),
        }
    }
}

/// A connection that never blocks for longer than [`SEND_LIMIT`].
fn connect(path: &PathBuf, facility: Facility) -> anyhow::Result<Syslog> {
    let formatter =
        Formatter3164 { facility, hostname: None, process: "kick-monitor".to_owned(), pid: std::process::id() };
    // The crate's errors are not Sync.
    let syslog = syslog::unix_custom(formatter, path).map_err(|error| anyhow::anyhow!("{error}"))?;
    match &syslog.backend {
        LoggerBackend::Unix(socket) => UnixDatagram::set_write_timeout(socket, Some(SEND_LIMIT))?,
        LoggerBackend::UnixStream(stream) => UnixStream::set_write_timeout(stream.get_ref(), Some(SEND_LIMIT))?,
        LoggerBackend::Udp(..) | LoggerBackend::Tcp(_) => {}
    }
    Ok(syslog)
}

/// Whether standard error leads to the journal itself: `$JOURNAL_STREAM` holds its device and inode
/// (systemd.exec(5)), and a redirection changes them.
fn stderr_is_the_journals() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(io::stderr()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}
