//! R1 to R4 and R11.

use super::{check, check_watched};
use expect_test::expect;

/// The stop of a short pause is lost, and the API reports the pause when the broadcast is already running again.
#[test]
fn r1_a_running_broadcast_that_is_told_of_again_renews_the_hold() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        134 live 668 10 created@1
        150 kick xqc/676/668=offline
        190 kick xqc/676/668=live@1
        400 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
        "#]],
    );
}

#[test]
fn r24_what_push_missed_names_the_unknown_events_that_came_for_the_channel_instead() {
    check_watched(
        "
        1 auto
        .. quiet
        100 unrecognised App\\Events\\Followed 668
        160 unrecognised App\\Events\\StreamerWentLive 668
        .. unrecognised App\\Events\\StreamerWentLive 668
        .. kick xqc/676/668=live@160
        179 loud
        195 until
        200 report
        ",
        &expect![[r#"

            180.0  write 1 Online by sweep
            190.0  log push_missed username=xqc status=Online unrecognised="App\\Events\\StreamerWentLive"
            200.0  health ok
            200.0  {"realtime":{"connected":1,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[{"count":1,"name":"App\\Events\\Followed","sample":"{}"},{"count":2,"name":"App\\Events\\StreamerWentLive","sample":"{}"}]},"streamers":{"covered":0,"offline":0,"online":1,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            200.0  {"api":{"comparison_age_seconds":{"max":10.0,"p50":10.0,"p99":10.0},"last_sweep_at":"2026-01-01T00:03:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:03:00Z","ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            200.0  {"api_requests":{"livestreams":{"200":1},"users_livestreams":{"200":7},"website":{"200":1}},"push_missed":1,"status_changes_sweep":1}
            200.0  {"at":"2026-01-01T00:03:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
        "#]],
    );
}

#[test]
fn r1_a_live_event_is_online_at_once_and_its_repetition_is_nothing() {
    check_watched(
        "
        1 live 668 10
        .. written
        2 live 668 10
        3 live 668 10
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
        "#]],
    );
}

#[test]
fn r1_an_ended_or_lower_id_is_only_a_question() {
    check_watched(
        "
        1 live 668 10
        .. written
        2 stop 668 10
        .. written
        3 live 668 10
        .. answer users_livestreams
        4 live 668 9
        .. answer users_livestreams
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            2.0    write 1 Offline by push
            2.0    log status_changed username=xqc id=1 status=Offline source=push lag_ms=0
            3.0    ask users_livestreams: 676
            4.0    ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r1_a_live_event_of_what_the_api_alone_saw_end_is_a_witness() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        200 kick xqc/676/668=offline
        300 kick xqc/676/668=live@1
        .. live 668 10 created@1
        500 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            243.0  write 1 Offline by sweep
            253.0  log push_missed username=xqc status=Offline
            300.0  write 1 Online by sweep
        "#]],
    );
    // What is repeated late, while the API still shows nobody, is not one.
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10 created@1
        200 kick xqc/676/668=offline
        300 live 668 10 created@1
        500 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            243.0  write 1 Offline by sweep
            253.0  log push_missed username=xqc status=Offline
        "#]],
    );
}

#[test]
fn r1_a_live_event_older_than_the_last_finding_offline_is_only_a_question() {
    check_watched(
        "
        30 answer users_livestreams
        60 until
        .. answer users_livestreams
        70 live 668 10 created@40
        71 answer users_livestreams
        72 live 668 11 created@71
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            60.0   ask users_livestreams: 676
            60.0   log sweep_done streamers=1 seconds=0.0 corrected=0
            70.0   ask users_livestreams: 676
            72.0   write 1 Online by push
        "#]],
    );
}

#[test]
fn r2_a_stop_of_the_current_the_highest_or_an_unseen_broadcast_is_offline_at_once() {
    check_watched(
        "
        1 live 668 10
        .. written
        2 stop 668 10
        .. written
        3 live 668 11
        .. written
        4 stop 668 12
        .. written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            2.0    write 1 Offline by push
            2.0    log status_changed username=xqc id=1 status=Offline source=push lag_ms=0
            3.0    write 1 Online by push
            3.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            4.0    write 1 Offline by push
            4.0    log status_changed username=xqc id=1 status=Offline source=push lag_ms=0
        "#]],
    );
    check(
        "
        0 learned xqc/676/668
        .. roster 1:xqc:Online
        .. link 0 started
        1 stop 668 10
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 676
            0.0    open 0
            0.0    subscribe 0 668
            1.0    write 1 Offline by push
        "#]],
    );
}

#[test]
fn r2_an_older_stop_is_a_question() {
    check_watched(
        "
        1 live 668 10
        .. written
        2 live 668 12
        3 stop 668 10
        4 stop 668 12
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            3.0    ask users_livestreams: 676
            4.0    write 1 Offline by push
        "#]],
    );
}

#[test]
fn r2_a_repeated_stop_does_not_end_a_broadcast_that_the_sweep_found_since() {
    check_watched(
        "
        1 live 668 10 created@1
        .. written
        5 stop 668 10
        .. written
        58 answer users_livestreams xqc/676=live@40 asked@57
        .. written
        59 stop 668 10
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            5.0    write 1 Offline by push
            5.0    log status_changed username=xqc id=1 status=Offline source=push lag_ms=0
            30.0   ask users_livestreams: 676
            58.0   write 1 Online by sweep
            58.0   log status_changed username=xqc id=1 status=Online source=sweep lag_ms=0
            59.0   ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r4_an_event_that_contradicts_its_channel_or_comes_from_a_strange_link_is_discarded() {
    check_watched(
        "
        1 live 668 10 inside=669
        2 live 999 10
        3 live 668 10 link=7
        4 live 668 10 inside=668
        ",
        &expect![[r#"

            1.0    log detail push_conflict
            2.0    log detail push_stranger
            3.0    log detail push_stranger
            4.0    write 1 Online by push
        "#]],
    );
}

#[test]
fn r3_what_cannot_be_read_is_counted_and_changes_nothing() {
    check_watched(
        "1 link 0 unreadable",
        &expect![[r#"

        1.0    log detail push_unreadable
    "#]],
    );
}

#[test]
fn r11_a_change_that_only_the_sweep_found_is_missed_push_and_five_are_silence() {
    check_watched(
        "
        1 auto
        170 kick xqc/676/668=live@170
        230 kick xqc/676/668=offline
        290 kick xqc/676/668=live@290
        350 kick xqc/676/668=offline
        410 kick xqc/676/668=live@410
        470 kick xqc/676/668=offline
        500 live 668 10
        ",
        &expect![[r#"

            180.0  write 1 Online by sweep
            190.0  log push_missed username=xqc status=Online
            243.0  write 1 Offline by sweep
            253.0  log push_missed username=xqc status=Offline
            300.0  write 1 Online by sweep
            310.0  log push_missed username=xqc status=Online
            363.0  write 1 Offline by sweep
            373.0  log push_missed username=xqc status=Offline
            420.0  write 1 Online by sweep
            430.0  log push_missed username=xqc status=Online
            430.0  log push_silent transport=pusher missed=5 kind=both
            430.0  ask realtime: pusher centrifugo
            483.0  write 1 Offline by sweep
            493.0  log push_missed username=xqc status=Offline
            500.0  write 1 Online by push
        "#]],
    );
}

#[test]
fn r11_before_the_subscription_is_as_old_as_the_hold_nothing_is_missed() {
    check_watched(
        "
        1 auto
        50 kick xqc/676/668=live@50
        100 link 0 disconnected
        110 kick xqc/676/668=offline
        150 until
        ",
        &expect![[r#"

            60.0   write 1 Online by sweep
            123.0  write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn r11_a_push_event_that_was_only_a_question_shows_that_push_works() {
    check_watched(
        "
        1 auto
        1 live 668 10 created@1
        2 stop 668 10
        170 kick xqc/676/668=live@170
        185 live 668 10
        200 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            2.0    write 1 Offline by push
            180.0  write 1 Online by sweep
        "#]],
    );
}

#[test]
fn r11_push_that_follows_within_ten_seconds_was_not_missed() {
    check_watched(
        "
        100 quiet
        .. answer users_livestreams
        120 until
        .. answer users_livestreams
        180 loud
        .. answer users_livestreams xqc/676=live@175
        .. written
        185 live 668 10 created@177
        195 until
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            180.0  write 1 Online by sweep
            180.0  log sweep_done streamers=1 seconds=0.0 corrected=1
            180.0  log status_changed username=xqc id=1 status=Online source=sweep lag_ms=0
        "#]],
    );
}

#[test]
fn r12_a_stop_is_believed_though_the_lagging_api_contradicted_the_live_event() {
    check(
        "
        0 kick xqc/676=offline
        .. auto
        .. roster 1:xqc:Offline:668
        .. link 0 started
        .. link 0 subscribed 668
        20 live 668 10
        31 stop 668 10
        33 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    subscribe 0 668
            20.0   write 1 Online by push
            31.0   write 1 Offline by push
        "#]],
    );
}
