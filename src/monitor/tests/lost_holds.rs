//! R25: holds that are lost, and writes whose hold was over.

use super::shards::check_sharing;
use expect_test::expect;

#[test]
fn r25_what_waits_is_not_written_when_another_instance_has_everything() {
    check_sharing(
        "
        0 shards held 1 of 1 by 1 0
        .. roster 1/0:xqc:Offline scope@0
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668
        .. answer users_livestreams
        .. answer users_livestreams
        10 shards lost the share was not confirmed
        .. live 668 10 created@10
        12 shards held 2 of 1 by 2
        ",
        &expect![[r#"

            0.0    log shards_changed held=1 of=1 instances=1
            0.0    read the roster
            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            0.0    subscribe 0 668
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    ask users_livestreams: 676
            10.0   log coordination_off reason="the share was not confirmed"
            12.0   log shards_changed held=0 of=1 instances=2
            12.0   close 0
        "#]],
    );
}

#[test]
fn r25_what_push_told_while_the_hold_was_lost_is_written_when_it_is_back() {
    check_sharing(
        "
        0 shards held 1 of 1 by 1 0
        .. roster 1/0:xqc:Offline 2/0:adin:Offline scope@0
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668 669
        .. answer users_livestreams
        .. answer users_livestreams
        10 live 668 10 created@10
        .. unavailable 1
        .. database down connection refused
        .. shards lost the connection is closed
        11 live 669 20 created@11
        .. report
        30 database up
        .. roster 1/0:xqc:Offline 2/0:adin:Offline
        31 shards held 2 of 1 by 1 0
        .. roster 1/0:xqc:Offline 2/0:adin:Offline scope@0 read@30.5
        32 roster 1/0:xqc:Offline 2/0:adin:Offline scope@0
        .. written
        33 report
        ",
        &expect![[r#"

            0.0    log shards_changed held=1 of=1 instances=1
            0.0    read the roster
            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask users_livestreams: 676 677
            0.0    open 0
            0.0    subscribe 0 668 669
            0.0    log ready version=- seconds=0.0 streamers=2
            0.0    ask users_livestreams: 676 677
            10.0   write 1 Online by push
            10.0   log db_unavailable reason="connection refused" pending=1
            10.0   log db_unavailable reason="connection refused" pending=1
            10.0   log coordination_off reason="the connection is closed"
            11.0   health failing
            11.0   db_unavailable since 2026-01-01T00:00:10Z: the database cannot be used, so changes wait: connection refused; connection refused
            11.0   coordination_lost since 2026-01-01T00:00:10Z: this instance holds no shards since it lost its database session, and writes nothing until it holds some: the connection is closed
            11.0   {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:00:11Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":2,"offline":0,"online":2,"subscribed":2,"total":2,"unknown":0,"unusable":0}}
            11.0   {"api":{"comparison_age_seconds":{"max":11.0,"p50":11.0,"p99":11.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":false,"pending_writes":2},"latency_ms":{"p50":null,"p99":null}}
            11.0   {"api_requests":{"users_livestreams":{"200":2}},"db_write_errors":1}
            30.0   ask users_livestreams: 676 677
            31.0   log shards_changed held=1 of=1 instances=1
            31.0   read the roster
            32.0   write 2 Online by push
            32.0   log status_changed username=adin id=2 status=Online source=push lag_ms=21000
            32.0   log db_recovered pending=1
            32.0   write 1 Online by push
            33.0   health ok
            33.0   {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:00:11Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":2,"offline":0,"online":2,"subscribed":2,"total":2,"unknown":0,"unusable":0}}
            33.0   {"api":{"comparison_age_seconds":{"max":33.0,"p50":33.0,"p99":33.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:00:32Z","ok":true,"pending_writes":1},"latency_ms":{"p50":21000.0,"p99":21000.0}}
            33.0   {"api_requests":{"users_livestreams":{"200":2}},"db_write_errors":1,"status_changes_push":1}
            33.0   {"at":"2026-01-01T00:00:32Z","id":"2","lag_ms":21000.0,"source":"push","status":"Online","username":"adin"}
        "#]],
    );
}

#[test]
fn r25_what_another_instance_wrote_while_the_hold_was_lost_is_not_written_over() {
    check_sharing(
        "
        0 shards held 1 of 1 by 1 0
        .. roster 1/0:xqc:Offline scope@0
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668
        .. kick xqc/676/668=live@8
        .. auto
        .. auto asks
        10 shards lost the connection is closed
        .. link 0 disconnected
        200 shards held 2 of 1 by 1 0
        .. roster 1/0:xqc:Offline scope@0
        300 report
        ",
        &expect![[r#"

            0.0    log shards_changed held=1 of=1 instances=1
            0.0    read the roster
            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            0.0    subscribe 0 668
            0.0    write 1 Online by sweep
            0.0    log ready version=- seconds=0.0 streamers=1
            10.0   log coordination_off reason="the connection is closed"
            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
            120.0  ask users_livestreams: 676
            180.0  ask users_livestreams: 676
            200.0  log shards_changed held=1 of=1 instances=1
            200.0  read the roster
            200.0  ask users_livestreams: 676
            240.0  ask users_livestreams: 676
            260.0  ask users_livestreams: 676
            260.0  write 1 Online by sweep
            300.0  ask users_livestreams: 676
            300.0  health degraded
            300.0  push_down since 2026-01-01T00:05:00Z: no push connection is established, so changes are found by the sweep
            300.0  {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":0,"offline":0,"online":1,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            300.0  {"api":{"comparison_age_seconds":{"max":0.0,"p50":0.0,"p99":0.0},"last_sweep_at":"2026-01-01T00:05:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:04:20Z","ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            300.0  {"api_requests":{"users_livestreams":{"200":11}},"status_changes_sweep":2}
            300.0  {"at":"2026-01-01T00:04:20Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            300.0  {"at":"2026-01-01T00:00:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
        "#]],
    );
}

#[test]
fn r25_a_shard_that_another_instance_took_meanwhile_is_forgotten() {
    check_sharing(
        "
        0 shards held 1 of 2 by 1 0 1
        .. roster 1/0:xqc:Offline 2/1:adin:Offline scope@0,1
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668 669
        .. answer users_livestreams
        .. answer users_livestreams
        10 shards lost the connection is closed
        .. live 668 10 created@10
        .. live 669 20 created@10
        12 shards held 2 of 2 by 2 1
        .. roster 2/1:adin:Offline scope@1
        ",
        &expect![[r#"

            0.0    log shards_changed held=2 of=2 instances=1
            0.0    read the roster
            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask users_livestreams: 676 677
            0.0    open 0
            0.0    subscribe 0 668 669
            0.0    log ready version=- seconds=0.0 streamers=2
            0.0    ask users_livestreams: 676 677
            10.0   log coordination_off reason="the connection is closed"
            12.0   log shards_changed held=1 of=2 instances=2
            12.0   read the roster
            12.0   unsubscribe 0 668
            12.0   write 2 Online by push
        "#]],
    );
}

#[test]
fn r25_a_write_whose_hold_was_over_is_written_under_the_next_one() {
    check_sharing(
        "
        0 shards held 1 of 1 by 1 0
        .. roster 1/0:xqc:Offline 2/0:adin:Offline scope@0
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668 669
        .. answer users_livestreams
        .. answer users_livestreams
        1 live 668 10 created@1
        .. lapsed 1
        6.1 lapsed 1
        7 shards lost not confirmed for 6 s
        8 live 669 20 created@8
        20 shards held 2 of 1 by 1 0
        .. roster 1/0:xqc:Offline 2/0:adin:Offline scope@0
        ",
        &expect![[r#"

            0.0    log shards_changed held=1 of=1 instances=1
            0.0    read the roster
            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask users_livestreams: 676 677
            0.0    open 0
            0.0    subscribe 0 668 669
            0.0    log ready version=- seconds=0.0 streamers=2
            0.0    ask users_livestreams: 676 677
            1.0    write 1 Online by push
            6.0    write 1 Online by push
            7.0    log coordination_off reason="not confirmed for 6 s"
            20.0   log shards_changed held=1 of=1 instances=1
            20.0   read the roster
            20.0   write 1 Online by push
            20.0   write 2 Online by push
        "#]],
    );
}

#[test]
fn r25_a_writer_that_is_away_is_tried_again_after_a_write_whose_hold_was_over() {
    check_sharing(
        "
        0 shards held 1 of 1 by 1 0
        .. roster 1/0:xqc:Offline scope@0
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668
        .. answer users_livestreams
        .. answer users_livestreams
        1 live 668 10 created@1
        .. unavailable 1
        2 lapsed 1
        8 unavailable 1
        8.5 shards lost not confirmed for 6 s
        9 shards held 2 of 1 by 1 0
        .. roster 1/0:xqc:Offline scope@0
        10 lapsed 1
        20 written 1
        ",
        &expect![[r#"

            0.0    log shards_changed held=1 of=1 instances=1
            0.0    read the roster
            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            0.0    subscribe 0 668
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    ask users_livestreams: 676
            1.0    write 1 Online by push
            1.0    log db_unavailable reason="connection refused" pending=1
            1.1    write 1 Online by push
            7.0    write 1 Online by push
            8.2    write 1 Online by push
            8.5    log coordination_off reason="not confirmed for 6 s"
            9.0    log shards_changed held=1 of=1 instances=1
            9.0    read the roster
            10.0   write 1 Online by push
            20.0   log status_changed username=xqc id=1 status=Online source=push lag_ms=19000
            20.0   log db_recovered pending=0
        "#]],
    );
}

#[test]
fn r25_a_share_that_does_not_come_back_is_said() {
    check_sharing(
        "
        0 shards held 1 of 1 by 1 0
        .. roster 1/0:xqc:Offline scope@0
        10 shards lost not confirmed for 6 s
        20 shards held 2 of 1 by 2
        ",
        &expect![[r#"

            0.0    log shards_changed held=1 of=1 instances=1
            0.0    read the roster
            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            10.0   log coordination_off reason="not confirmed for 6 s"
            20.0   log shards_changed held=0 of=1 instances=2
            20.0   close 0
        "#]],
    );
}
