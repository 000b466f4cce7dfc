//! What the daemon needs of the database: a way in, the table, its columns, the values, privileges.

use super::{Known, Report};
use crate::clock::Clock;
use crate::config::{Config, SslMode};
use crate::domain::Slug;
use crate::domain::row::Row;
use crate::domain::text::shown;
use crate::gateway::database::{Database, DbError, Inspection};
use crate::stop::Stop;
use std::time::Duration;

/// How long a notification may take through an idle server.
const NOTIFIED_MOST: Duration = Duration::from_secs(3);
/// So many names are told.
const NAMED_MAX: usize = 5;

pub(super) fn check(config: &Config, clock: Clock, report: &mut Report) -> Known {
    let database = match Database::new(config.database.clone(), clock) {
        Ok(database) => database,
        Err(error) => {
            report.fail("database", error.to_string(), Some("correct DATABASE_URL"));
            return Known::default();
        }
    };
    inspect(config, &database, clock, report)
}

fn inspect(config: &Config, database: &Database, clock: Clock, report: &mut Report) -> Known {
    let place = database.place();
    report.trying(&format!("{place}: logging in"));
    let inspection = database.inspect();
    match &inspection {
        Err(DbError::Connection(text)) => {
            let remedy = "correct DATABASE_URL, or have PostgreSQL let this machine in";
            report.fail("database login", text.clone(), Some(remedy));
            return Known::default();
        }
        Err(DbError::Server(text)) => {
            report.fail("database", text.clone(), Some("look at the server's log, and try again"));
            return Known::default();
        }
        Err(DbError::Setup(_)) => report.ok("database login", place),
        Ok(found) => report.ok("database login", format!("{place}, as {}, PostgreSQL {}", found.role, found.version)),
    }
    encryption(config, database, report);
    match inspection {
        Err(error) => {
            let (check, remedy) = blame(&error.to_string());
            report.fail(check, error.to_string(), Some(remedy));
            Known::default()
        }
        Ok(found) => {
            table(config, &found, report);
            listening(config, database, clock, report);
            // What may not be read, the read would only tell again.
            if found.unreadable.is_empty() { roster(config, database, report) } else { Known::default() }
        }
    }
}

fn encryption(config: &Config, database: &Database, report: &mut Report) {
    let weak = matches!(config.database.sslmode, SslMode::Disable | SslMode::Allow | SslMode::Prefer);
    if weak && database.is_remote() {
        report.warn(
            "database TLS",
            "the password and the data may cross the network in the clear: sslmode is weaker than require",
            "write ?sslmode=verify-full at the end of DATABASE_URL",
        );
    }
}

/// What of the set-up is at fault, by the key that the gateway names.
fn blame(text: &str) -> (&'static str, &'static str) {
    match () {
        () if text.contains("has no column") => ("columns", "correct the key named, or add the column to the table"),
        () if text.contains("_VALUE") => ("values", "correct DB_ONLINE_VALUE and DB_OFFLINE_VALUE"),
        () if text.contains("42501") => ("privileges", "run: GRANT USAGE ON SCHEMA to the daemon's role"),
        () => ("table", "correct DB_TABLE, or make one with: kick-monitor schema"),
    }
}

