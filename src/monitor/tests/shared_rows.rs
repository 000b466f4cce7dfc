//! R25: what a row shows that another instance may have written, and standing by.

use super::shards::check_sharing;
use super::{check, check_watched};
use expect_test::expect;

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
            0.0    log ready version=- seconds=0.0 streamers=1
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
            100.0  log ready version=- seconds=100.0 streamers=1
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
            0.0    log ready version=- seconds=0.0 streamers=0
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
            0.0    log ready version=- seconds=0.0 streamers=0
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
fn r25_who_follows_some_rows_knows_how_old_the_statuses_of_the_others_are() {
    check_sharing(
        "
        0 quiet
        .. shards held 1 of 2 by 2 0
        .. kick xqc/676/668=offline adin/677/669=offline kai/678/670=live@75
        .. auto
        .. roster 1/0:xqc:Offline scope@0
        10 roster 1/0:xqc:Offline 2/1:adin:Online 3/1:kai:Online
        20 roster 1/0:xqc:Offline scope@0
        40 roster 1/0:xqc:Offline 2/1:adin:Online 3/1:kai:Online
        70 roster 1/0:xqc:Offline 2/1:adin:Online 3/1:kai:Offline
        75 loud
        .. shards held 1 of 2 by 1 0 1
        .. roster 1/0:xqc:Offline 2/1:adin:Online 3/1:kai:Offline scope@0,1
        140 until
        ",
        &expect![[r#"

            75.0   log shards_changed held=2 of=2 instances=1
            75.0   read the roster
            75.0   log roster_loaded streamers=3 added=2 removed=0
            75.0   open 1
            78.0   write 2 Offline by sweep
            130.0  write 3 Online by sweep
        "#]],
    );
}

#[test]
fn r25_a_broadcast_that_began_since_a_stand_by_first_looked_is_news() {
    check_sharing(
        "
        0 quiet
        .. shards held 1 of 1 by 2
        .. kick xqc/676/668=live@30 adin/677/669=live@2
        .. kick-clock 0
        .. roster 1/0:xqc:Offline 2/0:adin:Offline
        10 roster 1/0:xqc:Offline 2/0:adin:Offline
        35 auto
        .. loud
        .. shards held 1 of 1 by 1 0
        .. roster 1/0:xqc:Offline 2/0:adin:Offline scope@0
        100 until
        ",
        &expect![[r#"

            35.0   log shards_changed held=1 of=1 instances=1
            35.0   read the roster
            35.0   log roster_loaded streamers=2 added=2 removed=0
            35.0   open 0
            35.0   write 1 Online by sweep
            60.0   write 2 Online by sweep
        "#]],
    );
}

#[test]
fn r15_an_offline_that_stands_for_longer_than_the_hold_is_not_insisted_on() {
    check_watched(
        "
        1 set delay=120
        .. auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        10 stop 668 10
        60 roster 1:xqc:Offline
        70 roster 1:xqc:Online
        200 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
        "#]],
    );
}
