//! The token worker against a server that issues tokens: renewal, refusal, and one request for all askers.

use super::TokenWorker;
use crate::clock::{Clock, Pulse};
use crate::domain::Steady;
use crate::gateway::kick::tests::config;
use crate::gateway::kick::tests::server::{PATIENCE, Script, Server, json, response, spawn};
use crate::gateway::kick::{Kick, REQUEST_LIMIT};
use crate::monitor::io::Input;
use crate::stop::{Stop, StopSource, stop_pair};
use crate::worker::Worker;
use crate::worker::token_cell::TokenCell;
use crossbeam_channel::{Receiver, unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A running token worker with its channels.
pub(crate) struct Tokens {
    pub(crate) cell: Arc<TokenCell>,
    inputs: Receiver<Input>,
    kick: Arc<Kick>,
    clock: Clock,
    stop: Option<StopSource>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Tokens {
    /// Starts a worker that gets tokens from `server`.
    pub(crate) fn start(server: &Server) -> Tokens {
        let (sender, inputs) = unbounded();
        let (source, stop) = stop_pair();
        let cell = Arc::new(TokenCell::default());
        let clock = Clock::start();
        let kick = Arc::new(Kick::new(&config(&server.base), REQUEST_LIMIT));
        let worker = TokenWorker { kick: Arc::clone(&kick), tokens: Arc::clone(&cell), inputs: sender, clock, seed: 1 };
        let pulse = Pulse::new(clock, Duration::from_secs(60));
        let thread = spawn(move || worker.run(&pulse, &stop));
        Tokens { cell, inputs, kick, clock, stop: Some(source), thread: Some(thread) }
    }

    /// When the next token expires. Asserts that exactly one request was made for it.
    fn next(&self) -> Steady {
        assert_eq!(self.inputs.recv_timeout(PATIENCE), Ok(Input::Spent));
        match self.inputs.recv_timeout(PATIENCE) {
            Ok(Input::Token(expires)) => expires,
            other => panic!("not a token: {other:?}"),
        }
    }

    /// Stops the worker, which must not take long.
    fn end(mut self) {
        drop(self.stop.take());
        self.thread.take().expect("it runs").join().expect("no panic").expect("no failure");
    }
}

/// A server that issues the tokens `token-1`, `token-2`, … with this lifetime.
pub(crate) fn mint(life: &'static str) -> Server {
    let count = AtomicU32::new(0);
    Server::start(move |_| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        json(&format!(r#"{{"access_token":"token-{number}","expires_in":{life}}}"#))
    })
}

fn current(cell: &TokenCell) -> Option<String> {
    cell.current().map(|(_, secret)| secret.reveal().to_owned())
}

#[test]
fn a_token_is_there_at_once_and_renewed_before_its_end() {
    let server = mint("\"6\"");
    let tokens = Tokens::start(&server);
    let first_ends = tokens.next();
    assert_eq!(current(&tokens.cell).as_deref(), Some("token-1"));
    tokens.next();
    assert!(tokens.clock.steady() < first_ends, "renewed too late");
    assert_eq!(current(&tokens.cell).as_deref(), Some("token-2"));
    tokens.end();
}

#[test]
fn however_many_refuse_a_token_one_new_one_is_asked_for_and_not_within_two_seconds() {
    let server = mint("5184000");
    let tokens = Tokens::start(&server);
    tokens.next();
    let (generation, _) = tokens.cell.current().expect("a token");
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let cell = Arc::clone(&tokens.cell);
            spawn(move || {
                cell.refuse(generation);
                cell.wait_newer(Some(generation), PATIENCE, &Stop::never()).map(|(_, secret)| secret)
            })
        })
        .collect();
    for waiter in waiting {
        let secret = waiter.join().expect("no panic").expect("a newer token");
        assert_eq!(secret.reveal(), "token-2");
    }
    // The clock was started before the first request.
    assert!(tokens.clock.steady() >= Steady::after(Duration::from_secs(2)), "asked too soon");
    // A late refusal of the old token does not affect the new one.
    tokens.cell.refuse(generation);
    assert_eq!(current(&tokens.cell).as_deref(), Some("token-2"));
    tokens.next();
    tokens.end();
    server.heard();
    server.heard();
    assert!(server.heard_no_more());
}

#[test]
fn the_old_token_stays_while_renewal_fails_and_goes_at_its_end() {
    let count = AtomicU32::new(0);
    let server = Server::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => json(r#"{"access_token":"token-1","expires_in":6}"#),
        _ => response(503, "Retry-After: 60\r\n", ""),
    });
    let tokens = Tokens::start(&server);
    let ends = tokens.next();
    assert_eq!(tokens.inputs.recv_timeout(PATIENCE), Ok(Input::Spent));
    let failed = tokens.inputs.recv_timeout(PATIENCE);
    assert!(matches!(failed, Ok(Input::TokenFailed { status: Some(503), refused: false, .. })), "{failed:?}");
    assert!(tokens.clock.steady() < ends);
    assert_eq!(current(&tokens.cell).as_deref(), Some("token-1"), "renewal has only been tried");
    // The expiry of a token causes no message, so the test has to look for it.
    let mut looks = 0;
    while current(&tokens.cell).is_some() {
        looks += 1;
        assert!(looks < 400, "the token outlives its end");
        Stop::never().wait(Duration::from_millis(25));
    }
    assert!(tokens.clock.steady() >= ends);
    tokens.end();
}

#[test]
fn a_wait_for_a_token_has_a_limit_and_ends_with_a_stop() {
    let cell = TokenCell::default();
    assert_eq!(cell.wait_newer(None, Duration::from_millis(1), &Stop::never()), None);
    let (source, stop) = stop_pair();
    drop(source);
    assert_eq!(cell.wait_newer(None, Duration::from_secs(3600), &stop), None);
}

#[test]
fn a_stop_during_a_request_is_not_told_as_a_failure() {
    let server = Server::start(|_| Script::Silence);
    let mut tokens = Tokens::start(&server);
    server.heard();
    assert_eq!(tokens.inputs.recv_timeout(PATIENCE), Ok(Input::Spent));
    drop(tokens.stop.take());
    tokens.kick.hang_up();
    tokens.thread.take().expect("it runs").join().expect("no panic").expect("no failure");
    assert!(tokens.inputs.is_empty());
}
