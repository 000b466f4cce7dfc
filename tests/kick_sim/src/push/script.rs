//! What push does, and does wrong, beside the faults that every face can have.

use super::{DataForm, Transport};
use std::collections::BTreeSet;
use std::time::Duration;

/// What push does, and does wrong: on every transport, where it says nothing else.
#[derive(Clone, Debug)]
pub struct PushScript {
    /// Seconds, as Pusher's greeting says it. 120 unless changed.
    pub activity_timeout: u64,
    /// Pusher pings after so long a silence; never unless set.
    pub ping_after: Option<Duration>,
    /// Pusher's ping is a websocket ping, not `pusher:ping`.
    pub ping_by_websocket: bool,
    /// Centrifugo pings so often, and says so in whole seconds when it greets. 25 s unless changed.
    pub ping_interval: Duration,
    /// Centrifugo says so, and does not ping.
    pub no_pings: bool,
    /// How long the server waits for the answer to its ping before it closes, with 4201 or 3012. 30 s
    /// unless changed; Centrifugo waits until its next ping at most.
    pub pong_timeout: Duration,
    /// For so long after its token is over a client of Centrifugo's may still renew it. 25 s unless changed, as
    /// in the real server (`client.expired_close_delay`), whose own client relies on it.
    pub renewal_grace: Duration,
    /// The client's own pings are not answered.
    pub ignore_pings: bool,
    /// Subscriptions are made but not acknowledged.
    pub drop_acks: bool,
    /// These greet and make no subscription: they say nothing to who asks for one.
    pub ignoring: BTreeSet<Transport>,
    /// These greet and refuse every subscription.
    pub refusing: BTreeSet<Transport>,
    /// Centrifugo takes this number of channels on a connection, and refuses more with 106, as the real server does
    /// (`client.channel_limit`); any number unless set.
    pub channel_limit: Option<usize>,
    /// Acknowledgements (and what comes behind them on the connection) come so much later.
    pub ack_delay: Duration,
    /// Subscriptions to these channels are refused. Centrifugo refuses all whose names begin with
    /// `private-`, too.
    pub refused: BTreeSet<String>,
    /// Pusher's event that says so: `pusher_internal:subscription_error` unless changed.
    pub refusal_event: String,
    /// Centrifugo gives a channel a number where a client lets it, and names it so.
    pub compact: bool,
    /// These connect, acknowledge, and answer pings, and deliver no event.
    pub deaf: BTreeSet<Transport>,
    /// How often each event comes. 1 unless changed.
    pub copies: usize,
    /// How the events' data is put into the frame.
    pub data_form: DataForm,
}

impl Default for PushScript {
    fn default() -> PushScript {
        PushScript {
            activity_timeout: 120,
            ping_after: None,
            ping_by_websocket: false,
            ping_interval: Duration::from_secs(25),
            no_pings: false,
            pong_timeout: Duration::from_secs(30),
            renewal_grace: Duration::from_secs(25),
            ignore_pings: false,
            drop_acks: false,
            ignoring: BTreeSet::new(),
            refusing: BTreeSet::new(),
            channel_limit: None,
            ack_delay: Duration::ZERO,
            refused: BTreeSet::new(),
            refusal_event: "pusher_internal:subscription_error".to_owned(),
            compact: false,
            deaf: BTreeSet::new(),
            copies: 1,
            data_form: DataForm::default(),
        }
    }
}
