//! Every input and every output of the core: the program on one screen.

use super::push::Terms;
use crate::domain::ask::{Answer, BrokerQuery, Learned, Offered, Request};
use crate::domain::event::Event;
use crate::domain::push::{LinkEvent, LinkId, Push};
use crate::domain::row::{DatabaseEvent, Recent, RosterRead, Write, Written};
use crate::domain::secret::Secret;
use crate::domain::shards::{Coordination, Hold, Shard};
use crate::domain::time::Timestamp;
use crate::domain::way::{Offer, Way};
use crate::domain::webhook::{WebhookAnswer, WebhookEvent, WebhookOrder, WebhookQuery};
use crate::domain::{ChannelId, RowId, Steady, UserId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What happened outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The configured numbers of the rules, at the start and after each reload.
    Settings(Settings),
    /// The push settings changed: all connections are to be made anew.
    Relink,
    /// The offer of Kick's that worked last in an earlier process.
    Remembered(Offer),
    /// The ids that an earlier process learned. Comes before the first roster.
    Learned(Vec<Learned>),
    /// The rows whose status changed shortly before an earlier process ended. Comes before the first roster; without
    /// it, no row counts as one of them.
    Recent(Recent),
    /// The roster was read, or a part of it.
    Roster(RosterRead),
    /// How this instance shares the table with others. Nothing is followed before it comes for the first time.
    Coordination(Coordination),
    /// A push event that is evidence.
    Push(LinkId, Push),
    /// An event in the life of a connection.
    Link(LinkId, LinkEvent),
    /// What a connection received at once, in order.
    Several(Vec<Input>),
    /// Kick's answer to a request, or its failure.
    Answer(Answer),
    /// The answer of Kick's broker of transports, or its failure.
    BrokerAnswer(Answer<Offered>),
    /// The results of writes. One comes for every write sooner or later, except for the writes of a writer that died;
    /// `WriterStarted` comes for those.
    Written(Written),
    /// A writer started, perhaps again, and has none of the writes that an earlier one was given. It has lane `lane` of
    /// `lanes` ([`crate::domain::RowId::lane`]).
    WriterStarted {
        /// The lane.
        lane: usize,
        /// The number of lanes.
        lanes: usize,
    },
    /// Whether the worker that reads the roster can use the database.
    Database(DatabaseEvent),
    /// There is a token, which expires then.
    Token(Steady),
    /// No token could be had.
    TokenFailed {
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// The reason, in a few words.
        reason: String,
        /// Whether Kick refuses the credentials.
        refused: bool,
    },
    /// `None`: `ROSTER_NOTIFY_CHANNEL` is listened to, or is not set. Otherwise, why it is not listened to.
    Listening(Option<String>),
    /// `HEARTBEAT_URL` was asked, or is not asked any more; or why it could not be.
    Heartbeat(Option<String>),
    /// A token was requested. Counts against the budget, and never waits for it.
    Spent,
    /// The operator wants a sweep at once (USR1).
    SweepNow,
    /// A thread that asks Kick started, perhaps again, and does not have the request that an earlier one was given.
    AskerStarted(Asker),
    /// The same for the thread that asks Kick's broker.
    BrokerStarted,
    /// Which webhook subscriptions an earlier process made: Kick's id of each.
    Subscribed(BTreeMap<UserId, String>),
    /// What the worker that takes webhooks reports.
    Webhook(WebhookEvent),
    /// Kick answered a request about webhooks, or did not.
    WebhookAnswer(Answer<WebhookAnswer>),
    /// The thread that sends those requests began anew.
    SubscriberStarted,
    /// A wake-up. Comes at the time that `next_wake` gave, and may come at any other time.
    Tick,
}

impl Input {
    /// Returns true if it may change the report on a streamer. What a link says is judged where it is taken.
    pub(super) fn is_news(&self) -> bool {
        match self {
            Input::Push(..) | Input::Answer(_) | Input::Written(_) | Input::Relink => true,
            Input::Several(inputs) => inputs.iter().any(Input::is_news),
            _ => false,
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Ask Kick. At most one request is out for each asker.
    Ask(Asker, Request),
    /// Ask Kick's broker of transports. At most one request is out. Counts against the budget, and never waits
    /// for it.
    AskBroker(Request<BrokerQuery>),
    /// Ask Kick about webhooks. At most one such request is out.
    AskWebhooks(Request<WebhookQuery>),
    /// Tell this to the worker that takes webhooks.
    Webhook(WebhookOrder),
    /// Keep over restarts which webhook subscription was made for this user, or that it is gone.
    Subscribed(UserId, Option<String>),
    /// Write a row. At most one write is out for each row (R19).
    Write(Write),
    /// These shards are handed over: none of their rows will be written during this hold any more.
    Released {
        /// The hold that they belonged to.
        hold: Hold,
        /// The shards.
        shards: BTreeSet<Shard>,
    },
    /// Start a connection.
    OpenLink(LinkId),
    /// End a connection.
    CloseLink(LinkId),
    /// Follow these streamers' push channels on that connection.
    Subscribe(LinkId, Vec<ChannelId>),
    /// Do not follow them any more.
    Unsubscribe(LinkId, Vec<ChannelId>),
    /// The address for the next connection of this link, which asked for it. `None` if there is nowhere to connect to.
    Go(LinkId, Option<Way>),
    /// A guest token for this link, which asked for it.
    Token(LinkId, Secret),
    /// Read the roster now.
    ReadRoster,
    /// Keep this across restarts. Sent again whenever it changes.
    Learn(Learned),
    /// Keep across restarts that this offer of Kick's worked last.
    Remember(Offer),
    /// Until then the table may know more about these rows than the API: keep this across restarts (R13). Sent for the
    /// first roster as a whole, and then for each row that changes.
    Recent(Vec<RowId>, Timestamp),
    /// Log this event.
    Log(Event),
}

/// The two threads that send requests to the API and to the website. So a website that hangs delays no answer of the
/// API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asker {
    /// The official API.
    Api,
    /// The website, for channel ids.
    Website,
}

/// Who learns from the table when a broadcast began (R26).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Starts {
    /// No one.
    #[default]
    Ignored,
    /// Those who listen to `DB_NOTIFY_CHANNEL`.
    Told,
    /// `DB_STARTED_AT_COLUMN` has it, and those who listen are told, if there is a channel.
    Kept,
}

/// The configured numbers of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The interval of the sweep.
    pub sweep: Duration,
    /// The shortest interval at which streamers not covered by push are compared (R23).
    pub sweep_uncovered: Duration,
    /// How long the API cannot contradict a push event (R7).
    pub hold: Duration,
    /// How long an Offline must stand before it is written over an Online (R26).
    pub offline_delay: Duration,
    /// Who learns when a broadcast began (R26).
    pub starts: Starts,
    /// Names or ids in one request of `/channels` or `/livestreams`.
    pub batch: usize,
    /// The most requests to Kick in any one minute.
    pub requests_per_minute: u32,
    /// Which transports may be used, and where. A change counts from the next [`Input::Relink`] on.
    pub push: Terms,
    /// Webhooks are taken (R27).
    pub webhooks: bool,
    /// The interval of the heartbeat in the log, if there is to be one.
    pub heartbeat: Option<Duration>,
    /// The most streamers on one push connection.
    pub streamers_per_link: usize,
    /// Files and sockets that the process may have open.
    pub open_files: usize,
    /// How many of those are kept for everything but push connections.
    pub kept_files: usize,
    /// The most rows of a read that are worked off in one turn, or streamers that are queued.
    pub rows_a_turn: usize,
}
