//! Leaving the terminal, and the pid file.
//!
//! `daemonize` is unmaintained, so it is used for nothing but the forks: user and group are
//! start-stop-daemon's business, and the pid file is ours, in the foreground too.

use anyhow::{Context, bail, ensure};
use daemonize::{Daemonize, Outcome};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Which of two processes this is.
pub enum Side {
    /// The one that was started; the daemon runs, or the error says that it does not.
    Starter,
    /// The daemon. The starter waits for it to be told, or for its end.
    Daemon(Starter),
}

/// The process that waits for us.
pub struct Starter(File);

impl Starter {
    /// Lets the starter end well: the daemon is what a service manager expects it to be by then.
    pub fn release(mut self) {
        // One that was killed meanwhile needs no word.
        let _ = self.0.write_all(b"\n");
    }
}

/// Goes into the background: `/` as working directory, a umask of 027, the standard streams
/// `/dev/null`. Returns on both sides; the starter's when the daemon has released it.
///
/// To be called before any thread exists, for a fork takes only the thread that calls it along,
/// and after everything that the starter is to hear of.
pub fn detach() -> anyhow::Result<Side> {
    let doing = "failed to go into the background";
    let (word, starter) = pipe_with(PipeFlags::CLOEXEC).context(doing)?;
    match Daemonize::new().working_directory("/").umask(0o027).execute() {
        Outcome::Child(done) => done.map(|_| Side::Daemon(Starter(starter.into()))).context(doing),
        Outcome::Parent(done) => {
            done.context(doing)?;
            drop(starter);
            // Without a word it has ended, and its log says why.
            let length = File::from(word).read(&mut [0]).context(doing)?;
            ensure!(length > 0, "the daemon ended as soon as it began; see its log");
            Ok(Side::Starter)
        }
    }
}

/// The pid file. Locked for as long as the process lives, and removed at its end.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
}

impl PidFile {
    /// Creates and locks the file, so that the starter hears of what is wrong with it. The lock
    /// lives on in the daemon. Fails when another process has it.
    pub fn claim(path: &Path) -> anyhow::Result<PidFile> {
        // The daemon works in another directory.
        let path = std::path::absolute(path).context("failed to make the path of the pid file absolute")?;
        let doing = || format!("failed to write the pid file {}", path.display());
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let readable_by_all = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        let mut file = File::from(rustix::fs::open(&path, flags, readable_by_all).with_context(doing)?);
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            // Whoever holds the lock may not have written its pid yet.
            let _ = Read::take(&mut file, 20).read_to_string(&mut pid);
            bail!("another kick-monitor runs already: {} is locked by process {}", path.display(), pid.trim());
        }
        rustix::fs::fchmod(&file, readable_by_all).with_context(doing)?;
        Ok(PidFile { path, file })
    }

    /// Writes this process's id.
    pub fn write(&mut self) -> anyhow::Result<()> {
        let doing = || format!("failed to write the pid file {}", self.path.display());
        self.file.set_len(0).with_context(doing)?;
        writeln!(self.file, "{}", std::process::id()).with_context(doing)
    }

    /// Leaves the file to the daemon, which has the same lock.
    pub fn hand_over(self) {
        std::mem::forget(self);
    }
}

impl Drop for PidFile {
    /// Removes the file; one that is gone already is no loss.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::PidFile;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_pid_file_is_written_guards_and_goes() {
        let path = std::env::temp_dir().join(format!("kick-monitor-pid-{}", std::process::id()));
        std::fs::write(&path, "999999999999\n").expect("the temporary directory is writable");
        let mut first = PidFile::claim(&path).expect("a stale file is taken over");
        first.write().expect("it can be written");
        let own = std::process::id().to_string();
        assert_eq!(std::fs::read_to_string(&path).expect("it can be read"), format!("{own}\n"));
        let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o644);

        let refusal = PidFile::claim(&path).expect_err("a second process is refused").to_string();
        assert!(refusal.contains("runs already") && refusal.ends_with(&own), "{refusal}");
        drop(first);
        assert!(!path.exists());
    }

    #[test]
    fn a_pid_file_that_cannot_be_is_named() {
        let error = PidFile::claim("/nowhere/kick-monitor.pid".as_ref()).expect_err("there is no such directory");
        assert!(error.to_string().contains("/nowhere/kick-monitor.pid"), "{error}");
    }
}
