//! Where an offer of Kick's leads, and which offers may be used (docs/operating.md, "Push").

use crate::domain::push::Transport;
use crate::domain::way::{Offer, Place, Way, is_cluster, is_loopback};
use http::Uri;

/// Which transports the configuration allows, and at which addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The only transport that is allowed; `None` if both are.
    pub only: Option<Transport>,
    /// The configured Pusher server; its path goes before `/app/KEY`.
    pub pusher: Place,
    /// The configured app key.
    pub app_key: String,
    /// Whether Kick's broker is on this machine. It may then offer URLs on this machine, too.
    pub broker_is_loopback: bool,
}

impl Terms {
    /// The transports that may be used.
    pub fn speaks(&self) -> Vec<Transport> {
        Transport::ALL.into_iter().filter(|spoken| self.only.is_none_or(|only| only == *spoken)).collect()
    }

    /// The configured Pusher server as a way.
    pub(super) fn configured(&self) -> Way {
        Way::Pusher { place: self.pusher.clone(), app_key: self.app_key.clone() }
    }

    /// Where an offer leads, if it may be used.
    pub fn way(&self, offer: &Offer) -> Option<Way> {
        match offer {
            Offer::Pusher { app_key, cluster } => {
                let host = pusher_host(&self.pusher.host, cluster)?;
                Some(Way::Pusher { place: Place { host, ..self.pusher.clone() }, app_key: app_key.clone() })
            }
            Offer::Centrifugo { url } => {
                acceptable(url, self.broker_is_loopback).map(|place| Way::Centrifugo { place })
            }
        }
    }
}

/// Where a URL that Kick offers leads. `None` if it may not be used: it must be `wss` on port 443 of `kick.com`,
/// `pusher.com` or a subdomain of theirs, without user information, or on this machine when the broker is on this
/// machine.
fn acceptable(url: &str, configured_is_loopback: bool) -> Option<Place> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?.as_str();
    let tls = match uri.scheme_str()?.to_ascii_lowercase().as_str() {
        "wss" => true,
        "ws" => false,
        _ => return None,
    };
    // Host and port must be all there is: no user information, no port out of range.
    let host = uri.host()?;
    let port = match authority.strip_prefix(host)? {
        "" if tls => 443,
        "" => 80,
        port => port.strip_prefix(':')?.parse().ok()?,
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_ascii_lowercase();
    let is_allowed = tls && port == 443 && is_kicks(&host) || configured_is_loopback && is_loopback(&host);
    let path_and_query = uri.path_and_query().map_or("/", |rest| rest.as_str()).to_owned();
    let is_clean = path_and_query.bytes().all(|byte| byte.is_ascii_graphic());
    (is_allowed && is_clean).then_some(Place { tls, host, port, path_and_query })
}

/// The host of a Pusher server in this cluster: the cluster replaces the one in the configured host, if that has the
/// form `ws-<cluster>.pusher.com`; any other host stays as configured. `None` if `cluster` is not a valid name.
fn pusher_host(configured: &str, cluster: &str) -> Option<String> {
    if !is_cluster(cluster) {
        return None;
    }
    let replaced = configured.strip_prefix("ws-").and_then(|rest| rest.strip_suffix(".pusher.com"));
    Some(match replaced {
        Some(replaced) if is_cluster(replaced) => format!("ws-{cluster}.pusher.com"),
        _ => configured.to_owned(),
    })
}

fn is_kicks(host: &str) -> bool {
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    is_name
        && ["kick.com", "pusher.com"].iter().any(|&domain| {
            host.strip_suffix(domain).is_some_and(|below| below.is_empty() || below.ends_with('.') && below.len() > 1)
        })
}

#[cfg(test)]
mod tests;
