//! A program that is measured, as a process of its own: how it is begun, and what it takes of the machine.

use crate::world::World;
use anyhow::Context;
use lab::{Daemon, Who, spawn};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

const START_LIMIT: Duration = Duration::from_secs(120);

/// Which program, and how.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// The least that could do it, with one UPDATE for each frame, or one for all that are there.
    Floor { batch: bool },
    /// A kick-monitor, by its path, with so many connections to the database.
    Monitor { name: String, program: PathBuf, pool: u32 },
}

impl Subject {
    /// Its column.
    pub(crate) fn name(&self) -> String {
        match self {
            Subject::Floor { batch: false } => "floor".to_owned(),
            Subject::Floor { batch: true } => "batching floor".to_owned(),
            Subject::Monitor { name, .. } => name.clone(),
        }
    }

    /// Begins it. That it is subscribed is for the caller to wait for.
    pub(crate) fn begin(&self, world: &World) -> anyhow::Result<Running> {
        match self {
            Subject::Floor { batch } => {
                let program = std::env::current_exe().context("failed to find this program")?;
                let how = if *batch { "batch" } else { "one" };
                let child = spawn(&program, Who::Us, |command| {
                    command.args(["floor", &world.server.url(), &world.database.url(), how]).stdin(Stdio::null())
                })?;
                Ok(Running::Floor(child))
            }
            Subject::Monitor { program, pool, .. } => {
                let builder = Daemon::builder(program)
                    .settings(world.kick.settings())
                    .set("PUSHER_URL", world.server.url())
                    .set("REALTIME", "pusher")
                    .set("DATABASE_URL", world.database.url())
                    .set("DB_CHANNEL_ID_COLUMN", "channel")
                    .set("DB_USER_ID_COLUMN", "kick_user")
                    .set("DB_POOL_SIZE", pool.to_string())
                    .set("API_REQUESTS_PER_MINUTE", "6000")
                    // What the events tell is not true, and nobody is to find out.
                    .set("SWEEP_SECS", "86400")
                    .set("PUSH_HOLD_SECS", "3600");
                Ok(Running::Monitor(builder.start()))
            }
        }
    }
}

/// A program that runs, until this value is gone.
pub(crate) enum Running {
    Floor(Child),
    Monitor(Daemon),
}

impl Running {
    /// Waits until it has compared everybody, if it does such a thing.
    pub(crate) fn wait_ready(&self) {
        if let Running::Monitor(daemon) = self {
            daemon.wait_event("ready", START_LIMIT);
        }
    }

    fn proc(&self, name: &str) -> PathBuf {
        let pid = match self {
            Running::Floor(child) => child.id(),
            Running::Monitor(daemon) => daemon.pid(),
        };
        Path::new("/proc").join(pid.to_string()).join(name)
    }

    /// What its threads have spent on processors so far, and how often they waited for something.
    pub(crate) fn spent(&self) -> anyhow::Result<(Duration, u64)> {
        let (mut busy, mut waits) = (Duration::ZERO, 0);
        for task in fs::read_dir(self.proc("task"))?.flatten() {
            let schedule = fs::read_to_string(task.path().join("schedstat"))?;
            let nanoseconds = schedule.split_whitespace().next().and_then(|word| word.parse().ok());
            busy += Duration::from_nanos(nanoseconds.unwrap_or_default());
            let status = fs::read_to_string(task.path().join("status"))?;
            waits += number(&status, "voluntary_ctxt_switches:");
        }
        Ok((busy, waits))
    }

    /// The most memory that it ever had, in bytes.
    pub(crate) fn peak(&self) -> anyhow::Result<u64> {
        Ok(number(&fs::read_to_string(self.proc("status"))?, "VmHWM:") * 1024)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Running::Floor(child) = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The number behind a word of `/proc/…/status`.
fn number(status: &str, word: &str) -> u64 {
    let found = status.lines().find_map(|line| line.strip_prefix(word)?.split_whitespace().next()?.parse().ok());
    found.unwrap_or_default()
}
