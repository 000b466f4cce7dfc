//! R15: the table shows another status than was written.

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r15_what_push_said_within_the_hold_is_written_over_a_hand_edit() {
    check_watched(
        "
        1 auto
        .. live 668 10
        .. manual
        10 roster 1:xqc:Offline
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            10.0   write 1 Online by push
        "#]],
    );
}

#[test]
fn r15_after_the_hold_a_hand_edit_is_believed_asked_about_at_once_and_put_right_after_the_lag() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        .. auto asks
        100 quiet
        .. loud
        .. roster 1:xqc:Offline
        101 roster 1:xqc:Offline
        165 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
            100.0  ask users_livestreams: 676
            120.0  ask users_livestreams: 676
            160.0  ask users_livestreams: 676
            160.0  write 1 Online by sweep
        "#]],
    );
}

/// Another instance received the stop, and this one did not.
#[test]
fn r15_an_answer_that_was_on_its_way_does_not_take_back_what_the_table_shows_since() {
    check_watched(
        "
        1 live 668 10 created@1
        .. written
        119 quiet
        .. auto
        .. kick xqc/676/668=live@1
        .. manual
        120 loud
        121 roster 1:xqc:Offline
        122 answer users_livestreams xqc/676=live@1
        123 answer users_livestreams
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            122.0  log sweep_done streamers=1 seconds=2.0 corrected=0
            122.0  ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r15_a_wrong_online_by_hand_is_put_right_after_the_lag_and_two_looks() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=offline
        .. auto asks
        10 roster 1:xqc:Online
        75 until
        ",
        &expect![[r#"

            10.0   ask users_livestreams: 676
            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            70.0   ask users_livestreams: 676
            73.0   ask channels: 676
            73.0   write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn r15_a_read_from_before_our_write_is_not_compared() {
    check_watched(
        "
        1 live 668 10
        2 written
        3 roster 1:xqc:Offline read@1
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            2.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=1000
        "#]],
    );
    check_watched(
        "
        1 live 668 10
        2 already
        3 roster 1:xqc:Offline read@1
        ",
        &expect![[r#"

            1.0    write 1 Online by push
        "#]],
    );
}

#[test]
fn r15_neither_value_is_written_over_at_once() {
    check_watched(
        "10 roster 1:xqc:weird",
        &expect![[r#"

        10.0   write 1 Offline by sweep
    "#]],
    );
}

#[test]
fn r15_a_write_of_half_a_minute_before_a_crash_is_sent_again() {
    let crash = |seconds: u32| {
        format!(
            "
            1 auto
            95 kick xqc/676/668=live@95
            100 sweep
            .. manual
            {} database down crash
            135 database up
            ",
            100 + seconds
        )
    };
    check_watched(
        &crash(30),
        &expect![[r#"

            100.0  read the roster
            100.0  write 1 Online by sweep
            110.0  log push_missed username=xqc status=Online
            110.0  ask livestreams: 676
            110.0  ask website: xqc
            130.0  log db_unavailable reason=crash pending=0
            135.0  write 1 Online by sweep
            135.0  log db_recovered pending=1
        "#]],
    );
    check_watched(
        &crash(31),
        &expect![[r#"

            100.0  read the roster
            100.0  write 1 Online by sweep
            110.0  log push_missed username=xqc status=Online
            110.0  ask livestreams: 676
            110.0  ask website: xqc
            131.0  log db_unavailable reason=crash pending=0
            135.0  log db_recovered pending=0
        "#]],
    );
}

#[test]
fn r15_an_undone_write_is_sent_again_even_while_the_writers_are_still_cut_off() {
    check(
        "
        0 learned a/1/11 b/2/12
        .. kick a/1/11=offline b/2/12=offline
        .. auto
        .. roster 1:a:Offline 2:b:Offline
        .. link 0 started
        1 kick a/1/11=live@1
        .. sweep
        .. manual
        10 live 12 10
        .. database down crash
        .. unavailable
        11 database up
        .. unavailable
        .. roster 1:a:Offline 2:b:Offline
        12 written
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=2
            0.0    subscribe 0 11 12
            1.0    read the roster
            1.0    write 1 Online by sweep
            10.0   write 2 Online by push
            10.0   log db_unavailable reason=crash pending=1
            10.0   log db_unavailable reason="connection refused" pending=1
            10.1   write 2 Online by push
            11.2   write 1 Online by sweep
            12.0   log status_changed username=a id=1 status=Online source=sweep lag_ms=11000
            12.0   log db_recovered pending=1
            12.0   write 2 Online by push
        "#]],
    );
}

#[test]
fn r15_a_write_whose_fate_is_unknown_is_not_forgotten_when_the_status_turns_back() {
    check_watched(
        "
        1 live 668 10
        .. unavailable
        .. stop 668 10
        2 roster 1:xqc:Online
        3 written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log db_unavailable reason="connection refused" pending=1
            1.1    write 1 Offline by push
            3.0    log status_changed username=xqc id=1 status=Offline source=push lag_ms=2000
            3.0    log db_recovered pending=0
        "#]],
    );
}

#[test]
fn r15_what_only_the_table_says_is_not_written_whatever_became_of_another_write() {
    check_watched(
        "
        1 live 668 10
        .. roster 1:nobody:Online
        .. unavailable
        2 database up
        .. answer channels
        3 roster 1:nobody:Offline
        4 roster 1:nobody:Online
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log roster_loaded streamers=1 added=1 removed=1
            1.0    ask channels: nobody
            1.0    ask website: nobody
            1.0    close 0
            1.0    log db_unavailable reason="connection refused" pending=1
            1.1    log db_recovered pending=0
            2.0    log streamer_unknown username=nobody id=1
            3.0    ask channels: nobody
        "#]],
    );
}

#[test]
fn r15_who_is_confirmed_is_written_once_more_when_the_fate_of_a_write_is_unknown() {
    check_watched(
        "
        1 live 668 10
        .. roster 1:train:Offline
        .. unavailable
        2 database up
        3 answer channels train/677/669=offline
        4 written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log roster_loaded streamers=1 added=1 removed=1
            1.0    ask channels: train
            1.0    ask website: train
            1.0    close 0
            1.0    log db_unavailable reason="connection refused" pending=1
            1.1    log db_recovered pending=0
            3.0    learn train/677/669
            3.0    write 1 Offline by sweep
            3.0    open 1
            4.0    log status_changed username=train id=1 status=Offline source=sweep lag_ms=3000
        "#]],
    );
}

#[test]
fn r15_in_an_outage_that_is_known_its_begin_counts_and_not_the_reconnection() {
    check_watched(
        "
        1 auto
        95 kick xqc/676/668=live@95
        100 sweep
        .. manual
        110 database down crash
        150 database reconnected
        151 database up
        ",
        &expect![[r#"

            100.0  read the roster
            100.0  write 1 Online by sweep
            110.0  log push_missed username=xqc status=Online
            110.0  ask livestreams: 676
            110.0  ask website: xqc
            110.0  log db_unavailable reason=crash pending=0
            150.0  write 1 Online by sweep
            151.0  log db_recovered pending=1
        "#]],
    );
}

#[test]
fn r15_after_every_reconnection_recent_writes_are_sent_again() {
    check_watched(
        "
        1 live 668 10
        2 written
        20 database reconnected
        .. already
        40 database reconnected
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            2.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=1000
            20.0   write 1 Online by push
            30.0   ask users_livestreams: 676
        "#]],
    );
}

/// The table shows that a break soon after a write undid nothing, so a later change does not come from the crash.
#[test]
fn r15_a_hand_edit_long_after_a_break_is_believed() {
    check_watched(
        "
        1 live 668 10
        .. written
        20 database reconnected
        .. already
        30 quiet
        .. auto
        .. kick xqc/676/668=live@1
        .. roster 1:xqc:Online
        600 loud
        .. manual
        .. roster 1:xqc:Offline
        601 answer users_livestreams
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            20.0   write 1 Online by push
            30.0   ask users_livestreams: 676
            600.0  ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r19_a_probe_that_was_lost_with_its_writer_is_sent_again() {
    check_watched(
        "
        1 live 668 10
        .. unavailable
        1.2 until
        1.3 writer-died
        .. written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log db_unavailable reason="connection refused" pending=1
            1.1    write 1 Online by push
            1.3    write 1 Online by push
            1.3    log status_changed username=xqc id=1 status=Online source=push lag_ms=300
            1.3    log db_recovered pending=0
        "#]],
    );
}
