//! A directory for one test, and the program run to its end in it: for what a running daemon is not
//! needed for, or cannot be.

use super::stage::PATIENCE;
use lab::wait_for;
use rustix::process::getuid;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What every configuration needs; nobody listens there.
pub(crate) const REQUIRED: &str =
    "KICK_CLIENT_ID=id\nKICK_CLIENT_SECRET=hush-hush\nDATABASE_URL=postgres://u:pass-word@127.0.0.1:1/d\n";

/// A directory of its own, gone with this value.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        // Not by process id: a suite in another container may share the temporary directory.
        let path = std::env::temp_dir().join(format!("kick-e2e-{:016x}", fastrand::u64(..)));
        fs::create_dir(&path).expect("a directory can be made");
        // Somebody else shall be able to find, if not to read, what is in it.
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("the mode can be set");
        Scratch(path)
    }

    /// The path of what is called so.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file that has this mode.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file can be written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("the mode can be set");
        path
    }

    /// A configuration that its owner alone may read.
    pub(crate) fn config(&self, text: impl AsRef<[u8]>) -> PathBuf {
        self.file("config", text, 0o600)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Gives a file to another group than root's; a user who is not root has no other.
pub(crate) fn to_a_common_group(path: &Path) {
    if getuid().is_root() {
        chown(path, None, Some(65_534)).expect("root may do that");
    }
}

/// The program, without an environment.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kick-monitor"));
    command.env_clear().args(arguments);
    command
}

/// `kick-monitor COMMAND --config FILE OPTIONS`.
pub(crate) fn with_config(command: &str, config: &Path, options: &[&str]) -> Command {
    let mut program = program(&[command, "--config"]);
    program.arg(config).args(options);
    program
}

/// What a program left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a program that has little to say to its end.
#[track_caller]
pub(crate) fn finish(command: &mut Command) -> Ended {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program can be started");
    let text = format!("the end of {command:?}");
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_for(&text, PATIENCE, || child.try_wait().ok().flatten());
    }));
    if let Err(panic) = ended {
        let _ = child.kill();
        std::panic::resume_unwind(panic);
    }
    let output = child.wait_with_output().expect("its output can be read");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it speaks UTF-8");
    let ended = Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    ended.stderr.lines().for_each(|line| lab::witness(&lab::Line::parse(line)));
    ended
}
