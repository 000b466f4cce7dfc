//! Which link gets which token, and how often Kick is asked for one.

use super::Tokens;
use crate::domain::Steady;
use crate::domain::ask::{Failure, FailureKind, Phase};
use crate::domain::push::LinkId;
use crate::domain::secret::Secret;
use std::time::Duration;

fn at(millis: u64) -> Steady {
    Steady::after(Duration::from_millis(millis))
}

fn failure(kind: FailureKind) -> Failure {
    Failure { kind, status: None, text: "no".to_owned() }
}

/// These links want a token. If the last one will not do, Kick issues `next`. Returns what each of them got.
fn want(tokens: &mut Tokens, now: Steady, links: &[u32], next: &str) -> Vec<(u32, String)> {
    links.iter().for_each(|link| tokens.want(LinkId(*link)));
    let mut given = tokens.share(now);
    if tokens.due().is_some_and(|due| due <= now) {
        tokens.came(now, Secret::new(next));
        given.extend(tokens.share(now));
    }
    given.into_iter().map(|(link, token)| (link.0, token.reveal().to_owned())).collect()
}

fn all(links: &[u32], token: &str) -> Vec<(u32, String)> {
    links.iter().map(|link| (*link, token.to_owned())).collect()
}

#[test]
fn links_that_want_a_token_at_once_share_one_and_none_gets_it_twice() {
    let mut tokens = Tokens::new();
    assert_eq!(want(&mut tokens, at(0), &[0, 1, 2], "t1"), all(&[0, 1, 2], "t1"));
    assert_eq!(want(&mut tokens, at(1999), &[3], "t2"), all(&[3], "t1"));
    // Refused at once, perhaps because of the token: the very next connection tries another one.
    assert_eq!(want(&mut tokens, at(1999), &[0, 4], "t2"), all(&[0, 4], "t2"));
    assert_eq!(want(&mut tokens, at(4000), &[5], "t3"), all(&[5], "t3"), "two seconds later it is old");
    tokens.doubt();
    assert_eq!(want(&mut tokens, at(4001), &[6], "t4"), all(&[6], "t4"), "not one that may be refused");
}

#[test]
fn who_has_hung_up_gets_none_and_costs_nothing() {
    let mut tokens = Tokens::new();
    tokens.want(LinkId(0));
    tokens.want_no_more(LinkId(0));
    assert_eq!(tokens.due(), None);
    assert_eq!(want(&mut tokens, at(0), &[], "t1"), []);
}

#[test]
fn a_failure_is_made_up_for_after_a_pause_that_grows_and_that_kick_may_stretch() {
    let (mut tokens, mut rng) = (Tokens::new(), fastrand::Rng::with_seed(1));
    tokens.want(LinkId(0));
    for (n, most) in (0..).zip([1, 2, 4, 8, 16, 30, 30].map(Duration::from_secs)) {
        let now = at(n * 100_000);
        let pause = tokens.failed(now, &failure(FailureKind::Server(None)), &mut rng);
        assert!(most.mul_f64(0.8) <= pause && pause <= most, "{pause:?}, jittered downwards from {most:?}");
        assert_eq!(tokens.due(), Some(now + pause));
    }
    let limited = failure(FailureKind::RateLimited(Some(Duration::from_secs(90))));
    assert_eq!(tokens.failed(at(900_000), &limited, &mut rng), Duration::from_secs(90));
    assert_eq!(want(&mut tokens, at(990_000), &[1], "t1"), all(&[0, 1], "t1"));
    assert!(
        tokens.failed(at(999_000), &failure(FailureKind::Network(Phase::Answer)), &mut rng) <= Duration::from_secs(1)
    );
}

#[test]
fn tokens_that_live_for_no_time_do_not_eat_the_budget() {
    let mut tokens = Tokens::new();
    let (mut asked, mut now) = (Vec::new(), at(0));
    while now < at(60_000) {
        tokens.want(LinkId(0));
        if tokens.due().is_some_and(|due| due <= now) {
            asked.push(now);
            tokens.came(now, Secret::new("t"));
            assert_eq!(tokens.share(now).len(), 1);
        }
        now = now + Duration::from_millis(100);
    }
    assert_eq!(asked.iter().filter(|at| **at < Steady::after(Duration::from_secs(10))).count(), 10, "ten at once");
    assert!((14..=15).contains(&asked.len()), "and one more every ten seconds: {asked:?}");
}
