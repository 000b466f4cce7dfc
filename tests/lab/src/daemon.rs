//! A real kick-monitor: its configuration in a directory of its own, its log at hand, gone with this
//! process. It gets no environment but `PATH` and what a test names.

use crate::directory::Directory;
use crate::log::{Line, Log};
use crate::{Who, spawn, wait_for};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many lines of its log a failing test shows.
const SHOWN: usize = 80;

/// A running `kick-monitor run --foreground`. When a test fails, dropping it prints its log.
#[derive(Debug)]
pub struct Daemon {
    program: PathBuf,
    directory: Directory,
    settings: Mutex<BTreeMap<String, String>>,
    environment: BTreeMap<String, String>,
    child: Mutex<Child>,
    log: Log,
}

/// What a daemon is to be started with.
#[derive(Clone, Debug)]
pub struct Builder {
    program: PathBuf,
    settings: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
}

impl Builder {
    /// Another program, such as a script that ends in the real one.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Builder {
        self.program = program.into();
        self
    }

    /// Adds a line to the configuration file; the last value of a key holds.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<String>) -> Builder {
        self.settings.insert(key.to_owned(), value.into());
        self
    }

    /// Adds several, such as those of a loopback Kick.
    #[must_use]
    pub fn settings(self, settings: impl IntoIterator<Item = (&'static str, String)>) -> Builder {
        settings.into_iter().fold(self, |builder, (key, value)| builder.set(key, value))
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: impl Into<String>) -> Builder {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Starts it. That it is ready, or refuses to run, is for the caller to wait for.
    ///
    /// # Panics
    ///
    /// When the program cannot be started at all.
    pub fn start(self) -> Daemon {
        let directory = Directory::new("daemon");
        let Builder { program, mut settings, environment } = self;
        for (key, name) in [("STATE_DIR", "state"), ("RUN_DIR", "run")] {
            let path = directory.join(name);
            fs::create_dir(&path).expect("a directory can be made");
            settings.entry(key.to_owned()).or_insert_with(|| path.display().to_string());
        }
        settings.entry("LOG_TARGET".to_owned()).or_insert_with(|| "stderr".to_owned());
        write_config(&directory.join("config"), &settings);
        let log = Log::default();
        let child = start(&program, &directory, &environment, &log);
        Daemon { program, directory, settings: settings.into(), environment, child: child.into(), log }
    }
}

impl Daemon {
    /// Of this program: `env!("CARGO_BIN_EXE_kick-monitor")` in the tests of its package.
    pub fn builder(program: impl Into<PathBuf>) -> Builder {
        Builder { program: program.into(), settings: BTreeMap::new(), environment: BTreeMap::new() }
    }

    // What it says.

    /// All events of this name so far.
    pub fn events(&self, name: &str) -> Vec<Line> {
        self.log.select(0, |line| line.event == name)
    }

    /// All lines so far but the first `position`.
    pub fn lines_from(&self, position: usize) -> Vec<Line> {
        self.log.select(position, |_| true)
    }

    /// The first event of this name, waited for if need be.
    ///
    /// # Panics
    ///
    /// When `limit` has passed, or the daemon has ended, without it.
    #[track_caller]
    pub fn wait_event(&self, name: &str, limit: Duration) -> Line {
        self.wait(0, &format!("the event {name}"), limit, |line| line.event == name)
    }

    /// The first line that is wanted, waited for if need be. Panics as [`Daemon::wait_event`].
    #[track_caller]
    pub fn wait_line(&self, limit: Duration, wanted: impl FnMut(&Line) -> bool) -> Line {
        self.wait(0, "a line", limit, wanted)
    }

    /// The number of lines so far: what `lines_from` and `wait_line_from` can start behind.
    pub fn position(&self) -> usize {
        self.log.len()
    }

    /// As [`Daemon::wait_line`], and lines before `position` do not count.
    #[track_caller]
    pub fn wait_line_from(&self, position: usize, limit: Duration, wanted: impl FnMut(&Line) -> bool) -> Line {
        self.wait(position, "a new line", limit, wanted)
    }

    #[track_caller]
    fn wait(&self, from: usize, what: &str, limit: Duration, mut wanted: impl FnMut(&Line) -> bool) -> Line {
        wait_for(what, limit, || {
            // In this order, so that the last lines of one that ends are seen.
            let ended = self.log.has_ended();
            let found = self.log.select(from, &mut wanted).into_iter().next();
            assert!(found.is_some() || !ended, "the daemon has ended without {what}");
            found
        })
    }

    // What it is told.

    /// Sends a signal; nothing when it has ended.
    pub fn signal(&self, signal: Signal) {
        let mut child = self.child();
        // Not yet waited for, its number cannot be somebody else's.
        if matches!(child.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&child), signal);
        }
    }

    /// Changes or adds settings in the configuration file; the daemon reads it on `Signal::HUP`.
    pub fn rewrite_config<'a>(&self, changes: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        settings.extend(changes.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())));
        write_config(&self.config(), &settings);
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.directory.join("config")
    }

    /// The directory that `STATE_DIR` and `RUN_DIR` (`state` and `run`) are in.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Another command of the same program with the same configuration, such as `status`.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        clean(&mut command, &self.environment).arg(name).arg("--config").arg(self.config()).stdin(Stdio::null());
        command
    }

    // How it ends.

    /// Whether it has not ended.
    pub fn runs(&self) -> bool {
        matches!(self.child().try_wait(), Ok(None))
    }

    /// Tells it to stop and waits for its end.
    ///
    /// # Panics
    ///
    /// When `limit` has passed first.
    #[track_caller]
    pub fn stop(&self, limit: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait_exit(limit)
    }

    /// Waits for its end and the end of its log. Panics as [`Daemon::stop`].
    #[track_caller]
    pub fn wait_exit(&self, limit: Duration) -> ExitStatus {
        let status = wait_for("the end of the daemon", limit, || self.child().try_wait().ok().flatten());
        wait_for("the end of its log", limit, || self.log.has_ended().then_some(()));
        status
    }

    /// Starts one that has ended again, with the same files; its log goes on.
    pub fn start_again(&self) {
        let mut child = self.child();
        assert!(!matches!(child.try_wait(), Ok(None)), "the daemon still runs");
        *child = start(&self.program, &self.directory, &self.environment, &self.log);
    }

    // What it takes.

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child().id()
    }

    /// Resident memory, in bytes.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(self.proc("status")).expect("the daemon runs");
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
        kib.unwrap_or(0_u64) * 1024
    }

    /// The number of its threads.
    pub fn threads(&self) -> usize {
        fs::read_dir(self.proc("task")).expect("the daemon runs").count()
    }

    /// The number of its open files and sockets.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).expect("the daemon runs").count()
    }

    /// Sets how many files and sockets it may have open.
    ///
    /// # Panics
    ///
    /// When it has ended, or the limit is above what this process may give.
    pub fn limit_descriptors(&self, most: u64) {
        let limit = Rlimit { current: Some(most), ..getrlimit(Resource::Nofile) };
        prlimit(Some(Pid::from_child(&self.child())), Resource::Nofile, limit).expect("the limit can be set");
    }

    /// The time that it has spent on processors so far.
    pub fn busy(&self) -> Duration {
        let stat = fs::read_to_string(self.proc("stat")).expect("the daemon runs");
        // The name, in brackets, may hold spaces; user and system time are the twelfth and thirteenth behind it.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).into_iter().flatten();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100)
    }

    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.pid()))
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
        drop(child);
        if std::thread::panicking() {
            let lines = self.lines_from(0);
            let left_out = lines.len().saturating_sub(SHOWN);
            eprintln!("--- the daemon's log ({left_out} earlier lines are left out)");
            lines.iter().skip(left_out).for_each(|line| eprintln!("{}", line.text));
            eprintln!("---");
        }
    }
}

fn start(program: &Path, directory: &Path, environment: &BTreeMap<String, String>, log: &Log) -> Child {
    let mut child = spawn(program, Who::Us, |command| {
        clean(command, environment)
            .args(["run", "--foreground", "--config"])
            .arg(directory.join("config"))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
    })
    .expect("setpriv can be started");
    log.collect(child.stderr.take().expect("standard error is a pipe"));
    child
}

fn clean<'a>(command: &'a mut Command, environment: &BTreeMap<String, String>) -> &'a mut Command {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin:/usr/sbin:/sbin".into());
    command.env_clear().env("PATH", path).envs(environment)
}

/// Replaces the file in one step, readable by its owner alone.
fn write_config(path: &Path, settings: &BTreeMap<String, String>) {
    let text: String = settings.iter().map(|(key, value)| format!("{key}={}\n", quoted(value))).collect();
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.and_then(|()| fs::rename(&fresh, path)).expect("a file can be written");
}

/// Single quotes take everything but themselves.
fn quoted(value: &str) -> String {
    if value.contains('\'') { format!("\"{}\"", value.replace('"', "\\\"")) } else { format!("'{value}'") }
}

#[cfg(test)]
mod tests;
