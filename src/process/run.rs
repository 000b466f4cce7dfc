//! `kick-monitor run`: the order of the start, the main thread's loop, and the order of the end.
//!
//! The main thread supervises: it receives signals, the ends of threads, and requests of the hub. It does not wait
//! for PostgreSQL or Kick to be available.

use crate::clock::Clock;
use crate::config::{Config, LogConfig, LogTarget, Problem};
use crate::domain::Steady;
use crate::domain::event::Event;
use crate::gateway::database::Database;
use crate::monitor::Input;
use crate::process::configuration;
use crate::process::crew::{self, Crew};
use crate::process::daemon::{self, Side, Starter};
use crate::process::exit::Code;
use crate::process::lock::{Directories, PidFile};
use crate::process::logging::{self, Logger};
use crate::process::notify::{Notify, watchdog_limit};
use crate::process::rules;
use crate::process::signals::{Catcher, Early, Signal};
use crate::process::supervisor::{Fatal, Supervisor};
use crate::worker::hub::ToMain;
use crossbeam_channel::{Receiver, never, select, unbounded};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest wait of the main thread when nothing is due.
const WAIT_MOST: Duration = Duration::from_secs(30);
/// The limit for the shutdown (kick-monitor(8)), less the time for the last lines of the log, which are written after
/// it.
const STOP_MOST: Duration = Duration::from_secs(9);

/// Runs the daemon until it is told to end.
///
/// # Errors
///
/// What keeps it from starting, other than the configuration: the pid file, the directories, signals, threads.
pub(super) fn run(path: &Path, foreground: bool, pid_file: Option<&Path>) -> anyhow::Result<Code> {
    // This comes first, because a signal's default action ends the process.
    let early = Early::watch()?;
    let clock = Clock::start();
    let logger = logging::install(clock)?;
    let path = std::path::absolute(path)?;
    let config = match configuration::load(&path).and_then(|config| vet_database(&path, config)) {
        Ok(config) => config,
        Err(problems) => {
            if !foreground {
                // The wanted target and facility are not known, so these are the defaults.
                let default = LogConfig {
                    level: log::LevelFilter::Info,
                    target: LogTarget::Syslog,
                    facility: "daemon".to_owned(),
                };
                logger.configure(&default, LogTarget::Syslog);
            }
            return Ok(refuse(&problems, logger));
        }
    };
    let mut pid_file = pid_file.map(PidFile::take).transpose()?;
    let mut directories = Directories::take(&config.files)?;
    let mut starter = None;
    if !foreground {
        match daemon::detach()? {
            Side::Starter(child) => {
                early.give_up();
                child.wait()?;
                if let Some(file) = pid_file {
                    file.hand_over();
                }
                return Ok(Code::Fine);
            }
            Side::Daemon(waiting) => starter = Some(waiting),
        }
    }
    if let Some(file) = &mut pid_file {
        file.write()?;
    }
    let target = if foreground { config.log.target } else { LogTarget::Syslog };
    logger.configure(&config.log, target);
    directories.begin();
    Daemon::start(clock, path, config, logger, target, &early, starter)
}

struct Daemon {
    clock: Clock,
    path: PathBuf,
    config: Config,
    logger: &'static Logger,
    target: LogTarget,
    supervisor: Supervisor,
    crew: Crew,
    hub: Receiver<ToMain>,
    notify: Notify,
}

/// The reasons for which the process ends.
enum End {
    Told(&'static str),
    Broken(Fatal),
}

impl From<Fatal> for End {
    fn from(fatal: Fatal) -> End {
        End::Broken(fatal)
    }
}

impl Daemon {
    /// Starts all workers and runs until the end.
    fn start(
        clock: Clock,
        path: PathBuf,
        config: Config,
        logger: &'static Logger,
        target: LogTarget,
        early: &Early,
        starter: Option<Starter>,
    ) -> anyhow::Result<Code> {
        rules::raise_open_files();
        let mut supervisor = Supervisor::new(clock, fastrand::u64(..));
        logger.start(supervisor.report())?;
        Event::Started { version: env!("CARGO_PKG_VERSION") }.say();
        let catcher = Catcher::start(early, supervisor.report())?;
        let (main, hub) = unbounded();
        // The pool has threads, which would not survive a fork.
        let database = crew::database(&config, clock)?;
        let mut crew = Crew::start(&config, database, clock, &mut supervisor, main)?;
        let notify = Notify::from_env();
        notify.ready();
        // This thread also talks to the service manager, which must be told about the start first.
        crew.add_status(&config, None, &mut supervisor)?;
        let daemon = Daemon { clock, path, config, logger, target, supervisor, crew, hub, notify };
        if starter.is_some_and(|starter| !starter.release()) {
            return Ok(daemon.leave(End::Told("the process that started it has ended")));
        }
        Ok(daemon.live(&catcher.signals))
    }

    fn live(mut self, signals: &Receiver<Signal>) -> Code {
        // The watchdog must be fed twice in each limit; this is a little more often.
        let feed = watchdog_limit().map(|limit| limit * 2 / 5);
        let mut hub = self.hub.clone();
        let end = loop {
            let now = self.clock.steady();
            let next = match self.supervisor.turn(now) {
                Ok(next) => next,
                Err(fatal) => break fatal.into(),
            };
            let wait = next.map_or(WAIT_MOST, |at| at.since(now)).min(feed.unwrap_or(WAIT_MOST));
            let done = select! {
                recv(self.supervisor.exits()) -> exit => match exit {
                    Ok(exit) => self.supervisor.ended(self.clock.steady(), exit)
                        .and_then(|()| self.crew.relieve_writers(&mut self.supervisor))
                        .map_err(End::from),
                    Err(_) => Ok(()),
                },
                recv(hub) -> wish => match wish {
                    Ok(wish) => self.grant(wish).map_err(End::from),
                    // The hub's end arrives through `exits`.
                    Err(_) => { hub = never(); Ok(()) }
                },
                recv(signals) -> signal => match signal {
                    Ok(signal) => self.obey(signal),
                    Err(_) => Ok(()),
                },
                default(wait) => Ok(()),
            };
            if let Err(end) = done {
                break end;
            }
            if feed.is_some() && self.supervisor.stale().is_empty() {
                self.notify.watchdog();
            }
        };
        self.leave(end)
    }

