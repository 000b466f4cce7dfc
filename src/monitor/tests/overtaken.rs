//! Evidence that something later has overtaken: stops that are late (R27, R12), events that were shared or kept for
//! another row (R16), and what was seen before an event was told again (R1, R6, R9).

use super::webhooks::check_both;
use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r27_a_late_stop_of_a_pause_that_the_websocket_has_seen_over_is_a_question() {
    check_both(
        "
        .. kick-clock 0
        20 kick xqc/676/668=live@20
        .. live 668 10 created@20
        21 delivered 676 live start@20 sent@20.5
        80 live 668 10 created@20
        85 delivered 676 stop start@20 sent@70.3
        300 until
        ",
        &expect![[r#"

            20.0   write 1 Online by push
            30.0   webhook clock 0
        "#]],
    );
}

#[test]
fn r27_so_it_is_where_no_webhook_told_of_the_start() {
    check_both(
        "
        .. kick-clock 0
        20 kick xqc/676/668=live@20
        .. live 668 10 created@20
        80 live 668 10 created@20
        85 delivered 676 stop start@20 sent@70.3
        300 until
        ",
        &expect![[r#"

            20.0   write 1 Online by push
            30.0   webhook clock 0
        "#]],
    );
}

#[test]
fn r27_a_stop_that_kick_sent_after_the_start_was_told_again_counts() {
    check_both(
        "
        .. kick-clock 0
        20 kick xqc/676/668=live@20
        .. live 668 10 created@20
        21 delivered 676 live start@20 sent@20.5
        80 live 668 10 created@20
        82 delivered 676 stop start@20 sent@79
        .. kick xqc/676/668=offline
        300 until
        ",
        &expect![[r#"

            20.0   write 1 Online by push
            30.0   webhook clock 0
            82.0   write 1 Offline by push
        "#]],
    );
}

#[test]
fn r27_a_stop_that_an_answer_of_a_minute_later_contradicts_is_a_question() {
    check_both(
        "
        .. kick-clock 0
        20 kick xqc/676/668=live@20
        .. delivered 676 live start@20 sent@20
        301 delivered 676 stop start@20 sent@200
        500 until
        ",
        &expect![[r#"

            20.0   write 1 Online by push
            30.0   webhook clock 0
        "#]],
    );
}

#[test]
fn r26_a_start_is_not_shared_with_another_streamer_on_the_same_wrong_channel_id() {
    check(
        "
        0 set starts=2
        .. kick-clock 0
        .. kick xqc/676/700=live@50 bob/677/669=live@20
        .. kick-at website xqc/676=nothing bob/677=nothing
        .. auto
        60 roster 1:xqc:Offline:700
        100 roster 1:xqc:Online:700:.:50 2:bob:Offline:700
        160 roster 1:xqc:Online:700:.:50 2:bob:Online:669:.:20
        200 until
        ",
        &expect![[r#"

            60.0   log roster_loaded streamers=1 added=1 removed=0
            60.0   open 0
            60.0   write 1 Online by sweep since 50
            60.0   log ready version=- seconds=60.0 streamers=1
            100.0  log roster_loaded streamers=2 added=1 removed=0
            100.0  write 2 Online by sweep since 20
            100.0  log channel_id_mismatch username=bob configured=700 actual=669
        "#]],
    );
}

#[test]
fn r12_the_other_spelling_is_asked_about_in_turn_although_the_table_has_a_user_id() {
    check(
        "
        0 kick eren-mlg/50/51=missing
        .. auto
        .. roster 1:eren_mlg:Offline:.:999
        200 kick eren-mlg/50/51=live@150
        1300 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    log streamer_unknown username=eren_mlg id=1
            210.0  write 1 Online by sweep
            210.0  open 0
        "#]],
    );
}

#[test]
fn r16_a_stop_after_which_the_sweep_found_another_broadcast_is_not_shared_with_a_new_row() {
    check_watched(
        "
        1 auto
        5 kick xqc/676/668=live@5
        .. live 668 10 created@5
        100 stop 668 10
        .. kick xqc/676/668=live@125
        165 roster 1:xqc:Online 2:xqc:Online
        200 until
        ",
        &expect![[r#"

            5.0    write 1 Online by push
            100.0  write 1 Offline by push
            120.0  write 1 Online by sweep
            130.0  log push_missed username=xqc status=Online
            165.0  log roster_loaded streamers=2 added=1 removed=0
        "#]],
    );
}

#[test]
fn r16_what_push_told_holds_for_the_row_that_takes_the_place_of_another() {
    check_watched(
        "
        1 auto
        5 kick xqc/676/668=live@5
        .. live 668 10 created@5
        200 stop 668 10
        205 roster 2:xqc:Offline
        250 kick xqc/676/668=offline
        400 until
        ",
        &expect![[r#"

            5.0    write 1 Online by push
            200.0  write 1 Offline by push
            205.0  log roster_loaded streamers=1 added=1 removed=1
            205.0  open 1
            205.0  close 0
        "#]],
    );
}

#[test]
fn r16_what_a_row_knew_that_is_gone_is_taken_over_once() {
    check_watched(
        "
        1 auto
        5 kick xqc/676/668=live@5
        .. live 668 10 created@5
        100 stop 668 10
        105 roster 2:xqc:Offline
        .. kick xqc/676/668=live@125
        165 roster 2:xqc:Online 3:xqc:Online
        200 until
        ",
        &expect![[r#"

            5.0    write 1 Online by push
            100.0  write 1 Offline by push
            105.0  log roster_loaded streamers=1 added=1 removed=1
            105.0  open 1
            105.0  close 0
            120.0  write 2 Online by sweep
            165.0  log roster_loaded streamers=2 added=1 removed=0
        "#]],
    );
}

#[test]
fn r16_what_push_told_goes_with_the_name_when_two_rows_swap_theirs() {
    check(
        "
        0 learned xqc/676/668 bob/677/669
        .. kick xqc/676/668=offline bob/677/669=live@5
        .. roster 1:bob:Online 2:xqc:Offline
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668 669
        .. auto
        5 live 669 10 created@5
        200 stop 669 10
        205 roster 1:xqc:Offline 2:bob:Offline
        250 kick bob/677/669=offline
        400 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask users_livestreams: 676 677
            0.0    open 0
            0.0    subscribe 0 668 669
            0.0    log ready version=- seconds=0.0 streamers=2
            200.0  write 1 Offline by push
            205.0  log roster_loaded streamers=2 added=2 removed=2
            205.0  unsubscribe 0 669
            205.0  subscribe 0 669
        "#]],
    );
}

#[test]
fn r16_what_push_told_outlasts_a_read_in_which_two_rows_share_an_id() {
    check_watched(
        "
        1 auto
        5 kick xqc/676/668=live@5
        .. live 668 10 created@5
        200 stop 668 10
        203 roster 1:xqc:Offline 1:bob:Offline
        206 roster 1:xqc:Offline
        250 kick xqc/676/668=offline
        400 until
        ",
        &expect![[r#"

            5.0    write 1 Online by push
            200.0  write 1 Offline by push
            203.0  log streamer_unusable username=xqc id=1 reason="other rows have the same id; set DB_ID_COLUMN to a column that tells rows apart"
            203.0  log roster_loaded streamers=0 added=0 removed=1
            203.0  close 0
            206.0  log roster_loaded streamers=1 added=1 removed=0
            206.0  open 1
        "#]],
    );
}

#[test]
fn r12_a_questioned_stop_is_not_judged_again_after_an_answer_that_was_asked_for_later() {
    check(
        "
        0 roster 1:xqc:Offline:700 2:bob:Offline:700
        .. kick xqc/676/700=offline bob/677/669=offline
        .. kick-at website xqc/676=nothing bob/677=nothing
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 700
        .. auto
        101 stop 700 9
        118 kick xqc/676/700=live@117
        200 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask channels: bob xqc
            0.0    ask website: xqc
            0.0    open 0
            0.0    subscribe 0 700
            0.0    log ready version=- seconds=0.0 streamers=2
            120.0  write 1 Online by sweep
            130.0  log push_missed username=xqc status=Online
        "#]],
    );
}

#[test]
fn r1_an_answer_with_another_broadcast_does_not_make_an_ended_one_resume() {
    check_watched(
        "
        1 auto
        .. kick-clock 0
        5 kick xqc/676/668=live@5
        .. live 668 10 created@5
        100 stop 668 10
        .. kick xqc/676/668=offline
        106 live 668 10 created@5
        135 kick xqc/676/668=live@132
        200 stop 668 10
        400 until
        ",
        &expect![[r#"

            5.0    write 1 Online by push
            100.0  write 1 Offline by push
            136.0  write 1 Online by sweep
            146.0  log push_missed username=xqc status=Online
        "#]],
    );
}

#[test]
fn r1_a_start_that_is_told_again_after_somebody_wrote_offline_is_a_witness() {
    check_watched(
        "
        1 auto
        5 kick xqc/676/668=live@5
        .. live 668 10 created@5
        200 roster 1:xqc:Offline
        210 live 668 10 created@5
        300 until
        ",
        &expect![[r#"

            5.0    write 1 Online by push
            210.0  write 1 Online by sweep
        "#]],
    );
}

#[test]
fn r6_a_start_that_is_told_again_means_that_the_streamer_has_not_vanished() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=missing
        5 live 668 10 created@5
        719 live 668 10 created@5
        800 until
        ",
        &expect![[r#"

            5.0    write 1 Online by push
        "#]],
    );
}

#[test]
fn r9_a_first_look_from_before_a_start_was_told_again_does_not_count() {
    check_watched(
        "
        1 auto
        .. down users_livestreams 404
        .. down livestreams 404
        .. kick xqc/676/668=live@5
        5 live 668 10 created@5
        150 kick xqc/676/668=offline
        180.5 live 668 10 created@5
        400 until
        ",
        &expect![[r#"

            5.0    write 1 Online by push
            30.0   log api_error status=404 endpoint=users_livestreams retry_in=0.0 reason=404
            30.0   log api_error status=404 endpoint=livestreams retry_in=0.0 reason=404
            273.5  write 1 Offline by sweep
            283.5  log push_missed username=xqc status=Offline
        "#]],
    );
}
