//! All SQL statements of the program.
//!
//! All parameters are `text`, `bytea` or arrays of these, and all results are cast to built-in types, so that the
//! driver never looks up a type with a named statement, which PgBouncer in transaction mode breaks. Values are
//! cast to the columns' own types here, to the type *without* its length: a cast to `varchar(3)` would cut the text
//! silently, whereas the assignment that follows refuses it. A domain has no operators of its own and does not
//! inherit those of an enum, so the status column is cast as well.
//!
//! Every function, operator and type is named with its schema. If it were found through the search path, `a = b` of
//! two `varchar` could be an operator that another role created there, and its function would run with our
//! privileges. `IS DISTINCT FROM`, `IN` and `CASE x WHEN y` look up `=` through the search path and do not allow a
//! schema, so they are not used: for a wanted status, which is never NULL, `(a = b) IS NOT TRUE` is equivalent.
//! (`AT TIME ZONE` and `COALESCE` always mean PostgreSQL's own.)

mod ids;
mod inspect;
pub(super) mod locks;
mod starts;

pub use ids::{Target, set_ids};
pub(super) use inspect::{ELSEWHERE, INSPECT, LABELS};
pub(super) use starts::write_start;

pub(crate) use crate::domain::text::sql_identifier as identifier;

use crate::config::DatabaseConfig;
use crate::domain::shards::Shard;
use std::collections::BTreeSet;

/// The most bytes of a text that the roster statement returns uncut.
const WHOLE_MAX: usize = 4000;
/// The most characters returned of a longer text: one more than is kept, so that the cut is noticed.
const CUT_MAX: usize = 1001;

/// What the statements need to know about a column's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// The type to cast to, with its schema: without length, and for a domain its base type.
    pub(super) cast: String,
    /// The operator that compares two such values: `OPERATOR(pg_catalog.=)`, or that of the type's own schema.
    pub(super) equal: String,
}

/// The configured columns that the statements compare or set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) id: Kind,
    pub(super) status: Kind,
    pub(super) channel: Option<Kind>,
    pub(super) user: Option<Kind>,
    /// Whether the database's encoding is UTF-8, so that texts need no conversion.
    pub(super) utf8: bool,
    /// Whether the changed-at column is a `timestamp`, which has no time zone: it is set in UTC.
    pub(super) zoneless: bool,
    /// The same of the started-at column.
    pub(super) started_zoneless: bool,
}

/// Describes the columns of a table. `$1` is the table, `$2` the wanted names. Returns for each name: the name,
/// whether there is such a table, the type to cast to (without length, and for a domain its base type), the type as
/// declared, the equality operator, the column's collation (`COLLATE …`, or nothing), and the encoding of the
/// database.
///
/// A type outside `pg_catalog` may have its own equality operator (citext does). It is used if it is in the type's
/// schema and has the same owner. The operators for all other such types (enums, arrays, ranges) are in `pg_catalog`.
pub(super) const DESCRIBE: &str = "\
SELECT w.name, tab.oid IS NOT NULL, base.kind, pg_catalog.format_type(a.atttypid, a.atttypmod),
    pg_catalog.format('OPERATOR(%I.=)', COALESCE(base.own, 'pg_catalog')),
    (SELECT pg_catalog.format('COLLATE %I.%I', n.nspname, c.collname)
        FROM pg_catalog.pg_collation AS c, pg_catalog.pg_namespace AS n
        WHERE c.oid OPERATOR(pg_catalog.=) a.attcollation AND n.oid OPERATOR(pg_catalog.=) c.collnamespace),
    pg_catalog.getdatabaseencoding()::pg_catalog.text
FROM (SELECT pg_catalog.to_regclass($1)::pg_catalog.oid AS oid) AS tab
CROSS JOIN pg_catalog.unnest($2::pg_catalog.text[]) AS w(name)
LEFT JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid OPERATOR(pg_catalog.=) tab.oid AND a.attname OPERATOR(pg_catalog.=) w.name::pg_catalog.name
        AND a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 AND NOT a.attisdropped
