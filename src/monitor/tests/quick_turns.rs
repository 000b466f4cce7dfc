//! R23: how the streamers that push does not cover share the budget with everything else.

use super::check;
use super::script::Story;
use expect_test::{Expect, expect};

#[test]
fn r23_the_rest_of_a_request_is_for_those_whose_turn_is_next() {
    check(
        "
        0 set uncovered=3
        .. learned a/1/11 b/2/22 c/3/33
        .. kick a/1/11=offline b/2/22=offline c/3/33=offline
        .. auto
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 11
        95 auto asks
        95 until
        98.5 link 1 started
        .. link 1 connected
        .. link 1 subscribed 33
        .. sweep
        105 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=3 added=3 removed=0
            0.0    open 0
            0.0    open 1
            0.0    log ready version=- seconds=0.0 streamers=3
            0.0    subscribe 0 11 22
            96.0   ask users_livestreams: 2 3
            98.5   subscribe 1 33
            98.5   ask users_livestreams: 2 3
            98.5   read the roster
            98.5   ask users_livestreams: 1 2 3
            101.5  ask users_livestreams: 2
            104.5  ask users_livestreams: 2
        "#]],
    );
}

/// A thousand streamers that push does not cover are compared by turns within the budget, those that have waited
/// longest first.
#[test]
fn r23_a_great_roster_goes_round_as_fast_as_the_budget_allows() {
    let names: Vec<usize> = (1..=1000).collect();
    let words = |word: &dyn Fn(&usize) -> String| names.iter().map(word).collect::<Vec<_>>().join(" ");
    let learned = words(&|n| format!("s{n}/{n}/{n}"));
    let kick = words(&|n| format!("s{n}/{n}/{n}=offline"));
    let roster = words(&|n| format!("{n}:s{n}:Offline"));
    check(
        &format!(
            "
            0 set uncovered=3 budget=60
            .. learned {learned}
            .. kick {kick}
            .. auto
            .. quiet
            .. roster {roster}
            60 loud
            .. count
            120 count
            .. report
            180 count
            "
        ),
        &expect![[r#"

            60.0   counted: users_livestreams 55, wakes 46
            120.0  counted: users_livestreams 50, wakes 50
            120.0  health degraded
            120.0  push_down since 2026-01-01T00:02:00Z: no push connection is established, so changes are found by the sweep
            120.0  push_limited since 2026-01-01T00:00:00Z: push does not follow all streamers: each push connection needs two open files, and too few are allowed; the sweep finds the changes of the others: streamers not followed: 76; push connections that the limit of 1024 open files allows: 462
            120.0  {"realtime":{"connected":0,"connections":462,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":1000,"online":0,"subscribed":0,"total":1000,"unknown":0,"unusable":0}}
            120.0  {"api":{"comparison_age_seconds":{"max":10.8,"p50":4.8,"p99":10.8},"last_sweep_at":"2026-01-01T00:01:10.8Z","last_sweep_seconds":10.8,"ready":true,"token_expires_at":null,"uncovered_every_seconds":12.0},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            120.0  {"api_requests":{"users_livestreams":{"200":105}}}
            180.0  counted: users_livestreams 50, wakes 50
        "#]],
    );
}

/// No streamer is left out while the budget is too small for all: those that push does not cover, the sweep of the
/// others and the look-ups take turns.
#[test]
fn r23_in_a_small_budget_all_take_turns() {
    check(
        "
        0 set uncovered=3 budget=6 batch=1
        .. learned a/1/11 b/2/22
        .. kick a/1/11=offline b/2/22=offline c/3=offline
        .. auto asks
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline
        .. link 0 started
        .. link 0 connected
        .. link 0 subscribed 11
        240 report
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=3 added=3 removed=0
            0.0    ask users_livestreams: 1 2
            0.0    open 0
            0.0    subscribe 0 11 22
            12.0   ask users_livestreams: 1 2
            24.0   ask channels: c
            24.0   log ready version=- seconds=24.0 streamers=3
            36.0   ask users_livestreams: 1 2 3
            48.0   ask users_livestreams: 2 3
            60.0   ask website: c
            72.0   ask users_livestreams: 1
            84.0   ask users_livestreams: 2 3
            96.0   ask users_livestreams: 1 2 3
            108.0  ask users_livestreams: 2 3
            120.0  ask users_livestreams: 1
            132.0  ask users_livestreams: 2 3
            144.0  ask users_livestreams: 2 3
            156.0  ask users_livestreams: 2 3
            168.0  ask users_livestreams: 2 3
            180.0  ask users_livestreams: 1
            192.0  ask users_livestreams: 2 3
            204.0  ask users_livestreams: 2 3
            216.0  ask users_livestreams: 2 3
            228.0  ask users_livestreams: 2 3
            240.0  ask users_livestreams: 1
            240.0  health ok
            240.0  {"realtime":{"connected":1,"connections":1,"last_event_at":null,"transport":"pusher","unrecognised_events":[]},"streamers":{"covered":1,"offline":3,"online":0,"subscribed":1,"total":3,"unknown":0,"unusable":0}}
            240.0  {"api":{"comparison_age_seconds":{"max":12.0,"p50":12.0,"p99":12.0},"last_sweep_at":"2026-01-01T00:03:12Z","last_sweep_seconds":12.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":12.0},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            240.0  {"api_requests":{"channels":{"200":1},"users_livestreams":{"200":19},"website":{"200":1}}}
        "#]],
    );
}

/// A streamer that fails every request is asked about alone, once in a sweep.
#[test]
fn r23_who_fails_every_request_is_not_asked_about_oftener() {
    check(
        "
        0 set uncovered=3
        .. learned a/1/11 b/2/22 c/3/33
        .. kick a/1/11=offline b/2/22=offline c/3/33=offline
        .. poison users_livestreams 2 500
        .. auto
        .. quiet
        .. roster 1:a:Offline 2:b:Offline 3:c:Offline
        60 loud
        .. auto asks
        125 until
        ",
        &expect![[r#"

            62.8   ask users_livestreams: 1 3
            65.8   ask users_livestreams: 1 3
            68.8   ask users_livestreams: 1 3
            71.8   ask users_livestreams: 1 3
            74.8   ask users_livestreams: 1 3
            77.8   ask users_livestreams: 1 3
            80.8   ask users_livestreams: 1 3
            83.8   ask users_livestreams: 1 3
            86.8   ask users_livestreams: 1 3
            89.8   ask users_livestreams: 1 3
            92.8   ask users_livestreams: 1 3
            95.8   ask users_livestreams: 1 3
            98.8   ask users_livestreams: 1 3
            101.8  ask users_livestreams: 1 3
            104.8  ask users_livestreams: 1 3
            107.8  ask users_livestreams: 1 3
            110.8  ask users_livestreams: 1 3
            113.8  ask users_livestreams: 1 3
            116.8  ask users_livestreams: 1 3
            119.8  ask users_livestreams: 1 3
            120.0  ask users_livestreams: 2
            120.0  log api_error status=500 endpoint=users_livestreams retry_in=1.0 reason=500
            122.8  ask users_livestreams: 1 3
            122.8  log api_recovered endpoint=users_livestreams
        "#]],
    );
}

/// A name that Kick does not know keeps its own pace, and is never due for a comparison.
#[test]
fn r23_an_unknown_name_keeps_its_own_pace() {
    check(
        "
        0 set uncovered=3
        .. auto asks
        .. roster 1:a:Offline
        100 report
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    ask channels: a
            0.0    ask website: a
            0.0    log streamer_unknown username=a id=1
            0.0    log ready version=- seconds=0.0 streamers=1
            30.0   ask channels: a
            90.0   ask channels: a
            100.0  health degraded
            100.0  streamer_unknown since 2026-01-01T00:00:00Z: Kick does not know some usernames: a
            100.0  {"realtime":{"connected":0,"connections":0,"last_event_at":null,"transport":null,"unrecognised_events":[]},"streamers":{"covered":0,"offline":1,"online":0,"subscribed":0,"total":1,"unknown":0,"unusable":0}}
            100.0  {"api":{"comparison_age_seconds":{"max":null,"p50":null,"p99":null},"last_sweep_at":"2026-01-01T00:00:00Z","last_sweep_seconds":0.0,"ready":true,"token_expires_at":null,"uncovered_every_seconds":null},"database":{"last_write_at":null,"ok":true,"pending_writes":0},"latency_ms":{"p50":null,"p99":null}}
            100.0  {"api_requests":{"channels":{"200":3},"website":{"404":1}}}
        "#]],
    );
}

/// An API that does not answer is not asked more often because of it.
#[test]
fn r23_an_api_that_is_away_is_not_hammered() {
    check(
        "
        0 set uncovered=3
        .. learned a/1/11 b/2/22
        .. kick a/1/11=offline b/2/22=offline
        .. auto
        .. roster 1:a:Offline 2:b:Offline
        10 count
        .. down users_livestreams 503
        .. down channels 503
        130 count
        .. up users_livestreams
        .. up channels
        160 count
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=2
            10.0   counted: users_livestreams 4, wakes 3
            12.0   log api_error status=503 endpoint=users_livestreams retry_in=0.9 reason=503
            130.0  counted: users_livestreams 9, wakes 124
            156.8  log api_recovered endpoint=users_livestreams
            160.0  counted: users_livestreams 2, wakes 29
        "#]],
    );
}

/// An API that lags by twenty seconds, each endpoint by a different time, takes no status back.
#[test]
fn r23_an_api_that_trails_has_nobody_flap() {
    check(
        "
        0 set uncovered=3
        .. learned a/1/11
        .. kick a/1/11=offline
        .. auto
        .. roster 1:a:Offline
        100 kick-at users_livestreams a/1/11=live@90
        110 kick-at channels a/1/11=live@90
        .. kick-at livestreams a/1/11=live@90
        300 kick-at channels a/1/11=offline
        320 kick-at users_livestreams a/1/11=missing
        .. kick-at livestreams a/1/11=missing
        400 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            102.0  write 1 Online by sweep
            324.0  write 1 Offline by sweep
        "#]],
    );
}

/// A sweep that left streamers to their quick turns goes on when the settings end those.
#[test]
fn r23_quick_turns_that_are_taken_away_hold_up_no_sweep() {
    check(
        "
        0 set uncovered=7
        .. learned a/1/11
        .. kick a/1/11=offline
        .. auto
        .. roster 1:a:Offline
        61 auto asks
        .. set uncovered=60
        190 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=1 added=1 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=1
            120.0  ask users_livestreams: 1
            180.0  ask users_livestreams: 1
        "#]],
    );
}

/// A name that Kick did not know, beside a hundred webhooks to be subscribed to (`webhooks on`), or a hundred channel ids
/// to be looked up, with five requests a minute.
#[track_caller]
fn check_latecomer(also: &str, expect: &Expect) {
    let each = |one: fn(u32) -> String| (0..100).map(one).collect::<Vec<String>>().join(" ");
    let mut story = Story::new();
    story.play(&format!(
        "
        0 set budget=5 uncovered=3
        {also}
        .. kick {}
        .. auto
        .. roster {} 100:latecomer:Offline
        100 kick latecomer/77/78=live@50
        ",
        each(|n| format!("n{n}/{}/{}=offline", 1000 + n, 5000 + n)),
        each(|n| format!("{n}:n{n}:Offline")),
    ));
    story.forget_transcript();
    story.play("600 until");
    let written = |line: &&str| line.contains("write");
    expect.assert_eq(&story.transcript().lines().filter(written).collect::<Vec<&str>>().join("\n"));
}

#[test]
fn r22_a_name_that_kick_did_not_know_takes_turns_with_webhooks() {
    let learned: String = (0..100).map(|n| format!(" n{n}/{}/{}", 1000 + n, 5000 + n)).collect();
    check_latecomer(&format!(".. webhooks on\n.. learned{learned}"), &expect!["150.0  write 100 Online by sweep"]);
}

#[test]
fn r22_a_name_that_kick_did_not_know_takes_turns_with_look_ups_of_channel_ids() {
    check_latecomer("", &expect!["105.0  write 100 Online by sweep"]);
}

#[test]
fn r22_a_flood_of_old_events_about_one_streamer_leaves_room_for_the_others() {
    let flood: String = (0..480).map(|n| format!("{}.{} live 668 9\n", 200 + n / 10, n % 10)).collect();
    check(
        &format!(
            "
            0 learned xqc/676/668 bob/677/669
            .. kick xqc/676/668=live@0 bob/677/669=live@0
            .. auto
            .. roster 1:xqc:Online 2:bob:Online
            .. link 0 started
            .. link 0 connected
            .. link 0 subscribed 668
            50 stop 668 9
            .. live 668 10
            199 kick bob/677/669=offline
            {flood}
            260 until
            "
        ),
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    open 0
            0.0    log ready version=- seconds=0.0 streamers=2
            0.0    subscribe 0 668 669
            50.0   write 1 Offline by push
            50.0   write 1 Online by push
            243.0  write 2 Offline by sweep
        "#]],
    );
}
