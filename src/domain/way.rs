//! Where push can be had: what Kick offers, and the way that a connection takes.

use super::push::Transport;
use serde::{Deserialize, Serialize};

/// A transport that Kick offers, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Offer {
    /// Pusher Channels.
    Pusher {
        /// Letters, digits, `-` and `_`.
        app_key: String,
        /// Letters, digits and `-`.
        cluster: String,
    },
    /// Centrifugo.
    Centrifugo {
        /// The whole URL, to be looked at before it is used.
        url: String,
    },
}

impl Offer {
    /// What is offered.
    pub fn transport(&self) -> Transport {
        match self {
            Offer::Pusher { .. } => Transport::Pusher,
            Offer::Centrifugo { .. } => Transport::Centrifugo,
        }
    }
}

/// Where a websocket goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Name, in lower case, or IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path with its query, beginning with `/`; of a Pusher server, what goes before `/app/KEY`.
    pub path_and_query: String,
}

/// A way to reach push.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// An app of a Pusher server.
    Pusher {
        /// Where it is.
        place: Place,
        /// Which app.
        app_key: String,
    },
    /// A Centrifugo server.
    Centrifugo {
        /// Where it is.
        place: Place,
    },
}

impl Way {
    /// What is spoken there.
    pub fn transport(&self) -> Transport {
        match self {
            Way::Pusher { .. } => Transport::Pusher,
            Way::Centrifugo { .. } => Transport::Centrifugo,
        }
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &Place {
        match self {
            Way::Pusher { place, .. } | Way::Centrifugo { place } => place,
        }
    }
}

/// Whether this can be the name of a Pusher cluster, which becomes a part of the host's name: with a dot
/// in it, it could make it another's.
pub(crate) fn is_cluster(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
