//! Directories that go with the process that made them: what a killed one left behind, the next one
//! removes.

use rustix::process::{Pid, getuid};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where everything of this user's is: short, because the name of a socket may have 107 bytes.
pub(crate) fn home() -> PathBuf {
    let home = std::env::temp_dir().join(format!("kick-lab-{}", getuid().as_raw()));
    fs::create_dir_all(&home).expect("the temporary directory can be written");
    home
}

/// A new directory of this process's for a thing of this kind, a word without a dash. Those of
/// processes that are gone are removed.
pub(crate) fn private(kind: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let prefix = format!("{kind}-");
    for entry in fs::read_dir(home()).expect("the directory can be read").flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.split('-').next()?.parse().ok());
        let gone = owner.and_then(Pid::from_raw).is_some_and(|pid| rustix::process::test_kill_process(pid).is_err());
        if gone {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let directory = home().join(format!("{prefix}{}-{number}", std::process::id()));
    // An earlier process may have had this number and left its own.
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).expect("a directory can be made");
    directory
}
