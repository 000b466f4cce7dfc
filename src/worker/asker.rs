//! Carries the core's questions to Kick, one at a time, and brings the answers back.
//!
//! It decides nothing and logs no failure, which is the core's business. All that it does by itself
//! is to ask once more with a new token when the first was not accepted (docs/kick.md §9).

mod broker;

pub(crate) use broker::BrokerAsker;

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

/// How long a question waits for a token.
const TOKEN_WAIT: Duration = Duration::from_secs(5);

/// How long to wait when there is nothing to ask.
const IDLE: Duration = Duration::from_secs(30);

/// The longest turn: an idle wait, then two waits for a token and two requests.
const TURN_MAX: Duration = Duration::from_secs(90);

/// The worker.
#[derive(Clone, Debug)]
pub(crate) struct AskerWorker {
    /// Which of the two this is.
    pub which: Asker,
    /// The way to Kick.
    pub kick: Arc<Kick>,
    /// Where tokens come from; the website needs none.
    pub tokens: Arc<TokenCell>,
    /// The core's questions. It has at most one out, so this never holds more than a few.
    pub requests: Receiver<Request>,
    /// The way to the core.
    pub inputs: Sender<Input>,
    /// The time.
    pub clock: Clock,
    /// The sign of life.
    pub pulse: Pulse,
    /// Ends a wait for a token early.
    pub stop: Stop,
}

impl AskerWorker {
    /// Asks until the core hangs up or the stop comes.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let began = Input::AskerStarted(self.which);
        serve(&self.requests, &self.inputs, &self.pulse, &self.stop, began, |request| {
            Input::Answer(self.answer(request))
        })
    }

    /// Asks, and once more with a new token if the first is not accepted.
    fn answer(&self, request: &Request) -> Answer {
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
        let Some((generation, token)) = self.token(None) else {
            let (now, text) = (self.clock.now(), "no token".to_owned());
            let result = Err(Failure { kind: FailureKind::NoToken, status: None, text });
            return answer((now, now, Asked { server_date: None, result }), 0);
        };
        let first = self.ask(Some(&token), &request.query);
        if !matches!(&first.2.result, Err(failure) if failure.kind == FailureKind::Unauthorized) {
            return answer(first, 1);
        }
        self.tokens.refuse(generation);
        match self.token(Some(generation)) {
            Some((_, newer)) => answer(self.ask(Some(&newer), &request.query), 2),
            None => answer(first, 1),
        }
    }

    fn token(&self, than: Option<Generation>) -> Option<(Generation, Secret)> {
        self.tokens.wait_newer(than, TOKEN_WAIT, &self.stop)
    }

    /// One request, and when it began and ended.
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

/// Says that it began, and answers one question after another until the core hangs up or the stop comes.
fn serve<Q>(
    requests: &Receiver<Q>,
    inputs: &Sender<Input>,
    pulse: &Pulse,
    stop: &Stop,
    began: Input,
    answer: impl Fn(&Q) -> Input,
) -> anyhow::Result<()> {
    // The core counts as lost whatever was asked before it hears of this start, and asks again.
    while requests.try_recv().is_ok() {}
    let mut heard = inputs.send(began);
    while heard.is_ok() {
        pulse.promise(TURN_MAX);
        match stop.recv(requests, IDLE) {
            Received::Message(request) => {
                let answer = answer(&request);
                // A stop ends requests in flight; what came of them is not Kick's doing.
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
