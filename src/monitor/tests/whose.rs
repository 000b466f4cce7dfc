//! R12: whose entry it is, names that change and change back.

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r12_an_answer_with_somebody_elses_name_is_not_about_the_streamer() {
    check(
        "
        0 roster 1:xqc:Offline
        .. website-fail 403
        .. answer channels trainwreckstv/999/777=live@0
        10 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask channels: xqc
            0.0    ask website: xqc
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
            0.0    log streamer_unknown username=xqc id=1
            0.0    log ready version=- seconds=0.0 streamers=1
        "#]],
    );
    // Another spelling of the name is about the streamer.
    check(
        "
        0 roster 1:a_b:Offline
        .. website-fail 403
        .. answer channels a-b/5=live@0
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask channels: a_b
            0.0    ask website: a_b
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
            0.0    learn a-b/5/-
            0.0    write 1 Online by sweep
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    ask livestreams: 5
        "#]],
    );
    // An entry of the website with another name is not.
    check(
        "
        0 roster 1:xqc:Offline
        .. answer channels xqc/676=offline
        1 website trainwreckstv/999/777=nothing
        3700 auto asks
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask channels: xqc
            0.0    ask website: xqc
            0.0    learn xqc/676/-
            0.0    log ready version=- seconds=0.0 streamers=1
            60.0   ask users_livestreams: 676
            3601.0 ask website: xqc
            3700.0 ask channels: xqc
            3700.0 ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn r12_another_spelling_in_a_batch_is_the_streamers_unless_it_is_somebody_elses() {
    check(
        "
        0 roster 1:a_b:Offline 2:ab:Offline 3:c_d:Offline
        .. website-fail 403
        .. answer channels ab/2=live@0 c-d/3=live@0
        10 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=3 added=3 removed=0
            0.0    ask channels: a_b ab c_d
            0.0    ask website: a_b
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
            0.0    learn ab/2/-
            0.0    learn c-d/3/-
            0.0    write 2 Online by sweep
            0.0    write 3 Online by sweep
            0.0    ask channels: a-b
        "#]],
    );
}

#[test]
fn r12_another_spelling_of_the_name_is_no_rename() {
    check(
        "
        0 kick eren-mlg/7/8=offline
        .. auto
        .. roster 1:eren_mlg:Offline
        .. link 0 started
        .. link 0 connected
        100 kick eren-mlg/7/8=missing
        .. kick eren_mlg/7/8=live@100
        1300 kick eren_mlg/7/8=offline
        5000 report
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    log ready version=- seconds=0.0 streamers=1
            120.0  write 1 Online by sweep
            120.0  open 0
            1323.0 write 1 Offline by sweep
            5000.0 health degraded
            5000.0 push_down since 2026-01-01T01:23:20Z: no push connection is established, so changes are found by the sweep
            5000.0 {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            5000.0 {"api":{"comparison_age_seconds":{"max":20.0,"p50":20.0,"p99":20.0},"last_sweep_at":"2026-01-01T01:23:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:22:03Z","ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            5000.0 {"api_requests":{"channels":{"200":5},"livestreams":{"200":1},"users_livestreams":{"200":83},"website":{"404":1}},"status_changes_sweep":2}
            5000.0 {"at":"2026-01-01T00:22:03Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Offline","username":"eren_mlg"}
            5000.0 {"at":"2026-01-01T00:02:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"eren_mlg"}
        "#]],
    );
}

#[test]
fn r12_a_rename_that_is_taken_back_is_settled() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        100 kick xqc/676/668=missing
        .. kick felix/676/668=live@1
        1000 report
        .. kick felix/676/668=missing
        .. kick xqc/676/668=live@1
        2000 report
        ",
        &expect![[r#"

            30.0   write 1 Online by sweep
            120.0  log streamer_renamed username=xqc actual=felix id=1
            1000.0 health ok
            1000.0 streamer_renamed since 2026-01-01T00:02:00Z: streamers have another name now and are followed by their id: xqc is felix
            1000.0 {"realtime":{"connected":1,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":0,"online":1,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            1000.0 {"api":{"comparison_age_seconds":{"max":40.0,"p50":40.0,"p99":40.0},"last_sweep_at":"2026-01-01T00:16:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:00:30Z","ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            1000.0 {"api_requests":{"channels":{"200":5},"users_livestreams":{"200":21}},"status_changes_sweep":1}
            1000.0 {"at":"2026-01-01T00:00:30Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            2000.0 health ok
            2000.0 {"realtime":{"connected":1,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":0,"online":1,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            2000.0 {"api":{"comparison_age_seconds":{"max":20.0,"p50":20.0,"p99":20.0},"last_sweep_at":"2026-01-01T00:33:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:00:30Z","ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            2000.0 {"api_requests":{"channels":{"200":5},"users_livestreams":{"200":38}},"status_changes_sweep":1}
            2000.0 {"at":"2026-01-01T00:00:30Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
        "#]],
    );
}

#[test]
fn r12_a_rename_is_settled_when_the_old_name_belongs_to_somebody_else() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        100 kick xqc/676/668=missing
        .. kick felix/676/668=live@1
        1000 kick xqc/900/901=offline
        2000 report
        ",
        &expect![[r#"

            30.0   write 1 Online by sweep
            120.0  log streamer_renamed username=xqc actual=felix id=1
            1320.0 close 0
            1320.0 open 1
            1323.0 write 1 Offline by sweep
            2000.0 health degraded
            2000.0 push_down since 2026-01-01T00:33:20Z: no push connection is established, so changes are found by the sweep
            2000.0 {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            2000.0 {"api":{"comparison_age_seconds":{"max":20.0,"p50":20.0,"p99":20.0},"last_sweep_at":"2026-01-01T00:33:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:22:03Z","ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            2000.0 {"api_requests":{"channels":{"200":7},"users_livestreams":{"200":39},"website":{"200":1}},"status_changes_sweep":2}
            2000.0 {"at":"2026-01-01T00:22:03Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Offline","username":"xqc"}
            2000.0 {"at":"2026-01-01T00:00:30Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
        "#]],
    );
}
