//! The configuration: what each key is called, means and may be (kick-monitor.env(5)). Pure: it is given the
//! text of a file and the environment, and returns the settings, or every problem at once.
//!
//! It never reads a file, an environment variable or a clock; `process` does that. No message of
//! this module contains the value of a secret.

mod channel_names;
mod database_url;
mod dotenv;
mod edges;
mod event_names;
mod filter_columns;
pub mod keys;
mod parse;
mod problem;
mod table_name;
mod url;
mod values;
mod webhook;

#[cfg(test)]
mod tests;

pub use parse::{parse, run_dir};
pub use problem::Problem;
pub use values::{FileKind, Sources};

use crate::domain::push::Transport;
use crate::domain::secret::Secret;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// All settings, in slices: a reload restarts only what depends on a slice that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How Kick is asked over HTTP.
    pub kick: KickConfig,
    /// How the table is reached and what it looks like.
    pub database: DatabaseConfig,
    /// How often the roster is read.
    pub roster: RosterConfig,
    /// How push is followed.
    pub push: PushConfig,
    /// Where webhooks are taken; `None` if they are not.
    pub webhook: Option<WebhookConfig>,
    /// The numbers that the rules use.
    pub rules: RulesConfig,
    /// The dead man's switch.
    pub heartbeat: HeartbeatConfig,
    /// What is logged, and how much.
    pub log: LogConfig,
    /// Where the process keeps its files.
    pub files: FilesConfig,
}

/// A URL that has been checked: `https` or `wss`, or plain on a loopback host. No trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WebUrl {
    /// Whether TLS is spoken (`https`, `wss`).
    pub tls: bool,
    /// The host, without the brackets of an IPv6 address.
    pub host: String,
    /// The port: the scheme's own when the URL names none.
    pub port: u16,
    /// The path, beginning with `/`, or empty.
    pub path: String,
    /// The URL as a whole.
    pub text: String,
}

/// Credentials and addresses of Kick's HTTP interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KickConfig {
    /// `KICK_CLIENT_ID`
    pub client_id: String,
    /// `KICK_CLIENT_SECRET` or the content of `KICK_CLIENT_SECRET_FILE`
    pub client_secret: Secret,
    /// `KICK_OAUTH_URL`
    pub oauth_url: WebUrl,
    /// `KICK_API_URL`
    pub api_url: WebUrl,
    /// `KICK_WEB_URL`
    pub web_url: WebUrl,
    /// `TLS_CA_FILE`: PEM text of further trusted certificates, read and checked.
    pub tls_ca: Option<String>,
}

/// libpq's `sslmode`, of which the driver knows only three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS only if the server insists; libpq's `allow`.
    Allow,
    /// TLS if the server offers it; its certificate is not checked.
    Prefer,
    /// TLS; the certificate is checked against `sslrootcert` if that is given, as libpq does.
    Require,
    /// TLS with a certificate of a known authority.
    VerifyCa,
    /// TLS with a certificate of a known authority for this host name.
    VerifyFull,
}

/// `DB_COORDINATION`: how instances on one table work together (R25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordination {
    /// They share the roster by PostgreSQL's advisory locks.
    Auto,
    /// Each follows every row.
    Off,
}

/// The database and the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseConfig {
    /// `DATABASE_URL` (or the content of its `_FILE`) without `sslmode` and `sslrootcert`; parses as
    /// a `postgres::Config`. Holds the password.
    pub url: Secret,
    /// libpq's `sslmode`; `prefer` unless given, as in libpq.
    pub sslmode: SslMode,
    /// `sslrootcert`; `None` means the platform's authorities.
    pub sslrootcert: Option<PathBuf>,
    /// `DB_TABLE`, as quoted SQL: `"streamers"`, `"Live Stuff"."Kick Users"`.
    pub table: String,
    /// `DB_ID_COLUMN`, bare
    pub id_column: String,
    /// `DB_USERNAME_COLUMN`, bare
    pub username_column: String,
    /// `DB_STATUS_COLUMN`, bare
    pub status_column: String,
    /// `DB_ONLINE_VALUE`
    pub online_value: String,
    /// `DB_OFFLINE_VALUE`
    pub offline_value: String,
    /// `DB_CHANNEL_ID_COLUMN`, bare
    pub channel_id_column: Option<String>,
    /// `DB_USER_ID_COLUMN`, bare
    pub user_id_column: Option<String>,
    /// `DB_CHANGED_AT_COLUMN`, bare
    pub changed_at_column: Option<String>,
    /// `DB_STARTED_AT_COLUMN`, bare
    pub started_at_column: Option<String>,
    /// `DB_SHARDS`: the parts of the roster that instances share
    pub shards: u16,
    /// `DB_COORDINATION`
    pub coordination: Coordination,
    /// `DB_FILTER`: SQL, as the administrator wrote it
    pub filter: Option<String>,
    /// `DB_POOL_SIZE`
    pub pool_size: u32,
    /// `DB_SYNCHRONOUS_COMMIT`, a value that PostgreSQL knows
    pub synchronous_commit: String,
    /// `DB_NOTIFY_CHANNEL`
    pub notify_channel: Option<String>,
}

