//! What the daemon needs of the database: a login, the table, its columns, the values, privileges.

use super::{Known, Report, coordination};
use crate::clock::Clock;
use crate::config::{Config, SslMode};
use crate::domain::row::Row;
use crate::domain::shards::Scope;
use crate::domain::text::{brief, counted};
use crate::gateway::database::{Database, DbError, Inspection, Misfit, Obstacle, identifier};
use crate::stop::Stop;
use std::time::Duration;

/// The longest time that a notification takes through an idle server.
const NOTIFIED_MOST: Duration = Duration::from_secs(3);
/// At most this many names are shown.
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
    let inspection = match database.inspect() {
        Err(DbError::Connection(obstacle, text)) => {
            report.fail("database login", text, Some(&login_remedy(obstacle, database)));
            return Known::default();
        }
        Err(DbError::Server(text)) => {
            report.fail("database", text, Some("check PostgreSQL's log, and try again"));
            return Known::default();
        }
        Err(DbError::Setup(misfit, text)) => {
            report.ok("database login", place);
            Err((blame(misfit), text))
        }
        Err(DbError::Denied { text, sql }) => {
            report.ok("database login", place);
            Err((("privileges", in_psql(&sql)), text))
        }
        Ok(found) => {
            report.ok("database login", format!("{place}, as {}, PostgreSQL {}", found.role, found.version));
            Ok(found)
        }
    };
    encryption(config, database, report);
    match inspection {
        Err(((check, remedy), text)) => {
            report.fail(check, text, Some(&remedy));
            Known::default()
        }
        Ok(found) => {
            table(config, &found, report);
            coordination::check(&config.database, database, report);
            listening(config, database, &found, clock, report);
            // Without the privilege, reading the table would only report the same failure again.
            if found.unreadable.is_empty() { roster(config, database, &found, report) } else { Known::default() }
        }
    }
}

fn encryption(config: &Config, database: &Database, report: &mut Report) {
    let weak = matches!(config.database.sslmode, SslMode::Disable | SslMode::Allow | SslMode::Prefer);
    if weak && database.is_remote() {
        report.warn(
            "database TLS",
            "the password and the data may cross the network unencrypted: sslmode is weaker than require",
            "set sslmode=verify-full in DATABASE_URL: postgres://.../DATABASE?sslmode=verify-full",
        );
    }
}

/// A statement as a remedy. It is for a role that may run it, such as the table's owner.
fn in_psql(statement: &str) -> String {
    format!("in psql: {statement};")
}

/// What helps to log in. The keys are in DATABASE_URL, so most of it is for a person to correct.
fn login_remedy(obstacle: Obstacle, database: &Database) -> String {
    let role = database.role();
    match obstacle {
        Obstacle::Name => {
            "correct the host in DATABASE_URL, or look at this machine's DNS: /etc/resolv.conf".to_owned()
        }
        Obstacle::Refused => "start PostgreSQL there, or correct host and port in DATABASE_URL".to_owned(),
        Obstacle::Socket => {
            "start PostgreSQL on this machine, or correct the directory and the port of its socket in DATABASE_URL"
                .to_owned()
        }
        Obstacle::Silence => "open the firewall for this host and port, or correct them in DATABASE_URL".to_owned(),
        Obstacle::Untrusted => {
            "add sslrootcert=FILE to DATABASE_URL, where FILE has the certificate of the server's authority".to_owned()
        }
        Obstacle::OtherName => "name the host in DATABASE_URL as the server's certificate has it".to_owned(),
        Obstacle::NoTls => "turn on ssl in the server's postgresql.conf, or lower sslmode in DATABASE_URL".to_owned(),
        Obstacle::Password => format!("correct the password of {role} in DATABASE_URL"),
        Obstacle::Role => {
            format!("correct the user in DATABASE_URL, or create the role {role} (see: kick-monitor schema)")
        }
        Obstacle::Entry => {
            format!(
                "let {role} in from here by a line in the server's pg_hba.conf, then in psql: SELECT pg_reload_conf();"
            )
        }
        Obstacle::Database => "correct the database in DATABASE_URL, or create it with createdb".to_owned(),
        Obstacle::Full => {
            "raise max_connections in the server's postgresql.conf, or close other connections".to_owned()
        }
        Obstacle::Other => "look into the server's log, and try again".to_owned(),
    }
}

