//! `make run`: with a `.env` in the current directory the real kick-monitor with it; without one, a
//! demonstration against a simulated Kick and a private PostgreSQL, of which nothing remains.

mod play;
mod real;
mod screen;
mod tally;

use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    let limit = limit(std::env::args().skip(1))?;
    let program = beside_this("kick-monitor")?;
    let env = Path::new(".env");
    if env.exists() { real::run(&program, env, limit) } else { play::run(&program, limit) }
}

/// How long it is to last; for ever unless `--seconds N` is given.
fn limit(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Option<Duration>> {
    let Some(option) = arguments.next() else { return Ok(None) };
    anyhow::ensure!(option == "--seconds", "the one option is --seconds N, not {option:?}");
    let value = arguments.next().unwrap_or_default();
    let seconds: u64 = value.parse().with_context(|| format!("failed to read {value:?} as a number of seconds"))?;
    Ok(Some(Duration::from_secs(seconds)))
}

/// A program of the same build.
fn beside_this(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("failed to find this program")?.with_file_name(name);
    anyhow::ensure!(program.exists(), "there is no {}; run: make build", program.display());
    Ok(program)
}
