//! R22: who is asked about when, and what follows when Kick fails.

use super::{check, check_watched};
use expect_test::expect;

/// `n` rows from `a1` on, Offline, all with known ids.
fn rows(n: u32) -> String {
    let all = |word: fn(u32) -> String| (1..=n).map(word).collect::<Vec<_>>().join(" ");
    format!(
        "
        0 quiet
        .. learned {}
        .. kick {}
        .. auto
        .. roster {}
        .. manual
        .. loud
        ",
        all(|n| format!("a{n}/{n}/{}", 1000 + n)),
        all(|n| format!("a{n}/{n}/{}=offline", 1000 + n)),
        all(|n| format!("{n}:a{n}:Offline")),
    )
}

#[test]
fn r22_new_rows_come_before_second_looks_and_those_before_the_routine() {
    check_watched(
        "
        1 auto
        .. learned b/2/12
        .. kick xqc/676/668=live@1 b/2/12=offline
        .. roster 1:xqc:Online 9:b:Offline
        .. sweep
        29 manual
        30 answer users_livestreams
        31 roster 1:xqc:Online 2:train:Offline 9:b:Offline
        61 roster 1:xqc:Online 2:train:Offline 3:adin:Offline 9:b:Offline
        65 answer channels train/677=offline
        66 answer channels adin/678=offline
        67 answer channels xqc/676=offline
        68 answer users_livestreams
        ",
        &expect![[r#"

            1.0    log roster_loaded streamers=2 added=1 removed=0
            1.0    subscribe 0 12
            1.0    read the roster
            30.0   ask users_livestreams: 676
            31.0   log roster_loaded streamers=3 added=1 removed=0
            31.0   ask channels: train
            31.0   ask website: train
            61.0   log roster_loaded streamers=4 added=1 removed=0
            65.0   learn train/677/-
            65.0   ask channels: adin
            66.0   learn adin/678/-
            66.0   ask channels: 676
            67.0   write 1 Offline by sweep
            67.0   ask users_livestreams: 2 677
            68.0   log sweep_done streamers=3 seconds=7.0 corrected=1
        "#]],
    );
}

#[test]
fn r22_the_live_list_takes_a_hundred_and_the_others_what_is_configured() {
    check(
        &format!("{} 60 auto asks\n 61 until", rows(130)),
        &expect![[r#"

        60.0   ask users_livestreams: 100 of them
        60.0   ask users_livestreams: 30 of them
    "#]],
    );
    let names = (1..=30).map(|n| format!("{n}:n{n}:Offline")).collect::<Vec<_>>().join(" ");
    let truth = (1..=30).map(|n| format!("n{n}/{n}=offline")).collect::<Vec<_>>().join(" ");
    check(
        &format!("0 down website 403\n .. kick {truth}\n .. auto asks\n .. roster {names}\n 1 until"),
        &expect![[r#"

            0.0    log roster_loaded streamers=30 added=30 removed=0
            0.0    ask channels: 25 of them
            0.0    ask website: n1
            0.0    ask channels: n26 n27 n28 n29 n30
            0.0    log ready version=- seconds=0.0 streamers=30
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
        "#]],
    );
}

#[test]
fn r22_a_sweep_that_cannot_fit_is_said_with_the_interval_that_would() {
    check(
        &format!("{} .. set budget=1\n 60 until\n 61 set budget=60\n 200 auto\n 360 until", rows(250)),
        &expect![[r#"

            60.0   log sweep_behind streamers=250 seconds=360.0 fitting=361
            60.0   ask users_livestreams: 100 of them
        "#]],
    );
}

#[test]
fn a_sweep_that_is_late_is_finished_before_the_next_begins() {
    check(
        &format!("{} .. set budget=1\n .. auto asks\n 400 until", rows(250)),
        &expect![[r#"

        60.0   log sweep_behind streamers=250 seconds=360.0 fitting=361
        60.0   ask users_livestreams: 100 of them
        180.0  ask users_livestreams: 100 of them
        300.0  ask users_livestreams: 50 of them
        360.0  log sweep_behind streamers=250 seconds=360.0 fitting=361
    "#]],
    );
}

#[test]
fn a_refused_batch_is_halved_until_the_culprit_is_alone() {
    check(
        "
        0 down website 403
        .. quiet
        .. roster 1:a 2:b 3:c 4:d 5:e
        .. website-fail 403
        .. loud
        .. fail 400
        .. fail 400
        .. answer channels d/4=offline e/5=live@0
        .. fail 400
        .. answer channels a/1=offline b/2=offline
        .. written
        ",
        &expect![[r#"

            0.0    ask channels: c d e
            0.0    ask channels: d e
            0.0    learn d/4/-
            0.0    learn e/5/-
            0.0    write 4 Offline by sweep
            0.0    write 5 Online by sweep
            0.0    ask channels: c
            0.0    log streamer_unknown username=c id=3
            0.0    ask channels: a b
            0.0    learn a/1/-
            0.0    learn b/2/-
            0.0    write 1 Offline by sweep
            0.0    write 2 Offline by sweep
            0.0    log ready version=- seconds=0.0 streamers=5
            0.0    ask livestreams: 5
            0.0    log status_changed username=d id=4 status=Offline source=sweep lag_ms=0
            0.0    log status_changed username=e id=5 status=Online source=sweep lag_ms=0
            0.0    log status_changed username=a id=1 status=Offline source=sweep lag_ms=0
            0.0    log status_changed username=b id=2 status=Offline source=sweep lag_ms=0
        "#]],
    );
}

#[test]
fn the_api_is_left_alone_for_a_growing_time_after_errors() {
    check_watched(
        "
        20 down users_livestreams 500
        30 auto asks
        180 up users_livestreams
        210 until
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            30.0   log api_error status=500 endpoint=users_livestreams retry_in=0.9 reason=500
            30.9   ask users_livestreams: 676
            32.8   ask users_livestreams: 676
            36.8   ask users_livestreams: 676
            43.6   ask users_livestreams: 676
            59.0   ask users_livestreams: 676
            88.6   ask users_livestreams: 676
            118.6  ask users_livestreams: 676
            148.0  ask users_livestreams: 676
            174.8  ask users_livestreams: 676
            201.5  ask users_livestreams: 676
            201.5  log api_recovered endpoint=users_livestreams
        "#]],
    );
}

#[test]
fn retry_after_is_obeyed_but_not_for_ever() {
    check_watched(
        "
        30 fail 503 20
        49 until
        51 fail 429 86400
        640 until
        655 answer channels xqc/676=offline
        690 until
        .. answer users_livestreams
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            30.0   log api_error status=503 endpoint=users_livestreams retry_in=20.0 reason=503
            50.0   ask users_livestreams: 676
            51.0   log api_rate_limited status=429 endpoint=users_livestreams retry_in=600.0
            651.0  ask channels: xqc
            655.0  log sweep_done streamers=1 seconds=55.0 corrected=0
            655.0  ask users_livestreams: 676
            690.0  log api_recovered endpoint=users_livestreams
            690.0  ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn an_endpoint_that_stays_broken_keeps_nobody_from_being_asked_about_elsewhere() {
    check(
        "
        0 quiet
        .. learned a/1/11 b/2/12
        .. kick a/1/11=live@0 b/2/12=offline
        .. auto
        .. roster 1:a:Online 2:b:Offline
        .. loud
        10 down channels 500
        .. kick a/1/11=offline
        70 roster 1:a:Online 2:b:Offline 3:unknown:Online
        100 kick b/2/12=live@100
        200 kick b/2/12=offline
        .. up channels
        300 until
        ",
        &expect![[r#"

            63.0   log api_error status=500 endpoint=channels retry_in=0.9 reason=500
            70.0   log roster_loaded streamers=3 added=1 removed=0
            120.0  write 2 Online by sweep
            206.3  log api_recovered endpoint=channels
            206.3  log streamer_unknown username=unknown id=3
            206.3  write 1 Offline by sweep
            243.0  write 2 Offline by sweep
        "#]],
    );
}

#[test]
fn an_endpoint_that_is_no_more_is_done_without_and_tried_again_a_day_later() {
    check_watched(
        "
        1 auto asks
        .. down users_livestreams 410
        .. down livestreams 404
        100 until
        .. kick xqc/676/668=live@100
        130 auto
        .. quiet
        86300 up users_livestreams
        86405 loud
        .. auto asks
        86500 until
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            30.0   log api_error status=410 endpoint=users_livestreams retry_in=0.0 reason=410
            30.0   ask livestreams: 676
            30.0   log api_error status=404 endpoint=livestreams retry_in=0.0 reason=404
            30.0   ask channels: 676
            60.0   ask channels: 676
            90.0   ask channels: 676
            120.0  ask channels: 676
            120.0  write 1 Online by sweep
            130.0  log push_missed username=xqc status=Online
            130.0  ask website: xqc
            86460.0 ask users_livestreams: 676
            86460.0 log api_recovered endpoint=users_livestreams
        "#]],
    );
}

#[test]
fn the_website_is_left_alone_for_an_hour_after_it_blocked_us() {
    check(
        "
        0 auto asks
        .. down website 403
        .. kick a/1/11=offline b/2/12=offline
        .. set sweep=86400
        .. roster 1:a:Offline 2:b:Offline
        3599 up website
        3605 until
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=2 added=2 removed=0
            0.0    ask channels: a b
            0.0    ask website: a
            0.0    log ready version=- seconds=0.0 streamers=2
            0.0    log api_blocked status=403 endpoint=website retry_in=3600.0 reason=403
            600.0  ask channels: a b
            3600.0 ask website: b
            3600.0 log api_recovered endpoint=website
            3600.0 ask website: a
            3600.0 open 0
        "#]],
    );
}

#[test]
fn without_a_token_nothing_is_lost_and_the_first_one_is_used_at_once() {
    check_watched(
        "
        30 fail no-token
        31 fail no-token
        31.5 token
        .. answer users_livestreams
        ",
        &expect![[r#"

            30.0   ask users_livestreams: 676
            31.0   ask users_livestreams: 676
            31.5   ask users_livestreams: 676
        "#]],
    );
}

#[test]
fn an_asker_that_died_is_asked_again() {
    check_watched(
        "30 asker-died",
        &expect![[r#"

        30.0   ask users_livestreams: 676
        30.0   ask users_livestreams: 676
    "#]],
    );
}

/// What was asked in the minute after the failure.
#[test]
fn r22_a_firewall_that_says_403_lowers_the_budget_like_a_429() {
    let names = (1..=90).map(|n| format!("{n}:name{n}:Offline")).collect::<Vec<_>>().join(" ");
    let asked_after = |failure: &str| {
        format!(
            "
            0 set budget=60 batch=1
            .. down website 403
            .. down channels {failure}
            .. quiet
            .. auto
            .. roster {names}
            0.1 up channels
            59.9 loud
            .. count"
        )
    };
    check(
        &asked_after("500"),
        &expect![[r#"

        59.9   counted: channels 58, wakes 52, website 1
    "#]],
    );
    check(
        &asked_after("403"),
        &expect![[r#"

        59.9   counted: channels 25, wakes 38, website 1
    "#]],
    );
    check(
        &asked_after("429"),
        &expect![[r#"

        59.9   counted: channels 25, wakes 38, website 1
    "#]],
    );
}
