//! The service `kick-monitor` as the machine starts it: as which user, with which variables, credentials and sandbox.
//! So that `check`, run by root, judges what the daemon will see and not what root sees.
//!
//! It reads what systemd says of the unit, or else `/etc/default/kick-monitor`, and changes nothing.

mod credentials;
mod variables;

use super::cli::DEFAULT_CONFIG;
use crate::config::keys::KEYS;
use credentials::Credentials;
use rustix::process::geteuid;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The user that the package creates and runs the daemon as.
pub(super) const USER: &str = "kick-monitor";
/// The longest that a look-up of a user, or of the unit, may take.
const LOOK_UP_SECS: &str = "5";
/// The variables for the service under either init system.
const DEFAULTS: &str = "/etc/default/kick-monitor";
/// Tells the process that acts as the service how it does so.
const ACTING: &str = "KICK_MONITOR_ACTING";

/// A user with its groups, as numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) groups: Vec<u32>,
}

impl Account {
    /// The daemon's user; `None` if the machine has no such user. The machine may have its users from a server, which
    /// may not answer.
    pub(super) fn of_daemon() -> Result<Option<Account>, String> {
        let entry = getent("passwd")?;
        let mut fields = entry.split(':').skip(2).map_while(|number| number.parse().ok());
        let (Some(user), Some(group)) = (fields.next(), fields.next()) else { return Ok(None) };
        // The name, and the numbers of the other groups.
        let others = getent("initgroups").unwrap_or_default();
        let others = others.split_whitespace().skip(1).filter_map(|group| group.parse().ok());
        Ok(Some(Account { user, group, groups: others.chain([group]).collect() }))
    }
}

/// Whether this process has the daemon's user.
pub(super) fn is_the_daemons_user() -> bool {
    !geteuid().is_root()
        && Account::of_daemon().ok().flatten().is_some_and(|account| account.user == geteuid().as_raw())
}

/// Root who looks at the service's own configuration becomes the daemon's user, with the variables of the service: this
/// process is replaced by one that does the same. Returns if that is not the case, or why it cannot be.
///
/// Another configuration is judged by the user who names it: it may be one that is not in its place yet.
pub(super) fn act_as_the_service(config: &Path) -> Result<(), String> {
    if !geteuid().is_root() || config != Path::new(DEFAULT_CONFIG) {
        return Ok(());
    }
    let Some(account) = Account::of_daemon()? else { return Ok(()) };
    let failed = |error: io::Error| format!("failed to become the user {USER}: {error}");
    let unit = Unit::ask();
    let own = own_variables();
    let mut given = unit.variables.clone();
    let note = note(&unit, &own);
    let credentials = Credentials::open(&unit.credentials, &mut given).map_err(failed)?;
    // By its descriptor: the file may be where the other user cannot go.
    let program = std::env::current_exe().and_then(File::open).map_err(failed)?;
    keep_open(&program).map_err(failed)?;
    let groups: Vec<String> = account.groups.iter().map(u32::to_string).collect();
    let error = Command::new("setpriv")
        .arg(format!("--reuid={}", account.user))
        .arg(format!("--regid={}", account.group))
        .arg(format!("--groups={}", groups.join(",")))
        .arg("--")
        .arg(format!("/proc/self/fd/{}", program.as_raw_fd()))
        .args(std::env::args_os().skip(1))
        // The directory of root's shell may be closed to the other user.
        .current_dir("/")
        .envs(given)
        .envs(own)
        .env(ACTING, note)
        .exec();
    drop(credentials);
    Err(failed(error))
}

/// How this process acts as the service, if it does.
pub(super) fn acting() -> Option<String> {
    std::env::var(ACTING).ok().filter(|_| geteuid().as_raw() != 0)
}

/// The value that the service's environment gives a variable.
pub(super) fn variable(name: &str) -> Option<OsString> {
    Unit::ask().variables.remove(&OsString::from(name))
}

