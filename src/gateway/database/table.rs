//! The description of the table: the columns' types, and whether the two status values fit.
//!
//! It is read anew on each connection, because the next one may reach another server. It is dropped when an error
//! suggests that the table has changed, so that a table that was renamed and is back works again.

use super::error::{Blame, DbError, Fault, Misfit};
use super::sql::{self, Kind, Shape};
use crate::config::DatabaseConfig;
use postgres::Client;
use postgres::types::Type;
use std::sync::Arc;

/// The keys of the columns for times.
const CHANGED_AT: &str = "DB_CHANGED_AT_COLUMN";
const STARTED_AT: &str = "DB_STARTED_AT_COLUMN";

/// The statements, built for the table as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) roster: String,
    /// The statements that write without a lease, and with one (R25).
    writing: [Writing; 2],
    /// The configured columns: key, name, and type as declared.
    pub(super) columns: Vec<(&'static str, String, String)>,
    /// The database's encoding, by PostgreSQL's name.
    pub(super) encoding: String,
    /// The keys of the columns for times that have no time zone, and are set in UTC.
    pub(super) zoneless: Vec<&'static str>,
}

/// The statements that write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Writing {
    /// Writes one row. Sent whole to the connection's thread at each change, hence shared.
    pub(super) one: Arc<str>,
    /// Writes several.
    pub(super) many: String,
    /// Writes the start of the broadcast alone; none if nobody learns of it.
    pub(super) start: Option<String>,
    /// Finds out why rows were not written.
    pub(super) why_not: String,
}

impl Table {
    /// The statements that write with a lease, or without one.
    pub(super) fn writing(&self, leased: bool) -> &Writing {
        &self.writing[usize::from(leased)]
    }

    /// Reads the description and checks that both values fit the status column.
    pub(super) fn learn(client: &mut Client, config: &DatabaseConfig, place: &str) -> Result<Table, Fault> {
        let (found, encoding) = describe(client, config, place)?;
        let column = |key: &str, name: &str| {
            let found = found.iter().find(|column| column.name == name);
            found.cloned().ok_or_else(|| missing_column(config, key, name))
        };
        let known = columns(config).into_iter();
        let columns: Result<Vec<_>, Fault> =
            known.map(|(key, name)| Ok((key, name.to_owned(), column(key, name)?.exact))).collect();
        let columns = columns?;
        let status = column("DB_STATUS_COLUMN", &config.status_column)?;
        check_values(client, config, &status, place)?;
        let mut zoneless = Vec::new();
        for (key, what, name) in [
            (CHANGED_AT, "a change", &config.changed_at_column),
            (STARTED_AT, "the start of a broadcast", &config.started_at_column),
        ] {
            let Some(name) = name else { continue };
            if is_zoneless(config, key, what, &column(key, name)?)? {
                zoneless.push(key);
            }
        }
        let kind = |key: &str, name: &Option<String>| {
            name.as_ref().map(|name| column(key, name).map(|column| column.kind)).transpose()
        };
        let shape = Shape {
            id: column("DB_ID_COLUMN", &config.id_column)?.kind,
            status: status.kind,
            channel: kind("DB_CHANNEL_ID_COLUMN", &config.channel_id_column)?,
            user: kind("DB_USER_ID_COLUMN", &config.user_id_column)?,
            utf8: encoding == "UTF8",
            zoneless: zoneless.contains(&CHANGED_AT),
            started_zoneless: zoneless.contains(&STARTED_AT),
        };
        Ok(Table {
            roster: sql::roster(config, &shape),
            writing: [false, true].map(|leased| Writing {
                one: sql::write_one(config, &shape, leased).into(),
                many: sql::write(config, &shape, leased),
                start: sql::write_start(config, &shape, leased),
                why_not: sql::unwritten(config, &shape, leased),
            }),
            columns,
            encoding,
            zoneless,
        })
    }
}

