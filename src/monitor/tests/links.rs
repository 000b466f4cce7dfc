//! R17 and R18, and which connection carries which channel.

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r17_after_a_reconnection_exactly_the_resubscribed_are_asked_about_now_in_30_s_and_after_the_hold() {
    check(
        "
        0 learned a/1/11 b/2/12 c/3/13
        .. kick a/1/11=offline b/2/12=offline c/3/13=offline
        .. set sweep=86400
        .. auto
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 11 12
        .. link 1 started
        .. link 1 connected
        .. link 1 subscribed 13
        200 auto asks
        .. link 0 disconnected
        210 link 0 connected
        .. link 0 subscribed 12
        229 link 0 subscribed 11
        400 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=3 added=3 removed=0
            0.0    open 0
            0.0    open 1
            0.0    log ready version=- seconds=0.0 streamers=3
            0.0    subscribe 0 11 12
            0.0    subscribe 1 13
            210.0  ask users_livestreams: 2
            229.0  ask users_livestreams: 1
            240.0  ask users_livestreams: 2
            259.0  ask users_livestreams: 1
            300.0  ask users_livestreams: 2
            319.0  ask users_livestreams: 1
        "#]],
    );
}

#[test]
fn r17_a_link_that_begins_anew_is_told_everything_again() {
    check_watched(
        "1 link 0 started",
        &expect![[r#"

        1.0    subscribe 0 668
    "#]],
    );
}

#[test]
fn r18_losing_the_connection_changes_no_status_however_long() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        10 link 0 disconnected
        20 down users_livestreams network
        .. down channels network
        .. down livestreams network
        3600 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            30.0   log api_error status=- endpoint=users_livestreams retry_in=0.9 reason=network
            338.9  log api_error status=- endpoint=users_livestreams retry_in=27.1 reason=network
            627.4  log api_error status=- endpoint=channels retry_in=25.4 reason=network
            652.7  log api_error status=- endpoint=users_livestreams retry_in=29.7 reason=network
            948.8  log api_error status=- endpoint=channels retry_in=28.3 reason=network
            974.3  log api_error status=- endpoint=users_livestreams retry_in=26.9 reason=network
            1263.5 log api_error status=- endpoint=channels retry_in=26.6 reason=network
            1290.2 log api_error status=- endpoint=users_livestreams retry_in=29.8 reason=network
            1599.7 log api_error status=- endpoint=channels retry_in=28.4 reason=network
            1628.1 log api_error status=- endpoint=users_livestreams retry_in=26.8 reason=network
            1929.1 log api_error status=- endpoint=channels retry_in=24.8 reason=network
            1953.2 log api_error status=- endpoint=users_livestreams retry_in=29.7 reason=network
            2248.8 log api_error status=- endpoint=channels retry_in=29.0 reason=network
            2272.8 log api_error status=- endpoint=users_livestreams retry_in=30.0 reason=network
            2564.7 log api_error status=- endpoint=channels retry_in=29.2 reason=network
            2593.3 log api_error status=- endpoint=users_livestreams retry_in=25.9 reason=network
            2899.1 log api_error status=- endpoint=channels retry_in=25.8 reason=network
            2924.8 log api_error status=- endpoint=users_livestreams retry_in=29.8 reason=network
            3227.8 log api_error status=- endpoint=channels retry_in=25.5 reason=network
            3253.4 log api_error status=- endpoint=users_livestreams retry_in=25.8 reason=network
            3557.5 log api_error status=- endpoint=channels retry_in=25.9 reason=network
            3583.4 log api_error status=- endpoint=users_livestreams retry_in=28.4 reason=network
        "#]],
    );
}

