//! A program that is measured, as a process of its own: how it is begun, and what it takes of the machine.
//! Its log goes to a file, so that nothing here has to read along.

use crate::floor::Floor;
use crate::world::{World, busy, now, pause};
use anyhow::{Context, ensure};
use kick_sim::Kick;
use lab::{Who, spawn};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where the programs that are measured keep their files, and where the peers are.
const HERE: &str = "target/bench";
/// Until a program must have begun its work.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(120);

/// Which program, and how.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// The least that could do it.
    Floor(Floor),
    /// A kick-monitor, by its path, with so many connections to the database.
    Monitor { name: String, program: PathBuf, pool: u32 },
    /// What a user would write instead, in `tests/bench/peers`.
    Peer(Peer),
}

/// A language that such things are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Node,
    Python,
}

impl Peer {
    /// If what it needs is installed (`make bench` tries to).
    pub(crate) fn present(self) -> bool {
        let (interpreter, script) = self.command();
        let check = Command::new(&interpreter).arg(&script).arg("--check").output();
        check.is_ok_and(|output| output.status.success())
    }

    fn command(self) -> (PathBuf, PathBuf) {
        let here = Path::new(HERE).join("peers");
        match self {
            Peer::Node => ("node".into(), here.join("peer.mjs")),
            Peer::Python => (here.join("venv/bin/python"), here.join("peer.py")),
        }
    }
}

/// The Python that the peers are run by, if what they need is installed.
pub(crate) fn python() -> Option<PathBuf> {
    Peer::Python.present().then(|| Peer::Python.command().0)
}

impl Subject {
    /// Its column.
    pub(crate) fn name(&self) -> String {
        match self {
            Subject::Floor(floor) => floor.name().to_owned(),
            Subject::Monitor { name, .. } => name.clone(),
            Subject::Peer(Peer::Node) => "Node".to_owned(),
            Subject::Peer(Peer::Python) => "Python".to_owned(),
        }
    }

    /// Begins it. That it is subscribed is for the caller to wait for.
    pub(crate) fn begin(&self, world: &World) -> anyhow::Result<Running> {
        let (program, arguments) = match self {
            Subject::Floor(floor) => (
                std::env::current_exe()?,
                vec!["floor".to_owned(), world.server.url(), world.database.url(), floor.name().to_owned()],
            ),
            Subject::Monitor { program, pool, .. } => return begin_with(program, world, *pool, []),
            Subject::Peer(peer) => {
                let (interpreter, script) = peer.command();
                let script = script.display().to_string();
                (interpreter, vec![script, world.server.url(), world.database.url()])
            }
        };
        launch(&program, arguments, fresh_directory("run")?)
    }
}

/// Begins a kick-monitor with the default settings but for the budget of requests, as a service of this name.
pub(crate) fn begin_as(program: &Path, world: &World, name: &str, budget: usize) -> anyhow::Result<Running> {
    let directory = fresh_directory(name)?;
    fs::write(directory.join("learned.json"), world.learned())?;
    let config = directory.join("config");
    let own = [("DATABASE_URL", world.database.url()), ("API_REQUESTS_PER_MINUTE", budget.to_string())];
    write_config(&world.kick, own, &directory, &config)?;
    launch(program, run_with(&config), directory)
}

/// Begins a kick-monitor as it is measured, with these settings as well.
pub(crate) fn begin_with(
    program: &Path,
    world: &World,
    pool: u32,
    own: impl IntoIterator<Item = (&'static str, String)>,
) -> anyhow::Result<Running> {
    let directory = fresh_directory("run")?;
    let config = directory.join("config");
    configure(world, pool, own, &directory, &config)?;
    launch(program, run_with(&config), directory)
}

/// An empty directory of this name for a program's files.
pub(crate) fn fresh_directory(name: &str) -> anyhow::Result<PathBuf> {
    let directory = Path::new(HERE).join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).context("failed to make a directory")?;
    Ok(directory.canonicalize()?)
}

/// The arguments of a kick-monitor with this configuration.
pub(crate) fn run_with(config: &Path) -> Vec<String> {
    ["run", "--foreground", "--config"].map(str::to_owned).into_iter().chain([config.display().to_string()]).collect()
}

