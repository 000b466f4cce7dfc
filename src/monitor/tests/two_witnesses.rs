//! R27 beside R1 to R7: what the websocket and a webhook tell of the same change, in whatever order and however late.

use super::webhooks::check_both;
use super::{check, check_watched, play_after};
use expect_test::{Expect, expect};

#[test]
fn r27_a_stop_that_kick_sent_before_the_broadcast_resumed_is_a_question() {
    check_both(
        "
        30 kick xqc/676/668=live@30
        .. live 668 10 created@30
        60 stop 668 10
        70 live 668 10 created@30
        72 delivered 676 live start@30 sent@70
        75 delivered 676 stop start@30 sent@60
        200 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            60.0   write 1 Offline by push
            70.0   write 1 Online by sweep
        "#]],
    );
}

#[test]
fn r27_so_it_is_where_only_the_websocket_told_that_it_resumed() {
    check_both(
        "
        30 kick xqc/676/668=live@30
        .. live 668 10 created@30
        60 stop 668 10
        90 live 668 10 created@30
        95 delivered 676 stop start@30 sent@60
        200 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            60.0   write 1 Offline by push
            90.0   write 1 Online by sweep
        "#]],
    );
}

#[test]
fn r27_an_end_that_kick_sends_again_later_has_the_hold_anew() {
    check_both(
        "
        30 kick xqc/676/668=live@30
        .. live 668 10 created@30
        60 stop 668 10
        600 delivered 676 stop start@30 sent@600
        1500 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            60.0   write 1 Offline by push
            1203.0 write 1 Online by sweep
            1213.0 log push_missed username=xqc status=Online
        "#]],
    );
}

#[test]
fn r27_what_the_websocket_ended_without_a_start_is_not_taken_for_a_later_one() {
    check_both(
        "
        30 kick xqc/676/668=live@30
        .. live 668 10 created@30
        60 kick xqc/676/668=offline
        200 live 668 11 undated
        210 stop 668 11
        250 delivered 676 live start@200 sent@200
        300 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            123.0  write 1 Offline by sweep
            133.0  log push_missed username=xqc status=Offline
            200.0  write 1 Online by push
            210.0  write 1 Offline by push
        "#]],
    );
}

#[test]
fn r7_by_a_clock_that_kick_did_not_state_no_broadcast_is_a_new_one() {
    check_watched(
        "
        1 auto
        30 kick xqc/676/668=live@80
        .. live 668 10 created@80
        50 stop 668 10
        66 sweep
        200 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            50.0   write 1 Offline by push
            66.0   read the roster
            140.0  write 1 Online by sweep
            150.0  log push_missed username=xqc status=Online
        "#]],
    );
}

/// One streamer, subscribed by webhook, and by the websocket through an id that Kick has not confirmed.
#[track_caller]
fn check_unconfirmed(script: &str, expect: &Expect) {
    let before = "
        0 webhooks on
        .. kick xqc/676/668=offline
        .. down website 403
        .. auto
        .. roster 1:xqc:Offline:668
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668
        9 until
        ";
    play_after(before, script, expect);
}

#[test]
fn r27_what_a_webhook_told_has_the_hold_whatever_channel_id_bears_it_out() {
    check_unconfirmed(
        "
        30 delivered 676 live start@29
        31 live 668 10 created@30
        70 kick xqc/676/668=live@29
        200 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
        "#]],
    );
}

#[test]
fn r27_what_a_webhook_bears_out_has_the_hold() {
    check_unconfirmed(
        "
        30 live 668 10 created@30
        31 delivered 676 live start@29
        70 kick xqc/676/668=live@29
        200 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
        "#]],
    );
}

#[test]
fn r27_a_stop_that_a_webhook_bears_out_has_the_hold() {
    check_unconfirmed(
        "
        30 kick xqc/676=live@29
        .. delivered 676 live start@29
        100 stop 668 10
        101 delivered 676 stop start@29
        160 kick xqc/676=offline
        200 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            100.0  write 1 Offline by push
        "#]],
    );
}

