//! R25: several instances on one table. Shards of the roster come and go.

use super::script::Story;
use expect_test::{Expect, expect};

/// Plays a script that begins with everything learned and a link for all.
#[track_caller]
pub(super) fn check_sharing(script: &str, expect: &Expect) {
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
            0.0    log ready version=- seconds=0.0 streamers=1
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
            0.0    log ready version=- seconds=0.0 streamers=1
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
            0.0    log ready version=- seconds=0.0 streamers=2
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
            0.0    log ready version=- seconds=0.0 streamers=2
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
            0.0    log ready version=- seconds=0.0 streamers=2
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
            0.0    log ready version=- seconds=0.0 streamers=2
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
            0.0    log ready version=- seconds=0.0 streamers=2
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
            0.0    log ready version=- seconds=0.0 streamers=2
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
            0.0    log ready version=- seconds=0.0 streamers=2
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
            0.0    log ready version=- seconds=0.0 streamers=1
            20.0   log shards_changed held=1 of=2 instances=3
        "#]],
    );
}
