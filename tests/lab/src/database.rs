//! A fresh database in a private cluster.

use crate::Cluster;
use crate::cluster::program;
use postgres::{Client, NoTls};
use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A database of its own for one test. It goes with its cluster.
#[derive(Clone, Debug)]
pub struct Database {
    name: String,
    port: u16,
    sockets: PathBuf,
}

impl Database {
    pub(crate) fn of(cluster: &Cluster, name: String) -> Database {
        Database { name, port: cluster.port(), sockets: cluster.sockets() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For the superuser, over TCP with a password.
    pub fn url(&self) -> String {
        self.url_as("postgres", "postgres")
    }

    /// For any role, over TCP with a password.
    pub fn url_as(&self, role: &str, password: &str) -> String {
        format!("postgres://{role}:{password}@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// For the superuser, through the Unix socket, where everybody is trusted.
    pub fn socket_url(&self) -> String {
        let path = self.sockets.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{path}:{}/{}", self.port, self.name)
    }

    /// A connection of the superuser's.
    ///
    /// # Panics
    ///
    /// When the cluster does not run.
    pub fn client(&self) -> Client {
        Client::connect(&self.socket_url(), NoTls).expect("the cluster accepts connections")
    }

    /// Runs any number of statements as the superuser.
    ///
    /// # Panics
    ///
    /// When one of them fails.
    #[track_caller]
    pub fn execute(&self, sql: &str) {
        if let Err(error) = self.client().batch_execute(sql) {
            panic!("{sql}\n{}", error.as_db_error().map_or(&error as &dyn Display, |db| db));
        }
    }

    /// What makes `psql NAME` in a shell lead here, as the superuser; nothing more is needed there.
    pub fn environment(&self) -> [(&'static str, String); 6] {
        let (psql, path) = (program("psql"), std::env::var("PATH").unwrap_or_default());
        let own = psql.parent().map(|directory| format!("{}:", directory.display())).unwrap_or_default();
        [
            ("PATH", own + &path),
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", "postgres".to_owned()),
            ("PGPASSWORD", "postgres".to_owned()),
            ("PGCLIENTENCODING", "UTF8".to_owned()),
        ]
    }

    /// Has `psql` run a script, as an administrator would pipe it there, and gives what it printed.
    ///
    /// # Panics
    ///
    /// When `psql` is missing, or one of the statements fails.
    #[track_caller]
    pub fn psql(&self, script: &str) -> String {
        let mut psql = Command::new(program("psql"))
            .args(["-X", "-v", "ON_ERROR_STOP=1", &self.name])
            .envs(self.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql can be started");
        let written = psql.stdin.take().map(|mut stdin| stdin.write_all(script.as_bytes()));
        let output = psql.wait_with_output().expect("psql ends");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && matches!(written, Some(Ok(()))), "{script}\n{errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The one value that a query gives, as text; `None` for NULL or no row.
    ///
    /// # Panics
    ///
    /// When it fails.
    #[track_caller]
    pub fn value(&self, sql: &str) -> Option<String> {
        let answer = self.client().simple_query(sql).unwrap_or_else(|error| panic!("{sql}\n{error:?}"));
        answer.iter().find_map(|message| match message {
            postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
            _ => None,
        })?
    }
}