#[test]
fn r27_what_a_webhook_told_stands_when_another_channel_id_is_found() {
    check(
        "
        0 webhooks on
        .. kick xqc/676/668=offline
        .. auto
        .. roster 1:xqc:Offline:999
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 999
        200 delivered 676 live start@199
        239 kick xqc/676/668=live@199
        300 until
        ",
        &expect![[r#"

            0.0    ask public_key
            0.0    webhook key kick
            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    ask subscriptions
            0.0    ask to subscribe 676
            0.0    keep subscription 676=id676
            0.0    subscribe 0 999
            5.0    ask subscriptions
            5.0    log webhook_subscribed streamers=1
            200.0  write 1 Online by push
            210.0  log push_missed username=xqc status=Online
            210.0  log channel_id_mismatch username=xqc configured=999 actual=668
            210.0  open 1
            210.0  close 0
        "#]],
    );
}

#[test]
fn r1_a_live_delivery_sent_five_seconds_after_the_stop_is_a_witness() {
    check_both(
        "
        10 kick-clock 0
        30 kick xqc/676/668=live@30
        .. live 668 10 created@30
        60 stop 668 10
        70 delivered 676 live start@30
        200 until
        ",
        &expect![[r#"

            30.0   webhook clock 0
            30.0   write 1 Online by push
            60.0   write 1 Offline by push
            70.0   write 1 Online by sweep
        "#]],
    );
}

#[test]
fn r1_a_live_delivery_sent_just_after_the_stop_is_none() {
    check_both(
        "
        10 kick-clock 0
        30 kick xqc/676/668=live@30
        .. live 668 10 created@30
        60 stop 668 10
        .. kick xqc/676/668=offline
        63 delivered 676 live start@30
        200 until
        ",
        &expect![[r#"

            30.0   webhook clock 0
            30.0   write 1 Online by push
            60.0   write 1 Offline by push
        "#]],
    );
}

#[test]
fn r1_a_live_event_of_what_a_webhook_ended_is_a_witness() {
    check_both(
        "
        30 kick xqc/676/668=live@29
        .. delivered 676 live start@29
        60 delivered 676 stop start@29
        70 live 668 10 created@31
        200 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            60.0   write 1 Offline by push
            70.0   write 1 Online by sweep
        "#]],
    );
}

#[test]
fn r26_a_broadcast_that_a_webhook_tells_of_has_not_the_title_of_the_one_before() {
    check_both(
        "
        10 set starts=2
        20 live 668 10 created@19 title=One
        50 delivered 676 stop start@19
        200 delivered 676 live start@199
        ",
        &expect![[r#"

            20.0   write 1 Online by push since 19 called One
            50.0   write 1 Offline by push
            200.0  write 1 Online by push since 199
        "#]],
    );
}

#[test]
fn r26_a_broadcast_that_a_webhook_tells_of_takes_over_at_once() {
    check_both(
        "
        10 set starts=2 delay=60
        30 kick xqc/676/668=live@29
        .. delivered 676 live start@29
        60 delivered 676 stop start@29
        70 delivered 676 live start@69
        100 kick xqc/676/668=live@69
        130 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push since 29
            70.0   write 1 start by push since 69
            70.0   log detail broadcast
        "#]],
    );
}

#[test]
fn r4_a_delivery_that_is_yet_to_be_sent_is_a_question() {
    check_both(
        "
        10 kick-clock 0
        30 kick xqc/676/668=live@29
        .. delivered 676 live start@29 sent@500
        60 kick xqc/676/668=offline
        .. delivered 676 stop start@29
        200 until
        ",
        &expect![[r#"

            30.0   webhook clock 0
            30.0   write 1 Online by sweep
            60.0   write 1 Offline by push
        "#]],
    );
}

#[test]
fn r7_the_stop_that_a_webhook_told_is_as_old_as_it_was_sent() {
    check_both(
        "
        10 kick-clock 0
        30 kick xqc/676/668=live@29
        .. live 668 10 created@29
        185 delivered 676 stop start@29 sent@130
        186 kick xqc/676/668=live@150
        300 until
        ",
        &expect![[r#"

            30.0   webhook clock 0
            30.0   write 1 Online by push
            185.0  write 1 Offline by push
            195.0  log push_missed username=xqc status=Offline
            195.0  write 1 Online by sweep
            205.0  log push_missed username=xqc status=Online
        "#]],
    );
}

#[test]
fn r2_the_stop_of_what_runs_again_is_offline_at_once() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        100 stop 668 10
        800 live 668 10 created@1
        1000 stop 668 10
        1040 kick xqc/676/668=offline
        1100 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            100.0  write 1 Offline by push
            703.0  write 1 Online by sweep
            713.0  log push_missed username=xqc status=Online
            1000.0 write 1 Offline by push
        "#]],
    );
}
