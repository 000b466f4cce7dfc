//! The thread `status`: writes what the hub reports to files. The hub does not wait for it, so a disk that hangs
//! delays only this thread.

use super::files::{Fresh, replace};
use super::{STREAMERS, Snapshot, WHOLE, prometheus};
use crate::clock::{Clock, Pulse};
use crate::config::FilesConfig;
use crate::domain::Steady;
use crate::domain::event::Event;
use crate::domain::problem::Code;
use crate::domain::report::{Bulletin, Page, Problem, Report};
use crate::domain::text::shown;
use crate::domain::time::{Timestamp, to_milliseconds};
use crate::process::notify::Notify;
use crate::repeats::Repeats;
use crate::stop::{Received, Stop};
use crate::worker::Worker;
use crossbeam_channel::{Receiver, TryRecvError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the metrics are written (kick-monitor.env(5), `METRICS_FILE`).
const METRICS_EVERY: Duration = Duration::from_secs(15);
/// The longest wait for a report before the thread shows that it is alive.
const TURN: Duration = Duration::from_secs(20);
/// The time limit while files are written: a disk that hangs is no reason to end the process.
const FILES_TURN: Duration = Duration::MAX;

/// The thread's own state.
#[derive(Debug)]
pub struct Scribe {
    run_dir: PathBuf,
    metrics_file: Option<PathBuf>,
    /// The file of metrics before the configuration named another one, or none.
    given_up: Option<PathBuf>,
    bulletins: Receiver<Bulletin>,
    clock: Clock,
    started_at: Timestamp,
    notify: Notify,
    said: String,
    metrics_due: Steady,
    /// Since when and why the metrics cannot be written.
    metrics_fail: Option<(Timestamp, String)>,
    /// The file of streamers that is being written, page by page.
    round: Option<Fresh>,
    repeats: Repeats,
}

impl Scribe {
    /// A thread that writes each bulletin to these files, and removes the file of metrics that another one wrote.
    pub fn new(files: &FilesConfig, given_up: Option<PathBuf>, bulletins: Receiver<Bulletin>, clock: Clock) -> Scribe {
        Scribe {
            run_dir: files.run_dir.clone(),
            metrics_file: files.metrics_file.clone(),
            given_up,
            bulletins,
            clock,
            started_at: clock.now().wall_at(Steady::default()),
            notify: Notify::from_env(),
            said: String::new(),
            metrics_due: Steady::default(),
            metrics_fail: None,
            round: None,
            repeats: Repeats::default(),
        }
    }
}

impl Worker for Scribe {
    /// Writes until the hub hangs up, and then removes the files, because the daemon does not run any more.
    fn run(mut self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        if let Some(file) = &self.given_up {
            // It would say for ever that the daemon is up. It may be gone already.
            let _ = fs::remove_file(file);
        }
        loop {
            pulse.promise(2 * TURN);
            match stop.recv(&self.bulletins, TURN) {
                Received::Message(bulletin) => {
                    pulse.promise(FILES_TURN);
                    self.write(bulletin);
                }
                Received::Nothing => {}
                Received::HungUp => break,
                // After a restart another thread takes over, unless the hub has hung up.
                Received::Stopped if self.bulletins.try_recv() == Err(TryRecvError::Disconnected) => break,
                Received::Stopped => return Ok(()),
            }
        }
        for name in [WHOLE, STREAMERS] {
            // A file that cannot be removed is recognised by its age.
            let _ = fs::remove_file(self.run_dir.join(name));
        }
        if let Some(file) = self.metrics_file.clone() {
            let done = replace(&file, prometheus::DOWN.as_bytes());
            self.note(&file, done);
        }
        Ok(())
    }
}

impl Scribe {
    fn write(&mut self, mut bulletin: Bulletin) {
        let now = self.clock.now();
        self.add_own(&mut bulletin.report);
        let line = line(&bulletin.report);
        if line != self.said {
            self.notify.status(&line);
            self.said = line;
        }
        if let Some(page) = &bulletin.page {
            let path = self.run_dir.join(STREAMERS);
            let done = self.write_page(&path, page);
            self.note(&path, done);
        }
        let snapshot = Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: rustix::process::getpid().as_raw_nonzero().get(),
            started_at: self.started_at,
            written_at: to_milliseconds(now.wall),
            sweep_every_seconds: bulletin.sweep_every.as_secs_f64(),
            report: bulletin.report,
        };
        let path = self.run_dir.join(WHOLE);
        let done = serde_json::to_vec(&snapshot).map_err(io::Error::from).and_then(|text| replace(&path, &text));
        self.note(&path, done);
        let due = self.metrics_due <= now.steady;
        if let Some(file) = self.metrics_file.clone().filter(|_| due) {
            self.metrics_due = now.steady + METRICS_EVERY;
            let done = replace(&file, prometheus::render(&snapshot).as_bytes());
            let since = self.metrics_fail.take().map_or(to_milliseconds(now.wall), |(since, _)| since);
            self.metrics_fail = done.as_ref().err().map(|error| (since, format!("{}: {error}", file.display())));
            self.note(&file, done);
        }
    }

    /// Adds the problem that this thread alone knows of.
    fn add_own(&self, report: &mut Report) {
        let Some((since, why)) = &self.metrics_fail else { return };
        let facts = Code::MetricsFile.facts();
        let (code, text) = (facts.code.to_owned(), format!("{}: {}", facts.text, shown(why)));
        report.problems.push(Problem { code, text, remedy: facts.remedy.to_owned(), since: *since });
        report.health = report.health.max(facts.health);
    }

    /// Adds a page to the file of streamers. Pages before the first one of a round are ignored.
    fn write_page(&mut self, path: &Path, page: &Page) -> io::Result<()> {
        let round = self.round.take();
        let mut round = match (page.first, round) {
            (true, _) => Fresh::begin(path)?,
            (false, Some(round)) => round,
            (false, None) => return Ok(()),
        };
        for streamer in &page.streamers {
            let mut line = serde_json::to_vec(streamer)?;
            line.push(b'\n');
            round.add(&line)?;
        }
        if page.last {
            return round.finish();
        }
        self.round = Some(round);
        Ok(())
    }

    /// Logs that a file cannot be written, unless that was logged a short time ago.
    fn note(&mut self, path: &Path, done: io::Result<()>) {
        let file = path.display().to_string();
        match done {
            Ok(()) => drop(self.repeats.works(&file)),
            Err(error) => {
                let reason = error.to_string();
                if self.repeats.fails(self.clock.steady(), &file, &reason) {
                    Event::StatusFile { file, reason }.say();
                }
            }
        }
    }
}

/// One line for `systemctl status`.
fn line(report: &Report) -> String {
    let problems: Vec<&str> = report.problems.iter().map(|problem| problem.code.as_str()).collect();
    let problems = if problems.is_empty() { String::new() } else { format!(" ({})", problems.join(", ")) };
    if report.coordination.stands_by() {
        return format!("{}{problems}: stands by", report.health.word());
    }
    let streamers = &report.streamers;
    format!(
        "{}{problems}: {} of {} streamers online, {} subscribed",
        report.health.word(),
        streamers.online,
        streamers.total,
        streamers.subscribed
    )
}
