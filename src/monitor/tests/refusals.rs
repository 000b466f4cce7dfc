//! Rows that cannot be written: locked, refused, suppressed, overruled (R20, R21).

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r20_a_locked_row_is_tried_by_itself_and_delays_no_other() {
    check(
        "
        0 learned a/1/11 b/2/12
        .. kick a/1/11=offline b/2/12=offline
        .. quiet
        .. auto
        .. roster 1:a:Offline 2:b:Offline
        .. link 0 started
        .. manual
        .. loud
        1 live 11 10
        .. live 12 20
        .. aside 1
        .. written 2
        1.1 stop 12 20
        .. written 2
        1.2 aside 1
        1.3 stop 11 10
        1.6 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    write 2 Online by push
            1.0    log status_changed username=b id=2 status=Online source=push lag_ms=0
            1.1    write 2 Offline by push
            1.1    log status_changed username=b id=2 status=Offline source=push lag_ms=0
            1.2    write 1 Online by push apart
        "#]],
    );
}

#[test]
fn r21_set_aside_five_times_is_said_and_tried_every_five_minutes() {
    check_watched(
        "
        1 live 668 10
        .. aside
        1.2 aside
        1.6 aside
        2.4 aside
        4 aside
        .. auto
        .. manual
        303 until
        304 aside
        604 written
        605 stop 668 10
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.2    write 1 Online by push apart
            1.6    write 1 Online by push apart
            2.4    write 1 Online by push apart
            4.0    write 1 Online by push apart
            4.0    log write_refused username=xqc id=1 reason="not written 5 times in a row, without an error: a trigger or policy suppresses the update"
            30.0   ask users_livestreams: 676
            304.0  write 1 Online by push apart
            304.0  log write_refused username=xqc id=1 reason="not written 5 times in a row, without an error: a trigger or policy suppresses the update"
            604.0  write 1 Online by push apart
            604.0  log status_changed username=xqc id=1 status=Online source=push lag_ms=603000
            605.0  write 1 Offline by push
        "#]],
    );
}

#[test]
fn r21_a_locked_row_is_tried_every_five_seconds_and_said_after_five_minutes() {
    check_watched(
        "
        1 live 668 10
        .. locked-until 3
        .. quiet
        .. locked-until 290
        .. loud
        .. locked-until 310
        312.2 written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.2    write 1 Online by push
            1.6    write 1 Online by push
            2.4    write 1 Online by push
            292.2  write 1 Online by push
            297.2  write 1 Online by push
            297.2  log write_refused username=xqc id=1 reason="another client has held the row's lock for minutes"
            302.2  write 1 Online by push
            307.2  write 1 Online by push
            312.2  write 1 Online by push
            312.2  log status_changed username=xqc id=1 status=Online source=push lag_ms=311200
        "#]],
    );
}

#[test]
fn r21_a_row_that_shows_its_new_status_after_all_is_not_locked_any_more() {
    check_watched(
        "
        1 live 668 10
        .. aside
        1.2 aside
        1.6 aside
        2.4 aside
        4 aside
        10 roster 1:xqc:Online
        11 stop 668 10
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.2    write 1 Online by push apart
            1.6    write 1 Online by push apart
            2.4    write 1 Online by push apart
            4.0    write 1 Online by push apart
            4.0    log write_refused username=xqc id=1 reason="not written 5 times in a row, without an error: a trigger or policy suppresses the update"
            11.0   write 1 Offline by push
        "#]],
    );
}

#[test]
fn r21_a_refused_row_is_said_once_while_it_lasts() {
    check_watched(
        "
        1 live 668 10
        .. refused
        1.2 refused
        1.6 refused
        2.4 written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log write_refused username=xqc id=1 reason="23514 too early"
            1.2    write 1 Online by push apart
            1.6    write 1 Online by push apart
            2.4    write 1 Online by push apart
            2.4    log status_changed username=xqc id=1 status=Online source=push lag_ms=1400
        "#]],
    );
}

/// The row was refused before, but this time the database may be at fault.
#[test]
fn r21_a_refused_row_that_then_takes_too_long_has_a_second_chance_soon() {
    check_watched(
        "
        1 live 668 10
        .. refused
        1.2 timed-out
        31.2 written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log write_refused username=xqc id=1 reason="23514 too early"
            1.2    write 1 Online by push apart
            1.2    log write_refused username=xqc id=1 reason="57014 canceled; it took 10 s"
            30.0   ask users_livestreams: 676
            31.2   write 1 Online by push apart
            31.2   log status_changed username=xqc id=1 status=Online source=push lag_ms=30200
        "#]],
    );
}

