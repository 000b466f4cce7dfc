//! R19: one write of a row at a time, whatever the state of the database.

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r19_one_write_at_a_time_and_the_last_word_wins() {
    check_watched(
        "
        1 live 668 10
        2 stop 668 10
        3 live 668 11
        4 stop 668 11
        5 written
        6 written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            5.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=4000
            5.0    write 1 Offline by push
            6.0    log status_changed username=xqc id=1 status=Offline source=push lag_ms=2000
        "#]],
    );
}

#[test]
fn r19_what_is_confirmed_while_its_write_is_out_waits_for_nothing_more() {
    check_watched(
        "
        1 live 668 10
        .. live 668 10
        2 sweep
        .. answer users_livestreams xqc/676=live@1
        3 written
        4 report
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            2.0    read the roster
            2.0    ask users_livestreams: 676
            2.0    log sweep_done streamers=1 seconds=0.0 corrected=0
            3.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=2000
            4.0    health ok
            4.0    {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:00:01Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":0,"online":1,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            4.0    {"api":{"comparison_age_seconds":{"max":2.0,"p50":2.0,"p99":2.0},"last_sweep_at":"2026-01-01T00:00:02Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:00:03Z","ok":true,"pending_writes":0},"latency_ms":{"p50":2000.0,"p99":2000.0}}
            4.0    {"api_requests":{"users_livestreams":{"200":3}},"status_changes_push":1}
            4.0    {"at":"2026-01-01T00:00:03Z","id":"1","lag_ms":2000.0,"source":"push","status":"Online","username":"xqc"}
        "#]],
    );
}

#[test]
fn r19_what_turns_back_before_it_is_confirmed_needs_no_second_write() {
    check_watched(
        "
        1 live 668 10
        2 stop 668 10
        3 live 668 11
        4 written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            4.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=3000
        "#]],
    );
}

#[test]
fn r19_while_the_database_is_away_nothing_grows_and_then_each_row_is_written_once() {
    check(
        "
        0 learned a/1/11 b/2/12 c/3/13
        .. kick a/1/11=offline b/2/12=offline c/3/13=offline
        .. quiet
        .. auto
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline
        .. link 0 started
        .. link 1 started
        .. manual
        .. loud
        1 live 11 10
        .. live 12 20
        .. unavailable
        1.05 live 13 30 link=1
        .. stop 11 10
        .. live 11 11
        .. stop 12 20
        .. database down starting up
        1.2 unavailable
        1.5 unavailable
        2 written
        .. written
        3 database up
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    write 2 Online by push
            1.0    log db_unavailable reason="connection refused" pending=2
            1.1    log db_unavailable reason="starting up" pending=3
            1.1    write 3 Online by push
            1.4    write 1 Online by push
            1.9    write 2 Offline by push
            2.0    log status_changed username=b id=2 status=Offline source=push lag_ms=950
            2.0    write 1 Online by push
            2.0    write 3 Online by push
            2.0    log status_changed username=a id=1 status=Online source=push lag_ms=950
            2.0    log status_changed username=c id=3 status=Online source=push lag_ms=950
            3.0    log db_recovered pending=0
        "#]],
    );
}

#[test]
fn r19_a_reconnected_reader_has_the_writers_try_at_once() {
    check_watched(
        "
        1 live 668 10
        .. database down no route
        .. unavailable
        1.2 unavailable
        1.5 unavailable
        2.1 unavailable
        2.2 database up
        .. written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log db_unavailable reason="no route" pending=1
            1.0    log db_unavailable reason="connection refused" pending=1
            1.1    write 1 Online by push
            1.4    write 1 Online by push
            1.9    write 1 Online by push
            2.2    write 1 Online by push
            2.2    log status_changed username=xqc id=1 status=Online source=push lag_ms=1200
            2.2    log db_recovered pending=0
        "#]],
    );
}

#[test]
fn the_pause_before_the_database_is_tried_again_grows_to_five_seconds_whatever_the_number_of_rows() {
    check(
        "
        0 learned a/1/11 b/2/12
        .. kick a/1/11=offline b/2/12=offline
        .. quiet
        .. auto
        .. roster 1:a:Offline 2:b:Offline
        .. link 0 started
        .. manual
        .. loud
        1 live 11 10
        .. live 12 20
        .. unavailable
        1.1 unavailable
        1.3 unavailable
        1.7 unavailable
        2.5 unavailable
        4.1 unavailable
        7.3 unavailable
        12.3 unavailable
        17.3 until
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    write 2 Online by push
            1.0    log db_unavailable reason="connection refused" pending=2
            1.1    write 1 Online by push
            1.3    write 2 Online by push
            1.7    write 1 Online by push
            2.4    write 2 Online by push
            4.1    write 1 Online by push
            6.8    write 2 Online by push
            11.5   write 1 Online by push
            16.5   write 2 Online by push
        "#]],
    );
}

#[test]
fn a_writer_that_died_is_given_its_rows_again_with_what_is_wanted_now() {
    check_watched(
        "
        1 live 668 10
        2 stop 668 10
        3 writer-died
        4 already
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            3.0    write 1 Offline by push
        "#]],
    );
    // The row may belong to another streamer by then.
    check_watched(
        "
        1 live 668 10
        2 roster 1:train:Offline
        3 answer channels train/677=live@1
        4 writer-died
        5 written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            2.0    log roster_loaded streamers=1 added=1 removed=1
            2.0    ask channels: train
            2.0    ask website: train
            2.0    close 0
            3.0    learn train/677/-
            3.0    ask livestreams: 677
            4.0    write 1 Online by sweep
            5.0    log status_changed username=train id=1 status=Online source=sweep lag_ms=2000
        "#]],
    );
}

#[test]
fn r20_a_probe_is_another_row_than_the_one_that_failed_last() {
    check(
        "
        0 learned a/1/11 b/2/12 c/3/13
        .. kick a/1/11=offline b/2/12=offline c/3/13=offline
        .. quiet
        .. auto
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline
        .. link 0 started
        .. link 1 started
        .. manual
        .. loud
        1 live 11 10
        .. unavailable
        1.01 live 12 20
        1.02 live 13 30 link=1
        1.2 unavailable
        1.5 unavailable
        2 unavailable
        3 written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log db_unavailable reason="connection refused" pending=1
            1.1    write 2 Online by push
            1.4    write 3 Online by push
            1.9    write 1 Online by push
            2.7    write 2 Online by push
            3.0    log status_changed username=b id=2 status=Online source=push lag_ms=1990
            3.0    log db_recovered pending=2
            3.0    write 1 Online by push
            3.0    write 3 Online by push
        "#]],
    );
}

#[test]
fn r20_a_row_that_was_refused_is_no_probe_while_others_wait() {
    check(
        "
        0 learned a/1/11 b/2/12 c/3/13
        .. kick a/1/11=offline b/2/12=offline c/3/13=offline
        .. quiet
        .. auto
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline
        .. link 0 started
        .. link 1 started
        .. manual
        .. loud
        1 live 11 10
        .. timed-out
        2 live 12 20
        .. live 13 30 link=1
        .. unavailable
        2.2 unavailable
        2.5 written
        .. written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log write_refused username=a id=1 reason="57014 canceled; it took 10 s"
            2.0    write 2 Online by push
            2.0    write 3 Online by push
            2.0    log db_unavailable reason="connection refused" pending=3
            2.1    write 2 Online by push
            2.4    write 3 Online by push
            2.5    log status_changed username=c id=3 status=Online source=push lag_ms=500
            2.5    log db_recovered pending=2
            2.5    write 2 Online by push
            2.5    log status_changed username=b id=2 status=Online source=push lag_ms=500
        "#]],
    );
}

#[test]
fn r20_a_writer_waits_for_no_other() {
    check(
        "
        0 learned a/1/11 b/2/12 c/3/13
        .. kick a/1/11=offline b/2/12=offline c/3/13=offline
        .. quiet
        .. auto
        .. roster 1:a:Offline 2:b:Offline 4:c:Offline
        .. link 0 started
        .. link 1 started
        .. manual
        .. loud
        .. writers 2
        1 live 11 10
        .. unavailable
        1.01 live 12 20
        .. live 13 30 link=1
        1.05 written 2
        1.06 stop 12 20
        1.07 written 2
        1.2 unavailable 4
        1.5 written 1
        1.6 written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log db_unavailable reason="connection refused" pending=1
            1.0    write 2 Online by push
            1.0    write 4 Online by push
            1.1    log status_changed username=b id=2 status=Online source=push lag_ms=40
            1.1    write 2 Offline by push
            1.1    log status_changed username=b id=2 status=Offline source=push lag_ms=10
            1.1    write 1 Online by push
            1.3    write 4 Online by push
            1.5    log status_changed username=a id=1 status=Online source=push lag_ms=500
            1.6    log status_changed username=c id=4 status=Online source=push lag_ms=590
            1.6    log db_recovered pending=0
        "#]],
    );
}

#[test]
fn r19_new_writers_try_for_themselves_what_the_old_ones_could_not() {
    check(
        "
        0 learned a/1/11 b/2/12 c/3/13
        .. kick a/1/11=offline b/2/12=offline c/3/13=offline
        .. quiet
        .. auto
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline
        .. link 0 started
        .. link 1 started
        .. manual
        .. loud
        1 live 11 10
        .. live 12 20
        .. live 13 30 link=1
        .. unavailable
        1.05 writers 3
        1.06 written 1
        1.07 written 2
        1.08 written
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    write 2 Online by push
            1.0    write 3 Online by push
            1.0    log db_unavailable reason="connection refused" pending=3
            1.1    write 1 Online by push
            1.1    write 2 Online by push
            1.1    log status_changed username=a id=1 status=Online source=push lag_ms=60
            1.1    write 3 Online by push
            1.1    log status_changed username=b id=2 status=Online source=push lag_ms=70
            1.1    log db_recovered pending=1
            1.1    log status_changed username=c id=3 status=Online source=push lag_ms=80
        "#]],
    );
}
