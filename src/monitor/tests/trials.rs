//! R11: a trial of a silent transport goes on until the transport proves itself.

use super::check_watched;
use super::transports::DEAF;
use expect_test::expect;

/// After [`DEAF`]: the link that replaces the first one is connected by Centrifugo.
const MOVED: &str = "
    430 quiet
    .. offers pusher:old centrifugo:a
    .. link 1 started
    .. link 1 wants-way
    .. link 1 centrifugo
    .. link 1 subscribed 668
    431 loud
";

#[test]
fn r11_an_event_through_a_trial_is_evidence_and_brings_the_transport_back() {
    check_watched(
        &format!(
            "{DEAF} {MOVED}
            1030 offers pusher:old centrifugo:a
            1031 link 2 started
            .. link 2 wants-way
            1032 link 2 connected
            .. link 2 subscribed 668
            1040 stop 668 10 link=2
            .. stop 668 10 link=1
            1041 link 3 started
            .. link 3 wants-way
            "
        ),
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            1.0    go 0 pusher:old
            1.0    remember pusher
            430.0  log push_missed username=xqc status=Online
            430.0  log push_silent transport=pusher missed=5 kind=both
            430.0  ask realtime: pusher centrifugo
            1030.0 ask realtime: pusher centrifugo
            1030.0 open 2
            1031.0 subscribe 2 668
            1031.0 go 2 pusher:old
            1040.0 write 1 Offline by push
            1040.0 open 3
            1040.0 close 2
            1040.0 close 1
            1040.0 log detail push_stranger
            1041.0 subscribe 3 668
            1041.0 go 3 pusher:old
        "#]],
    );
}

#[test]
fn r24_a_trial_whose_events_have_other_names_tells_them() {
    check_watched(
        &format!(
            "{DEAF} {MOVED}
            1030 offers pusher:old centrifugo:a
            1031 link 2 started
            .. link 2 wants-way
            1032 link 2 connected
            .. link 2 subscribed 668
            1040 unrecognised App\\Events\\BroadcastOver 668 link=2
            1041 kick xqc/676/668=offline
            1100 until
            "
        ),
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            1.0    go 0 pusher:old
            1.0    remember pusher
            430.0  log push_missed username=xqc status=Online
            430.0  log push_silent transport=pusher missed=5 kind=both
            430.0  ask realtime: pusher centrifugo
            1030.0 ask realtime: pusher centrifugo
            1030.0 open 2
            1031.0 subscribe 2 668
            1031.0 go 2 pusher:old
            1083.0 write 1 Offline by sweep
            1093.0 log push_missed username=xqc status=Offline unrecognised="App\\Events\\BroadcastOver"
        "#]],
    );
}

#[test]
fn r11_a_trial_that_misses_what_another_brings_is_over_and_the_next_comes_later() {
    check_watched(
        &format!(
            "{DEAF} {MOVED}
            1030 offers pusher:old centrifugo:a
            1031 link 2 started
            1032 stop 668 9 link=1
            1033 link 2 subscribed 668
            1040 live 668 10 link=1
            1041 stop 668 10 link=1
            1042 link 2 disconnected
            1043 live 668 11 link=1
            1044 link 2 subscribed 668
            1045 stop 668 11 link=1
            .. kick xqc/676/668=offline
            2244 until
            2246 until
            "
        ),
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            1.0    go 0 pusher:old
            1.0    remember pusher
            430.0  log push_missed username=xqc status=Online
            430.0  log push_silent transport=pusher missed=5 kind=both
            430.0  ask realtime: pusher centrifugo
            1030.0 ask realtime: pusher centrifugo
            1030.0 open 2
            1031.0 subscribe 2 668
            1032.0 write 1 Offline by push
            1040.0 write 1 Online by push
            1041.0 write 1 Offline by push
            1043.0 write 1 Online by push
            1045.0 write 1 Offline by push
            1045.0 close 2
            2245.0 ask realtime: pusher centrifugo
        "#]],
    );
}

