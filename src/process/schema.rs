//! `kick-monitor schema`: prints, as SQL, what the configured table needs around it: a role with its grants, and two
//! triggers. `--sample`, or no configuration: a table to begin with, too. No password is printed, and nothing is run.

use crate::config::{Config, DatabaseConfig, Problem};
use crate::domain::text::escaped;
use crate::gateway::database::{grant, identifier, literal, role_in};
use crate::process::cli::DEFAULT_CONFIG;
use crate::process::exit::Code;
use crate::process::{complain, configuration, print};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// The role of the sample, and its password, which is to be changed.
const ROLE: &str = "kick_monitor";
const PASSWORD: &str = "choose-one";
/// The channel of the trigger where none is configured.
const CHANNEL: &str = "kick_roster";

/// Prints the statements for this configuration.
///
/// # Errors
/// When standard output cannot be written to.
pub(super) fn run(path: &Path, sample: bool) -> anyhow::Result<Code> {
    let file = configuration::open(path).map_err(|error| error.kind());
    let fileless = match &file {
        Err(ErrorKind::NotFound) => path == Path::new(DEFAULT_CONFIG),
        Err(ErrorKind::PermissionDenied) => path == Path::new(DEFAULT_CONFIG) && sample,
        _ => false,
    };
    drop(file);
    let loaded = if fileless { configuration::without_file() } else { configuration::load_in_part(path) };
    match loaded {
        Ok(config) => print(&text(&config, sample)),
        Err(problems) => {
            refuse(&problems);
            Ok(Code::Config)
        }
    }
}

fn refuse(problems: &[Problem]) {
    // Each line begins with the file, as in every other command.
    problems.iter().for_each(|problem| drop(writeln!(io::stderr(), "{problem}")));
    complain("the sample needs no configuration: kick-monitor schema --sample");
}

/// All statements.
fn text(config: &Config, sample: bool) -> String {
    let mut database = config.database.clone();
    // The file of a fresh installation, in which nothing is filled in yet, is as good as none.
    let sample = sample || is_untouched(&database);
    if sample {
        for (column, name) in [
            (&mut database.channel_id_column, "channel_id"),
            (&mut database.user_id_column, "user_id"),
            (&mut database.changed_at_column, "changed_at"),
            (&mut database.started_at_column, "started_at"),
        ] {
            column.get_or_insert_with(|| name.to_owned());
        }
    }
    let role = role_in(&database).unwrap_or_else(|| ROLE.to_owned());
    let channel = config.roster.notify_channel.as_deref();
    let values = values(&database, &role, channel.unwrap_or(CHANNEL), sample);
    let parts = [
        include_str!("schema/head.sql"),
        if sample { include_str!("schema/table.sql") } else { "" },
        include_str!("schema/grants.sql"),
        include_str!("schema/home.sql"),
        include_str!("schema/triggers.sql"),
    ];
    let statements = values.iter().fold(parts.concat(), |text, (name, value)| text.replace(name, value));
    statements + &afterwards(config, &database, &role, sample)
}

fn is_untouched(database: &DatabaseConfig) -> bool {
    let DatabaseConfig { table, id_column, username_column, status_column, filter, .. } = database;
    let names = [table, id_column, username_column, status_column].map(String::as_str);
    let optional = [&database.channel_id_column, &database.user_id_column];
    let times = [&database.changed_at_column, &database.started_at_column];
    names == ["\"streamers\"", "id", "username", "status"]
        && database.url.reveal().is_empty()
        && optional.into_iter().chain(times).chain([filter]).all(Option::is_none)
}

