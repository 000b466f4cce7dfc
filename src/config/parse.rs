//! Values to settings, slice by slice: which key becomes which field, and what several keys mean
//! together.

use super::problem::shown;
use super::values::{FileKind, Sources, Values};
use super::{
    Config, Coordination, DatabaseConfig, FilesConfig, HeartbeatConfig, KickConfig, LogConfig, LogTarget, Problem,
    PushConfig, RosterConfig, RulesConfig, SslMode, WebhookConfig, channel_names, database_url, event_names,
    table_name, url, webhook,
};
use crate::domain::push::Transport;
use crate::domain::secret::Secret;
use database_url::DatabaseUrl;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Reads a configuration, or returns everything that is wrong with it.
///
/// # Errors
/// Every problem of the file, the environment and the files they name: those with a line first, by line.
pub fn parse(sources: Sources<'_>) -> Result<Config, Vec<Problem>> {
    let mut values = Values::new(sources);
    let tls_ca = tls_ca(&mut values);
    let mut config = Config {
        kick: kick(&mut values, tls_ca.clone()),
        database: database(&mut values),
        roster: roster(&mut values),
        push: push(&mut values, tls_ca.clone()),
        webhook: webhook(&mut values),
        rules: rules(&mut values),
        heartbeat: heartbeat(&mut values, tls_ca),
        log: log(&mut values),
        files: files(&mut values),
    };
    config.heartbeat.every = config.rules.heartbeat;
    let problems = values.into_problems();
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// `RUN_DIR` alone, or its default, whatever is wrong with the configuration: for a command that only looks at a daemon
/// that runs with what it read before.
pub fn run_dir(sources: Sources<'_>) -> PathBuf {
    Values::new(sources).preset_path("RUN_DIR")
}

fn kick(values: &mut Values<'_>, tls_ca: Option<String>) -> KickConfig {
    let client_id = values.required("KICK_CLIENT_ID", one_line);
    let secret = values.secret("KICK_CLIENT_SECRET", "KICK_CLIENT_SECRET_FILE", one_line);
    KickConfig {
        client_id,
        client_secret: Secret::new(secret.map(|(_, secret)| secret).unwrap_or_default()),
        oauth_url: values.url("KICK_OAUTH_URL"),
        api_url: values.url("KICK_API_URL"),
        web_url: values.url("KICK_WEB_URL"),
        tls_ca,
    }
}

fn database(values: &mut Values<'_>) -> DatabaseConfig {
    let DatabaseUrl { url, sslmode, sslrootcert } = database_url(values);
    let config = DatabaseConfig {
        url: Secret::new(url),
        sslmode,
        sslrootcert,
        table: values.preset("DB_TABLE", table_name::quoted),
        id_column: values.preset("DB_ID_COLUMN", text),
        username_column: values.preset("DB_USERNAME_COLUMN", text),
        status_column: values.preset("DB_STATUS_COLUMN", text),
        online_value: values.preset("DB_ONLINE_VALUE", text),
        offline_value: values.preset("DB_OFFLINE_VALUE", text),
        channel_id_column: values.optional("DB_CHANNEL_ID_COLUMN", text),
        user_id_column: values.optional("DB_USER_ID_COLUMN", text),
        changed_at_column: values.optional("DB_CHANGED_AT_COLUMN", text),
        started_at_column: values.optional("DB_STARTED_AT_COLUMN", text),
        shards: number(values, "DB_SHARDS"),
        coordination: match values.word("DB_COORDINATION") {
            "off" => Coordination::Off,
            _ => Coordination::Auto,
        },
        filter: values.optional("DB_FILTER", text),
        pool_size: number(values, "DB_POOL_SIZE"),
        synchronous_commit: values.word("DB_SYNCHRONOUS_COMMIT").to_owned(),
        notify_channel: values.optional("DB_NOTIFY_CHANNEL", notify_channel),
    };
    if config.online_value == config.offline_value {
        values.problem("DB_OFFLINE_VALUE", "is the same as DB_ONLINE_VALUE; expected another value");
    }
    check_written_columns(values, &config);
    config
}

fn database_url(values: &mut Values<'_>) -> DatabaseUrl {
    let url = values.secret("DATABASE_URL", "DATABASE_URL_FILE", database_url::parse);
    let Some((key, url)) = url else {
        return DatabaseUrl { url: String::new(), sslmode: SslMode::Prefer, sslrootcert: None };
    };
    // With weaker modes libpq connects without the file.
    if let (SslMode::VerifyCa | SslMode::VerifyFull, Some(path)) = (url.sslmode, &url.sslrootcert) {
        certificates(values, key, "has an sslrootcert that", path);
    }
    url
}

/// Writing to a column that is also read would destroy the user's data.
fn check_written_columns(values: &mut Values<'_>, config: &DatabaseConfig) {
    let read = [
        ("DB_ID_COLUMN", Some(&config.id_column)),
        ("DB_USERNAME_COLUMN", Some(&config.username_column)),
        ("DB_CHANNEL_ID_COLUMN", config.channel_id_column.as_ref()),
        ("DB_USER_ID_COLUMN", config.user_id_column.as_ref()),
    ];
    let written = [
        ("DB_STATUS_COLUMN", Some(&config.status_column)),
        ("DB_CHANGED_AT_COLUMN", config.changed_at_column.as_ref()),
        ("DB_STARTED_AT_COLUMN", config.started_at_column.as_ref()),
    ];
    for (n, (key, column)) in written.iter().enumerate() {
        let others = read.iter().chain(&written[..n]);
        for (other, _) in others.filter(|(_, name)| column.is_some() && name == column) {
            values.problem(key, format!("is the same column as {other}; expected one that may be overwritten"));
        }
    }
    // `ids --sql` fills them in.
    let [_, username, channel, user] = read;
    for (hint, others) in [(channel, &[username][..]), (user, &[username, channel][..])] {
        for (other, _) in others.iter().filter(|(_, name)| hint.1.is_some() && *name == hint.1) {
            values.problem(hint.0, format!("is the same column as {other}; expected one of its own"));
        }
    }
}

fn roster(values: &mut Values<'_>) -> RosterConfig {
    RosterConfig {
        poll: seconds(values, "ROSTER_POLL_SECS"),
        notify_channel: values.optional("ROSTER_NOTIFY_CHANNEL", notify_channel),
    }
}

fn push(values: &mut Values<'_>, tls_ca: Option<String>) -> PushConfig {
    let config = PushConfig {
        only: Transport::from_word(values.word("REALTIME")),
        pusher_url: values.url("PUSHER_URL"),
        pusher_app_key: values.preset("PUSHER_APP_KEY", app_key),
        realtime_url: values.url("KICK_REALTIME_URL"),
        channels_per_connection: number(values, "PUSHER_CHANNELS_PER_CONNECTION"),
        channel_names: values.preset("CHANNEL_NAMES", channel_names::parse),
        live_events: values.preset("PUSH_LIVE_EVENTS", event_names::parse),
        stop_events: values.preset("PUSH_STOP_EVENTS", event_names::parse),
        tls_ca,
    };
    let names = config.channel_names.len();
    if usize::try_from(config.channels_per_connection).is_ok_and(|channels| channels < names) {
        let text =
            format!("is too small for one streamer; expected at least {names}, the number of names in CHANNEL_NAMES");
        values.problem("PUSHER_CHANNELS_PER_CONNECTION", text);
    }
    if let Some(both) = config.live_events.iter().find(|name| config.stop_events.contains(name)) {
        let text = format!("has {both:?}, which is in PUSH_LIVE_EVENTS too; expected each name in one of the two");
        values.problem("PUSH_STOP_EVENTS", text);
    }
    config
}

fn webhook(values: &mut Values<'_>) -> Option<WebhookConfig> {
    let path = values.preset("WEBHOOK_PATH", webhook::path);
    values.optional("WEBHOOK_LISTEN", webhook::listen).map(|listen| WebhookConfig { listen, path })
}

fn rules(values: &mut Values<'_>) -> RulesConfig {
    RulesConfig {
        sweep: seconds(values, "SWEEP_SECS"),
        sweep_uncovered: seconds(values, "SWEEP_UNCOVERED_SECS"),
        hold: seconds(values, "PUSH_HOLD_SECS"),
        offline_delay: seconds(values, "OFFLINE_DELAY_SECS"),
        batch: number(values, "API_BATCH_SIZE"),
        requests_per_minute: number(values, "API_REQUESTS_PER_MINUTE"),
        heartbeat: Some(seconds(values, "HEARTBEAT_SECS")).filter(|pause| !pause.is_zero()),
    }
}

fn heartbeat(values: &mut Values<'_>, tls_ca: Option<String>) -> HeartbeatConfig {
    // `every` is a number of the rules, too, and is read with them.
    HeartbeatConfig { url: values.optional("HEARTBEAT_URL", url::any_https).map(Secret::new), every: None, tls_ca }
}

fn log(values: &mut Values<'_>) -> LogConfig {
    LogConfig {
        level: values.word("LOG_LEVEL").parse().expect("the words of LOG_LEVEL are those of the log crate"),
        target: match values.word("LOG_TARGET") {
            "stderr" => LogTarget::Stderr,
            _ => LogTarget::Syslog,
        },
        facility: values.word("SYSLOG_FACILITY").to_owned(),
    }
}

fn files(values: &mut Values<'_>) -> FilesConfig {
    FilesConfig {
        metrics_file: values.path("METRICS_FILE"),
        state_dir: values.preset_path("STATE_DIR"),
        run_dir: values.preset_path("RUN_DIR"),
    }
}

fn tls_ca(values: &mut Values<'_>) -> Option<String> {
    let path = values.path("TLS_CA_FILE")?;
    let names = format!("names {}, which", shown(&path.to_string_lossy()));
    certificates(values, "TLS_CA_FILE", &names, &path)
}

/// The PEM text of a file that contains at least one certificate.
fn certificates(values: &mut Values<'_>, key: &str, subject: &str, path: &Path) -> Option<String> {
    let text = values.file(key, subject, FileKind::Certificates, path)?;
    if native_tls::Certificate::stack_from_pem(text.as_bytes()).is_ok_and(|stack| !stack.is_empty()) {
        return Some(text);
    }
    values.problem(
        key,
        format!("{subject} contains no usable certificate; expected at least one (PEM), and no broken one"),
    );
    None
}

fn seconds(values: &mut Values<'_>, name: &str) -> Duration {
    Duration::from_secs(values.number(name))
}

/// A number whose range in the table of keys fits its type.
fn number<T: TryFrom<u64, Error: std::fmt::Debug>>(values: &mut Values<'_>, name: &str) -> T {
    T::try_from(values.number(name)).expect("the ranges of the table of keys fit")
}

fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn one_line(text: &str) -> Result<String, String> {
    if text.contains(char::is_control) {
        return Err("has a line break or another control character; expected one line of text".to_owned());
    }
    Ok(text.to_owned())
}

/// Checks an app key, which becomes part of the websocket's URL.
fn app_key(text: &str) -> Result<String, String> {
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
        return Ok(text.to_owned());
    }
    Err("is not an app key; expected letters, digits, - and _".to_owned())
}

/// Checks a notification channel. PostgreSQL refuses longer names in NOTIFY.
fn notify_channel(text: &str) -> Result<String, String> {
    if text.len() > 63 {
        return Err("is too long; expected the name of a notification channel, at most 63 bytes".to_owned());
    }
    Ok(text.to_owned())
}
