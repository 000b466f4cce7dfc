//! One name or id for which Kick fails, and the streamers that are asked about with it.

use super::check;
use expect_test::expect;

const SIX: &str = "
    0 quiet
    .. learned a/1/11 b/2/12 c/3/13 d/4/14 e/5/15 f/6/16
    .. kick a/1/11=offline b/2/12=offline c/3/13=offline d/4/14=offline e/5/15=offline f/6/16=offline
    .. auto
    .. roster 1:a:Offline 2:b:Offline 3:c:Offline 4:d:Offline 5:e:Offline 6:f:Offline
    .. loud
";

#[test]
fn one_id_that_kick_fails_on_keeps_no_other_from_being_asked_about() {
    check(
        &format!(
            "{SIX}
            10 poison users_livestreams 1 500
            50 kick f/6/16=live@50
            .. auto asks
            100 kick a/1/11=live@100
            150 cure users_livestreams 1
            200 until
            250 until"
        ),
        &expect![[r#"

            60.0   ask users_livestreams: 1 2 3 4 5 6
            60.0   log api_error status=500 endpoint=users_livestreams retry_in=0.9 reason=500
            60.9   ask users_livestreams: 4 5 6
            60.9   log api_recovered endpoint=users_livestreams
            60.9   write 6 Online by sweep
            60.9   ask users_livestreams: 1 2 3
            60.9   log api_error status=500 endpoint=users_livestreams retry_in=1.0 reason=500
            61.8   ask users_livestreams: 2 3
            61.8   log api_recovered endpoint=users_livestreams
            61.8   ask users_livestreams: 1
            61.8   log api_error status=500 endpoint=users_livestreams retry_in=1.0 reason=500
            62.8   ask users_livestreams: 1
            120.0  ask users_livestreams: 2 3 4 5 6
            120.0  log api_recovered endpoint=users_livestreams
            120.0  ask channels: 1
            120.0  write 1 Online by sweep
            180.0  ask users_livestreams: 2 3 4 5 6
            180.0  ask users_livestreams: 1
            240.0  ask users_livestreams: 1 2 3 4 5 6
        "#]],
    );
}

#[test]
fn an_outage_is_nobodys_fault() {
    check(
        &format!(
            "{SIX}
            10 down users_livestreams 500
            50 auto asks
            100 up users_livestreams
            200 until"
        ),
        &expect![[r#"

            60.0   ask users_livestreams: 1 2 3 4 5 6
            60.0   log api_error status=500 endpoint=users_livestreams retry_in=0.9 reason=500
            60.9   ask users_livestreams: 4 5 6
            62.8   ask users_livestreams: 5 6
            66.8   ask users_livestreams: 6
            73.6   ask users_livestreams: 5
            89.0   ask users_livestreams: 1 2 3 4 5 6
            118.6  ask users_livestreams: 4 5 6
            118.6  log api_recovered endpoint=users_livestreams
            118.6  ask users_livestreams: 1 2 3
            120.0  ask users_livestreams: 1 2 3 4 5 6
            180.0  ask users_livestreams: 1 2 3 4 5 6
        "#]],
    );
}

#[test]
fn a_new_name_that_kick_fails_on_is_the_only_one_that_is_not_compared() {
    check(
        "
        0 down website 403
        .. poison channels b 500
        .. kick a/1/11=live@0 b/2/12=live@0 c/3/13=offline
        .. auto asks
        .. roster 1:a:Offline 2:b:Offline 3:c:Online
        70 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=3 added=3 removed=0
            0.0    ask channels: a b c
            0.0    ask website: a
            0.0    log api_error status=500 endpoint=channels retry_in=0.9 reason=500
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
            0.9    ask channels: b c
            2.9    ask channels: c
            2.9    log api_recovered endpoint=channels
            2.9    ask channels: b
            2.9    log api_error status=500 endpoint=channels retry_in=0.8 reason=500
            3.7    ask channels: a
            3.7    log api_recovered endpoint=channels
            3.7    write 1 Online by sweep
            3.7    ask channels: b
            3.7    log api_error status=500 endpoint=channels retry_in=0.9 reason=500
            3.7    log ready version=- seconds=3.7 streamers=3
            4.6    ask livestreams: 1
            4.6    open 0
            5.9    ask users_livestreams: 3
            5.9    write 3 Offline by sweep
            60.0   ask users_livestreams: 1 3
            60.0   ask channels: b
        "#]],
    );
}

#[test]
fn rows_that_name_one_streamer_are_one_of_a_batch() {
    check(
        "
        0 down website 403
        .. set batch=2
        .. kick a/1/11=offline b/2/12=offline c/3/13=offline
        .. auto asks
        .. roster 1:a:Offline 2:@A:Offline 3:a:Offline 4:b:Offline 5:c:Offline
        1 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=5 added=5 removed=0
            0.0    ask channels: a b
            0.0    ask website: a
            0.0    ask channels: c
            0.0    log ready version=- seconds=0.0 streamers=5
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
        "#]],
    );
}

#[test]
fn an_asker_that_died_takes_no_pause_from_the_other() {
    check(
        "
        0 auto asks
        .. set sweep=86400
        .. down website 403
        .. kick a/1/11=offline b/2/12=offline
        .. roster 1:a:Offline 2:b:Offline
        10 asker-died
        20 until
        30 asker-died website
        40 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask channels: a b
            0.0    ask website: a
            0.0    log ready version=- seconds=0.0 streamers=2
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
            30.0   ask website: b
        "#]],
    );
}

#[test]
fn r22_one_id_that_kick_refuses_costs_a_request_of_its_own_in_each_sweep() {
    check(
        &format!(
            "{SIX}
            10 poison users_livestreams 1 400
            50 kick f/6/16=live@50 a/1/11=live@50
            .. auto asks
            190 until
            .. cure users_livestreams 1
            250 until
            301 until"
        ),
        &expect![[r#"

            60.0   ask users_livestreams: 1 2 3 4 5 6
            60.0   ask users_livestreams: 4 5 6
            60.0   write 6 Online by sweep
            60.0   ask users_livestreams: 1 2 3
            60.0   ask users_livestreams: 2 3
            60.0   ask users_livestreams: 1
            60.0   log api_error status=400 endpoint=users_livestreams retry_in=0.0 reason=400
            60.0   ask channels: 1
            60.0   write 1 Online by sweep
            120.0  ask users_livestreams: 2 3 4 5 6
            120.0  log api_recovered endpoint=users_livestreams
            120.0  ask users_livestreams: 1
            180.0  ask users_livestreams: 2 3 4 5 6
            180.0  ask channels: 1
            240.0  ask users_livestreams: 2 3 4 5 6
            240.0  ask users_livestreams: 1
            300.0  ask users_livestreams: 1 2 3 4 5 6
        "#]],
    );
}

#[test]
fn r22_two_ids_that_kick_refuses_are_both_set_apart() {
    check(
        &format!(
            "{SIX}
            10 poison users_livestreams 1 400
            .. poison users_livestreams 2 400
            50 kick f/6/16=live@50 a/1/11=live@50 b/2/12=live@50
            .. auto asks
            130 until"
        ),
        &expect![[r#"

            60.0   ask users_livestreams: 1 2 3 4 5 6
            60.0   ask users_livestreams: 4 5 6
            60.0   write 6 Online by sweep
            60.0   ask users_livestreams: 1 2 3
            60.0   ask users_livestreams: 2 3
            60.0   ask users_livestreams: 3
            60.0   ask users_livestreams: 2
            60.0   log api_error status=400 endpoint=users_livestreams retry_in=0.0 reason=400
            60.0   ask users_livestreams: 1
            60.0   ask channels: 1
            60.0   write 1 Online by sweep
            60.0   ask channels: 2
            60.0   write 2 Online by sweep
            120.0  ask users_livestreams: 3 4 5 6
            120.0  log api_recovered endpoint=users_livestreams
            120.0  ask users_livestreams: 1
            120.0  ask users_livestreams: 2
        "#]],
    );
}

#[test]
fn r22_an_endpoint_that_refuses_everything_is_an_outage() {
    check(
        &format!(
            "{SIX}
            10 down users_livestreams 400
            59 auto asks
            64 up users_livestreams
            130 until"
        ),
        &expect![[r#"

            60.0   ask users_livestreams: 1 2 3 4 5 6
            60.0   ask users_livestreams: 4 5 6
            60.0   ask users_livestreams: 5 6
            60.0   ask users_livestreams: 6
            60.0   log api_error status=400 endpoint=users_livestreams retry_in=0.0 reason=400
            60.0   ask users_livestreams: 5
            60.0   ask users_livestreams: 4
            60.0   ask users_livestreams: 1 2 3
            60.0   ask users_livestreams: 2 3
            60.0   ask users_livestreams: 3
            60.9   ask users_livestreams: 1 2 4 5 6
            60.9   ask users_livestreams: 4 5 6
            60.9   ask users_livestreams: 5 6
            60.9   ask users_livestreams: 6
            60.9   ask users_livestreams: 5
            60.9   ask users_livestreams: 4
            60.9   ask users_livestreams: 1 2
            60.9   ask users_livestreams: 2
            62.8   ask users_livestreams: 1 4 5 6
            62.8   ask users_livestreams: 5 6
            62.8   ask users_livestreams: 6
            62.8   ask users_livestreams: 5
            62.8   ask users_livestreams: 1 4
            62.8   ask users_livestreams: 4
            62.8   ask users_livestreams: 1
            66.8   ask users_livestreams: 4 5 6
            66.8   log api_recovered endpoint=users_livestreams
            120.0  ask users_livestreams: 1 2 3 4 5 6
        "#]],
    );
}

/// No sweep asks about it, and the request that failed was the last one planned.
#[test]
fn r22_a_name_that_kick_does_not_know_and_fails_on_is_asked_about_again() {
    check(
        "
        0 down website 403
        .. auto
        .. roster 1:abc:Offline 2:xqc:Offline
        20 poison channels xqc 500
        100 cure channels xqc
        .. kick xqc/676/668=live@100
        1000 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    log streamer_unknown username=abc id=1
            0.0    log streamer_unknown username=xqc id=2
            0.0    log ready version=- seconds=0.0 streamers=2
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
            30.0   log api_error status=500 endpoint=channels retry_in=1.0 reason=500
            33.0   log api_recovered endpoint=channels
            33.0   log api_error status=500 endpoint=channels retry_in=0.8 reason=500
            93.0   log api_recovered endpoint=channels
            93.0   log api_error status=500 endpoint=channels retry_in=1.0 reason=500
            123.0  log api_recovered endpoint=channels
            123.0  write 2 Online by sweep
            123.0  open 0
        "#]],
    );
}
