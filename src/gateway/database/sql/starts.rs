//! What becomes of the start of a broadcast: written with each Online, when another broadcast takes the place of the one
//! that runs, and when it becomes known later (R26).

use super::{Kind, Shape, holds, identifier, notification, wanted};
use crate::config::DatabaseConfig;

/// How much later a broadcast begins than another one at least; Kick's own times for one broadcast differ by up to 3 s.
const ANOTHER: &str = "'4 s'::pg_catalog.interval";

impl Shape {
    /// The assignment with each status: Online sets the column to the start in the text `value`, or to NULL if it is empty;
    /// a dash, which comes with Offline, leaves it alone.
    pub(super) fn set_started_at(&self, config: &DatabaseConfig, value: &str) -> String {
        let Some(column) = config.started_at_column.as_ref().map(|column| identifier(column)) else {
            return String::new();
        };
        let time = self.start(value);
        format!(
            ",
    {column} = CASE WHEN {value} OPERATOR(pg_catalog.=) '-' THEN t.{column}
        WHEN {value} OPERATOR(pg_catalog.<>) '' THEN {time} END"
        )
    }

    /// Whether the row shows the status `w.status`, Online, and has no start or one before `w.started_at`.
    pub(super) fn lacks_start(&self, config: &DatabaseConfig) -> Option<String> {
        let column = identifier(config.started_at_column.as_ref()?);
        let status = identifier(&config.status_column);
        let Kind { cast, equal } = &self.status;
        let time = self.start("w.started_at");
        Some(format!(
            "(t.{status}::{cast} {equal} w.status::{cast}) IS TRUE AND (t.{column} IS NULL
        OR t.{column} OPERATOR(pg_catalog.<) ({time} OPERATOR(pg_catalog.-) {ANOTHER}))"
        ))
    }

    fn start(&self, value: &str) -> String {
        let zone = if self.started_zoneless { " AT TIME ZONE 'UTC'" } else { "" };
        format!("({value}::pg_catalog.timestamptz{zone})")
    }
}

/// Writes the start of the broadcast to rows that show Online already. The parameters and the result are those of
/// [`super::write`]. Without the column, those who listen are told all the same. `None` if there is neither.
///
/// A start that was not known before is no news of another broadcast, so no notification is sent.
pub(in super::super) fn write_start(config: &DatabaseConfig, shape: &Shape, leased: bool) -> Option<String> {
    let holds = if leased { format!(" AND {}", holds(10)) } else { String::new() };
    let (table, id) = (&config.table, identifier(&config.id_column));
    let Shape { id: Kind { cast: id_type, equal: same_id }, status: Kind { cast, equal }, .. } = shape;
    let names = ["id", "status", "changed_at", "username", "source"];
    let told = (1..).zip(names).chain([(8, "started_at"), (9, "title")]).collect::<Vec<_>>();
    let wanted = wanted(&told);
    let Some(lacks) = shape.lacks_start(config) else {
        config.notify_channel.as_ref()?;
        let status = identifier(&config.status_column);
        let of_table = |field: &str| if field == "id" { format!("t.{id}") } else { format!("w.{field}") };
        return Some(format!(
            "SELECT w.n::pg_catalog.int8, {notification}
FROM {wanted}
JOIN {table} AS t ON t.{id} {same_id} w.id::{id_type}
WHERE (t.{status}::{cast} {equal} w.status::{cast}) IS TRUE{holds}",
            notification = notification(of_table)
        ));
    };
    let column = identifier(config.started_at_column.as_deref().unwrap_or_default());
    let notification = config.notify_channel.as_ref().map(|_| {
        let notification = notification(|field| format!("l.{field}"));
        format!(", CASE WHEN l.another THEN {notification} END")
    });
    Some(format!(
        "WITH km_session AS MATERIALIZED (SELECT pg_catalog.set_config('synchronous_commit', $6, true)),
km_locked AS MATERIALIZED (
    SELECT t.{id} AS id, t.{column} IS NOT NULL AS another, w.status, w.changed_at, w.username, w.source,
        w.started_at, w.title, w.n
    FROM km_session CROSS JOIN {wanted}
    JOIN {table} AS t ON t.{id} {same_id} w.id::{id_type}
    WHERE {lacks}{holds}
    FOR NO KEY UPDATE OF t SKIP LOCKED
)
UPDATE {table} AS t SET {column} = {time}
FROM km_locked AS l WHERE t.{id} {same_id} l.id{holds}
RETURNING l.n::pg_catalog.int8{notification}",
        time = shape.start("l.started_at"),
        notification = notification.unwrap_or_default(),
    ))
}
