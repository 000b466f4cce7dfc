//! R7: the API against push.

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r7_offline_does_not_count_within_the_hold_after_a_live_event_and_is_asked_again_after_it() {
    check_watched(
        "
        1 auto asks
        .. kick xqc/676/668=offline
        25 live 668 10 created@25
        114 until
        115 until
        120 until
        ",
        &expect![[r#"

            25.0   write 1 Online by push
            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
            115.0  ask users_livestreams: 676
            118.0  ask channels: 676
            118.0  write 1 Offline by sweep
            120.0  ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r7_an_answer_to_a_question_from_before_the_event_does_not_count() {
    check_watched(
        "
        30 until
        31 live 668 10 created@31
        .. written
        125 answer users_livestreams asked@30
        .. answer users_livestreams
        129 until
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            31.0   write 1 Online by push
            31.0   log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            125.0  ask users_livestreams: 676
            125.0  log sweep_done streamers=1 seconds=65.0 corrected=0
            128.0  ask channels: 676
        "#]],
    );
}

#[test]
fn r7_a_hold_ends_to_the_second() {
    let answer_to = |asked: u32| {
        format!(
            "
            25 live 668 10 created@25
            .. written
            30 quiet
            .. answer users_livestreams
            60 until
            .. answer users_livestreams
            90 until
            .. answer users_livestreams
            .. loud
            116 answer users_livestreams asked@{asked}
            119 until
            "
        )
    };
    check_watched(
        &answer_to(114),
        &expect![[r#"

            25.0   write 1 Online by push
            25.0   log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            115.0  ask users_livestreams: 676
            116.0  ask users_livestreams: 676
        "#]],
    );
    check_watched(
        &answer_to(116),
        &expect![[r#"

            25.0   write 1 Online by push
            25.0   log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            115.0  ask users_livestreams: 676
            119.0  ask channels: 676
        "#]],
    );
}

#[test]
fn r7_the_broadcast_that_a_stop_ended_is_not_live_again_for_ten_minutes() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        200 stop 668 10
        799 until
        845 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            200.0  write 1 Offline by push
            803.0  write 1 Online by sweep
            813.0  log push_missed username=xqc status=Online
        "#]],
    );
}

#[test]
fn r7_after_ten_minutes_one_endpoint_alone_does_not_make_the_ended_broadcast_live() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        200 stop 668 10
        201 kick-at channels xqc/676=offline
        1500 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            200.0  write 1 Offline by push
        "#]],
    );
}

#[test]
fn r7_a_broadcast_that_began_later_than_the_stop_by_more_than_the_margin_counts_at_once() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        200 stop 668 10
        .. kick xqc/676/668=live@216
        210 sweep
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            200.0  write 1 Offline by push
            210.0  read the roster
            210.0  write 1 Online by sweep
        "#]],
    );
    // Within the clock margin the hold decides.
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        200 stop 668 10
        .. kick xqc/676/668=live@215
        280 until
        291 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            200.0  write 1 Offline by push
            290.0  write 1 Online by sweep
        "#]],
    );
}

#[test]
fn r7_start_times_four_seconds_apart_are_one_broadcast_and_five_are_two() {
    let shows = |start: u32| {
        format!(
            "
            1 auto
            95 live 668 10 created@95
            100 kick xqc/676/668=live@{start}
            .. stop 668 10
            500 until
            "
        )
    };
    check_watched(
        &shows(99),
        &expect![[r#"

            95.0   write 1 Online by push
            100.0  write 1 Offline by push
        "#]],
    );
    check_watched(
        &shows(100),
        &expect![[r#"

            95.0   write 1 Online by push
            100.0  write 1 Offline by push
            190.0  write 1 Online by sweep
            200.0  log push_missed username=xqc status=Online
        "#]],
    );
}

#[test]
fn r7_our_clock_is_corrected_by_kicks() {
    check_watched(
        "
        1 kick-clock 3600
        .. auto
        .. kick xqc/676/668=offline
        40 live 668 10 created@3630
        150 stop 668 10
        155 kick xqc/676/668=live@3740
        .. sweep
        160 until
        171 kick xqc/676/668=live@3770
        .. sweep
        ",
        &expect![[r#"

            40.0   write 1 Online by push
            133.0  write 1 Offline by sweep
            143.0  log push_missed username=xqc status=Offline
            155.0  read the roster
            171.0  read the roster
            171.0  write 1 Online by sweep
        "#]],
    );
}

/// The API shows a broadcast that began before the stop was received, but after the one that the stop ended.
#[test]
fn r7_a_later_broadcast_than_the_one_that_ended_is_kept_back_for_no_longer_than_the_hold() {
    // The stop is late.
    check_watched(
        "
        1 auto
        .. kick-clock 0
        .. kick xqc/676/668=live@1
        200 stop 668 10
        .. kick xqc/676/668=live@195
        700 until
        ",
        &expect![[r#"

            30.0   write 1 Online by sweep
            200.0  write 1 Offline by push
            290.0  write 1 Online by sweep
            300.0  log push_missed username=xqc status=Online
        "#]],
    );
    // Our clock is a minute fast, and Kick's answers have no date.
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        200 stop 668 10
        231 kick xqc/676/668=live@171
        700 until
        ",
        &expect![[r#"

            30.0   write 1 Online by sweep
            200.0  write 1 Offline by push
            290.0  write 1 Online by sweep
            300.0  log push_missed username=xqc status=Online
        "#]],
    );
    // When it is not known when the ended broadcast had begun, Kick's clock decides, not ours.
    let of_the_unknown = |clock: &str| {
        format!(
            "
            1 auto
            {clock}
            .. kick xqc/676/668=offline
            150 live 668 10 created@9000000
            200 stop 668 10
            .. kick xqc/676/668=live@195
            700 until
            "
        )
    };
    check_watched(
        &of_the_unknown(".. kick-clock 0"),
        &expect![[r#"

            150.0  write 1 Online by push
            200.0  write 1 Offline by push
        "#]],
    );
    check_watched(
        &of_the_unknown(""),
        &expect![[r#"

            150.0  write 1 Online by push
            200.0  write 1 Offline by push
            290.0  write 1 Online by sweep
            300.0  log push_missed username=xqc status=Online
        "#]],
    );
}

/// The sweep saw the end, and the stop is received when the next broadcast is already running.
#[test]
fn r7_a_stop_that_comes_behind_the_sweep_says_nothing_of_the_next_broadcast() {
    check_watched(
        "
        1 auto
        .. kick-clock 0
        .. kick xqc/676/668=live@1
        65 kick xqc/676/668=offline
        190 kick xqc/676/668=live@190
        205 stop 668 10
        700 until
        ",
        &expect![[r#"

            30.0   write 1 Online by sweep
            93.0   write 1 Offline by sweep
            103.0  log push_missed username=xqc status=Offline
            295.0  write 1 Online by sweep
            305.0  log push_missed username=xqc status=Online
        "#]],
    );
}

#[test]
fn r7_an_endpoint_that_bears_out_what_push_told_does_not_trail() {
    check(
        "
        0 kick xqc/676=offline
        .. auto
        .. roster 1:xqc:Offline:668
        .. link 0 started
        .. link 0 subscribed 668
        .. kick-clock 0
        5 live 668 10 created@5
        .. auto asks
        24 kick xqc/676/668=live@5
        130 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    subscribe 0 668
            5.0    write 1 Online by push
            20.0   ask users_livestreams: 676
            20.0   ask livestreams: 676
            20.0   ask website: xqc
            23.0   ask channels: 676
            23.0   write 1 Offline by sweep
            30.0   ask users_livestreams: 676
            30.0   write 1 Online by sweep
            30.0   ask livestreams: 676
            60.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
            120.0  ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r7_what_the_api_alone_saw_end_is_live_again_as_soon_as_the_api_says_so() {
    check_watched(
        "
        1 auto
        .. kick-clock 0
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        100 stop 668 10
        150 kick xqc/676/668=live@150
        220 kick xqc/676/668=offline
        250 kick xqc/676/668=live@150
        400 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            100.0  write 1 Offline by push
            180.0  write 1 Online by sweep
            190.0  log push_missed username=xqc status=Online
            243.0  write 1 Offline by sweep
            253.0  log push_missed username=xqc status=Offline
            303.0  write 1 Online by sweep
            313.0  log push_missed username=xqc status=Online
        "#]],
    );
}