/// The item at fault, and its remedy.
fn blame(misfit: Misfit) -> (&'static str, String) {
    let (check, remedy) = match misfit {
        Misfit::Column => ("columns", "correct the key that is named, or add the column to the table"),
        Misfit::Type => ("columns", "correct the key that is named, or the column's type"),
        Misfit::Value => ("values", "set DB_ONLINE_VALUE and DB_OFFLINE_VALUE to two values that fit the column"),
        Misfit::Schema | Misfit::Privilege => ("privileges", "grant the role the privilege that the message names"),
        Misfit::Table | Misfit::Statement | Misfit::Row => {
            ("table", "correct DB_TABLE, or create the table; an example is printed by: kick-monitor schema")
        }
    };
    (check, remedy.to_owned())
}

fn table(config: &Config, found: &Inspection, report: &mut Report) {
    let table = &config.database.table;
    report.ok("table", table.clone());
    let columns = found.columns.iter().map(|(key, name, kind)| {
        let utc = if found.zoneless.contains(key) { " (set in UTC)" } else { "" };
        format!("{name} {kind}{utc}")
    });
    report.ok("columns", columns.collect::<Vec<_>>().join(", "));
    let (online, offline) = (&config.database.online_value, &config.database.offline_value);
    report.ok("values", format!("column {} can hold {online} and {offline}", config.database.status_column));
    for (privilege, columns) in [("SELECT", &found.unreadable), ("UPDATE", &found.unwritable)] {
        for column in columns {
            let column = identifier(column);
            let remedy = in_psql(&format!("GRANT {privilege} ({column}) ON {table} TO {}", identifier(&found.role)));
            report.fail("privileges", format!("no {privilege} on column {column} of table {table}"), Some(&remedy));
        }
    }
    if found.unreadable.is_empty() && found.unwritable.is_empty() {
        report.ok("privileges", format!("{} may read and write the columns that are needed", found.role));
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
            "the connection goes through PgBouncer or a port mapping; only sharing the table among instances and \
             ROSTER_NOTIFY_CHANNEL may need a direct one",
        );
    }
}

/// Has PostgreSQL plan the daemon's own UPDATE statements.
fn writing(config: &Config, database: &Database, found: &Inspection, row: Option<&Row>, report: &mut Report) {
    let error = match database.plan_writes(row.map(|row| &row.id)) {
        Ok(_) => return report.ok("write", "PostgreSQL accepts the statements that will write"),
        Err(error) => error.to_string(),
    };
    let table = &config.database.table;
    // The keys whose columns the message names.
    let written = [
        ("DB_STATUS_COLUMN", Some(&config.database.status_column)),
        ("DB_CHANGED_AT_COLUMN", config.database.changed_at_column.as_ref()),
        ("DB_STARTED_AT_COLUMN", config.database.started_at_column.as_ref()),
    ];
    let named = |name: &&String| error.contains(&identifier(name)) || error.contains(&format!("«{name}»"));
    let keys: Vec<&str> =
        written.iter().filter(|(_, name)| name.as_ref().is_some_and(named)).map(|(key, _)| *key).collect();
    let remedy = match (found.relation.as_str(), &keys[..]) {
        (_, [key, ..]) => format!("set {key} to a column that can be written"),
        ("m", _) => "set DB_TABLE to a table; a materialized view cannot be written".to_owned(),
        // These words are SQL and the same in every language of the server.
        ("r", _) if error.contains("REPLICA IDENTITY") => {
            in_psql(&format!("ALTER TABLE {table} REPLICA IDENTITY FULL"))
        }
        _ if error.contains("REPLICA IDENTITY") => {
            "in psql: ALTER TABLE … REPLICA IDENTITY FULL; for the table that the message names".to_owned()
        }
        ("v", _) if error.contains("INSTEAD OF") => {
            "set DB_TABLE to the table itself, or give the view an INSTEAD OF UPDATE trigger".to_owned()
        }
        ("v", _) => "set DB_TABLE to the table itself".to_owned(),
        _ => "correct what the message names, or set DB_TABLE to another table".to_owned(),
    };
    report.fail("write", format!("{table} (DB_TABLE) cannot be written: {error}"), Some(&remedy));
}