impl DatabaseConfig {
    /// The columns that the filter names, as far as its text tells.
    pub(crate) fn filter_columns(&self) -> Vec<String> {
        self.filter.as_deref().map(filter_columns::named).unwrap_or_default()
    }
}

/// How the roster is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterConfig {
    /// `ROSTER_POLL_SECS`
    pub poll: Duration,
    /// `ROSTER_NOTIFY_CHANNEL`
    pub notify_channel: Option<String>,
}

/// How push is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushConfig {
    /// `REALTIME`: the one transport to use; `None` for `auto`.
    pub only: Option<Transport>,
    /// `PUSHER_URL`
    pub pusher_url: WebUrl,
    /// `PUSHER_APP_KEY`
    pub pusher_app_key: String,
    /// `KICK_REALTIME_URL`
    pub realtime_url: WebUrl,
    /// `PUSHER_CHANNELS_PER_CONNECTION`
    pub channels_per_connection: u32,
    /// `CHANNEL_NAMES`: each holds `{id}` exactly once
    pub channel_names: Vec<String>,
    /// `PUSH_LIVE_EVENTS`: as Kick spells them
    pub live_events: Vec<String>,
    /// `PUSH_STOP_EVENTS`: none of them is in the other list
    pub stop_events: Vec<String>,
    /// `TLS_CA_FILE`, as in [`KickConfig`]
    pub tls_ca: Option<String>,
}

/// Where webhooks are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookConfig {
    /// `WEBHOOK_LISTEN`
    pub listen: Listen,
    /// `WEBHOOK_PATH`
    pub path: String,
}

/// `WEBHOOK_LISTEN`. `Display` gives it as it is written in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A Unix socket, by its absolute path.
    Unix(PathBuf),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => write!(f, "{address}"),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The numbers that the rules use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesConfig {
    /// `SWEEP_SECS`
    pub sweep: Duration,
    /// `SWEEP_UNCOVERED_SECS`
    pub sweep_uncovered: Duration,
    /// `PUSH_HOLD_SECS`
    pub hold: Duration,
    /// `OFFLINE_DELAY_SECS`
    pub offline_delay: Duration,
    /// `API_BATCH_SIZE`
    pub batch: usize,
    /// `API_REQUESTS_PER_MINUTE`
    pub requests_per_minute: u32,
    /// `HEARTBEAT_SECS`; `None` for 0
    pub heartbeat: Option<Duration>,
}

/// The dead man's switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// `HEARTBEAT_URL`, checked; it may hold a secret
    pub url: Option<Secret>,
    /// `HEARTBEAT_SECS`; `None` for 0
    pub every: Option<Duration>,
    /// `TLS_CA_FILE`, as in [`KickConfig`]
    pub tls_ca: Option<String>,
}

/// `LOG_TARGET`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// `/dev/log`
    Syslog,
    /// Standard error.
    Stderr,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `LOG_LEVEL`
    pub level: log::LevelFilter,
    /// `LOG_TARGET`
    pub target: LogTarget,
    /// `SYSLOG_FACILITY`, a name that kick-monitor.env(5) lists
    pub facility: String,
}

/// Where the process keeps its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesConfig {
    /// `METRICS_FILE`
    pub metrics_file: Option<PathBuf>,
    /// `STATE_DIR`
    pub state_dir: PathBuf,
    /// `RUN_DIR`
    pub run_dir: PathBuf,
}
