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

/// Whom the package makes and runs the daemon as.
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

/// As whom the daemon will run: the package's user if root asks and there is one, else who asks.
struct Service {
    name: String,
    /// User and groups, when they are not our own.
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
                report.warn("user", text, "see whether 'getent passwd' answers; what follows is true of root");
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

/// The entry of [`USER`] in this database of getent(1), empty if there is no such user: wherever the machine has its
/// users from, which may be a server that does not answer.
fn getent(database: &str) -> Result<String, String> {
    let output = Command::new("timeout").args([LOOK_UP_SECS, "getent", database, USER]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("failed to start getent: {error}"))?;
    match output.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        // It is not known (getent(1)).
        Some(2) => Ok(String::new()),
        // timeout(1)
        Some(124) => Err(format!("no answer within {LOOK_UP_SECS} s")),
        _ => Err(format!("getent failed ({})", output.status)),
    }
}

fn directory(key: &'static str, path: &Path, service: &Service, report: &mut Report) {
    let shown = path.display();
    // What is not there is made, in the nearest directory that is.
    let Some((nearest, metadata)) = nearest(path) else {
        return report.fail(key, format!("{shown} cannot be looked at"), Some(&format!("correct {key}")));
    };
    let here = nearest == path;
    let name = &service.name;
    let remedy = match &service.ids {
        Some(_) => format!("run: install -d -o {USER} -g {USER} {shown}"),
        None => format!("give it to {name}, or set {key} to another place"),
    };
    match () {
        () if !metadata.is_dir() => {
            report.fail(key, format!("{} is no directory", nearest.display()), Some(&format!("correct {key}")));
        }
        () if service.can_write(&nearest, &metadata) && here => {
            report.ok(key, format!("{shown} can be written by {name}"));
        }
        () if service.can_write(&nearest, &metadata) => {
            report.ok(key, format!("{shown} is not there and can be made by {name}"));
        }
        () if !here && path.starts_with("/run") => {
            let text = format!("{shown} is not there; the service manager makes it when the daemon starts");
            report.warn(key, text, &remedy);
        }
        () if !here => report.fail(key, format!("{shown} is not there and cannot be made by {name}"), Some(&remedy)),
        () => report.fail(key, format!("{shown} cannot be written by {name}"), Some(&remedy)),
    }
}

fn nearest(path: &Path) -> Option<(PathBuf, Metadata)> {
    path.ancestors().find_map(|path| Some((path.to_owned(), fs::metadata(path).ok()?)))
}

fn syslog(config: &Config, report: &mut Report) {
    let connected = UnixDatagram::unbound().and_then(|socket| socket.connect(DEV_LOG));
    match (connected, config.log.target) {
        (Ok(()), _) => report.ok("syslog", format!("{DEV_LOG} takes lines, facility {}", config.log.facility)),
        (Err(_), LogTarget::Stderr) => report.ok("syslog", "is not used: LOG_TARGET=stderr"),
        (Err(error), LogTarget::Syslog) => report.warn(
            "syslog",
            format!("{DEV_LOG} takes no lines ({error}); they go to standard error until it does"),
            "start the journal or rsyslog, or set LOG_TARGET=stderr",
        ),
    }
}