LEFT JOIN LATERAL (
    WITH RECURSIVE chain(oid, is_domain, below) AS (
        SELECT t.oid, t.typtype OPERATOR(pg_catalog.=) 'd'::pg_catalog.\"char\", t.typbasetype
        FROM pg_catalog.pg_type AS t WHERE t.oid OPERATOR(pg_catalog.=) a.atttypid
        UNION ALL
        SELECT t.oid, t.typtype OPERATOR(pg_catalog.=) 'd'::pg_catalog.\"char\", t.typbasetype
        FROM chain JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) chain.below
    )
    SELECT pg_catalog.format('%I.%I', n.nspname, t.typname) AS kind,
        (SELECT n.nspname FROM pg_catalog.pg_operator AS o
            WHERE o.oprname OPERATOR(pg_catalog.=) '='::pg_catalog.name
                AND o.oprleft OPERATOR(pg_catalog.=) t.oid AND o.oprright OPERATOR(pg_catalog.=) t.oid
                AND o.oprnamespace OPERATOR(pg_catalog.=) t.typnamespace
                AND o.oprowner OPERATOR(pg_catalog.=) t.typowner) AS own
    FROM chain
    JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) chain.oid
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
    WHERE NOT chain.is_domain
) AS base ON true";

/// Sends a notification without payload on the channel `$1`.
pub(super) const NOTIFY: &str = "SELECT pg_catalog.pg_notify($1, '')::pg_catalog.text";

/// Converts texts of the database to UTF-8, in order: `$1` are their bytes, `$2` is the encoding. Fails if one of
/// them cannot be converted.
pub(super) const CONVERT: &str = "\
SELECT pg_catalog.convert(w.bytes, $2::pg_catalog.name, 'UTF8')
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.bytea[])) WITH ORDINALITY AS w(bytes, n) ORDER BY w.n";

/// Begins to listen on the channel.
pub(super) fn listen(channel: &str) -> String {
    format!("LISTEN {}", identifier(channel))
}

/// Whether the value `$1` can be stored in a column of the declared type `exact`. It is read by the type's input
/// function (length, enum labels, checks of a domain), because a cast would be more lenient. Fails if the value is
/// not valid.
pub(super) fn fits(exact: &str) -> String {
    format!("SELECT r.v IS NULL FROM pg_catalog.json_to_record(pg_catalog.json_build_object('v', $1)) AS r(v {exact})")
}

/// Whether the values `$1` and `$2` are equal in a column of the declared type `exact` with this collation.
pub(super) fn same(exact: &str, collation: &str, kind: &Kind) -> String {
    let Kind { cast, equal } = kind;
    format!(
        "SELECT r.a::{cast} {equal} r.b::{cast}
FROM pg_catalog.json_to_record(pg_catalog.json_build_object('a', $1, 'b', $2))
    AS r(a {exact} {collation}, b {exact} {collation})"
    )
}

/// Reads the roster. `$1` is the online value, `$2` the offline value. Returns the id, the username, `+`, `-` or NULL
/// for the status, the channel id, the user id, the length of the username, and the start of the broadcast in seconds of
/// Unix time; if the rows are divided among instances, the shard as well. The table has no alias, so that a filter may
/// use its name.
pub(super) fn roster(config: &DatabaseConfig, shape: &Shape) -> String {
    let status = identifier(&config.status_column);
    let id = identifier(&config.id_column);
    let username = identifier(&config.username_column);
    let number = |column: &Option<String>, kind: &Option<Kind>| match (column, kind) {
        (Some(name), Some(kind)) => shape.bytes(&identifier(name), kind.is_plain()),
        _ => "NULL::pg_catalog.text".to_owned(),
    };
    let started_at = match &config.started_at_column {
        Some(column) => format!("pg_catalog.date_part('epoch', {})", identifier(column)),
        None => "NULL::pg_catalog.float8".to_owned(),
    };
    let Kind { cast, equal } = &shape.status;
    // The filter is on lines of its own, because it may end with a comment.
    let filter = config.filter.as_ref().map(|filter| format!(" AND (\n{filter}\n)")).unwrap_or_default();
    format!(
        "SELECT {bytes_of_id},\n    {bytes_of_username},\n    \
             CASE WHEN {status}::{cast} {equal} $1::{cast} THEN '+' WHEN {status}::{cast} {equal} $2::{cast} THEN '-' END,\n    \
             {channel},\n    {user},\n    pg_catalog.octet_length({username}::pg_catalog.text),\n    {started_at}{shard}\n\
         FROM {table} WHERE {id} IS NOT NULL{filter}",
        bytes_of_id = shape.bytes(&id, shape.id.is_plain()),
        bytes_of_username = shape.bytes(&username, false),
        channel = number(&config.channel_id_column, &shape.channel),
        user = number(&config.user_id_column, &shape.user),
        table = config.table,
        shard = if config.is_divided() { format!(",\n    {}", shard(config)) } else { String::new() },
    )
}

