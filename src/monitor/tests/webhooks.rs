//! R27, and R11 and R23 as far as webhooks are concerned: what deliveries mean.

use super::{WATCHED, play_after};
use expect_test::{Expect, expect};

/// Begins with one streamer on row 1, `xqc`, user 676, Offline by table and API, subscribed by webhook alone; Kick
/// answers by itself. The story goes on at 10 s.
const SUBSCRIBED: &str = "
    0 webhooks on
    .. learned xqc/676/668
    .. kick xqc/676/668=offline
    .. roster 1:xqc:Offline
    .. auto
    9 until
";

#[track_caller]
pub(super) fn check_subscribed(script: &str, expect: &Expect) {
    play_after(SUBSCRIBED, script, expect);
}

/// The same, and the websocket has a confirmed subscription as well.
#[track_caller]
pub(super) fn check_both(script: &str, expect: &Expect) {
    let both = format!("{WATCHED} .. kick xqc/676/668=offline\n .. webhooks on\n .. auto\n 9 until");
    play_after(&both, script, expect);
}

#[test]
fn r27_a_live_delivery_is_online_at_once_and_a_repetition_is_nothing() {
    check_subscribed(
        "
        30 delivered 676 live start@29
        31 delivered 676 live start@29
        33 delivered 676 live start@32
        60 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
        "#]],
    );
}

#[test]
fn r27_a_stop_of_the_running_broadcast_is_offline_at_once() {
    check_subscribed(
        "
        30 delivered 676 live start@29
        .. kick xqc/676/668=live@29
        200 delivered 676 stop start@31
        201 delivered 676 stop start@31
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            200.0  write 1 Offline by push
        "#]],
    );
}

