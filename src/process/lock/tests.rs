//! Locks on real files: only one holder at a time.

use super::{Directories, PidFile};
use crate::config::FilesConfig;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("kick-monitor-{name}-{}", fastrand::u64(..)))
}

#[test]
fn a_pid_file_is_written_guards_and_goes() {
    let path = path("pid");
    fs::write(&path, "999999999999\n").expect("the temporary directory is writable");
    let mut first = PidFile::take(&path).expect("a stale file is taken over");
    first.write().expect("it can be written");
    let own = std::process::id().to_string();
    assert_eq!(fs::read_to_string(&path).expect("it can be read"), format!("{own}\n"));
    let mode = fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o644);

    let refusal = PidFile::take(&path).expect_err("a second process is refused").to_string();
    assert!(refusal.contains("runs already") && refusal.ends_with(&own), "{refusal}");
    drop(first);
    assert!(!path.exists());
}

#[test]
fn a_pid_file_that_cannot_be_is_named() {
    let error = PidFile::take("/nowhere/kick-monitor.pid".as_ref()).expect_err("there is no such directory");
    assert!(error.to_string().contains("/nowhere/kick-monitor.pid"), "{error}");
}

#[test]
fn a_pid_file_that_somebody_replaced_is_left_alone() {
    let path = path("replaced");
    let held = PidFile::take(&path).expect("it can be made");
    fs::remove_file(&path).and_then(|()| fs::write(&path, "another's\n")).expect("it can be replaced");
    drop(held);
    assert_eq!(fs::read_to_string(&path).ok().as_deref(), Some("another's\n"));
    fs::remove_file(&path).expect("it can be removed");
}

/// A process that opens the file just before its holder removes it must not take its lock on the removed file for
/// success.
#[test]
fn however_they_come_and_go_one_holds_it() {
    let path = path("race");
    let inside = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    let Ok(_held) = PidFile::take(&path) else { continue };
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
                    assert!(path.exists(), "it is held without a file");
                    inside.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
    });
}

#[test]
fn a_directory_is_one_process_s() {
    let folder = path("directories");
    let files = |state: &str, run: &str| FilesConfig {
        metrics_file: None,
        state_dir: folder.join(state),
        run_dir: folder.join(run),
    };
    let mut first = Directories::take(&files("state", "run")).expect("they are free");
    first.begin();
    for (files, key) in [(files("state", "other"), "STATE_DIR"), (files("other", "run"), "RUN_DIR")] {
        let refusal = Directories::take(&files).expect_err("it is in use").to_string();
        let pid = format!("process {};", std::process::id());
        let directory = folder.join(if key == "RUN_DIR" { "run" } else { "state" }).display().to_string();
        assert!([key, &pid, &directory].iter().all(|words| refusal.contains(*words)), "{refusal}");
    }
    drop(first);
    Directories::take(&files("run", "run")).expect("one directory for both is no conflict");
    fs::remove_dir_all(folder).expect("it can be removed");
}
