//! How an event is logged: its name, its severity, and its line, `a sentence event=NAME key=value …`.
//!
//! The sentence contains only fixed words and numbers. Text from outside is in the keys, after `event=`, so
//! that no username can imitate another event; and no value can break the line (`domain::text`).

use super::{Event, Severity};
use crate::domain::Source;
use crate::domain::ask::Endpoint;

impl Event {
    /// The whole line, without a line break. The value of a key that is not known is `-`.
    pub fn line(&self) -> String {
        let mut line = format!("{} event={}", self.sentence(), self.name());
        for (key, value) in self.keys() {
            line.extend([" ", key, "=", &value]);
        }
        line
    }

    /// Logs the line. The crate `log` has no severity `notice`: the target `kick_monitor::notice` marks it.
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
            Event::WebhookRefused { .. } => "webhook_refused",
            Event::WebhookListener { .. } => "webhook_listener",
            Event::WebhookSubscribed { .. } => "webhook_subscribed",
            Event::WebhookSilent { .. } => "webhook_silent",
            Event::DbUnavailable { .. } => "db_unavailable",
            Event::DbRecovered { .. } => "db_recovered",
            Event::ShardsChanged { .. } => "shards_changed",
            Event::CoordinationOff { .. } => "coordination_off",
            Event::WriteRefused { .. } => "write_refused",
            Event::StateFile { .. } => "state_file",
            Event::StatusFile { .. } => "status_file",
            Event::LogDropped { .. } => "log_dropped",
            Event::ThreadRestarted { .. } => "thread_restarted",
            Event::Fatal { .. } => "fatal",
            Event::Heartbeat { .. } => "heartbeat",
            Event::HeartbeatFailed { .. } => "heartbeat_failed",
            Event::HeartbeatRecovered { .. } => "heartbeat_recovered",
            Event::Detail { .. } => "detail",
        }
    }

    /// The severity (kick-monitor(8), EVENTS).
    pub fn severity(&self) -> Severity {
        match self {
            Event::ConfigError { .. }
            | Event::ReloadRefused { .. }
            | Event::RealtimeRefused { .. }
            | Event::PushSilent { .. }
            | Event::TokenRefused { .. }
            | Event::WebhookListener { .. }
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
            | Event::CoordinationOff { .. }
            | Event::WebhookRefused { .. }
            | Event::WebhookSilent { .. }
            | Event::StateFile { .. }
            | Event::StatusFile { .. }
            | Event::HeartbeatFailed { .. }
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
            | Event::WebhookSubscribed { .. }
            | Event::DbRecovered { .. }
            | Event::HeartbeatRecovered { .. }
            | Event::ShardsChanged { .. }
            | Event::Heartbeat { .. } => Severity::Info,
            Event::SweepDone { .. } | Event::Detail { .. } => Severity::Debug,
        }
    }

    /// What happened, in a few words, with the remedy where the administrator can do something.
    fn sentence(&self) -> String {
        match self {
            Event::Started { .. } => "kick-monitor is starting",
            Event::Ready { .. } => "every streamer has been compared with Kick once",
            Event::Reloaded { .. } => "the new configuration is in force",
            Event::Stopping { .. } => "kick-monitor is stopping",
            Event::Stopped { unwritten: 0, .. } => "kick-monitor has stopped",
            Event::Stopped { .. } => "kick-monitor has stopped with changes not written; the next start writes them",
            Event::ConfigError { .. } => {
                "the configuration cannot be used; correct it, run 'kick-monitor check', then restart"
            }
            Event::ReloadRefused { .. } => {
                "the new configuration cannot be used, and the old one is in force; correct it and reload"
            }
            Event::RosterLoaded { .. } => "the table was read",
            Event::StreamerUnusable { .. } => {
                "a row cannot be used and is left alone until it is corrected; see the reason"
            }
            Event::StreamerUnknown { .. } => "Kick does not know a username; correct the row",
            Event::StreamerRenamed { .. } => "a streamer has another name now and is followed by id; update the row",
            Event::ChannelIdMismatch { .. } => {
                "Kick states another channel id than the table, and that one is used; correct the row"
            }
            Event::StatusChanged { status, source: Source::Push, .. } => {
                return format!("push reported {}, and the row was written", status.word());
            }
            Event::StatusChanged { status, source: Source::Sweep, .. } => {
                return format!("the API reported {}, and the row was written", status.word());
            }
            Event::RealtimeConnected { .. } => "a push connection is established",
            Event::RealtimeDisconnected { .. } => "a push connection is lost; it is re-established",
            Event::RealtimeRefused { .. } => {
                "the push server refuses the connection; if it lasts, check REALTIME, PUSHER_URL and PUSHER_APP_KEY"
            }
            Event::PushMissed { .. } => "another source reported a change that push should have",
            Event::PushPartial { .. } => "push missed a quarter or more of the last changes; the sweep finds them",
            Event::PushSilent { .. } => "push is connected but reports nothing; another transport is used if Kick offers one",
            Event::SubscriptionFailed { .. } => "a push channel cannot be followed; it is tried again",
            Event::TokenRefreshed { .. } => "there is a new token",
            Event::TokenRefused { .. } => {
                "Kick refuses the credentials; correct KICK_CLIENT_ID and KICK_CLIENT_SECRET, then reload"
            }
            Event::TokenUnavailable { .. } => "no token can be obtained at the moment; the daemon tries again",
            Event::ApiError { .. } => "a request to Kick failed; it is tried again",
            Event::ApiBlocked { endpoint, .. } if *endpoint == Endpoint::Website.word() => {
                "the website's firewall refuses this machine; if it lasts, look the channel ids up on another one with \
                 'kick-monitor ids'"
            }
            Event::ApiBlocked { .. } => {
                "a firewall answers in Kick's place; if it lasts, use another address of this machine"
            }
            Event::ApiRateLimited { .. } => "Kick asks for fewer requests; fewer are sent for a while",
            Event::ApiRecovered { .. } => "Kick answers again",
            Event::SweepDone { .. } => "every streamer was compared with the API",
            Event::SweepBehind { fitting, .. } => {
                return format!("the budget of requests is too small for SWEEP_SECS; raise it to {fitting} or more");
            }
            Event::SweepImplausible { .. } => {
                "one answer of the API would change implausibly many statuses; it is asked again"
            }
            Event::WebhookRefused { .. } => "a request for a webhook was refused; see the reason",
            Event::WebhookListener { .. } => {
                "webhooks cannot be taken; check WEBHOOK_LISTEN, and what else uses that address"
            }
            Event::WebhookSubscribed { .. } => "Kick shows a webhook subscription for every streamer",
            Event::WebhookSilent { .. } => {
                "webhooks do not report changes; check the address in the settings of the Kick app, and the proxy"
            }
            Event::DbUnavailable { .. } => "the database cannot be used, so changes wait; run 'kick-monitor check'",
            Event::DbRecovered { .. } => "the database can be used again",
            Event::ShardsChanged { held: 0, .. } => "this instance stands by, because others hold all shards",
            Event::ShardsChanged { .. } => "this instance follows the streamers of the shards that it holds",
            Event::CoordinationOff { .. } => {
                "this instance does not share the table with others as configured; see the reason"
            }
            Event::WriteRefused { .. } => {
                "PostgreSQL refuses to write a row, which is tried again later; see the reason"
            }
            Event::StateFile { .. } => {
                "a file that is kept across restarts could not be read or written; see the reason, and check STATE_DIR and \
                 its owner"
            }
            Event::StatusFile { .. } => {
                "a status file could not be written; see the reason, and check RUN_DIR, METRICS_FILE and their owner"
            }
            Event::LogDropped { .. } => "log lines are missing before this one: they could not be written in time",
            Event::ThreadRestarted { .. } => {
                "a thread of kick-monitor failed and was restarted; it is a bug, please report it"
            }
            Event::Fatal { .. } => "kick-monitor cannot go on and exits",
            Event::Heartbeat { .. } => "kick-monitor is running",
            Event::HeartbeatFailed { .. } => {
                "HEARTBEAT_URL cannot be asked, so its service may raise an alarm; see the reason"
            }
            Event::HeartbeatRecovered { .. } => "HEARTBEAT_URL answers again",
            Event::Detail { .. } => "detail",
        }
        .to_owned()
    }
}
