//! How an event looks in a log: its name, its weight, and its line, `a sentence event=NAME key=value …`.
//!
//! The sentence is made of our own words and numbers alone. What comes from outside stands in the
//! keys, behind `event=`, so that no username can pass for another event; and no value, from
//! wherever, can break a line (`domain::text`).

use super::{Event, Severity};
use crate::domain::Source;

impl Event {
    /// The whole line, without a line break. Keys that are not known at the time hold `-`.
    pub fn line(&self) -> String {
        let mut line = format!("{} event={}", self.sentence(), self.name());
        for (key, value) in self.keys() {
            line.extend([" ", key, "=", &value]);
        }
        line
    }

    /// Logs the line. `log` has no notice: the target `kick_monitor::notice` stands for it.
    pub fn say(&self) {
        let (level, target) = match self.severity() {
            Severity::Error => (log::Level::Error, "kick_monitor"),
            Severity::Warn => (log::Level::Warn, "kick_monitor"),
            Severity::Notice => (log::Level::Info, "kick_monitor::notice"),
            Severity::Info => (log::Level::Info, "kick_monitor"),
            Severity::Debug => (log::Level::Debug, "kick_monitor"),
        };
        log::log!(target: target, level, "{}", self.line());
    }

    /// The stable name (kick-monitor(8), EVENTS).
    pub fn name(&self) -> &'static str {
        match self {
            Event::Started { .. } => "started",
            Event::Ready { .. } => "ready",
            Event::Reloaded { .. } => "reloaded",
            Event::Stopping { .. } => "stopping",
            Event::Stopped { .. } => "stopped",
            Event::ConfigError { .. } => "config_error",
            Event::ReloadRefused { .. } => "reload_refused",
            Event::RosterLoaded { .. } => "roster_loaded",
            Event::StreamerUnusable { .. } => "streamer_unusable",
            Event::StreamerUnknown { .. } => "streamer_unknown",
            Event::StreamerRenamed { .. } => "streamer_renamed",
            Event::ChannelIdMismatch { .. } => "channel_id_mismatch",
            Event::StatusChanged { .. } => "status_changed",
            Event::RealtimeConnected { .. } => "realtime_connected",
            Event::RealtimeDisconnected { .. } => "realtime_disconnected",
            Event::RealtimeRefused { .. } => "realtime_refused",
            Event::PushMissed { .. } => "push_missed",
            Event::PushSilent { .. } => "push_silent",
            Event::PushPartial { .. } => "push_partial",
            Event::SubscriptionFailed { .. } => "subscription_failed",
            Event::TokenRefreshed { .. } => "token_refreshed",
            Event::TokenRefused { .. } => "token_refused",
            Event::TokenUnavailable { .. } => "token_unavailable",
            Event::ApiError { .. } => "api_error",
            Event::ApiBlocked { .. } => "api_blocked",
            Event::ApiRateLimited { .. } => "api_rate_limited",
            Event::ApiRecovered { .. } => "api_recovered",
            Event::SweepDone { .. } => "sweep_done",
            Event::SweepBehind { .. } => "sweep_behind",
            Event::SweepImplausible { .. } => "sweep_implausible",
            Event::DbUnavailable { .. } => "db_unavailable",
            Event::DbRecovered { .. } => "db_recovered",
            Event::WriteRefused { .. } => "write_refused",
            Event::StateFile { .. } => "state_file",
            Event::StatusFile { .. } => "status_file",
            Event::LogDropped { .. } => "log_dropped",
            Event::ThreadRestarted { .. } => "thread_restarted",
            Event::Fatal { .. } => "fatal",
            Event::Heartbeat { .. } => "heartbeat",
            Event::Detail { .. } => "detail",
        }
    }

    /// How much it matters (kick-monitor(8), EVENTS).
    pub fn severity(&self) -> Severity {
        match self {
            Event::ConfigError { .. }
            | Event::ReloadRefused { .. }
            | Event::RealtimeRefused { .. }
            | Event::PushSilent { .. }
            | Event::TokenRefused { .. }
            | Event::DbUnavailable { .. }
            | Event::WriteRefused { .. }
            | Event::ThreadRestarted { .. }
            | Event::Fatal { .. } => Severity::Error,
            Event::StreamerUnusable { .. }
            | Event::StreamerUnknown { .. }
            | Event::StreamerRenamed { .. }
            | Event::ChannelIdMismatch { .. }
            | Event::RealtimeDisconnected { .. }
            | Event::PushMissed { .. }
            | Event::PushPartial { .. }
            | Event::SubscriptionFailed { .. }
            | Event::TokenUnavailable { .. }
            | Event::ApiError { .. }
            | Event::ApiBlocked { .. }
            | Event::ApiRateLimited { .. }
            | Event::SweepBehind { .. }
            | Event::SweepImplausible { .. }
            | Event::StateFile { .. }
            | Event::StatusFile { .. }
            | Event::LogDropped { .. } => Severity::Warn,
            Event::StatusChanged { .. } => Severity::Notice,
            Event::Started { .. }
            | Event::Ready { .. }
            | Event::Reloaded { .. }
            | Event::Stopping { .. }
            | Event::Stopped { .. }
            | Event::RosterLoaded { .. }
            | Event::RealtimeConnected { .. }
            | Event::TokenRefreshed { .. }
            | Event::ApiRecovered { .. }
            | Event::DbRecovered { .. }
            | Event::Heartbeat { .. } => Severity::Info,
            Event::SweepDone { .. } | Event::Detail { .. } => Severity::Debug,
        }
    }

    /// A few plain words, with the remedy where the operator has one.
    fn sentence(&self) -> String {
        match self {
            Event::Started { .. } => "kick-monitor starts",
            Event::Ready { .. } => "every streamer was compared with Kick once",
            Event::Reloaded { .. } => "the new configuration is in force",
            Event::Stopping { .. } => "kick-monitor stops",
            Event::Stopped { unwritten: 0, .. } => "kick-monitor has stopped",
            Event::Stopped { .. } => "kick-monitor has stopped before every change was written",
            Event::ConfigError { .. } => {
                "the configuration cannot be used; correct it, look with 'kick-monitor check', then restart"
            }
            Event::ReloadRefused { .. } => "the new configuration cannot be used; the old one stays in force",
            Event::RosterLoaded { .. } => "the roster was read",
            Event::StreamerUnusable { .. } => "a row is left alone until it is corrected; see the reason",
            Event::StreamerUnknown { .. } => "Kick does not know a username; correct the row",
            Event::StreamerRenamed { .. } => "a streamer has another name now and is followed by id; update the row",
            Event::ChannelIdMismatch { .. } => "Kick states another channel id than the one known; correct the row",
            Event::StatusChanged { status, source: Source::Push, .. } => {
                return format!("push says {}, and the table now does too", status.word());
            }
            Event::StatusChanged { status, source: Source::Sweep, .. } => {
                return format!("the API says {}, and the table now does too", status.word());
            }
            Event::RealtimeConnected { .. } => "a push connection stands",
            Event::RealtimeDisconnected { .. } => "a push connection is gone and will be made again",
            Event::RealtimeRefused { .. } => "the push server refuses us; check REALTIME, PUSHER_URL, PUSHER_APP_KEY",
            Event::PushMissed { .. } => "the sweep found what push should have told",
            Event::PushPartial { .. } => "a good part of what push should tell does not come; the sweep finds it",
            Event::PushSilent { .. } => {
                "push looks dead although connected; another transport is taken if Kick offers one"
            }
            Event::SubscriptionFailed { .. } => "a push channel could not be subscribed to and will be tried again",
            Event::TokenRefreshed { .. } => "a new token is in use",
            Event::TokenRefused { .. } => "Kick refuses us; check KICK_CLIENT_ID and KICK_CLIENT_SECRET, then reload",
            Event::TokenUnavailable { .. } => "no token could be had; it will be tried again",
            Event::ApiError { .. } => "a request to Kick failed",
            Event::ApiBlocked { .. } => "a firewall answers in Kick's place; if it lasts, use another address",
            Event::ApiRateLimited { .. } => "Kick asks for fewer requests; the budget is lowered for a while",
            Event::ApiRecovered { .. } => "Kick answers again",
            Event::SweepDone { .. } => "every streamer was compared with the API",
            Event::SweepBehind { fitting, .. } => {
                return format!("the budget is too small for SWEEP_SECS; what would fit is {fitting} s or more");
            }
            Event::SweepImplausible { .. } => "an answer of the API would change implausibly many; it is asked again",
            Event::DbUnavailable { .. } => {
                "the database cannot be used; changes wait until it can be; try 'kick-monitor check'"
            }
            Event::DbRecovered { .. } => "the database can be used again",
            Event::WriteRefused { .. } => "PostgreSQL refuses a row, which is tried again later; see the reason",
            Event::StateFile { .. } => "the file of learned ids cannot be used; check STATE_DIR and its owner",
            Event::StatusFile { .. } => "a status file cannot be written; check RUN_DIR, METRICS_FILE and their owner",
            Event::LogDropped { .. } => "the log could not be written for a while, and lines are missing",
            Event::ThreadRestarted { .. } => "a part of kick-monitor failed and is started again; please report this",
            Event::Fatal { .. } => "kick-monitor cannot go on and ends",
            Event::Heartbeat { .. } => "kick-monitor lives",
            Event::Detail { .. } => "detail",
        }
        .to_owned()
    }
}
