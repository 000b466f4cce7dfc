//! The keys of each event's log line, and how their values are written. A key has the name of the event's field; the
//! order is that of kick-monitor(8), EVENTS.

use super::Event;
use crate::domain::push::LinkId;
use crate::domain::text::{logfmt_outside as outside, logfmt_own as own};
use crate::domain::{Source, Status};
use std::fmt::Display;
use std::time::Duration;

/// `keys!(how field, …)`: pairs of a field's name and its value, formatted by the function `how`.
macro_rules! keys {
    ($($how:ident $field:ident),*) => { vec![$((stringify!($field), $how($field))),*] };
}

impl Event {
    /// Returns the pairs of key and value, the values already quoted and escaped for the line.
    pub(super) fn keys(&self) -> Vec<(&'static str, String)> {
        use Event as E;
        match self {
            E::Started { version } => keys!(own version),
            E::Ready { version, seconds, streamers } => keys!(own version, tenths seconds, plain streamers),
            E::Reloaded { seconds } => keys!(tenths seconds),
            E::Stopping { reason, seconds } => keys!(tenths seconds, outside reason),
            E::Stopped { seconds, unwritten } => keys!(tenths seconds, plain unwritten),
            E::ConfigError { file, key, reason } | E::ReloadRefused { file, key, reason } => {
                let key = if key.is_empty() { "-" } else { key };
                keys!(own file, own key, own reason)
            }
            E::RosterLoaded { streamers, added, removed } => keys!(plain streamers, plain added, plain removed),
            E::StreamerUnusable { username, id, reason } | E::WriteRefused { username, id, reason } => {
                let id = id.as_str();
                keys!(outside username, outside id, outside reason)
            }
            E::StreamerUnknown { username, id } => {
                let id = id.as_str();
                keys!(outside username, outside id)
            }
            // The two documented keys come first.
            E::StreamerRenamed { username, id, actual } => {
                let id = id.as_str();
                keys!(outside username, outside actual, outside id)
            }
            E::ChannelIdMismatch { username, configured, actual } => {
                keys!(outside username, plain configured, plain actual)
            }
            E::StatusChanged { username, id, status, source, lag: lag_ms } => {
                let id = id.as_str();
                keys!(outside username, outside id, status_word status, source_word source, milliseconds lag_ms)
            }
            E::RealtimeConnected { transport, connection } => keys!(own transport, link connection),
            E::RealtimeDisconnected { transport, connection, code, reason, retry_in } => {
                keys!(own transport, link connection, known code, outside reason, pause retry_in)
            }
            E::RealtimeRefused { transport, code, reason } => keys!(own transport, known code, outside reason),
            E::PushMissed { username, status, unrecognised } => {
                let mut keys = keys!(outside username, status_word status);
                if !unrecognised.is_empty() {
                    keys.extend(keys!(outside unrecognised));
                }
                keys
            }
            E::PushSilent { transport, missed, kind } => keys!(own transport, plain missed, own kind),
            E::PushPartial { missed, of } => keys!(plain missed, plain of),
            E::SubscriptionFailed { username, channel, reason } => {
                keys!(outside username, outside channel, own reason)
            }
            E::TokenRefreshed { expires_in } => keys!(whole expires_in),
            E::TokenRefused { reason, retry_in } | E::TokenUnavailable { reason, retry_in } => {
                keys!(outside reason, pause retry_in)
            }
            E::ApiError { status, endpoint, reason, retry_in }
            | E::ApiBlocked { status, endpoint, reason, retry_in } => {
                keys!(known status, own endpoint, pause retry_in, outside reason)
            }
            E::ApiRateLimited { status, endpoint, retry_in } => keys!(known status, own endpoint, pause retry_in),
            E::ApiRecovered { endpoint } => keys!(own endpoint),
            E::SweepDone { streamers, seconds, corrected } => keys!(plain streamers, tenths seconds, plain corrected),
            E::SweepBehind { streamers, seconds, fitting } => keys!(plain streamers, tenths seconds, plain fitting),
            E::SweepImplausible { endpoint, covered, changes } => keys!(own endpoint, plain covered, plain changes),
            E::WebhookRefused { reason, from, times } => keys!(own reason, outside from, plain times),
            E::WebhookListener { reason } => keys!(outside reason),
            E::WebhookSubscribed { streamers } => keys!(plain streamers),
            E::WebhookSilent { missed, kind } => keys!(plain missed, own kind),
            E::DbUnavailable { reason, pending } => keys!(own reason, plain pending),
            E::DbRecovered { pending } => keys!(plain pending),
            E::ShardsChanged { held, of, instances } => keys!(plain held, plain of, plain instances),
            E::CoordinationOff { reason } => keys!(outside reason),
            E::StateFile { file, reason } | E::StatusFile { file, reason } => keys!(own file, outside reason),
            E::LogDropped { lines } => keys!(plain lines),
            E::ThreadRestarted { thread, reason } => keys!(own thread, outside reason),
            E::Fatal { reason } => keys!(outside reason),
            E::Heartbeat {
                streamers,
                online,
                subscribed,
                connections,
                pending,
                covered,
                oldest_comparison,
                token_expires_in,
                last_event_ago,
                latency_p50_ms,
                latency_p99_ms,
            } => {
                let (token_expires_in, last_event_ago) = (&seconds(*token_expires_in), &seconds(*last_event_ago));
                let oldest_comparison = &seconds(*oldest_comparison);
                keys!(plain streamers, plain online, plain subscribed, plain connections, plain pending,
                      known token_expires_in, known last_event_ago, known latency_p50_ms, known latency_p99_ms,
                      plain covered, known oldest_comparison)
            }
            E::HeartbeatFailed { reason } => keys!(outside reason),
            E::HeartbeatRecovered { failures } => keys!(plain failures),
            E::Detail { what, text } => keys!(own what, outside text),
        }
    }
}

fn plain(value: &impl Display) -> String {
    value.to_string()
}

fn known(value: &Option<impl Display>) -> String {
    value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)
}

fn tenths(seconds: &f64) -> String {
    format!("{seconds:.1}")
}

fn pause(pause: &Duration) -> String {
    tenths(&pause.as_secs_f64())
}

fn whole(span: &Duration) -> String {
    span.as_secs().to_string()
}

fn seconds(span: Option<Duration>) -> Option<u64> {
    span.map(|span| span.as_secs())
}

/// A duration in milliseconds with at most three decimals: the clock is not more precise than microseconds here.
fn milliseconds(span: &Duration) -> String {
    let text = format!("{:.3}", span.as_secs_f64() * 1000.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn status_word(status: &Status) -> String {
    status.word().to_owned()
}

fn source_word(source: &Source) -> String {
    source.word().to_owned()
}

fn link(link: &LinkId) -> String {
    link.0.to_string()
}