/// The configured columns, as far as they exist, and the database's encoding.
fn describe(client: &mut Client, config: &DatabaseConfig, place: &str) -> Result<(Vec<Column>, String), Fault> {
    let judge = |error: postgres::Error| Fault::judge(&error, place);
    let wanted: Vec<&str> = columns(config).into_iter().map(|(_, name)| name).collect();
    let rows = client.query_typed(sql::DESCRIBE, &[(&config.table, Type::TEXT), (&wanted, Type::TEXT_ARRAY)]).map_err(
        |error| {
            let mut fault = judge(error);
            if let Blame::Statement(DbError::Setup(misfit, text)) = &mut fault.blame {
                *misfit = if *misfit == Misfit::Privilege { Misfit::Schema } else { Misfit::Table };
                *text = format!("failed to look up table {} (DB_TABLE): {text}", config.table);
            }
            fault
        },
    )?;
    let mut found = Vec::with_capacity(rows.len());
    let mut encoding = String::new();
    for row in rows {
        let exists: bool = row.try_get(1).map_err(judge)?;
        if !exists {
            return Err(missing_table(client, config, place));
        }
        found.extend(Column::from_row(&row).map_err(judge)?);
        encoding = row.try_get(6).map_err(judge)?;
    }
    Ok((found, encoding))
}

/// A column as described by [`sql::DESCRIBE`].
#[derive(Clone, Debug)]
struct Column {
    name: String,
    kind: Kind,
    /// The type as declared.
    exact: String,
    /// `COLLATE …`, or nothing.
    collation: String,
}

impl Column {
    /// Returns `None` if there is no such column.
    fn from_row(row: &postgres::Row) -> Result<Option<Column>, postgres::Error> {
        let name: String = row.try_get(0)?;
        let (cast, exact): (Option<String>, Option<String>) = (row.try_get(2)?, row.try_get(3)?);
        let (equal, collation): (String, Option<String>) = (row.try_get(4)?, row.try_get(5)?);
        Ok(cast.zip(exact).map(|(cast, exact)| Column {
            name,
            kind: Kind { cast, equal },
            exact,
            collation: collation.unwrap_or_default(),
        }))
    }
}

/// The configured columns, each with its configuration key.
pub(super) fn columns(config: &DatabaseConfig) -> Vec<(&'static str, &str)> {
    let always = [
        ("DB_ID_COLUMN", &config.id_column),
        ("DB_USERNAME_COLUMN", &config.username_column),
        ("DB_STATUS_COLUMN", &config.status_column),
    ];
    let maybe = [
        ("DB_CHANNEL_ID_COLUMN", &config.channel_id_column),
        ("DB_USER_ID_COLUMN", &config.user_id_column),
        (CHANGED_AT, &config.changed_at_column),
        (STARTED_AT, &config.started_at_column),
    ];
    let maybe = maybe.into_iter().filter_map(|(key, name)| Some((key, name.as_deref()?)));
    always.into_iter().map(|(key, name)| (key, name.as_str())).chain(maybe).collect()
}

/// The columns that are read.
pub(super) fn read_columns(config: &DatabaseConfig) -> Vec<&str> {
    let read = columns(config).into_iter().filter(|(key, _)| *key != CHANGED_AT);
    read.map(|(_, name)| name).collect()
}

/// The columns that must be readable: those, and what the filter names.
pub(super) fn needed_columns(config: &DatabaseConfig) -> Vec<String> {
    let mut needed: Vec<String> = read_columns(config).into_iter().map(str::to_owned).collect();
    for column in config.filter_columns() {
        if !needed.contains(&column) {
            needed.push(column);
        }
    }
    needed
}

/// The columns that are written.
pub(super) fn written_columns(config: &DatabaseConfig) -> Vec<&str> {
    let written = [Some(&config.status_column), config.changed_at_column.as_ref(), config.started_at_column.as_ref()];
    written.into_iter().flatten().map(String::as_str).collect()
}

