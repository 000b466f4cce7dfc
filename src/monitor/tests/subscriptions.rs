//! R27: who is subscribed to webhooks, and what else Kick is asked for them.

use super::check;
use super::webhooks::check_subscribed;
use expect_test::expect;

#[test]
fn r27_webhooks_are_subscribed_to_after_kicks_list_was_read() {
    check(
        "
        0 webhooks on
        .. learned xqc/676/668 bob/9/7
        .. roster 1:xqc:Offline 2:bob:Offline
        1 key kick
        2 listed 9=other
        3 made-it 01J
        7 until
        8 listed 9=other 676=01J
        4000 until
        ",
        &expect![[r#"

            0.0    ask public_key
            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask users_livestreams: 9 676
            0.0    open 0
            1.0    webhook key kick
            1.0    ask subscriptions
            2.0    ask to subscribe 676
            3.0    keep subscription 676=01J
            8.0    ask subscriptions
            8.0    log webhook_subscribed streamers=2
            3608.0 ask subscriptions
        "#]],
    );
}

#[test]
fn r27_what_kick_made_and_does_not_show_is_made_again_after_growing_pauses() {
    check(
        "
        0 webhooks on
        .. learned xqc/676/668
        .. roster 1:xqc:Offline
        1 key kick
        .. listed
        .. made-it a
        7 listed
        3608 listed
        .. made-it b
        3620 listed
        7220 listed
        10820 listed
        .. made-it c
        10821 report
        ",
        &expect![[r#"

            0.0    ask public_key
            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            1.0    webhook key kick
            1.0    ask subscriptions
            1.0    ask to subscribe 676
            1.0    keep subscription 676=a
            6.0    ask subscriptions
            3601.0 ask to subscribe 676
            3608.0 ask to subscribe 676
            3608.0 keep subscription 676=b
            3613.0 ask subscriptions
            7220.0 ask subscriptions
            10808.0 ask to subscribe 676
            10820.0 ask to subscribe 676
            10820.0 keep subscription 676=c
            10821.0 health degraded
            10821.0 starting since 2026-01-01T03:00:21Z: not every streamer has been compared with Kick yet
            10821.0 push_down since 2026-01-01T03:00:21Z: no push connection is established, so changes are found by the sweep
            10821.0 webhook_incomplete since 2026-01-01T00:00:07Z: some streamers have no webhook subscription; push or the sweep finds their changes: 1 made by Kick, which does not show them
            10821.0 {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            10821.0 {"api":{"comparison_age_seconds":{"max":10821.0,"p50":10821.0,"p99":10821.0},"last_sweep_at":null,"last_sweep_seconds":null,"ready":false,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            10821.0 {"api_requests":{"public_key":{"200":1},"subscriptions":{"200":9}}}
        "#]],
    );
}

#[test]
fn r27_a_refused_subscription_is_a_problem_and_is_tried_again() {
    check(
        "
        0 webhooks on
        .. learned xqc/676/668
        .. roster 1:xqc:Offline
        1 key kick
        .. listed
        .. made-not no such streamer
        2 report
        602 made-not no such streamer
        1900 made-it a
        1906 listed 676=a
        1907 report
        ",
        &expect![[r#"

            0.0    ask public_key
            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            1.0    webhook key kick
            1.0    ask subscriptions
            1.0    ask to subscribe 676
            2.0    health degraded
            2.0    starting since 2026-01-01T00:00:02Z: not every streamer has been compared with Kick yet
            2.0    push_down since 2026-01-01T00:00:02Z: no push connection is established, so changes are found by the sweep
            2.0    webhook_incomplete since 2026-01-01T00:00:01Z: some streamers have no webhook subscription; push or the sweep finds their changes: 1 refused by Kick, the first with: no such streamer
            2.0    {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            2.0    {"api":{"comparison_age_seconds":{"max":2.0,"p50":2.0,"p99":2.0},"last_sweep_at":null,"last_sweep_seconds":null,"ready":false,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            2.0    {"api_requests":{"public_key":{"200":1},"subscriptions":{"200":2}}}
            601.0  ask to subscribe 676
            1802.0 ask to subscribe 676
            1900.0 keep subscription 676=a
            1905.0 ask subscriptions
            1906.0 log webhook_subscribed streamers=1
            1907.0 health degraded
            1907.0 starting since 2026-01-01T00:00:02Z: not every streamer has been compared with Kick yet
            1907.0 push_down since 2026-01-01T00:00:02Z: no push connection is established, so changes are found by the sweep
            1907.0 {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            1907.0 {"api":{"comparison_age_seconds":{"max":1907.0,"p50":1907.0,"p99":1907.0},"last_sweep_at":null,"last_sweep_seconds":null,"ready":false,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            1907.0 {"api_requests":{"public_key":{"200":1},"subscriptions":{"200":5}}}
        "#]],
    );
}

#[test]
fn r27_only_what_was_made_here_is_deleted_when_its_row_is_gone() {
    check(
        "
        0 made 5=five 7=seven
        .. webhooks on
        .. learned xqc/676/668 bob/9/7
        .. auto
        .. quiet
        .. shows 5=five 9=other 99=another
        .. kick xqc/676/668=offline bob/9/7=offline
        .. roster 1:xqc:Offline 2:bob:Offline
        .. loud
        100 roster 1:xqc:Offline
        200 roster 3:carol:Offline
        4000 until
        ",
        &expect![[r#"

            0.0    ask public_key
            0.0    webhook key kick
            5.0    ask subscriptions
            5.0    log webhook_subscribed streamers=2
            100.0  log roster_loaded streamers=1 added=0 removed=1
            200.0  log roster_loaded streamers=1 added=1 removed=1
            200.0  ask to delete id676
            200.0  close 0
            200.0  log streamer_unknown username=carol id=3
            200.0  forget subscription 676
        "#]],
    );
}

#[test]
fn r27_a_signature_that_does_not_hold_asks_for_the_key_again_every_ten_minutes_at_most() {
    check_subscribed(
        "
        9 manual
        30 not-taken signature 3
        590 not-taken signature 3
        601 key kick2
        602 not-taken signature 1
        1000 not-taken signature 1
        1202 key kick2
        3600 until
        ",
        &expect![[r#"

            60.0   ask users_livestreams: 676
            600.0  ask public_key
            601.0  webhook key kick2
            1201.0 ask public_key
            1202.0 webhook key kick2
        "#]],
    );
}

#[test]
fn r27_requests_about_webhooks_that_fail_pause_and_are_told_once() {
    check(
        "
        0 webhooks on
        .. learned xqc/676/668
        .. roster 1:xqc:Offline
        1 webhooks-fail 503
        2 webhooks-fail 503
        5 webhooks-fail 429 60
        100 key kick
        .. listed
        .. webhooks-fail network
        110 subscriber-died
        111 made-it a
        ",
        &expect![[r#"

            0.0    ask public_key
            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            1.0    log api_error status=503 endpoint=public_key retry_in=0.9 reason=503
            1.9    ask public_key
            3.8    ask public_key
            5.0    log api_rate_limited status=429 endpoint=public_key retry_in=60.0
            65.0   ask public_key
            100.0  log api_recovered endpoint=public_key
            100.0  webhook key kick
            100.0  ask subscriptions
            100.0  ask to subscribe 676
            100.0  log api_error status=- endpoint=subscriptions retry_in=0.8 reason=network
            100.8  ask to subscribe 676
            110.0  ask to subscribe 676
            111.0  log api_recovered endpoint=subscriptions
            111.0  keep subscription 676=a
        "#]],
    );
}

#[test]
fn r27_a_listener_that_cannot_listen_is_a_problem() {
    check_subscribed(
        "
        20 listens 127.0.0.1:80: permission denied
        30 listens 127.0.0.1:80: permission denied
        31 report
        40 listens
        41 report
        ",
        &expect![[r#"

            20.0   log webhook_listener reason="127.0.0.1:80: permission denied"
            31.0   health degraded
            31.0   push_down since 2026-01-01T00:00:31Z: no push connection is established, so changes are found by the sweep
            31.0   webhook_listener since 2026-01-01T00:00:20Z: webhooks cannot be taken: 127.0.0.1:80: permission denied
            31.0   {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            31.0   {"api":{"comparison_age_seconds":{"max":31.0,"p50":31.0,"p99":31.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            31.0   {"api_requests":{"public_key":{"200":1},"subscriptions":{"200":3},"users_livestreams":{"200":1}}}
            41.0   health degraded
            41.0   push_down since 2026-01-01T00:00:31Z: no push connection is established, so changes are found by the sweep
            41.0   {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            41.0   {"api":{"comparison_age_seconds":{"max":41.0,"p50":41.0,"p99":41.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            41.0   {"api_requests":{"public_key":{"200":1},"subscriptions":{"200":3},"users_livestreams":{"200":1}}}
        "#]],
    );
}

#[test]
fn r27_webhooks_that_are_switched_off_take_nothing_and_ask_nothing() {
    check_subscribed(
        "
        9 manual
        20 webhooks off
        30 delivered 676 live start@29
        4000 until
        .. auto
        .. webhooks on
        4010 delivered 676 live start@4009
        4011 tell 1
        ",
        &expect![[r#"

            60.0   ask users_livestreams: 676
            4000.0 ask public_key
            4000.0 webhook key kick
            4000.0 ask subscriptions
            4000.0 log webhook_subscribed streamers=1
            4010.0 write 1 Online by push
            4011.0 {"id":"1","username":"xqc","name":"xqc","status":"Online","source":"push","since":"2026-01-01T01:06:50Z","shown":"Online","last_write":{"status":"Online","at":"2026-01-01T01:06:50Z"},"last_push":{"status":"Online","at":"2026-01-01T01:06:50Z","by":"webhook"},"webhook_since":"2026-01-01T01:06:40Z","last_delivery":{"status":"Online","at":"2026-01-01T01:06:50Z"},"started_at":"2026-01-01T01:06:49Z","user_id":676,"channel_id":668,"channel_trust":"confirmed","channel_source":"kept","connection":0,"covered":true,"compared_at":"2026-01-01T01:06:40Z"}
        "#]],
    );
}
