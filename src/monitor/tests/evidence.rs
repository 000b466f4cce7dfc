//! Evidence that is easily misread: broadcasts that resume, impossible ids and times, stops of unknown broadcasts.

use super::check_watched;
use expect_test::expect;

#[test]
fn r1_a_broadcast_that_resumes_is_online_with_the_first_answer_that_bears_it_out() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        100 stop 668 10
        110 live 668 10 created@1
        700 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            100.0  write 1 Offline by push
            110.0  write 1 Online by sweep
        "#]],
    );
    // The API saw the pause, and saw the resumption a little later than push.
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        100 stop 668 10
        101 kick xqc/676/668=offline
        .. sweep
        110 live 668 10 created@1
        130 kick xqc/676/668=live@1
        150 kick-at channels xqc/676/668=offline
        200 stop 668 10
        .. kick-at channels xqc/676/668=live@1
        700 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            100.0  write 1 Offline by push
            101.0  read the roster
            140.0  write 1 Online by sweep
            200.0  write 1 Offline by push
        "#]],
    );
}

#[test]
fn r1_what_is_repeated_within_five_seconds_of_the_stop_resumes_nothing() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        100 stop 668 10
        104 live 668 10 created@1
        690 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            100.0  write 1 Offline by push
        "#]],
    );
}

#[test]
fn r1_a_broadcast_that_a_stop_of_an_absurd_id_ended_resumes_too() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        200 kick xqc/676/668=offline
        .. stop 668 9223372036854775807
        320 kick xqc/676/668=live@1
        .. live 668 10 created@1
        900 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            200.0  write 1 Offline by push
            320.0  write 1 Online by sweep
        "#]],
    );
}

/// Another instance wrote Online first.
#[test]
fn r1_a_broadcast_that_resumes_does_so_whoever_wrote_it() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        200 kick xqc/676/668=offline
        .. stop 668 10
        320 live 668 10 created@1
        325 roster 1:xqc:Online
        330 kick xqc/676/668=live@1
        500 stop 668 10
        510 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            200.0  write 1 Offline by push
            500.0  write 1 Offline by push
        "#]],
    );
}

#[test]
fn r2_an_unknown_older_id_is_a_question() {
    check_watched(
        "
        1 auto
        .. live 668 9223372036854775807 created@1
        2 stop 668 9223372036854775807
        1000 kick xqc/676/668=live@1000
        .. auto asks
        .. live 668 11 created@1000
        1001 quiet
        1999 loud
        2000 kick xqc/676/668=offline
        .. stop 668 11
        2005 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            2.0    write 1 Offline by push
            1000.0 ask users_livestreams: 676
            1000.0 write 1 Online by sweep
            2000.0 ask users_livestreams: 676
            2003.0 ask channels: 676
            2003.0 write 1 Offline by sweep
        "#]],
    );
}

