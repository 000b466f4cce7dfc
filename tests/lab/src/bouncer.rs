//! A PgBouncer in front of a private PostgreSQL, pooling transactions.

use crate::{Cluster, Database, Who, spawn, wait_for};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// Listens on a Unix socket beside PostgreSQL's own, with two connections to it for everybody who
/// comes. Ends with this value.
#[derive(Debug)]
pub struct Bouncer {
    settings: PathBuf,
    url: String,
    console: String,
    child: Mutex<Child>,
}

impl Bouncer {
    /// One for this database; a cluster has room for one at a time.
    ///
    /// # Panics
    ///
    /// When PgBouncer is not installed or does not start.
    pub fn start(cluster: &Cluster, database: &Database) -> Bouncer {
        let port = if cluster.port() == 6432 { 6433 } else { 6432 };
        let sockets = cluster.sockets();
        let settings = sockets.join(format!("{}.ini", database.name()));
        let text = format!(
            "[databases]\n* = host={sockets} port={} user=postgres\n[pgbouncer]\nlisten_addr =\nlisten_port = {port}\n\
             unix_socket_dir = {sockets}\nauth_type = any\nadmin_users = postgres\npool_mode = transaction\ndefault_pool_size = 2\n",
            cluster.port(),
            sockets = sockets.display(),
        );
        fs::write(&settings, text).expect("a file can be written");
        let through = |name: &str| {
            let direct = Database::of(cluster, name.to_owned()).socket_url();
            direct.replace(&format!(":{}/", cluster.port()), &format!(":{port}/"))
        };
        let (url, console) = (through(database.name()), through("pgbouncer"));
        let child = Mutex::new(run(&settings));
        let bouncer = Bouncer { settings, url, console, child };
        bouncer.wait_serving();
        bouncer
    }

    /// How to connect to the database through it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Shuts it down by its console, and waits for the end. Not by a signal: 1.18 has another for this
    /// than 1.23, whose TERM waits for every client to leave.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn stop(&self) {
        let mut console = postgres::Client::connect(&self.console, postgres::NoTls).expect("PgBouncer has a console");
        // It hangs up instead of answering.
        if let Err(end) = console.batch_execute("SHUTDOWN") {
            assert!(end.as_db_error().is_none(), "PgBouncer refuses to end: {end:?}");
        }
        self.wait_end();
    }

    /// Kills it, and waits for the end.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn kill(&self) {
        self.child().kill().expect("who runs can be killed");
        self.wait_end();
    }

    /// Starts it again, at the same place.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_again(&self) {
        *self.child() = run(&self.settings);
        self.wait_serving();
    }

    fn wait_end(&self) {
        wait_for("the end of PgBouncer", PATIENCE, || self.child().try_wait().ok().flatten());
    }

    fn wait_serving(&self) {
        wait_for("PgBouncer (tests/needs.sh installs it)", PATIENCE, || {
            postgres::Client::connect(&self.url, postgres::NoTls).is_ok().then_some(())
        });
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn run(settings: &Path) -> Child {
    let program = Path::new("/usr/sbin/pgbouncer");
    // Debian's is not in everybody's PATH.
    let program = if program.exists() { program } else { Path::new("pgbouncer") };
    let child = spawn(program, Who::Postgres, |command| {
        command.arg("--quiet").arg(settings).current_dir("/").stdout(Stdio::null()).stderr(Stdio::null())
    });
    child.expect("setpriv can be started")
}
