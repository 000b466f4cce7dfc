//! The thread `log`: writes lines to syslog, each as one message, or to standard error, as many as fit a write.
//!
//! A line that syslog does not accept goes to standard error, and syslog is tried again with a later line. A line
//! that neither accepts waits until one of them does. Nothing here ends the thread.

use super::syslog::Syslog;
use super::{Entry, Line, Priority, Shared};
use crate::clock::Clock;
use crate::config::LogTarget;
use crate::domain::Steady;
use crate::domain::event::Event;
use ::syslog::Facility;
use crossbeam_channel::Receiver;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How long after a failure syslog is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long to wait for room in standard error before syslog is tried again.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// What a pipe that is ready for writing accepts without blocking, in bytes (`PIPE_BUF`, pipe(7)).
const PIECE: usize = 4096;

/// How many lines are lost.
#[derive(Clone, Copy, Debug)]
struct Lost(u64);

/// The thread's own state.
#[derive(Debug)]
pub(super) struct Output {
    entries: Receiver<Entry>,
    shared: Arc<Shared>,
    clock: Clock,
    path: PathBuf,
    stderr: BorrowedFd<'static>,
    prefixed: bool,
    syslog: Option<Syslog>,
    /// Syslog is not tried before this time.
    not_before: Steady,
    /// Lines for standard error that are not written yet: while more are queued, they are written together.
    gathered: String,
}

impl Output {
    pub(super) fn new(
        entries: Receiver<Entry>,
        shared: Arc<Shared>,
        clock: Clock,
        path: PathBuf,
        stderr: BorrowedFd<'static>,
        prefixed: bool,
    ) -> Output {
        let (syslog, not_before, gathered) = (None, Steady::default(), String::new());
        Output { entries, shared, clock, path, stderr, prefixed, syslog, not_before, gathered }
    }

    /// Writes until the logger is dropped; the program's own never is.
    pub(super) fn run(mut self) {
        while let Ok(entry) = self.entries.recv() {
            let written = match &entry {
                Entry::Line(line) => self.write(line),
                Entry::Plain(text) => self.gather(&format!("{text}\n")),
                Entry::Mark(_) => self.write_gathered(),
            };
            self.count(written);
            if self.entries.is_empty() {
                let written = self.write_gathered();
                self.count(written);
                self.shared.stalled.store(false, Ordering::Relaxed);
                self.say_dropped();
            }
        }
    }

    /// Logs how many lines are missing, now that all others are written.
    fn say_dropped(&mut self) {
        let lines = self.shared.dropped.swap(0, Ordering::Relaxed);
        if lines > 0 && log::max_level() >= log::Level::Warn {
            let text = Event::LogDropped { lines }.line();
            let line = Line { at: self.clock.now().wall, priority: Priority::Warning, text };
            let written = self.write(&line).and_then(|()| self.write_gathered());
            self.count(written.map_err(|_| Lost(lines)));
        }
    }

    fn count(&self, written: Result<(), Lost>) {
        if let Err(Lost(lines)) = written {
            self.shared.dropped.fetch_add(lines, Ordering::Relaxed);
        }
    }

    /// Writes a line, however long that takes; for standard error it is only gathered.
    fn write(&mut self, line: &Line) -> Result<(), Lost> {
        let prefix = if self.prefixed { format!("<{}>", line.priority as u8) } else { String::new() };
        let text = format!("{prefix}{}\n", line.text);
        loop {
            let settings = *self.shared.settings.lock().unwrap_or_else(PoisonError::into_inner);
            if settings.target != LogTarget::Syslog {
                return self.gather(&text);
            }
            let written = self.write_gathered();
            self.count(written);
            if self.try_syslog(settings.facility, line) || self.try_stderr(&text, false)? {
                return Ok(());
            }
        }
    }

    /// Adds a line to those for standard error.
    fn gather(&mut self, text: &str) -> Result<(), Lost> {
        let has_room = self.gathered.len() + text.len() <= PIECE;
        let written = if has_room { Ok(()) } else { self.write_gathered() };
        self.gathered.push_str(text);
        written
    }

    fn write_gathered(&mut self) -> Result<(), Lost> {
        let written = self.try_stderr(&self.gathered, true).map(drop);
        self.gathered.clear();
        written
    }

    fn try_syslog(&mut self, facility: Facility, line: &Line) -> bool {
        if self.syslog.as_mut().is_some_and(|syslog| syslog.send(facility, line)) {
            return true;
        }
        self.syslog = None;
        let now = self.clock.steady();
        if now < self.not_before {
            return false;
        }
        // A restarted syslog service has a new socket. It is connected to at once, so that no line is lost.
        self.syslog = Syslog::connect(&self.path);
        let sent = self.syslog.as_mut().is_some_and(|syslog| syslog.send(facility, line));
        if !sent {
            self.syslog = None;
            self.not_before = now + AGAIN_AFTER;
        }
        sent
    }

    /// Writes lines to standard error. Returns false if it has no room now and `wait` is false.
    fn try_stderr(&self, text: &str, wait: bool) -> Result<bool, Lost> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            if self.stderr_takes() {
                match rustix::io::write(self.stderr, &rest[..rest.len().min(PIECE)]) {
                    Ok(written) => rest = &rest[written..],
                    // Another process may have set it to non-blocking.
                    Err(Errno::INTR | Errno::AGAIN) => {}
                    Err(_) => return Err(Lost(rest.iter().map(|byte| u64::from(*byte == b'\n')).sum())),
                }
            } else if !wait && rest.len() == text.len() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether standard error is ready for a write; waits a short time for that.
    fn stderr_takes(&self) -> bool {
        let mut look = [PollFd::new(&self.stderr, PollFlags::OUT)];
        // If it is broken, the write reports the error.
        matches!(poll(&mut look, Some(&LOOK)), Ok(1..))
    }
}
