//! `broker`: says where each push connection goes. It asks Kick which transports it offers, gets guest
//! tokens, and remembers what has failed, for all links together.
//!
//! It decides nothing: what is chosen, and when Kick is asked again, is [`Choice`]'s. No link ever waits
//! for Kick itself, so a broker that hangs keeps no websocket from being read.

use super::errand::{Errand, Reply};
use crate::backoff::Backoff;
use crate::clock::{Clock, Pulse};
use crate::domain::Steady;
use crate::domain::ask::{Failure, FailureKind};
use crate::domain::event::Event;
use crate::domain::push::LinkId;
use crate::domain::secret::Secret;
use crate::gateway::kick::{Realtime, new_client};
use crate::gateway::state::Keep;
use crate::monitor::io::Input;
use crate::repeats::Repeats;
use crate::stop::{Received, Stop};
use crate::wire::EndKind;
use crate::wire::choice::{Choice, KEPT};
use crate::wire::offer::Offer;
use crossbeam_channel::{Receiver, Sender};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The longest wait of one turn.
const WAIT_MOST: Duration = Duration::from_secs(30);
/// The longest turn: a wait and three requests.
const TURN_MAX: Duration = Duration::from_secs(60);
/// All who want a token within this get the same one, each of them once: after a loss, a hundred links
/// want one at once, and where one was refused the next connection must bring another.
const SHARED: Duration = Duration::from_secs(2);
/// Between two requests for a token of which the first failed.
const TOKEN_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Tokens that may be asked for at once, and how often one more after those: tokens that live for no time
/// must not take the budget of requests from everybody else.
const TOKENS: (usize, Duration) = (10, Duration::from_secs(10));

/// The worker.
#[derive(Debug)]
pub struct Broker {
    /// The way to Kick's broker.
    pub realtime: Arc<Realtime>,
    /// What is chosen.
    pub choice: Choice,
    /// Takes the place of one that failed, and with it the memory of where each link was sent.
    pub again: bool,
    /// What worked last, for the broker that comes after this one.
    pub worked: Arc<Mutex<Option<Offer>>>,
    /// What the others have to say. Unbounded: control, a few for each connection.
    pub errands: Receiver<Errand>,
    /// The way to the core.
    pub inputs: Sender<Input>,
    /// Who remembers what worked.
    pub keeper: Sender<Keep>,
    /// The time.
    pub clock: Clock,
    /// Jitter, and the ids under which we ask.
    pub rng: fastrand::Rng,
}

/// The thread's own memory.
struct Thread<'a> {
    broker: Broker,
    pulse: &'a Pulse,
    stop: &'a Stop,
    /// The UUID under which we ask; another one after a refusal (KICK.md §1.4).
    client: String,
    token: Option<(Steady, Secret)>,
    /// Who was given that token. Who comes again wants another.
    given: BTreeSet<LinkId>,
    wanting: BTreeMap<LinkId, Reply<Secret>>,
    token_due: Steady,
    token_retry: Backoff,
    /// When each of the last tokens was asked for, as far as that still counts.
    fetched: VecDeque<Steady>,
    repeats: Repeats,
}

/// The process ends.
struct Gone;

impl Broker {
    /// Answers links until the stop.
    pub fn run(mut self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()> {
        let (client, token_due) = (new_client(&mut self.rng), self.clock.steady());
        let mut thread = Thread {
            broker: self,
            pulse,
            stop,
            client,
            token: None,
            given: BTreeSet::new(),
            wanting: BTreeMap::new(),
            token_due,
            token_retry: Backoff::new(TOKEN_RETRY.0, TOKEN_RETRY.1),
            fetched: VecDeque::new(),
            repeats: Repeats::default(),
        };
        // Who ends with the process ends in order.
        let (Err(Gone) | Ok(())) = thread.serve();
        Ok(())
    }
}

impl Thread<'_> {
    fn serve(&mut self) -> Result<(), Gone> {
        if self.broker.again {
            // A silent transport could not be left, nor a trial ended, without knowing who is where.
            self.tell(Input::Relink)?;
        }
        loop {
            let now = self.broker.clock.steady();
            let token_due = (!self.wanting.is_empty()).then_some(self.token_due);
            let due = token_due.into_iter().chain(self.broker.choice.trial_due()).min();
            let wait = due.map_or(WAIT_MOST, |at| at.since(now).min(WAIT_MOST));
            self.pulse.promise(wait + TURN_MAX);
            match self.stop.recv(&self.broker.errands, wait) {
                Received::Message(errand) => self.run_errand(errand)?,
                Received::Nothing => {}
                Received::HungUp | Received::Stopped => return Ok(()),
            }
            self.give_tokens()?;
            self.try_silent()?;
        }
    }

