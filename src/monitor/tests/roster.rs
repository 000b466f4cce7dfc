//! R13, R14, R16.

use super::script::Story;
use super::{check, check_watched};
use crate::monitor::times::STRANGERS_MAX;
use expect_test::expect;

#[test]
fn r13_a_new_row_is_what_the_table_shows_and_is_asked_about_at_once() {
    check(
        "
        0 auto asks
        .. learned a/1/11
        .. kick a/1/11=offline b/2/12=offline c/3/13=live@0
        .. roster 1:a:Offline 2:b:. 3:c:weird
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=3 added=3 removed=0
            0.0    ask users_livestreams: 1
            0.0    ask website: b
            0.0    open 0
            0.0    ask channels: b c
            0.0    write 2 Offline by sweep
            0.0    write 3 Online by sweep
            0.0    log ready version=- seconds=0.0 streamers=3
            0.0    ask livestreams: 3
            0.0    open 1
        "#]],
    );
}

#[test]
fn r13_an_online_that_only_the_table_says_needs_two_looks_to_end() {
    check(
        "
        0 auto asks
        .. learned a/1/11
        .. kick a/1/11=offline
        .. roster 1:a:Online
        2 until
        4 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask users_livestreams: 1
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            3.0    ask channels: 1
            3.0    write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn r14_a_row_that_is_gone_is_forgotten_with_all_that_was_queued_for_it() {
    check_watched(
        "
        1 live 668 10
        .. unavailable
        .. roster 2:train:Offline
        .. quiet
        .. auto
        .. loud
        2 database up
        3600 count
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log db_unavailable reason="connection refused" pending=1
            1.0    log roster_loaded streamers=1 added=1 removed=1
            1.0    ask channels: train
            1.0    ask website: train
            1.0    close 0
            1.1    log db_recovered pending=0
            3600.0 counted: channels 10, users_livestreams 2, wakes 72, website 1
        "#]],
    );
}

#[test]
fn r14_an_answer_about_somebody_who_is_gone_is_nothing() {
    check_watched(
        "
        30 until
        31 roster 2:train:Offline
        .. answer users_livestreams xqc/676=live@20
        .. answer channels train/677=offline
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            31.0   log roster_loaded streamers=1 added=1 removed=1
            31.0   ask website: train
            31.0   close 0
            31.0   ask channels: train
            31.0   learn train/677/-
        "#]],
    );
}

#[test]
fn r14_a_changed_username_is_somebody_new_in_the_same_row() {
    check_watched(
        "
        1 live 668 10
        2 roster 1:train:Offline
        3 answer channels train/677=offline
        4 written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            2.0    log roster_loaded streamers=1 added=1 removed=1
            2.0    ask channels: train
            2.0    ask website: train
            2.0    close 0
            3.0    learn train/677/-
            4.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=3000
            4.0    write 1 Offline by sweep
        "#]],
    );
}

#[test]
fn r14_another_way_to_write_the_same_name_is_nothing_new() {
    check_watched(
        "1 roster 1:@XQC:Offline",
        &expect![[r#"

            nothing
        "#]],
    );
}

#[test]
fn r14_an_empty_roster_is_believed_when_it_is_read_twice() {
    check_watched(
        "
        1 roster
        2 roster 1:xqc:Offline
        3 roster
        4 roster
        ",
        &expect![[r#"

            4.0    log roster_loaded streamers=0 added=0 removed=1
            4.0    close 0
        "#]],
    );
}

#[test]
fn r14_an_unusable_username_is_said_once_and_left_alone() {
    check_watched(
        "
        1 auto
        2 roster 1:not!a!name:Offline
        3 roster 1:not!a!name:Offline
        4 roster 1:nor?this:Offline
        5 roster 1:xqc:Offline
        ",
        &expect![[r#"

            2.0    log streamer_unusable username=not!a!name id=1 reason="the username has characters that no Kick name has (letters, digits, _ and - are allowed)"
            2.0    log roster_loaded streamers=0 added=0 removed=1
            2.0    close 0
            4.0    log streamer_unusable username=nor?this id=1 reason="the username has characters that no Kick name has (letters, digits, _ and - are allowed)"
            5.0    log roster_loaded streamers=1 added=1 removed=0
            5.0    open 1
        "#]],
    );
}

#[test]
fn r16_two_rows_with_one_streamer_are_both_kept_right() {
    check(
        "
        0 auto asks
        .. kick xqc/676/668=offline
        .. roster 1:xqc:Offline 2:XQC:. 3:@xqc:Online
        .. link 0 started
        .. link 0 subscribed 668
        5 live 668 10
        6 roster 1:xqc:Online 3:@xqc:Online
        7 stop 668 10
        8 roster 1:xqc:Offline
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=3 added=3 removed=0
            0.0    ask channels: xqc
            0.0    ask website: xqc
            0.0    write 2 Offline by sweep
            0.0    log ready version=- seconds=0.0 streamers=3
            0.0    open 0
            0.0    subscribe 0 668
            0.0    ask users_livestreams: 676
            3.0    ask users_livestreams: 676
            3.0    write 3 Offline by sweep
            5.0    write 1 Online by push
            5.0    write 2 Online by push
            5.0    write 3 Online by push
            6.0    log roster_loaded streamers=2 added=0 removed=1
            7.0    write 1 Offline by push
            7.0    write 3 Offline by push
            8.0    log roster_loaded streamers=1 added=0 removed=1
        "#]],
    );
}

/// Returns true if Kick is asked again what it told an earlier process, which also knew this many other names.
fn is_asked_anew(strangers: usize) -> bool {
    let names: String = (1..=strangers).map(|n| format!(" n{n}/{n}/{}", n + 1_000_000)).collect();
    let mut story = Story::new();
    story.play(&format!("0 learned xqc/676/668{names}\n.. roster 1:xqc:Offline\n1 roster 1:xqc:Offline 2:n1:Offline"));
    story.transcript().contains("ask website: n1")
}

#[test]
fn r14_names_that_are_in_no_row_are_known_until_they_are_too_many() {
    assert!(!is_asked_anew(STRANGERS_MAX));
    assert!(is_asked_anew(STRANGERS_MAX + 1));
}

#[test]
fn r13_rows_that_share_an_id_are_said_once_and_never_written() {
    check(
        "
        0 auto
        .. kick a/1/11=live@0 b/2/12=live@0 c/3/13=live@0
        .. roster 1:a:Offline 2:b:Offline 1:c:Offline 1:a:Online
        1 roster 1:c:Offline 1:a:Offline 2:b:Online 1:a:Online
        2 report
        3 roster 1:a:Offline 2:b:Online
        4 roster 1:a:Online 2:b:Online 2:c:Offline
        5 roster 1:a:Online 2:b:Online 2:c:Offline
        6 roster 1:a:Online
        ",
        &expect![[r#"

            0.0    log streamer_unusable username=a id=1 reason="other rows have the same id; set DB_ID_COLUMN to a column that tells rows apart"
            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    write 2 Online by sweep
            0.0    log ready version=- seconds=0.0 streamers=1
            0.0    open 0
            2.0    health degraded
            2.0    push_down since 2026-01-01T00:00:02Z: no push connection is established, so changes are found by the sweep
            2.0    streamer_unusable since 2026-01-01T00:00:00Z: some rows have a username or an id that cannot be used, and are left alone: "a" (id 1): other rows have the same id; set DB_ID_COLUMN to a column that tells rows apart
            2.0    {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":0,"online":1,"subscribed":0,"total":1,"unknown":0,"unusable":3}}
            2.0    {"api":{"comparison_age_seconds":{"max":2.0,"p50":2.0,"p99":2.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:00:00Z","ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            2.0    {"api_requests":{"channels":{"200":1},"livestreams":{"200":1},"website":{"200":1}},"status_changes_sweep":1}
            2.0    {"at":"2026-01-01T00:00:00Z","id":"2","lag_ms":0.0,"source":"sweep","status":"Online","username":"b"}
            3.0    log roster_loaded streamers=2 added=1 removed=0
            3.0    write 1 Online by sweep
            4.0    log streamer_unusable username=b id=2 reason="other rows have the same id; set DB_ID_COLUMN to a column that tells rows apart"
            4.0    log roster_loaded streamers=1 added=0 removed=1
        "#]],
    );
}

#[test]
fn r15_an_older_copy_of_the_table_is_not_believed_while_the_api_is_away() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10
        130 down channels 503
        .. down livestreams 503
        .. down users_livestreams 503
        250 database down connection refused
        252 database up
        .. roster 1:xqc:Offline
        .. tell 1
        254 roster 1:xqc:Offline
        400 up channels
        .. up livestreams
        .. up users_livestreams
        500 tell 1
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            180.0  log api_error status=503 endpoint=users_livestreams retry_in=0.9 reason=503
            250.0  log db_unavailable reason="connection refused" pending=0
            252.0  log db_recovered pending=0
            252.0  {"id":"1","username":"xqc","name":"xqc","status":"Online","source":"push","since":"2026-01-01T00:00:01Z","shown":"Offline","pending":"the API is asked first whether the table is right","last_write":{"status":"Online","at":"2026-01-01T00:00:01Z"},"last_push":{"status":"Online","at":"2026-01-01T00:00:01Z"},"last_found":{"status":"Online","at":"2026-01-01T00:01:00Z","by":"users_livestreams"},"livestream_id":10,"started_at":"2026-01-01T00:00:01Z","user_id":676,"channel_id":668,"channel_trust":"confirmed","channel_source":"kept","connection":0,"subscribed_at":"2026-01-01T00:00:00Z","covered":true,"compared_at":"2026-01-01T00:02:00Z"}
            402.6  log api_recovered endpoint=users_livestreams
            402.6  write 1 Online by push
            500.0  {"id":"1","username":"xqc","name":"xqc","status":"Online","source":"push","since":"2026-01-01T00:00:01Z","shown":"Online","last_write":{"status":"Online","at":"2026-01-01T00:06:42.589Z"},"last_push":{"status":"Online","at":"2026-01-01T00:00:01Z"},"last_found":{"status":"Online","at":"2026-01-01T00:01:00Z","by":"users_livestreams"},"livestream_id":10,"started_at":"2026-01-01T00:00:01Z","user_id":676,"channel_id":668,"channel_trust":"confirmed","channel_source":"kept","connection":0,"subscribed_at":"2026-01-01T00:00:00Z","covered":true,"compared_at":"2026-01-01T00:08:00Z"}
        "#]],
    );
}

#[test]
fn r15_an_older_copy_of_the_table_is_believed_when_the_api_says_so_too() {
    check_watched(
        "
        1 auto
        .. kick xqc/676/668=live@1
        .. live 668 10
        130 down channels 503
        .. down livestreams 503
        .. down users_livestreams 503
        250 database down connection refused
        252 database up
        .. roster 1:xqc:Offline
        .. kick xqc/676/668=offline
        400 up channels
        .. up livestreams
        .. up users_livestreams
        500 tell 1
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            180.0  log api_error status=503 endpoint=users_livestreams retry_in=0.9 reason=503
            250.0  log db_unavailable reason="connection refused" pending=0
            252.0  log db_recovered pending=0
            402.6  log api_recovered endpoint=users_livestreams
            500.0  {"id":"1","username":"xqc","name":"xqc","status":"Offline","source":"sweep","since":"2026-01-01T00:06:45.589Z","shown":"Offline","last_write":{"status":"Online","at":"2026-01-01T00:00:01Z"},"last_push":{"status":"Online","at":"2026-01-01T00:00:01Z"},"last_found":{"status":"Offline","at":"2026-01-01T00:06:45.589Z","by":"channels"},"user_id":676,"channel_id":668,"channel_trust":"confirmed","channel_source":"kept","connection":0,"subscribed_at":"2026-01-01T00:00:00Z","covered":true,"compared_at":"2026-01-01T00:08:00Z"}
        "#]],
    );
}
