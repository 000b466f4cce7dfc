//! The settings of the core, from the configuration and the limits of the machine.

use crate::config::{Config, DatabaseConfig, PushConfig, WebUrl};
use crate::domain::way::Place;
use crate::monitor::{Settings, Starts, Terms};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit of open files to ask for, if it is lower: 100,000 streamers need a little more than 2,000.
const FILES_WANTED: u64 = 65_536;
/// Open files reserved for everything but push connections: HTTP, the status files, name look-ups, the log.
const FILES_KEPT: usize = 64;
/// Open files for webhooks: their connections, the listener, and one connection to Kick.
const FILES_OF_WEBHOOKS: usize = 64 + 2;
/// The rows of a read that are worked off in one turn: a few milliseconds' work, by which a push event may be delayed.
const ROWS_A_TURN: usize = 1000;
/// Open files per database connection, including those of the driver.
const FILES_A_SESSION: usize = 8;
/// Database connections in addition to the writers': the roster's, the listener's, the coordinator's, and one that does
/// not answer.
const SESSIONS: usize = 4;

/// Raises the limit of open files as far as this process may. If it may not, the old limit stays.
pub(super) fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(FILES_WANTED, |maximum| maximum.min(FILES_WANTED));
    if current.is_some_and(|current| current < wanted) {
        // If this is refused, `settings` finds the old limit.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}

/// The settings of the core.
pub(super) fn settings(config: &Config) -> Settings {
    let names = config.push.channel_names.len().max(1);
    let per_link = usize::try_from(config.push.channels_per_connection).unwrap_or(usize::MAX);
    let writers = usize::try_from(config.database.pool_size).unwrap_or(usize::MAX);
    let open_files = getrlimit(Resource::Nofile).current;
    Settings {
        sweep: config.rules.sweep,
        sweep_uncovered: config.rules.sweep_uncovered,
        hold: config.rules.hold,
        offline_delay: config.rules.offline_delay,
        starts: starts(&config.database),
        batch: config.rules.batch,
        requests_per_minute: config.rules.requests_per_minute,
        push: terms(&config.push),
        webhooks: config.webhook.is_some(),
        heartbeat: config.rules.heartbeat,
        streamers_per_link: (per_link / names).max(1),
        open_files: open_files.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX)),
        kept_files: FILES_KEPT
            + config.webhook.as_ref().map_or(0, |_| FILES_OF_WEBHOOKS)
            + FILES_A_SESSION.saturating_mul(writers.saturating_add(SESSIONS)),
        rows_a_turn: ROWS_A_TURN,
    }
}

/// Who learns when a broadcast began.
fn starts(database: &DatabaseConfig) -> Starts {
    match (&database.started_at_column, &database.notify_channel) {
        (Some(_), _) => Starts::Kept,
        (None, Some(_)) => Starts::Told,
        (None, None) => Starts::Ignored,
    }
}

/// The ways to push that the configuration allows.
pub(super) fn terms(push: &PushConfig) -> Terms {
    let WebUrl { tls, host, port, path, .. } = push.pusher_url.clone();
    Terms {
        only: push.only,
        pusher: Place { tls, host, port, path_and_query: path },
        app_key: push.pusher_app_key.clone(),
        broker_is_loopback: push.realtime_url.is_loopback(),
    }
}
