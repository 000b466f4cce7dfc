//! The files that only one process may hold: a pid file, `STATE_DIR` and `RUN_DIR`. Each has a lock that ends with
//! the process, however it ends, and that is kept across a fork.

use crate::config::FilesConfig;
use crate::domain::event::Event;
use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The name of the lock file in a directory.
const LOCK: &str = ".lock";

/// The mode of these files: everyone may read them.
const READABLE_BY_ALL: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP).union(Mode::ROTH);

/// A file that is locked as long as this process, or a process forked from it, has it open. It contains the process
/// id.
#[derive(Debug)]
pub(super) struct Locked {
    path: PathBuf,
    file: File,
}

/// Why a file could not be locked.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Another process has the lock; its id, if it could be read.
    Held(Option<u32>),
    /// The file could not be opened.
    Unusable(io::Error),
    /// The file system does not support locks.
    Unlockable(io::Error),
}

impl Locked {
    /// Creates the file if necessary, and locks it.
    pub(super) fn take(path: &Path) -> Result<Locked, Refusal> {
        loop {
            let file = open(path).map_err(Refusal::Unusable)?;
            let locked = lock(path, file)?;
            // The previous holder may have removed the file after we opened it and before we locked it. Other
            // processes would then find, and lock, a new file.
            if locked.is_in_place() {
                return Ok(locked);
            }
        }
    }

    /// Writes the id of this process.
    pub(super) fn write(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        writeln!(self.file, "{}", std::process::id())
    }

    /// Returns true if the path still leads to this file.
    pub(super) fn is_in_place(&self) -> bool {
        is_same(&self.file, &self.path)
    }
}

fn is_same(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        _ => false,
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    Ok(File::from(rustix::fs::open(path, flags, READABLE_BY_ALL)?))
}

fn lock(path: &Path, mut file: File) -> Result<Locked, Refusal> {
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            // The content is not the id of a process that holds the lock.
            file.set_len(0).map_err(Refusal::Unusable)?;
            Ok(Locked { path: path.to_owned(), file })
        }
        Err(Errno::WOULDBLOCK) => {
            let mut pid = String::new();
            // The process that holds the lock may not have written its id yet.
            let read = Read::take(&mut file, 20).read_to_string(&mut pid);
            Err(Refusal::Held(read.ok().and_then(|_| pid.trim().parse().ok())))
        }
        Err(error) => Err(Refusal::Unlockable(error.into())),
    }
}

/// Describes the process that holds a lock.
fn holder(pid: Option<u32>) -> String {
    pid.map_or("another process".to_owned(), |pid| format!("process {pid}"))
}

/// The locks of `STATE_DIR` and `RUN_DIR`. No other daemon uses the directories while this exists.
#[derive(Debug)]
pub(super) struct Directories {
    locked: Vec<Locked>,
    /// Events about directories that cannot be locked, to be logged.
    unlockable: Vec<Event>,
}

impl Directories {
    /// Creates and locks both directories. Fails if another process has locked one of them. A directory that cannot
    /// be written is skipped: the threads that write there report it.
    pub(super) fn take(files: &FilesConfig) -> anyhow::Result<Directories> {
        let mut directories = Directories { locked: Vec::new(), unlockable: Vec::new() };
        for (key, directory, mode) in [("STATE_DIR", &files.state_dir, 0o750), ("RUN_DIR", &files.run_dir, 0o755)] {
            let _ = DirBuilder::new().recursive(true).mode(mode).create(directory);
            let path = directory.join(LOCK);
            // Both settings may name the same directory.
            if directories.locked.iter().any(|locked| is_same(&locked.file, &path)) {
                continue;
            }
            match Locked::take(&path) {
                Ok(locked) => directories.locked.push(locked),
                Err(Refusal::Held(pid)) => {
                    let (directory, holder) = (directory.display(), holder(pid));
                    bail!(
                        "another kick-monitor uses {key} already: {directory} is locked by {holder}; \
                         stop that one, or set {key} to another directory"
                    )
                }
                Err(Refusal::Unusable(_)) => {}
                Err(Refusal::Unlockable(error)) => {
                    let file = path.display().to_string();
                    let reason =
                        format!("it cannot be locked, so a second kick-monitor in {key} goes unnoticed: {error}");
                    directories.unlockable.push(match key {
                        "STATE_DIR" => Event::StateFile { file, reason },
                        _ => Event::StatusFile { file, reason },
                    });
                }
            }
        }
        Ok(directories)
    }

    /// Writes the id of this process into the lock files and logs what could not be locked.
    pub(super) fn begin(&mut self) {
        for locked in &mut self.locked {
            // The id is only information for a process that is refused.
            let _ = locked.write();
        }
        self.unlockable.drain(..).for_each(|event| event.say());
    }
}

/// The pid file. It is removed when the process ends.
#[derive(Debug)]
pub(super) struct PidFile(Locked);

impl PidFile {
    /// Creates and locks the file, before the fork, so that the starting process can report a failure. Fails if
    /// another process has locked it.
    pub(super) fn take(path: &Path) -> anyhow::Result<PidFile> {
        // The daemon changes its working directory.
        let path = std::path::absolute(path).context("failed to make the path of the pid file absolute")?;
        let doing = || format!("failed to write the pid file {}", path.display());
        match Locked::take(&path) {
            Ok(locked) => {
                rustix::fs::fchmod(&locked.file, READABLE_BY_ALL).with_context(doing)?;
                Ok(PidFile(locked))
            }
            Err(Refusal::Held(pid)) => {
                bail!("another kick-monitor runs already: {} is locked by {}", path.display(), holder(pid))
            }
            Err(Refusal::Unusable(error)) => Err(error).with_context(doing),
            Err(Refusal::Unlockable(error)) => {
                Err(error).with_context(|| format!("failed to lock the pid file {}", path.display()))
            }
        }
    }

    /// Writes the id of this process.
    pub(super) fn write(&mut self) -> anyhow::Result<()> {
        self.0.write().with_context(|| format!("failed to write the pid file {}", self.0.path.display()))
    }

    /// Leaves the file to the daemon, which has the same lock.
    pub(super) fn hand_over(self) {
        std::mem::forget(self);
    }
}

impl Drop for PidFile {
    /// Removes the file unless it is another process's. It does not matter if it is gone already.
    fn drop(&mut self) {
        if self.0.is_in_place() {
            let _ = fs::remove_file(&self.0.path);
        }
    }
}

#[cfg(test)]
mod tests;
