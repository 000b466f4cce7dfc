//! Sends the core's requests to Kick, one at a time, and returns the answers.
//!
//! It makes no decisions and logs no failures; that is up to the core. By itself it only repeats a request once with
//! a new token, if Kick did not accept the first one (docs/kick.md §9).

mod broker;
mod webhooks;

pub(crate) use broker::BrokerAsker;
pub(crate) use webhooks::Subscriber;

use super::Worker;
use super::token_cell::TokenCell;
use crate::clock::{Clock, Pulse};
use crate::domain::Now;
use crate::domain::ask::{Answer, Endpoint, Failure, FailureKind, Query, Request, RequestId, Seen};
use crate::domain::event::Event;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::gateway::kick::{Asked, Kick};
use crate::monitor::io::{Asker, Input};
use crate::stop::{Received, Stop};
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;
use std::time::Duration;

/// How long a request waits for a token.
const TOKEN_WAIT: Duration = Duration::from_secs(5);

/// The longest wait for a request.
const IDLE: Duration = Duration::from_secs(30);

/// The longest turn: an idle wait, two waits for a token and two requests.
const TURN_MAX: Duration = Duration::from_secs(90);

/// The worker `sweep` or `website`.
#[derive(Clone, Debug)]
pub(crate) struct AskerWorker {
    /// Which of the two this is.
    pub which: Asker,
    pub kick: Arc<Kick>,
    /// The source of tokens; the website needs none.
    pub tokens: Arc<TokenCell>,
    /// Requests from the core. It has at most one in flight, so the channel never holds more than a few.
    pub requests: Receiver<Request>,
    pub inputs: Sender<Input>,
    pub clock: Clock,
}

impl Worker for AskerWorker {
    /// Serves requests until the core hangs up or the stop comes.
    fn run(self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        let began = Input::AskerStarted(self.which);
        serve(&self.requests, &self.inputs, pulse, stop, began, |request| Input::Answer(self.answer(request, stop)))
    }
}

impl AskerWorker {
    fn answer(&self, Request { id, query }: &Request, stop: &Stop) -> Answer {
        if query.endpoint() == Endpoint::Website {
            return self.ask(None, query).answer(*id, 1);
        }
        with_token(*id, &self.tokens, self.clock, stop, |token| self.ask(Some(token), query))
    }

    /// Sends one HTTP request.
    fn ask(&self, token: Option<&Secret>, query: &Query) -> Try<Vec<Seen>> {
        let started = self.clock.now();
        let Asked { server_date, result } = self.kick.ask(token, query);
        let finished = self.clock.now();
        let came = match &result {
            Ok(seen) => format!("{} entries", seen.len()),
            Err(failure) => failure.text.clone(),
        };
        let milliseconds = finished.steady.since(started.steady).as_millis();
        let text = format!("{} answered in {milliseconds} ms: {came}", query.endpoint().word());
        Event::Detail { what: "asked", text }.say();
        Try { started, finished, server_date, result }
    }
}

/// One HTTP request, and what came of it.
struct Try<T> {
    started: Now,
    finished: Now,
    server_date: Option<Timestamp>,
    result: Result<T, Failure>,
}

impl<T> Try<T> {
    /// The answer to the core's request, for which this many HTTP requests were made.
    fn answer(self, id: RequestId, spent: u32) -> Answer<T> {
        let Try { started, finished, server_date, result } = self;
        Answer { id, started, finished, server_date, spent, result }
    }
}

/// Sends a request with the token in use, and once more with a new token if the first is not accepted. `stop` also ends a
/// wait for a token.
fn with_token<T>(
    id: RequestId,
    tokens: &TokenCell,
    clock: Clock,
    stop: &Stop,
    send: impl Fn(&Secret) -> Try<T>,
) -> Answer<T> {
    let Some((generation, token)) = tokens.wait_newer(None, TOKEN_WAIT, stop) else {
        let (now, text) = (clock.now(), "no token".to_owned());
        let result = Err(Failure { kind: FailureKind::NoToken, status: None, text });
        return Try { started: now, finished: now, server_date: None, result }.answer(id, 0);
    };
    let first = send(&token);
    if !matches!(&first.result, Err(failure) if failure.kind == FailureKind::Unauthorized) {
        return first.answer(id, 1);
    }
    tokens.refuse(generation);
    match tokens.wait_newer(Some(generation), TOKEN_WAIT, stop) {
        Some((_, newer)) => send(&newer).answer(id, 2),
        None => first.answer(id, 1),
    }
}

/// Reports the start to the core, then serves one request after another until the core hangs up or the stop comes.
fn serve<Q>(
    requests: &Receiver<Q>,
    inputs: &Sender<Input>,
    pulse: &Pulse,
    stop: &Stop,
    began: Input,
    answer: impl Fn(&Q) -> Input,
) -> anyhow::Result<()> {
    // The core treats requests sent before this start as lost, and sends them again.
    while requests.try_recv().is_ok() {}
    let mut heard = inputs.send(began);
    while heard.is_ok() {
        pulse.promise(TURN_MAX);
        match stop.recv(requests, IDLE) {
            Received::Message(request) => {
                let answer = answer(&request);
                // A stop aborts requests in flight; their failure says nothing about Kick.
                if stop.is_stopped() {
                    break;
                }
                heard = inputs.send(answer);
            }
            Received::Nothing => {}
            Received::HungUp | Received::Stopped => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
