//! `kick-monitor check`: tries everything that the daemon needs, one line per item (kick-monitor(8)). The line
//! of a failure names what is at fault and ends with the remedy.
//!
//! It changes nothing in the table, at Kick, or on the disk.

mod coordination;
mod database;
mod kick;
mod machine;
mod names;
mod push;
mod webhooks;

pub(in crate::process) use kick::{no_token, remedy_for};

use crate::clock::Clock;
use crate::domain::text::escaped;
use crate::process::cli::DEFAULT_CONFIG;
use crate::process::configuration;
use crate::process::exit::Code;
use crate::process::paint::Paint;
use crate::process::run::vet_database;
use crate::process::service;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// The outcome of trying one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the item: a word or two, stable.
    pub check: &'static str,
    /// Whether it passed.
    pub verdict: Verdict,
    /// What was found, or what is wrong. No secret.
    pub text: String,
    /// The remedy: a command to run, or what to correct.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Whether an item passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// Passed.
    #[serde(rename = "ok")]
    Ok,
    /// Passed with a warning.
    #[serde(rename = "warn")]
    Warn,
    /// Failed.
    #[serde(rename = "FAIL")]
    Fail,
}

/// Tries everything, and the names that are given; or with `offline` only the configuration file. Prints the findings.
///
/// # Errors
/// When standard output cannot be written to.
pub fn run(config: &Path, offline: bool, json: bool, names: &[String]) -> anyhow::Result<Code> {
    let acting = service::act_as_the_service(config);
    let mut report = Report::to_stdout(json);
    match (acting, service::acting()) {
        (Err(why), _) => {
            let remedy = "run: getent passwd kick-monitor; until it answers, the lines below are about root";
            report.warn("user", format!("the user {} cannot be looked at: {why}", service::USER), remedy);
        }
        (Ok(()), Some(note)) => report.ok("service", note),
        (Ok(()), None) => {}
    }
    let code = match configuration::load(config).and_then(|loaded| vet_database(config, loaded)) {
        Err(problems) => {
            let remedy = is_closed(config).then(|| format!("run: sudo kick-monitor check{}", named(config)));
            problems.iter().for_each(|problem| report.fail(CONFIGURATION, problem.to_string(), remedy.as_deref()));
            Code::Config
        }
        Ok(loaded) => {
            report.ok(CONFIGURATION, format!("{}: the configuration can be used", config.display()));
            if !offline {
                let clock = Clock::start();
                machine::check(&loaded, config == Path::new(DEFAULT_CONFIG), &mut report);
                let known = database::check(&loaded, clock, &mut report);
                let token = kick::check(&loaded, &known, names, clock, &mut report);
                webhooks::check(&loaded, token.as_ref(), &mut report);
                push::check(&loaded, &known, clock, &mut report);
            }
            if report.failed { Code::Unavailable } else { Code::Fine }
        }
    };
    report.end()?;
    Ok(code)
}

/// Whether this user may not read the file, and neither root nor the daemon's user is meant.
fn is_closed(config: &Path) -> bool {
    let closed = configuration::open(config).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    closed && !service::is_the_daemons_user()
}

/// The option that names the configuration, unless it is the default.
fn named(config: &Path) -> String {
    match config == Path::new(DEFAULT_CONFIG) {
        true => String::new(),
        false => format!(" --config {}", configuration::shell_word(config)),
    }
}

/// The name of the first item. Its line begins with the file instead.
const CONFIGURATION: &str = "configuration";

/// What was found in the table; used for the requests to Kick.
#[derive(Debug, Default)]
struct Known {
    /// The names that Kick may know.
    names: Vec<crate::domain::Slug>,
    /// A name whose channel id is not in the table.
    channelless: Option<crate::domain::Slug>,
    /// A channel id.
    channel: Option<crate::domain::ChannelId>,
}