#[test]
fn a_refused_subscription_is_said_by_name() {
    check_watched(
        "
        1 link 0 failed 668
        2 link 0 failed 668
        301 quiet
        .. loud
        .. link 0 failed 668
        ",
        &expect![[r#"

            1.0    log subscription_failed username=xqc channel=668 reason="refused, or not acknowledged in time"
            30.0   ask users_livestreams: 676
            61.0   log realtime_refused transport=pusher code=- reason="no subscription was confirmed within a minute"
            61.0   ask realtime: pusher centrifugo
            301.0  log subscription_failed username=xqc channel=668 reason="refused, or not acknowledged in time"
        "#]],
    );
}

#[test]
fn connections_are_filled_one_after_another_and_closed_when_empty() {
    check(
        "
        0 quiet
        .. learned a/1/11 b/2/12 c/3/13
        .. auto
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline
        .. link 0 started
        .. link 1 started
        .. loud
        1 roster 2:b:Offline 3:c:Offline
        2 roster 2:b:Offline
        3 roster 2:b:Offline 3:c:Offline
        4 roster 3:c:Offline
        5 roster 2:b:Offline
        6 roster 3:c:Offline
        ",
        &expect![[r#"

            1.0    log roster_loaded streamers=2 added=0 removed=1
            1.0    unsubscribe 0 11
            2.0    log roster_loaded streamers=1 added=0 removed=1
            2.0    close 1
            3.0    log roster_loaded streamers=2 added=1 removed=0
            3.0    subscribe 0 13
            4.0    log roster_loaded streamers=1 added=0 removed=1
            4.0    unsubscribe 0 12
            5.0    log roster_loaded streamers=1 added=1 removed=1
            5.0    open 2
            5.0    close 0
            6.0    log roster_loaded streamers=1 added=1 removed=1
            6.0    open 3
            6.0    close 2
        "#]],
    );
}

#[test]
fn a_connection_that_is_not_needed_after_all_is_never_opened() {
    check(
        "
        0 auto
        .. learned a/1/11
        .. roster 1:a:Offline 2:xqc:Offline:668 | 1:other:Offline 2:xqc:Offline:668
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    log roster_loaded streamers=2 added=1 removed=1
            0.0    open 0
            0.0    log streamer_unknown username=xqc id=2
            0.0    log streamer_unknown username=other id=1
            0.0    log ready version=- seconds=0.0 streamers=2
        "#]],
    );
}

#[test]
fn new_push_settings_make_every_connection_anew_and_what_is_late_from_the_old_is_discarded() {
    check_watched(
        "
        1 relink
        2 link 1 started
        .. live 668 10 link=0
        .. link 0 subscribed 668
        3 live 668 10 link=1
        ",
        &expect![[r#"

            1.0    open 1
            1.0    close 0
            2.0    subscribe 1 668
            2.0    log detail push_stranger
            3.0    write 1 Online by push
        "#]],
    );
}

#[test]
fn subscriptions_are_counted_whatever_becomes_of_their_connections() {
    check_watched(
        "
        1 set heartbeat=10
        12 relink
        22 link 1 started
        .. link 1 connected
        .. link 1 subscribed 668
        32 link 1 disconnected
        42 link 1 connected
        .. link 1 subscribed 668
        52 roster 7:other:Offline
        61 until
        ",
        &expect![[r#"

            11.0   log heartbeat streamers=1 online=0 subscribed=1 connections=1 pending=0 token_expires_in=- last_event_ago=- latency_p50_ms=- latency_p99_ms=- covered=1 oldest_comparison=11
            12.0   open 1
            12.0   close 0
            21.0   log heartbeat streamers=1 online=0 subscribed=0 connections=0 pending=0 token_expires_in=- last_event_ago=- latency_p50_ms=- latency_p99_ms=- covered=0 oldest_comparison=21
            22.0   subscribe 1 668
            22.0   ask users_livestreams: 676
            31.0   log heartbeat streamers=1 online=0 subscribed=1 connections=1 pending=0 token_expires_in=- last_event_ago=- latency_p50_ms=- latency_p99_ms=- covered=1 oldest_comparison=31
            41.0   log heartbeat streamers=1 online=0 subscribed=0 connections=0 pending=0 token_expires_in=- last_event_ago=- latency_p50_ms=- latency_p99_ms=- covered=0 oldest_comparison=41
            51.0   log heartbeat streamers=1 online=0 subscribed=1 connections=1 pending=0 token_expires_in=- last_event_ago=- latency_p50_ms=- latency_p99_ms=- covered=1 oldest_comparison=51
            52.0   log roster_loaded streamers=1 added=1 removed=1
            52.0   ask website: other
            52.0   close 1
            61.0   log heartbeat streamers=1 online=0 subscribed=0 connections=0 pending=0 token_expires_in=- last_event_ago=- latency_p50_ms=- latency_p99_ms=- covered=0 oldest_comparison=9
        "#]],
    );
}

#[test]
fn fewer_streamers_to_a_connection_hold_for_what_comes_then() {
    check(
        "
        0 quiet
        .. learned a/1/11 b/2/12 c/3/13 d/4/14
        .. auto
        .. set per-link=3
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline
        .. link 0 started
        .. loud
        1 set per-link=1
        .. roster 1:a:Offline 2:b:Offline
        .. roster 1:a:Offline 2:b:Offline 4:d:Offline
        ",
        &expect![[r#"

            1.0    log roster_loaded streamers=2 added=0 removed=1
            1.0    unsubscribe 0 13
            1.0    log roster_loaded streamers=3 added=1 removed=0
            1.0    open 1
        "#]],
    );
}

#[test]
fn whom_too_few_open_files_leave_without_push_is_said_and_followed_when_there_is_room() {
    check(
        "
        0 set sweep=86400 files=4
        .. learned a/1/11 b/2/12 c/3/13 d/4/14
        .. kick a/1/11=offline b/2/12=offline c/3/13=offline d/4/14=offline
        .. auto
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline 4:d:Offline
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 11 12
        10 report
        20 roster 2:b:Offline 3:c:Offline 4:d:Offline
        400 roster 2:b:Offline 3:c:Offline 4:d:Offline
        500 relink
        600 set files=200
        .. report
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=4 added=4 removed=0
            0.0    log subscription_failed username=c channel=13 reason="streamers not followed: 2; push connections that the limit of 4 open files allows: 1; raise LimitNOFILE (systemd) or ulimit -n, then restart"
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=4
            0.0    subscribe 0 11 12
            10.0   health degraded
            10.0   push_limited since 2026-01-01T00:00:00Z: push does not follow all streamers: each push connection needs two open files, and too few are allowed; the sweep finds the changes of the others: streamers not followed: 2; push connections that the limit of 4 open files allows: 1
            10.0   {"realtime":{"connected":1,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":2,"offline":4,"online":0,"subscribed":2,"total":4,"unknown":0,"unusable":0}}
            10.0   {"api":{"comparison_age_seconds":{"max":10.0,"p50":10.0,"p99":10.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            10.0   {"api_requests":{"users_livestreams":{"200":2}}}
            20.0   log roster_loaded streamers=3 added=0 removed=1
            20.0   log subscription_failed username=d channel=14 reason="streamers not followed: 1; push connections that the limit of 4 open files allows: 1; raise LimitNOFILE (systemd) or ulimit -n, then restart"
            20.0   unsubscribe 0 11
            20.0   subscribe 0 13
            400.0  log subscription_failed username=d channel=14 reason="streamers not followed: 1; push connections that the limit of 4 open files allows: 1; raise LimitNOFILE (systemd) or ulimit -n, then restart"
            500.0  open 1
            500.0  close 0
            600.0  open 2
            600.0  health degraded
            600.0  push_down since 2026-01-01T00:10:00Z: no push connection is established, so changes are found by the sweep
            600.0  {"realtime":{"connected":0,"connections":2,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":0,"offline":3,"online":0,"subscribed":0,"total":3,"unknown":0,"unusable":0}}
            600.0  {"api":{"comparison_age_seconds":{"max":0.0,"p50":0.0,"p99":0.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            600.0  {"api_requests":{"channels":{"200":1},"users_livestreams":{"200":4}}}
        "#]],
    );
}

#[test]
fn a_subscription_refused_and_granted_by_turns_is_one_failure() {
    check_watched(
        "
        10 link 0 failed 668
        11 link 0 subscribed 668
        20 link 0 failed 668
        21 link 0 subscribed 668
        100 link 0 failed 668
        ",
        &expect![[r#"

            10.0   log subscription_failed username=xqc channel=668 reason="refused, or not acknowledged in time"
            11.0   ask users_livestreams: 676
            100.0  log subscription_failed username=xqc channel=668 reason="refused, or not acknowledged in time"
        "#]],
    );
}

/// A server that refuses and acknowledges by turns.
#[test]
fn r17_what_is_subscribed_again_and_again_is_asked_about_every_ten_seconds_at_most() {
    let by_turns: String = (0..300)
        .map(|n| format!("{}.{} link 0 failed 668\n.. link 0 subscribed 668\n", 100 + n / 10, n % 10))
        .collect();
    check_watched(
        &format!(
            "
            1 auto
            .. kick xqc/676/668=offline
            .. set sweep=3600
            99 count
            .. quiet
            .. loud
            {by_turns}
            130 count
            .. report
            185 report
            190 report
            191 link 0 failed 668
            .. link 0 subscribed 668
            "
        ),
        &expect![[r#"

            99.0   counted: users_livestreams 4, wakes 2
            100.0  log subscription_failed username=xqc channel=668 reason="refused, or not acknowledged in time"
            130.0  counted: users_livestreams 4, wakes 3
            130.0  health degraded
            130.0  subscription_failed since 2026-01-01T00:01:40Z: push channels cannot be subscribed to; the sweep finds those streamers' changes: xqc (channel 668)
            130.0  {"realtime":{"connected":1,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":1,"online":0,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            130.0  {"api":{"comparison_age_seconds":{"max":0.0,"p50":0.0,"p99":0.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            130.0  {"api_requests":{"users_livestreams":{"200":8}},"subscription_failures":300}
            185.0  health degraded
            185.0  subscription_failed since 2026-01-01T00:01:40Z: push channels cannot be subscribed to; the sweep finds those streamers' changes: xqc (channel 668)
            185.0  {"realtime":{"connected":1,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":1,"online":0,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            185.0  {"api":{"comparison_age_seconds":{"max":25.0,"p50":25.0,"p99":25.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            185.0  {"api_requests":{"users_livestreams":{"200":11}},"subscription_failures":300}
            190.0  health ok
            190.0  {"realtime":{"connected":1,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":1,"online":0,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            190.0  {"api":{"comparison_age_seconds":{"max":0.0,"p50":0.0,"p99":0.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            190.0  {"api_requests":{"users_livestreams":{"200":12}},"subscription_failures":300}
            191.0  log subscription_failed username=xqc channel=668 reason="refused, or not acknowledged in time"
        "#]],
    );
}