#[test]
fn r11_a_trial_ends_where_the_transport_refuses_or_all_connections_are_made_anew() {
    check_watched(
        &format!(
            "{DEAF} {MOVED}
            1030 offers pusher:old centrifugo:a
            1031 link 2 started
            .. link 2 refused 4001 no such app
            .. report
            2231 offers pusher:old centrifugo:a
            2232 relink
            .. link 3 wants-way
            "
        ),
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            1.0    go 0 pusher:old
            1.0    remember pusher
            430.0  log push_missed username=xqc status=Online
            430.0  log push_silent transport=pusher missed=5 kind=both
            430.0  ask realtime: pusher centrifugo
            1030.0 ask realtime: pusher centrifugo
            1030.0 open 2
            1031.0 subscribe 2 668
            1031.0 close 2
            1031.0 health degraded
            1031.0 push_silent since 2026-01-01T00:07:10Z: push is connected but reports nothing; the sweep finds the changes: 5 changes in a row, over pusher
            1031.0 {"realtime":{"connected":1,"connections":1,"last_event_at":null,"transport":"centrifugo","unrecognised_events":[]},"streamers":{"covered":1,"offline":0,"online":1,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            1031.0 {"api":{"comparison_age_seconds":{"max":11.0,"p50":11.0,"p99":11.0},"last_sweep_at":"2026-01-01T00:17:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:07:00Z","ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            1031.0 {"api_requests":{"channels":{"200":3},"livestreams":{"200":4},"realtime":{"200":3},"users_livestreams":{"200":27},"website":{"200":4}},"push_missed":5,"realtime_reconnects":1,"status_changes_sweep":5}
            1031.0 {"at":"2026-01-01T00:07:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            1031.0 {"at":"2026-01-01T00:06:03Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Offline","username":"xqc"}
            1031.0 {"at":"2026-01-01T00:05:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            1031.0 {"at":"2026-01-01T00:04:03Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Offline","username":"xqc"}
            1031.0 {"at":"2026-01-01T00:03:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            2231.0 ask realtime: pusher centrifugo
            2231.0 open 3
            2232.0 open 4
            2232.0 close 3
            2232.0 close 1
        "#]],
    );
}

#[test]
fn r11_a_trial_listens_for_whom_is_still_followed_and_ends_with_the_last() {
    check_watched(
        &format!(
            "{DEAF} {MOVED}
            900 roster 1:xqc:Online:668 2:train:Offline:669
            1030 offers pusher:old centrifugo:a
            1031 link 2 started
            1032 roster 2:train:Offline:669
            1033 roster
            1034 roster
            1035 roster 3:asmon:Offline:670
            "
        ),
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            1.0    go 0 pusher:old
            1.0    remember pusher
            430.0  log push_missed username=xqc status=Online
            430.0  log push_silent transport=pusher missed=5 kind=both
            430.0  ask realtime: pusher centrifugo
            900.0  log roster_loaded streamers=2 added=1 removed=0
            900.0  subscribe 1 669
            900.0  log streamer_unknown username=train id=2
            1030.0 ask realtime: pusher centrifugo
            1030.0 open 2
            1031.0 subscribe 2 668 669
            1032.0 unsubscribe 2 668
            1032.0 log roster_loaded streamers=1 added=0 removed=1
            1032.0 unsubscribe 1 668
            1034.0 log roster_loaded streamers=0 added=0 removed=1
            1034.0 close 1
            1034.0 close 2
            1035.0 log roster_loaded streamers=1 added=1 removed=0
            1035.0 open 3
            1035.0 log streamer_unknown username=asmon id=3
        "#]],
    );
}

#[test]
fn r11_without_anybody_to_follow_there_is_no_trial() {
    check_watched(
        &format!(
            "{DEAF} {MOVED}
            900 roster
            .. roster
            1030 offers pusher:old centrifugo:a
            1031 until
            "
        ),
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            1.0    go 0 pusher:old
            1.0    remember pusher
            430.0  log push_missed username=xqc status=Online
            430.0  log push_silent transport=pusher missed=5 kind=both
            430.0  ask realtime: pusher centrifugo
            900.0  log roster_loaded streamers=0 added=0 removed=1
            900.0  close 1
            1030.0 ask realtime: pusher centrifugo
        "#]],
    );
}