/// What follows the roster statement if only the rows of these shards are to be read.
pub(super) fn of_shards(config: &DatabaseConfig, shards: &BTreeSet<Shard>) -> String {
    let shards: Vec<String> = shards.iter().map(|shard| shard.0.to_string()).collect();
    let list = shards.join(",");
    format!(" AND {} OPERATOR(pg_catalog.=) ANY ('{{{list}}}'::pg_catalog.int4[])", shard(config))
}

/// The shard of a row. The server computes it, so that all instances agree; `hashtext` has been the same since it
/// exists, and if it changes with the server's version, it changes for all of them at once.
fn shard(config: &DatabaseConfig) -> String {
    format!(
        "((pg_catalog.hashtext({}::pg_catalog.text COLLATE pg_catalog.\"C\") OPERATOR(pg_catalog.&) 2147483647) \
         OPERATOR(pg_catalog.%) {})",
        identifier(&config.id_column),
        config.shards
    )
}

/// The condition that a lease holds (R25): the parameter `number` is its end, the next one the start of the server
/// that gave it. It is evaluated for each row, after any wait for a lock. A restarted server, or another one, has
/// another start, and knows nothing of the locks for which the lease was given.
fn holds(number: usize) -> String {
    let time = |number: usize| format!("${number}::pg_catalog.timestamptz");
    holds_until(&time(number), &time(number + 1))
}

fn holds_until(until: &str, server: &str) -> String {
    format!(
        "pg_catalog.clock_timestamp() OPERATOR(pg_catalog.<) {until}
        AND pg_catalog.pg_postmaster_start_time() OPERATOR(pg_catalog.=) {server}"
    )
}

/// The write statement. `$1` ids, `$2` statuses, `$3` times, `$4` usernames, `$5` sources, `$6` `synchronous_commit`,
/// `$7` the notification channel; where somebody learns of it, `$8` the starts of the broadcasts ([`starts`]) and `$9` their
/// titles; if it is `leased`, `$10` and `$11` are the lease. Returns the positions (from 1) of the rows that it wrote.
///
/// It is one statement, so it takes one round trip and needs no session state, which transaction pooling would lose.
/// Because rows are locked first, with `SKIP LOCKED`, two instances with differently ordered batches cannot deadlock.
/// The lock is `NO KEY` because a foreign-key insert elsewhere holds the row's key, which is not changed here. A row
/// that another client changed since our snapshot is compared again after it is locked. The server sends the
/// notification at commit.
///
/// Each array is wrapped in a `SELECT` to hide its length from the planner. The planner then expects few rows and
/// uses an index if there is one; otherwise it would read the whole table, twice, for a thousand of its rows.
///
/// The statement does not return why a row was not written ([`unwritten`] does): planning that takes longer than the
/// write, and most writes need no explanation.
pub(super) fn write(config: &DatabaseConfig, shape: &Shape, leased: bool) -> String {
    let table = &config.table;
    let id = identifier(&config.id_column);
    let status = identifier(&config.status_column);
    let changed_at = shape.set_changed_at(config, "l.changed_at");
    let started_at = shape.set_started_at(config, "l.started_at");
    let told = config.notify_channel.as_ref().map(|_| format!(", {}", notification(|field| format!("l.{field}"))));
    let told = told.unwrap_or_default();
    let Shape { id: Kind { cast: id_type, equal: same_id }, status: Kind { cast, equal }, .. } = shape;
    // The two times are read once: for each of a thousand rows that takes as long as half the write.
    let times = ", $10::pg_catalog.timestamptz AS until, $11::pg_catalog.timestamptz AS server";
    let (times, carried) = if leased { (times, ", km_session.until, km_session.server") } else { ("", "") };
    let holds = |of: &str| format!(" AND {}", holds_until(&format!("{of}.until"), &format!("{of}.server")));
    let holds = |of: &str| if leased { holds(of) } else { String::new() };
    let mut names = vec![(1, "id"), (2, "status"), (3, "changed_at"), (4, "username"), (5, "source")];
    if config.tells_starts() {
        names.extend([(8, "started_at"), (9, "title")]);
    }
    let (wanted, names) = (wanted(&names), names.iter().skip(1).map(|(_, name)| format!("w.{name}, ")));
    let names: String = names.collect();
    format!(
        "WITH km_session AS MATERIALIZED (SELECT pg_catalog.set_config('synchronous_commit', $6, true){times}),
km_locked AS MATERIALIZED (
    SELECT t.{id} AS id, {names}w.n{carried}
    FROM km_session CROSS JOIN {wanted}
    JOIN {table} AS t ON t.{id} {same_id} w.id::{id_type}
    WHERE (t.{status}::{cast} {equal} w.status::{cast}) IS NOT TRUE{at_lock}
    FOR NO KEY UPDATE OF t SKIP LOCKED
)
UPDATE {table} AS t SET {status} = l.status::{cast}{changed_at}{started_at}
FROM km_locked AS l WHERE t.{id} {same_id} l.id{at_write}
RETURNING l.n::pg_catalog.int8{told}",
        at_lock = holds("km_session"),
        at_write = holds("l"),
    )
}

