//! Every SQL statement of the program, and nothing else.
//!
//! All parameters are `text` or `text[]` and all results are cast to built-in types, so that the
//! driver never looks a type up with a named statement, which PgBouncer in transaction mode breaks.
//! Values become the columns' own types here, by a cast to the type *without* its length: a cast to
//! `varchar(3)` would silently cut, the assignment that follows refuses. A domain has no operators
//! of its own, and over an enum it does not get the enum's; so the status column is cast, too.

use crate::config::DatabaseConfig;

/// The columns of a table: `$1` the table, `$2` the names that are wanted. Gives for each name: the
/// name, whether there is such a table, the type to cast to (a domain's base, without length), and
/// the type as declared.
///
/// `format_type(…, -1)` rather than `NULL`: the latter calls `bpchar` "character", which is one
/// character long.
pub(super) const DESCRIBE: &str = "\
SELECT w.name, tab.oid IS NOT NULL, format_type(base.oid, -1), format_type(a.atttypid, a.atttypmod)
FROM (SELECT to_regclass($1)::oid AS oid) AS tab
CROSS JOIN unnest($2::text[]) AS w(name)
LEFT JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid = tab.oid AND a.attname = w.name AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN LATERAL (
    WITH RECURSIVE chain(oid, kind, below) AS (
        SELECT t.oid, t.typtype, t.typbasetype FROM pg_catalog.pg_type AS t WHERE t.oid = a.atttypid
        UNION ALL
        SELECT t.oid, t.typtype, t.typbasetype FROM chain JOIN pg_catalog.pg_type AS t ON t.oid = chain.below
    )
    SELECT chain.oid FROM chain WHERE chain.kind <> 'd'
) AS base ON true";

/// What is worth knowing before the first write: `$1` the table, `$2` the columns that are read,
/// `$3` those that are written, `$4` the id column. Gives the role, the columns that may not be
/// read, those that may not be written, whether the id is unique, the server's version, whether it is
/// read-only, and its own port.
pub(super) const INSPECT: &str = "\
SELECT current_user::text,
    (SELECT array_agg(c.name) FROM unnest($2::text[]) AS c(name)
        WHERE NOT has_column_privilege(to_regclass($1)::oid, c.name, 'SELECT')),
    (SELECT array_agg(c.name) FROM unnest($3::text[]) AS c(name)
        WHERE NOT has_column_privilege(to_regclass($1)::oid, c.name, 'UPDATE')),
    EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = to_regclass($1)::oid AND i.indisunique AND i.indnkeyatts = 1
            AND i.indpred IS NULL AND a.attname = $4
    ),
    current_setting('server_version'),
    pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
    inet_server_port()";

/// Sends an empty notification on the channel `$1`.
pub(super) const NOTIFY: &str = "SELECT pg_notify($1, '')::text";

/// Begins to listen.
pub(super) fn listen(channel: &str) -> String {
    format!("LISTEN {}", identifier(channel))
}

/// Whether the value `$1` goes into a column of the declared type `exact`, by the type's own input
/// rules (length, enum labels, a domain's checks), which a cast would bend. Fails if it does not;
/// else gives the value as the column would show it.
pub(super) fn fits(exact: &str) -> String {
    format!("SELECT r.v::text FROM json_to_record(json_build_object('v', $1)) AS r(v {exact})")
}

/// The roster: `$1` the online value, `$2` the offline value. Gives id, username, `+`, `-` or NULL
/// for the status, channel id, user id. The table has no alias, so that a filter may use its name.
pub(super) fn roster(config: &DatabaseConfig, status_type: &str) -> String {
    let status = identifier(&config.status_column);
    let id = identifier(&config.id_column);
    let number = |column: &Option<String>| match column {
        Some(name) => format!("{}::text", identifier(name)),
        None => "NULL::text".to_owned(),
    };
    // The filter stands on lines of its own: it may end in a comment.
    let filter = config.filter.as_ref().map(|filter| format!(" AND (\n{filter}\n)")).unwrap_or_default();
    format!(
        "SELECT {id}::text, {username}::text,\n    \
             CASE {status}::{status_type} WHEN $1::{status_type} THEN '+' WHEN $2::{status_type} THEN '-' END,\n    \
             {channel}, {user}\n\
         FROM {table} WHERE {id} IS NOT NULL{filter}",
        username = identifier(&config.username_column),
        channel = number(&config.channel_id_column),
        user = number(&config.user_id_column),
        table = config.table,
    )
}