/// Starts a program whose files are in this directory.
pub(crate) fn launch(program: &Path, arguments: Vec<String>, directory: PathBuf) -> anyhow::Result<Running> {
    let log = directory.join("log");
    let file = File::create(&log).context("failed to make the log")?;
    let child = spawn(program, Who::Us, |command| {
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file)
    })?;
    Ok(Running { child, directory })
}

/// Writes the configuration of a kick-monitor.
fn configure(
    world: &World,
    pool: u32,
    own: impl IntoIterator<Item = (&'static str, String)>,
    directory: &Path,
    config: &Path,
) -> anyhow::Result<()> {
    let usual = [
        ("PUSHER_URL", world.server.url()),
        ("DATABASE_URL", world.database.url()),
        ("DB_CHANNEL_ID_COLUMN", "channel".to_owned()),
        ("DB_POOL_SIZE", pool.to_string()),
        ("API_REQUESTS_PER_MINUTE", "6000".to_owned()),
        // What the events tell is not true, and nobody is to find out.
        ("SWEEP_SECS", "86400".to_owned()),
        ("PUSH_HOLD_SECS", "3600".to_owned()),
    ];
    fs::write(directory.join("learned.json"), world.learned())?;
    write_config(&world.kick, usual.into_iter().chain(own), directory, config)
}

/// Writes a configuration of these settings, and those that every kick-monitor has here.
pub(crate) fn write_config(
    kick: &Kick,
    own: impl IntoIterator<Item = (&'static str, String)>,
    directory: &Path,
    config: &Path,
) -> anyhow::Result<()> {
    let common = [
        ("REALTIME", "pusher".to_owned()),
        ("DB_USER_ID_COLUMN", "kick_user".to_owned()),
        ("STATE_DIR", directory.display().to_string()),
        ("RUN_DIR", directory.display().to_string()),
        ("LOG_TARGET", "stderr".to_owned()),
    ];
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(config)?;
    let settings: BTreeMap<_, _> = kick.settings().into_iter().chain(common).chain(own).collect();
    for (key, value) in settings {
        writeln!(file, "{key}='{value}'")?;
    }
    Ok(())
}

/// A program that runs, until this value is gone.
pub(crate) struct Running {
    child: Child,
    directory: PathBuf,
}

impl Running {
    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// How many streamers a kick-monitor follows by push, as it says once a second.
    pub(crate) fn followed(&self) -> u64 {
        let text = fs::read(self.directory.join("status.json")).unwrap_or_default();
        let status: Value = serde_json::from_slice(&text).unwrap_or_default();
        status["streamers"]["subscribed"].as_u64().unwrap_or_default()
    }

    /// Waits until it has said these words.
    pub(crate) fn wait_said(&self, words: &str, limit: Duration) -> anyhow::Result<()> {
        let began = now();
        while !self.said().contains(words) {
            ensure!(began.elapsed() < limit, "it never says{words}");
            pause(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The memory that is mapped from files (programs and libraries), which other processes may share. In bytes.
    pub(crate) fn files(&self) -> anyhow::Result<u64> {
        Ok(number(&fs::read_to_string(self.proc("status"))?, "RssFile:") * 1024)
    }

    /// What it said, for who wonders why it does not work.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(name)
    }

    /// What its threads have spent on processors so far, and how often they waited for something.
    pub(crate) fn spent(&self) -> anyhow::Result<(Duration, u64)> {
        let (mut spent, mut waits) = (Duration::ZERO, 0);
        for task in fs::read_dir(self.proc("task"))?.flatten() {
            // A thread may end meanwhile.
            spent += busy(&task.path()).unwrap_or_default();
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            waits += number(&status, "voluntary_ctxt_switches:");
        }
        Ok((spent, waits))
    }

    /// The most memory that it ever had, in bytes.
    pub(crate) fn peak(&self) -> anyhow::Result<u64> {
        Ok(number(&fs::read_to_string(self.proc("status"))?, "VmHWM:") * 1024)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number behind a word of `/proc/…/status`.
fn number(status: &str, word: &str) -> u64 {
    let found = status.lines().find_map(|line| line.strip_prefix(word)?.split_whitespace().next()?.parse().ok());
    found.unwrap_or_default()
}
