//! The statement that stores a streamer's ids in the table. The daemon never runs it. It is printed for `psql`, so
//! the values are quoted in it, and it is short enough to be read by a person. Each value is a literal without a
//! type, which PostgreSQL reads as the column's own type.

use super::identifier;
use crate::config::DatabaseConfig;
use crate::domain::text::escaped;
use crate::domain::{ChannelId, RowId, Slug, UserId};
use postgres_protocol::escape::escape_literal;

/// The rows that a statement changes.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// One row that was read.
    Row(&'a RowId),
    /// All rows whose username is a spelling of this name; the filter applies.
    Name(&'a Slug),
}

/// Sets the known ids that have a configured column, in rows that show other values. `None` if there is nothing to
/// set.
pub fn set_ids(
    config: &DatabaseConfig,
    target: Target<'_>,
    user: Option<UserId>,
    channel: Option<ChannelId>,
) -> Option<String> {
    let channel = config.channel_id_column.as_deref().zip(channel.map(|id| id.0));
    let user = config.user_id_column.as_deref().zip(user.map(|id| id.0));
    let known = || channel.into_iter().chain(user).map(|(column, id)| (identifier(column), id));
    let values: Vec<String> = known().map(|(column, id)| format!("{column} = '{id}'")).collect();
    let differing: Vec<String> = known().map(|(column, id)| format!("{column} IS DISTINCT FROM '{id}'")).collect();
    if values.is_empty() {
        return None;
    }
    let condition = match target {
        Target::Row(id) => format!("{} = {}", identifier(&config.id_column), literal(id.as_str())),
        Target::Name(name) => is_called(config, name),
    };
    let (table, values, differing) = (&config.table, values.join(", "), differing.join(" OR "));
    Some(format!("UPDATE {table} SET {values} WHERE {condition} AND ({differing});"))
}

/// A literal that has no effect on a terminal: characters that would have one are escaped.
fn literal(text: &str) -> String {
    if escaped(text) == text {
        return escape_literal(text).trim_start().to_owned();
    }
    format!("E'{}'", escaped(&text.replace('\\', r"\\")).replace('\'', "''"))
}

/// The condition that a row has this name. Its username may be `@NAME` or an address, in any case, with `_` or `-`.
/// The pattern contains no backslash, because a server may be set to read it as an escape. The collation "C" makes
/// the comparison of upper and lower case the same everywhere.
fn is_called(config: &DatabaseConfig, name: &Slug) -> String {
    let name = name.as_str().replace(['_', '-'], "[_-]");
    let address = "(https?://)?(www[.]|player[.])?kick[.]com/+(popout/+)?@?";
    let pattern = format!("^[[:space:]]*({address}{name}([/?#].*)?|@?[[:space:]]*{name})[[:space:]]*$");
    // The filter is on lines of its own, because it may end with a comment.
    let filter = config.filter.as_ref().map(|filter| format!(" AND (\n{filter}\n)")).unwrap_or_default();
    format!("{}::text COLLATE \"C\" ~* '{pattern}'{filter}", identifier(&config.username_column))
}