#[test]
fn r27_a_stop_of_an_older_broadcast_is_nothing_and_of_a_newer_one_a_question() {
    check_subscribed(
        "
        30 delivered 676 live start@29
        .. kick xqc/676/668=live@29
        .. auto asks
        40 delivered 676 stop start@20
        50 delivered 676 stop start@45
        .. manual
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            50.0   ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r27_a_stop_is_believed_where_no_start_is_known() {
    check_subscribed(
        "
        30 roster 1:xqc:Online
        31 delivered 676 stop start@5
        ",
        &expect![[r#"

            31.0   write 1 Offline by push
        "#]],
    );
}

#[test]
fn r27_a_delivery_older_than_two_minutes_is_a_question() {
    check_subscribed(
        "
        9 auto asks
        300 delivered 676 live start@100 sent@179
        .. manual
        301 auto
        310 delivered 676 live start@100 sent@250
        ",
        &expect![[r#"

            60.0   ask users_livestreams: 676
            120.0  ask users_livestreams: 676
            180.0  ask users_livestreams: 676
            240.0  ask users_livestreams: 676
            300.0  ask users_livestreams: 676
            300.0  ask users_livestreams: 676
            310.0  write 1 Online by push
        "#]],
    );
}

/// A start that lies in the future counts as no start.
#[test]
fn r27_a_delivery_without_a_start_is_a_question() {
    check_subscribed(
        "
        9 auto asks
        30 delivered 676 live
        31 delivered 676 live start@60
        .. manual
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            31.0   ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r27_a_live_delivery_that_comes_after_the_stop_of_its_broadcast_is_a_question() {
    check_subscribed(
        "
        30 delivered 676 live start@29
        60 delivered 676 stop start@29
        .. auto asks
        70 delivered 676 live start@29 sent@30
        .. manual
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            60.0   write 1 Offline by push
            70.0   ask users_livestreams: 676
        "#]],
    );
}

/// The live delivery of a resumed broadcast came before the stop of the pause.
#[test]
fn r27_a_stop_that_was_overtaken_is_a_question() {
    check_subscribed(
        "
        30 delivered 676 live start@29
        .. kick xqc/676/668=live@29
        60 delivered 676 live start@29 sent@60
        61 delivered 676 stop start@29 sent@50
        70 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
        "#]],
    );
}

/// Kick keeps the start over a short pause (R1).
#[test]
fn r27_a_resumed_broadcast_is_online_with_the_first_answer_that_bears_it_out() {
    check_subscribed(
        "
        30 delivered 676 live start@29
        .. kick xqc/676/668=live@29
        60 delivered 676 stop start@29
        70 delivered 676 live start@29
        80 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            60.0   write 1 Offline by push
            70.0   write 1 Online by sweep
        "#]],
    );
}

/// The live delivery was sent before the stop, and the API still shows the broadcast.
#[test]
fn r27_an_answer_of_an_api_that_lags_bears_no_late_delivery_out() {
    check_subscribed(
        "
        30 delivered 676 live start@29
        .. kick xqc/676/668=live@29
        60 delivered 676 stop start@29
        70 delivered 676 live start@29 sent@30
        120 kick xqc/676/668=offline
        200 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            60.0   write 1 Offline by push
        "#]],
    );
}

#[test]
fn r27_a_delivery_and_a_push_event_of_one_change_are_one_write() {
    check_both(
        "
        30 live 668 10 created@31
        .. delivered 676 live start@29
        60 delivered 676 stop start@29
        .. stop 668 10
        90 delivered 676 live start@89
        .. live 668 11 created@90
        120 stop 668 11
        .. delivered 676 stop start@89
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            60.0   write 1 Offline by push
            90.0   write 1 Online by push
            120.0  write 1 Offline by push
        "#]],
    );
}

#[test]
fn r27_a_late_stop_of_the_websocket_does_not_end_the_broadcast_that_a_delivery_began() {
    check_both(
        "
        30 delivered 676 live start@29
        60 delivered 676 stop start@29
        90 delivered 676 live start@89
        .. kick xqc/676/668=live@89
        91 stop 668 10
        100 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            60.0   write 1 Offline by push
            90.0   write 1 Online by push
        "#]],
    );
}

#[test]
fn r27_a_late_live_event_of_the_websocket_does_not_begin_a_broadcast_that_a_delivery_ended() {
    check_both(
        "
        30 delivered 676 live start@29
        60 delivered 676 stop start@29
        61 live 668 10 created@31
        70 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            60.0   write 1 Offline by push
        "#]],
    );
}

#[test]
fn r27_rows_of_one_streamer_share_a_delivery_and_strangers_get_none() {
    check_subscribed(
        "
        20 roster 1:xqc:Offline 2:XQC:Offline 3:bob:Offline
        .. kick bob/9/7=offline
        30 delivered 676 live start@29
        31 delivered 5 live start@29
        ",
        &expect![[r#"

            20.0   log roster_loaded streamers=3 added=2 removed=0
            20.0   log streamer_unknown username=bob id=3
            30.0   write 1 Online by push
            30.0   write 2 Online by push
        "#]],
    );
}

#[test]
fn r27_the_api_does_not_contradict_a_delivery_within_the_hold() {
    check_subscribed(
        "
        30 delivered 676 live start@29
        100 sweep
        121 sweep
        130 until
        ",
        &expect![[r#"

            30.0   write 1 Online by push
            100.0  read the roster
            121.0  read the roster
            123.0  write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn r23_deliveries_cover_a_streamer_once_one_has_come() {
    check_subscribed(
        "
        9 set uncovered=10
        .. quiet
        100 count
        .. loud
        160 count
        .. delivered 676 live start@159
        .. kick xqc/676/668=live@159
        .. count
        280 count
        ",
        &expect![[r#"

            160.0  counted: users_livestreams 6, wakes 6
            160.0  write 1 Online by push
            160.0  counted: 
            280.0  counted: users_livestreams 2, wakes 2
        "#]],
    );
}

#[test]
fn r11_five_changes_without_a_delivery_are_silent_webhooks() {
    check_subscribed(
        "
        9 set hold=5
        30 kick xqc/676/668=live@30
        100 kick xqc/676/668=offline
        200 kick xqc/676/668=live@200
        300 kick xqc/676/668=offline
        400 kick xqc/676/668=live@400
        500 report
        600 delivered 676 stop start@400
        601 delivered 676 live start@601
        602 report
        ",
        &expect![[r#"

            60.0   write 1 Online by sweep
            123.0  write 1 Offline by sweep
            240.0  write 1 Online by sweep
            363.0  write 1 Offline by sweep
            420.0  write 1 Online by sweep
            430.0  log webhook_silent missed=5 kind=both
            500.0  health degraded
            500.0  push_down since 2026-01-01T00:08:20Z: no push connection is established, so changes are found by the sweep
            500.0  webhook_silent since 2026-01-01T00:07:10Z: webhooks do not report changes; the sweep finds them: 5 changes in a row
            500.0  {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":0,"online":1,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            500.0  {"api":{"comparison_age_seconds":{"max":20.0,"p50":20.0,"p99":20.0},"last_sweep_at":"2026-01-01T00:08:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:07:00Z","ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            500.0  {"api_requests":{"channels":{"200":2},"public_key":{"200":1},"subscriptions":{"200":3},"users_livestreams":{"200":9}},"status_changes_sweep":5}
            500.0  {"at":"2026-01-01T00:07:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            500.0  {"at":"2026-01-01T00:06:03Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Offline","username":"xqc"}
            500.0  {"at":"2026-01-01T00:04:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            500.0  {"at":"2026-01-01T00:02:03Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Offline","username":"xqc"}
            500.0  {"at":"2026-01-01T00:01:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            600.0  write 1 Offline by push
            601.0  write 1 Online by push
            602.0  health degraded
            602.0  push_down since 2026-01-01T00:08:20Z: no push connection is established, so changes are found by the sweep
            602.0  {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":1,"offline":0,"online":1,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            602.0  {"api":{"comparison_age_seconds":{"max":2.0,"p50":2.0,"p99":2.0},"last_sweep_at":"2026-01-01T00:10:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:10:01Z","ok":true,"pending_writes":0},"latency_ms":{"p50":0.0,"p99":0.0}}
            602.0  {"api_requests":{"channels":{"200":3},"public_key":{"200":1},"subscriptions":{"200":3},"users_livestreams":{"200":11}},"status_changes_push":2,"status_changes_sweep":5,"webhook_deliveries":{"taken":2}}
            602.0  {"at":"2026-01-01T00:10:01Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"xqc"}
            602.0  {"at":"2026-01-01T00:10:00Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"xqc"}
            602.0  {"at":"2026-01-01T00:07:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            602.0  {"at":"2026-01-01T00:06:03Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Offline","username":"xqc"}
            602.0  {"at":"2026-01-01T00:04:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            602.0  {"at":"2026-01-01T00:02:03Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Offline","username":"xqc"}
            602.0  {"at":"2026-01-01T00:01:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
        "#]],
    );
}

#[test]
fn r11_a_change_that_a_delivery_told_first_is_expected_of_the_websocket() {
    check_both(
        "
        200 delivered 676 live start@199
        220 until
        ",
        &expect![[r#"

            200.0  write 1 Online by push
            210.0  log push_missed username=xqc status=Online
        "#]],
    );
}
