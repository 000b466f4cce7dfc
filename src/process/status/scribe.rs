//! The thread `status`: writes down what the hub tells. The hub does not wait for it, so a disk that
//! hangs holds up nothing but this.

use super::files::{Fresh, replace};
use super::{STREAMERS, Snapshot, WHOLE, prometheus};
use crate::clock::{Clock, Pulse};
use crate::config::FilesConfig;
use crate::domain::Steady;
use crate::domain::event::Event;
use crate::domain::report::{Bulletin, Page, Report};
use crate::domain::time::{Timestamp, to_milliseconds};
use crate::process::notify::Notify;
use crate::repeats::Repeats;
use crate::stop::{Received, Stop};
use crossbeam_channel::{Receiver, TryRecvError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the metrics are written (kick-monitor.env(5), `METRICS_FILE`).
const METRICS_EVERY: Duration = Duration::from_secs(15);
/// How long it waits before it shows that it is alive.
const TURN: Duration = Duration::from_secs(20);
/// A turn with files in it: however long a disk hangs, that is no reason to end the process.
const FILES_TURN: Duration = Duration::MAX;

/// The thread's own state.
#[derive(Debug)]
pub struct Scribe {
    run_dir: PathBuf,
    metrics_file: Option<PathBuf>,
    bulletins: Receiver<Bulletin>,
    clock: Clock,
    started_at: Timestamp,
    notify: Notify,
    said: String,
    metrics_due: Steady,
    /// The round that is being written.
    round: Option<Fresh>,
    repeats: Repeats,
}

impl Scribe {
    /// Writes to these files what comes.
    pub fn new(files: &FilesConfig, bulletins: Receiver<Bulletin>, clock: Clock) -> Scribe {
        Scribe {
            run_dir: files.run_dir.clone(),
            metrics_file: files.metrics_file.clone(),
            bulletins,
            clock,
            started_at: clock.now().wall_at(Steady::default()),
            notify: Notify::from_env(),
            said: String::new(),
            metrics_due: Steady::default(),
            round: None,
            repeats: Repeats::default(),
        }
    }

    /// Writes until the hub hangs up, and then takes the files away: nobody shall think that it runs.
    pub fn run(mut self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        loop {
            pulse.promise(2 * TURN);
            match stop.recv(&self.bulletins, TURN) {
                Received::Message(bulletin) => {
                    pulse.promise(FILES_TURN);
                    self.write(bulletin);
                }
                Received::Nothing => {}
                Received::HungUp => break,
                // Another one takes over, unless there is nothing to be told any more.
                Received::Stopped if self.bulletins.try_recv() == Err(TryRecvError::Disconnected) => break,
                Received::Stopped => return Ok(()),
            }
        }
        for name in [WHOLE, STREAMERS] {
            // What cannot be taken away grows old, and is known by that.
            let _ = fs::remove_file(self.run_dir.join(name));
        }
        if let Some(file) = self.metrics_file.clone() {
            let done = replace(&file, prometheus::DOWN.as_bytes());
            self.note(&file, done);
        }
        Ok(())
    }

    fn write(&mut self, bulletin: Bulletin) {
        let now = self.clock.now();
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
            report: bulletin.report,
        };
        let path = self.run_dir.join(WHOLE);
        let done = serde_json::to_vec(&snapshot).map_err(io::Error::from).and_then(|text| replace(&path, &text));
        self.note(&path, done);
        let due = self.metrics_due <= now.steady;
        if let Some(file) = self.metrics_file.clone().filter(|_| due) {
            self.metrics_due = now.steady + METRICS_EVERY;
            let done = replace(&file, prometheus::render(&snapshot).as_bytes());
            self.note(&file, done);
        }
    }

    /// A page that does not follow the one before is waited out: the next round begins with a first.
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

    /// Says that a file cannot be written, if that is to be said.
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
    let streamers = &report.streamers;
    format!(
        "{}{problems}: {} of {} streamers online, {} subscribed",
        report.health.word(),
        streamers.online,
        streamers.total,
        streamers.subscribed
    )
}
