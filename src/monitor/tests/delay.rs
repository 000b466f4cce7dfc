//! R26: an Offline that must stand for a while before it is written over an Online.

use super::{check, check_watched};
use expect_test::{Expect, expect};

/// A story that goes on with a delay of a minute, and xqc Online by push at 1 s.
#[track_caller]
fn check_online(script: &str, expect: &Expect) {
    check_watched(&format!("1 set delay=60\n1 live 668 10\n.. written\n{script}"), expect);
}

#[test]
fn r26_an_offline_is_written_when_it_has_stood() {
    check_online(
        "
        10 stop 668 10
        69.9 report
        71 written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            69.9   health ok
            69.9   {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:00:10Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":1,"online":0,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            69.9   {"api":{"comparison_age_seconds":{"max":69.9,"p50":69.9,"p99":69.9},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:00:01Z","ok":true,"pending_writes":0},"latency_ms":{"p50":0.0,"p99":0.0}}
            69.9   {"api_requests":{"users_livestreams":{"200":2}},"status_changes_push":1}
            69.9   {"at":"2026-01-01T00:00:01Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"xqc"}
            70.0   write 1 Offline by push
            71.0   log status_changed username=xqc id=1 status=Offline source=push lag_ms=1000
        "#]],
    );
}

#[test]
fn r26_a_stream_that_is_back_in_time_shows_no_drop() {
    check_online(
        "
        10 stop 668 10
        30 live 668 11
        100 stop 668 11
        155 live 668 12
        300 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r26_the_same_broadcast_that_goes_on_shows_no_drop_either() {
    check_online(
        "
        10 stop 668 10
        20 live 668 10
        .. answer users_livestreams xqc/676=live@1
        80 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            20.0   ask users_livestreams: 676
            30.0   ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r26_by_the_api_alone_the_delay_begins_when_the_second_look_is_believed() {
    check(
        "
        0 set delay=60
        .. recent
        .. kick xqc/676/668=live@0
        100 auto asks
        .. roster 1:xqc:Online
        110 kick xqc/676/668=offline
        300 until
        ",
        &expect![[r#"

            100.0  log roster_loaded streamers=1 added=1 removed=0
            100.0  ask channels: xqc
            100.0  ask website: xqc
            100.0  log ready version=- seconds=100.0 streamers=1
            100.0  ask livestreams: 676
            100.0  open 0
            160.0  ask users_livestreams: 676
            163.0  ask channels: 676
            220.0  ask users_livestreams: 676
            223.0  write 1 Offline by sweep
            280.0  ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r26_from_not_known_there_is_nothing_to_wait_for() {
    check(
        "
        0 set delay=3600
        .. learned xqc/676/668
        .. roster 1:xqc:.
        .. answer users_livestreams
        1 written
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            0.0    write 1 Offline by sweep
            0.0    log ready version=- seconds=0.0 streamers=1
            1.0    log status_changed username=xqc id=1 status=Offline source=sweep lag_ms=1000
        "#]],
    );
}

#[test]
fn r26_an_online_on_its_way_is_followed_by_an_offline_that_stands() {
    check_watched(
        "
        1 set delay=60
        2 live 668 10
        3 stop 668 10
        4 written
        62 until
        ",
        &expect![[r#"

            2.0    write 1 Online by push
            4.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=2000
            30.0   ask users_livestreams: 676
        "#]],
    );
    // Whether it was written is not known, so the row may show Online.
    check_watched(
        "
        1 set delay=60
        2 live 668 10
        3 stop 668 10
        4 unavailable
        5 report
        80 written
        ",
        &expect![[r#"

            2.0    write 1 Online by push
            4.0    log db_unavailable reason="connection refused" pending=0
            4.1    log db_recovered pending=0
            5.0    health ok
            5.0    {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:00:03Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":1,"online":0,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            5.0    {"api":{"comparison_age_seconds":{"max":5.0,"p50":5.0,"p99":5.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            5.0    {"api_requests":{"users_livestreams":{"200":2}},"db_write_errors":1}
            30.0   ask users_livestreams: 676
            63.0   write 1 Offline by push
            80.0   log status_changed username=xqc id=1 status=Offline source=push lag_ms=17000
        "#]],
    );
}

#[test]
fn r26_a_reload_judges_what_waits_by_the_new_delay() {
    check_online(
        "
        10 stop 668 10
        20 set delay=30
        40 written
        50 live 668 11
        .. written
        60 stop 668 11
        70 set delay=120
        130 set delay=0
        131 written
        132 report
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            40.0   write 1 Offline by push
            40.0   log status_changed username=xqc id=1 status=Offline source=push lag_ms=0
            50.0   write 1 Online by push
            50.0   log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            130.0  write 1 Offline by push
            131.0  log status_changed username=xqc id=1 status=Offline source=push lag_ms=1000
            132.0  health ok
            132.0  {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:01:00Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":1,"online":0,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            132.0  {"api":{"comparison_age_seconds":{"max":132.0,"p50":132.0,"p99":132.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:02:11Z","ok":true,"pending_writes":0},"latency_ms":{"p50":0.0,"p99":1000.0}}
            132.0  {"api_requests":{"users_livestreams":{"200":2}},"status_changes_push":4}
            132.0  {"at":"2026-01-01T00:02:11Z","id":"1","lag_ms":1000.0,"source":"push","status":"Offline","username":"xqc"}
            132.0  {"at":"2026-01-01T00:00:50Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"xqc"}
            132.0  {"at":"2026-01-01T00:00:40Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"xqc"}
            132.0  {"at":"2026-01-01T00:00:01Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"xqc"}
        "#]],
    );
}

#[test]
fn r26_what_somebody_else_writes_meanwhile_counts() {
    // Offline, which then need not be written.
    check_online(
        "
        10 stop 668 10
        20 roster 1:xqc:Offline
        100 live 668 11
        .. written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            100.0  write 1 Online by push
            100.0  log status_changed username=xqc id=1 status=Online source=push lag_ms=0
        "#]],
    );
    // Neither of the two: there is no Online left to wait for.
    check_online(
        "
        10 stop 668 10
        20 roster 1:xqc:.
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            20.0   write 1 Offline by push
        "#]],
    );
    // Online once more over the Offline that was written: that one has stood.
    check_online(
        "
        10 stop 668 10
        70 written
        75 roster 1:xqc:Online
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            70.0   write 1 Offline by push
            70.0   log status_changed username=xqc id=1 status=Offline source=push lag_ms=0
            75.0   write 1 Offline by push
        "#]],
    );
}

#[test]
fn r26_a_row_that_is_gone_is_not_written_later() {
    check_online(
        "
        10 stop 668 10
        20 roster 2:other:Offline
        100 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            20.0   log roster_loaded streamers=1 added=1 removed=1
            20.0   ask channels: other
            20.0   ask website: other
            20.0   close 0
        "#]],
    );
}

#[test]
fn r26_after_a_restart_the_delay_begins_again() {
    check(
        "
        0 set delay=60
        .. recent
        .. learned xqc/676/668
        .. roster 1:xqc:Online
        .. answer users_livestreams
        3 answer channels xqc/676=offline
        4 tell 1
        62 until
        63 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            3.0    ask channels: 676
            4.0    {"id":"1","username":"xqc","name":"xqc","status":"Offline","source":"sweep","since":"2026-01-01T00:00:03Z","shown":"Online","pending":"an Offline must stand for OFFLINE_DELAY_SECS first","delayed_until":"2026-01-01T00:01:03Z","last_found":{"status":"Offline","at":"2026-01-01T00:00:03Z","by":"channels"},"user_id":676,"channel_id":668,"channel_trust":"confirmed","channel_source":"kept","connection":0,"covered":false,"compared_at":"2026-01-01T00:00:03Z"}
            60.0   ask users_livestreams: 676
            63.0   write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn r26_status_says_that_an_offline_waits_and_until_when() {
    check_online(
        "
        10 stop 668 10
        .. tell 1
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            10.0   {"id":"1","username":"xqc","name":"xqc","status":"Offline","source":"push","since":"2026-01-01T00:00:10Z","shown":"Online","pending":"an Offline must stand for OFFLINE_DELAY_SECS first","delayed_until":"2026-01-01T00:01:10Z","last_write":{"status":"Online","at":"2026-01-01T00:00:01Z"},"last_push":{"status":"Offline","at":"2026-01-01T00:00:10Z"},"user_id":676,"channel_id":668,"channel_trust":"confirmed","channel_source":"kept","connection":0,"subscribed_at":"2026-01-01T00:00:00Z","covered":true,"compared_at":"2026-01-01T00:00:00Z"}
        "#]],
    );
}

#[test]
fn r26_a_database_that_is_away_when_it_is_due_has_it_wait_like_any_other() {
    check_online(
        "
        10 stop 668 10
        69 database down no route
        70 unavailable
        72 report
        75 database up
        .. written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            69.0   log db_unavailable reason="no route" pending=0
            70.0   write 1 Offline by push
            70.0   log db_unavailable reason="connection refused" pending=1
            70.1   write 1 Offline by push
            72.0   health failing
            72.0   db_unavailable since 2026-01-01T00:01:09Z: the database cannot be used, so changes wait: no route; connection refused
            72.0   {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:00:10Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":1,"online":0,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            72.0   {"api":{"comparison_age_seconds":{"max":72.0,"p50":72.0,"p99":72.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:00:01Z","ok":false,"pending_writes":1},"latency_ms":{"p50":0.0,"p99":0.0}}
            72.0   {"api_requests":{"users_livestreams":{"200":2}},"db_write_errors":1,"status_changes_push":1}
            72.0   {"at":"2026-01-01T00:00:01Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"xqc"}
            75.0   log status_changed username=xqc id=1 status=Offline source=push lag_ms=5000
            75.0   log db_recovered pending=0
        "#]],
    );
}
