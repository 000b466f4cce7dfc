//! Complete conversations with a Pusher server as transcripts: what arrived when, and what the session did.

mod evidence;
mod life;
mod noise;
mod subscribing;

use super::{Pusher, path};
use crate::domain::Steady;
use crate::wire::names::EventNames;
use crate::wire::tests::{Stage, acts, mutated, shown};
use expect_test::Expect;

/// Runs a script on a session for `channel.{id}`. The verbs of the server are `greet [data]` and `ack NAME`.
fn check(script: &str, expected: Expect) {
    check_with(&["channel.{id}"], script, expected);
}

fn check_with(templates: &[&str], script: &str, expected: Expect) {
    stage(templates).check(script, expected);
}

fn stage(templates: &[&str]) -> Stage<Pusher> {
    let templates = templates.iter().map(|&name| name.to_owned()).collect();
    Stage::new(Pusher::new(Steady::default(), templates, EventNames::default()), server)
}

fn server(verb: &str, rest: &str) -> Option<String> {
    match verb {
        "greet" => {
            let data = if rest.is_empty() { r#""{\"socket_id\":\"1.2\",\"activity_timeout\":120}""# } else { rest };
            Some(format!(r#"{{"event":"pusher:connection_established","data":{data}}}"#))
        }
        "ack" => {
            Some(format!(r#"{{"event":"pusher_internal:subscription_succeeded","data":"{{}}","channel":"{rest}"}}"#))
        }
        _ => None,
    }
}

/// A session for `channel.{id}` that was greeted at second 0 and follows these streamers, all acknowledged.
fn following(ids: &[i64]) -> Pusher {
    let mut stage = stage(&["channel.{id}"]);
    stage.play(Steady::default(), "open");
    stage.play(Steady::default(), "greet");
    for id in ids {
        stage.play(Steady::default(), &format!("follow {id}"));
        stage.play(Steady::default(), &format!("ack channel.{id}"));
    }
    stage.session
}

#[test]
fn the_request_names_the_protocol_and_us() {
    let version = env!("CARGO_PKG_VERSION");
    let query = format!("?protocol=7&client=kick-monitor&version={version}&flash=false");
    for (base, key, resource) in [
        ("", "32cbd69e4b950bf97679", "/app/32cbd69e4b950bf97679"),
        ("/below", "a-b_c.d~", "/below/app/a-b_c.d~"),
        ("", "x y/?#\r\né", "/app/x%20y%2F%3F%23%0D%0A%C3%A9"),
    ] {
        assert_eq!(path(base, key), format!("{resource}{query}"));
    }
}
