//! What root is told by `check` is what the service will see: as its user, with its variables, its credentials and its
//! sandbox. On a machine of the test's own: its `/etc` is a copy, in a mount namespace.

use super::scratch::{Ended, Scratch, finish};
use super::stage::Stage;
use lab::Cluster;
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

const CONFIG: &str = "kick-monitor/kick-monitor.env";
/// A number that no machine has given to anybody.
const USER: u32 = 64_242;
/// A user whom every Debian has.
const WWW_DATA: u32 = 33;

struct Machine {
    stage: Stage,
    scratch: Scratch,
    /// The number of the service's user.
    user: u32,
}

impl Machine {
    /// None where the test may not make one: it takes root, and the right to mount.
    fn new() -> Option<Machine> {
        Machine::with(USER, || Stage::with(&["ana"]))
    }

    fn with(user: u32, stage: impl FnOnce() -> Stage) -> Option<Machine> {
        let mount = Command::new("unshare").args(["--mount", "mount", "--bind", "/etc", "/etc"]).output();
        if !rustix::process::getuid().is_root() || !mount.is_ok_and(|output| output.status.success()) {
            eprintln!("not shown: this takes root, and the right to mount");
            return None;
        }
        let machine = Machine { stage: stage(), scratch: Scratch::new(), user };
        let copied = Command::new("cp").arg("-a").arg("/etc").arg(machine.scratch.path("etc")).output();
        assert!(copied.is_ok_and(|output| output.status.success()), "/etc can be copied");
        machine.append("passwd", &format!("kick-monitor:x:{user}:{user}::/nonexistent:/usr/sbin/nologin\n"));
        machine.append("group", &format!("kick-monitor:x:{user}:\n"));
        fs::create_dir_all(machine.etc("kick-monitor")).expect("a directory can be made");
        let _ = fs::remove_file(machine.etc("default/kick-monitor"));
        for name in ["state", "run", "bin"] {
            fs::create_dir(machine.scratch.path(name)).expect("a directory can be made");
            chown(machine.scratch.path(name), Some(user), Some(user)).expect("root may do that");
        }
        machine.systemctl("exit 1");
        Some(machine)
    }

    fn etc(&self, name: &str) -> PathBuf {
        self.scratch.path("etc").join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let file = OpenOptions::new().append(true).open(self.etc(name));
        file.and_then(|mut file| file.write_all(text.as_bytes())).expect("it can be written");
    }

    /// Writes a file of `/etc`; it is root's.
    fn write(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.etc(name), text).expect("it can be written");
        fs::set_permissions(self.etc(name), Permissions::from_mode(mode)).expect("root may do that");
    }

    /// The configuration, as root leaves it who forgets the group.
    fn configure(&self, change: impl Fn(&str) -> Option<String>, further: &str) {
        self.configure_for(self.stage.database.url(), change, further);
    }

    fn configure_for(&self, database: String, change: impl Fn(&str) -> Option<String>, further: &str) {
        let path = |name: &str| self.scratch.path(name).display().to_string();
        let mut settings = self.stage.kick.settings();
        settings.extend([
            ("DATABASE_URL", database),
            ("STATE_DIR", path("state")),
            ("RUN_DIR", path("run")),
            ("LOG_TARGET", "stderr".to_owned()),
        ]);
        let lines = settings.into_iter().map(|(key, value)| match change(key) {
            Some(other) => other,
            None => format!("{key}='{value}'\n"),
        });
        self.write(CONFIG, &(lines.collect::<String>() + further), 0o600);
    }

    /// As the package leaves it.
    fn hand_over(&self) {
        chown(self.etc(CONFIG), None, Some(self.user)).expect("root may do that");
        fs::set_permissions(self.etc(CONFIG), Permissions::from_mode(0o640)).expect("root may do that");
    }

    /// What is in systemctl's place: a shell script.
    fn systemctl(&self, script: &str) {
        self.scratch.file("bin/systemctl", format!("#!/bin/sh\n{script}\n"), 0o755);
    }

    /// Runs a script as root on the machine.
    fn run(&self, script: &str) -> Ended {
        let script = format!("mount --bind {} /etc && {{ {script}\n}}", self.scratch.path("etc").display());
        let path = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", self.scratch.path("bin").display());
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
        finish(command.env_clear().env("PATH", path))
    }

    fn check(&self, options: &str) -> Ended {
        self.run(&format!("exec {} check {options}", env!("CARGO_BIN_EXE_kick-monitor")))
    }
}

/// The command that a line ends with.
fn remedy<'a>(said: &'a str, line: &str) -> &'a str {
    let line = said.lines().find(|text| text.starts_with(line)).unwrap_or_else(|| panic!("no {line} in\n{said}"));
    line.rsplit_once("run: ").unwrap_or_else(|| panic!("no command: {line}")).1
}

fn keep(_: &str) -> Option<String> {
    None
}

