//! Directories that go with the process that made them: what a killed one left behind, the next one
//! removes. A lock tells the living from the dead. A process id would not: a suite in another container
//! may share the temporary directory, and its processes are not seen here.

use rustix::fs::{FlockOperation, flock};
use rustix::process::getuid;
use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A directory of this process's own, gone with this value.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Says that it is in use, for as long as it is open.
    _lock: File,
}

/// Where everything of this user's is: short, because the name of a socket may have 107 bytes.
pub(crate) fn home() -> PathBuf {
    let home = std::env::temp_dir().join(format!("kick-lab-{}", getuid().as_raw()));
    fs::create_dir_all(&home).expect("the temporary directory can be written");
    home
}

impl Directory {
    /// A new one for a thing of this kind. Those that nobody holds any more are removed.
    pub(crate) fn new(kind: &str) -> Directory {
        let home = home();
        // One process at a time, so that none meets a directory between its making and its locking.
        let turn = File::open(&home).expect("the directory can be opened");
        flock(&turn, FlockOperation::LockExclusive).expect("the lock is granted in time");
        let entries = fs::read_dir(&home).expect("the directory can be read").flatten();
        let ours = entries.filter(|entry| entry.file_name().to_string_lossy().contains(MARK));
        let left: Vec<Directory> = ours.filter_map(|entry| Directory::lock(entry.path())).collect();
        let path = home.join(format!("{kind}{MARK}{:08x}", fastrand::u32(..)));
        fs::create_dir(&path).expect("a directory can be made");
        let fresh = Directory::lock(path).expect("a new directory is locked by nobody");
        // Removing may take long; nobody has to wait for it.
        drop(turn);
        drop(left);
        fresh
    }

    /// Nothing when somebody holds it, or it is gone.
    fn lock(path: PathBuf) -> Option<Directory> {
        let lock = File::open(&path).ok()?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(Directory { path, _lock: lock })
    }
}

impl Deref for Directory {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What the names of these directories have, and of nothing else beside them.
const MARK: char = '_';

#[cfg(test)]
mod tests {
    use super::Directory;
    use crate::{Signal, Who, spawn, wait_for};
    use rustix::process::{Pid, kill_process};
    use std::io::{BufRead, BufReader};
    use std::path::PathBuf;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    const LIMIT: Duration = Duration::from_secs(60);
    /// Told to the process that makes a directory and keeps it till it is killed.
    const HOLDER: &str = "LAB_DIRECTORY_HOLDER";

    /// Also where a process of that id is not known: a suite in another container may share this `/tmp`.
    #[test]
    fn a_directory_stays_while_its_process_lives_in_whatever_pid_namespace_and_then_goes() {
        if std::env::var_os(HOLDER).is_some() {
            let held = Directory::new("test");
            println!("\nheld {}", held.display());
            wait_for("the end of this process", LIMIT * 10, || None::<()>);
        }
        let elsewhere = ["--pid", "--fork", "--kill-child", "--"];
        let allowed = Command::new("unshare").args(elsewhere).arg("true").output();
        let allowed = allowed.is_ok_and(|unshare| unshare.status.success());
        if !allowed {
            eprintln!("shown in this PID namespace alone: no other may be made here");
        }
        let this = std::env::current_exe().expect("this program has a path");
        let name = std::thread::current().name().expect("a test has a name").to_owned();
        let program = if allowed { PathBuf::from("unshare") } else { this.clone() };
        let mut holder = spawn(&program, Who::Us, |command| {
            if allowed {
                command.args(elsewhere).arg(&this);
            }
            command.args(["--exact", &name, "--nocapture"]).env(HOLDER, "").stdout(Stdio::piped())
        })
        .expect("setpriv can be started");
        let said = BufReader::new(holder.stdout.take().expect("standard output is a pipe"));
        let held = said.lines().map_while(Result::ok).find_map(|line| line.strip_prefix("held ").map(PathBuf::from));
        let held = held.expect("the holder says what it holds");

        let _ours = Directory::new("test");
        assert!(held.exists(), "a directory of the living was removed");
        let _ = kill_process(Pid::from_child(&holder), Signal::KILL);
        holder.wait().expect("a child can be waited for");
        wait_for("its removal", LIMIT, || {
            let _ours = Directory::new("test");
            (!held.exists()).then_some(())
        });
    }
}