/// The write statement: `$1` ids, `$2` statuses, `$3` times, `$4` usernames, `$5` sources, `$6`
/// `synchronous_commit`, `$7` the channel. Gives the positions (from 1) of the rows that it wrote.
///
/// One statement, so one round trip and no session state, which transaction pooling would lose.
/// Locking first, with `SKIP LOCKED`, is what makes two instances with shuffled batches free of
/// deadlocks; `NO KEY` because a foreign-key insert elsewhere holds the row's key, which we leave
/// alone. A row that another client changed since our snapshot is compared again once it is locked.
/// The server sends the notification when it commits.
///
/// The arrays are hidden from the planner, each by a `SELECT`: it then expects few rows, and looks them up by an index if
/// there is one, where it would otherwise read the whole table, twice, for a thousand of its rows.
///
/// It does not tell why a row was not written ([`unwritten`] does): planning that takes longer than the
/// write, and most writes need no explanation.
pub(super) fn write(config: &DatabaseConfig, id_type: &str, status_type: &str) -> String {
    let table = &config.table;
    let id = identifier(&config.id_column);
    let status = identifier(&config.status_column);
    let changed_at = config
        .changed_at_column
        .as_ref()
        .map(|column| format!(", {} = l.changed_at::timestamptz", identifier(column)))
        .unwrap_or_default();
    let told = match config.notify_channel {
        Some(_) => {
            ", pg_notify($7, json_build_object('id', l.id, 'username', l.username, 'status', l.status,
    'changed_at', l.changed_at, 'source', l.source)::text)::text"
        }
        None => "",
    };
    format!(
        "WITH km_session AS MATERIALIZED (SELECT set_config('synchronous_commit', $6, true)),
km_locked AS MATERIALIZED (
    SELECT t.{id} AS id, w.status, w.changed_at, w.username, w.source, w.n
    FROM km_session CROSS JOIN unnest((SELECT $1::text[]), (SELECT $2::text[]), (SELECT $3::text[]),
        (SELECT $4::text[]), (SELECT $5::text[])) WITH ORDINALITY AS w(id, status, changed_at, username, source, n)
    JOIN {table} AS t ON t.{id} = w.id::{id_type}
    WHERE t.{status}::{status_type} IS DISTINCT FROM w.status::{status_type}
    FOR NO KEY UPDATE OF t SKIP LOCKED
)
UPDATE {table} AS t SET {status} = l.status::{status_type}{changed_at}
FROM km_locked AS l WHERE t.{id} = l.id
RETURNING l.n::bigint{told}"
    )
}

/// The write statement of one row: the parameters are those of [`write`], each a single text. Gives a row if
/// it wrote one.
pub(super) fn write_one(config: &DatabaseConfig, id_type: &str, status_type: &str) -> String {
    let table = &config.table;
    let (id, status) = (identifier(&config.id_column), identifier(&config.status_column));
    let changed_at = config.changed_at_column.as_ref();
    let changed_at = changed_at.map(|column| format!(", {} = $3::timestamptz", identifier(column)));
    let told = config.notify_channel.as_ref().map(|_| {
        ", pg_notify($7, json_build_object('id', l.id, 'username', $4, 'status', $2, 'changed_at', $3, 'source', \
         $5)::text)::text"
    });
    format!(
        "UPDATE {table} AS t SET {status} = $2::{status_type}{changed_at}
FROM (
    SELECT t.{id} AS id, set_config('synchronous_commit', $6, true) FROM {table} AS t
    WHERE t.{id} = $1::{id_type} AND t.{status}::{status_type} IS DISTINCT FROM $2::{status_type}
    FOR NO KEY UPDATE SKIP LOCKED
) AS l WHERE t.{id} = l.id
RETURNING true{told}",
        changed_at = changed_at.unwrap_or_default(),
        told = told.unwrap_or_default(),
    )
}

/// Why rows were not written: `$1` ids, `$2` statuses. Gives for each position (from 1) `gone`, `already
/// so`, `locked` or `set aside`.
///
/// A row that cannot be locked without waiting is locked by somebody else; unless row security is on for
/// us, which hides a row from the lock as well as from the update.
pub(super) fn unwritten(config: &DatabaseConfig, id_type: &str, status_type: &str) -> String {
    let (id, status) = (identifier(&config.id_column), identifier(&config.status_column));
    let table = &config.table;
    format!(
        "WITH km_free AS MATERIALIZED (
    SELECT w.n FROM unnest((SELECT $1::text[]), (SELECT $2::text[])) WITH ORDINALITY AS w(id, status, n)
    JOIN {table} AS t ON t.{id} = w.id::{id_type}
    WHERE t.{status}::{status_type} IS DISTINCT FROM w.status::{status_type}
    FOR NO KEY UPDATE OF t SKIP LOCKED
)
SELECT w.n::bigint, CASE
    WHEN bool_and(t.{id} IS NULL) THEN 'gone'
    WHEN bool_and(t.{status}::{status_type} IS NOT DISTINCT FROM w.status::{status_type}) THEN 'already so'
    WHEN row_security_active({literal}) OR w.n IN (SELECT n FROM km_free) THEN 'set aside'
    ELSE 'locked' END
FROM unnest((SELECT $1::text[]), (SELECT $2::text[])) WITH ORDINALITY AS w(id, status, n)
LEFT JOIN {table} AS t ON t.{id} = w.id::{id_type}
GROUP BY w.n",
        literal = literal(table)
    )
}

/// Text as SQL quotes it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as SQL quotes it.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
