//! R12 and docs/kick.md §6: wrong ids are corrected by what Kick states.

use super::webhooks::check_both;
use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r12_what_push_said_through_a_suspect_id_counts_when_kick_confirms_the_id() {
    check(
        "
        0 kick xqc/676/668=offline train/677/669=offline
        .. down website 503
        .. auto
        .. roster 1:xqc:Offline:668 2:train:Offline:668
        .. link 0 started
        .. link 0 subscribed 668
        101 live 668 10
        102 up website
        150 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=2
            0.0    log api_error status=503 endpoint=website retry_in=0.9 reason=503
            0.0    subscribe 0 668
            104.8  log api_recovered endpoint=website
            104.8  write 1 Online by push
            104.8  log channel_id_mismatch username=train configured=668 actual=669
            104.8  subscribe 0 669
        "#]],
    );
}

#[test]
fn r12_what_push_said_through_a_suspect_id_for_longer_than_the_hold_is_asked_about() {
    check(
        "
        0 kick xqc/676/668=offline train/677/669=offline
        .. down website 403
        .. auto
        .. roster 1:xqc:Offline:668 2:train:Offline:668
        .. link 0 started
        .. link 0 subscribed 668
        101 live 668 10
        102 up website
        3590 set sweep=86400
        .. auto asks
        3610 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=2
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
            0.0    subscribe 0 668
            3600.0 ask website: train
            3600.0 log api_recovered endpoint=website
            3600.0 log channel_id_mismatch username=train configured=668 actual=669
            3600.0 ask website: xqc
            3600.0 subscribe 0 669
            3600.0 ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn ids_a_user_id_that_the_website_tells_first_outweighs_a_name_that_the_api_leaves_out() {
    check(
        "
        0 roster 1:xqc:Offline
        .. website xqc/676/668=offline
        .. answer channels
        .. kick xqc/676/668=live@10
        60 auto asks
        61 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask channels: xqc
            0.0    ask website: xqc
            0.0    learn xqc/676/668
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    ask users_livestreams: 676
            60.0   write 1 Online by sweep
            60.0   ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn ids_a_learned_name_that_somebody_else_took_while_we_were_down_is_theirs() {
    check(
        "
        0 auto
        .. learned xqc/676/668
        .. kick felix/676/668=offline xqc/700/701=live@0
        .. roster 1:xqc:Offline
        700 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            600.0  write 1 Online by sweep
            600.0  close 0
            600.0  open 1
        "#]],
    );
}

#[test]
fn ids_a_name_that_somebody_else_takes_while_nobody_broadcasts_is_noticed_within_an_hour() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=offline
        700 kick xqc/700/701=live@700 felix/676/668=offline
        4300 until
        ",
        &expect![[r#"

            4200.0 write 1 Online by sweep
            4200.0 close 0
            4200.0 open 1
        "#]],
    );
}

#[test]
fn ids_a_user_id_in_the_channel_id_column_is_the_common_mistake() {
    check(
        "
        0 kick xqc/676/668=live@0
        .. down website 403
        .. auto asks
        .. roster 1:xqc:Offline:676:.
        .. link 0 started
        .. link 1 started
        .. link 1 subscribed 668
        10 kick xqc/676/668=offline
        .. stop 668 9 link=1
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask channels: xqc
            0.0    open 0
            0.0    write 1 Online by sweep
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    ask livestreams: 676
            0.0    log channel_id_mismatch username=xqc configured=676 actual=668
            0.0    open 1
            0.0    close 0
            0.0    subscribe 1 668
            0.0    ask users_livestreams: 676
            10.0   write 1 Offline by push
        "#]],
    );
}

#[test]
fn ids_a_channel_id_that_an_earlier_process_learned_outweighs_the_table() {
    check(
        "
        0 auto asks
        .. learned xqc/676/668
        .. kick xqc/676/668=offline
        .. roster 1:xqc:Offline:999
        .. link 0 started
        ",
        &expect![[r#"

            0.0    log channel_id_mismatch username=xqc configured=999 actual=668
            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    subscribe 0 668
        "#]],
    );
}

#[test]
fn ids_a_streamer_without_any_channel_id_is_watched_by_the_sweep_alone() {
    check(
        "
        0 auto
        .. down website 403
        .. down livestreams 410
        .. kick xqc/676=offline
        .. roster 1:xqc:Offline
        100 kick xqc/676=live@100
        200 kick xqc/676=offline
        300 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
            120.0  write 1 Online by sweep
            120.0  log api_error status=410 endpoint=livestreams retry_in=0.0 reason=410
            243.0  write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn r1_a_live_event_that_is_only_a_question_is_asked_again_after_30_s() {
    check_watched(
        "
        1 auto asks
        .. set sweep=86400
        .. live 668 10
        2 kick xqc/676/668=offline
        .. stop 668 10
        200 live 668 9
        .. kick xqc/676/668=offline
        210 kick xqc/676/668=live@200
        240 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            2.0    write 1 Offline by push
            30.0   ask users_livestreams: 676
            90.0   ask users_livestreams: 676
            200.0  ask users_livestreams: 676
            230.0  ask users_livestreams: 676
            230.0  write 1 Online by sweep
            240.0  log push_missed username=xqc status=Online
            240.0  ask livestreams: 676
            240.0  ask website: xqc
        "#]],
    );
}

#[test]
fn r2_a_late_stop_of_an_older_id_ends_no_broadcast_whose_live_event_was_only_a_question() {
    check_watched(
        "
        1 auto
        50 kick xqc/676/668=live@10
        70 live 668 155 created@12
        80 stop 668 136
        100 until
        110 stop 668 155
        ",
        &expect![[r#"

            60.0   write 1 Online by sweep
            110.0  write 1 Offline by push
        "#]],
    );
}

/// It was shown by the API alone, so whether the stop was its own is not known; but neither is it one that begins now.
#[test]
fn r27_a_webhook_of_what_a_stop_of_an_unknown_id_ended_is_a_question() {
    check_both(
        "
        20 kick xqc/676/668=live@20
        .. delivered 676 live start@20
        60 kick xqc/676/668=offline
        .. delivered 676 stop start@20
        .. kick-clock 0
        1000 kick xqc/676/668=live@1000
        1100 stop 668 5
        .. kick xqc/676/668=offline
        1195 delivered 676 live start@1000
        1200 until
        ",
        &expect![[r#"

            20.0   write 1 Online by push
            60.0   write 1 Offline by push
            90.0   webhook clock 0
            1020.0 write 1 Online by sweep
            1030.0 log push_missed username=xqc status=Online
            1100.0 write 1 Offline by push
        "#]],
    );
}

/// The API lags, and its pause is over: without the hold it would take back what push tells again.
#[test]
fn r1_a_live_event_of_what_the_api_showed_as_ended_and_as_running_again_has_the_hold() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        200 kick xqc/676/668=offline
        .. sweep
        300 kick xqc/676/668=live@1
        .. sweep
        320 kick xqc/676/668=offline
        .. live 668 10 created@1
        .. sweep
        340 sweep
        360 kick xqc/676/668=live@1
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            200.0  read the roster
            203.0  write 1 Offline by sweep
            213.0  log push_missed username=xqc status=Offline
            300.0  read the roster
            300.0  write 1 Online by sweep
            310.0  log push_missed username=xqc status=Online
            320.0  read the roster
            340.0  read the roster
        "#]],
    );
}