/// The findings so far, printed as they come.
struct Report {
    out: Box<dyn Write>,
    json: bool,
    paint: Paint,
    /// Whether standard output is a terminal, which shows what is being tried.
    terminal: bool,
    findings: Vec<Finding>,
    failed: bool,
    broken: io::Result<()>,
}

impl Report {
    fn to_stdout(json: bool) -> Report {
        let terminal = !json && io::stdout().is_terminal();
        Report::new(Box::new(io::stdout()), json, Paint::for_stdout(), terminal)
    }

    fn new(out: Box<dyn Write>, json: bool, paint: Paint, terminal: bool) -> Report {
        Report { out, json, paint, terminal, findings: Vec::new(), failed: false, broken: Ok(()) }
    }

    /// Findings that are not printed.
    fn unseen() -> Report {
        Report::new(Box::new(io::sink()), true, Paint(false), false)
    }

    /// Shows on a terminal what is being tried, until the next finding replaces it.
    fn trying(&mut self, what: &str) {
        if self.terminal {
            self.write(&format!("\r\u{1b}[K...  {what}"));
        }
    }

    fn ok(&mut self, check: &'static str, text: impl Into<String>) {
        self.tell(Finding { check, verdict: Verdict::Ok, text: text.into(), remedy: None });
    }

    fn warn(&mut self, check: &'static str, text: impl Into<String>, remedy: &str) {
        self.tell(Finding { check, verdict: Verdict::Warn, text: text.into(), remedy: Some(remedy.to_owned()) });
    }

    fn fail(&mut self, check: &'static str, text: impl Into<String>, remedy: Option<&str>) {
        self.tell(Finding { check, verdict: Verdict::Fail, text: text.into(), remedy: remedy.map(str::to_owned) });
    }

    fn tell(&mut self, finding: Finding) {
        self.failed |= finding.verdict == Verdict::Fail;
        if !self.json {
            let clear = if self.terminal { "\r\u{1b}[K" } else { "" };
            let line = format!("{clear}{}\n", line(&finding, self.paint));
            self.write(&line);
        }
        self.findings.push(finding);
    }

    fn write(&mut self, text: &str) {
        if self.broken.is_ok() {
            self.broken = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        }
    }

    /// Ends the output. A reader that closed its end of the pipe early is not a failure.
    fn end(mut self) -> io::Result<()> {
        if self.json {
            let text = format!("{}\n", serde_json::json!({ "ok": !self.failed, "findings": self.findings }));
            self.write(&text);
        } else if self.terminal {
            self.write("\r\u{1b}[K");
        }
        match self.broken {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

fn line(finding: &Finding, paint: Paint) -> String {
    let word = match finding.verdict {
        Verdict::Ok => paint.good("ok  "),
        Verdict::Warn => paint.poor("warn"),
        Verdict::Fail => paint.bad("FAIL"),
    };
    let what = if finding.check == CONFIGURATION { String::new() } else { format!("{}: ", finding.check) };
    let remedy = finding.remedy.as_ref().map(|remedy| format!("; {}", escaped(remedy))).unwrap_or_default();
    format!("{word} {what}{}{remedy}", escaped(&finding.text))
}

#[cfg(test)]
mod tests {
    use super::{CONFIGURATION, Finding, Verdict, line};
    use crate::process::paint::Paint;

    #[test]
    fn a_finding_is_one_line_whatever_it_quotes() {
        let text = "/etc/x.env: A: \"\u{1b}[2J\n".to_owned();
        let finding = Finding { check: CONFIGURATION, verdict: Verdict::Fail, text, remedy: None };
        assert_eq!(line(&finding, Paint(false)), "FAIL /etc/x.env: A: \"\\u001b[2J\\n");
        let (text, remedy) = ("refused".to_owned(), Some("correct A".to_owned()));
        let finding = Finding { check: "token", verdict: Verdict::Warn, text, remedy };
        assert_eq!(line(&finding, Paint(false)), "warn token: refused; correct A");
        assert_eq!(line(&finding, Paint(true)), "\u{1b}[33mwarn\u{1b}[0m token: refused; correct A");
    }
}
