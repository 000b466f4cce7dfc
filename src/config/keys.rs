//! The one table of all keys: name, default, and what a value must be (kick-monitor.env(5)). The example
//! file, the manual and every message about a bad value are checked against it or made from it.

use super::webhook;
use std::fmt;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The name in the file and in the environment.
    pub name: &'static str,
    /// The value when the key is not given; `None` for required and for optional keys.
    pub default: Option<&'static str>,
    /// What a value must be.
    pub form: Form,
}

/// What a value must be. `Display` completes the sentence "expected …".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text, described in words.
    Text(&'static str),
    /// As `Text`, but never to be shown.
    Secret(&'static str),
    /// A whole number in this range, both ends included.
    Number(u64, u64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// An absolute path; the words say what it is the path of.
    Path(&'static str),
    /// A URL with the first scheme, or with the second on a loopback host.
    Url(&'static str, &'static str),
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Text(words) | Form::Secret(words) => f.write_str(words),
            Form::Number(least, most) => write!(f, "a whole number from {least} to {most}"),
            Form::Word(words) => write!(f, "one of {}", words.join(", ")),
            Form::Path(what) => write!(f, "the absolute path of {what}"),
            Form::Url(tls, plain) => write!(f, "{tls}://HOST/PATH ({plain} only for hosts on this machine)"),
        }
    }
}

/// All keys, in the order of kick-monitor.env(5).
pub const KEYS: &[Key] = &[
    key("KICK_CLIENT_ID", None, Form::Text("the client id of your Kick app")),
    key("KICK_CLIENT_SECRET", None, Form::Secret("the client secret of your Kick app")),
    key("KICK_CLIENT_SECRET_FILE", None, Form::Path("a file that contains the client secret")),
    key("DATABASE_URL", None, Form::Secret("postgres://USER:PASSWORD@HOST:PORT/DATABASE")),
    key("DATABASE_URL_FILE", None, Form::Path("a file that contains the database URL")),
    key("DB_TABLE", Some("streamers"), Form::Text("TABLE or SCHEMA.TABLE, quoted as in SQL")),
    key("DB_ID_COLUMN", Some("id"), COLUMN),
    key("DB_USERNAME_COLUMN", Some("username"), COLUMN),
    key("DB_STATUS_COLUMN", Some("status"), COLUMN),
    key("DB_ONLINE_VALUE", Some("Online"), Form::Text("what to write for a streamer who is live")),
    key("DB_OFFLINE_VALUE", Some("Offline"), Form::Text("what to write for a streamer who is not live")),
    key("DB_CHANNEL_ID_COLUMN", None, COLUMN),
    key("DB_USER_ID_COLUMN", None, COLUMN),
    key("DB_CHANGED_AT_COLUMN", None, COLUMN),
    key("DB_STARTED_AT_COLUMN", None, COLUMN),
    key("DB_SHARDS", Some("1"), Form::Number(1, 1024)),
    key("DB_COORDINATION", Some("auto"), Form::Word(&["auto", "off"])),
    key("DB_FILTER", None, Form::Text("an SQL condition")),
    key("DB_POOL_SIZE", Some("2"), Form::Number(1, 32)),
    key("DB_SYNCHRONOUS_COMMIT", Some("off"), Form::Word(&["on", "off", "local", "remote_write", "remote_apply"])),
    key("DB_NOTIFY_CHANNEL", None, NOTIFY_CHANNEL),
    key("ROSTER_POLL_SECS", Some("10"), Form::Number(1, 3600)),
    key("ROSTER_NOTIFY_CHANNEL", None, NOTIFY_CHANNEL),
    key("SWEEP_SECS", Some("60"), Form::Number(1, 86_400)),
    key("SWEEP_UNCOVERED_SECS", Some("3"), Form::Number(1, 86_400)),
    key("PUSH_HOLD_SECS", Some("90"), Form::Number(0, 3600)),
    key("OFFLINE_DELAY_SECS", Some("0"), Form::Number(0, 3600)),
    key("API_BATCH_SIZE", Some("25"), Form::Number(1, 50)),
    key("API_REQUESTS_PER_MINUTE", Some("60"), Form::Number(1, 1_000_000)),
    key("REALTIME", Some("auto"), Form::Word(&["auto", "pusher", "centrifugo"])),
    key("PUSHER_URL", Some("wss://ws-us2.pusher.com"), Form::Url("wss", "ws")),
    key("PUSHER_APP_KEY", Some("32cbd69e4b950bf97679"), Form::Text("letters, digits, - and _")),
    key("PUSHER_CHANNELS_PER_CONNECTION", Some("100"), Form::Number(1, 10_000)),
    key("CHANNEL_NAMES", Some("channel.{id}"), Form::Text("channel names with {id} in each, separated by commas")),
    key("PUSH_LIVE_EVENTS", Some(r"App\Events\StreamerIsLive,StreamerIsLive"), EVENTS),
    key("PUSH_STOP_EVENTS", Some(r"App\Events\StopStreamBroadcast,StopStreamBroadcast"), EVENTS),
    key("WEBHOOK_LISTEN", None, Form::Text(webhook::LISTEN)),
    key("WEBHOOK_PATH", Some("/kick"), Form::Text(webhook::PATH)),
    key("KICK_OAUTH_URL", Some("https://id.kick.com/oauth/token"), HTTP_URL),
    key("KICK_API_URL", Some("https://api.kick.com/public/v1"), HTTP_URL),
    key("KICK_WEB_URL", Some("https://kick.com"), HTTP_URL),
    key("KICK_REALTIME_URL", Some("https://web.kick.com/api/v1/realtime"), HTTP_URL),
    key("TLS_CA_FILE", None, Form::Path("a file of CA certificates (PEM)")),
    key("LOG_LEVEL", Some("info"), Form::Word(&["error", "warn", "info", "debug", "trace"])),
    key("LOG_TARGET", Some("syslog"), Form::Word(&["syslog", "stderr"])),
    key(
        "SYSLOG_FACILITY",
        Some("daemon"),
        Form::Word(&["daemon", "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"]),
    ),
    key("METRICS_FILE", None, Form::Path("the file to write")),
    key("HEARTBEAT_SECS", Some("300"), Form::Number(0, 86_400)),
    key("HEARTBEAT_URL", None, Form::Secret("https://HOST/PATH (http only for hosts on this machine)")),
    key("STATE_DIR", Some("/var/lib/kick-monitor"), Form::Path("a directory")),
    key("RUN_DIR", Some("/run/kick-monitor"), Form::Path("a directory")),
];

const COLUMN: Form = Form::Text("the name of a column, without SQL quotes");
const NOTIFY_CHANNEL: Form = Form::Text("the name of a notification channel, at most 63 bytes");
const EVENTS: Form = Form::Text("names of events, separated by commas");
const HTTP_URL: Form = Form::Url("https", "http");

/// The key of that name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The key with the most similar name, if one is similar enough to be what was meant.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_uppercase();
    let likeness = |key: &Key| strsim::jaro_winkler(&name, key.name);
    let best = KEYS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    // Below this, suggestions were more often absurd than helpful.
    (likeness(best) >= 0.85).then_some(best.name)
}

const fn key(name: &'static str, default: Option<&'static str>, form: Form) -> Key {
    Key { name, default, form }
}
