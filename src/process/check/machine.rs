//! What the daemon needs of this machine: directories that its user can write, and a syslog.

use super::Report;
use crate::config::{Config, LogTarget};
use crate::process::configuration::shell_word;
use crate::process::logging::DEV_LOG;
use crate::process::service::{Account, USER, Unit, is_the_daemons_user};
use rustix::fs::{Access, AtFlags, CWD};
use rustix::process::geteuid;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// The directory that the unit and the init script create.
const RUN_DIR: &str = "/run/kick-monitor";
/// Drop-ins for the unit.
const DROP_INS: &str = "/etc/systemd/system/kick-monitor.service.d";

/// `is_the_services`: whether the configuration is that of the service, which has a sandbox.
pub(super) fn check(config: &Config, is_the_services: bool, report: &mut Report) {
    let mut service = Service::find(report);
    service.unit = is_the_services.then(Unit::ask);
    directory("STATE_DIR", &config.files.state_dir, &service, report);
    directory("RUN_DIR", &config.files.run_dir, &service, report);
    if let Some(file) = &config.files.metrics_file {
        if file.is_dir() {
            let text = format!("{} is a directory", file.display());
            report.fail(
                "METRICS_FILE",
                text,
                Some("give the file a name, such as kick-monitor.prom in that directory"),
            );
        } else {
            directory("METRICS_FILE", file.parent().unwrap_or(file), &service, report);
        }
    }
    syslog(config, report);
}

/// The user that the daemon will run as: the package's if it exists and root runs `check`, otherwise the user that
/// runs `check`.
struct Service {
    /// Whether it is the package's user.
    is_daemon: bool,
    /// User and groups, when they are not those of this process.
    account: Option<Account>,
    unit: Option<Unit>,
}

impl Service {
    fn find(report: &mut Report) -> Service {
        let own = |is_daemon| Service { is_daemon, account: None, unit: None };
        if !geteuid().is_root() {
            return own(is_the_daemons_user());
        }
        match Account::of_daemon() {
            Ok(Some(account)) => Service { account: Some(account), ..own(true) },
            Ok(None) => own(false),
            Err(why) => {
                let text = format!("the user {USER} cannot be looked up: {why}");
                report.warn(
                    "user",
                    text,
                    "run: getent passwd kick-monitor; until it answers, the lines below are about root",
                );
                own(false)
            }
        }
    }

    fn name(&self) -> &'static str {
        if self.is_daemon { "the user kick-monitor" } else { "the user that runs this" }
    }

    fn can_write(&self, path: &Path, metadata: &Metadata) -> bool {
        let Some(Account { user, groups, .. }) = &self.account else {
            return rustix::fs::accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok();
        };
        let shift = match () {
            () if metadata.uid() == *user => 6,
            () if groups.contains(&metadata.gid()) => 3,
            () => 0,
        };
        *user == 0 || (metadata.mode() >> shift) & 0o3 == 0o3
    }

    /// Whether the unit's sandbox lets the daemon write there.
    fn is_let(&self, path: &Path) -> bool {
        self.unit.as_ref().is_none_or(|unit| unit.lets_write(path))
    }
}

fn directory(key: &'static str, path: &Path, service: &Service, report: &mut Report) {
    let shown = path.display();
    // The daemon creates a missing directory, so the nearest one that exists must be writable.
    let Some((nearest, metadata)) = nearest(path) else {
        return report.fail(key, format!("{shown} cannot be examined"), Some(&format!("correct {key}")));
    };
    let here = nearest == path;
    let name = service.name();
    match () {
        () if !metadata.is_dir() => {
            report.fail(key, format!("{} is not a directory", nearest.display()), Some(&format!("correct {key}")));
        }
        () if !here && path == Path::new(RUN_DIR) => {
            report.ok(key, format!("{shown} does not exist yet; the service creates it when it starts"));
        }
        () if !service.can_write(&nearest, &metadata) => {
            let what = if here { "cannot be written" } else { "does not exist and cannot be created" };
            let remedy = remedy(key, path, here, service);
            report.fail(key, format!("{shown} {what} by {name}"), Some(&remedy));
        }
        () if !service.is_let(path) => {
            let word = shell_word(path);
            let make = if here { String::new() } else { format!("install -d -o {USER} -g {USER} {word} && ") };
            let remedy = format!(
                "run: {make}mkdir -p {DROP_INS} && printf '[Service]\\nReadWritePaths=\"%s\"\\n' {word} \
                 >{DROP_INS}/{}.conf && systemctl daemon-reload && service kick-monitor restart",
                key.to_lowercase()
            );
            report.fail(
                key,
                format!("the sandbox of the systemd unit does not let the daemon write to {shown}"),
                Some(&remedy),
            );
        }
        () if here => report.ok(key, format!("{shown} can be written by {name}")),
        () => report.ok(key, format!("{shown} does not exist and can be created by {name}")),
    }
}

/// What makes a directory writable. One that exists keeps its owner, who may need it.
fn remedy(key: &str, path: &Path, here: bool, service: &Service) -> String {
    let word = shell_word(path);
    match (service.is_daemon, here) {
        (true, true) => format!("run: chgrp {USER} {word} && chmod g+rwx {word}"),
        (true, false) => format!("run: install -d -o {USER} -g {USER} {word}"),
        (false, _) => format!("make it writable for {}, or set {key} to another path", service.name()),
    }
}

fn nearest(path: &Path) -> Option<(PathBuf, Metadata)> {
    path.ancestors().find_map(|path| Some((path.to_owned(), fs::metadata(path).ok()?)))
}

fn syslog(config: &Config, report: &mut Report) {
    let connected = UnixDatagram::unbound().and_then(|socket| socket.connect(DEV_LOG));
    match (connected, config.log.target) {
        (Ok(()), _) => report.ok("syslog", format!("{DEV_LOG} accepts lines, facility {}", config.log.facility)),
        (Err(_), LogTarget::Stderr) => report.ok("syslog", "is not used: LOG_TARGET=stderr"),
        (Err(error), LogTarget::Syslog) => report.warn(
            "syslog",
            format!("{DEV_LOG} accepts no lines ({error}); they go to standard error until it does"),
            "start the journal or rsyslog, or set LOG_TARGET=stderr",
        ),
    }
}
