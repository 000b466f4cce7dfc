//! R16: several rows name one streamer.

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r16_a_channel_id_that_kick_stated_holds_for_a_row_that_learns_of_its_user_later() {
    check(
        "
        0 kick xqc/676/668=live@0
        .. down website 403
        .. auto
        .. roster 1:xqc:Online
        .. link 0 started
        .. link 0 subscribed 668
        50 kick xqc/676/668=offline
        55 stop 668 9
        100 roster 1:xqc:Offline 2:@XQC:Offline:999
        110 live 668 10
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    open 0
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
            0.0    subscribe 0 668
            55.0   write 1 Offline by push
            100.0  log channel_id_mismatch username=@XQC configured=999 actual=668
            100.0  log roster_loaded streamers=2 added=1 removed=0
            110.0  write 1 Online by push
            110.0  write 2 Online by push
        "#]],
    );
}

#[test]
fn r16_a_channel_id_that_kick_stated_holds_for_a_row_that_spells_the_name_otherwise() {
    check(
        "
        0 learned a-b/676/668
        .. kick a-b/676/668=offline
        .. down website 403
        .. auto
        .. roster 1:a-b:Offline 2:a_b:Offline
        .. link 0 started
        .. link 0 subscribed 668
        10 live 668 10
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=2
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
            0.0    subscribe 0 668
            10.0   write 1 Online by push
            10.0   write 2 Online by push
        "#]],
    );
}

#[test]
fn r16_a_late_stop_does_not_end_the_next_broadcast_of_a_row_that_came_in_between() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        40 kick xqc/676/668=live@40
        .. live 668 11 created@40
        50 roster 1:xqc:Online 2:@XQC:Offline
        70 stop 668 10
        75 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            50.0   write 2 Online by push
            50.0   log roster_loaded streamers=2 added=1 removed=0
        "#]],
    );
}

#[test]
fn r16_a_row_whose_channel_id_is_not_stated_does_not_unlearn_what_kick_stated_for_another() {
    check(
        "
        0 down website 403
        .. roster 1:xqc:Offline 2:@XQC:Offline:999
        .. website xqc/676/668=offline
        .. answer channels xqc/676=offline
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask channels: xqc
            0.0    ask website: xqc
            0.0    open 0
            0.0    learn xqc/676/668
            0.0    log channel_id_mismatch username=@XQC configured=999 actual=668
            0.0    log ready version=- seconds=0.0 streamers=2
        "#]],
    );
}

#[test]
fn r16_an_answer_about_one_of_two_rows_of_a_streamer_serves_both() {
    check(
        "
        0 learned xqc/676/668
        .. kick xqc/676/668=offline
        .. quiet
        .. auto asks
        .. roster 1:xqc:Offline 2:@XQC:Offline
        .. link 0 started
        .. link 0 subscribed 668
        5 loud
        10 kick xqc/676/668=live@10
        .. roster 1:xqc:Online 2:@XQC:Offline
        ",
        &expect![[r#"

            10.0   ask users_livestreams: 676
            10.0   write 2 Online by sweep
        "#]],
    );
}

#[test]
fn r16_a_failed_request_about_rows_that_share_streamers_is_halved_to_its_end() {
    check(
        "
        0 learned a/1/11 b/2/12
        .. kick a/1/11=offline b/2/12=offline
        .. quiet
        .. auto asks
        .. roster 1:a:Offline 2:b:Offline 3:@A:Offline 4:@B:Offline
        59 loud
        .. down users_livestreams 503
        80 until
        ",
        &expect![[r#"

            60.0   ask users_livestreams: 1 2
            60.0   log api_error status=503 endpoint=users_livestreams retry_in=0.9 reason=503
            60.9   ask users_livestreams: 1 2
            62.8   ask users_livestreams: 2
            66.8   ask users_livestreams: 1
            73.6   ask users_livestreams: 1 2
        "#]],
    );
}

#[test]
fn r16_an_answer_about_a_user_serves_a_row_whose_channel_id_is_not_known() {
    check(
        "
        0 kick xqc/676/668=offline
        .. down website 403
        .. auto
        .. roster 1:xqc:Offline:668 2:@XQC:Offline
        .. link 0 started
        .. link 0 subscribed 668
        40 kick xqc/676/668=live@40
        .. live 668 10 created@40
        60 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=2
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
            0.0    subscribe 0 668
            40.0   write 1 Online by push
            40.0   write 2 Online by sweep
        "#]],
    );
}

#[test]
fn r16_a_row_that_is_added_shows_what_push_told_of_its_streamer() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        100 stop 668 10
        110 roster 1:xqc:Offline 2:@XQC:Offline
        140 kick xqc/676/668=offline
        200 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            100.0  write 1 Offline by push
            110.0  log roster_loaded streamers=2 added=1 removed=0
        "#]],
    );
    check_watched(
        "
        100 auto
        .. live 668 10 created@100
        110 roster 1:xqc:Online 2:@XQC:.
        140 kick xqc/676/668=live@100
        200 until
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            100.0  write 1 Online by push
            110.0  write 2 Online by push
            110.0  log roster_loaded streamers=2 added=1 removed=0
        "#]],
    );
}

#[test]
fn r11_one_event_that_push_misses_is_one_however_many_rows_name_the_streamer() {
    check(
        "
        0 learned xqc/676/668
        .. kick xqc/676/668=offline
        .. auto
        .. roster 1:xqc:Offline 2:@xqc:Offline 3:XQC:Offline 4:Xqc:Offline 5:xQc:Offline
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 668
        170 kick xqc/676/668=live@170
        195 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=5 added=5 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=5
            0.0    subscribe 0 668
            180.0  write 1 Online by sweep
            180.0  write 2 Online by sweep
            180.0  write 3 Online by sweep
            180.0  write 4 Online by sweep
            180.0  write 5 Online by sweep
            190.0  log push_missed username=xqc status=Online
            190.0  log push_missed username=@xqc status=Online
            190.0  log push_missed username=XQC status=Online
            190.0  log push_missed username=Xqc status=Online
            190.0  log push_missed username=xQc status=Online
        "#]],
    );
}