#[test]
fn a_file_that_the_daemon_may_not_read_is_named_with_a_remedy_that_works() {
    let Some(machine) = Machine::new() else { return };
    machine.configure(keep, "");
    for options in ["", "--offline"] {
        let ended = machine.check(options);
        assert_eq!(ended.code, Some(78), "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains("cannot be read: Permission denied"), "{}", ended.stdout);
    }
    // The directory, too, is root's alone.
    fs::set_permissions(machine.etc("kick-monitor"), Permissions::from_mode(0o700)).expect("root may do that");
    let said = machine.check("").stdout;
    let command = remedy(&said, "FAIL /etc/kick-monitor/kick-monitor.env: ");
    assert!(command.contains("chown root:kick-monitor ") && command.contains("chmod 0640 "), "{command}");
    assert_eq!(machine.run(command).code, Some(0), "{command}");
    let ended = machine.check("");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    assert!(ended.stdout.starts_with("ok   service: acting as the user kick-monitor, "), "{}", ended.stdout);
    assert!(ended.stdout.contains("can be written by the user kick-monitor"), "{}", ended.stdout);

    // A secret in a file of its own.
    let secret = |key: &str| (key == "KICK_CLIENT_SECRET").then(String::new);
    machine.configure(secret, "KICK_CLIENT_SECRET_FILE=/etc/kick-monitor/secret\n");
    machine.hand_over();
    machine.write("kick-monitor/secret", machine.stage.kick.client_secret(), 0o400);
    let said = machine.check("").stdout;
    let command = remedy(&said, "FAIL /etc/kick-monitor/kick-monitor.env:");
    assert_eq!(machine.run(command).code, Some(0), "{command}");
    assert_eq!(machine.check("").code, Some(0));
}

#[test]
fn without_a_password_it_logs_in_as_the_services_user() {
    // PostgreSQL looks the user of a socket up on the machine that it runs on itself.
    let files = [("pg_ident.conf", "machine www-data kick-monitor\n")];
    let cluster = Cluster::start_with("", "local all kick-monitor peer map=machine\n", &files);
    let Some(machine) = Machine::with(WWW_DATA, || Stage::on(&cluster).add(&["ana"])) else { return };
    machine.stage.database.execute(
        "CREATE ROLE \"kick-monitor\" LOGIN;
         GRANT SELECT (id, username, status), UPDATE (status) ON streamers TO \"kick-monitor\"",
    );
    let (name, sockets) = (machine.stage.database.name(), cluster.sockets());
    let url = format!("postgres://kick-monitor@/{name}?host={}&port={}", sockets.display(), cluster.port());
    machine.configure_for(url, keep, "");
    machine.hand_over();
    let ended = machine.check("");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    assert!(ended.stdout.contains("as kick-monitor, PostgreSQL "), "{}", ended.stdout);
}

#[test]
fn an_ordinary_user_is_told_to_ask_as_root() {
    let Some(machine) = Machine::new() else { return };
    machine.configure(keep, "");
    let ended = machine.run(&format!(
        "exec setpriv --reuid=65534 --regid=65534 --clear-groups {} check",
        env!("CARGO_BIN_EXE_kick-monitor")
    ));
    assert_eq!(ended.code, Some(78), "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.ends_with("Permission denied (os error 13); run: sudo kick-monitor check\n"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_run_directory_that_the_service_will_create_is_no_fault() {
    let Some(machine) = Machine::new() else { return };
    if Path::new("/run/kick-monitor").exists() {
        return eprintln!("not shown: a kick-monitor runs here");
    }
    machine.configure(|key| (key == "RUN_DIR").then(String::new), "");
    machine.hand_over();
    let ended = machine.check("");
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let line = "ok   RUN_DIR: /run/kick-monitor does not exist yet; the service creates it when it starts\n";
    assert!(ended.stdout.contains(line), "{}", ended.stdout);
}

#[test]
fn another_file_than_the_services_is_judged_by_root_who_may_not_have_put_it_in_place() {
    let Some(machine) = Machine::new() else { return };
    machine.configure(keep, "");
    let copy = machine.scratch.file("new.env", fs::read(machine.etc(CONFIG)).expect("it is there"), 0o600);
    let ended = machine.check(&format!("--offline --config {}", copy.display()));
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
}

#[test]
fn the_variables_of_the_service_are_seen() {
    let Some(machine) = Machine::new() else { return };
    machine.configure(keep, "");
    machine.hand_over();
    machine.write("default/kick-monitor", "# none\nDB_TABLE=elsewhere\n", 0o644);
    let ended = machine.check("");
    assert_eq!(ended.code, Some(69), "{}", ended.stdout);
    assert!(ended.stdout.contains("as the service does; from its environment: DB_TABLE\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("FAIL table: ") && ended.stdout.contains("elsewhere"), "{}", ended.stdout);
    // A unit that systemd knows has its own list of files, and drop-ins.
    machine.systemctl("echo LoadState=loaded; echo 'Environment=DB_TABLE=dropped \"DB_FILTER=true\"'");
    let ended = machine.check("");
    assert!(ended.stdout.contains("from its environment: DB_FILTER, DB_TABLE\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("dropped") && !ended.stdout.contains("elsewhere"), "{}", ended.stdout);
    // What root sets in the shell is not the service's, and that is said.
    let ended = machine.run(&format!("DB_TABLE=streamers exec {} check", env!("CARGO_BIN_EXE_kick-monitor")));
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(ended.stdout.contains("from this shell, and not known to the service: DB_TABLE\n"), "{}", ended.stdout);
    // status looks where the service writes.
    machine.systemctl("echo LoadState=loaded; echo Environment=RUN_DIR=/srv/elsewhere");
    let ended = machine.run(&format!("exec {} status", env!("CARGO_BIN_EXE_kick-monitor")));
    assert!(ended.code == Some(3) && ended.stderr.contains("/srv/elsewhere/status.json"), "{}", ended.stderr);
    // One that hangs is not waited for.
    machine.systemctl("exec sleep 1000");
    assert!(machine.check("").stdout.contains("elsewhere"));
}

#[test]
fn a_credential_that_only_the_service_is_given_is_tried() {
    let Some(machine) = Machine::new() else { return };
    machine.configure(|key| (key == "KICK_CLIENT_SECRET").then(String::new), "");
    machine.hand_over();
    machine.write("kick-monitor/client-secret", machine.stage.kick.client_secret(), 0o600);
    machine.systemctl(
        "echo LoadState=loaded
         echo LoadCredential=kick-client-secret:/etc/kick-monitor/client-secret
         echo Environment=KICK_CLIENT_SECRET_FILE=/run/credentials/kick-monitor.service/kick-client-secret",
    );
    let ended = machine.check("");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    assert!(ended.stdout.contains("ok   token: "), "{}", ended.stdout);
    // A wrong one is refused, so it was this one.
    machine.write("kick-monitor/client-secret", "wrong", 0o600);
    let ended = machine.check("");
    assert!(ended.stdout.contains("FAIL token: "), "{}", ended.stdout);
    fs::remove_file(machine.etc("kick-monitor/client-secret")).expect("it is there");
    let ended = machine.check("");
    assert_eq!(ended.code, Some(78), "{}", ended.stdout);
    assert!(ended.stdout.contains("KICK_CLIENT_SECRET_FILE: names \"/run/credentials/"), "{}", ended.stdout);
}

#[test]
fn directories_that_the_daemon_or_its_sandbox_may_not_write_are_named_with_commands_that_work() {
    let Some(machine) = Machine::new() else { return };
    let metrics = machine.scratch.path("metrics");
    fs::create_dir(&metrics).expect("a directory can be made");
    chown(&metrics, Some(1), Some(1)).expect("root may do that");
    machine.configure(keep, &format!("METRICS_FILE={}/kick.prom\n", metrics.display()));
    machine.hand_over();
    // The sandbox, with what its drop-ins add.
    let sandbox = format!(
        "case $1 in show) ;; *) exit 0 ;; esac
         echo LoadState=loaded
         echo ProtectSystem=strict
         echo 'ReadWritePaths={} {}'
         cat /etc/systemd/system/kick-monitor.service.d/*.conf 2>/dev/null | grep ReadWritePaths || :",
        machine.scratch.path("state").display(),
        machine.scratch.path("run").display()
    );
    machine.systemctl(&sandbox);
    machine.scratch.file("bin/service", "#!/bin/sh\n", 0o755);
    let said = machine.check("").stdout;
    assert_eq!(machine.run(remedy(&said, "FAIL METRICS_FILE: ")).code, Some(0), "{said}");
    assert_eq!(
        std::os::unix::fs::MetadataExt::uid(&fs::metadata(&metrics).expect("it is there")),
        1,
        "it keeps its owner"
    );
    let said = machine.check("").stdout;
    assert!(said.contains("FAIL METRICS_FILE: the sandbox of the systemd unit"), "{said}");
    let command = remedy(&said, "FAIL METRICS_FILE: ").to_owned();
    let ended = machine.run(&command);
    assert_eq!(ended.code, Some(0), "{command}: {}", ended.stderr);
    let ended = machine.check("");
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);

    // A directory that is not there yet.
    let state = machine.scratch.path("other state");
    machine.configure(|key| (key == "STATE_DIR").then(|| format!("STATE_DIR='{}'\n", state.display())), "");
    machine.hand_over();
    for _ in 0..2 {
        let said = machine.check("").stdout;
        assert_eq!(machine.run(remedy(&said, "FAIL STATE_DIR: ")).code, Some(0), "{said}");
    }
    let ended = machine.check("");
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(Path::new(&state).is_dir());
}
