//! R12, and names that Kick does not know.

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r12_who_is_found_live_without_a_confirmed_channel_id_is_asked_about_on_livestreams_at_once() {
    check(
        "
        0 auto asks
        .. kick xqc/676/668=live@0
        .. down website 403
        .. roster 1:xqc:Offline
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask channels: xqc
            0.0    ask website: xqc
            0.0    write 1 Online by sweep
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    ask livestreams: 676
            0.0    open 0
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
        "#]],
    );
}

#[test]
fn r12_kicks_channel_id_outweighs_the_configured_one_and_the_difference_is_said_once() {
    check(
        "
        0 auto
        .. kick xqc/676/668=live@0
        .. roster 1:xqc:Offline:999
        10 roster 1:xqc:Online:999
        20 roster 1:xqc:Online:998
        30 roster 1:xqc:Online:668
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    open 0
            0.0    write 1 Online by sweep
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    log channel_id_mismatch username=xqc configured=999 actual=668
            0.0    open 1
            0.0    close 0
            20.0   log channel_id_mismatch username=xqc configured=998 actual=668
        "#]],
    );
}

#[test]
fn r12_push_through_a_configured_id_is_believed_but_gets_no_hold() {
    check(
        "
        0 kick xqc/676=offline
        .. auto
        .. roster 1:xqc:Offline:668
        .. link 0 started
        .. link 0 subscribed 668
        5 live 668 10
        .. auto asks
        34 until
        60 live 668 11
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
            60.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r12_a_contradiction_within_seconds_may_be_lag_and_raises_no_suspicion() {
    check(
        "
        0 kick xqc/676=offline
        .. auto
        .. roster 1:xqc:Offline:668
        .. link 0 started
        .. link 0 subscribed 668
        20 live 668 10
        .. auto asks
        34 until
        40 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    subscribe 0 668
            20.0   write 1 Online by push
            30.0   ask users_livestreams: 676
            35.0   ask users_livestreams: 676
            35.0   ask livestreams: 676
            35.0   ask website: xqc
            38.0   ask channels: 676
            38.0   write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn r12_a_confirmed_id_is_free_of_suspicion() {
    check(
        "
        0 kick xqc/676/668=offline
        .. down website 503
        .. auto
        .. roster 1:xqc:Offline:668
        .. link 0 started
        .. link 0 subscribed 668
        20 live 668 10
        40 up website
        100 live 668 11
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    subscribe 0 668
            20.0   write 1 Online by push
            35.0   log api_error status=503 endpoint=website retry_in=0.9 reason=503
            38.0   write 1 Offline by sweep
            41.5   log api_recovered endpoint=website
            100.0  write 1 Online by push
        "#]],
    );
}

#[test]
fn r12_two_usernames_with_one_id_are_both_suspect_until_kick_confirms_one() {
    check(
        "
        0 kick xqc/676=offline train/677=offline
        .. auto
        .. roster 1:xqc:Offline:668 2:train:Offline:668
        .. link 0 started
        .. link 0 subscribed 668
        5 live 668 10
        10 kick xqc/676/668=live@5
        65 stop 668 10
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=2
            0.0    subscribe 0 668
            30.0   write 1 Online by sweep
            65.0   write 1 Offline by push
        "#]],
    );
}

#[test]
fn r12_a_learned_id_makes_a_shared_configured_one_suspect() {
    check(
        "
        0 kick xqc/676/668=offline train/677=offline
        .. auto
        .. learned xqc/676/668
        .. roster 1:train:Offline:668 2:xqc:Offline
        .. link 0 started
        .. link 0 subscribed 668
        5 live 668 10
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=2
            0.0    subscribe 0 668
            5.0    write 2 Online by push
        "#]],
    );
}

#[test]
fn r12_what_came_through_a_wrong_id_is_asked_about_when_the_right_one_is_known() {
    check(
        "
        0 kick xqc/676=offline
        .. auto
        .. roster 1:xqc:Offline:999
        .. link 0 started
        .. link 0 subscribed 999
        5 live 999 10
        6 roster 1:xqc:Online:668
        12 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    subscribe 0 999
            5.0    write 1 Online by push
            6.0    open 1
            6.0    close 0
            9.0    write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn r12_a_banners_id_is_only_a_hint() {
    check(
        "
        0 down website 403
        .. roster 1:xqc:Offline
        .. answer channels xqc/676/999/banner=offline
        .. website-fail 403
        60 answer users_livestreams xqc/676=live@50
        .. written
        .. answer livestreams xqc/676/668=live@50
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask channels: xqc
            0.0    ask website: xqc
            0.0    learn xqc/676/-
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    open 0
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
            60.0   ask users_livestreams: 676
            60.0   write 1 Online by sweep
            60.0   log sweep_done streamers=1 seconds=0.0 corrected=1
            60.0   ask livestreams: 676
            60.0   log status_changed username=xqc id=1 status=Online source=sweep lag_ms=0
            60.0   learn xqc/676/668
            60.0   open 1
            60.0   close 0
        "#]],
    );
}

#[test]
fn ids_a_name_is_asked_about_in_both_spellings_and_then_now_and_then() {
    check(
        "
        0 auto asks
        .. roster 1:sino_tf:Offline
        1 auto
        60 count
        3600 count
        7200 count
        7201 kick sino-tf/5/6=offline
        9000 count
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask channels: sino_tf
            0.0    ask website: sino_tf
            0.0    ask channels: sino-tf
            0.0    log streamer_unknown username=sino_tf id=1
            0.0    log ready version=- seconds=0.0 streamers=1
            60.0   counted: channels 4, wakes 2, website 1
            3600.0 counted: channels 16, wakes 67, website 1
            7200.0 counted: channels 12, wakes 66, website 1
            9000.0 counted: channels 3, users_livestreams 25, wakes 31
        "#]],
    );
}

#[test]
fn r6_a_name_that_kick_does_not_know_for_ten_minutes_is_not_online() {
    check(
        "
        0 auto
        .. roster 1:xqc:Online 2:adin:.
        899 until
        1000 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    log streamer_unknown username=xqc id=1
            0.0    log streamer_unknown username=adin id=2
            0.0    log ready version=- seconds=0.0 streamers=2
            930.0  write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn ids_a_renamed_streamer_is_followed_by_id_and_it_is_said_once() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=missing felix/676/668=live@10
        700 count
        3600 count
        ",
        &expect![[r#"

            30.0   write 1 Online by sweep
            30.0   log streamer_renamed username=xqc actual=felix id=1
            700.0  counted: channels 4, users_livestreams 17, wakes 14
            3600.0 counted: channels 4, users_livestreams 53, wakes 53
        "#]],
    );
}

#[test]
fn ids_a_name_that_somebody_else_has_taken_is_theirs() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=missing felix/676/668=live@10
        100 kick xqc/700/701=offline
        1300 until
        ",
        &expect![[r#"

            30.0   write 1 Online by sweep
            30.0   log streamer_renamed username=xqc actual=felix id=1
            600.0  close 0
            600.0  open 1
            603.0  write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn ids_a_name_that_kick_does_not_know_is_followed_by_the_configured_user_id() {
    check(
        "
        0 auto asks
        .. kick felix/676/668=live@0
        .. roster 1:xqc:Offline:.:676
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask channels: xqc
            0.0    ask website: xqc
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    ask channels: 676
            0.0    log streamer_renamed username=xqc actual=felix id=1
            0.0    write 1 Online by sweep
            0.0    ask livestreams: 676
            0.0    open 0
        "#]],
    );
}

#[test]
fn ids_one_name_that_the_website_cannot_answer_for_holds_up_no_other() {
    check(
        "
        0 kick a/1/11=offline b/2/12=offline
        .. auto asks
        .. kick-at website a/1=missing
        .. manual
        .. roster 1:a:Offline 2:b:Offline
        .. website-fail garbage
        2 auto asks
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask channels: a b
            0.0    ask website: a
            0.0    log api_error status=- endpoint=website retry_in=0.9 reason=garbage
            0.9    ask website: b
            2.0    log ready version=- seconds=2.0 streamers=2
            2.0    log api_recovered endpoint=website
            2.0    ask website: a
            2.0    open 0
        "#]],
    );
}
