//! Runs the daemon in the background.
//!
//! The crate `daemonize` is unmaintained, so only its forks are used: user and group are left to start-stop-daemon,
//! and the pid file is ours (`lock.rs`), also in the foreground.

use anyhow::{Context, ensure};
use daemonize::{Daemonize, Outcome};
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::io::{Read, Write};

/// Which of the two processes this is.
pub(super) enum Side {
    /// The process that was started.
    Starter(Child),
    /// The daemon. The starter waits for its message, or for its end.
    Daemon(Starter),
}

/// The starter's handle on the daemon.
pub(super) struct Child(File);

impl Child {
    /// Waits until the daemon runs. If it ends without a message, its log says why.
    pub(super) fn wait(mut self) -> anyhow::Result<()> {
        let length = self.0.read(&mut [0]).context("failed to wait for the daemon")?;
        ensure!(length > 0, "the daemon ended as soon as it began; see its log");
        Ok(())
    }
}

/// The daemon's handle on the starter.
pub(super) struct Starter(File);

impl Starter {
    /// Lets the starter exit with success: by now the daemon is what a service manager expects. Returns false if the
    /// starter has been ended meanwhile, so that nothing knows about this process.
    pub(super) fn release(mut self) -> bool {
        self.0.write_all(b"\n").is_ok()
    }
}

/// Goes into the background: working directory `/`, umask 027, standard streams `/dev/null`. Returns in both
/// processes.
///
/// Call it before any thread exists, because a fork only copies the calling thread, and after all steps whose failure
/// the starter is to report.
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
