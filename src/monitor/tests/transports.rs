//! Which transport delivers (R11): a silent one is said and left, and listened to until it proves itself.

use super::check_watched;
use expect_test::expect;

#[test]
fn r11_a_silent_transport_is_said_again_after_every_five_that_are_missed() {
    check_watched(
        "
        1 auto
        .. quiet
        170 kick xqc/676/668=live@170
        230 kick xqc/676/668=offline
        290 kick xqc/676/668=live@290
        350 kick xqc/676/668=offline
        410 kick xqc/676/668=live@410
        425 loud
        431 quiet
        470 kick xqc/676/668=offline
        530 kick xqc/676/668=live@530
        590 kick xqc/676/668=offline
        650 kick xqc/676/668=live@650
        710 kick xqc/676/668=offline
        725 loud
        740 until
        ",
        &expect![[r#"

            430.0  log push_missed username=xqc status=Online
            430.0  silent pusher
            430.0  log push_silent transport=pusher missed=5
            733.0  log push_missed username=xqc status=Offline
            733.0  silent pusher
            733.0  log push_silent transport=pusher missed=10
        "#]],
    );
}

#[test]
fn r11_after_the_move_the_new_connection_is_judged_by_what_it_misses_itself() {
    check_watched(
        "
        1 auto
        .. quiet
        170 kick xqc/676/668=live@170
        230 kick xqc/676/668=offline
        290 kick xqc/676/668=live@290
        350 kick xqc/676/668=offline
        400 relink
        .. link 1 started
        .. link 1 centrifugo
        .. link 1 subscribed 668
        500 loud
        530 kick xqc/676/668=live@530
        600 stop 668 10 link=1
        ",
        &expect![[r#"

            540.0  write 1 Online by sweep
            550.0  log push_missed username=xqc status=Online
        "#]],
    );
}

#[test]
fn r11_an_event_through_a_trial_is_evidence_and_proves_the_transport() {
    check_watched(
        "
        1 auto
        10 trial
        .. trial
        11 link 1 started
        12 link 1 connected
        .. link 1 subscribed 668
        20 live 668 10 link=1
        .. live 668 10
        ",
        &expect![[r#"

            10.0   trial 1
            10.0   open 1
            11.0   subscribe 1 668
            20.0   trial over: proved
            20.0   write 1 Online by push
            20.0   close 1
        "#]],
    );
}

#[test]
fn r11_a_trial_that_misses_what_another_brings_is_over() {
    check_watched(
        "
        1 auto
        10 trial
        11 link 1 started
        12 stop 668 9
        13 link 1 subscribed 668
        20 live 668 10
        21 stop 668 10
        22 link 1 disconnected
        23 live 668 11
        24 link 1 subscribed 668
        25 stop 668 11
        ",
        &expect![[r#"

            10.0   trial 1
            10.0   open 1
            11.0   subscribe 1 668
            20.0   write 1 Online by push
            21.0   write 1 Offline by push
            23.0   write 1 Online by push
            25.0   trial over: deaf
            25.0   write 1 Offline by push
            25.0   close 1
        "#]],
    );
}

#[test]
fn r11_a_trial_ends_where_the_transport_refuses_or_all_connections_are_made_anew() {
    check_watched(
        "
        1 auto
        10 trial
        11 trial-failed
        .. trial-failed
        12 trial
        13 relink
        14 link 2 started
        ",
        &expect![[r#"

            10.0   trial 1
            10.0   open 1
            11.0   trial over: deaf
            11.0   close 1
            12.0   trial 2
            12.0   open 2
            13.0   trial over: deaf
            13.0   open 3
            13.0   close 2
            13.0   close 0
        "#]],
    );
}

#[test]
fn r11_without_anybody_to_follow_there_is_no_trial() {
    check_watched(
        "
        1 auto
        .. roster
        .. roster
        2 trial
        ",
        &expect![[r#"

            1.0    log roster_loaded streamers=0 added=0 removed=1
            1.0    close 0
            2.0    trial over: deaf
        "#]],
    );
}

#[test]
fn r11_a_trial_listens_for_whom_is_still_followed_and_ends_with_the_last() {
    check_watched(
        "
        1 auto
        .. roster 1:xqc:Offline:668 2:train:Offline:669
        10 trial
        11 link 1 started
        12 roster 2:train:Offline:669
        13 roster
        14 roster
        15 roster 3:asmon:Offline:670
        16 trial
        ",
        &expect![[r#"

            1.0    log roster_loaded streamers=2 added=1 removed=0
            1.0    subscribe 0 669
            1.0    log streamer_unknown username=train id=2
            10.0   trial 1
            10.0   open 1
            11.0   subscribe 1 668 669
            12.0   unsubscribe 1 668
            12.0   log roster_loaded streamers=1 added=0 removed=1
            12.0   unsubscribe 0 668
            14.0   trial over: deaf
            14.0   log roster_loaded streamers=0 added=0 removed=1
            14.0   close 0
            14.0   close 1
            15.0   log roster_loaded streamers=1 added=1 removed=0
            15.0   open 2
            15.0   log streamer_unknown username=asmon id=3
            16.0   trial 3
            16.0   open 3
        "#]],
    );
}
