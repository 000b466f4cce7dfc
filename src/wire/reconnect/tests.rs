//! The pauses of docs/rules.md, "Times". No server can make us reconnect too often.

use super::Reconnect;
use crate::domain::Steady;
use crate::domain::push::EndKind::{self, ComeBack, Later, Lost, Refused};
use expect_test::{Expect, expect};
use std::fmt::Write;
use std::time::Duration;

fn at(seconds: f64) -> Steady {
    Steady::after(Duration::from_secs_f64(seconds))
}

/// The pauses after connections that were established at once, lasted `lived` seconds and ended like this.
fn check(lived: Option<f64>, ends: &[EndKind], expected: Expect) {
    let mut reconnect = Reconnect::new(7);
    let mut now = at(0.0);
    let mut transcript = String::new();
    for &end in ends {
        if let Some(lived) = lived {
            reconnect.connected(now);
            now = now + Duration::from_secs_f64(lived);
        }
        let pause = reconnect.ended(now, end);
        now = now + pause;
        writeln!(transcript, "{end:?} {:.1}", pause.as_secs_f64()).expect("a string takes all");
    }
    expected.assert_eq(&transcript);
}

#[test]
fn ordinary_losses_are_answered_soon_once_and_then_ever_later() {
    check(
        None,
        &[Lost; 10],
        expect![[r#"
            Lost 0.4
            Lost 1.0
            Lost 1.7
            Lost 3.6
            Lost 7.8
            Lost 15.5
            Lost 26.9
            Lost 58.9
            Lost 58.3
            Lost 54.7
        "#]],
    );
    for seed in 0..200 {
        let mut reconnect = Reconnect::new(seed);
        let first = reconnect.ended(at(0.0), Lost);
        assert!((Duration::from_millis(100)..=Duration::from_millis(500)).contains(&first), "{first:?}");
    }
}

#[test]
fn over_capacity_waits_a_second_at_least() {
    check(
        Some(0.2),
        &[Later; 8],
        expect![[r#"
            Later 1.1
            Later 2.4
            Later 4.3
            Later 9.0
            Later 19.5
            Later 38.7
            Later 50.5
            Later 58.9
        "#]],
    );
    for seed in 0..200 {
        let first = Reconnect::new(seed).ended(at(0.0), Later);
        assert!((Duration::from_secs(1)..Duration::from_millis(1251)).contains(&first), "{first:?}");
    }
}

#[test]
fn a_refusal_asks_anew_at_once_and_then_ever_later() {
    check(
        Some(0.2),
        &[Refused; 8],
        expect![[r#"
            Refused 0.0
            Refused 4.2
            Refused 9.6
            Refused 17.1
            Refused 36.2
            Refused 78.1
            Refused 116.0
            Refused 101.0
        "#]],
    );
}

#[test]
fn come_back_is_obeyed_three_times_in_five_seconds() {
    check(
        Some(0.1),
        &[ComeBack; 12],
        expect![[r#"
            ComeBack 0.0
            ComeBack 0.0
            ComeBack 0.0
            ComeBack 0.4
            ComeBack 1.0
            ComeBack 1.7
            ComeBack 3.6
            ComeBack 0.0
            ComeBack 0.0
            ComeBack 0.0
            ComeBack 7.8
            ComeBack 0.0
        "#]],
    );
}

#[test]
fn a_stable_minute_is_what_it_takes_to_forget() {
    let wait_after = |lived: f64| {
        let mut reconnect = Reconnect::new(1);
        for _ in 0..8 {
            reconnect.ended(at(0.0), Lost);
        }
        reconnect.connected(at(1000.0));
        reconnect.ended(at(1000.0 + lived), Lost)
    };
    assert!(wait_after(59.9) > Duration::from_secs(40));
    assert!(wait_after(60.0) <= Duration::from_millis(500));
    // Time without a connection does not count as a stable connection.
    let mut reconnect = Reconnect::new(1);
    reconnect.ended(at(0.0), Lost);
    assert!(reconnect.ended(at(500.0), Lost) > Duration::from_millis(500));
}

#[test]
fn a_server_that_greets_and_closes_with_4200_at_once_is_not_hammered() {
    let mut reconnect = Reconnect::new(3);
    let mut now = at(0.0);
    let mut connections = 0;
    while now < at(60.0) {
        connections += 1;
        reconnect.connected(now);
        now = now + reconnect.ended(now, ComeBack);
    }
    expect!["23"].assert_eq(&connections.to_string());
}
