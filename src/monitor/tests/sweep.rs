//! R5, R6, R8 and R9.

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r5_no_error_of_any_kind_makes_anybody_offline() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        .. kick xqc/676/668=offline
        2 down channels 503
        .. down livestreams 503
        100 down users_livestreams network
        200 down users_livestreams 503
        300 down users_livestreams 403
        400 down users_livestreams 401
        500 down users_livestreams 429
        600 down users_livestreams garbage
        700 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            94.0   log api_error status=503 endpoint=channels retry_in=0.9 reason=503
            101.6  log api_error status=- endpoint=users_livestreams retry_in=1.9 reason=network
            231.3  log api_error status=503 endpoint=users_livestreams retry_in=27.5 reason=503
            338.6  log api_blocked status=403 endpoint=users_livestreams retry_in=29.0 reason=403
            421.5  log api_error status=503 endpoint=channels retry_in=29.3 reason=503
            450.8  log api_error status=401 endpoint=users_livestreams retry_in=29.4 reason=401
            509.6  log api_rate_limited status=429 endpoint=users_livestreams retry_in=29.6
            619.5  log api_error status=- endpoint=users_livestreams retry_in=29.7 reason=garbage
        "#]],
    );
}

#[test]
fn r5_what_contradicts_itself_or_lacks_a_field_is_no_observation() {
    check_watched(
        "
        1 live 668 10
        .. written
        30 answer users_livestreams xqc/676=nothing
        60 answer users_livestreams xqc/676=nothing
        90 answer users_livestreams xqc/676=nothing
        100 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            60.0   log sweep_done streamers=1 seconds=0.0 corrected=0
            90.0   ask users_livestreams: 676
        "#]],
    );
}

/// Kick may answer 400 for a name that it does not know, and for every name during a fault (docs/kick.md §5.1).
#[test]
fn r5_a_name_that_kick_refuses_for_ten_minutes_is_not_missing() {
    check(
        "
        0 down channels 400
        .. down website 403
        .. auto
        .. roster 1:xqc:Online
        2000 up channels
        .. kick xqc/676/668=live@1
        3000 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    log streamer_unknown username=xqc id=1
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
            2130.0 open 0
        "#]],
    );
}

#[test]
fn r6_missing_from_channels_is_unknown_and_missing_everywhere_for_ten_minutes_is_offline() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        100 kick xqc/676/668=missing
        200 until
        700 until
        800 until
        900 count
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            780.0  write 1 Offline by sweep
            900.0  counted: channels 23, users_livestreams 20, wakes 40
        "#]],
    );
}

#[test]
fn r6_who_is_seen_again_within_ten_minutes_was_never_offline() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        100 kick xqc/676/668=missing
        600 kick xqc/676/668=live@1
        700 kick xqc/676/668=missing
        1200 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
        "#]],
    );
}

#[test]
fn r6_a_burst_of_absences_behind_an_outage_of_the_api_is_not_ten_minutes() {
    check_watched(
        "
        1 auto
        .. down users_livestreams 410
        .. down livestreams 410
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        150 kick xqc/676/668=missing
        225 down channels 503
        1000 up channels
        1040 sweep
        1045 sweep
        1050 sweep
        1055 kick xqc/676/668=live@1
        1300 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            30.0   log api_error status=410 endpoint=users_livestreams retry_in=0.0 reason=410
            30.0   log api_error status=410 endpoint=livestreams retry_in=0.0 reason=410
            240.0  log api_error status=503 endpoint=channels retry_in=0.9 reason=503
            548.9  log api_error status=503 endpoint=channels retry_in=27.1 reason=503
            865.2  log api_error status=503 endpoint=channels retry_in=29.7 reason=503
            1009.1 log api_recovered endpoint=channels
            1040.0 read the roster
            1045.0 read the roster
            1050.0 read the roster
        "#]],
    );
}

#[test]
fn r6_missing_from_a_list_of_those_live_is_offline_when_another_says_so_too() {
    check_watched(
        "
        1 auto asks
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        100 kick xqc/676/668=offline
        125 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
            120.0  ask users_livestreams: 676
            123.0  ask channels: 676
            123.0  write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn r8_one_observation_is_enough_for_online() {
    check_watched(
        "
        1 auto asks
        45 kick xqc/676/668=live@40
        65 until
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            60.0   write 1 Online by sweep
        "#]],
    );
}

#[test]
fn r9_offline_by_sweep_needs_a_second_look_after_three_seconds() {
    check_watched(
        "
        1 auto asks
        .. kick xqc/676/668=live@1
        .. sweep
        20 kick xqc/676/668=offline
        32 until
        34 until
        ",
        &expect![[r#"

            1.0    read the roster
            1.0    ask users_livestreams: 676
            1.0    write 1 Online by sweep
            30.0   ask users_livestreams: 676
            33.0   ask channels: 676
            33.0   write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn r9_two_absences_are_not_enough() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. sweep
        20 kick-at users_livestreams xqc/676=offline
        .. kick-at channels xqc/676=missing
        200 until
        ",
        &expect![[r#"

            1.0    read the roster
            1.0    write 1 Online by sweep
        "#]],
    );
}

#[test]
fn r9_a_second_look_that_disagrees_settles_it() {
    check_watched(
        "
        1 auto asks
        .. kick xqc/676/668=live@1
        .. sweep
        20 kick-at users_livestreams xqc/676=offline
        50 until
        ",
        &expect![[r#"

            1.0    read the roster
            1.0    ask users_livestreams: 676
            1.0    write 1 Online by sweep
            30.0   ask users_livestreams: 676
            33.0   ask channels: 676
        "#]],
    );
}

#[test]
fn r9_the_second_look_survives_an_error() {
    check_watched(
        "
        1 auto asks
        .. kick xqc/676/668=live@1
        .. sweep
        20 kick xqc/676/668=offline
        .. down channels 503
        40 up channels
        50 until
        ",
        &expect![[r#"

            1.0    read the roster
            1.0    ask users_livestreams: 676
            1.0    write 1 Online by sweep
            30.0   ask users_livestreams: 676
            33.0   ask channels: 676
            33.0   log api_error status=503 endpoint=channels retry_in=0.9 reason=503
            33.9   ask users_livestreams: 676
            33.9   ask channels: 676
            34.7   ask users_livestreams: 676
            35.8   ask channels: 676
            36.6   ask users_livestreams: 676
            39.8   ask channels: 676
            40.6   ask users_livestreams: 676
            46.6   ask channels: 676
            46.6   log api_recovered endpoint=channels
            46.6   write 1 Offline by sweep
        "#]],
    );
}