/// The write statement for one row. The parameters are those of [`write`], each a single text. Returns a row if it
/// wrote one.
pub(super) fn write_one(config: &DatabaseConfig, shape: &Shape, leased: bool) -> String {
    let table = &config.table;
    let holds = if leased { format!(" AND {}", holds(10)) } else { String::new() };
    let (id, status) = (identifier(&config.id_column), identifier(&config.status_column));
    let (changed_at, started_at) = (shape.set_changed_at(config, "$3"), shape.set_started_at(config, "$8"));
    let parameter = |field: &str| match field {
        "id" => "l.id",
        "username" => "$4",
        "status" => "$2",
        "changed_at" => "$3",
        "source" => "$5",
        "started_at" => "$8",
        _ => "$9",
    };
    let told = config.notify_channel.as_ref().map(|_| format!(", {}", notification(|it| parameter(it).to_owned())));
    let Shape { id: Kind { cast: id_type, equal: same_id }, status: Kind { cast, equal }, .. } = shape;
    format!(
        "UPDATE {table} AS t SET {status} = $2::{cast}{changed_at}{started_at}
FROM (
    SELECT t.{id} AS id, pg_catalog.set_config('synchronous_commit', $6, true) FROM {table} AS t
    WHERE t.{id} {same_id} $1::{id_type} AND (t.{status}::{cast} {equal} $2::{cast}) IS NOT TRUE{holds}
    FOR NO KEY UPDATE SKIP LOCKED
) AS l WHERE t.{id} {same_id} l.id{holds}
RETURNING true{told}",
        told = told.unwrap_or_default(),
    )
}

/// Finds out why rows were not written. `$1` ids, `$2` statuses, `$3` the starts of the rows whose start alone was to be
/// written, a dash for the others; if they were to be written with a lease, `$4` and `$5`. Returns for each position (from
/// 1) `gone`, `already so`, `lapsed`, `locked` or `set aside`.
///
/// A row that cannot be locked without waiting is locked by another client, unless row security applies to us: a
/// policy hides a row from the lock as well as from the update.
pub(super) fn unwritten(config: &DatabaseConfig, shape: &Shape, leased: bool) -> String {
    let (id, status) = (identifier(&config.id_column), identifier(&config.status_column));
    let table = &config.table;
    let Shape { id: Kind { cast: id_type, equal: same_id }, status: Kind { cast, equal }, .. } = shape;
    let differs = format!("(t.{status}::{cast} {equal} w.status::{cast}) IS NOT TRUE");
    let (names, differs) = match shape.lacks_start(config) {
        Some(lacks) => (
            &[(1, "id"), (2, "status"), (3, "started_at")][..],
            format!("CASE WHEN w.started_at OPERATOR(pg_catalog.=) '-' THEN {differs} ELSE {lacks} END"),
        ),
        None => (&[(1, "id"), (2, "status")][..], differs),
    };
    format!(
        "WITH km_free AS MATERIALIZED (
    SELECT w.n FROM {wanted}
    JOIN {table} AS t ON t.{id} {same_id} w.id::{id_type}
    WHERE {differs}
    FOR NO KEY UPDATE OF t SKIP LOCKED
)
SELECT w.n::pg_catalog.int8, CASE
    WHEN pg_catalog.bool_and(t.{id} IS NULL) THEN 'gone'
    WHEN NOT pg_catalog.bool_or({differs}) THEN 'already so'{lapsed}
    WHEN pg_catalog.row_security_active({literal})
        OR w.n OPERATOR(pg_catalog.=) ANY (SELECT n FROM km_free) THEN 'set aside'
    ELSE 'locked' END
FROM {wanted}
LEFT JOIN {table} AS t ON t.{id} {same_id} w.id::{id_type}
GROUP BY w.n",
        lapsed = if leased { format!("\n    WHEN NOT ({}) THEN 'lapsed'", holds(4)) } else { String::new() },
        wanted = wanted(names),
        literal = literal(table)
    )
}