/// What is said of how the service is looked at.
fn note(unit: &Unit, own: &BTreeMap<OsString, OsString>) -> String {
    let names = |names: &mut dyn Iterator<Item = &OsString>| {
        names.map(|name| name.to_string_lossy().into_owned()).collect::<Vec<_>>().join(", ")
    };
    let mut note = format!("acting as the user {USER}, as the service does");
    let mut given = unit.variables.keys().filter(|name| is_key(name) && !own.contains_key(*name)).peekable();
    if given.peek().is_some() {
        note.push_str(&format!("; from its environment: {}", names(&mut given)));
    }
    if !own.is_empty() {
        note.push_str(&format!("; from this shell, and not known to the service: {}", names(&mut own.keys())));
    }
    note
}

fn is_key(name: &OsString) -> bool {
    KEYS.iter().any(|key| name == key.name)
}

/// The keys that were set in the shell, which override everything.
fn own_variables() -> BTreeMap<OsString, OsString> {
    std::env::vars_os().filter(|(name, _)| is_key(name)).collect()
}

fn keep_open(file: &File) -> io::Result<()> {
    Ok(rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty())?)
}

/// What the unit says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unit {
    /// Whether systemd knows the unit.
    known: bool,
    variables: BTreeMap<OsString, OsString>,
    /// The credentials that are read from a file: name and path.
    credentials: Vec<(String, PathBuf)>,
    /// Where the sandbox lets the daemon write; `None` if there is no sandbox.
    writable: Option<Vec<PathBuf>>,
}

impl Unit {
    /// Asks systemd; without it, or if it does not know the unit, there is what an init script has.
    pub(super) fn ask() -> Unit {
        let properties = [
            "LoadState",
            "Environment",
            "EnvironmentFiles",
            "LoadCredential",
            "ProtectSystem",
            "ReadWritePaths",
            "StateDirectory",
            "RuntimeDirectory",
            "LogsDirectory",
            "CacheDirectory",
        ];
        let shown = within_limit("systemctl", &["show", "kick-monitor.service", "-p", &properties.join(",")]);
        let text = shown.ok().filter(|output| output.status.success());
        let text = text.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let unit = Unit::read(&text, &read);
        if unit.known {
            return unit;
        }
        Unit { variables: variables::of_file(&read(Path::new(DEFAULTS))), ..Unit::default() }
    }

    /// Reads the properties. `read` reads a file of variables.
    fn read(text: &str, read: &dyn Fn(&Path) -> String) -> Unit {
        let mut unit = Unit::default();
        // Its /tmp is its own, so what it writes there is for nobody.
        let (mut strict, mut writable) = (false, Vec::new());
        let mut from_files = BTreeMap::new();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let below = |parent: &'static str| {
                let names = value.split_whitespace().filter_map(|name| name.split(':').next());
                names.map(|name| Path::new(parent).join(name)).collect::<Vec<_>>()
            };
            match name {
                "LoadState" => unit.known = value == "loaded",
                "Environment" => unit.variables = variables::of_words(value),
                "EnvironmentFiles" => {
                    let path = value.split(" (").next().unwrap_or_default();
                    from_files.extend(variables::of_file(&read(Path::new(path))));
                }
                "LoadCredential" => {
                    unit.credentials.extend(value.split_once(':').map(|(name, path)| (name.to_owned(), path.into())));
                }
                "ProtectSystem" => strict = value == "strict",
                "ReadWritePaths" => {
                    let plain = |path: &str| PathBuf::from(path.trim_start_matches(['-', '+']));
                    writable.extend(variables::words(value).iter().map(|path| plain(path)));
                }
                "StateDirectory" => writable.extend(below("/var/lib")),
                "RuntimeDirectory" => writable.extend(below("/run")),
                "LogsDirectory" => writable.extend(below("/var/log")),
                "CacheDirectory" => writable.extend(below("/var/cache")),
                _ => {}
            }
        }
        // A file overrides what stands in the unit (systemd.exec(5)).
        unit.variables.extend(from_files);
        unit.writable = strict.then_some(writable);
        unit
    }

    /// Whether the sandbox lets the daemon write in this directory.
    pub(super) fn lets_write(&self, directory: &Path) -> bool {
        self.writable.as_ref().is_none_or(|places| places.iter().any(|place| directory.starts_with(place)))
    }
}

