//! R25: several instances on one table. Shards of the roster come and go.

use super::script::Story;
use super::{check, check_watched};
use expect_test::{Expect, expect};

/// Plays a script that begins with everything learned and a link for all.
#[track_caller]
fn check_sharing(script: &str, expect: &Expect) {
    let mut story = Story::new();
    story.play("0 learned xqc/676/668 adin/677/669 kai/678/670");
    story.play(script);
    expect.assert_eq(&story.transcript());
}

#[test]
fn r25_nothing_is_done_before_it_is_known_what_is_held() {
    check_sharing(
        "
        0 shards lost cannot connect yet
        1 roster 1/0:xqc:Offline
        20 live 668 10 created@20
        60 report
        ",
        &expect![[r#"

            0.0    log coordination_off reason="cannot connect yet"
            20.0   log detail push_stranger
            60.0   health failing
            60.0   coordination_lost since 2026-01-01T00:00:00Z: this instance holds no shards since it lost its database session, and writes nothing until it holds some: cannot connect yet
            60.0   starting since 2026-01-01T00:01:00Z: not every streamer has been compared with Kick yet
            60.0   {"realtime":{"connected":0,"connections":0,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":0,"online":0,"subscribed":0,"total":0,"unknown":0,"unusable":0}}
            60.0   {"api":{"comparison_age_seconds":{"max":null,"p50":null,"p99":null},"last_sweep_at":null,"last_sweep_seconds":null,"ready":false,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":false,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            60.0   {"api_requests":{},"push_discarded":1}
        "#]],
    );
}

#[test]
fn r25_only_the_rows_of_shards_that_are_held_are_followed_and_written() {
    check_sharing(
        "
        0 shards held 1 of 3 by 3 1
        .. roster 2/1:adin:Offline scope@1
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 669
        .. auto
        1 live 669 10 created@1
        .. live 668 20 created@1
        2 roster 1/0:xqc:Offline 2/1:adin:Online 3/2:kai:Offline
        3 report
        ",
        &expect![[r#"

            0.0    log shards_changed held=1 of=3 instances=3
            0.0    read the roster
            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 677
            0.0    open 0
            0.0    subscribe 0 669
            0.0    log ready version=0.1.0 seconds=0.0 streamers=1
            1.0    write 2 Online by push
            1.0    log detail push_stranger
            3.0    health ok
            3.0    {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:00:01Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":0,"online":1,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            3.0    {"api":{"comparison_age_seconds":{"max":3.0,"p50":3.0,"p99":3.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:00:01Z","ok":true,"pending_writes":0},"latency_ms":{"p50":0.0,"p99":0.0}}
            3.0    {"api_requests":{"users_livestreams":{"200":2}},"push_discarded":1,"status_changes_push":1}
            3.0    {"at":"2026-01-01T00:00:01Z","id":"2","lag_ms":0.0,"source":"push","status":"Online","username":"adin"}
        "#]],
    );
}

#[test]
fn r25_a_shard_that_is_taken_over_is_read_followed_and_asked_about_at_once() {
    check_sharing(
        "
        0 shards held 1 of 2 by 2 0
        .. roster 1/0:xqc:Offline scope@0
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668
        .. auto
        .. kick xqc/676/668=offline adin/677/669=live@5 kai/678/670=offline
        100 auto asks
        .. shards held 1 of 2 by 1 0 1
        .. roster 1/0:xqc:Offline 2/1:adin:Offline 3/1:kai:Offline scope@0 read@99.5
        .. roster 1/0:xqc:Offline 2/1:adin:Offline 3/1:kai:Offline scope@0,1 read@99.9
        100.1 roster 1/0:xqc:Offline 2/1:adin:Offline 3/1:kai:Offline scope@0,1
        170 report
        ",
        &expect![[r#"

            0.0    log shards_changed held=1 of=2 instances=2
            0.0    read the roster
            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            0.0    subscribe 0 668
            0.0    log ready version=0.1.0 seconds=0.0 streamers=1
            100.0  log shards_changed held=2 of=2 instances=1
            100.0  read the roster
            100.1  log roster_loaded streamers=3 added=2 removed=0
            100.1  ask users_livestreams: 677 678
            100.1  open 1
            100.1  subscribe 0 669
            120.0  ask users_livestreams: 676 677 678
            160.1  ask users_livestreams: 677
            160.1  write 2 Online by sweep
            170.0  health degraded
            170.0  push_incomplete since 2026-01-01T00:02:50Z: some push connections are not established, so changes on them are found by the sweep: 1 of 2
            170.0  {"realtime":{"connected":1,"connections":2,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":2,"online":1,"subscribed":1,"total":3,"unknown":0,"unusable":0}}
            170.0  {"api":{"comparison_age_seconds":{"max":50.0,"p50":50.0,"p99":50.0},"last_sweep_at":"2026-01-01T00:02:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:02:40.1Z","ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            170.0  {"api_requests":{"users_livestreams":{"200":8}},"status_changes_sweep":1}
            170.0  {"at":"2026-01-01T00:02:40.1Z","id":"2","lag_ms":0.0,"source":"sweep","status":"Online","username":"adin"}
        "#]],
    );
}

#[test]
fn r25_a_shard_that_is_handed_over_is_let_go_when_its_last_write_is_answered() {
    check_sharing(
        "
        0 shards held 7 of 2 by 1 0 1
        .. roster 1/0:xqc:Offline 2/1:adin:Offline scope@0,1
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668 669
        .. answer users_livestreams
        .. answer users_livestreams
        1 live 668 10 created@1
        .. live 669 20 created@1
        2 shards held 7 of 2 by 2 0
        .. live 669 21 created@2
        .. roster 1/0:xqc:Offline 2/1:adin:Offline scope@0,1
        3 written 2
        4 written 1
        ",
        &expect![[r#"

            0.0    log shards_changed held=2 of=2 instances=1
            0.0    read the roster
            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask users_livestreams: 676 677
            0.0    open 0
            0.0    subscribe 0 668 669
            0.0    log ready version=0.1.0 seconds=0.0 streamers=2
            0.0    ask users_livestreams: 676 677
            1.0    write 1 Online by push
            1.0    write 2 Online by push
            2.0    log shards_changed held=1 of=2 instances=2
            2.0    unsubscribe 0 669
            2.0    log detail push_stranger
            3.0    log status_changed username=adin id=2 status=Online source=push lag_ms=2000
            3.0    released 7 1
            4.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=3000
        "#]],
    );
}

#[test]
fn r25_a_shard_with_nothing_on_its_way_is_let_go_at_once_and_what_waits_is_dropped() {
    check_sharing(
        "
        0 shards held 7 of 3 by 1 0 1 2
        .. roster 1/0:xqc:Offline 2/1:adin:Offline scope@0,1,2
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668 669
        .. answer users_livestreams
        .. answer users_livestreams
        1 live 669 20 created@1
        .. locked 2
        .. shards held 7 of 3 by 2 0 2
        10 shards held 7 of 3 by 2 0 2
        ",
        &expect![[r#"

            0.0    log shards_changed held=3 of=3 instances=1
            0.0    read the roster
            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask users_livestreams: 676 677
            0.0    open 0
            0.0    subscribe 0 668 669
            0.0    log ready version=0.1.0 seconds=0.0 streamers=2
            0.0    ask users_livestreams: 676 677
            1.0    write 2 Online by push
            1.0    log shards_changed held=2 of=3 instances=2
            1.0    released 7 1
            1.0    unsubscribe 0 669
        "#]],
    );
}

#[test]
fn r25_a_write_of_unknown_fate_keeps_its_shard_for_as_long_as_its_lease() {
    check_sharing(
        "
        0 shards held 7 of 2 by 1 0 1
        .. roster 1/0:xqc:Offline 2/1:adin:Offline scope@0,1
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668 669
        .. answer users_livestreams
        .. answer users_livestreams
        1 live 669 20 created@1
        2 shards held 7 of 2 by 2 0
        3 unavailable 2
        20 until
        ",
        &expect![[r#"

            0.0    log shards_changed held=2 of=2 instances=1
            0.0    read the roster
            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask users_livestreams: 676 677
            0.0    open 0
            0.0    subscribe 0 668 669
            0.0    log ready version=0.1.0 seconds=0.0 streamers=2
            0.0    ask users_livestreams: 676 677
            1.0    write 2 Online by push
            2.0    log shards_changed held=1 of=2 instances=2
            2.0    unsubscribe 0 669
            3.0    log db_unavailable reason="connection refused" pending=0
            3.1    log db_recovered pending=0
            11.0   released 7 1
        "#]],
    );
}

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
            0.0    log ready version=0.1.0 seconds=0.0 streamers=1
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
            0.0    log ready version=0.1.0 seconds=0.0 streamers=2
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
            0.0    log ready version=0.1.0 seconds=0.0 streamers=1
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
            0.0    log ready version=0.1.0 seconds=0.0 streamers=2
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
            0.0    log ready version=0.1.0 seconds=0.0 streamers=2
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
            0.0    log ready version=0.1.0 seconds=0.0 streamers=1
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
fn r25_alone_a_foreign_write_is_a_hand_edit_and_is_put_right_at_once() {
    check_sharing(
        "
        0 shards held 1 of 1 by 1 0
        .. roster 1/0:xqc:Offline scope@0
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668
        .. kick xqc/676/668=offline
        .. auto
        200 auto asks
        .. roster 1/0:xqc:Online scope@0
        210 until
        ",
        &expect![[r#"

            0.0    log shards_changed held=1 of=1 instances=1
            0.0    read the roster
            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            0.0    subscribe 0 668
            0.0    log ready version=0.1.0 seconds=0.0 streamers=1
            200.0  ask users_livestreams: 676
            203.0  ask channels: 676
            203.0  write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn r25_just_after_taking_over_a_foreign_write_may_be_the_other_instances_last_one() {
    check_sharing(
        "
        0 shards held 1 of 1 by 2
        .. kick xqc/676/668=offline
        100 shards held 1 of 1 by 1 0
        .. roster 1/0:xqc:Offline scope@0
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668
        .. auto
        .. auto asks
        105 roster 1/0:xqc:Online scope@0
        109 roster 1/0:xqc:Online scope@0
        200 until
        ",
        &expect![[r#"

            0.0    log shards_changed held=0 of=1 instances=2
            100.0  log shards_changed held=1 of=1 instances=1
            100.0  read the roster
            100.0  log roster_loaded streamers=1 added=1 removed=0
            100.0  ask users_livestreams: 676
            100.0  open 0
            100.0  subscribe 0 668
            100.0  log ready version=0.1.0 seconds=100.0 streamers=1
            105.0  ask users_livestreams: 676
            130.0  ask users_livestreams: 676
            160.0  ask users_livestreams: 676
            165.0  ask users_livestreams: 676
            168.0  ask channels: 676
            168.0  write 1 Offline by sweep
            190.0  ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r25_without_sharing_what_another_writes_counts_for_a_minute() {
    check_watched(
        "
        1 link 0 disconnected
        .. auto
        .. kick xqc/676/668=offline
        .. auto asks
        10 roster 1:xqc:Online
        20 roster 1:xqc:Online
        30 roster 1:xqc:Online
        40 roster 1:xqc:Online
        45 kick xqc/676/668=live@5
        100 until
        ",
        &expect![[r#"

            10.0   ask users_livestreams: 676
            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            70.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r25_taking_over_what_a_row_shows_may_be_fresher_than_the_api() {
    check_sharing(
        "
        0 shards held 1 of 1 by 2
        .. kick xqc/676/668=offline adin/677/669=live@2
        .. roster 1/0:xqc:Online 2/0:adin:Offline
        50 roster 1/0:xqc:Online 2/0:adin:Offline
        90 roster 1/0:xqc:Offline 2/0:adin:Offline
        100 auto
        .. auto asks
        .. shards held 1 of 1 by 1 0
        .. roster 1/0:xqc:Online 2/0:adin:Offline scope@0
        .. kept
        200 report
        ",
        &expect![[r#"

            0.0    log shards_changed held=0 of=1 instances=2
            0.0    log ready version=0.1.0 seconds=0.0 streamers=0
            100.0  log shards_changed held=1 of=1 instances=1
            100.0  read the roster
            100.0  log roster_loaded streamers=2 added=2 removed=0
            100.0  ask users_livestreams: 676 677
            100.0  open 0
            100.0  write 2 Online by sweep
            120.0  ask users_livestreams: 676 677
            160.0  ask users_livestreams: 676
            163.0  ask channels: 676
            163.0  write 1 Offline by sweep
            180.0  ask users_livestreams: 676 677
            200.0  health degraded
            200.0  push_down since 2026-01-01T00:03:20Z: no push connection is established, so changes are found by the sweep
            200.0  {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":1,"subscribed":0,"total":2,"unknown":0,"unusable":0}}
            200.0  {"api":{"comparison_age_seconds":{"max":20.0,"p50":20.0,"p99":20.0},"last_sweep_at":"2026-01-01T00:03:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:02:43Z","ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            200.0  {"api_requests":{"channels":{"200":1},"users_livestreams":{"200":4}},"status_changes_sweep":2}
            200.0  {"at":"2026-01-01T00:02:43Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Offline","username":"xqc"}
            200.0  {"at":"2026-01-01T00:01:40Z","id":"2","lag_ms":0.0,"source":"sweep","status":"Online","username":"adin"}
        "#]],
    );
}

#[test]
fn r25_standing_by_costs_no_request_but_slow_look_ups() {
    check(
        "
        0 shards held 1 of 1 by 2
        .. roster 1/0:xqc:Online 2/0:adin:Offline 3/0:kai:Offline:670 4/0::Online
        .. website adin/677/669=offline
        10 website-fail 404
        20 roster 1/0:xqc:Online 2/0:adin:Offline 3/0:kai:Offline:670 4/0::Online 5/0:hasan:Offline
        .. website-fail 403
        30 report
        100 count
        4000 count
        .. website-fail 404
        4010 roster 1/0:xqc:Online
        9000 count
        ",
        &expect![[r#"

            0.0    log shards_changed held=0 of=1 instances=2
            0.0    log ready version=0.1.0 seconds=0.0 streamers=0
            0.0    ask website: adin
            0.0    learn adin/677/669
            3.0    ask website: xqc
            20.0   ask website: hasan
            30.0   health ok
            30.0   {"realtime":{"connected":0,"connections":0,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":0,"online":0,"subscribed":0,"total":0,"unknown":0,"unusable":0}}
            30.0   {"api":{"comparison_age_seconds":{"max":null,"p50":null,"p99":null},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            30.0   {"api_requests":{"website":{"200":1,"403":1,"404":1}}}
            100.0  counted: wakes 2, website 3
            3620.0 ask website: hasan
            4000.0 counted: wakes 67, website 1
            7203.0 ask website: xqc
            9000.0 counted: wakes 86, website 1
        "#]],
    );
}

#[test]
fn r25_other_numbers_of_shards_are_a_misfit_that_stands_by() {
    check_sharing(
        "
        0 shards held 1 of 2 by 1 0 1
        .. roster 1/0:xqc:Offline 2/1:adin:Offline scope@0,1
        .. answer users_livestreams
        10 shards misfit 2 instances have DB_SHARDS=4
        .. roster 1/0:xqc:Offline 2/1:adin:Offline
        .. report
        20 shards held 2 of 4 by 3 2
        .. roster 1/2:xqc:Offline scope@2
        21 report
        ",
        &expect![[r#"

            0.0    log shards_changed held=2 of=2 instances=1
            0.0    read the roster
            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask users_livestreams: 676 677
            0.0    open 0
            0.0    log ready version=0.1.0 seconds=0.0 streamers=2
            10.0   log coordination_off reason="2 instances have DB_SHARDS=4"
            10.0   close 0
            10.0   health failing
            10.0   coordination_misfit since 2026-01-01T00:00:10Z: instances on this table have different settings, so this one stands by: 2 instances have DB_SHARDS=4
            10.0   {"realtime":{"connected":0,"connections":0,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":0,"online":0,"subscribed":0,"total":0,"unknown":0,"unusable":0}}
            10.0   {"api":{"comparison_age_seconds":{"max":null,"p50":null,"p99":null},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            10.0   {"api_requests":{"users_livestreams":{"200":1}}}
            20.0   log shards_changed held=1 of=4 instances=3
            20.0   read the roster
            20.0   log roster_loaded streamers=1 added=1 removed=0
            20.0   ask users_livestreams: 676
            20.0   open 1
            21.0   health degraded
            21.0   push_down since 2026-01-01T00:00:21Z: no push connection is established, so changes are found by the sweep
            21.0   {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            21.0   {"api":{"comparison_age_seconds":{"max":1.0,"p50":1.0,"p99":1.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            21.0   {"api_requests":{"users_livestreams":{"200":1}}}
        "#]],
    );
}

#[test]
fn r25_another_number_of_shards_begins_anew() {
    check_sharing(
        "
        0 shards held 1 of 2 by 1 0 1
        .. roster 1/0:xqc:Offline 2/1:adin:Offline scope@0,1
        .. answer users_livestreams
        10 shards lost the settings changed
        .. shards held 2 of 3 by 1 0 1 2
        .. roster 1/2:xqc:Offline 2/1:adin:Offline scope@0,1,2
        .. answer users_livestreams
        ",
        &expect![[r#"

            0.0    log shards_changed held=2 of=2 instances=1
            0.0    read the roster
            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask users_livestreams: 676 677
            0.0    open 0
            0.0    log ready version=0.1.0 seconds=0.0 streamers=2
            10.0   log coordination_off reason="the settings changed"
            10.0   log shards_changed held=3 of=3 instances=1
            10.0   read the roster
            10.0   close 0
            10.0   log roster_loaded streamers=2 added=2 removed=0
            10.0   ask users_livestreams: 676 677
            10.0   open 1
        "#]],
    );
}

#[test]
fn r25_where_no_lock_can_be_held_each_follows_everything_and_it_is_said() {
    check_sharing(
        "
        0 shards off a pooler in transaction mode is in between
        .. roster 1/0:xqc:Offline 2/1:adin:Offline
        .. answer users_livestreams
        1 report
        2 shards off
        3 report
        ",
        &expect![[r#"

            0.0    log coordination_off reason="a pooler in transaction mode is in between"
            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask users_livestreams: 676 677
            0.0    open 0
            0.0    log ready version=0.1.0 seconds=0.0 streamers=2
            1.0    health degraded
            1.0    push_down since 2026-01-01T00:00:01Z: no push connection is established, so changes are found by the sweep
            1.0    coordination_off since 2026-01-01T00:00:00Z: instances cannot share this table, so each of them follows all streamers: a pooler in transaction mode is in between
            1.0    {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":2,"online":0,"subscribed":0,"total":2,"unknown":0,"unusable":0}}
            1.0    {"api":{"comparison_age_seconds":{"max":1.0,"p50":1.0,"p99":1.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            1.0    {"api_requests":{"users_livestreams":{"200":1}}}
            3.0    health degraded
            3.0    push_down since 2026-01-01T00:00:01Z: no push connection is established, so changes are found by the sweep
            3.0    {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":2,"online":0,"subscribed":0,"total":2,"unknown":0,"unusable":0}}
            3.0    {"api":{"comparison_age_seconds":{"max":3.0,"p50":3.0,"p99":3.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            3.0    {"api_requests":{"users_livestreams":{"200":1}}}
        "#]],
    );
}

#[test]
fn r25_rows_of_a_shard_that_a_read_does_not_cover_are_not_gone() {
    check_sharing(
        "
        0 shards held 1 of 2 by 1 0 1
        .. roster 1/0:xqc:Offline 2/1:adin:Offline 3/1::Offline scope@0,1
        .. answer users_livestreams
        10 roster 1/0:xqc:Offline scope@0
        20 roster scope@0
        30 roster scope@0
        40 shards held 1 of 2 by 2 0
        50 shards held 1 of 2 by 1 0 1
        .. roster 2/1:adin:Offline 3/1::Offline scope@0,1
        ",
        &expect![[r#"

            0.0    log shards_changed held=2 of=2 instances=1
            0.0    read the roster
            0.0    log streamer_unusable username="" id=3 reason="the username is empty"
            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask users_livestreams: 676 677
            0.0    open 0
            0.0    log ready version=0.1.0 seconds=0.0 streamers=2
            30.0   log roster_loaded streamers=1 added=0 removed=1
            40.0   log shards_changed held=1 of=2 instances=2
            40.0   released 1 1
            40.0   close 0
            50.0   log shards_changed held=2 of=2 instances=1
            50.0   read the roster
            50.0   log streamer_unusable username="" id=3 reason="the username is empty"
            50.0   log roster_loaded streamers=1 added=1 removed=0
            50.0   ask users_livestreams: 677
            50.0   open 1
        "#]],
    );
}

#[test]
fn r25_an_unchanged_share_says_and_does_nothing() {
    check_sharing(
        "
        0 shards held 1 of 2 by 2 0
        .. roster 1/0:xqc:Offline scope@0
        .. answer users_livestreams
        10 shards held 1 of 2 by 2 0
        20 shards held 1 of 2 by 3 0
        ",
        &expect![[r#"

            0.0    log shards_changed held=1 of=2 instances=2
            0.0    read the roster
            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            0.0    log ready version=0.1.0 seconds=0.0 streamers=1
            20.0   log shards_changed held=1 of=2 instances=3
        "#]],
    );
}
