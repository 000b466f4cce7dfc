//! R13 and R15: what the table shows may be fresher than the API.

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r13_a_restart_within_the_lag_of_the_api_takes_nothing_back() {
    check(
        "
        0 auto
        .. learned xqc/676/668
        .. recent 1
        .. kick xqc/676/668=offline
        .. auto asks
        .. roster 1:xqc:Online
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668
        40 kick xqc/676/668=live@0
        200 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    subscribe 0 668
            0.0    ask users_livestreams: 676
            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
            120.0  ask users_livestreams: 676
            180.0  ask users_livestreams: 676
        "#]],
    );
    check(
        "
        0 auto
        .. learned xqc/676/668
        .. recent any
        .. kick xqc/676/668=live@0
        .. auto asks
        .. roster 1:xqc:Offline
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668
        40 kick xqc/676/668=offline
        200 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    subscribe 0 668
            0.0    ask users_livestreams: 676
            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
            120.0  ask users_livestreams: 676
            180.0  ask users_livestreams: 676
        "#]],
    );
}

/// Another instance, unknown to this one, receives push; this one does not.
#[test]
fn r15_a_deaf_instance_takes_nothing_back() {
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
        200 until
        ",
        &expect![[r#"

            10.0   ask users_livestreams: 676
            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            70.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
            120.0  ask users_livestreams: 676
            180.0  ask users_livestreams: 676
        "#]],
    );
    check_watched(
        "
        1 link 0 disconnected
        .. auto
        .. kick xqc/676/668=live@5
        .. sweep
        .. auto asks
        205 quiet
        210 loud
        .. roster 1:xqc:Offline
        220 roster 1:xqc:Offline
        230 roster 1:xqc:Offline
        250 kick xqc/676/668=offline
        400 until
        ",
        &expect![[r#"

            1.0    read the roster
            1.0    write 1 Online by sweep
            30.0   ask users_livestreams: 676
            61.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
            121.0  ask users_livestreams: 676
            181.0  ask users_livestreams: 676
            210.0  ask users_livestreams: 676
            241.0  ask users_livestreams: 676
            270.0  ask users_livestreams: 676
            301.0  ask users_livestreams: 676
            361.0  ask users_livestreams: 676
        "#]],
    );
}

/// Another instance received a later broadcast, and this one did not: it writes over the other once, and then the other
/// prevails.
#[test]
fn r15_what_push_said_within_the_hold_is_written_over_what_others_write_once() {
    check_watched(
        "
        1 auto
        .. live 668 10 created@1
        10 kick xqc/676/668=live@10
        .. stop 668 10
        30 auto asks
        35 roster 1:xqc:Online
        45 roster 1:xqc:Online
        55 roster 1:xqc:Online
        200 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            10.0   write 1 Offline by push
            35.0   write 1 Offline by push
            45.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
            100.0  ask users_livestreams: 676
            120.0  ask users_livestreams: 676
            180.0  ask users_livestreams: 676
        "#]],
    );
}

/// A live event for a broadcast that had ended comes late, long after the API reported that it resumed.
#[test]
fn r15_what_resumed_long_ago_takes_no_edit_back() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        100 kick xqc/676/668=offline
        .. stop 668 10
        110 kick xqc/676/668=live@1
        800 live 668 10 created@1
        905 auto asks
        910 roster 1:xqc:Offline
        1000 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            100.0  write 1 Offline by push
            703.0  write 1 Online by sweep
            713.0  log push_missed username=xqc status=Online
            910.0  ask users_livestreams: 676
            960.0  ask users_livestreams: 676
            970.0  ask users_livestreams: 676
            970.0  write 1 Online by sweep
        "#]],
    );
}

#[test]
fn r13_who_is_not_on_the_list_is_put_right_at_once_and_so_is_who_comes_later() {
    check(
        "
        100 auto
        .. kept
        .. learned a/1/11 b/2/12 c/3/13
        .. recent 2
        .. kick a/1/11=live@50 b/2/12=live@50 c/3/13=live@50 d/4/14=live@50
        .. roster 1:a:Offline 2:b:Offline 3:c
        110 roster 1:a:Online 2:b:Offline 3:c:Online 4:d:Offline
        170 until
        ",
        &expect![[r#"

            100.0  log roster_loaded streamers=3 added=3 removed=0
            100.0  keep until 160: 2
            100.0  open 0
            100.0  open 1
            100.0  write 1 Online by sweep
            100.0  write 3 Online by sweep
            100.0  log ready version=- seconds=100.0 streamers=3
            110.0  log roster_loaded streamers=4 added=1 removed=0
            110.0  write 4 Online by sweep
            160.0  write 2 Online by sweep
        "#]],
    );
}

#[test]
fn r13_what_push_told_is_kept_for_the_next_process_and_what_another_wrote() {
    check_watched(
        "
        1 auto
        .. kept
        .. kick xqc/676/668=offline
        5 live 668 10
        .. stop 668 10
        200 roster 1:xqc:Online
        ",
        &expect![[r#"

            5.0    keep until 95: 1
            5.0    write 1 Online by push
            5.0    keep until 95: 1
            5.0    write 1 Offline by push
            200.0  keep until 260: 1
        "#]],
    );
}

/// An endpoint that agreed with the table says something else later.
#[test]
fn r13_news_count_at_once() {
    check(
        "
        0 auto
        .. learned xqc/676/668
        .. recent any
        .. kick xqc/676/668=offline
        .. roster 1:xqc:Offline
        10 kick xqc/676/668=live@9
        .. sweep
        20 kick xqc/676/668=offline
        .. sweep
        60 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            10.0   read the roster
            10.0   write 1 Online by sweep
            20.0   read the roster
            23.0   write 1 Offline by sweep
        "#]],
    );
}

/// What began later cannot be the broadcast that the table showed.
#[test]
fn r13_a_broadcast_that_began_later_than_the_table_was_read_counts_at_once() {
    check(
        "
        100 auto
        .. kick-clock 0
        .. learned xqc/676/668
        .. recent any
        .. kick xqc/676/668=live@50
        .. roster 1:xqc:Offline
        117 kick xqc/676/668=live@115
        .. sweep
        118 kick xqc/676/668=live@116
        .. sweep
        ",
        &expect![[r#"

            100.0  log roster_loaded streamers=1 added=1 removed=0
            100.0  open 0
            100.0  log ready version=- seconds=100.0 streamers=1
            117.0  read the roster
            118.0  read the roster
            118.0  write 1 Online by sweep
        "#]],
    );
}

#[test]
fn r15_an_ordered_sweep_does_not_shorten_the_time_for_which_a_hand_edit_stands() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=offline
        .. auto asks
        100 roster 1:xqc:Online
        110 sweep
        .. roster 1:xqc:Online
        170 until
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
            100.0  ask users_livestreams: 676
            110.0  read the roster
            110.0  ask users_livestreams: 676
            160.0  ask users_livestreams: 676
            163.0  ask channels: 676
            163.0  write 1 Offline by sweep
            170.0  ask users_livestreams: 676
        "#]],
    );
}

/// Kick has not named them anywhere for a long time.
#[test]
fn r15_what_is_edited_of_somebody_who_has_vanished_stands_for_the_lag_too() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=missing
        .. down users_livestreams 404
        .. down livestreams 404
        1000 roster 1:xqc:Online
        1200 until
        ",
        &expect![[r#"

            30.0   log api_error status=404 endpoint=users_livestreams retry_in=0.0 reason=404
            30.0   log api_error status=404 endpoint=livestreams retry_in=0.0 reason=404
            1080.0 write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn r15_what_push_confirms_that_only_the_table_showed_is_written_as_the_word_of_push() {
    check_watched(
        "
        100 roster 1:xqc:Online
        101 live 668 10
        105 roster 1:xqc:Offline
        110 until
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            105.0  write 1 Online by push
        "#]],
    );
}

#[test]
fn r15_what_is_put_right_is_a_change_of_now() {
    check_watched(
        "
        1 live 668 10
        .. written
        100 roster 1:xqc:bogus
        .. written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            30.0   ask users_livestreams: 676
            100.0  write 1 Online by push
            100.0  log status_changed username=xqc id=1 status=Online source=push lag_ms=0
        "#]],
    );
}