/// The entry of [`USER`] in this database of getent(1), empty if there is no such user.
fn getent(database: &str) -> Result<String, String> {
    let output =
        within_limit("getent", &[database, USER]).map_err(|error| format!("failed to start getent: {error}"))?;
    match output.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        // There is no such user (getent(1)).
        Some(2) => Ok(String::new()),
        // timeout(1)
        Some(124) => Err(format!("no answer within {LOOK_UP_SECS} s")),
        _ => Err(format!("getent failed ({})", output.status)),
    }
}

fn within_limit(program: &str, arguments: &[&str]) -> io::Result<Output> {
    Command::new("timeout").arg(LOOK_UP_SECS).arg(program).args(arguments).stdin(Stdio::null()).output()
}

/// What lets the daemon's user read a file that it may not read now, for a message.
pub(super) fn remedy_for_reading(path: &Path, is_secret: bool) -> String {
    let shown = super::configuration::shell_word(path);
    // A file that cannot even be examined is in a directory that is closed.
    let directory = path.parent().filter(|_| fs::metadata(path).is_err());
    let open = directory.map(|directory| format!("chmod a+x {} && ", super::configuration::shell_word(directory)));
    let open = open.unwrap_or_default();
    match is_secret {
        true => format!("as root, run: {open}chown root:{USER} {shown} && chmod 0640 {shown}"),
        false => format!("as root, run: {open}chmod a+r {shown}"),
    }
}

#[cfg(test)]
mod tests {
    use super::Unit;
    use std::ffi::OsString;
    use std::path::Path;

    const SHOWN: &str = "\
LoadState=loaded
Environment=KICK_CLIENT_SECRET_FILE=/run/credentials/kick-monitor.service/s DB_TABLE=a \"DB_FILTER=x = 'y'\"
EnvironmentFiles=/etc/default/kick-monitor (ignore_errors=yes)
LoadCredential=s:/etc/kick-monitor/client-secret
ProtectSystem=strict
ReadWritePaths=/srv/metrics -/srv/more
StateDirectory=kick-monitor
RuntimeDirectory=kick-monitor
";

    #[test]
    fn what_systemd_shows_is_read() {
        let read = |path: &Path| {
            assert_eq!(path, Path::new("/etc/default/kick-monitor"));
            "DB_TABLE=b\n".to_owned()
        };
        let unit = Unit::read(SHOWN, &read);
        let variable = |name: &str| unit.variables.get(&OsString::from(name)).and_then(|value| value.to_str());
        assert_eq!(variable("DB_TABLE"), Some("b"), "the file wins");
        assert_eq!(variable("DB_FILTER"), Some("x = 'y'"));
        assert_eq!(variable("KICK_CLIENT_SECRET_FILE"), Some("/run/credentials/kick-monitor.service/s"));
        assert_eq!(unit.credentials, [("s".to_owned(), "/etc/kick-monitor/client-secret".into())]);
        for (directory, may) in [
            ("/var/lib/kick-monitor", true),
            ("/run/kick-monitor", true),
            ("/srv/metrics", true),
            ("/srv/more/below", true),
            ("/srv", false),
            ("/var/lib/kick-monitor2", false),
            ("/var/lib/prometheus/node-exporter", false),
        ] {
            assert_eq!(unit.lets_write(Path::new(directory)), may, "{directory}");
        }
        let open = Unit::read("LoadState=not-found\nProtectSystem=no\n", &|_| String::new());
        assert!(!open.known && open.lets_write(Path::new("/srv")));
    }
}
