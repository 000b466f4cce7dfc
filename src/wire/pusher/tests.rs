//! Whole conversations with a Pusher server, as transcripts: what came and when, and what the session
//! made of it. Between two lines of a script time passes as it does for a link: tick by tick.

mod evidence;
mod life;
mod noise;
mod subscribing;

use super::{Pusher, path};
use crate::domain::push::{Push, PushKind};
use crate::domain::{ChannelId, Steady};
use crate::wire::{Act, Session, SessionInput};
use expect_test::Expect;
use std::fmt::Write;
use std::time::Duration;

/// Runs a script against a session for `channel.{id}`. Each line is a second, a verb, and the rest:
/// `open`, `greet [data]`, `ack NAME`, `text FRAME`, `alive`, `follow ID…`, `unfollow ID…`, `tick`.
fn check(script: &str, expected: Expect) {
    check_with(&["channel.{id}"], script, expected);
}

fn check_with(templates: &[&str], script: &str, expected: Expect) {
    let mut stage = Stage::new(templates);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (second, rest) = line.split_once(' ').expect("a line has a time and a verb");
        let then = Steady(Duration::from_secs_f64(second.parse().expect("a time is a number")));
        stage.pass_until(then);
        writeln!(stage.transcript, "{line}").expect("a string takes all");
        stage.play(then, rest);
    }
    expected.assert_eq(&stage.transcript);
}

struct Stage {
    session: Pusher,
    transcript: String,
}

impl Stage {
    fn new(templates: &[&str]) -> Stage {
        let templates = templates.iter().map(|&name| name.to_owned()).collect();
        Stage { session: Pusher::new(Steady::default(), templates), transcript: String::new() }
    }

    /// Ticks whenever the session wants to, as a link does.
    fn pass_until(&mut self, then: Steady) {
        let mut before = None;
        while self.session.next_wake() <= then {
            let now = self.session.next_wake();
            assert_ne!(before.replace(now), Some(now), "the session wants to be woken for nothing");
            self.input(now, SessionInput::Tick);
        }
    }

    fn play(&mut self, now: Steady, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let ids: Vec<ChannelId> = rest.split(' ').filter_map(|id| id.parse().ok().map(ChannelId)).collect();
        match verb {
            "open" => self.input(now, SessionInput::Opened),
            "greet" => {
                let data = if rest.is_empty() { r#""{\"socket_id\":\"1.2\",\"activity_timeout\":120}""# } else { rest };
                self.text(now, &format!(r#"{{"event":"pusher:connection_established","data":{data}}}"#));
            }
            "ack" => self.text(
                now,
                &format!(r#"{{"event":"pusher_internal:subscription_succeeded","data":"{{}}","channel":"{rest}"}}"#),
            ),
            "text" => self.text(now, rest),
            "alive" => self.input(now, SessionInput::Alive),
            "follow" => self.input(now, SessionInput::Follow(&ids)),
            "unfollow" => self.input(now, SessionInput::Unfollow(&ids)),
            "tick" => self.input(now, SessionInput::Tick),
            _ => panic!("no such verb: {verb}"),
        }
    }

    fn text(&mut self, now: Steady, text: &str) {
        self.input(now, SessionInput::Text(text));
    }

    fn input(&mut self, now: Steady, input: SessionInput<'_>) {
        for act in acts(&mut self.session, now, input) {
            writeln!(self.transcript, "    {} {}", seconds(now), shown(&act)).expect("a string takes all");
        }
    }
}

fn acts(session: &mut Pusher, now: Steady, input: SessionInput<'_>) -> Vec<Act> {
    let mut acts = Vec::new();
    session.handle(now, input, &mut acts);
    acts
}

/// A session for `channel.{id}` that was greeted at zero and follows these, all acknowledged.
fn following(ids: &[i64]) -> Pusher {
    let mut stage = Stage::new(&["channel.{id}"]);
    stage.play(Steady::default(), "open");
    stage.play(Steady::default(), "greet");
    for id in ids {
        stage.play(Steady::default(), &format!("follow {id}"));
        stage.play(Steady::default(), &format!("ack channel.{id}"));
    }
    stage.session
}

fn seconds(time: Steady) -> f64 {
    time.0.as_secs_f64()
}

fn shown(act: &Act) -> String {
    match act {
        Act::Send(text) => format!("send {text}"),
        Act::Say(event) => format!("say {event:?}"),
        Act::Push(Push { received, named, inside, what }) => {
            let inside = inside.map_or("nothing".to_owned(), |id| id.to_string());
            let what = match what {
                PushKind::Stop { livestream } => format!("stop {livestream}"),
                PushKind::Live { livestream, created_at: Some(at) } => format!("live {livestream} since {at}"),
                PushKind::Live { livestream, created_at: None } => format!("live {livestream}"),
            };
            format!("push named {named} inside {inside}: {what}, received {}", seconds(*received))
        }
        Act::End(end) => format!("end {:?} {:?} {:?}", end.kind, end.code, end.reason),
    }
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
