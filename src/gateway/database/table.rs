//! What the table looks like: the columns' own types, and whether the two status values fit.
//!
//! Learned anew on each connection, because the next one may lead to another server; forgotten when
//! an error smells of a changed table, so that a renamed table heals when it is back.

use super::error::{Blame, DbError, Fault};
use super::sql;
use crate::config::DatabaseConfig;
use postgres::Client;
use postgres::types::Type;

/// The statements for the table as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) roster: String,
    pub(super) write: String,
    pub(super) write_one: String,
    pub(super) unwritten: String,
    /// The configured columns: key, name, and type as declared.
    pub(super) columns: Vec<(&'static str, String, String)>,
}

impl Table {
    /// Looks the table up and makes sure that both values fit its status column.
    pub(super) fn learn(client: &mut Client, config: &DatabaseConfig, place: &str) -> Result<Table, Fault> {
        let judge = |error: postgres::Error| Fault::judge(&error, place);
        let names = columns(config);
        let wanted: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
        let rows = client
            .query_typed(sql::DESCRIBE, &[(&config.table, Type::TEXT), (&wanted, Type::TEXT_ARRAY)])
            .map_err(|error| {
                let mut fault = judge(error);
                if let Blame::Statement(DbError::Setup(text)) = &mut fault.blame {
                    *text = format!("failed to look up table {} (DB_TABLE): {text}", config.table);
                }
                fault
            })?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let exists: bool = row.try_get(1).map_err(judge)?;
            if !exists {
                return Err(missing_table(config));
            }
            let name: String = row.try_get(0).map_err(judge)?;
            let cast: Option<String> = row.try_get(2).map_err(judge)?;
            let exact: Option<String> = row.try_get(3).map_err(judge)?;
            found.push((name, cast.zip(exact)));
        }
        let types = |key: &str, column: &str| {
            let same = found.iter().find(|(name, _)| name == column);
            same.and_then(|(_, types)| types.clone()).ok_or_else(|| missing_column(config, key, column))
        };
        let mut columns = Vec::with_capacity(names.len());
        for (key, column) in &names {
            let (_, exact) = types(key, column)?;
            columns.push((*key, (*column).to_owned(), exact));
        }
        let (id_type, _) = types("DB_ID_COLUMN", &config.id_column)?;
        let (status_type, exact) = types("DB_STATUS_COLUMN", &config.status_column)?;
        check_values(client, config, &exact, place)?;
        Ok(Table {
            roster: sql::roster(config, &status_type),
            write: sql::write(config, &id_type, &status_type),
            write_one: sql::write_one(config, &id_type, &status_type),
            unwritten: sql::unwritten(config, &id_type, &status_type),
            columns,
        })
    }
}

/// The configured columns, each with its key.
pub(super) fn columns(config: &DatabaseConfig) -> Vec<(&'static str, &str)> {
    let always = [
        ("DB_ID_COLUMN", &config.id_column),
        ("DB_USERNAME_COLUMN", &config.username_column),
        ("DB_STATUS_COLUMN", &config.status_column),
    ];
    let maybe = [
        ("DB_CHANNEL_ID_COLUMN", &config.channel_id_column),
        ("DB_USER_ID_COLUMN", &config.user_id_column),
        ("DB_CHANGED_AT_COLUMN", &config.changed_at_column),
    ];
    let maybe = maybe.into_iter().filter_map(|(key, name)| Some((key, name.as_deref()?)));
    always.into_iter().map(|(key, name)| (key, name.as_str())).chain(maybe).collect()
}

fn check_values(client: &mut Client, config: &DatabaseConfig, exact: &str, place: &str) -> Result<(), Fault> {
    let mut shown = |key: &str, value: &str| -> Result<Option<String>, Fault> {
        let found = client.query_typed(&sql::fits(exact), &[(&value, Type::TEXT)]).map_err(|error| {
            let mut fault = Fault::judge(&error, place);
            if let Blame::Row(text) = &fault.blame {
                fault.blame = Blame::Statement(DbError::Setup(format!(
                    "the value {value:?} ({key}) does not fit column {} of table {}, which is of type {exact}: {text}",
                    sql::identifier(&config.status_column),
                    config.table
                )));
            }
            fault
        })?;
        found.first().map_or(Ok(None), |row| row.try_get(0)).map_err(|error| Fault::judge(&error, place))
    };
    let online = shown("DB_ONLINE_VALUE", &config.online_value)?;
    let offline = shown("DB_OFFLINE_VALUE", &config.offline_value)?;
    if online == offline {
        return Err(DbError::Setup(format!(
            "DB_ONLINE_VALUE {:?} and DB_OFFLINE_VALUE {:?} are the same in column {} of table {}, which is of type \
             {exact}",
            config.online_value,
            config.offline_value,
            sql::identifier(&config.status_column),
            config.table
        ))
        .into());
    }
    Ok(())
}

fn missing_table(config: &DatabaseConfig) -> Fault {
    let text = format!("there is no table {} (DB_TABLE; is its schema named, or in the search_path?)", config.table);
    stale(text)
}

fn missing_column(config: &DatabaseConfig, key: &str, column: &str) -> Fault {
    stale(format!("table {} has no column {} ({key})", config.table, sql::identifier(column)))
}

fn stale(text: String) -> Fault {
    Fault { stale: true, ..DbError::Setup(text).into() }
}
