//! The real thing: this process becomes kick-monitor, so signals and the exit code are its own.

use anyhow::Context;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Runs kick-monitor with this configuration: the real Kick, and the database that it names. What a
/// service manager would see to (directories, a log to look at) is set unless the file or the
/// environment does.
pub(crate) fn run(program: &Path, config: &Path, limit: Option<Duration>) -> anyhow::Result<ExitCode> {
    println!(
        "Runs kick-monitor with {}: it asks the real Kick and writes to the database that is named there.",
        config.display()
    );
    // A file with mistakes: each is said once, with what to do here.
    let checked = Command::new(program).args(["check", "--offline", "--config"]).arg(config).output();
    let checked = checked.with_context(|| format!("failed to start {}", program.display()))?;
    if !checked.status.success() {
        print!("{}", String::from_utf8_lossy(&checked.stdout));
        println!("Correct {}, then say make run again. etc/kick-monitor.env explains each key.", config.display());
        return Ok(ExitCode::FAILURE);
    }
    let text = fs::read_to_string(config).with_context(|| format!("failed to read {}", config.display()))?;
    // Nothing before exec is printed twice or lost: Rust's standard output is flushed line by line.
    let mut command = match limit {
        Some(limit) => {
            let mut timeout = Command::new("timeout");
            timeout.args(["--foreground", "--preserve-status", "--signal=TERM", &limit.as_secs().to_string()]);
            timeout.arg(program);
            timeout
        }
        None => Command::new(program),
    };
    let target = std::path::absolute("target").context("failed to find the current directory")?;
    for (key, name) in [("STATE_DIR", "run-state"), ("RUN_DIR", "run-run")] {
        if !is_set(&text, key) {
            let directory = target.join(name);
            fs::create_dir_all(&directory).with_context(|| format!("failed to make {}", directory.display()))?;
            command.env(key, directory);
        }
    }
    if !is_set(&text, "LOG_TARGET") {
        command.env("LOG_TARGET", "stderr");
    }
    let error = command.args(["run", "--foreground", "--config"]).arg(config).exec();
    Err(error).with_context(|| format!("failed to start {}", program.display()))
}

/// Whether the environment or the configuration sets the key.
fn is_set(config: &str, key: &str) -> bool {
    let names = |line: &str| {
        let line = line.trim_start_matches('\u{feff}').trim_start();
        line.strip_prefix("export ").unwrap_or(line).split_once('=').is_some_and(|(name, _)| name.trim() == key)
    };
    std::env::var_os(key).is_some() || config.lines().any(names)
}
