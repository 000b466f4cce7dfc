//! All that may come into the core, and all that it may want done: the program on one screen.

use super::push::Terms;
use crate::domain::ask::{Answer, BrokerQuery, Learned, Offered, Request};
use crate::domain::event::Event;
use crate::domain::push::{LinkEvent, LinkId, Push};
use crate::domain::row::{DatabaseEvent, Recent, RosterRead, Write, Written};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::way::{Offer, Way};
use crate::domain::{ChannelId, RowId, Steady};
use std::time::Duration;

/// What happened outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The numbers of the rules, at start and after each reload.
    Settings(Settings),
    /// The push settings changed: every connection is to be made anew.
    Relink,
    /// Which of Kick's offers worked last in an earlier process.
    Remembered(Offer),
    /// What an earlier process learned and kept; comes before the first roster.
    Learned(Vec<Learned>),
    /// Whose status an earlier process knew to have changed lately; comes before the first roster. Without it, no row's.
    Recent(Recent),
    /// The roster was read.
    Roster(RosterRead),
    /// A push event that is evidence.
    Push(LinkId, Push),
    /// A connection's life.
    Link(LinkId, LinkEvent),
    /// What a connection heard all at once, in its order.
    Several(Vec<Input>),
    /// Kick answered a request, or did not.
    Answer(Answer),
    /// Kick's broker of transports answered a request, or did not.
    BrokerAnswer(Answer<Offered>),
    /// A writer answered. Comes for every write, sooner or later; a writer that died is made up for
    /// by `WriterStarted`.
    Written(Written),
    /// A writer began, perhaps anew, and has lost what it had been given: it is lane `lane` of `lanes`
    /// ([`crate::domain::RowId::lane`]).
    WriterStarted {
        /// Which one.
        lane: usize,
        /// Of how many.
        lanes: usize,
    },
    /// How the roster's conversation with the database goes.
    Database(DatabaseEvent),
    /// A token is there, and lives until then.
    Token(Steady),
    /// No token came: the HTTP status, if there was an answer, why, and whether Kick refuses the credentials.
    TokenFailed {
        /// The HTTP status.
        status: Option<u16>,
        /// A few words.
        reason: String,
        /// Whether the credentials are at fault.
        refused: bool,
    },
    /// Somebody listens on `ROSTER_NOTIFY_CHANNEL` from now on, or need not; or why nobody does.
    Listening(Option<String>),
    /// A token was asked for: counts against the budget, never waits for it.
    Spent,
    /// The operator wants everything compared at once (USR1).
    SweepNow,
    /// A thread that asks Kick began anew and may have lost the request it had.
    AskerStarted(Asker),
    /// So did the one that asks Kick's broker.
    BrokerStarted,
    /// It is time; comes when `next_wake` said so, and may come at any other time.
    Tick,
}

impl Input {
    /// Whether it may change what there is to tell of a streamer. What a link says is looked at first.
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
    /// Write a row. At most one write is out for each row (R19).
    Write(Write),
    /// Start a connection.
    OpenLink(LinkId),
    /// End a connection.
    CloseLink(LinkId),
    /// Follow these streamers' push channels on that connection.
    Subscribe(LinkId, Vec<ChannelId>),
    /// Do not follow them any more.
    Unsubscribe(LinkId, Vec<ChannelId>),
    /// Where that link's next connection goes, which it asked; none when there is no way at all.
    Go(LinkId, Option<Way>),
    /// A guest token, which that link asked for.
    Token(LinkId, Secret),
    /// Read the roster now.
    ReadRoster,
    /// Keep this over restarts. The core says it again whenever something of it changes.
    Learn(Learned),
    /// Keep over restarts that this offer of Kick's worked last.
    Remember(Offer),
    /// The table may know more of these rows than the API until then: keep this over restarts (R13). Said of
    /// all that the first roster has, and then of each row that changes.
    Recent(Vec<RowId>, Timestamp),
    /// Say it in the log.
    Log(Event),
}

/// The two threads that ask Kick, so that a website that hangs delays no answer of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asker {
    /// The official API.
    Api,
    /// The website, for ids.
    Website,
}

/// What the configuration has to say to the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often every status is compared with the API.
    pub sweep: Duration,
    /// How often at best those are compared whom push does not cover (R23).
    pub sweep_uncovered: Duration,
    /// How long the API cannot contradict a push event.
    pub hold: Duration,
    /// Names or ids in one request of `/channels` or `/livestreams`.
    pub batch: usize,
    /// Requests to Kick in any one minute.
    pub requests_per_minute: u32,
    /// Which ways to push there are. Others count from the next [`Input::Relink`] on.
    pub push: Terms,
    /// How often a heartbeat is logged.
    pub heartbeat: Option<Duration>,
    /// Streamers that one push connection carries.
    pub streamers_per_link: usize,
    /// Files and sockets that the process may have open.
    pub open_files: usize,
    /// How many of those are kept from the push connections.
    pub kept_files: usize,
}
