//! Builds the workers and connects them by channels. The only file that knows all of them.
//!
//! The receivers that a worker needs again after a restart are kept here. The senders are not, because a thread
//! learns from the end of all senders that it is to end.

mod reload;
mod webhooks;

use crate::clock::Clock;
use crate::config::{Config, Coordination, PushConfig};
use crate::domain::UserId;
use crate::domain::ask;
use crate::domain::problem::Health;
use crate::domain::push::LinkId;
use crate::domain::report::Bulletin;
use crate::domain::row::{Nudge, Write};
use crate::domain::shards::{Hold, Shard};
use crate::domain::webhook::WebhookQuery;
use crate::gateway::database::{Database, DbError};
use crate::gateway::heartbeat::Switch;
use crate::gateway::kick::{Kick, REQUEST_LIMIT, Realtime};
use crate::gateway::socket::Authorities;
use crate::gateway::state::{Keep, Remembered};
use crate::monitor::{Asker, Input, Monitor};
use crate::process::rules;
use crate::process::status::Scribe;
use crate::process::supervisor::{Body, Fatal, Spec, Stage, Supervisor};
use crate::wire::names::EventNames;
use crate::wire::sessions;
use crate::worker::Worker;
use crate::worker::asker::{AskerWorker, BrokerAsker};
use crate::worker::coordinator::Coordinator;
use crate::worker::heartbeat::Heartbeat;
use crate::worker::hold_cell::HoldCell;
use crate::worker::hub::{Hub, Outlets, ToMain};
use crate::worker::keeper::{Keeper, recall, recall_recent, recall_webhooks};
use crate::worker::link::{Link, Orders};
use crate::worker::listener::Listener;
use crate::worker::passing_cell::PassingCell;
use crate::worker::roster::Roster;
use crate::worker::token::TokenWorker;
use crate::worker::token_cell::TokenCell;
use crate::worker::webhook_cell::WebhookCell;
use crate::worker::writer::Writer;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// The stages of stopping. Sources end first, then the hub, which waits for the last writes and hangs up the links.
/// The threads that serve the hub end after it.
const SOURCES: Stage = Stage(0);
const HUB: Stage = Stage(1);
const SERVANTS: Stage = Stage(2);
/// The coordinator lets go of this instance's share when nothing can write any more.
const LAST: Stage = Stage(3);

/// The name of the thread that asks `HEARTBEAT_URL`.
const HEARTBEAT: &str = "heartbeat";

/// The most inputs that may wait for the hub; further senders wait. A push event takes about 200 bytes, and a roster
/// of any size is one input.
const INPUTS_MAX: usize = 1024;

/// The channels between the workers, and what the workers share.
pub(super) struct Crew {
    clock: Clock,
    rng: fastrand::Rng,
    push: PushConfig,
    /// The authorities that push connections trust.
    authorities: Arc<Authorities>,
    realtime: Arc<Realtime>,
    kick: Arc<Kick>,
    tokens: Arc<TokenCell>,
    database: Arc<Database>,
    cell: Arc<HoldCell>,
    /// `DB_SHARDS` and `DB_COORDINATION`.
    sharing: (u16, Coordination),
    /// A reload asks for another coordinator, which begins when the old writers have ended.
    reseated: bool,
    released: Receiver<(Hold, BTreeSet<Shard>)>,
    inputs: Sender<Input>,
    questions: BTreeMap<Asker, Receiver<ask::Request>>,
    broker_questions: Receiver<ask::Request<ask::BrokerQuery>>,
    webhook_questions: Receiver<ask::Request<WebhookQuery>>,
    webhook: Arc<WebhookCell>,
    passing: Arc<PassingCell>,
    lanes: Vec<Receiver<Write>>,
    /// Writers that were told to end and that others will replace.
    leaving: Vec<String>,
    relane: Sender<Vec<Sender<Write>>>,
    bulletins: Receiver<Bulletin>,
    nudge: (Sender<Nudge>, Receiver<Nudge>),
    health: Receiver<Health>,
    switch: Option<Arc<Switch>>,
}

