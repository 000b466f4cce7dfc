//! Leaving the terminal.
//!
//! `daemonize` is unmaintained, so it is used for nothing but the forks: user and group are
//! start-stop-daemon's business, and the pid file is ours (`lock.rs`), in the foreground too.

use anyhow::{Context, ensure};
use daemonize::{Daemonize, Outcome};
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::io::{Read, Write};

/// Which of two processes this is.
pub(super) enum Side {
    /// The one that was started.
    Starter(Child),
    /// The daemon. The starter waits for it to be told, or for its end.
    Daemon(Starter),
}

/// The daemon, as the starter knows it.
pub(super) struct Child(File);

impl Child {
    /// Waits until the daemon runs. Without a word it has ended, and its log says why.
    pub(super) fn wait(mut self) -> anyhow::Result<()> {
        let length = self.0.read(&mut [0]).context("failed to wait for the daemon")?;
        ensure!(length > 0, "the daemon ended as soon as it began; see its log");
        Ok(())
    }
}

/// The process that waits for us.
pub(super) struct Starter(File);

impl Starter {
    /// Lets the starter end well: the daemon is what a service manager expects it to be by then. False when it has
    /// been ended meanwhile, so that nobody knows of this process.
    pub(super) fn release(mut self) -> bool {
        self.0.write_all(b"\n").is_ok()
    }
}

/// Goes into the background: `/` as working directory, a umask of 027, the standard streams
/// `/dev/null`. Returns on both sides.
///
/// To be called before any thread exists, for a fork takes only the thread that calls it along,
/// and after everything that the starter is to hear of.
pub(super) fn detach() -> anyhow::Result<Side> {
    let doing = "failed to go into the background";
    let (word, starter) = pipe_with(PipeFlags::CLOEXEC).context(doing)?;
    match Daemonize::new().working_directory("/").umask(0o027).execute() {
        Outcome::Child(done) => done.map(|_| Side::Daemon(Starter(starter.into()))).context(doing),
        Outcome::Parent(done) => {
            done.context(doing)?;
            Ok(Side::Starter(Child(word.into())))
        }
    }
}
