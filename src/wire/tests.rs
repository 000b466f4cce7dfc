//! For tests: complete conversations as transcripts, for any protocol. They show what arrived when, and what the
//! session did. Between two lines of a script time passes as it does for a link, tick by tick.

use crate::domain::push::{Push, PushKind};
use crate::domain::secret::Secret;
use crate::domain::{ChannelId, Steady};
use crate::wire::{Act, Session, SessionInput};
use expect_test::Expect;
use std::fmt::Write;
use std::time::Duration;

/// Ten frames in the order in which Kick sent them. The ids, times and shapes are those of docs/kick.md §3.3 and
/// §3.4; the titles are invented.
pub(super) const RECORDED: &str = include_str!("../../tests/frames/recorded.jsonl");

/// A session and its transcript so far.
pub(super) struct Stage<S> {
    pub(super) session: S,
    pub(super) transcript: String,
    server: Server,
}

/// Turns a verb of the server and its rest into the frame; `None` if it is not a verb of the server.
type Server = fn(verb: &str, rest: &str) -> Option<String>;

impl<S: Session> Stage<S> {
    pub(super) fn new(session: S, server: Server) -> Stage<S> {
        Stage { session, transcript: String::new(), server }
    }

    /// Runs a script and compares the transcript. Each line has a time in seconds, a verb, and the rest: `open`,
    /// `token TEXT`, `text FRAME`, `alive`, `follow ID…`, `unfollow ID…`, `tick`, or a verb of the server.
    pub(super) fn check(mut self, script: &str, expected: Expect) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (second, rest) = line.split_once(' ').expect("a line has a time and a verb");
            let then = Steady::after(Duration::from_secs_f64(second.parse().expect("a time is a number")));
            self.pass_until(then);
            writeln!(self.transcript, "{line}").expect("a string takes all");
            self.play(then, rest);
        }
        expected.assert_eq(&self.transcript);
    }

    /// Lets time pass, with a tick whenever the session asks for one, as a link does.
    pub(super) fn pass_until(&mut self, then: Steady) {
        let mut before = None;
        while self.session.next_wake() <= then {
            let now = self.session.next_wake();
            assert_ne!(before.replace(now), Some(now), "the session wants to be woken for nothing");
            self.input(now, SessionInput::Tick);
        }
    }

    pub(super) fn play(&mut self, now: Steady, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let ids: Vec<ChannelId> = rest.split(' ').filter_map(|id| id.parse().ok().map(ChannelId)).collect();
        match verb {
            "open" => self.input(now, SessionInput::Opened),
            "token" => self.input(now, SessionInput::Token(&Secret::new(rest))),
            "text" => self.input(now, SessionInput::Text(rest)),
            "alive" => self.input(now, SessionInput::Alive),
            "follow" => self.input(now, SessionInput::Follow(&ids)),
            "unfollow" => self.input(now, SessionInput::Unfollow(&ids)),
            "tick" => self.input(now, SessionInput::Tick),
            _ => {
                let text = (self.server)(verb, rest).unwrap_or_else(|| panic!("no such verb: {verb}"));
                self.input(now, SessionInput::Text(&text));
            }
        }
    }

    fn input(&mut self, now: Steady, input: SessionInput<'_>) {
        for act in acts(&mut self.session, now, input) {
            writeln!(self.transcript, "    {} {}", seconds(now), shown(&act)).expect("a string takes all");
        }
    }
}

pub(super) fn acts(session: &mut impl Session, now: Steady, input: SessionInput<'_>) -> Vec<Act> {
    let mut acts = Vec::new();
    session.handle(now, input, &mut acts);
    acts
}

pub(super) fn shown(act: &Act) -> String {
    match act {
        Act::Send(text) => format!("send {text}"),
        Act::Say(event) => format!("say {event:?}"),
        Act::WantToken => "want token".to_owned(),
        Act::Push(Push { received, named, inside, what }) => {
            let inside = inside.map_or("nothing".to_owned(), |id| id.to_string());
            let what = match what {
                PushKind::Stop { livestream } => format!("stop {livestream}"),
                PushKind::Live { livestream, created_at: Some(at), .. } => format!("live {livestream} since {at}"),
                PushKind::Live { livestream, created_at: None, .. } => format!("live {livestream}"),
            };
            format!("push named {named} inside {inside}: {what}, received {}", seconds(*received))
        }
        Act::End(end) => format!("end {:?} {:?} {:?}", end.kind, end.code, end.reason),
    }
}

fn seconds(time: Steady) -> f64 {
    time.elapsed().as_secs_f64()
}

/// One of the texts with a few bytes overwritten, cut, repeated or inserted. Invalid UTF-8 is replaced, because the
/// socket only delivers valid text.
pub(super) fn mutated(rng: &mut fastrand::Rng, texts: &[&str]) -> String {
    let mut bytes = rng.choice(texts).expect("there are texts").as_bytes().to_vec();
    for _ in 0..rng.usize(1..6) {
        let place = rng.usize(0..bytes.len().max(1));
        match rng.u8(0..5) {
            0 if !bytes.is_empty() => bytes[place] = rng.u8(..),
            1 => bytes.truncate(place),
            2 => bytes.insert(place.min(bytes.len()), *rng.choice(br#"{}[]":,\0-e"#).expect("there are bytes")),
            3 => bytes.extend_from_within(place.min(bytes.len())..),
            4 if !bytes.is_empty() => drop(bytes.remove(place)),
            _ => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