    fn grant(&mut self, wish: ToMain) -> Result<(), Fatal> {
        match wish {
            ToMain::OpenLink(id, orders) => self.crew.open_link(&mut self.supervisor, id, orders),
            ToMain::Drained(_) => Ok(()),
        }
    }

    fn obey(&mut self, signal: Signal) -> Result<(), End> {
        match signal {
            Signal::Terminate(name) => return Err(End::Told(name)),
            Signal::SweepNow => self.crew.tell(Input::SweepNow),
            Signal::Reload => {
                self.notify.reloading();
                let done = self.reload();
                self.notify.ready();
                done?;
            }
        }
        Ok(())
    }

    /// Applies a new configuration, or keeps the old one and logs why. Only workers that depend on a change are
    /// restarted; the directories and the log target stay as they are (kick-monitor.env(5)).
    fn reload(&mut self) -> Result<(), Fatal> {
        let began = self.clock.steady();
        let loaded = configuration::load(&self.path).and_then(|new| {
            let changed = new.database != self.config.database;
            let made = changed.then(|| crew::database(&new, self.clock)).transpose();
            let database = made.map_err(|error| vec![database_problem(&self.path, &error.to_string())])?;
            Ok((new, database))
        });
        let (mut new, database) = match loaded {
            Ok(loaded) => loaded,
            Err(problems) => {
                for problem in problems {
                    let file = place(&problem);
                    Event::ReloadRefused { file, key: problem.key, reason: problem.text }.say();
                }
                return Ok(());
            }
        };
        new.files.state_dir.clone_from(&self.config.files.state_dir);
        new.files.run_dir.clone_from(&self.config.files.run_dir);
        let old = std::mem::replace(&mut self.config, new);
        let new = &self.config;
        self.logger.configure(&new.log, self.target);
        self.crew.tell(Input::Settings(rules::settings(new)));
        if old.push != new.push {
            self.crew.replace_push(new, &mut self.supervisor)?;
        }
        if old.files != new.files {
            let given_up = old.files.metrics_file.filter(|old| new.files.metrics_file.as_ref() != Some(old));
            self.crew.add_status(new, given_up, &mut self.supervisor)?;
        }
        if old.heartbeat != new.heartbeat {
            self.crew.add_heartbeat(new, &mut self.supervisor)?;
        }
        if old.webhook != new.webhook {
            self.crew.add_webhook(new, &mut self.supervisor)?;
        }
        match old.kick != new.kick {
            true => self.crew.replace_kick(new, &mut self.supervisor)?,
            false => self.crew.hurry(),
        }
        match database {
            Some(database) => self.crew.replace_database(new, database, &mut self.supervisor)?,
            None if old.roster != new.roster => self.crew.add_roster(new, &mut self.supervisor)?,
            None => {}
        }
        Event::Reloaded { seconds: self.clock.steady().since(began).as_secs_f64() }.say();
        Ok(())
    }

    /// Ends all threads in order.
    fn leave(mut self, end: End) -> Code {
        let began = self.clock.steady();
        self.notify.stopping();
        let (reason, code) = match end {
            End::Told(name) => (name.to_owned(), Code::Fine),
            End::Broken(Fatal(reason)) => {
                Event::Fatal { reason: reason.clone() }.say();
                (reason, Code::Failed)
            }
        };
        Event::Stopping { reason, seconds: began.since(Steady::default()).as_secs_f64() }.say();
        self.crew.leave(&mut self.supervisor);
        for thread in self.supervisor.stop(STOP_MOST) {
            Event::Detail { what: "abandoned", text: thread }.say();
        }
        let unwritten = self.hub.try_iter().find_map(|wish| match wish {
            ToMain::Drained(unwritten) => Some(unwritten),
            ToMain::OpenLink(..) => None,
        });
        let seconds = self.clock.steady().since(began).as_secs_f64();
        Event::Stopped { seconds, unwritten: unwritten.unwrap_or_default() }.say();
        code
    }
}

/// Reports every problem of a configuration on standard error and in the log, or once if both are the same.
fn refuse(problems: &[Problem], logger: &Logger) -> Code {
    for problem in problems {
        if !logger.is_the_journals() {
            // The line begins with the file, as in kick-monitor.env(5). Without standard error, it goes to the log.
            logger.plain(problem.to_string());
        }
        let file = place(problem);
        Event::ConfigError { file, key: problem.key.clone(), reason: problem.text.clone() }.say();
    }
    Code::Config
}

/// The file and line of a problem.
fn place(problem: &Problem) -> String {
    match problem.line {
        Some(line) => format!("{}:{line}", problem.file),
        None => problem.file.clone(),
    }
}

/// Checks the database settings in a way that only their use can.
pub(super) fn vet_database(path: &Path, config: Config) -> Result<Config, Vec<Problem>> {
    match Database::vet(&config.database) {
        Ok(()) => Ok(config),
        Err(error) => Err(vec![database_problem(path, &error.to_string())]),
    }
}

/// A problem of the database settings as a whole, each of which is well formed.
fn database_problem(path: &Path, reason: &str) -> Problem {
    Problem { file: path.display().to_string(), line: None, key: "DATABASE_URL".to_owned(), text: reason.to_owned() }
}
