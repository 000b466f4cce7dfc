//! The log as the rest of the program sees it: a line is put into a queue, and a thread of its own writes it to
//! syslog or standard error (`output.rs`).
//!
//! So a syslog that hangs, or a standard error that is not read, does not block the program. When the queue is full,
//! lines are dropped, and their number is logged when lines can be written again. Records of libraries are dropped
//! at every level, because some contain tokens.

mod output;
mod syslog;
#[cfg(test)]
mod tests;

use crate::clock::Clock;
use crate::config::{LogConfig, LogTarget};
use crate::domain::time::Timestamp;
use crate::thread::{self, Exit};
use ::syslog::Facility;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded, unbounded};
use log::{Level, LevelFilter, Log, Metadata, Record};
use output::Output;
use std::convert::Infallible;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Where every syslog service on Linux listens.
pub const DEV_LOG: &str = "/dev/log";

/// The most lines that wait to be written; they take a megabyte or two.
const WAITING_MAX: usize = 8192;

/// How long a thread waits for room in a full queue, so that a burst of lines is not dropped where they can be
/// written. Where they cannot, it waits once: later lines are dropped at once until the whole queue has been written.
const ROOM_WAIT: Duration = Duration::from_millis(100);

/// The longest that the end of the process waits for the last lines.
const FLUSH_MAX: Duration = Duration::from_millis(900);

/// The process's logger.
pub struct Logger {
    clock: Clock,
    /// Whether standard error is the journal's, which reads `<N>` prefixes.
    prefixed: bool,
    /// Holds [`WAITING_MAX`]. When it is full, lines are dropped and counted.
    entries: Sender<Entry>,
    shared: Arc<Shared>,
    /// What the thread will write with; `None` once it has started.
    output: Mutex<Option<Output>>,
}

/// What the logger and its thread share.
#[derive(Debug)]
struct Shared {
    settings: Mutex<Settings>,
    /// The number of dropped lines that has not been logged yet.
    dropped: AtomicU64,
    /// Whether the queue was full and has not been emptied since.
    stalled: AtomicBool,
}

/// Where lines go.
#[derive(Clone, Copy, Debug)]
struct Settings {
    target: LogTarget,
    facility: Facility,
}

/// An entry of the queue.
enum Entry {
    /// A line of the log.
    Line(Line),
    /// A line for standard error only, whatever the log's target is.
    Plain(String),
    /// Writes nothing; it is dropped once everything before it has been written.
    Mark(#[expect(dead_code, reason = "that it is dropped is all that it says")] Sender<Infallible>),
}

/// A line of the log.
#[derive(Clone, Debug)]
struct Line {
    at: Timestamp,
    priority: Priority,
    text: String,
}

/// The severities of syslog that are used, with their numbers.
#[derive(Clone, Copy, Debug)]
enum Priority {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

static INSTALLED: OnceLock<Logger> = OnceLock::new();

/// Makes the logger the program's, for standard error at level `info` until configured. To be called once.
/// It has no thread yet, because a fork does not copy threads: see [`Logger::start`].
pub fn install(clock: Clock) -> anyhow::Result<&'static Logger> {
    let make = || Logger::new(clock, DEV_LOG.into(), rustix::stdio::stderr(), stderr_is_the_journals());
    let logger = INSTALLED.get_or_init(make);
    log::set_logger(logger)?;
    log::set_max_level(LevelFilter::Info);
    Ok(logger)
}

/// The program's logger, if it has one.
pub fn installed() -> Option<&'static Logger> {
    INSTALLED.get()
}

impl Logger {
    /// A logger that finds syslog at `path`.
    fn new(clock: Clock, path: PathBuf, stderr: BorrowedFd<'static>, prefixed: bool) -> Logger {
        let (entries, inbox) = bounded(WAITING_MAX);
        let shared = Arc::new(Shared {
            settings: Mutex::new(Settings { target: LogTarget::Stderr, facility: Facility::LOG_DAEMON }),
            dropped: AtomicU64::new(0),
            stalled: AtomicBool::new(false),
        });
        let output = Output::new(inbox, Arc::clone(&shared), clock, path, stderr, prefixed);
        Logger { clock, prefixed, entries, shared, output: Mutex::new(Some(output)) }
    }

    /// Starts the thread that writes, unless it runs already. Lines that were logged before have waited for it. How
    /// it ends is sent to `exits`.
    pub fn start(&self, exits: &Sender<Exit>) -> io::Result<()> {
        match self.output.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(output) => thread::spawn("log", exits, move || {
                output.run();
                Ok(())
            })
            .map(drop),
            None => Ok(()),
        }
    }

    /// Whether what is written to standard error is in the log, too.
    pub fn is_the_journals(&self) -> bool {
        self.prefixed
    }

    /// Logs as `config` says, but to `target`: a daemonized process has nothing but syslog, and a
    /// reload does not change the target (kick-monitor.env(5)).
    pub fn configure(&self, config: &LogConfig, target: LogTarget) {
        // The configuration knows no other names than the crate does.
        let facility = config.facility.parse().unwrap_or(Facility::LOG_DAEMON);
        *self.shared.settings.lock().unwrap_or_else(PoisonError::into_inner) = Settings { target, facility };
        log::set_max_level(config.level);
    }

    /// Writes a line to standard error only, whatever the log's target is.
    pub fn plain(&self, text: String) {
        self.put(Entry::Plain(text));
    }

    fn put(&self, entry: Entry) {
        let wait = if self.shared.stalled.load(Ordering::Relaxed) { Duration::ZERO } else { ROOM_WAIT };
        if self.entries.send_timeout(entry, wait).is_err() {
            self.shared.stalled.store(true, Ordering::Relaxed);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        target == "kick_monitor" || target.starts_with("kick_monitor::")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let (at, priority) = (self.clock.now().wall, Priority::of(record));
            self.put(Entry::Line(Line { at, priority, text: record.args().to_string() }));
        }
    }

    /// Waits until everything logged before is written, but not longer than `FLUSH_MAX`. For the end of the process.
    fn flush(&self) {
        // If the thread has not started, the process ends early, and its end need not be reported.
        let started = self.start(&unbounded().0);
        let deadline = self.clock.steady() + FLUSH_MAX;
        let (mark, written) = bounded(0);
        if started.is_ok() && self.entries.send_timeout(Entry::Mark(mark), FLUSH_MAX).is_ok() {
            // Nothing is ever sent; the mark is dropped.
            let _: Result<Infallible, RecvTimeoutError> = written.recv_timeout(self.clock.until(deadline));
        }
    }
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
}

/// Whether standard error leads to the journal itself: `$JOURNAL_STREAM` holds its device and inode
/// (systemd.exec(5)), and a redirection changes them.
fn stderr_is_the_journals() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(io::stderr()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}
