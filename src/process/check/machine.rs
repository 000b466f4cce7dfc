//! What the daemon needs of this machine: directories that its user can write, and a syslog.

use super::Report;
use crate::config::{Config, LogTarget};
use crate::process::logging::DEV_LOG;
use rustix::fs::{Access, AtFlags, CWD};
use rustix::process::geteuid;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The longest that a look-up of a user may take.
const LOOK_UP_SECS: &str = "5";

/// The user that the package creates and runs the daemon as.
const USER: &str = "kick-monitor";

pub(super) fn check(config: &Config, report: &mut Report) {
    let service = Service::find(report);
    directory("STATE_DIR", &config.files.state_dir, &service, report);
    directory("RUN_DIR", &config.files.run_dir, &service, report);
    if let Some(file) = &config.files.metrics_file {
        directory("METRICS_FILE", file.parent().unwrap_or(file), &service, report);
    }
    syslog(config, report);
}

/// The user that the daemon will run as: the package's if it exists and root runs `check`, otherwise the user that
/// runs `check`.
struct Service {
    name: String,
    /// User and groups, when they are not those of this process.
    ids: Option<(u32, Vec<u32>)>,
}

impl Service {
    fn find(report: &mut Report) -> Service {
        let own = Service { name: "the user that runs this".to_owned(), ids: None };
        if !geteuid().is_root() {
            return own;
        }
        let entry = match getent("passwd") {
            Ok(entry) => entry,
            Err(why) => {
                let text = format!("the user {USER} cannot be looked up: {why}");
                report.warn(
                    "user",
                    text,
                    "run: getent passwd kick-monitor; until it answers, the lines below are about root",
                );
                return own;
            }
        };
        let mut fields = entry.split(':').skip(2).map_while(|number| number.parse().ok());
        let (Some(user), Some(group)) = (fields.next(), fields.next()) else { return own };
        // The name, and the numbers of the other groups.
        let others = getent("initgroups").unwrap_or_default();
        let others = others.split_whitespace().skip(1).filter_map(|group| group.parse().ok());
        Service { name: format!("the user {USER}"), ids: Some((user, others.chain([group]).collect())) }
    }

    fn can_write(&self, path: &Path, metadata: &Metadata) -> bool {
        let Some((user, groups)) = &self.ids else {
            return rustix::fs::accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok();
        };
        let shift = match () {
            () if metadata.uid() == *user => 6,
            () if groups.contains(&metadata.gid()) => 3,
            () => 0,
        };
        *user == 0 || (metadata.mode() >> shift) & 0o3 == 0o3
    }
}

/// The entry of [`USER`] in this database of getent(1), empty if there is no such user. The machine may have its users
/// from a server, which may not answer.
fn getent(database: &str) -> Result<String, String> {
    let output = Command::new("timeout").args([LOOK_UP_SECS, "getent", database, USER]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("failed to start getent: {error}"))?;
    match output.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        // There is no such user (getent(1)).
        Some(2) => Ok(String::new()),
        // timeout(1)
        Some(124) => Err(format!("no answer within {LOOK_UP_SECS} s")),
        _ => Err(format!("getent failed ({})", output.status)),
    }
}

fn directory(key: &'static str, path: &Path, service: &Service, report: &mut Report) {
    let shown = path.display();
    // The daemon creates a missing directory, so the nearest one that exists must be writable.
    let Some((nearest, metadata)) = nearest(path) else {
        return report.fail(key, format!("{shown} cannot be examined"), Some(&format!("correct {key}")));
    };
    let here = nearest == path;
    let name = &service.name;
    let remedy = match &service.ids {
        Some(_) => format!("run: install -d -o {USER} -g {USER} {shown}"),
        None => format!("make it writable for {name}, or set {key} to another path"),
    };
    match () {
        () if !metadata.is_dir() => {
            report.fail(key, format!("{} is not a directory", nearest.display()), Some(&format!("correct {key}")));
        }
        () if service.can_write(&nearest, &metadata) && here => {
            report.ok(key, format!("{shown} can be written by {name}"));
        }
        () if service.can_write(&nearest, &metadata) => {
            report.ok(key, format!("{shown} does not exist and can be created by {name}"));
        }
        () if !here && path.starts_with("/run") => {
            let text = format!("{shown} does not exist; the service manager creates it when the daemon starts");
            report.warn(key, text, &remedy);
        }
        () if !here => {
            report.fail(key, format!("{shown} does not exist and cannot be created by {name}"), Some(&remedy));
        }
        () => report.fail(key, format!("{shown} cannot be written by {name}"), Some(&remedy)),
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