/// The stop is of an older broadcast than the one that runs, and no id was known.
#[test]
fn r2_a_stop_of_what_nobody_knew_costs_the_hold_at_most() {
    let by_clock = |clock: &str| {
        format!(
            "
            1 {clock}
            .. auto
            .. kick xqc/676/668=live@0
            .. sweep
            5 stop 668 9
            700 until
            "
        )
    };
    check_watched(
        &by_clock("loud"),
        &expect![[r#"

        1.0    read the roster
        1.0    write 1 Online by sweep
        5.0    write 1 Offline by push
        95.0   write 1 Online by sweep
        105.0  log push_missed username=xqc status=Online
    "#]],
    );
    check_watched(
        &by_clock("kick-clock 0"),
        &expect![[r#"

        1.0    read the roster
        1.0    write 1 Online by sweep
        5.0    write 1 Offline by push
        95.0   write 1 Online by sweep
        105.0  log push_missed username=xqc status=Online
    "#]],
    );
}

#[test]
fn r7_a_broadcast_that_began_seven_seconds_later_is_another_one() {
    check_watched(
        "
        1 auto
        .. kick-clock 0
        .. live 668 10 created@1
        5 stop 668 10
        8 kick xqc/676/668=live@8
        700 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            5.0    write 1 Offline by push
            95.0   write 1 Online by sweep
            105.0  log push_missed username=xqc status=Online
        "#]],
    );
}

#[test]
fn r4_a_time_that_has_not_come_is_none() {
    let by_clock = |clock: &str| {
        format!(
            "
            1 {clock}
            .. auto
            .. kick xqc/676/668=live@1
            .. sweep
            .. live 668 10 created@9000000
            100 stop 668 10
            300 kick xqc/676/668=live@300
            800 until
            "
        )
    };
    check_watched(
        &by_clock("loud"),
        &expect![[r#"

        1.0    read the roster
        1.0    write 1 Online by sweep
        100.0  write 1 Offline by push
        301.0  write 1 Online by sweep
        311.0  log push_missed username=xqc status=Online
    "#]],
    );
    check_watched(
        &by_clock("kick-clock 0"),
        &expect![[r#"

        1.0    read the roster
        1.0    write 1 Online by sweep
        100.0  write 1 Offline by push
        301.0  write 1 Online by sweep
        311.0  log push_missed username=xqc status=Online
    "#]],
    );
}

#[test]
fn r5_one_answer_that_says_another_time_is_not_believed() {
    let by_clock = |ahead: u32| {
        format!(
            "
            1 kick-clock {ahead}
            .. auto
            .. kick xqc/676/668=offline
            .. sweep
            5 sweep
            10 kick-clock 86400
            .. sweep
            .. kick-clock {ahead}
            15 sweep
            20 live 668 10 created@{}
            ",
            ahead + 20
        )
    };
    check_watched(
        &by_clock(0),
        &expect![[r#"

        1.0    read the roster
        5.0    read the roster
        10.0   read the roster
        15.0   read the roster
        20.0   write 1 Online by push
    "#]],
    );
    check_watched(
        &by_clock(7200),
        &expect![[r#"

        1.0    read the roster
        5.0    read the roster
        10.0   read the roster
        15.0   read the roster
        20.0   write 1 Online by push
    "#]],
    );
    // The very first answer has a wrong date.
    check_watched(
        "
        1 auto
        .. kick-clock 86400
        .. kick xqc/676/668=offline
        .. sweep
        .. kick-clock 0
        20 live 668 10 created@20
        ",
        &expect![[r#"

            1.0    read the roster
            20.0   write 1 Online by push
        "#]],
    );
}

#[test]
fn r5_two_answers_that_agree_set_the_clock_and_nothing_stays_in_the_future() {
    check_watched(
        "
        1 auto
        .. kick-clock 86400
        .. kick xqc/676/668=offline
        .. sweep
        5 sweep
        10 live 668 10 created@86410
        20 stop 668 10
        30 kick-clock 0
        .. sweep
        35 sweep
        130 kick xqc/676/668=live@130
        .. sweep
        140 stop 668 11
        300 live 668 12 created@300
        ",
        &expect![[r#"

            1.0    read the roster
            5.0    read the roster
            10.0   write 1 Online by push
            20.0   write 1 Offline by push
            30.0   read the roster
            35.0   read the roster
            130.0  read the roster
            130.0  write 1 Online by sweep
            140.0  log push_missed username=xqc status=Online
            140.0  write 1 Offline by push
            300.0  write 1 Online by push
        "#]],
    );
}

#[test]
fn r6_a_mention_without_a_status_and_absence_from_the_live_twice_are_offline() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        .. auto asks
        200 kick xqc/676/668=null
        400 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
            120.0  ask users_livestreams: 676
            180.0  ask users_livestreams: 676
            240.0  ask users_livestreams: 676
            243.0  ask channels: 676
            273.0  ask channels: 676
            273.0  ask users_livestreams: 676
            273.0  write 1 Offline by sweep
            283.0  log push_missed username=xqc status=Offline
            283.0  ask livestreams: 676
            283.0  ask website: xqc
            300.0  ask users_livestreams: 676
            360.0  ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r6_a_mention_without_a_status_is_nothing_while_the_live_list_has_them() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        .. kick-at channels xqc/676/668=null
        200 kick-at users_livestreams xqc/676/668=missing
        205 sweep
        210 kick-at users_livestreams xqc/676/668=live@1
        215 sweep
        230 kick-at users_livestreams xqc/676/668=missing
        235 sweep
        238 kick-at users_livestreams xqc/676/668=live@1
        400 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            205.0  read the roster
            215.0  read the roster
            235.0  read the roster
        "#]],
    );
}