fn table(config: &Config, found: &Inspection, report: &mut Report) {
    let table = &config.database.table;
    report.ok("table", table.clone());
    let columns = found.columns.iter().map(|(_, name, kind)| format!("{name} {kind}"));
    report.ok("columns", columns.collect::<Vec<_>>().join(", "));
    let (online, offline) = (&config.database.online_value, &config.database.offline_value);
    report.ok("values", format!("{online} and {offline} fit column {}", config.database.status_column));
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    for (privilege, columns) in [("SELECT", &found.unreadable), ("UPDATE", &found.unwritable)] {
        for column in columns {
            let column = quoted(column);
            let remedy = format!("run: GRANT {privilege} ({column}) ON {table} TO {}", quoted(&found.role));
            report.fail("privileges", format!("no {privilege} on column {column} of table {table}"), Some(&remedy));
        }
    }
    if found.unreadable.is_empty() && found.unwritable.is_empty() {
        report.ok("privileges", format!("{} may read and write what is needed", found.role));
    }
    if !found.id_unique {
        let id = quoted(&config.database.id_column);
        let remedy = format!("run: CREATE UNIQUE INDEX ON {table} ({id})");
        report.warn("id", format!("column {id} has no unique index of its own, so rows may be confused"), &remedy);
    }
    if found.read_only {
        let remedy = "name the primary in DATABASE_URL, or all hosts with ?target_session_attrs=read-write";
        report.fail(
            "writable",
            "the server is read-only: a standby, or default_transaction_read_only is on",
            Some(remedy),
        );
    }
    if found.through_another_port {
        report.ok(
            "pooler",
            "PgBouncer or a port mapping stands between, which is fine for all but ROSTER_NOTIFY_CHANNEL",
        );
    }
}

fn listening(config: &Config, database: &Database, clock: Clock, report: &mut Report) {
    let Some(channel) = &config.roster.notify_channel else { return };
    report.trying("waiting for a notification");
    let heard = || -> Result<(), DbError> {
        let mut listening = database.listen(channel, &format!("kick_monitor_check_{}", std::process::id()))?;
        listening.beat(database)?;
        let until = clock.steady() + NOTIFIED_MOST;
        while !listening.is_alive() {
            if clock.until(until).is_zero() {
                return Err(listening.silence());
            }
            listening.wait(clock.until(until))?;
        }
        Ok(())
    };
    match heard() {
        Ok(()) => report.ok("notifications", format!("come through on {channel}")),
        Err(error) => report.warn(
            "notifications",
            format!("ROSTER_NOTIFY_CHANNEL does not work, and new rows wait for ROSTER_POLL_SECS: {error}"),
            "connect to PostgreSQL directly in DATABASE_URL, or leave ROSTER_NOTIFY_CHANNEL out",
        ),
    }
}

fn roster(config: &Config, database: &Database, report: &mut Report) -> Known {
    report.trying("reading the table");
    let rows = match database.read_roster(&Stop::never()) {
        Ok(rows) => rows,
        Err(error) => {
            report.fail("roster", error.to_string(), Some("correct DB_FILTER, or what the message names"));
            return Known::default();
        }
    };
    if rows.is_empty() {
        report.warn("roster", "no row is to be watched", "add rows to the table, or correct DB_FILTER");
        return Known::default();
    }
    let mut known = Known::default();
    let (mut unusable, mut channelless) = (Vec::new(), Vec::new());
    for row in &rows {
        match Slug::from_username(&row.username) {
            Err(_) => unusable.push(row),
            Ok(name) => {
                known.channel = known.channel.or(row.channel);
                if row.channel.is_none() {
                    known.channelless.get_or_insert_with(|| name.clone());
                    channelless.push(row);
                }
                known.name.get_or_insert(name);
            }
        }
    }
    report.ok("roster", format!("{} streamers", rows.len() - unusable.len()));
    if !unusable.is_empty() {
        let text = format!("{} rows whose username cannot be a Kick name: {}", unusable.len(), names(&unusable));
        report.warn("usernames", text, "correct the usernames");
    }
    if !channelless.is_empty() && config.database.channel_id_column.is_some() {
        let text = format!(
            "{} streamers have none in the table, and are looked up: {}",
            channelless.len(),
            names(&channelless)
        );
        report.ok("channel ids", text);
    }
    known
}

fn names(rows: &[&Row]) -> String {
    let mut names: Vec<String> = rows.iter().take(NAMED_MAX).map(|row| format!("{:?}", shown(&row.username))).collect();
    if rows.len() > NAMED_MAX {
        names.push(format!("and {} more", rows.len() - NAMED_MAX));
    }
    names.join(", ")
}
