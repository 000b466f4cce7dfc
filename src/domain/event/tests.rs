//! The line of each event as the operator sees it; text from outside cannot forge a line.

use super::{Event, Severity};
use crate::domain::push::LinkId;
use crate::domain::{ChannelId, RowId, Source, Status};
use expect_test::{Expect, expect};
use std::sync::Arc;
use std::time::Duration;

fn check(events: &[Event], expected: Expect) {
    let line = |event: &Event| format!("{:?}: {}\n", event.severity(), event.line());
    expected.assert_eq(&events.iter().map(line).collect::<String>());
}

fn xqc() -> (Arc<str>, RowId) {
    ("xqc".into(), RowId::new("7"))
}

const RETRY: Duration = Duration::from_millis(1_250);

#[test]
fn the_life_of_the_process() {
    let (file, key, reason) = ("/etc/kick-monitor/kick-monitor.env", "SWEEP_SECS", "not a number, 1-86400 expected");
    check(
        &[
            Event::Started { version: "1.2.3" },
            Event::Ready { version: "1.2.3", seconds: 4.25, streamers: 3 },
            Event::Reloaded { seconds: 0.04 },
            Event::Stopping { reason: "SIGTERM".to_owned(), seconds: 3600.0 },
            Event::Stopped { seconds: 0.2, unwritten: 0 },
            Event::Stopped { seconds: 10.0, unwritten: 5 },
            Event::ConfigError { file: file.to_owned(), key: key.to_owned(), reason: reason.to_owned() },
            Event::ConfigError { file: file.to_owned(), key: String::new(), reason: "permission denied".to_owned() },
            Event::ReloadRefused { file: file.to_owned(), key: key.to_owned(), reason: reason.to_owned() },
            Event::ThreadRestarted { thread: "link-0".to_owned(), reason: "panicked: no way".to_owned() },
            Event::Fatal { reason: "hub died".to_owned() },
            Event::StatusFile { file: "/run/x/status.json".to_owned(), reason: "disk full".to_owned() },
            Event::StateFile { file: "/var/lib/x/learned.json".to_owned(), reason: "disk full".to_owned() },
            Event::LogDropped { lines: 12 },
            Event::Heartbeat {
                streamers: 9,
                online: 2,
                subscribed: 8,
                connections: 1,
                pending: 0,
                covered: 6,
                oldest_comparison: Some(Duration::from_secs(12)),
                token_expires_in: Some(Duration::from_millis(3_599_900)),
                last_event_ago: None,
                latency_p50_ms: Some(1.234),
                latency_p99_ms: None,
            },
            Event::HeartbeatFailed { reason: "status 503".to_owned() },
            Event::HeartbeatRecovered { failures: 3 },
            Event::Detail { what: "pusher_frame", text: "a b".to_owned() },
        ],
        expect![[r#"
            Info: kick-monitor is starting event=started version=1.2.3
            Info: every streamer has been compared with Kick once event=ready version=1.2.3 seconds=4.2 streamers=3
            Info: the new configuration is in force event=reloaded seconds=0.0
            Info: kick-monitor is stopping event=stopping seconds=3600.0 reason=SIGTERM
            Info: kick-monitor has stopped event=stopped seconds=0.2 unwritten=0
            Info: kick-monitor has stopped with changes not written; the next start writes them event=stopped seconds=10.0 unwritten=5
            Error: the configuration cannot be used; correct it, run 'kick-monitor check', then restart event=config_error file=/etc/kick-monitor/kick-monitor.env key=SWEEP_SECS reason="not a number, 1-86400 expected"
            Error: the configuration cannot be used; correct it, run 'kick-monitor check', then restart event=config_error file=/etc/kick-monitor/kick-monitor.env key=- reason="permission denied"
            Error: the new configuration cannot be used, and the old one is in force; correct it and reload event=reload_refused file=/etc/kick-monitor/kick-monitor.env key=SWEEP_SECS reason="not a number, 1-86400 expected"
            Error: a thread of kick-monitor failed and was restarted; it is a bug, please report it event=thread_restarted thread=link-0 reason="panicked: no way"
            Error: kick-monitor cannot go on and exits event=fatal reason="hub died"
            Warn: a status file could not be written; see the reason, and check RUN_DIR, METRICS_FILE and their owner event=status_file file=/run/x/status.json reason="disk full"
            Warn: a file that is kept across restarts could not be read or written; see the reason, and check STATE_DIR and its owner event=state_file file=/var/lib/x/learned.json reason="disk full"
            Warn: log lines are missing before this one: they could not be written in time event=log_dropped lines=12
            Info: kick-monitor is running event=heartbeat streamers=9 online=2 subscribed=8 connections=1 pending=0 token_expires_in=3599 last_event_ago=- latency_p50_ms=1.234 latency_p99_ms=- covered=6 oldest_comparison=12
            Warn: HEARTBEAT_URL cannot be asked, so its service may raise an alarm; see the reason event=heartbeat_failed reason="status 503"
            Info: HEARTBEAT_URL answers again event=heartbeat_recovered failures=3
            Debug: detail event=detail what=pusher_frame text="a b"
        "#]],
    );
}

#[test]
fn the_life_of_a_streamer() {
    let (username, id) = xqc();
    check(
        &[
            Event::RosterLoaded { streamers: 3, added: 2, removed: 1 },
            Event::StreamerUnusable { username: "".into(), id: id.clone(), reason: "the username is empty".to_owned() },
            Event::StreamerUnknown { username: username.clone(), id: id.clone() },
            Event::StreamerRenamed { username: username.clone(), id: id.clone(), actual: "xqcow".to_owned() },
            Event::ChannelIdMismatch { username: username.clone(), configured: ChannelId(1), actual: ChannelId(2) },
            Event::StatusChanged {
                username: username.clone(),
                id: id.clone(),
                status: Status::Online,
                source: Source::Push,
                lag: Duration::from_micros(4_210),
            },
            Event::StatusChanged {
                username: username.clone(),
                id: id.clone(),
                status: Status::Offline,
                source: Source::Sweep,
                lag: Duration::from_millis(20),
            },
            Event::PushMissed {
                username: username.clone(),
                status: Status::Online,
                unrecognised: "New\\Event".to_owned(),
            },
            Event::SubscriptionFailed {
                username: username.clone(),
                channel: "668".to_owned(),
                reason: "refused".to_owned(),
            },
            Event::WriteRefused { username, id, reason: "23514: no \"Online\" here".to_owned() },
        ],
        expect![[r#"
            Info: the table was read event=roster_loaded streamers=3 added=2 removed=1
            Warn: a row cannot be used and is left alone until it is corrected; see the reason event=streamer_unusable username="" id=7 reason="the username is empty"
            Warn: Kick does not know a username; correct the row event=streamer_unknown username=xqc id=7
            Warn: a streamer has another name now and is followed by id; update the row event=streamer_renamed username=xqc actual=xqcow id=7
            Warn: Kick states another channel id than the table, and that one is used; correct the row event=channel_id_mismatch username=xqc configured=1 actual=2
            Notice: push reported Online, and the row was written event=status_changed username=xqc id=7 status=Online source=push lag_ms=4.21
            Notice: the API reported Offline, and the row was written event=status_changed username=xqc id=7 status=Offline source=sweep lag_ms=20
            Warn: another source reported a change that push should have event=push_missed username=xqc status=Online unrecognised="New\\Event"
            Warn: a push channel cannot be followed; it is tried again event=subscription_failed username=xqc channel=668 reason=refused
            Error: PostgreSQL refuses to write a row, which is tried again later; see the reason event=write_refused username=xqc id=7 reason="23514: no \"Online\" here"
        "#]],
    );
}

#[test]
fn the_life_outside() {
    let reason = || "timed out".to_owned();
    check(
        &[
            Event::RealtimeConnected { transport: "pusher", connection: LinkId(0) },
            Event::RealtimeDisconnected {
                transport: "pusher",
                connection: LinkId(0),
                code: Some(4200),
                reason: "please reconnect".to_owned(),
                retry_in: RETRY,
            },
            Event::RealtimeDisconnected {
                transport: "centrifugo",
                connection: LinkId(1),
                code: None,
                reason: String::new(),
                retry_in: RETRY,
            },
            Event::RealtimeRefused { transport: "pusher", code: Some(4001), reason: "no such app".to_owned() },
            Event::PushSilent { transport: "pusher", missed: 5, kind: "starts" },
            Event::PushPartial { missed: 4, of: 14 },
            Event::TokenRefreshed { expires_in: Duration::from_secs(5_000) },
            Event::TokenRefused { reason: "invalid_client".to_owned(), retry_in: RETRY },
            Event::TokenUnavailable { reason: reason(), retry_in: RETRY },
            Event::ApiError { status: None, endpoint: "channels", reason: reason(), retry_in: RETRY },
            Event::ApiBlocked { status: Some(403), endpoint: "website", reason: reason(), retry_in: RETRY },
            Event::ApiRateLimited { status: Some(429), endpoint: "channels", retry_in: RETRY },
            Event::ApiRecovered { endpoint: "channels" },
            Event::SweepDone { streamers: 9, seconds: 1.0, corrected: 0 },
            Event::SweepBehind { streamers: 9_000, seconds: 200.0, fitting: 180 },
            Event::SweepImplausible { endpoint: "channels", covered: 25, changes: 20 },
            Event::WebhookRefused { reason: "signature", from: "192.0.2.1 through unix".to_owned(), times: 3 },
            Event::WebhookListener { reason: "127.0.0.1:80: permission denied".to_owned() },
            Event::WebhookSubscribed { streamers: 9 },
            Event::WebhookSilent { missed: 5, kind: "both" },
            Event::DbUnavailable { reason: "connection refused".to_owned(), pending: 4 },
            Event::DbRecovered { pending: 4 },
            Event::ShardsChanged { held: 8, of: 16, instances: 2 },
            Event::ShardsChanged { held: 0, of: 1, instances: 2 },
            Event::CoordinationOff { reason: "no lock is kept".to_owned() },
        ],
        expect![[r#"
            Info: a push connection is established event=realtime_connected transport=pusher connection=0
            Warn: a push connection is lost; it is re-established event=realtime_disconnected transport=pusher connection=0 code=4200 reason="please reconnect" retry_in=1.2
            Warn: a push connection is lost; it is re-established event=realtime_disconnected transport=centrifugo connection=1 code=- reason="" retry_in=1.2
            Error: the push server refuses the connection; if it lasts, check REALTIME, PUSHER_URL and PUSHER_APP_KEY event=realtime_refused transport=pusher code=4001 reason="no such app"
            Error: push is connected but reports nothing; another transport is used if Kick offers one event=push_silent transport=pusher missed=5 kind=starts
            Warn: push missed a quarter or more of the last changes; the sweep finds them event=push_partial missed=4 of=14
            Info: there is a new token event=token_refreshed expires_in=5000
            Error: Kick refuses the credentials; correct KICK_CLIENT_ID and KICK_CLIENT_SECRET, then reload event=token_refused reason=invalid_client retry_in=1.2
            Warn: no token can be obtained at the moment; the daemon tries again event=token_unavailable reason="timed out" retry_in=1.2
            Warn: a request to Kick failed; it is tried again event=api_error status=- endpoint=channels retry_in=1.2 reason="timed out"
            Warn: the website's firewall refuses this machine; if it lasts, look the channel ids up on another one with 'kick-monitor ids' event=api_blocked status=403 endpoint=website retry_in=1.2 reason="timed out"
            Warn: Kick asks for fewer requests; fewer are sent for a while event=api_rate_limited status=429 endpoint=channels retry_in=1.2
            Info: Kick answers again event=api_recovered endpoint=channels
            Debug: every streamer was compared with the API event=sweep_done streamers=9 seconds=1.0 corrected=0
            Warn: the budget of requests is too small for SWEEP_SECS; raise it to 180 or more event=sweep_behind streamers=9000 seconds=200.0 fitting=180
            Warn: one answer of the API would change implausibly many statuses; it is asked again event=sweep_implausible endpoint=channels covered=25 changes=20
            Warn: a request for a webhook was refused; see the reason event=webhook_refused reason=signature from="192.0.2.1 through unix" times=3
            Error: webhooks cannot be taken; check WEBHOOK_LISTEN, and what else uses that address event=webhook_listener reason="127.0.0.1:80: permission denied"
            Info: Kick shows a webhook subscription for every streamer event=webhook_subscribed streamers=9
            Warn: webhooks do not report changes; check the address in the settings of the Kick app, and the proxy event=webhook_silent missed=5 kind=both
            Error: the database cannot be used, so changes wait; run 'kick-monitor check' event=db_unavailable reason="connection refused" pending=4
            Info: the database can be used again event=db_recovered pending=4
            Info: this instance follows the streamers of the shards that it holds event=shards_changed held=8 of=16 instances=2
            Info: this instance stands by, because others hold all shards event=shards_changed held=0 of=1 instances=2
            Warn: this instance does not share the table with others as configured; see the reason event=coordination_off reason="no lock is kept"
        "#]],
    );
}

#[test]
fn a_hostile_username_stays_one_value_of_one_line() {
    let unusable = |username: &str| Event::StreamerUnusable {
        username: username.into(),
        id: RowId::new("7\n8"),
        reason: "bad".to_owned(),
    };
    check(
        &[
            unusable("a\nkick-monitor[1]: event=fatal"),
            unusable("a event=status_changed id=\"9\\"),
            unusable("\u{1b}[2J\u{7f}\u{9b}\u{2028}\u{2029}\u{202e}\u{2066}"),
        ],
        expect![[r#"
            Warn: a row cannot be used and is left alone until it is corrected; see the reason event=streamer_unusable username="a\nkick-monitor[1]: event=fatal" id="7\n8" reason=bad
            Warn: a row cannot be used and is left alone until it is corrected; see the reason event=streamer_unusable username="a event=status_changed id=\"9\\" id="7\n8" reason=bad
            Warn: a row cannot be used and is left alone until it is corrected; see the reason event=streamer_unusable username="\u001b[2J\u007f\u009b\u2028\u2029\u202e\u2066" id="7\n8" reason=bad
        "#]],
    );
    let line = unusable(&"\u{85}".repeat(1_000)).line();
    assert_eq!(line.matches("\\u0085").count(), 200, "a text from outside is cut to 200 characters");
}

#[test]
fn only_a_change_of_status_is_a_notice() {
    let (username, id) = xqc();
    let lag = Duration::ZERO;
    let changed = Event::StatusChanged { username, id, status: Status::Online, source: Source::Push, lag };
    assert_eq!(changed.severity(), Severity::Notice);
}
