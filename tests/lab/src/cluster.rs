//! A private PostgreSQL: its own directory, port and superuser, made from a template that is
//! initialised once, and gone with this process.

use crate::directory::{Directory, home};
use crate::{Database, Who, spawn, wait_for};
use postgres::NoTls;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, getuid, kill_process};
use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::iter::repeat_with;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// How long a busy machine may take for what usually takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// One PostgreSQL server. The superuser is `postgres`, password `postgres`; roles need their
/// password over TCP (scram-sha-256), everybody is trusted on the Unix socket.
#[derive(Debug)]
pub struct Cluster {
    directory: Directory,
    port: u16,
    server: Mutex<Option<Child>>,
    databases: AtomicU32,
}

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Connections are ended in order, everything is written.
    Fast,
    /// Connections are cut; the next start recovers.
    Immediate,
    /// Every process is killed: commits that were not yet written to the log are lost.
    Kill,
}

impl Cluster {
    /// The one for all tests of this process that do not stop it.
    pub fn shared() -> &'static Cluster {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Cluster::start)
    }

    /// One of its own.
    ///
    /// # Panics
    ///
    /// When PostgreSQL is not installed or does not start; the panic holds its log.
    pub fn start() -> Cluster {
        Cluster::start_with("", "", &[])
    }

    /// One of its own with further lines for `postgresql.conf`, lines for `pg_hba.conf` that go
    /// before the usual ones, and files (name, text) in the data directory that only it may read.
    ///
    /// # Panics
    ///
    /// As [`Cluster::start`].
    pub fn start_with(settings: &str, hba: &str, files: &[(&str, &str)]) -> Cluster {
        let directory = Directory::new("cluster");
        fs::create_dir(directory.join("run")).expect("a directory can be made");
        for_postgres(&directory.join("run"));
        for_postgres(&directory);
        run(Command::new("cp").arg("-a").arg(template()).arg(directory.join("data")));
        for (name, text) in files {
            let path = directory.join("data").join(name);
            write(&path, text);
            fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("the mode can be set");
        }
        let (server, databases) = (Mutex::new(None), AtomicU32::new(0));
        let mut cluster = Cluster { directory, port: 0, server, databases };
        // A port that was free may be taken by the time the server binds it.
        for _ in 0..5 {
            cluster.port = free_port();
            configure(&cluster.directory, cluster.port, settings, hba);
            if cluster.try_start_again() {
                return cluster;
            }
        }
        panic!("PostgreSQL does not start:\n{}", log_of(&cluster.directory));
    }

    /// Starts a stopped server again, on the same port.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_again(&self) {
        assert!(self.try_start_again(), "PostgreSQL does not start:\n{}", log_of(&self.directory));
    }

    /// Stops the server and waits for its end.
    pub fn stop(&self, how: Shutdown) {
        let mut server = self.server();
        let Some(mut child) = server.take() else { return };
        let pid = Pid::from_child(&child);
        let children = children_of(pid);
        match how {
            Shutdown::Fast => signal(pid, Signal::INT),
            Shutdown::Immediate => signal(pid, Signal::QUIT),
            Shutdown::Kill => {
                signal(pid, Signal::KILL);
                children.iter().for_each(|child| signal(*child, Signal::KILL));
            }
        }
        wait_for("the end of the server", PATIENCE, || child.try_wait().ok().flatten());
        wait_for("the end of the server's processes", PATIENCE, || {
            children.iter().all(|child| rustix::process::test_kill_process(*child).is_err()).then_some(())
        });
        // A child that was begun in the last moment still holds the listening socket, and takes
        // connections in vain.
        wait_for("the end of its listening socket", PATIENCE, || {
            TcpStream::connect(("127.0.0.1", self.port)).err().filter(|why| why.kind() == ErrorKind::ConnectionRefused)
        });
    }

    /// Halts every process of the server (SIGSTOP): it is there and does not answer.
    pub fn freeze(&self) {
        self.all_processes(Signal::STOP);
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.all_processes(Signal::CONT);
    }

    /// Stops PostgreSQL's WAL writer, so that a crash undoes all commits that did not wait for the disk.
    ///
    /// # Panics
    ///
    /// When there is no such process.
    pub fn freeze_wal_writer(&self) {
        let server = self.server();
        let children = children_of(Pid::from_child(server.as_ref().expect("the server runs")));
        let title =
            |pid: &Pid| fs::read_to_string(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        let writer = children.into_iter().find(|pid| title(pid).contains("walwriter"));
        signal(writer.expect("there is a WAL writer"), Signal::STOP);
    }

    /// A fresh, empty database.
    pub fn database(&self) -> Database {
        self.create("")
    }

    /// The same in another encoding than UTF8.
    pub fn database_in(&self, encoding: &str) -> Database {
        self.create(&format!(" ENCODING '{encoding}' TEMPLATE template0"))
    }

    fn create(&self, options: &str) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("lab_{}_{number}", std::process::id());
        Database::of(self, "postgres".to_owned()).execute(&format!("CREATE DATABASE {name}{options}"));
        Database::of(self, name)
    }

    /// The port on 127.0.0.1, and in the name of the Unix socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of the Unix socket.
    pub fn sockets(&self) -> PathBuf {
        self.directory.join("run")
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn try_start_again(&self) -> bool {
        let log = File::options().create(true).append(true).open(self.directory.join("log")).expect("the log opens");
        let data = self.directory.join("data");
        let mut server = self.server();
        let mut child = spawn(&program("postgres"), Who::Postgres, |command| {
            command
                .arg("-D")
                .arg(&data)
                .current_dir(&data)
                .stdin(Stdio::null())
                .stdout(log.try_clone().expect("a file handle can be copied"))
                .stderr(log)
        })
        .expect("setpriv can be started");
        let admin = Database::of(self, "postgres".to_owned()).socket_url();
        let started = wait_for("PostgreSQL to start", PATIENCE, || {
            if child.try_wait().expect("a child can be waited for").is_some() {
                return Some(false);
            }
            postgres::Client::connect(&admin, NoTls).is_ok().then_some(true)
        });
        if started {
            *server = Some(child);
        }
        started
    }

    fn all_processes(&self, what: Signal) {
        if let Some(child) = self.server().as_ref() {
            let pid = Pid::from_child(child);
            signal(pid, what);
            children_of(pid).into_iter().for_each(|child| signal(child, what));
        }
    }

    fn server(&self) -> MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.thaw();
        self.stop(Shutdown::Immediate);
    }
}