    fn run_errand(&mut self, errand: Errand) -> Result<(), Gone> {
        let now = self.broker.clock.steady();
        match errand {
            Errand::Way(link, reply) => {
                // A trial has its way already, and must not cost a question.
                if !self.broker.choice.tries(link) {
                    self.discover()?;
                }
                reply.send(self.broker.choice.choose(self.broker.clock.steady(), link));
            }
            Errand::Token(link, reply) => drop(self.wanting.insert(link, reply)),
            Errand::Connected(link) => {
                if let Some(offer) = self.broker.choice.connected(now, link) {
                    *self.broker.worked.lock().unwrap_or_else(PoisonError::into_inner) = Some(offer.clone());
                    // The keeper ends only with the process.
                    let _ = self.broker.keeper.send(Keep::Realtime(offer.clone()));
                }
            }
            Errand::Ended { link, kind } => {
                self.wanting.remove(&link);
                self.broker.choice.ended(now, link, kind);
                if kind == EndKind::Refused {
                    self.client = new_client(&mut self.broker.rng);
                    self.token = None;
                    if self.broker.choice.tries(link) {
                        self.tell(Input::TrialFailed)?;
                    }
                }
            }
            Errand::Closed(link) => {
                self.wanting.remove(&link);
                self.broker.choice.closed(link);
            }
            Errand::Silent(transport) => {
                self.broker.choice.silent(now, transport);
                self.discover()?;
                if self.broker.choice.should_move(self.broker.clock.steady()) {
                    self.tell(Input::Relink)?;
                }
            }
            Errand::TrialBegun(link) => self.broker.choice.try_with(link),
            Errand::TrialOver { proved } => {
                // One that another broker began proves nothing of what this one would choose.
                if self.broker.choice.end_trial(now, proved) && proved {
                    self.tell(Input::Relink)?;
                }
            }
        }
        Ok(())
    }

    /// Begins the trial of a silent way, when one is due and Kick still offers it.
    fn try_silent(&mut self) -> Result<(), Gone> {
        let now = self.broker.clock.steady();
        if self.broker.choice.trial_due().is_some_and(|due| due <= now) {
            self.discover()?;
            if self.broker.choice.begin_trial(self.broker.clock.steady()) {
                self.tell(Input::Trial)?;
            }
        }
        Ok(())
    }

    /// Asks Kick what it offers, if that is not known well enough.
    fn discover(&mut self) -> Result<(), Gone> {
        if !self.broker.choice.must_ask(self.broker.clock.steady()) {
            return Ok(());
        }
        self.tell(Input::Spent)?;
        let asked = self.broker.realtime.offers(&self.client, &self.broker.choice.speaks());
        let now = self.broker.clock.steady();
        let offers = self.judge(now, "realtime", KEPT, asked)?;
        self.broker.choice.take_answer(now, offers);
        Ok(())
    }

    /// Gives a token to everybody who wants one, when it can be had.
    fn give_tokens(&mut self) -> Result<(), Gone> {
        let now = self.broker.clock.steady();
        if self.wanting.is_empty() {
            return Ok(());
        }
        let again = self.wanting.keys().any(|link| self.given.contains(link));
        let fresh = self.token.as_ref().filter(|(got, _)| now.since(*got) < SHARED && !again);
        let shared = fresh.map(|(_, token)| token.clone());
        let token = match shared {
            Some(token) => token,
            None if now < self.token_due => return Ok(()),
            None => match self.fetch_token()? {
                Some(token) => token,
                None => return Ok(()),
            },
        };
        for (link, reply) in std::mem::take(&mut self.wanting) {
            self.given.insert(link);
            reply.send(token.clone());
        }
        Ok(())
    }

    fn fetch_token(&mut self) -> Result<Option<Secret>, Gone> {
        self.tell(Input::Spent)?;
        let asked = self.broker.realtime.guest_token(&self.client);
        let now = self.broker.clock.steady();
        self.token_due = self.next_token(now);
        let mut pause = self.token_retry.next(&mut self.broker.rng);
        if let Err(Failure { kind: FailureKind::RateLimited(Some(after)), .. }) = asked {
            pause = pause.max(after);
        }
        let token = self.judge(now, "guest_token", pause, asked)?;
        match &token {
            Some(token) => {
                self.token = Some((now, token.clone()));
                self.given.clear();
                self.token_retry.reset();
            }
            None => self.token_due = self.token_due.max(now + pause),
        }
        Ok(token)
    }

    /// When the next token may be asked for, after one more was: each takes its time off an allowance that
    /// begins anew when nothing was asked for a while.
    fn next_token(&mut self, now: Steady) -> Steady {
        let (at_once, apart) = TOKENS;
        let counts = apart * u32::try_from(at_once).unwrap_or(u32::MAX);
        self.fetched.retain(|before| now.since(*before) < counts);
        self.fetched.push_back(now);
        match self.fetched.len() < at_once {
            true => now,
            false => now + apart,
        }
    }

    /// What an answer holds; a failure is said.
    fn judge<T>(
        &mut self,
        now: Steady,
        endpoint: &'static str,
        retry_in: Duration,
        asked: Result<T, Failure>,
    ) -> Result<Option<T>, Gone> {
        // A stop ends requests in flight; what came of this one is not Kick's doing.
        if self.stop.is_stopped() {
            return Err(Gone);
        }
        let status = asked.as_ref().map_or_else(|failure| failure.status, |_| Some(200));
        self.tell(Input::Brokered { endpoint, status })?;
        let failure = match asked {
            Ok(answer) => {
                if self.repeats.works(endpoint) {
                    Event::ApiRecovered { endpoint }.say();
                }
                return Ok(Some(answer));
            }
            Err(failure) => failure,
        };
        if self.repeats.fails(now, endpoint, &failure.text) {
            failure.event(endpoint, retry_in).say();
        }
        Ok(None)
    }

    fn tell(&self, input: Input) -> Result<(), Gone> {
        self.broker.inputs.send(input).map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests;