/// Whether the id tells rows apart. It may do so without a unique index.
fn id(config: &Config, found: &Inspection, rows: &[Row], report: &mut Report) {
    let (table, id) = (&config.database.table, identifier(&config.database.id_column));
    let mut ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    ids.sort_unstable();
    let mut shared: Vec<&str> = ids.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    shared.dedup();
    let remedy = "set DB_ID_COLUMN to a column that tells rows apart";
    if !shared.is_empty() {
        let text = format!("rows share a value of column {id} (DB_ID_COLUMN), and are left alone: {}", names(&shared));
        report.fail("id", text, Some(remedy));
    } else if found.id_part_of_key && !found.id_unique && found.relation == "r" {
        let text = format!("column {id} (DB_ID_COLUMN) is only part of a key, so several rows may have the same value");
        report.fail("id", text, Some(remedy));
    } else if !found.id_unique && found.relation == "r" {
        let remedy = in_psql(&format!("CREATE UNIQUE INDEX ON {table} ({id})"));
        report.warn("id", format!("column {id} has no unique index of its own, so rows may be confused"), &remedy);
    }
}

fn listening(config: &Config, database: &Database, found: &Inspection, clock: Clock, report: &mut Report) {
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
        // SQL folds a name without quotes to lower case.
        Ok(()) if *channel != channel.to_lowercase() => report.warn(
            "notifications",
            format!(
                "ROSTER_NOTIFY_CHANNEL {channel} has capital letters: a trigger's NOTIFY {channel} goes to {}, and is not received",
                channel.to_lowercase()
            ),
            &format!(
                "set ROSTER_NOTIFY_CHANNEL={}, or write in the trigger: NOTIFY {}",
                channel.to_lowercase(),
                identifier(channel)
            ),
        ),
        Ok(()) if !found.has_trigger => report.warn(
            "notifications",
            format!("would be received on {channel}, but table {} has no trigger that could send them", config.database.table),
            "create the trigger that is printed by: kick-monitor schema",
        ),
        Ok(()) => report.ok("notifications", format!("are received on {channel}, and the table has a trigger")),
        Err(error) => report.warn(
            "notifications",
            format!("LISTEN on ROSTER_NOTIFY_CHANNEL does not work, so new rows are noticed every ROSTER_POLL_SECS: {error}"),
            "connect to PostgreSQL directly in DATABASE_URL, or remove ROSTER_NOTIFY_CHANNEL",
        ),
    }
}

fn roster(config: &Config, database: &Database, found: &Inspection, report: &mut Report) -> Known {
    report.trying("reading the table");
    let rows = match database.read_roster(&Scope::All, &Stop::never()) {
        Ok(rows) => rows,
        Err(error) => {
            report.fail("roster", error.to_string(), Some("correct DB_FILTER, or what the message names"));
            return Known::default();
        }
    };
    if found.unwritable.is_empty() {
        writing(config, database, found, rows.iter().find(|row| row.flaw.is_none()), report);
    }
    id(config, found, &rows, report);
    if rows.is_empty() {
        report.warn("roster", "the table has no row to follow", "add rows to the table, or correct DB_FILTER");
        return Known::default();
    }
    let mut known = Known::default();
    let (mut unusable, mut channelless) = (Vec::new(), Vec::new());
    for row in &rows {
        match row.name() {
            Err(_) => unusable.push(&*row.username),
            Ok(name) => {
                known.channel = known.channel.or(row.channel);
                if row.channel.is_none() {
                    known.channelless.get_or_insert_with(|| name.clone());
                    channelless.push(&*row.username);
                }
                known.names.push(name);
            }
        }
    }
    report.ok("roster", format!("{} in the table", counted(rows.len() - unusable.len(), "streamer")));
    if !unusable.is_empty() {
        let text = format!(
            "{} with a username or an id that cannot be used: {}",
            counted(unusable.len(), "row"),
            names(&unusable)
        );
        report.warn("usernames", text, "correct these rows");
    }
    if !channelless.is_empty() && config.database.channel_id_column.is_some() {
        let text = format!(
            "{} without one in the table, which the daemon looks up: {}",
            counted(channelless.len(), "streamer"),
            names(&channelless)
        );
        report.ok("channel ids", text);
    }
    known
}

fn names(names: &[&str]) -> String {
    let mut told: Vec<String> = names.iter().take(NAMED_MAX).map(|name| format!("\"{}\"", brief(name))).collect();
    if names.len() > NAMED_MAX {
        told.push(format!("and {} more", names.len() - NAMED_MAX));
    }
    told.join(", ")
}
