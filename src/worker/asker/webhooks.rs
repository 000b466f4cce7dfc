//! The worker `subscriber`: an asker for Kick's public key and webhook subscriptions. Apart from `sweep`, so that ten
//! thousand subscriptions delay no comparison. It exists only while `WEBHOOK_LISTEN` is set.

use super::{Try, serve, with_token};
use crate::clock::{Clock, Pulse};
use crate::domain::ask::Request;
use crate::domain::webhook::WebhookQuery;
use crate::gateway::kick::Kick;
use crate::monitor::io::Input;
use crate::stop::Stop;
use crate::worker::Worker;
use crate::worker::token_cell::TokenCell;
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) struct Subscriber {
    pub kick: Arc<Kick>,
    pub tokens: Arc<TokenCell>,
    /// Requests from the core. It has at most one in flight, so the channel never holds more than a few.
    pub requests: Receiver<Request<WebhookQuery>>,
    pub inputs: Sender<Input>,
    pub clock: Clock,
}

impl Worker for Subscriber {
    /// Serves requests until the core hangs up or the stop comes.
    fn run(self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        serve(&self.requests, &self.inputs, pulse, stop, Input::SubscriberStarted, |Request { id, query }| {
            let answer = with_token(*id, &self.tokens, self.clock, stop, |token| {
                let started = self.clock.now();
                let result = self.kick.manage(token, query);
                Try { started, finished: self.clock.now(), server_date: None, result }
            });
            Input::WebhookAnswer(answer)
        })
    }
}