impl Crew {
    /// Starts all workers. The hub sends its requests to the main thread through `main`.
    pub(super) fn start(
        config: &Config,
        database: Database,
        clock: Clock,
        supervisor: &mut Supervisor,
        main: Sender<ToMain>,
    ) -> Result<Crew, Fatal> {
        let (inputs, inputs_out) = bounded(INPUTS_MAX);
        let (keeper, learned) = unbounded();
        // Unbounded: the number of writers seldom changes, and control messages must never block.
        let (relane, relaned) = unbounded();
        let (askers, questions) = [Asker::Api, Asker::Website].into_iter().map(question_channel).unzip();
        let (broker, broker_questions) = unbounded();
        let (subscriber, webhook_questions) = unbounded();
        let (lanes, lanes_out) = lane_channels(config);
        // Unbounded, because the core never blocks. Each shard that is handed over comes once.
        let (coordinator, released) = unbounded();
        // Only the latest bulletin matters.
        let (bulletins, bulletins_out) = bounded(1);
        let (health, health_out) = bounded(1);
        let known = recall(&config.files.state_dir);
        let recent = recall_recent(&config.files.state_dir, clock.now().wall);
        let made = recall_webhooks(&config.files.state_dir);
        let memory = [Input::Learned(known.streamers.clone()), Input::Recent(recent), Input::Subscribed(made.clone())]
            .into_iter();
        let memory = memory.chain(known.realtime.clone().map(Input::Remembered)).collect();
        let realtime = Arc::new(Realtime::new(&config.push));
        let mut crew = Crew {
            clock,
            rng: fastrand::Rng::new(),
            push: config.push.clone(),
            authorities: Arc::new(Authorities::new(config.push.tls_ca.clone())),
            realtime,
            kick: Arc::new(Kick::new(&config.kick, REQUEST_LIMIT)),
            tokens: Arc::new(TokenCell::default()),
            database: Arc::new(database),
            cell: Arc::new(HoldCell::new(clock)),
            sharing: (config.database.shards, config.database.coordination),
            reseated: false,
            released,
            inputs,
            questions,
            broker_questions,
            webhook_questions,
            webhook: Arc::default(),
            passing: Arc::default(),
            lanes: lanes_out,
            leaving: Vec::new(),
            relane,
            bulletins: bulletins_out,
            // A second nudge would add nothing to one that is still waiting.
            nudge: bounded(1),
            health: health_out,
            switch: None,
        };
        let roster = crew.nudge.0.clone();
        let webhook = Arc::clone(&crew.webhook);
        let outlets = Outlets {
            askers,
            lanes,
            roster,
            broker,
            subscriber,
            webhook,
            coordinator,
            keeper,
            bulletins,
            health,
            main,
        };
        crew.add_hub(config, supervisor, outlets, inputs_out, relaned, memory)?;
        supervisor.add(clock.steady(), keeper_spec(config, clock, known, made, learned))?;
        crew.add_writers(supervisor)?;
        crew.add_coordinator(supervisor)?;
        crew.add_askers(supervisor)?;
        crew.add_broker(supervisor)?;
        crew.add_roster(config, supervisor)?;
        crew.add_heartbeat(config, supervisor)?;
        crew.add_webhook(config, supervisor)?;
        Ok(crew)
    }

    /// Sends an input to the hub for the main thread.
    pub(super) fn tell(&self, input: Input) {
        // The hub only ends with the process.
        let _ = self.inputs.send(input);
    }

    /// Starts the thread of a push connection.
    pub(super) fn open_link(&mut self, supervisor: &mut Supervisor, id: LinkId, orders: Orders) -> Result<(), Fatal> {
        let (channel_names, authorities) = (self.push.channel_names.clone(), self.authorities.clone());
        let events = EventNames::new(&self.push.live_events, &self.push.stop_events);
        let (inputs, clock, mut rng) = (self.inputs.clone(), self.clock, self.rng.fork());
        let make = move || Link {
            id,
            speak: sessions(&channel_names, &events),
            authorities: authorities.clone(),
            orders: orders.clone(),
            inputs: inputs.clone(),
            clock,
            seed: rng.u64(..),
        };
        self.add(supervisor, &format!("link-{}", id.0), SERVANTS, make)
    }

