//! What happens at fixed times: the first comparison, the heartbeat, a day without events.

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn ready_is_said_once_when_everybody_was_compared() {
    check(
        "
        0 learned a/1/11
        .. roster 1:a:Offline 2:b:Offline
        1 answer users_livestreams
        2 fail 500
        10 answer channels
        11 auto
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask users_livestreams: 1
            0.0    ask website: b
            0.0    open 0
            1.0    ask channels: b
            2.0    log api_error status=500 endpoint=channels retry_in=0.9 reason=500
            2.9    ask channels: b
            10.0   log api_recovered endpoint=channels
            10.0   log streamer_unknown username=b id=2
            10.0   log ready version=- seconds=10.0 streamers=2
            11.0   log roster_loaded streamers=3 added=1 removed=0
            11.0   log streamer_unknown username=c id=3
        "#]],
    );
    check(
        "0 roster",
        &expect![[r#"

        0.0    log roster_loaded streamers=0 added=0 removed=0
        0.0    log ready version=- seconds=0.0 streamers=0
    "#]],
    );
}

#[test]
fn the_heartbeat_counts() {
    check_watched(
        "
        1 set heartbeat=300
        .. auto
        .. kick xqc/676/668=live@1
        .. live 668 10
        5 token
        301 manual
        .. link 0 disconnected
        .. quiet
        600 loud
        .. stop 668 10
        601 until
        700 set heartbeat=0
        2000 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            301.0  log heartbeat streamers=1 online=1 subscribed=1 connections=1 pending=0 token_expires_in=3304 last_event_ago=300 latency_p50_ms=0 latency_p99_ms=0 covered=1 oldest_comparison=1
            600.0  write 1 Offline by push
            601.0  log heartbeat streamers=1 online=0 subscribed=0 connections=0 pending=1 token_expires_in=3004 last_event_ago=1 latency_p50_ms=0 latency_p99_ms=0 covered=0 oldest_comparison=301
        "#]],
    );
}

#[test]
fn in_a_quiet_day_the_machine_wakes_for_its_sweeps_alone() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=offline
        3600 count
        7200 count
        ",
        &expect![[r#"

            3600.0 counted: channels 1, users_livestreams 64, wakes 62
            7200.0 counted: channels 1, users_livestreams 60, wakes 60
        "#]],
    );
}

/// The answer that was on its way when the sweep was ordered may describe the time before.
#[test]
fn an_ordered_sweep_asks_anew_about_whom_kick_was_being_asked() {
    check_watched(
        "
        11 link 0 disconnected
        .. link 0 connected
        .. link 0 subscribed 668
        12 sweep
        13 answer users_livestreams
        14 answer users_livestreams xqc/676=live@13
        ",
        &expect![[r#"

            11.0   ask users_livestreams: 676
            12.0   read the roster
            13.0   ask users_livestreams: 676
            14.0   write 1 Online by sweep
            14.0   log sweep_done streamers=1 seconds=2.0 corrected=1
        "#]],
    );
}

#[test]
fn a_sweep_ordered_during_a_sweep_comes_behind_it() {
    check_watched(
        "
        1 sweep
        2 sweep
        .. sweep
        3 answer users_livestreams
        4 answer users_livestreams xqc/676=live@3
        ",
        &expect![[r#"

            1.0    read the roster
            1.0    ask users_livestreams: 676
            2.0    read the roster
            2.0    read the roster
            3.0    log sweep_done streamers=1 seconds=2.0 corrected=0
            3.0    ask users_livestreams: 676
            4.0    write 1 Online by sweep
            4.0    log sweep_done streamers=1 seconds=1.0 corrected=1
        "#]],
    );
}

#[test]
fn a_sweep_is_done_when_those_left_to_it_are_gone() {
    check_watched(
        "
        1 learned b/2/22
        .. roster 1:xqc:Offline 2:b:Offline
        2 auto
        3 manual
        .. sweep
        .. sweep
        4 fail 503
        5 answer users_livestreams
        6 roster 2:b:Offline
        7 answer users_livestreams
        8 answer users_livestreams
        ",
        &expect![[r#"

            1.0    log roster_loaded streamers=2 added=1 removed=0
            1.0    ask users_livestreams: 2
            1.0    subscribe 0 22
            3.0    read the roster
            3.0    ask users_livestreams: 2 676
            3.0    read the roster
            4.0    log api_error status=503 endpoint=users_livestreams retry_in=0.9 reason=503
            4.9    ask users_livestreams: 2
            5.0    log api_recovered endpoint=users_livestreams
            5.0    ask users_livestreams: 676
            6.0    log roster_loaded streamers=1 added=0 removed=1
            6.0    log sweep_done streamers=2 seconds=3.0 corrected=0
            6.0    unsubscribe 0 668
            7.0    ask users_livestreams: 2
            8.0    log sweep_done streamers=1 seconds=2.0 corrected=0
        "#]],
    );
}
