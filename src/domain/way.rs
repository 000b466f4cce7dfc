//! Where push can be reached: what Kick offers, and where a connection goes.

use super::push::Transport;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A transport that Kick offers, and its address.
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
        /// The complete URL; it is checked before it is used.
        url: String,
    },
}

impl Offer {
    /// The transport that is offered.
    pub fn transport(&self) -> Transport {
        match self {
            Offer::Pusher { .. } => Transport::Pusher,
            Offer::Centrifugo { .. } => Transport::Centrifugo,
        }
    }
}

/// The address of a websocket server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Whether the connection uses TLS.
    pub tls: bool,
    /// A name in lower case or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path with its query, beginning with `/`. For a Pusher server, the part before `/app/KEY`.
    pub path_and_query: String,
}

/// A transport and the address at which it is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// An app of a Pusher server.
    Pusher {
        /// The server's address.
        place: Place,
        /// The key of the app on that server.
        app_key: String,
    },
    /// A Centrifugo server.
    Centrifugo {
        /// The server's address.
        place: Place,
    },
}

impl Way {
    /// The transport that is spoken there.
    pub fn transport(&self) -> Transport {
        match self {
            Way::Pusher { .. } => Transport::Pusher,
            Way::Centrifugo { .. } => Transport::Centrifugo,
        }
    }

    /// The server's address.
    pub(crate) fn place(&self) -> &Place {
        match self {
            Way::Pusher { place, .. } | Way::Centrifugo { place } => place,
        }
    }
}

/// Returns true if the text can be the name of a Pusher cluster, which becomes a part of the host name: a dot in it
/// could lead to a host of another domain.
pub(crate) fn is_cluster(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Returns true if the host, without brackets, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
