//! A fresh database in a private cluster.

use crate::Cluster;
use postgres::{Client, NoTls};
use std::fmt::Display;
use std::path::PathBuf;

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
