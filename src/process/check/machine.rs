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

/// Whom the package makes and runs the daemon as.
const USER: &str = "kick-monitor";

pub(super) fn check(config: &Config, report: &mut Report) {
    let service = Service::find();
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
    fn find() -> Service {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let own = Service { name: "the user that runs this".to_owned(), ids: None };
        if !geteuid().is_root() {
            return own;
        }
        let passwd = read("/etc/passwd");
        let entry = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|line| line[0] == USER);
        let numbers = entry.and_then(|line| Some((line.get(2)?.parse().ok()?, line.get(3)?.parse().ok()?)));
        let Some((user, group)) = numbers else { return own };
        let mut groups = vec![group];
        for line in read("/etc/group").lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if fields.get(3).is_some_and(|members| members.split(',').any(|member| member == USER)) {
                groups.extend(fields.get(2).and_then(|group| group.parse::<u32>().ok()));
            }
        }
        Service { name: format!("the user {USER}"), ids: Some((user, groups)) }
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
