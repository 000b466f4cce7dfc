//! The life of the process: command line, configuration file, logging, signals, supervision. Only this floor builds,
//! starts and stops the others.

pub mod check;
pub mod cli;
pub mod configuration;
mod crew;
mod daemon;
mod exit;
mod ids;
mod lock;
pub mod logging;
mod notify;
mod paint;
mod rules;
mod run;
mod schema;
mod service;
mod signals;
pub mod status;
mod supervisor;

use crate::domain::event::Event;
use crate::thread;
use anyhow::Context;
use cli::Command;
use exit::Code;
use std::ffi::OsString;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::panic;
use std::process::ExitCode;

/// The program. `args` are its arguments, without the program's name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    thread::log_panics();
    let command = match cli::parse(args) {
        Ok(command) => command,
        Err(usage) => {
            complain(&usage.to_string());
            return Code::Usage.into();
        }
    };
    let code: ExitCode = match panic::catch_unwind(|| execute(command)) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            complain(&format!("{error:#}"));
            Code::Failed
        }
        Err(payload) => {
            let reason = thread::last_panic(payload.as_ref());
            complain(&format!("this is a bug, please report it: {reason}"));
            Event::Fatal { reason }.say();
            Code::Failed
        }
    }
    .into();
    log::logger().flush();
    code
}

fn execute(command: Command) -> anyhow::Result<Code> {
    match command {
        Command::Help(text) => print(text),
        Command::Version => print(concat!("kick-monitor ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Run { foreground, config, pid_file } => run::run(&config, foreground, pid_file.as_deref()),
        Command::Check { config, offline, json, names } => check::run(&config, offline, json, &names),
        Command::Status { config, view } => status::command::run(&config, &view),
        Command::Ids { config, sql, names } => ids::run(&config, sql, &names),
        Command::Schema { config, sample } => schema::run(&config, sample),
    }
}

/// Writes to standard output. A reader that has closed the pipe is not a failure.
pub fn print(text: &str) -> anyhow::Result<Code> {
    print_each([Ok(text)])
}

/// As [`print`], text by text as they come; ends early when the reader has closed the pipe.
fn print_each(texts: impl IntoIterator<Item = anyhow::Result<impl AsRef<str>>>) -> anyhow::Result<Code> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    for text in texts {
        if !goes_on(stdout.write_all(text?.as_ref().as_bytes()))? {
            return Ok(Code::Fine);
        }
    }
    goes_on(stdout.flush())?;
    Ok(Code::Fine)
}

/// Whether the reader still reads.
fn goes_on(written: io::Result<()>) -> anyhow::Result<bool> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true).context("failed to write to standard output"),
    }
}

/// Writes an error to standard error, if the process has one. The daemon never waits for it to be read.
pub fn complain(text: &str) {
    let text = format!("kick-monitor: {text}");
    match logging::installed() {
        Some(logger) => logger.plain(text),
        None => drop(writeln!(io::stderr(), "{text}")),
    }
}
