//! The core's report on itself: health and problems as they begin and end, and the evidence for a streamer's status.

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn a_healthy_core_has_no_problem_and_counts_what_it_does() {
    check_watched(
        "
        1 token
        .. live 668 10
        .. written
        2 report
        ",
        &expect![[r#"

            1.0    write 1 Online by push
            1.0    log status_changed username=xqc id=1 status=Online source=push lag_ms=0
            2.0    health ok
            2.0    {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:00:01Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":0,"online":1,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            2.0    {"api":{"comparison_age_seconds":{"max":2.0,"p50":2.0,"p99":2.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":"2026-01-01T01:00:01Z","uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:00:01Z","ok":true,"pending_writes":0},"latency_ms":{"p50":0.0,"p99":0.0}}
            2.0    {"api_requests":{"token":{"200":1},"users_livestreams":{"200":2}},"status_changes_push":1}
            2.0    {"at":"2026-01-01T00:00:01Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"xqc"}
        "#]],
    );
}

#[test]
fn before_the_first_comparison_it_is_starting_and_nothing_is_known() {
    check(
        "0 report",
        &expect![[r#"

            0.0    health degraded
            0.0    starting since 2026-01-01T00:00:00Z: not every streamer has been compared with Kick yet
            0.0    {"realtime":{"connected":0,"connections":0,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":0,"online":0,"subscribed":0,"total":0,"unknown":0,"unusable":0}}
            0.0    {"api":{"comparison_age_seconds":{"max":null,"p50":null,"p99":null},"last_sweep_at":null,"last_sweep_seconds":null,"ready":false,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":false,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            0.0    {"api_requests":{}}
        "#]],
    );
}

#[test]
fn push_that_is_down_or_refused_degrades() {
    check_watched(
        "
        1 link 0 disconnected
        .. link 0 refused 4001 no such app
        2 report
        3 link 0 connected
        .. report
        ",
        &expect![[r#"

            2.0    health degraded
            2.0    push_refused since 2026-01-01T00:00:01Z: the push server refuses the connection, so changes are found by the sweep: 4001 no such app
            2.0    push_down since 2026-01-01T00:00:02Z: no push connection is established, so changes are found by the sweep
            2.0    {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            2.0    {"api":{"comparison_age_seconds":{"max":2.0,"p50":2.0,"p99":2.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            2.0    {"api_requests":{"users_livestreams":{"200":2}}}
            3.0    health ok
            3.0    {"realtime":{"connected":1,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            3.0    {"api":{"comparison_age_seconds":{"max":3.0,"p50":3.0,"p99":3.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            3.0    {"api_requests":{"users_livestreams":{"200":2}},"realtime_reconnects":1}
        "#]],
    );
}

#[test]
fn push_and_api_both_away_for_longer_than_a_sweep_is_failing() {
    check_watched(
        "
        1 auto
        .. down channels network
        .. down users_livestreams network
        .. down livestreams network
        .. link 0 disconnected
        .. quiet
        5 sweep
        .. report
        60 loud
        .. report
        70 report
        .. quiet
        71 link 0 connected
        .. loud
        .. report
        ",
        &expect![[r#"

            60.0   health degraded
            60.0   push_down since 2026-01-01T00:00:05Z: no push connection is established, so changes are found by the sweep
            60.0   api_error since 2026-01-01T00:00:05Z: requests to Kick fail: users_livestreams: network
            60.0   {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            60.0   {"api":{"comparison_age_seconds":{"max":60.0,"p50":60.0,"p99":60.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            60.0   {"api_requests":{"users_livestreams":{"200":2,"none":6}}}
            70.0   health failing
            70.0   kick_unreachable since 2026-01-01T00:01:10Z: neither push nor the API has worked for longer than SWEEP_SECS
            70.0   push_down since 2026-01-01T00:00:05Z: no push connection is established, so changes are found by the sweep
            70.0   api_error since 2026-01-01T00:00:05Z: requests to Kick fail: users_livestreams: network
            70.0   {"realtime":{"connected":0,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            70.0   {"api":{"comparison_age_seconds":{"max":70.0,"p50":70.0,"p99":70.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            70.0   {"api_requests":{"users_livestreams":{"200":2,"none":7}}}
            71.0   health degraded
            71.0   api_error since 2026-01-01T00:00:05Z: requests to Kick fail: users_livestreams: network
            71.0   {"realtime":{"connected":1,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            71.0   {"api":{"comparison_age_seconds":{"max":71.0,"p50":71.0,"p99":71.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            71.0   {"api_requests":{"users_livestreams":{"200":2,"none":7}},"realtime_reconnects":1}
        "#]],
    );
}

#[test]
fn a_database_that_is_away_and_a_refused_token_are_failing() {
    check_watched(
        "
        1 database down cannot connect
        .. quiet
        2 live 668 10
        .. written
        3 loud
        .. report
        .. quiet
        4 database up
        .. token-failed
        5 loud
        .. report
        .. token-refused
        .. report
        .. token
        .. report
        ",
        &expect![[r#"

            1.0    log db_unavailable reason="cannot connect" pending=0
            3.0    health failing
            3.0    db_unavailable since 2026-01-01T00:00:01Z: the database cannot be used, so changes wait: cannot connect
            3.0    {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:00:02Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":0,"online":1,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            3.0    {"api":{"comparison_age_seconds":{"max":3.0,"p50":3.0,"p99":3.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:00:02Z","ok":false,"pending_writes":0},"latency_ms":{"p50":0.0,"p99":0.0}}
            3.0    {"api_requests":{"users_livestreams":{"200":2}},"status_changes_push":1}
            3.0    {"at":"2026-01-01T00:00:02Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"xqc"}
            5.0    health degraded
            5.0    token_unavailable since 2026-01-01T00:00:04Z: no new token can be obtained: status 503: the server failed
            5.0    {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:00:02Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":0,"online":1,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            5.0    {"api":{"comparison_age_seconds":{"max":5.0,"p50":5.0,"p99":5.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:00:02Z","ok":true,"pending_writes":0},"latency_ms":{"p50":0.0,"p99":0.0}}
            5.0    {"api_requests":{"token":{"503":1},"users_livestreams":{"200":2}},"status_changes_push":1}
            5.0    {"at":"2026-01-01T00:00:02Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"xqc"}
            5.0    health failing
            5.0    token_refused since 2026-01-01T00:00:05Z: Kick refuses the credentials, so nothing is compared with the API: invalid_client
            5.0    {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:00:02Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":0,"online":1,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            5.0    {"api":{"comparison_age_seconds":{"max":5.0,"p50":5.0,"p99":5.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:00:02Z","ok":true,"pending_writes":0},"latency_ms":{"p50":0.0,"p99":0.0}}
            5.0    {"api_requests":{"token":{"401":1,"503":1},"users_livestreams":{"200":2}},"status_changes_push":1}
            5.0    {"at":"2026-01-01T00:00:02Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"xqc"}
            5.0    health ok
            5.0    {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:00:02Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":0,"online":1,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            5.0    {"api":{"comparison_age_seconds":{"max":5.0,"p50":5.0,"p99":5.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":"2026-01-01T01:00:05Z","uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:00:02Z","ok":true,"pending_writes":0},"latency_ms":{"p50":0.0,"p99":0.0}}
            5.0    {"api_requests":{"token":{"200":1,"401":1,"503":1},"users_livestreams":{"200":2}},"status_changes_push":1}
            5.0    {"at":"2026-01-01T00:00:02Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"xqc"}
        "#]],
    );
}

#[test]
fn rows_that_cannot_be_followed_or_written_are_named() {
    check_watched(
        "
        1 quiet
        .. auto
        .. kick xqc/676/668=offline
        .. roster 1:xqc:Offline 2:a+b:. 3:nobody:.
        .. manual
        5 live 668 10
        .. refused
        .. listening it is a pooler
        .. loud
        6 report
        .. quiet
        .. auto
        .. listening
        .. roster 1:xqc:Offline 2:x:.
        .. loud
        20 report
        ",
        &expect![[r#"

            5.2    write 1 Online by push apart
            6.0    health degraded
            6.0    write_refused since 2026-01-01T00:00:05Z: some rows are not written: xqc (id 1): 23514 too early
            6.0    roster_listener since 2026-01-01T00:00:05Z: LISTEN on ROSTER_NOTIFY_CHANNEL does not work, so new rows are noticed every ROSTER_POLL_SECS: it is a pooler
            6.0    streamer_unusable since 2026-01-01T00:00:01Z: some rows have a username or an id that cannot be used, and are left alone: "a+b" (id 2): the username has characters that no Kick name has (letters, digits, _ and - are allowed)
            6.0    streamer_unknown since 2026-01-01T00:00:01Z: Kick does not know some usernames: nobody
            6.0    {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:00:05Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":0,"online":1,"subscribed":1,"total":2,"unknown":1,"unusable":1}}
            6.0    {"api":{"comparison_age_seconds":{"max":6.0,"p50":6.0,"p99":6.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":1},"latency_ms":{"p50":null,"p99":null}}
            6.0    {"api_requests":{"channels":{"200":1},"users_livestreams":{"200":2},"website":{"404":1}},"db_write_errors":1}
            20.0   health degraded
            20.0   streamer_unknown since 2026-01-01T00:00:06Z: Kick does not know some usernames: x
            20.0   {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:00:05Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":0,"online":1,"subscribed":1,"total":2,"unknown":1,"unusable":0}}
            20.0   {"api":{"comparison_age_seconds":{"max":20.0,"p50":20.0,"p99":20.0},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:00:06Z","ok":true,"pending_writes":0},"latency_ms":{"p50":1000.0,"p99":1000.0}}
            20.0   {"api_requests":{"channels":{"200":2},"users_livestreams":{"200":2},"website":{"404":2}},"db_write_errors":1,"status_changes_push":1}
            20.0   {"at":"2026-01-01T00:00:06Z","id":"1","lag_ms":1000.0,"source":"push","status":"Online","username":"xqc"}
        "#]],
    );
}

#[test]
fn a_streamer_is_told_with_the_reasons() {
    check_watched(
        "
        1 tell 1
        2 quiet
        .. live 668 10
        .. loud
        .. tell 1
        .. quiet
        3 written
        .. roster 1:xqc:Online 2:new:Offline:77
        .. loud
        4 tell 1
        .. tell 2
        ",
        &expect![[r#"

            1.0    {"id":"1","username":"xqc","name":"xqc","status":"Offline","source":"sweep","since":"2026-01-01T00:00:00Z","shown":"Offline","user_id":676,"channel_id":668,"channel_trust":"confirmed","channel_source":"kept","connection":0,"subscribed_at":"2026-01-01T00:00:00Z","covered":true,"compared_at":"2026-01-01T00:00:00Z"}
            2.0    {"id":"1","username":"xqc","name":"xqc","status":"Online","source":"push","since":"2026-01-01T00:00:02Z","shown":"Offline","pending":"it is being written","last_push":{"status":"Online","at":"2026-01-01T00:00:02Z"},"livestream_id":10,"started_at":"2026-01-01T00:00:02Z","user_id":676,"channel_id":668,"channel_trust":"confirmed","channel_source":"kept","connection":0,"subscribed_at":"2026-01-01T00:00:00Z","covered":true,"compared_at":"2026-01-01T00:00:00Z"}
            4.0    {"id":"1","username":"xqc","name":"xqc","status":"Online","source":"push","since":"2026-01-01T00:00:02Z","shown":"Online","last_write":{"status":"Online","at":"2026-01-01T00:00:03Z"},"last_push":{"status":"Online","at":"2026-01-01T00:00:02Z"},"livestream_id":10,"started_at":"2026-01-01T00:00:02Z","user_id":676,"channel_id":668,"channel_trust":"confirmed","channel_source":"kept","connection":0,"subscribed_at":"2026-01-01T00:00:00Z","covered":true,"compared_at":"2026-01-01T00:00:00Z"}
            4.0    {"id":"2","username":"new","name":"new","status":"Offline","source":"table","since":"2026-01-01T00:00:03Z","shown":"Offline","channel_id":77,"channel_trust":"configured","channel_source":"table","connection":0,"covered":false,"compared_at":"2026-01-01T00:00:03Z"}
        "#]],
    );
}

#[test]
fn a_channel_id_is_told_with_where_it_comes_from() {
    check(
        "
        0 quiet
        .. kick ana/1/10/banner=offline ben/2=offline cid/3=offline dot/4/40=live@0 eva/5/50=offline
        .. auto
        .. down website 403
        .. learned cid/3/30
        .. roster 1:ana:Offline 2:ben:Offline:20 3:cid:Offline 4:dot:Offline 5:dot:Offline:44
        10 loud
        .. tell 1
        .. tell 2
        .. tell 3
        .. tell 4
        .. tell 5
        .. quiet
        .. up website
        3700 roster 1:eva:Offline
        3800 loud
        .. tell 1
        ",
        &expect![[r#"

            10.0   {"id":"1","username":"ana","name":"ana","status":"Offline","source":"sweep","since":"2026-01-01T00:00:00Z","shown":"Offline","user_id":1,"channel_id":10,"channel_trust":"configured","channel_source":"banner","connection":1,"covered":false,"compared_at":"2026-01-01T00:00:00Z"}
            10.0   {"id":"2","username":"ben","name":"ben","status":"Offline","source":"sweep","since":"2026-01-01T00:00:00Z","shown":"Offline","user_id":2,"channel_id":20,"channel_trust":"configured","channel_source":"table","connection":0,"covered":false,"compared_at":"2026-01-01T00:00:00Z"}
            10.0   {"id":"3","username":"cid","name":"cid","status":"Offline","source":"sweep","since":"2026-01-01T00:00:00Z","shown":"Offline","user_id":3,"channel_id":30,"channel_trust":"confirmed","channel_source":"kept","connection":0,"covered":false,"compared_at":"2026-01-01T00:00:00Z"}
            10.0   {"id":"4","username":"dot","name":"dot","status":"Online","source":"sweep","since":"2026-01-01T00:00:00Z","shown":"Online","last_write":{"status":"Online","at":"2026-01-01T00:00:00Z"},"last_found":{"status":"Online","at":"2026-01-01T00:00:00Z","by":"channels"},"started_at":"2026-01-01T00:00:00Z","user_id":4,"channel_id":40,"channel_trust":"confirmed","channel_source":"livestreams","connection":2,"covered":false,"compared_at":"2026-01-01T00:00:00Z"}
            10.0   {"id":"5","username":"dot","name":"dot","status":"Online","source":"sweep","since":"2026-01-01T00:00:00Z","shown":"Online","last_write":{"status":"Online","at":"2026-01-01T00:00:00Z"},"last_found":{"status":"Online","at":"2026-01-01T00:00:00Z","by":"channels"},"started_at":"2026-01-01T00:00:00Z","user_id":4,"channel_id":40,"channel_trust":"confirmed","channel_source":"livestreams","connection":2,"covered":false,"compared_at":"2026-01-01T00:00:00Z"}
            3800.0 {"id":"1","username":"eva","name":"eva","status":"Offline","source":"sweep","since":"2026-01-01T01:01:40Z","shown":"Offline","user_id":5,"channel_id":50,"channel_trust":"confirmed","channel_source":"website","connection":3,"covered":false,"compared_at":"2026-01-01T01:03:00Z"}
        "#]],
    );
}

#[test]
fn the_statement_that_would_help_is_never_cut() {
    let columns = "very_long_column, ".repeat(15);
    check(
        &format!(
            "0 database down 42501: permission denied for table t; to allow it: GRANT SELECT ({columns}id) ON t TO kick"
        ),
        &expect![[r#"

            0.0    log db_unavailable reason="42501: permission denied for table t; to allow it: GRANT SELECT (very_long_column, very_long_column, very_long_column, very_long_column, very_long_column, very_long_column, very_long_column, very_long_column, very_long_column, very_long_column, very_long_column, very_long_column, very_long_column, very_long_column, very_long_column, id) ON t TO kick" pending=0
        "#]],
    );
}
