//! `kick-monitor status`: reads the files that the daemon writes, makes sure that it still writes them, and shows
//! them.
//!
//! It need not be able to read the configuration if `RUN_DIR` is the default, and sends nothing to the daemon.

use super::screen::{self, span};
use super::{STREAMERS, Snapshot, WHOLE, prometheus};
use crate::clock::Clock;
use crate::config::keys;
use crate::domain::Slug;
use crate::domain::report::Streamer;
use crate::domain::text::shown;
use crate::domain::time::Timestamp;
use crate::process::cli::{DEFAULT_CONFIG, Format};
use crate::process::exit::Code;
use crate::process::paint::Paint;
use crate::process::{complain, configuration, print};
use anyhow::Context;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An older file means that the daemon does not write it any more: five times the interval between two writes.
const FRESH: Duration = Duration::from_secs(10);

/// Shows the status, or that of one streamer.
///
/// # Errors
/// When a file exists and cannot be read, or standard output cannot be written to.
pub fn run(config: &Path, format: Format, streamer: Option<&str>) -> anyhow::Result<Code> {
    let run_dir = match run_dir(config) {
        Ok(run_dir) => run_dir,
        Err(problems) => {
            // The line begins with the file, as kick-monitor.env(5) has it.
            problems.iter().for_each(|problem| drop(writeln!(io::stderr(), "{problem}")));
            return Ok(Code::Config);
        }
    };
    let now = Clock::start().now().wall;
    let (snapshot, text) = match find(&run_dir.path, now)? {
        Ok(found) => found,
        Err(why_not) => {
            complain(&format!("not running: {why_not}{}", run_dir.guessed));
            if format == Format::Prometheus {
                print(prometheus::DOWN)?;
            }
            return Ok(Code::NotRunning);
        }
    };
    let paint = Paint::for_stdout();
    if let Some(wanted) = streamer {
        return one(&run_dir.path, wanted, format, now, paint);
    }
    match format {
        Format::Text => print(&screen::whole(&snapshot, now, paint)),
        Format::Json => print(&format!("{}\n", text.trim_end())),
        Format::Prometheus => print(&prometheus::render(&snapshot)),
    }
}

/// Where to look, and what to add when nothing is there.
struct RunDir {
    path: PathBuf,
    guessed: String,
}

/// `RUN_DIR`; the default if this user may not read the configuration.
fn run_dir(config: &Path) -> Result<RunDir, Vec<String>> {
    let default = || PathBuf::from(keys::find("RUN_DIR").and_then(|key| key.default).unwrap_or_default());
    if let Err(error) = File::open(config) {
        let missing = error.kind() == ErrorKind::NotFound && config == Path::new(DEFAULT_CONFIG);
        if missing || error.kind() == ErrorKind::PermissionDenied {
            let guessed = format!("; {} cannot be read ({error}), so the default RUN_DIR is used", config.display());
            return Ok(RunDir { path: default(), guessed });
        }
    }
    match configuration::load(config) {
        Ok(config) => Ok(RunDir { path: config.files.run_dir, guessed: String::new() }),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect()),
    }
}

/// The snapshot and its text if the daemon that wrote it still runs, or why there is none.
fn find(run_dir: &Path, now: Timestamp) -> anyhow::Result<Result<(Snapshot, String), String>> {
    let path = run_dir.join(WHOLE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Err(format!("{} does not exist", path.display())));
        }
        Err(error) => return Err(error).with_context(|| format!("failed to read {}", path.display())),
    };
    let snapshot: Snapshot = serde_json::from_str(&text)
        .with_context(|| format!("{} was written by another version of kick-monitor", path.display()))?;
    let age = Duration::try_from(now.duration_since(snapshot.written_at)).unwrap_or_default();
    let pid = Pid::from_raw(snapshot.pid);
    // A process of another user, which may not be signalled, runs too.
    let dead = pid.is_none_or(|pid| test_kill_process(pid) == Err(Errno::SRCH));
    Ok(match (dead, age > FRESH) {
        (true, _) => Err(format!("process {} has ended; it wrote its status {} ago", snapshot.pid, span(age))),
        (false, true) => {
            Err(format!("{} is {} old, although process {} runs", path.display(), span(age), snapshot.pid))
        }
        (false, false) => Ok((snapshot, text)),
    })
}

/// Shows every row of one streamer.
fn one(run_dir: &Path, wanted: &str, format: Format, now: Timestamp, paint: Paint) -> anyhow::Result<Code> {
    let path = run_dir.join(STREAMERS);
    let file =
        File::open(&path).with_context(|| format!("failed to read {}; try again in a few seconds", path.display()))?;
    let slug = Slug::from_username(wanted).map(|slug| slug.to_string());
    let mut page = String::new();
    for line in BufReader::new(file).lines() {
        let line = line.with_context(|| format!("failed to read {}", path.display()))?;
        let told: Streamer = serde_json::from_str(&line)
            .with_context(|| format!("{} was written by another version of kick-monitor", path.display()))?;
        if told.username != shown(wanted) && slug.as_ref() != Ok(&told.name) {
            continue;
        }
        match format {
            Format::Json => page.push_str(&format!("{line}\n")),
            Format::Text | Format::Prometheus => page.push_str(&screen::streamer(&told, now, paint)),
        }
    }
    if page.is_empty() {
        let why = slug.err().map(|why| format!(": the name {why}")).unwrap_or_default();
        complain(&format!("no streamer called {} is followed{why}", shown(wanted)));
        return Ok(Code::Failed);
    }
    print(&page)
}
