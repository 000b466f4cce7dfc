//! R10: answers that would change implausibly many.

use super::check;
use expect_test::expect;

#[test]
fn r10_two_changes_in_one_answer_are_plausible_and_three_of_few_are_not() {
    check(
        &crowd(9, 2),
        &expect![[r#"

            60.0   ask users_livestreams: 1 2 3 4 5 6 7 8 9
            60.0   write 1 Online by sweep
            60.0   write 2 Online by sweep
            60.0   ask livestreams: 1 2
        "#]],
    );
    check(
        &crowd(9, 3),
        &expect![[r#"

            60.0   ask users_livestreams: 1 2 3 4 5 6 7 8 9
            60.0   log sweep_implausible endpoint=users_livestreams covered=9 changes=3
            63.0   ask channels: 1 2 3
            63.0   write 1 Online by sweep
            63.0   write 2 Online by sweep
            63.0   write 3 Online by sweep
            63.0   ask livestreams: 1 2 3
        "#]],
    );
}

#[test]
fn r10_a_fifth_of_the_answer_is_plausible_and_more_is_not() {
    check(
        &crowd(25, 5),
        &expect![[r#"

            60.0   ask users_livestreams: 25 of them
            60.0   write 1 Online by sweep
            60.0   write 2 Online by sweep
            60.0   write 3 Online by sweep
            60.0   write 4 Online by sweep
            60.0   write 5 Online by sweep
            60.0   ask livestreams: 1 2 3 4 5
        "#]],
    );
    check(
        &crowd(25, 6),
        &expect![[r#"

            60.0   ask users_livestreams: 25 of them
            60.0   log sweep_implausible endpoint=users_livestreams covered=25 changes=6
            63.0   ask channels: 1 2 3 4 5 6
            63.0   write 1 Online by sweep
            63.0   write 2 Online by sweep
            63.0   write 3 Online by sweep
            63.0   write 4 Online by sweep
            63.0   write 5 Online by sweep
            63.0   write 6 Online by sweep
            63.0   ask livestreams: 1 2 3 4 5 6
        "#]],
    );
}

/// This many streamers, all Offline, of whom `live` are live at the next sweep.
fn crowd(streamers: u32, live: u32) -> String {
    let each = |of: u32, word: fn(u32) -> String| (1..=of).map(word).collect::<Vec<_>>().join(" ");
    format!(
        "
        0 auto asks
        .. quiet
        .. kick {}
        .. roster {}
        50 kick {}
        .. loud
        61 until
        70 until
        ",
        each(streamers, |n| format!("s{n}/{n}=offline")),
        each(streamers, |n| format!("{n}:s{n}:Offline")),
        each(live, |n| format!("s{n}/{n}=live@50")),
    )
}

#[test]
fn r10_changes_from_unknown_are_always_plausible() {
    check(
        "
        0 auto
        .. kick a/1=live@0 b/2=live@0 c/3=live@0 d/4=live@0
        .. roster 1:a 2:b 3:c 4:d
        ",
        &expect![[r#"

            0.0    log roster_loaded streamers=4 added=4 removed=0
            0.0    write 1 Online by sweep
            0.0    write 2 Online by sweep
            0.0    write 3 Online by sweep
            0.0    write 4 Online by sweep
            0.0    log ready version=- seconds=0.0 streamers=4
        "#]],
    );
}

#[test]
fn r10_what_the_second_look_contradicts_never_was() {
    let names = ["a/1", "b/2", "c/3", "d/4"];
    let all = |what: &str| names.map(|name| format!("{name}={what}")).join(" ");
    check(
        &format!(
            "
            0 auto asks
            .. kick {}
            .. roster 1:a:Offline 2:b:Offline 3:c:Offline 4:d:Offline
            50 kick-at users_livestreams {}
            62 kick-at users_livestreams {}
            70 until
            ",
            all("offline"),
            all("live@50"),
            all("offline"),
        ),
        &expect![[r#"

            0.0    log roster_loaded streamers=4 added=4 removed=0
            0.0    ask channels: a b c d
            0.0    ask website: a
            0.0    log ready version=- seconds=0.0 streamers=4
            0.0    ask website: b
            0.0    ask website: c
            0.0    ask website: d
            60.0   ask users_livestreams: 1 2 3 4
            60.0   log sweep_implausible endpoint=users_livestreams covered=4 changes=4
            63.0   ask channels: 1 2 3 4
        "#]],
    );
}

#[test]
fn r10_sweeps_before_the_second_look_do_not_put_it_off() {
    let answer = "answer users_livestreams a/1=live@50 b/2=live@50 c/3=live@50";
    check(
        &format!(
            "
            0 auto
            .. kick a/1=offline b/2=offline c/3=offline
            .. roster 1:a:Offline 2:b:Offline 3:c:Offline
            55 manual
            .. sweep
            56 {answer}
            58.5 sweep
            58.6 {answer}
            59 answer channels a/1=live@50 b/2=live@50 c/3=live@50
            "
        ),
        &expect![[r#"

            0.0    log roster_loaded streamers=3 added=3 removed=0
            0.0    log ready version=- seconds=0.0 streamers=3
            55.0   read the roster
            55.0   ask users_livestreams: 1 2 3
            56.0   log sweep_implausible endpoint=users_livestreams covered=3 changes=3
            56.0   log sweep_done streamers=3 seconds=1.0 corrected=0
            58.5   read the roster
            58.5   ask users_livestreams: 1 2 3
            58.6   log sweep_done streamers=3 seconds=0.1 corrected=0
            59.0   ask channels: 1 2 3
            59.0   write 1 Online by sweep
            59.0   write 2 Online by sweep
            59.0   write 3 Online by sweep
            59.0   ask livestreams: 1 2 3
        "#]],
    );
}
