//! Whether instances can share the table by this connection (R25).

use super::Report;
use crate::config::{Coordination, DatabaseConfig};
use crate::domain::text::counted;
use crate::gateway::database::{Database, Instance, Unfit};
use std::time::Duration;

const CHECK: &str = "coordination";
/// How long the server may take to say who works on the table.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

pub(super) fn check(config: &DatabaseConfig, database: &Database, report: &mut Report) {
    if config.coordination == Coordination::Off {
        return report.ok(CHECK, "off: each instance follows every row");
    }
    report.trying("looking for other instances");
    let tried = database.coordinate().and_then(|mut seat| {
        seat.prove()?;
        Ok((seat.look(LOOK_LIMIT)?.instances, seat.ends_when_stopped))
    });
    let (instances, ends_when_stopped) = match tried {
        Ok(found) => found,
        Err(Unfit::Never(reason)) => {
            let text = format!("instances cannot share the table, so each follows every row: {reason}");
            let remedy = "connect to PostgreSQL directly in DATABASE_URL, or set DB_COORDINATION=off";
            return report.warn(CHECK, text, remedy);
        }
        Err(Unfit::Failed(error)) => {
            let remedy = "check PostgreSQL's log, and try again; the daemon follows nothing until this works";
            return report.fail(CHECK, error.to_string(), Some(remedy));
        }
    };
    if let Some(other) = instances.iter().find(|instance| instance.same_rows && instance.of != config.shards) {
        let text = format!(
            "an instance with DB_SHARDS={} works on this table, so one with DB_SHARDS={} stands by",
            other.of, config.shards
        );
        return report.warn(CHECK, text, &format!("set DB_SHARDS={} here, or the same number for all", other.of));
    }
    if instances.iter().any(|instance| !instance.same_rows) {
        let text = "another instance works on this table with another DB_FILTER or other columns, so each follows every \
                    row of its own";
        return report.warn(CHECK, text, "give all the same settings, or set DB_COORDINATION=off for all");
    }
    if !ends_when_stopped {
        let text = "instances share the table, but PostgreSQL 13 and older do not notice that one is stopped (SIGSTOP)";
        return report.warn(CHECK, text, "use PostgreSQL 14 or newer");
    }
    report.ok(CHECK, shared(config, &instances));
}

fn shared(config: &DatabaseConfig, instances: &[Instance]) -> String {
    let parts = counted(usize::from(config.shards), "shard");
    match instances.len() {
        0 => format!("instances can share the table ({parts}); none works on it now"),
        1 => format!("instances can share the table ({parts}); 1 works on it now"),
        many => format!("instances can share the table ({parts}); {many} work on it now"),
    }
}
