//! `kick-monitor status`: reads the files that the daemon writes, makes sure that it still writes them, and shows
//! them.
//!
//! It needs nothing of the configuration but `RUN_DIR`, and sends nothing to the daemon.

use super::place::{self, Place};
use super::screen::{self, span};
use super::streamers::Streamers;
use super::{Snapshot, WHOLE, plugin, prometheus, watch};
use crate::clock::Clock;
use crate::domain::Slug;
use crate::domain::report::{Coordination, Sharing};
use crate::domain::text::{counted, shown};
use crate::domain::time::Timestamp;
use crate::process::cli::{View, Which};
use crate::process::exit::Code;
use crate::process::paint::Paint;
use crate::process::{complain, print, print_each};
use anyhow::Context;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

/// An older file means that the daemon does not write it any more: five times the interval between two writes.
const FRESH: Duration = Duration::from_secs(10);

/// Shows what was asked for.
///
/// # Errors
/// When a file exists and cannot be read, or standard output cannot be written to.
pub fn run(config: &Path, view: &View) -> anyhow::Result<Code> {
    let place = place::find(config);
    if *view == View::Check {
        let (line, code) = plugin::judge(place.map_err(anyhow::Error::msg).and_then(|place| look(&place)));
        print(&line)?;
        return Ok(code);
    }
    let place = match place {
        Ok(place) => place,
        Err(problem) => {
            // The line begins with the file, as kick-monitor.env(5) has it.
            let _ = writeln!(io::stderr(), "{problem}");
            return Ok(Code::Config);
        }
    };
    if *view == View::Watch {
        return watch::run(|paint| screen_now(&place, paint));
    }
    let (snapshot, text) = match look(&place)? {
        Ok(found) => found,
        Err(why_not) => {
            complain(&why_not);
            if *view == View::Prometheus {
                print(prometheus::DOWN)?;
            }
            return Ok(Code::NotRunning);
        }
    };
    match view {
        View::Json => print(&format!("{}\n", text.trim_end())),
        View::Prometheus => print(&prometheus::render(&snapshot)),
        View::All(which) => all(&place.run_dir, *which),
        View::Streamer { name, json } => one(&place.run_dir, name, *json, &snapshot.report.coordination),
        View::Screen | View::Watch | View::Check => print(&screen::whole(&snapshot, now(), Paint::for_stdout())),
    }
}

/// The snapshot and its text if the daemon that wrote it still runs, or the sentence that says why there is none.
fn look(place: &Place) -> anyhow::Result<Result<(Snapshot, String), String>> {
    let found = find(&place.run_dir, now())?;
    Ok(found.map_err(|why_not| {
        format!("not running: {why_not}{}; if it does not start, run: kick-monitor check", place.note)
    }))
}

/// What `status` would show now, whatever happens.
fn screen_now(place: &Place, paint: Paint) -> String {
    match look(place) {
        Ok(Ok((snapshot, _))) => screen::whole(&snapshot, now(), paint),
        Ok(Err(why_not)) => format!("kick-monitor: {why_not}\n"),
        Err(error) => format!("kick-monitor: {error:#}\n"),
    }
}

fn now() -> Timestamp {
    Clock::start().now().wall
}

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
    let off = now.duration_since(snapshot.written_at);
    let age = off.unsigned_abs();
    let pid = Some(snapshot.pid).filter(|pid| *pid > 0).and_then(Pid::from_raw);
    // A process of another user, which may not be signalled, runs too.
    let dead = pid.is_none_or(|pid| test_kill_process(pid) == Err(Errno::SRCH));
    Ok(match (dead, age > FRESH) {
        (true, _) => Err(format!("process {} has ended; it wrote its status {} ago", snapshot.pid, span(age))),
        (false, true) => {
            let how = if off.is_negative() { "in the future" } else { "old" };
            Err(format!("{} is {} {how}, although process {} runs", path.display(), span(age), snapshot.pid))
        }
        (false, false) => Ok((snapshot, text)),
    })
}

/// Prints a line for each streamer, as they are read: a large table is never held as a whole.
fn all(run_dir: &Path, which: Option<Which>) -> anyhow::Result<Code> {
    let lines = Streamers::open(run_dir)?.filter_map(|entry| match entry {
        Ok((_, told)) => screen::is_selected(&told, which).then(|| Ok(screen::listed(&told))),
        Err(error) => Some(Err(error)),
    });
    print_each(lines)
}

/// Prints every row of one streamer.
fn one(run_dir: &Path, wanted: &str, json: bool, shared: &Coordination) -> anyhow::Result<Code> {
    let (now, paint) = (now(), Paint::for_stdout());
    let slug = Slug::from_username(wanted).map(|slug| slug.to_string());
    let mut page = String::new();
    for entry in Streamers::open(run_dir)? {
        let (line, told) = entry?;
        if told.username != shown(wanted) && slug.as_ref() != Ok(&told.name) {
            continue;
        }
        page.push_str(&if json { format!("{line}\n") } else { screen::streamer(&told, now, paint) });
    }
    if page.is_empty() {
        let why = slug.err().map(|why| format!(": the name {why}")).unwrap_or_default();
        complain(&format!("no streamer called {} is followed{}{why}", shown(wanted), elsewhere(shared)));
        return Ok(Code::Failed);
    }
    print(&page)
}

/// What to add if the streamer may be followed by another instance.
fn elsewhere(shared: &Coordination) -> String {
    let Coordination { held, of, instances, .. } = shared;
    if shared.mode != Sharing::Shared || *held == usize::from(*of) {
        return String::new();
    }
    let others = counted(instances.saturating_sub(1), "other instance");
    format!(" here; this instance holds {held} of {}, so ask the {others}", counted(*of, "shard"))
}

#[cfg(test)]
mod tests {
    use super::elsewhere;
    use crate::domain::report::{Coordination, Sharing};

    #[test]
    fn it_is_told_where_else_a_streamer_may_be_followed() {
        let told = |mode, held| elsewhere(&Coordination { mode, held, of: 4, instances: 2, reason: None });
        assert_eq!(told(Sharing::Shared, 1), " here; this instance holds 1 of 4 shards, so ask the 1 other instance");
        assert_eq!((told(Sharing::Shared, 4), told(Sharing::Off, 1)), (String::new(), String::new()));
    }
}
