//! The worker `broker`: an asker for Kick's broker of transports. Links never wait for Kick themselves, so a broker
//! that hangs does not keep any websocket from being read.

use super::serve;
use crate::clock::{Clock, Pulse};
use crate::domain::ask::{Answer, BrokerQuery, Offered, Request};
use crate::gateway::kick::Realtime;
use crate::monitor::io::Input;
use crate::stop::Stop;
use crate::worker::Worker;
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) struct BrokerAsker {
    pub realtime: Arc<Realtime>,
    /// Requests from the core. It has at most one in flight, so the channel never holds more than a few.
    pub requests: Receiver<Request<BrokerQuery>>,
    pub inputs: Sender<Input>,
    pub clock: Clock,
}

impl Worker for BrokerAsker {
    /// Serves requests until the core hangs up or the stop comes.
    fn run(self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        serve(&self.requests, &self.inputs, pulse, stop, Input::BrokerStarted, |request| {
            Input::BrokerAnswer(self.answer(request))
        })
    }
}

impl BrokerAsker {
    fn answer(&self, Request { id, query }: &Request<BrokerQuery>) -> Answer<Offered> {
        let started = self.clock.now();
        let result = match query {
            BrokerQuery::Offers { client, speaks } => self.realtime.offers(*client, speaks).map(Offered::Offers),
            BrokerQuery::GuestToken { client } => self.realtime.guest_token(*client).map(Offered::Token),
        };
        Answer { id: *id, started, finished: self.clock.now(), server_date: None, spent: 1, result }
    }
}
