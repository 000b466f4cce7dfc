//! `broker`: the same for Kick's broker of transports. No link ever waits for Kick itself, so a broker that
//! hangs keeps no websocket from being read.

use super::serve;
use crate::clock::{Clock, Pulse};
use crate::domain::ask::{Answer, BrokerQuery, Offered, Request};
use crate::gateway::kick::Realtime;
use crate::monitor::io::Input;
use crate::stop::Stop;
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;

/// The worker.
#[derive(Clone, Debug)]
pub(crate) struct BrokerAsker {
    /// The way to the broker.
    pub realtime: Arc<Realtime>,
    /// The core's questions. It has at most one out, so this never holds more than a few.
    pub requests: Receiver<Request<BrokerQuery>>,
    /// The way to the core.
    pub inputs: Sender<Input>,
    /// The time.
    pub clock: Clock,
}

impl BrokerAsker {
    /// Asks until the core hangs up or the stop comes.
    pub(crate) fn run(&self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        serve(&self.requests, &self.inputs, pulse, stop, Input::BrokerStarted, |request| {
            Input::BrokerAnswer(self.answer(request))
        })
    }

    fn answer(&self, Request { id, query }: &Request<BrokerQuery>) -> Answer<Offered> {
        let started = self.clock.now();
        let result = match query {
            BrokerQuery::Offers { client, speaks } => self.realtime.offers(*client, speaks).map(Offered::Offers),
            BrokerQuery::GuestToken { client } => self.realtime.guest_token(*client).map(Offered::Token),
        };
        Answer { id: *id, started, finished: self.clock.now(), server_date: None, spent: 1, result }
    }
}
