//! R23: which streamers push covers, and how often the others are compared with the API.

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r23_without_push_everybody_is_compared_every_few_seconds() {
    check(
        "
        0 set uncovered=3 budget=60
        .. learned a/1/11 b/2/22
        .. kick a/1/11=offline b/2/22=offline
        .. auto asks
        .. roster 1:a:Offline 2:b:Offline
        7 kick a/1/11=live@7
        10 kick a/1/11=offline
        17 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask users_livestreams: 1 2
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=2
            3.0    ask users_livestreams: 1 2
            6.0    ask users_livestreams: 1 2
            9.0    ask users_livestreams: 1 2
            9.0    write 1 Online by sweep
            12.0   ask users_livestreams: 1 2
            15.0   ask channels: 1
            15.0   write 1 Offline by sweep
            15.0   ask users_livestreams: 2
        "#]],
    );
}

#[test]
fn r23_whom_push_covers_is_compared_by_the_sweep_alone() {
    check_watched(
        "
        1 set uncovered=3
        .. kick xqc/676/668=offline
        .. auto asks
        91 tell 1
        200 tell 1
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
            91.0   {"id":"1","username":"xqc","name":"xqc","status":"Offline","source":"sweep","since":"2026-01-01T00:00:00Z","shown":"Offline","user_id":676,"channel_id":668,"channel_trust":"confirmed","channel_source":"kept","connection":0,"subscribed_at":"2026-01-01T00:00:00Z","covered":true,"compared_at":"2026-01-01T00:01:30Z"}
            120.0  ask users_livestreams: 676
            180.0  ask users_livestreams: 676
            200.0  {"id":"1","username":"xqc","name":"xqc","status":"Offline","source":"sweep","since":"2026-01-01T00:00:00Z","shown":"Offline","user_id":676,"channel_id":668,"channel_trust":"confirmed","channel_source":"kept","connection":0,"subscribed_at":"2026-01-01T00:00:00Z","covered":true,"compared_at":"2026-01-01T00:03:00Z"}
        "#]],
    );
}

#[test]
fn r23_a_lost_subscription_covers_nobody_until_it_is_confirmed_again() {
    check_watched(
        "
        1 set uncovered=3
        .. kick xqc/676/668=offline
        .. auto
        95 auto asks
        100 link 0 disconnected
        107 link 0 connected
        108 link 0 subscribed 668
        137 until
        ",
        &expect![[r#"

            100.0  ask users_livestreams: 676
            103.0  ask users_livestreams: 676
            106.0  ask users_livestreams: 676
            108.0  ask users_livestreams: 676
            120.0  ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r23_who_was_missed_is_not_covered_until_push_tells_of_them() {
    check_watched(
        "
        1 set uncovered=3
        .. kick xqc/676/668=offline
        .. auto
        100 kick xqc/676/668=live@100
        119 auto asks
        138 stop 668 10
        .. kick xqc/676/668=offline
        150 until
        ",
        &expect![[r#"

            120.0  ask users_livestreams: 676
            120.0  write 1 Online by sweep
            130.0  log push_missed username=xqc status=Online
            130.0  ask livestreams: 676
            130.0  ask website: xqc
            133.0  ask users_livestreams: 676
            136.0  ask users_livestreams: 676
            138.0  write 1 Offline by push
        "#]],
    );
}

/// A sweep leaves a streamer to quick turns, which then end: the sweep compares them itself.
#[test]
fn r23_who_is_covered_again_while_a_sweep_is_under_way_does_not_hold_it_up() {
    check_watched(
        "
        1 set uncovered=4
        .. kick xqc/676/668=offline
        .. auto
        100 kick xqc/676/668=live@100
        130 until
        178 auto asks
        181 stop 668 10
        .. kick xqc/676/668=offline
        250 until
        ",
        &expect![[r#"

            120.0  write 1 Online by sweep
            130.0  log push_missed username=xqc status=Online
            181.0  write 1 Offline by push
            181.0  ask users_livestreams: 676
            240.0  ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r23_a_channel_id_that_kick_has_not_stated_covers_nobody() {
    check(
        "
        0 set uncovered=3
        .. kick a/1=offline
        .. auto asks
        .. roster 1:a:Offline:11
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 11
        7 until
        .. kick a/1/11=live@7
        20 tell 1
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask channels: a
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    subscribe 0 11
            0.0    ask users_livestreams: 1
            3.0    ask users_livestreams: 1
            6.0    ask users_livestreams: 1
            9.0    ask users_livestreams: 1
            9.0    write 1 Online by sweep
            9.0    ask livestreams: 1
            20.0   {"id":"1","username":"a","name":"a","status":"Online","source":"sweep","since":"2026-01-01T00:00:09Z","shown":"Online","last_write":{"status":"Online","at":"2026-01-01T00:00:09Z"},"last_found":{"status":"Online","at":"2026-01-01T00:00:09Z","by":"users_livestreams"},"started_at":"2026-01-01T00:00:07Z","user_id":1,"channel_id":11,"channel_trust":"confirmed","channel_source":"livestreams","connection":0,"subscribed_at":"2026-01-01T00:00:00Z","covered":true,"compared_at":"2026-01-01T00:00:09Z"}
        "#]],
    );
}
