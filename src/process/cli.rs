//! The command line: arguments in, a [`Command`] or a [`Usage`] error out (kick-monitor(8)). Pure; help
//! and version are results like others, found before any file is looked at.

mod help;
#[cfg(test)]
mod tests;
mod view;

pub use view::{View, Which};

use lexopt::{Arg, Parser, ValueExt};
use std::ffi::OsString;
use std::path::PathBuf;

/// Where the configuration is unless `--config` says otherwise.
pub const DEFAULT_CONFIG: &str = "/etc/kick-monitor/kick-monitor.env";

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the daemon.
    Run {
        /// Do not daemonize.
        foreground: bool,
        /// The configuration file.
        config: PathBuf,
        /// Where to write the process id.
        pid_file: Option<PathBuf>,
    },
    /// Try everything that the daemon needs.
    Check {
        /// The configuration file.
        config: PathBuf,
        /// The configuration file alone.
        offline: bool,
        /// One JSON object instead of lines.
        json: bool,
        /// Names to try besides, before they are in the table.
        names: Vec<String>,
    },
    /// Show what the running daemon knows.
    Status {
        /// The configuration file.
        config: PathBuf,
        /// What to show, and how.
        view: View,
    },
    /// Look up Kick's ids of streamers.
    Ids {
        /// The configuration file.
        config: PathBuf,
        /// Statements for `psql` instead of lines.
        sql: bool,
        /// Whom; without any, everybody in the roster.
        names: Vec<String>,
    },
    /// Print a role with its grants, and triggers.
    Schema {
        /// The configuration file.
        config: PathBuf,
        /// Print a sample table besides.
        sample: bool,
    },
    /// Print the version.
    Version,
    /// Print this text.
    Help(&'static str),
}

/// The command line is wrong: what about it, and what may have been meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}\ntry 'kick-monitor --help'")]
pub struct Usage(String);

impl From<lexopt::Error> for Usage {
    fn from(error: lexopt::Error) -> Usage {
        Usage(error.to_string())
    }
}

/// A command's name, the long options it takes (an `=` follows those with a value), how many operands at most, and its
/// help.
struct Grammar {
    name: &'static str,
    options: &'static [&'static str],
    operands: usize,
    help: &'static str,
}

const GRAMMARS: [Grammar; 5] = [
    Grammar { name: "run", options: &["foreground", "config=", "pid-file="], operands: 0, help: help::RUN },
    Grammar { name: "check", options: &["config=", "offline", "json"], operands: usize::MAX, help: help::CHECK },
    Grammar {
        name: "status",
        options: &["config=", "json", "prometheus", "all", "online", "offline", "unknown", "check", "watch"],
        operands: 1,
        help: help::STATUS,
    },
    Grammar { name: "ids", options: &["sql", "config="], operands: usize::MAX, help: help::IDS },
    Grammar { name: "schema", options: &["sample", "config="], operands: 0, help: help::SCHEMA },
];

/// Reads the arguments, without the name of the program.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, Usage> {
    let mut parser = Parser::from_args(args);
    let name = match parser.next()? {
        None => return Err(Usage("no command given".to_owned())),
        Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Command::Help(help::MAIN)),
        Some(Arg::Long("version") | Arg::Short('V')) => return Ok(Command::Version),
        Some(Arg::Value(name)) => name.to_string_lossy().into_owned(),
        Some(Arg::Long(option)) => return Err(unknown("option", &format!("--{option}"), ["--help", "--version"])),
        Some(Arg::Short(option)) => return Err(unknown("option", &format!("-{option}"), [])),
    };
    if name == "help" {
        return help_about(&mut parser);
    }
    let grammar = find(&name)?;
    match read(&mut parser, grammar)? {
        None => Ok(Command::Help(grammar.help)),
        Some(given) => meaning(grammar, given),
    }
}

/// What stood behind a command.
#[derive(Default)]
struct Given {
    flags: Vec<&'static str>,
    config: Option<PathBuf>,
    pid_file: Option<PathBuf>,
    operands: Vec<String>,
}

impl Given {
    fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }
}

/// Reads options and operands of a command; nothing when help is asked for.
fn read(parser: &mut Parser, grammar: &'static Grammar) -> Result<Option<Given>, Usage> {
    let mut given = Given::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Long(name) => match grammar.options.iter().find(|o| o.trim_end_matches('=') == name) {
                Some(&"config=") => given.config = Some(path(parser)?),
                Some(&"pid-file=") => given.pid_file = Some(path(parser)?),
                Some(flag) => given.flags.push(flag),
                None => {
                    let known: Vec<String> = grammar.options.iter().map(|o| format!("--{o}")).collect();
                    let known = known.iter().map(|o| o.trim_end_matches('=')).chain(["--help"]);
                    return Err(unknown(&format!("option for {}", grammar.name), &format!("--{name}"), known));
                }
            },
            Arg::Short(name) => {
                return Err(unknown(&format!("option for {}", grammar.name), &format!("-{name}"), []));
            }
            Arg::Value(value) if given.operands.len() < grammar.operands => given.operands.push(value.string()?),
            Arg::Value(value) => {
                return Err(Usage(format!("unexpected argument for {}: '{}'", grammar.name, value.to_string_lossy())));
            }
        }
    }
    Ok(Some(given))
}

fn path(parser: &mut Parser) -> Result<PathBuf, Usage> {
    let value = parser.value()?;
    if value.is_empty() { Err(Usage("a file name is empty".to_owned())) } else { Ok(value.into()) }
}

fn meaning(grammar: &Grammar, mut given: Given) -> Result<Command, Usage> {
    let config = given.config.take().unwrap_or_else(|| DEFAULT_CONFIG.into());
    Ok(match grammar.name {
        "run" => Command::Run { foreground: given.has("foreground"), config, pid_file: given.pid_file },
        "check" => {
            let (offline, json) = (given.has("offline"), given.has("json"));
            if offline && !given.operands.is_empty() {
                return Err(Usage("--offline asks Kick nothing and cannot be used with a name".to_owned()));
            }
            Command::Check { config, offline, json, names: given.operands }
        }
        "status" => Command::Status { config, view: view::view(given)? },
        "ids" => Command::Ids { config, sql: given.has("sql"), names: given.operands },
        _ => Command::Schema { config, sample: given.has("sample") },
    })
}

fn help_about(parser: &mut Parser) -> Result<Command, Usage> {
    match parser.next()? {
        None | Some(Arg::Long("help") | Arg::Short('h')) => Ok(Command::Help(help::MAIN)),
        Some(Arg::Value(name)) if name == "help" => Ok(Command::Help(help::MAIN)),
        Some(Arg::Value(name)) => Ok(Command::Help(find(&name.to_string_lossy())?.help)),
        Some(other) => Err(other.unexpected().into()),
    }
}

fn find(name: &str) -> Result<&'static Grammar, Usage> {
    let names = GRAMMARS.iter().map(|grammar| grammar.name).chain(["help"]);
    GRAMMARS.iter().find(|grammar| grammar.name == name).ok_or_else(|| unknown("command", name, names))
}

/// "Unknown", with the one of `known` that is at most two slips of a finger away.
fn unknown<'a>(what: &str, given: &str, known: impl IntoIterator<Item = &'a str>) -> Usage {
    let slips = |name: &&str| strsim::damerau_levenshtein(given, name);
    match known.into_iter().min_by_key(slips).filter(|name| slips(name) <= 2) {
        Some(name) => Usage(format!("unknown {what} '{given}'; did you mean '{name}'?")),
        None => Usage(format!("unknown {what} '{given}'")),
    }
}