    /// Starts the roster worker and the listener, or replaces them.
    pub(super) fn add_roster(&mut self, config: &Config, supervisor: &mut Supervisor) -> Result<(), Fatal> {
        let (clock, inputs, database) = (self.clock, self.inputs.clone(), Arc::clone(&self.database));
        let (poll, nudge, rng) = (config.roster.poll, self.nudge.1.clone(), self.rng.fork());
        let (reads, cell) = (Arc::clone(&database), Arc::clone(&self.cell));
        let roster = Roster { poll, nudge, inputs: inputs.clone(), database: reads, cell, clock, rng };
        self.add(supervisor, "roster", SOURCES, move || roster.clone())?;
        let Some(channel) = config.roster.notify_channel.clone() else {
            supervisor.remove("listener");
            self.tell(Input::Listening(None));
            return Ok(());
        };
        let (nudge, rng) = (self.nudge.0.clone(), self.rng.fork());
        let listener = Listener { channel, nudge, inputs, database, clock, rng };
        self.add(supervisor, "listener", SOURCES, move || listener.clone())
    }

    /// Starts the `status` thread, or replaces it.
    pub(super) fn add_status(
        &mut self,
        config: &Config,
        given_up: Option<PathBuf>,
        supervisor: &mut Supervisor,
    ) -> Result<(), Fatal> {
        let (clock, files, bulletins) = (self.clock, config.files.clone(), self.bulletins.clone());
        let scribe = move || Scribe::new(&files, given_up.clone(), bulletins.clone(), clock);
        self.add(supervisor, "status", SERVANTS, scribe)
    }

    /// Starts the thread `heartbeat` if it is configured, or replaces or removes it.
    pub(super) fn add_heartbeat(&mut self, config: &Config, supervisor: &mut Supervisor) -> Result<(), Fatal> {
        let new = Switch::new(&config.heartbeat).map(Arc::new);
        let old = std::mem::replace(&mut self.switch, new);
        supervisor.remove(HEARTBEAT);
        if let Some(old) = old {
            old.hang_up();
        }
        let Some(switch) = self.switch.clone() else { return Ok(()) };
        let (health, inputs, clock) = (self.health.clone(), self.inputs.clone(), self.clock);
        let every = config.heartbeat.every;
        let heartbeat = Heartbeat { switch, every, health, inputs, clock };
        self.add(supervisor, HEARTBEAT, SOURCES, move || heartbeat.clone())
    }

    fn add_hub(
        &mut self,
        config: &Config,
        supervisor: &mut Supervisor,
        outlets: Outlets,
        inputs: Receiver<Input>,
        relaned: Receiver<Vec<Sender<Write>>>,
        memory: Vec<Input>,
    ) -> Result<(), Fatal> {
        let now = self.clock.now();
        let mut monitor = Monitor::new(now, rules::settings(config), self.rng.u64(..));
        memory.into_iter().for_each(|input| drop(monitor.handle(now, input)));
        let mut hub = Some(Hub { monitor, inputs, relaned, outlets, clock: self.clock });
        let make = move || -> Body {
            let hub = hub.take();
            Box::new(move |pulse, stop| match hub {
                Some(hub) => hub.run(pulse, &stop),
                None => anyhow::bail!("the hub has one life only"),
            })
        };
        let spec = Spec { name: "hub".to_owned(), stage: HUB, vital: true, make: Box::new(make) };
        supervisor.add(now.steady, spec)
    }

    fn add_writers(&mut self, supervisor: &mut Supervisor) -> Result<(), Fatal> {
        let (clock, lanes) = (self.clock, self.lanes.len());
        for (lane, inbox) in self.lanes.clone().into_iter().enumerate() {
            let (inputs, database, cell) = (self.inputs.clone(), Arc::clone(&self.database), Arc::clone(&self.cell));
            let writer = Writer { lane, lanes, inbox, inputs, database, cell, clock };
            self.add(supervisor, &writer_name(lane), SERVANTS, move || writer.clone())?;
        }
        Ok(())
    }

