//! Sends the core's requests to Kick, one at a time, and returns the answers.
//!
//! It makes no decisions and logs no failures; that is up to the core. By itself it only repeats a request once with
//! a new token, if Kick did not accept the first one (docs/kick.md §9).

mod broker;

pub(crate) use broker::BrokerAsker;

use super::Worker;
use super::token_cell::{Generation, TokenCell};
use crate::clock::{Clock, Pulse};
use crate::domain::Now;
use crate::domain::ask::{Answer, Endpoint, Failure, FailureKind, Query, Request};
use crate::domain::event::Event;
use crate::domain::secret::Secret;
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
    /// Sends the request, and once more with a new token if the first is not accepted. `stop` also ends a wait for a
    /// token.
    fn answer(&self, request: &Request, stop: &Stop) -> Answer {
        let answer = |(started, finished, asked): (Now, Now, Asked), spent| Answer {
            id: request.id,
            started,
            finished,
            server_date: asked.server_date,
            spent,
            result: asked.result,
        };
        if request.query.endpoint() == Endpoint::Website {
            return answer(self.ask(None, &request.query), 1);
        }
        let Some((generation, token)) = self.token(None, stop) else {
            let (now, text) = (self.clock.now(), "no token".to_owned());
            let result = Err(Failure { kind: FailureKind::NoToken, status: None, text });
            return answer((now, now, Asked { server_date: None, result }), 0);
        };
        let first = self.ask(Some(&token), &request.query);
        if !matches!(&first.2.result, Err(failure) if failure.kind == FailureKind::Unauthorized) {
            return answer(first, 1);
        }
        self.tokens.refuse(generation);
        match self.token(Some(generation), stop) {
            Some((_, newer)) => answer(self.ask(Some(&newer), &request.query), 2),
            None => answer(first, 1),
        }
    }

    fn token(&self, than: Option<Generation>, stop: &Stop) -> Option<(Generation, Secret)> {
        self.tokens.wait_newer(than, TOKEN_WAIT, stop)
    }

    /// Sends one HTTP request. Returns when it began and ended, and the result.
    fn ask(&self, token: Option<&Secret>, query: &Query) -> (Now, Now, Asked) {
        let started = self.clock.now();
        let asked = self.kick.ask(token, query);
        let finished = self.clock.now();
        let came = match &asked.result {
            Ok(seen) => format!("{} entries", seen.len()),
            Err(failure) => failure.text.clone(),
        };
        let milliseconds = finished.steady.since(started.steady).as_millis();
        let text = format!("{} answered in {milliseconds} ms: {came}", query.endpoint().word());
        Event::Detail { what: "asked", text }.say();
        (started, finished, asked)
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