/// What stands for each name in braces. None of the values has one itself that comes later.
fn values(database: &DatabaseConfig, role: &str, channel: &str, sample: bool) -> Vec<(&'static str, String)> {
    let DatabaseConfig { table, changed_at_column, started_at_column, online_value, offline_value, .. } = database;
    let name = |column: &Option<String>| column.as_deref().map(identifier);
    let of = |row: &str, column: &Option<String>| name(column).map(|name| format!("{row}.{name}"));
    let none = || "NULL::timestamptz".to_owned();
    let changed = name(changed_at_column).map(|name| {
        // Somebody who changes a status by hand may leave the time alone.
        format!("CASE WHEN NEW.{name} IS DISTINCT FROM OLD.{name} THEN NEW.{name} ELSE now() END")
    });
    let status = identifier(&database.status_column);
    let told: Vec<String> = [Some(status.clone()), name(started_at_column)].into_iter().flatten().collect();
    let mut watched = vec![database.username_column.clone()];
    watched.extend(database.filter_columns().into_iter().filter(|column| *column != database.username_column));
    let watched: Vec<String> = watched.iter().map(|column| identifier(column)).collect();
    let what = if sample { "A table, a role and triggers" } else { "A role and triggers" };
    let password = if sample { format!(" PASSWORD ''{PASSWORD}''") } else { String::new() };
    vec![
        ("{what}", format!("{what} for kick-monitor; the table is {}.", escaped(table))),
        ("{password}", password),
        ("{grant}", grant(database, &identifier(role)) + &subquery(database)),
        ("{role_text}", literal(role)),
        ("{table_text}", literal(table)),
        ("{channel_text}", literal(channel)),
        ("{online_text}", literal(online_value)),
        ("{status_text}", literal(&database.status_column)),
        ("{online}", escaped(online_value)),
        ("{offline}", escaped(offline_value)),
        ("{watched}", watched.join(", ")),
        ("{told}", told.join(", ")),
        ("{old_start}", of("OLD", started_at_column).unwrap_or_else(none)),
        ("{new_start}", of("NEW", started_at_column).unwrap_or_else(none)),
        ("{start}", of("t", started_at_column).unwrap_or_else(none)),
        ("{changed}", changed.unwrap_or_else(|| "now()".to_owned())),
        ("{channel_id}", name(&database.channel_id_column).unwrap_or_default()),
        ("{user_id}", name(&database.user_id_column).unwrap_or_default()),
        ("{changed_at}", name(changed_at_column).unwrap_or_default()),
        ("{started_at}", name(started_at_column).unwrap_or_default()),
        ("{id}", identifier(&database.id_column)),
        ("{username}", identifier(&database.username_column)),
        ("{status}", status),
        ("{table}", table.clone()),
    ]
}

/// What the grants leave out.
fn subquery(database: &DatabaseConfig) -> String {
    let filter = database.filter.as_deref().unwrap_or_default().to_ascii_lowercase();
    match filter.contains("select") {
        true => ";\n-- DB_FILTER has a subquery: grant SELECT on what that reads, too".to_owned(),
        false => String::new(),
    }
}

/// What is left to be done, as comments.
fn afterwards(config: &Config, database: &DatabaseConfig, role: &str, sample: bool) -> String {
    let mut lines = Vec::new();
    if config.database.url.reveal().is_empty() {
        lines.push(format!("DATABASE_URL='postgres://{role}:{PASSWORD}@HOST/DATABASE?sslmode=verify-full'"));
    }
    let columns = [
        ("DB_CHANNEL_ID_COLUMN", &config.database.channel_id_column, &database.channel_id_column),
        ("DB_USER_ID_COLUMN", &config.database.user_id_column, &database.user_id_column),
        ("DB_CHANGED_AT_COLUMN", &config.database.changed_at_column, &database.changed_at_column),
        ("DB_STARTED_AT_COLUMN", &config.database.started_at_column, &database.started_at_column),
    ];
    let new = columns.into_iter().filter(|(_, configured, _)| configured.is_none());
    lines.extend(new.filter_map(|(key, _, name)| Some(format!("{key}={}", name.as_ref()?))));
    if config.roster.notify_channel.is_none() {
        lines.push(format!("ROSTER_NOTIFY_CHANNEL={CHANNEL}"));
    }
    let mut text = String::new();
    if !sample {
        text += &format!(
            "\n-- A new role has no password yet. If DATABASE_URL has one, give it to the role, in psql:\n--\n\
             --     \\password {}\n",
            escaped(&identifier(role))
        );
    }
    if !lines.is_empty() {
        text += "\n-- Then, in the configuration:\n--\n";
        lines.iter().for_each(|line| text += &format!("--     {}\n", escaped(line)));
    }
    text
}