impl Kind {
    /// Whether the text form of every value is short and purely ASCII.
    fn is_plain(&self) -> bool {
        let name = self.cast.strip_prefix("pg_catalog.").unwrap_or_default();
        ["int2", "int4", "int8", "oid", "uuid"].contains(&name)
    }
}

impl Shape {
    /// The bytes of a column's text in the database's encoding, as `bytea` or `text`.
    ///
    /// If its encoding is not ours, the server converts whatever it sends as text, and one value that cannot be
    /// converted would make the whole answer fail. So the text is sent as `bytea`. The cast reads a backslash as the
    /// beginning of an escape, so each is doubled.
    ///
    /// A short text is taken whole, because cutting it means counting characters, which fails on invalid bytes. Of a
    /// long one, PostgreSQL reads only the part that is taken.
    fn bytes(&self, column: &str, plain: bool) -> String {
        let text = format!("{column}::pg_catalog.text");
        if plain {
            return text;
        }
        let cut = format!(
            "CASE WHEN pg_catalog.octet_length({text}) OPERATOR(pg_catalog.<=) {WHOLE_MAX} THEN {text} \
             ELSE pg_catalog.left({text}, {CUT_MAX}) END"
        );
        match self.utf8 {
            true => cut,
            false => format!("pg_catalog.replace({cut}, E'\\\\', E'\\\\\\\\')::pg_catalog.bytea"),
        }
    }

    /// The assignment that sets the changed-at column to the text `value`, if the column is configured.
    fn set_changed_at(&self, config: &DatabaseConfig, value: &str) -> String {
        let zone = if self.zoneless { " AT TIME ZONE 'UTC'" } else { "" };
        let column = config.changed_at_column.as_ref().map(|column| identifier(column));
        column.map(|column| format!(", {column} = {value}::pg_catalog.timestamptz{zone}")).unwrap_or_default()
    }
}

/// The wanted rows as the table `w`: these parameters, which are arrays, under these names, and the position.
fn wanted(parameters: &[(usize, &str)]) -> String {
    let array = |n: &usize| format!("pg_catalog.unnest((SELECT ${n}::pg_catalog.text[]))");
    let arrays: Vec<String> = parameters.iter().map(|(n, _)| array(n)).collect();
    let names: Vec<&str> = parameters.iter().map(|(_, name)| *name).collect();
    format!("ROWS FROM ({}) WITH ORDINALITY AS w({}, n)", arrays.join(", "), names.join(", "))
}

/// Sends the notification of a change to the channel `$7`. `of` says where each field's value comes from.
fn notification(of: impl Fn(&str) -> String) -> String {
    let plain = ["id", "username", "status", "changed_at", "source"].map(|name| format!("'{name}', {}", of(name)));
    let (started_at, title) = (of("started_at"), of("title"));
    format!(
        "pg_catalog.pg_notify($7, pg_catalog.json_build_object({plain},
    'started_at', CASE WHEN pg_catalog.length({started_at}) OPERATOR(pg_catalog.>) 1 THEN {started_at} END,
    'title', CASE WHEN {title} OPERATOR(pg_catalog.<>) '' THEN {title} END)::pg_catalog.text)::pg_catalog.text",
        plain = plain.join(", ")
    )
}

/// A text as an SQL literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The schema of a table that is given as quoted SQL, if it has one.
pub(super) fn schema(table: &str) -> Option<&str> {
    table.find("\".\"").and_then(|end| table.get(..=end))
}

/// The statement that makes a table visible to a role that may not use its schema. Both are quoted SQL.
pub(super) fn grant_schema(schema: &str, role: &str) -> String {
    format!("GRANT USAGE ON SCHEMA {schema} TO {role}")
}

/// The bare name of a table that is given, as quoted SQL, without a schema.
pub(super) fn unqualified(table: &str) -> Option<String> {
    let name = table.strip_prefix('"')?.strip_suffix('"')?;
    (!name.contains("\".\"")).then(|| name.replace("\"\"", "\""))
}