    /// Starts the coordinator, or replaces it.
    fn add_coordinator(&mut self, supervisor: &mut Supervisor) -> Result<(), Fatal> {
        let ((shards, mode), cell, released) = (self.sharing, Arc::clone(&self.cell), self.released.clone());
        let (inputs, database, rng) = (self.inputs.clone(), Arc::clone(&self.database), self.rng.fork());
        let (passing, clock) = (Arc::clone(&self.passing), self.clock);
        let coordinator = Coordinator { mode, shards, cell, released, passing, inputs, database, clock, rng };
        self.add(supervisor, "coordinator", LAST, move || coordinator.clone())
    }

    fn add_askers(&mut self, supervisor: &mut Supervisor) -> Result<(), Fatal> {
        let clock = self.clock;
        let shared = || (Arc::clone(&self.kick), Arc::clone(&self.tokens), self.inputs.clone());
        let ((kick, tokens, inputs), seed) = (shared(), self.rng.u64(..));
        let token = TokenWorker { kick, tokens, inputs, clock, seed };
        self.add(supervisor, "token", SOURCES, move || token.clone())?;
        for (which, requests) in self.questions.clone() {
            let (kick, tokens, inputs) = shared();
            let asker = AskerWorker { which, kick, tokens, requests, inputs, clock };
            let name = match which {
                Asker::Api => "sweep",
                Asker::Website => "website",
            };
            self.add(supervisor, name, SOURCES, move || asker.clone())?;
        }
        Ok(())
    }

    fn add_broker(&mut self, supervisor: &mut Supervisor) -> Result<(), Fatal> {
        let (realtime, requests) = (Arc::clone(&self.realtime), self.broker_questions.clone());
        let broker = BrokerAsker { realtime, requests, inputs: self.inputs.clone(), clock: self.clock };
        self.add(supervisor, "broker", SOURCES, move || broker.clone())
    }

    /// Starts a worker, or replaces the one of this name. `make` makes it for each of its runs.
    fn add<W: Worker>(
        &self,
        supervisor: &mut Supervisor,
        name: &str,
        stage: Stage,
        make: impl FnMut() -> W + 'static,
    ) -> Result<(), Fatal> {
        supervisor.add(self.clock.steady(), Spec::new(name, stage, make))
    }

    /// Tells the sources of inputs to stop, and aborts their requests to Kick. Drops the last sender to the hub.
    pub(super) fn leave(self, supervisor: &mut Supervisor) {
        supervisor.remove_stage(SOURCES);
        self.kick.hang_up();
        self.realtime.hang_up();
        if let Some(switch) = self.switch {
            switch.hang_up();
        }
    }
}

/// The database of a configuration.
pub(super) fn database(config: &Config, clock: Clock) -> Result<Database, DbError> {
    Database::new(config.database.clone(), clock)
}

fn keeper_spec(
    config: &Config,
    clock: Clock,
    known: Remembered,
    made: BTreeMap<UserId, String>,
    learned: Receiver<Keep>,
) -> Spec {
    let dir = config.files.state_dir.clone();
    let mut known = Some((known, made));
    Spec::new("keeper", SERVANTS, move || {
        // If the keeper is restarted, the files have newer content than `known`.
        let (known, made) = known.take().unwrap_or_else(|| (recall(&dir), recall_webhooks(&dir)));
        Keeper { dir: dir.clone(), known, made, learned: learned.clone(), clock }
    })
}

/// The core has one request in flight per asker, so a channel never holds more than a few.
fn question_channel(asker: Asker) -> ((Asker, Sender<ask::Request>), (Asker, Receiver<ask::Request>)) {
    let (sender, receiver) = unbounded();
    ((asker, sender), (asker, receiver))
}

/// Unbounded, because the core never blocks. A row has at most one write in them.
fn lane_channels(config: &Config) -> (Vec<Sender<Write>>, Vec<Receiver<Write>>) {
    (0..config.database.pool_size).map(|_| unbounded()).unzip()
}

fn writer_name(lane: usize) -> String {
    format!("writer-{lane}")
}