fn check_values(client: &mut Client, config: &DatabaseConfig, status: &Column, place: &str) -> Result<(), Fault> {
    let exact = &status.exact;
    let column = sql::identifier(&config.status_column);
    let table = &config.table;
    let (online, offline) = (&config.online_value, &config.offline_value);
    for (key, value) in [("DB_ONLINE_VALUE", online), ("DB_OFFLINE_VALUE", offline)] {
        let Err(error) = client.query_typed(&sql::fits(exact), &[(value, Type::TEXT)]) else { continue };
        let mut fault = Fault::judge(&error, place);
        if let Blame::Row(_, text) = &fault.blame {
            let text = format!(
                "the value {value:?} ({key}) does not fit column {column} of table {table}, which is of type {exact}: \
                 {text}{}",
                fitting(client, exact)
            );
            fault.blame = Blame::Statement(DbError::Setup(Misfit::Value, text));
        }
        return Err(fault);
    }
    let same = sql::same(exact, &status.collation, &status.kind);
    let rows = client
        .query_typed(&same, &[(online, Type::TEXT), (offline, Type::TEXT)])
        .map_err(|error| Fault::judge(&error, place))?;
    let same: Option<bool> =
        rows.first().map_or(Ok(None), |row| row.try_get(0)).map_err(|e| Fault::judge(&e, place))?;
    if same == Some(true) {
        let text = format!(
            "DB_ONLINE_VALUE {online:?} and DB_OFFLINE_VALUE {offline:?} are the same in column {column} of table \
             {table}, which is of type {exact} and compares them as equal: choose values that differ there"
        );
        return Err(DbError::Setup(Misfit::Value, text).into());
    }
    Ok(())
}

/// What would fit a column of this type, if that can be told: for the end of a message.
fn fitting(client: &mut Client, exact: &str) -> String {
    match exact {
        "boolean" => "; expected true and false".to_owned(),
        "integer" | "bigint" | "smallint" => "; expected two numbers, such as 1 and 0".to_owned(),
        _ => {
            // A type that is no enum has no labels.
            let rows = client.query_typed(sql::LABELS, &[(&exact, Type::TEXT)]).unwrap_or_default();
            let labels: Vec<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
            if labels.is_empty() { String::new() } else { format!("; expected two of {}", labels.join(", ")) }
        }
    }
}

/// Returns true if a time of `what` is written to a `timestamp`, which has no time zone, and false for a `timestamptz`.
/// Into columns of other types PostgreSQL would store less than that time, or a value that depends on the session's time
/// zone.
fn is_zoneless(config: &DatabaseConfig, key: &str, what: &str, column: &Column) -> Result<bool, Fault> {
    match column.kind.cast.as_str() {
        "pg_catalog.timestamptz" => Ok(false),
        // The quotes are PostgreSQL's own, because the name is a keyword.
        "pg_catalog.\"timestamp\"" => Ok(true),
        _ => Err(stale(
            Misfit::Type,
            format!(
                "column {} ({key}) of table {} is of type {}, which holds no time of {what}: make it a timestamptz, or \
                 leave {key} out",
                sql::identifier(&column.name),
                config.table,
                column.exact
            ),
        )),
    }
}

fn missing_table(client: &mut Client, config: &DatabaseConfig, place: &str) -> Fault {
    let table = &config.table;
    let elsewhere = match sql::unqualified(table) {
        Some(name) => client.query_typed(sql::ELSEWHERE, &[(&name, Type::TEXT)]),
        None => Ok(Vec::new()),
    };
    let found = elsewhere.and_then(|rows| match rows.first() {
        Some(row) => Ok(Some((row.try_get::<_, String>(0)?, row.try_get::<_, bool>(1)?, row.try_get::<_, String>(2)?))),
        None => Ok(None),
    });
    match found {
        Err(error) => Fault::judge(&error, place),
        Ok(None) => {
            let text = format!("there is no table {table} (DB_TABLE; is its schema named, or in the search_path?)");
            stale(Misfit::Table, text)
        }
        Ok(Some((schema, true, _))) => {
            let schema = sql::identifier(&schema);
            let text = format!(
                "there is no table {table} (DB_TABLE) in the search_path, but one in schema {schema}: set \
                 DB_TABLE='{schema}.{table}'"
            );
            stale(Misfit::Table, text)
        }
        Ok(Some((schema, false, role))) => {
            let (schema, role) = (sql::identifier(&schema), sql::identifier(&role));
            let text = format!("table {table} (DB_TABLE) is in schema {schema}, which role {role} may not use");
            Fault { stale: true, ..DbError::Denied { text, sql: sql::grant_schema(&schema, &role) }.into() }
        }
    }
}

fn missing_column(config: &DatabaseConfig, key: &str, column: &str) -> Fault {
    stale(Misfit::Column, format!("table {} has no column {} ({key})", config.table, sql::identifier(column)))
}

fn stale(misfit: Misfit, text: String) -> Fault {
    Fault { stale: true, ..DbError::Setup(misfit, text).into() }
}