/// Ready-made data, initialised once for each version of PostgreSQL and kept for later runs.
fn template() -> PathBuf {
    let home = home();
    for_postgres(&home);
    let postgres = program("postgres");
    let version = Command::new(&postgres).arg("--version").output().expect("postgres tells its version").stdout;
    let version: String = String::from_utf8_lossy(&version).chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let ready = home.join(format!("template-1-{version}"));
    let lock = File::create(home.join("template.lock")).expect("the lock file opens");
    flock(&lock, FlockOperation::LockExclusive).expect("the lock is granted in time");
    if !ready.exists() {
        let fresh = home.join("template-fresh");
        let _ = fs::remove_dir_all(&fresh);
        write(&home.join("password"), "postgres\n");
        let mut initdb = spawn(&program("initdb"), Who::Postgres, |command| {
            command
                .arg("-D")
                .arg(&fresh)
                .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"])
                .args(["--no-sync", "--no-instructions", "--pwfile"])
                .arg(home.join("password"))
                .current_dir("/")
                .stdout(Stdio::null())
        })
        .expect("setpriv can be started");
        assert!(initdb.wait().expect("initdb can be waited for").success(), "initdb failed");
        fs::rename(&fresh, &ready).expect("the template gets its name");
    }
    ready
}

fn configure(directory: &Path, port: u16, settings: &str, hba: &str) {
    let sockets = directory.join("run");
    let common = format!(
        "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\nmax_connections = 300\n\
         fsync = off\npassword_encryption = 'scram-sha-256'\n{settings}\n",
        sockets.display()
    );
    write(&directory.join("data/postgresql.auto.conf"), &common);
    write(
        &directory.join("data/pg_hba.conf"),
        &format!("{hba}\nlocal all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"),
    );
}

/// PostgreSQL refuses to be root; what it shall use is then given to the user `postgres`.
fn for_postgres(path: &Path) {
    if getuid().is_root() {
        run(Command::new("chown").arg("postgres:").arg(path));
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a file can be written");
    for_postgres(path);
}

/// The newest PostgreSQL of Debian's, else whatever is in the PATH.
pub(crate) fn program(name: &str) -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin").join(name))))
        .filter(|(_, path)| path.exists())
        .collect();
    versions.sort();
    versions.pop().map_or_else(|| PathBuf::from(name), |(_, path)| path)
}

/// A port of 127.0.0.1 that nobody listens on at present.
///
/// # Panics
///
/// When none is left.
pub fn free_port() -> u16 {
    // None of those that the system gives out by itself: somebody else would have it before long.
    let mut ports = repeat_with(|| fastrand::u16(10_000..32_768)).take(1_000);
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(free).expect("a free port is left")
}

fn children_of(pid: Pid) -> Vec<Pid> {
    let pid = pid.as_raw_nonzero();
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|child| Pid::from_raw(child.parse().ok()?)).collect()
}

fn signal(pid: Pid, what: Signal) {
    // Who has ended in the meantime needs no signal.
    let _ = kill_process(pid, what);
}

fn run(command: &mut Command) {
    let status = command.status().expect("coreutils are installed");
    assert!(status.success(), "{command:?} failed");
}

fn log_of(directory: &Path) -> String {
    fs::read_to_string(directory.join("log")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Cluster, Shutdown};

    #[test]
    fn a_cluster_survives_every_kind_of_end() {
        let cluster = Cluster::start();
        let database = cluster.database();
        database.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
        for how in [Shutdown::Fast, Shutdown::Immediate, Shutdown::Kill] {
            cluster.stop(how);
            assert!(postgres::Client::connect(&database.url(), postgres::NoTls).is_err());
            cluster.start_again();
            assert_eq!(database.value("SELECT a FROM t").as_deref(), Some("1"), "after {how:?}");
        }
    }

    #[test]
    fn tcp_asks_for_the_password() {
        let database = Cluster::shared().database();
        assert!(postgres::Client::connect(&database.url(), postgres::NoTls).is_ok());
        assert!(postgres::Client::connect(&database.url_as("postgres", "wrong"), postgres::NoTls).is_err());
    }
}