#[test]
fn r21_a_row_that_takes_too_long_is_tried_apart_after_half_a_minute_and_then_every_five() {
    check_watched(
        "
        1 live 668 10
        11 timed-out
        .. auto
        .. manual
        43 timed-out
        100 stop 668 10
        101 live 668 11
        345 timed-out
        645 written
        646 stop 668 11
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            11.0   log write_refused username=xqc id=1 reason="57014 canceled; it took 10 s"
            30.0   ask users_livestreams: 676
            41.0   write 1 Online by push apart
            343.0  write 1 Online by push apart
            345.0  log write_refused username=xqc id=1 reason="57014 canceled; it took 10 s"
            645.0  write 1 Online by push apart
            645.0  log status_changed username=xqc id=1 status=Online source=push lag_ms=544000
            646.0  write 1 Offline by push
        "#]],
    );
}

#[test]
fn r21_a_row_that_is_gone_makes_the_roster_be_read() {
    check_watched(
        "
        1 live 668 10
        .. gone
        2 roster 2:train:Offline
        10 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    read the roster
            2.0    log roster_loaded streamers=1 added=1 removed=1
            2.0    ask channels: train
            2.0    ask website: train
            2.0    close 0
        "#]],
    );
}

#[test]
fn r21_three_confirmed_writes_that_the_row_does_not_show_are_enough() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        100 roster 1:xqc:LIVE
        110 roster 1:xqc:LIVE
        120 roster 1:xqc:LIVE
        130 roster 1:xqc:LIVE
        140 roster 1:xqc:Offline
        210 stop 668 10
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            100.0  write 1 Online by push
            110.0  write 1 Online by push
            200.0  write 1 Online by sweep
            210.0  write 1 Offline by push
        "#]],
    );
}

#[test]
fn r21_three_hand_edits_are_no_trigger() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        100 roster 1:xqc:LIVE
        110 roster 1:xqc:Online
        120 roster 1:xqc:LIVE
        130 roster 1:xqc:Online
        140 roster 1:xqc:LIVE
        150 roster 1:xqc:Online
        160 roster 1:xqc:LIVE
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            100.0  write 1 Online by push
            120.0  write 1 Online by push
            140.0  write 1 Online by push
            160.0  write 1 Online by push
        "#]],
    );
}

#[test]
fn r21_two_instances_that_write_over_each_other_are_no_trigger() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=offline
        .. live 668 10 created@1
        10 roster 1:xqc:Offline
        12 stop 668 10
        20 roster 1:xqc:Online
        30 roster 1:xqc:Online
        100 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            10.0   write 1 Online by push
            12.0   write 1 Offline by push
            20.0   write 1 Offline by push
            93.0   write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn r21_a_server_that_crashes_again_and_again_is_no_trigger() {
    let crash = |at: u32| {
        format!(
            "
            {at} database down crash
            .. roster 1:xqc:Offline
            {} database up
            .. written
            ",
            at + 1
        )
    };
    check_watched(
        &format!("1 live 668 10\n.. written\n{}{}{}{}", crash(10), crash(20), crash(30), crash(40)),
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            10.0   log db_unavailable reason=crash pending=0
            10.0   write 1 Online by push
            11.0   log db_recovered pending=1
            11.0   log status_changed username=xqc id=1 status=Online source=push lag_ms=1000
            20.0   log db_unavailable reason=crash pending=0
            20.0   write 1 Online by push
            21.0   log db_recovered pending=1
            21.0   log status_changed username=xqc id=1 status=Online source=push lag_ms=1000
            30.0   ask users_livestreams: 676
            30.0   log db_unavailable reason=crash pending=0
            30.0   write 1 Online by push
            31.0   log db_recovered pending=1
            31.0   log status_changed username=xqc id=1 status=Online source=push lag_ms=1000
            40.0   log db_unavailable reason=crash pending=0
            40.0   write 1 Online by push
            41.0   log db_recovered pending=1
            41.0   log status_changed username=xqc id=1 status=Online source=push lag_ms=1000
        "#]],
    );
}
