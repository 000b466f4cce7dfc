//! R26: when the broadcast that runs began: written with Online, and told when another one takes its place.

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r26_online_has_the_start_and_the_title_and_offline_leaves_it_alone() {
    check_watched(
        "
        1 set starts=2
        2 live 668 10 created@1 title=Hello
        3 written
        4 tell 1
        5 stop 668 10
        6 written
        ",
        &expect![[r#"

            2.0    write 1 Online by push since 1 called Hello
            3.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=1000
            4.0    {"id":"1","username":"xqc","name":"xqc","status":"Online","source":"push","since":"2026-01-01T00:00:02Z","shown":"Online","last_write":{"status":"Online","at":"2026-01-01T00:00:03Z"},"last_push":{"status":"Online","at":"2026-01-01T00:00:02Z"},"livestream_id":10,"started_at":"2026-01-01T00:00:01Z","title":"Hello","user_id":676,"channel_id":668,"channel_trust":"confirmed","channel_source":"kept","connection":0,"subscribed_at":"2026-01-01T00:00:00Z","covered":true,"compared_at":"2026-01-01T00:00:00Z"}
            5.0    write 1 Offline by push
            6.0    log status_changed username=xqc id=1 status=Offline source=push lag_ms=1000
        "#]],
    );
}

#[test]
fn r26_times_of_one_broadcast_are_the_same_and_write_nothing() {
    check_watched(
        "
        1 set starts=2
        5 live 668 10 created@5
        .. written
        6 sweep
        .. answer users_livestreams xqc/676=live@1
        7 sweep
        .. answer users_livestreams xqc/676=live@1
        20 roster 1:xqc:Online:.:.:5
        ",
        &expect![[r#"

            5.0    write 1 Online by push since 5
            5.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            6.0    read the roster
            6.0    ask users_livestreams: 676
            6.0    log sweep_done streamers=1 seconds=0.0 corrected=0
            7.0    read the roster
            7.0    ask users_livestreams: 676
            7.0    log sweep_done streamers=1 seconds=0.0 corrected=0
        "#]],
    );
}

#[test]
fn r26_the_start_in_a_row_that_names_somebody_else_now_is_not_theirs() {
    check_watched(
        "
        1 set starts=2
        .. kick adin/677/669=live@2
        50 live 668 10 created@50
        .. written
        60 auto
        .. roster 1:adin:Online:.:.:50
        .. auto asks
        180 until
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            50.0   write 1 Online by push since 50
            50.0   log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            60.0   log roster_loaded streamers=1 added=1 removed=1
            60.0   close 0
            60.0   write 1 start by sweep since 2
            60.0   open 1
            60.0   log detail broadcast
            63.0   ask users_livestreams: 677
            120.0  ask users_livestreams: 677
            180.0  ask users_livestreams: 677
        "#]],
    );
}

#[test]
fn r26_a_start_that_push_did_not_tell_is_written_when_two_answers_have_it() {
    check_watched(
        "
        1 set starts=2
        5 live 668 10 undated
        .. written
        6 sweep
        .. answer users_livestreams xqc/676=live@3
        9 answer users_livestreams xqc/676=live@3
        .. written
        20 until
        ",
        &expect![[r#"

            5.0    write 1 Online by push
            5.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            6.0    read the roster
            6.0    ask users_livestreams: 676
            6.0    log sweep_done streamers=1 seconds=0.0 corrected=0
            9.0    ask users_livestreams: 676
            9.0    write 1 start by push since 3
            9.0    log detail broadcast
        "#]],
    );
}

#[test]
fn r26_another_broadcast_takes_over_without_an_offline_between() {
    check_watched(
        "
        1 set starts=2 delay=60
        2 live 668 10 title=One
        .. written
        30 stop 668 10
        40 live 668 11 title=Two
        .. written
        200 until
        ",
        &expect![[r#"

            2.0    write 1 Online by push since 2 called One
            2.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            40.0   write 1 start by push since 40 called Two
            40.0   log detail broadcast
        "#]],
    );
    // The stop is lost, too.
    check_watched(
        "
        1 set starts=2
        2 live 668 10
        .. written
        30 live 668 11
        .. written
        .. roster 1:xqc:Online:.:.:30
        ",
        &expect![[r#"

            2.0    write 1 Online by push since 2
            2.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            30.0   write 1 start by push since 30
            30.0   log detail broadcast
        "#]],
    );
}

#[test]
fn r26_those_who_listen_are_told_without_a_column_too() {
    check_watched(
        "
        1 set starts=1
        2 live 668 10
        .. written
        30 live 668 11
        .. written
        31 roster 1:xqc:Online
        ",
        &expect![[r#"

            2.0    write 1 Online by push since 2
            2.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            30.0   write 1 start by push since 30
            30.0   log detail broadcast
        "#]],
    );
    // The one that runs at the start is no news.
    check(
        "
        0 set starts=1
        .. recent
        .. kick xqc/676/668=live@0
        100 auto asks
        .. roster 1:xqc:Online
        110 kick xqc/676/668=live@50
        200 until
        ",
        &expect![[r#"

            100.0  log roster_loaded streamers=1 added=1 removed=0
            100.0  ask channels: xqc
            100.0  ask website: xqc
            100.0  log ready version=- seconds=100.0 streamers=1
            100.0  ask livestreams: 676
            100.0  open 0
            160.0  ask users_livestreams: 676
            163.0  ask users_livestreams: 676
            163.0  write 1 start by sweep since 50
            163.0  log detail broadcast
        "#]],
    );
}

#[test]
fn r26_one_answer_with_another_start_is_asked_about_again() {
    check_watched(
        "
        1 set starts=2
        2 live 668 10
        .. written
        60 answer users_livestreams xqc/676=live@2
        .. answer users_livestreams xqc/676=live@2
        70 sweep
        .. answer users_livestreams xqc/676=live@50
        73 answer users_livestreams xqc/676=live@50
        .. written
        ",
        &expect![[r#"

            2.0    write 1 Online by push since 2
            2.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            60.0   log sweep_done streamers=1 seconds=0.0 corrected=0
            70.0   read the roster
            70.0   ask users_livestreams: 676
            70.0   log sweep_done streamers=1 seconds=0.0 corrected=0
            73.0   ask users_livestreams: 676
            73.0   write 1 start by sweep since 50
            73.0   log detail broadcast
        "#]],
    );
}

#[test]
fn r26_a_start_that_no_answer_proves_is_asked_about_once() {
    check(
        "
        0 set starts=1
        .. recent
        .. kick xqc/676/668=live@0
        100 auto asks
        .. roster 1:xqc:Online
        110 kick xqc/676/668=live@50
        161 kick xqc/676/668=live
        280 until
        ",
        &expect![[r#"

            100.0  log roster_loaded streamers=1 added=1 removed=0
            100.0  ask channels: xqc
            100.0  ask website: xqc
            100.0  log ready version=- seconds=100.0 streamers=1
            100.0  ask livestreams: 676
            100.0  open 0
            160.0  ask users_livestreams: 676
            163.0  ask users_livestreams: 676
            220.0  ask users_livestreams: 676
            280.0  ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r26_a_restart_writes_nothing_twice() {
    for (start, why) in [("100", "the same"), ("97", "of another source"), ("500", "a later one, which the API trails")]
    {
        let script = format!(
            "
            0 set starts=2
            .. recent
            .. kick xqc/676/668=live@100
            .. auto
            1000 roster 1:xqc:Online:.:.:{start}
            2000 roster 1:xqc:Online:.:.:{start}
            .. report
            "
        );
        let mut story = super::script::Story::new();
        story.play(&script);
        assert!(!story.transcript().contains("log detail broadcast"), "{why}: {}", story.transcript());
    }
    // An earlier one, or none: the broadcast that runs began while no process was there, or before there was a column.
    for start in ["50", "."] {
        let script = format!(
            "
            0 set starts=2
            .. recent
            .. kick xqc/676/668=live@100
            .. auto
            1000 roster 1:xqc:Online:.:.:{start}
            1010 roster 1:xqc:Online:.:.:100
            2000 until
            "
        );
        let mut story = super::script::Story::new();
        story.play(&script);
        assert_eq!(story.transcript().matches("log detail broadcast").count(), 1, "{}", story.transcript());
    }
}

#[test]
fn r26_what_a_trigger_makes_of_the_start_is_not_written_over_again() {
    check_watched(
        "
        1 set starts=2
        100 live 668 10
        .. written
        101 roster 1:xqc:Online:.:.:60
        111 roster 1:xqc:Online:.:.:.
        121 roster 1:xqc:Online:.:.:60
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            100.0  write 1 Online by push since 100
            100.0  log status_changed username=xqc id=1 status=Online source=push lag_ms=0
        "#]],
    );
}

#[test]
fn r26_a_start_whose_write_failed_is_written_again() {
    check_watched(
        "
        1 set starts=2
        2 live 668 10
        .. written
        30 live 668 11
        .. locked
        31 written
        40 live 668 12
        .. unavailable
        41 already
        42 written
        ",
        &expect![[r#"

            2.0    write 1 Online by push since 2
            2.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            30.0   write 1 start by push since 30
            30.2   write 1 start by push since 30
            31.0   log detail broadcast
            40.0   write 1 start by push since 40
            40.0   log db_unavailable reason="connection refused" pending=1
            40.1   write 1 Online by push since 40
            41.0   log db_recovered pending=1
            41.0   write 1 start by push since 40
            42.0   log detail broadcast
        "#]],
    );
}
