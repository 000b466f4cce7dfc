//! Complete conversations with a Centrifugo server as transcripts: what arrived when, and what the session did.

mod evidence;
mod life;
mod noise;
mod renewal;
mod subscribing;

use super::{Centrifugo, kind};
use crate::domain::Steady;
use crate::domain::push::EndKind;
use crate::wire::names::EventNames;
use crate::wire::tests::{Stage, acts, mutated, shown};
use expect_test::Expect;

/// Runs a script on a session for `channel.{id}`. The verbs of the server are `greet [result]`, `ack ID [result]`,
/// `error ID CODE MESSAGE`, `push CONTENT`.
fn check(script: &str, expected: Expect) {
    check_with(&["channel.{id}"], script, expected);
}

fn check_with(templates: &[&str], script: &str, expected: Expect) {
    stage(templates).check(script, expected);
}

fn stage(templates: &[&str]) -> Stage<Centrifugo> {
    let templates = templates.iter().map(|&name| name.to_owned()).collect();
    Stage::new(Centrifugo::new(Steady::default(), templates, EventNames::default()), server)
}

fn server(verb: &str, rest: &str) -> Option<String> {
    let (id, more) = rest.split_once(' ').unwrap_or((rest, ""));
    Some(match verb {
        "greet" => {
            let usual = r#"{"client":"c","version":"6.9.6 PRO","expires":true,"ttl":2700,"ping":25}"#;
            format!(r#"{{"id":1,"connect":{}}}"#, if rest.is_empty() { usual } else { rest })
        }
        "ack" => format!(r#"{{"id":{id},"subscribe":{}}}"#, if more.is_empty() { "{}" } else { more }),
        "error" => {
            let (code, message) = more.split_once(' ')?;
            format!(r#"{{"id":{id},"error":{{"code":{code},"message":"{message}"}}}}"#)
        }
        "push" => format!(r#"{{"push":{rest}}}"#),
        _ => return None,
    })
}

/// A session for `channel.{id}` that was greeted at second 0 and follows these streamers, all acknowledged.
fn following(ids: &[i64]) -> Centrifugo {
    let mut stage = stage(&["channel.{id}"]);
    for line in ["open", "token t", "greet"] {
        stage.play(Steady::default(), line);
    }
    for (number, id) in (2..).zip(ids) {
        stage.play(Steady::default(), &format!("follow {id}"));
        stage.play(Steady::default(), &format!("ack {number}"));
    }
    stage.session
}

#[test]
fn each_range_of_codes_has_its_meaning_up_to_its_bounds() {
    use EndKind::{Lost, Refused};
    for (code, meaning) in [
        (None, Lost),
        (Some(1000), Lost),
        (Some(1006), Lost),
        (Some(2500), Lost),
        (Some(3000), Lost),
        (Some(3499), Lost),
        (Some(3500), Refused),
        (Some(3501), Refused),
        (Some(3502), Lost),
        (Some(3503), Refused),
        (Some(3999), Refused),
        (Some(4000), Lost),
        (Some(4001), Lost),
        (Some(4200), Lost),
        (Some(4499), Lost),
        (Some(4500), Refused),
        (Some(4999), Refused),
        (Some(5000), Lost),
        (Some(u16::MAX), Lost),
    ] {
        assert_eq!(kind(code), meaning, "{code:?}");
    }
}
