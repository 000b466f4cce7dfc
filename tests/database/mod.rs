//! The gateway to PostgreSQL and its workers, against a server of their own.

mod connection;
mod coordination;
mod coordinators;
mod faults;
mod ids;
mod operators;
mod refusals;
mod starts;
mod types;
mod workers;
mod writes;

use kick_monitor::clock::Clock;
use kick_monitor::config::{Coordination, DatabaseConfig, SslMode};
use kick_monitor::domain::row::{Shown, Write, WriteId, WriteResult};
use kick_monitor::domain::secret::Secret;
use kick_monitor::domain::shards::Scope;
use kick_monitor::domain::{RowId, Source, Status};
use kick_monitor::gateway::database::Database;
use kick_monitor::stop::Stop;
use kick_monitor::worker::writer::lane::Lane;
use lab::Cluster;
use std::time::Duration;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A fresh database prepared by `sql`, and a configuration with every default.
fn fixture(sql: &str) -> (lab::Database, DatabaseConfig) {
    let lab = Cluster::shared().database();
    lab.execute(sql);
    let config = config(&lab.url());
    (lab, config)
}

fn config(url: &str) -> DatabaseConfig {
    DatabaseConfig {
        url: Secret::new(url),
        sslmode: SslMode::Prefer,
        sslrootcert: None,
        table: "\"streamers\"".to_owned(),
        id_column: "id".to_owned(),
        username_column: "username".to_owned(),
        status_column: "status".to_owned(),
        online_value: "Online".to_owned(),
        offline_value: "Offline".to_owned(),
        channel_id_column: None,
        user_id_column: None,
        changed_at_column: None,
        started_at_column: None,
        shards: 1,
        coordination: Coordination::Off,
        filter: None,
        pool_size: 2,
        synchronous_commit: "off".to_owned(),
        notify_channel: None,
    }
}

fn open(config: &DatabaseConfig) -> Database {
    Database::new(config.clone(), Clock::start()).expect("the configuration is good")
}

/// The write number `number` of the row `id`.
fn wish(number: u64, id: &str, status: Status) -> Write {
    Write {
        id: WriteId(number),
        row: RowId::new(id),
        username: format!("user {id}").into(),
        status,
        changed_at: "2026-11-23T12:34:56.123456789Z".parse().expect("a time"),
        source: Source::Push,
        started_at: None,
        title: None,
        start_only: false,
        apart: false,
        hold: None,
    }
}

/// Writes these as a writer does, one statement after another, until each is answered.
fn write_all(database: &Database, writes: Vec<Write>) -> Vec<(WriteId, WriteResult)> {
    let (clock, mut lane) = (Clock::start(), Lane::default());
    writes.into_iter().for_each(|write| lane.add(write));
    let mut results = Vec::new();
    while let Some(statement) = lane.choose() {
        let begun = clock.steady();
        let attempt = database.write(&statement.rows, None, statement.limit, &Stop::never(), &|| ());
        results.extend(lane.take(statement, attempt, clock.steady().since(begun)));
    }
    results
}

/// Writes one status to some rows and gives the results in the rows' order.
fn write(database: &Database, ids: &[&str], status: Status) -> Vec<WriteResult> {
    let writes: Vec<Write> = (0..).zip(ids).map(|(number, id)| wish(number, id, status)).collect();
    let mut results = write_all(database, writes);
    results.sort_by_key(|(number, _)| *number);
    assert_eq!(results.len(), ids.len(), "each write is answered once: {results:?}");
    results.into_iter().map(|(_, result)| result).collect()
}

/// What the roster shows: `id=Online`, sorted.
fn shown(database: &Database) -> Vec<String> {
    let rows = database
        .read_roster(&Scope::All, &Stop::never())
        .unwrap_or_else(|error| panic!("the roster is not read: {error}"));
    let mut shown: Vec<String> = rows
        .into_iter()
        .map(|row| match row.shown {
            Shown::Known(status) => format!("{}={}", row.id, status.word()),
            Shown::Unknown => format!("{}=?", row.id),
        })
        .collect();
    shown.sort();
    shown
}

/// The message of a read that has to fail.
fn refusal(config: &DatabaseConfig) -> String {
    match open(config).read_roster(&Scope::All, &Stop::never()) {
        Ok(rows) => panic!("the roster is read: {rows:?}"),
        Err(error) => error.to_string(),
    }
}
