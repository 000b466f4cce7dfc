//! A transport that delivers only part of what it should (R11): one kind of event, some of the channels, or none of
//! them.

use super::{check, check_watched};
use expect_test::expect;

#[test]
fn r11_a_transport_that_tells_of_stops_and_never_of_starts_is_left() {
    check_watched(
        "
        1 auto
        .. link 0 wants-way
        .. offers pusher:old centrifugo:a
        .. link 0 connected
        .. link 0 subscribed 668
        .. quiet
        170 kick xqc/676/668=live@170
        230 kick xqc/676/668=offline
        .. stop 668 10
        390 kick xqc/676/668=live@390
        450 kick xqc/676/668=offline
        .. stop 668 11
        610 kick xqc/676/668=live@610
        670 kick xqc/676/668=offline
        .. stop 668 12
        830 kick xqc/676/668=live@830
        890 kick xqc/676/668=offline
        .. stop 668 13
        1040 kick xqc/676/668=live@1040
        1075 loud
        1090 report
        1100 kick xqc/676/668=offline
        .. stop 668 14
        1110 report
        ",
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            1.0    go 0 pusher:old
            1.0    remember pusher
            1080.0 write 1 Online by sweep
            1090.0 log push_missed username=xqc status=Online
            1090.0 log push_silent transport=pusher missed=5 kind=starts
            1090.0 ask realtime: pusher centrifugo
            1090.0 health degraded
            1090.0 push_silent since 2026-01-01T00:18:10Z: push is connected but reports nothing; the sweep finds the changes: 5 starts in a row, over pusher
            1090.0 {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:14:50Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":0,"offline":0,"online":1,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            1090.0 {"api":{"comparison_age_seconds":{"max":10.0,"p50":10.0,"p99":10.0},"last_sweep_at":"2026-01-01T00:18:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:18:00Z","ok":true,"pending_writes":0},"latency_ms":{"p50":0.0,"p99":0.0}}
            1090.0 {"api_requests":{"channels":{"200":1},"livestreams":{"200":4},"realtime":{"200":1},"users_livestreams":{"200":25},"website":{"200":4}},"push_missed":5,"realtime_reconnects":1,"status_changes_push":4,"status_changes_sweep":5}
            1090.0 {"at":"2026-01-01T00:18:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            1090.0 {"at":"2026-01-01T00:14:50Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"xqc"}
            1090.0 {"at":"2026-01-01T00:14:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            1090.0 {"at":"2026-01-01T00:11:10Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"xqc"}
            1090.0 {"at":"2026-01-01T00:11:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            1090.0 {"at":"2026-01-01T00:07:30Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"xqc"}
            1090.0 {"at":"2026-01-01T00:07:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            1090.0 {"at":"2026-01-01T00:03:50Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"xqc"}
            1090.0 {"at":"2026-01-01T00:03:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            1100.0 write 1 Offline by push
            1110.0 health degraded
            1110.0 push_silent since 2026-01-01T00:18:10Z: push is connected but reports nothing; the sweep finds the changes: 5 starts in a row, over pusher
            1110.0 {"realtime":{"connected":1,"connections":1,"last_event_at":"2026-01-01T00:18:20Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":1,"total":1,"unknown":0,"unusable":0}}
            1110.0 {"api":{"comparison_age_seconds":{"max":30.0,"p50":30.0,"p99":30.0},"last_sweep_at":"2026-01-01T00:18:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:18:20Z","ok":true,"pending_writes":0},"latency_ms":{"p50":0.0,"p99":0.0}}
            1110.0 {"api_requests":{"channels":{"200":1},"livestreams":{"200":4},"realtime":{"200":1},"users_livestreams":{"200":25},"website":{"200":4}},"push_missed":5,"realtime_reconnects":1,"status_changes_push":5,"status_changes_sweep":5}
            1110.0 {"at":"2026-01-01T00:18:20Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"xqc"}
            1110.0 {"at":"2026-01-01T00:18:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            1110.0 {"at":"2026-01-01T00:14:50Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"xqc"}
            1110.0 {"at":"2026-01-01T00:14:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            1110.0 {"at":"2026-01-01T00:11:10Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"xqc"}
            1110.0 {"at":"2026-01-01T00:11:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            1110.0 {"at":"2026-01-01T00:07:30Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"xqc"}
            1110.0 {"at":"2026-01-01T00:07:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
            1110.0 {"at":"2026-01-01T00:03:50Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"xqc"}
            1110.0 {"at":"2026-01-01T00:03:00Z","id":"1","lag_ms":0.0,"source":"sweep","status":"Online","username":"xqc"}
        "#]],
    );
}

#[test]
fn r12_a_missed_change_makes_no_id_suspect_while_the_whole_transport_is_silent() {
    let names = ["a/1/11", "b/2/12", "c/3/13", "d/4/14", "e/5/15", "f/6/16"];
    let mut script = format!(
        "
        0 learned {names}
        .. kick {offline}
        .. set per-link=10
        .. auto
        .. quiet
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline 4:d:Offline 5:e:Offline 6:f:Offline
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 11 12 13 14 15 16
        ",
        names = names.join(" "),
        offline = names.map(|name| format!("{name}=offline")).join(" ")
    );
    for (n, name) in names.iter().enumerate() {
        script.push_str(&format!("{at} kick {name}=live@{at}\n", at = 170 + 60 * n));
    }
    let last = script.rfind("470 ").expect("the sixth change");
    script.insert_str(last, "425 loud\n.. auto asks\n");
    check(
        &format!("{script} 535 quiet"),
        &expect![[r#"

        430.0  log push_missed username=e status=Online
        430.0  log push_silent transport=pusher missed=5 kind=starts
        430.0  ask realtime: pusher centrifugo
        480.0  ask users_livestreams: 1 2 3 4 5 6
        480.0  write 6 Online by sweep
        490.0  log push_missed username=f status=Online
    "#]],
    );
}

/// Push tells of all changes of two streamers, and of none of a third one's, up to 1,050 s.
fn a_third_untold() -> String {
    let mut script = "
        0 learned a/1/11 b/2/12 c/3/13
        .. kick a/1/11=offline b/2/12=offline c/3/13=offline
        .. quiet
        .. auto
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 11 12
        .. link 1 started
        .. link 1 connected
        .. link 1 subscribed 13
        "
    .to_owned();
    for n in 0..5 {
        let (live, stop) = (200 * n + 150, 200 * n + 250);
        script.push_str(&format!(
            "{live} kick a/1/11=live@{live} b/2/12=live@{live} c/3/13=live@{live}
            .. live 11 {n}1 created@{live}
            .. live 12 {n}2 created@{live}
            {stop} kick a/1/11=offline b/2/12=offline c/3/13=offline
            .. stop 11 {n}1
            .. stop 12 {n}2
            "
        ));
    }
    script
}

#[test]
fn r11_a_quarter_of_the_changes_missed_is_said() {
    let script = a_third_untold();
    check(
        &format!("{script} 1100 loud\n1101 report"),
        &expect![[r#"

            1101.0 health degraded
            1101.0 push_partial since 2026-01-01T00:08:13Z: push misses a quarter or more of the changes; the sweep finds them: 7 of the last 20
            1101.0 {"realtime":{"connected":2,"connections":2,"last_event_at":"2026-01-01T00:17:30Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":2,"offline":3,"online":0,"subscribed":3,"total":3,"unknown":0,"unusable":0}}
            1101.0 {"api":{"comparison_age_seconds":{"max":21.0,"p50":21.0,"p99":21.0},"last_sweep_at":"2026-01-01T00:18:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:18:03Z","ok":true,"pending_writes":0},"latency_ms":{"p50":0.0,"p99":0.0}}
            1101.0 {"api_requests":{"channels":{"200":6},"livestreams":{"200":10},"users_livestreams":{"200":23},"website":{"200":10}},"push_missed":10,"status_changes_push":20,"status_changes_sweep":10}
            1101.0 {"at":"2026-01-01T00:18:03Z","id":"3","lag_ms":0.0,"source":"sweep","status":"Offline","username":"c"}
            1101.0 {"at":"2026-01-01T00:17:30Z","id":"2","lag_ms":0.0,"source":"push","status":"Offline","username":"b"}
            1101.0 {"at":"2026-01-01T00:17:30Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"a"}
            1101.0 {"at":"2026-01-01T00:16:00Z","id":"3","lag_ms":0.0,"source":"sweep","status":"Online","username":"c"}
            1101.0 {"at":"2026-01-01T00:15:50Z","id":"2","lag_ms":0.0,"source":"push","status":"Online","username":"b"}
            1101.0 {"at":"2026-01-01T00:15:50Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"a"}
            1101.0 {"at":"2026-01-01T00:15:03Z","id":"3","lag_ms":0.0,"source":"sweep","status":"Offline","username":"c"}
            1101.0 {"at":"2026-01-01T00:14:10Z","id":"2","lag_ms":0.0,"source":"push","status":"Offline","username":"b"}
            1101.0 {"at":"2026-01-01T00:14:10Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"a"}
            1101.0 {"at":"2026-01-01T00:13:00Z","id":"3","lag_ms":0.0,"source":"sweep","status":"Online","username":"c"}
        "#]],
    );
}

#[test]
fn r11_push_that_tells_of_the_changes_again_is_partial_no_more() {
    let mut script = a_third_untold();
    for n in 0..8 {
        let (live, stop) = (1100 + 100 * n, 1150 + 100 * n);
        script.push_str(&format!("{live} live 11 9{n}1\n{stop} stop 11 9{n}1\n"));
    }
    check(
        &format!("{script} 1890 loud\n.. report"),
        &expect![[r#"

        1890.0 health ok
        1890.0 {"realtime":{"connected":2,"connections":2,"last_event_at":"2026-01-01T00:30:50Z","transport":"pusher","unrecognised_events":[]},"streamers":{"covered":2,"offline":3,"online":0,"subscribed":3,"total":3,"unknown":0,"unusable":0}}
        1890.0 {"api":{"comparison_age_seconds":{"max":30.0,"p50":30.0,"p99":30.0},"last_sweep_at":"2026-01-01T00:31:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":"2026-01-01T00:30:50Z","ok":true,"pending_writes":0},"latency_ms":{"p50":0.0,"p99":0.0}}
        1890.0 {"api_requests":{"channels":{"200":6},"livestreams":{"200":10},"users_livestreams":{"200":41},"website":{"200":10}},"push_missed":10,"status_changes_push":36,"status_changes_sweep":10}
        1890.0 {"at":"2026-01-01T00:30:50Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"a"}
        1890.0 {"at":"2026-01-01T00:30:00Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"a"}
        1890.0 {"at":"2026-01-01T00:29:10Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"a"}
        1890.0 {"at":"2026-01-01T00:28:20Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"a"}
        1890.0 {"at":"2026-01-01T00:27:30Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"a"}
        1890.0 {"at":"2026-01-01T00:26:40Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"a"}
        1890.0 {"at":"2026-01-01T00:25:50Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"a"}
        1890.0 {"at":"2026-01-01T00:25:00Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"a"}
        1890.0 {"at":"2026-01-01T00:24:10Z","id":"1","lag_ms":0.0,"source":"push","status":"Offline","username":"a"}
        1890.0 {"at":"2026-01-01T00:23:20Z","id":"1","lag_ms":0.0,"source":"push","status":"Online","username":"a"}
    "#]],
    );
}

#[test]
fn r11_a_transport_that_takes_nobody_is_left_after_a_minute() {
    check_watched(
        "
        1 auto
        .. link 0 wants-way
        .. offers pusher:old centrifugo:a
        .. link 0 disconnected
        .. link 0 connected
        2 link 0 failed 668
        10 link 0 failed 668
        62 link 0 failed 668
        .. offers pusher:old centrifugo:a
        63 link 1 started
        .. link 1 wants-way
        64 link 1 centrifugo
        .. link 1 subscribed 668
        ",
        &expect![[r#"

            1.0    ask realtime: pusher centrifugo
            1.0    go 0 pusher:old
            1.0    remember pusher
            2.0    log subscription_failed username=xqc channel=668 reason="refused, or not acknowledged in time"
            62.0   log realtime_refused transport=pusher code=- reason="no subscription was confirmed within a minute"
            62.0   ask realtime: pusher centrifugo
            62.0   open 1
            62.0   close 0
            63.0   subscribe 1 668
            63.0   go 1 centrifugo:a
            64.0   remember centrifugo
        "#]],
    );
}

#[test]
fn r11_a_connection_is_given_no_more_than_its_server_takes() {
    check(
        "
        0 learned a/1/11 b/2/12 c/3/13 d/4/14 e/5/15
        .. kick a/1/11=offline b/2/12=offline c/3/13=offline d/4/14=offline e/5/15=offline
        .. set per-link=10
        .. quiet
        .. auto
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline 4:d:Offline 5:e:Offline
        .. link 0 started
        .. link 0 centrifugo
        .. link 0 subscribed 11 12
        .. loud
        1 link 0 full 13
        .. link 0 full 14
        .. link 0 full 15
        2 link 1 started
        .. link 2 started
        3 roster 1:a:Offline 2:b:Offline 3:c:Offline 4:d:Offline
        ",
        &expect![[r#"

            1.0    open 1
            1.0    open 2
            1.0    unsubscribe 0 13 14 15
            2.0    subscribe 1 13 14
            2.0    subscribe 2 15
            3.0    log roster_loaded streamers=4 added=0 removed=1
            3.0    close 2
        "#]],
    );
}

#[test]
fn r11_a_channel_that_a_full_connection_was_yet_to_follow_is_followed_elsewhere_alone() {
    check(
        "
        0 learned a/1/11 b/2/12 c/3/13
        .. kick a/1/11=offline b/2/12=offline c/3/13=offline
        .. set per-link=10
        .. quiet
        .. auto
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline
        .. loud
        1 link 0 started | centrifugo | subscribed 11 | full 12
        2 link 1 started
        .. link 2 started
        ",
        &expect![[r#"

            1.0    open 1
            1.0    open 2
            1.0    unsubscribe 0 12 13
            1.0    subscribe 0 11
            2.0    subscribe 1 12
            2.0    subscribe 2 13
        "#]],
    );
}
