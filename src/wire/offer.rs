//! Kick's answer to "which transport?" (KICK.md §1.3), and what of it may be used (CONTRACT §2). It
//! never chooses, and never asks.

use crate::domain::json::{Json, mended};
use crate::domain::push::Transport;
use http::Uri;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The most offers that are read from one answer.
const OFFERS_MAX: usize = 16;

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
        /// The whole URL, to be looked at with [`acceptable`] before it is used.
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
    /// The path with its query, beginning with `/`.
    pub path_and_query: String,
}

/// Reads the answer: the offers that this program understands, best first. None when this is no
/// such answer; an answer may well hold nothing that we understand.
pub fn read(body: &[u8]) -> Option<Vec<Offer>> {
    let text = mended(body);
    let answer = Json::read(&text)?;
    // Kick's own envelope was missing in August 2026.
    let answer = answer.get("data").unwrap_or(answer);
    let connections = answer.get("connections")?.items()?;
    let mode = answer.get("mode").and_then(Json::text);
    if mode.is_some_and(|mode| !mode.eq_ignore_ascii_case("websocket")) {
        return Some(Vec::new());
    }
    Some(connections.into_iter().filter_map(offer).take(OFFERS_MAX).collect())
}

/// Where a URL that Kick handed out goes. None when it may not be used: it must be `wss` on port 443
/// of `kick.com`, `pusher.com` or a subdomain of theirs, without user information, or loopback when
/// the configured host is loopback.
pub fn acceptable(url: &str, configured_is_loopback: bool) -> Option<Place> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?.as_str();
    let tls = match uri.scheme_str()?.to_ascii_lowercase().as_str() {
        "wss" => true,
        "ws" => false,
        _ => return None,
    };
    // What Uri calls the host and the port must be all there is: no user, no port out of range.
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

/// The host of a Pusher server in this cluster: the cluster replaces the one in the configured host,
/// if that has the form `ws-<cluster>.pusher.com`; any other host stays as configured. None when this
/// is no name of a cluster.
pub fn pusher_host(configured: &str, cluster: &str) -> Option<String> {
    if !is_cluster(cluster) {
        return None;
    }
    let replaced = configured.strip_prefix("ws-").and_then(|rest| rest.strip_suffix(".pusher.com"));
    Some(match replaced {
        Some(replaced) if is_cluster(replaced) => format!("ws-{cluster}.pusher.com"),
        _ => configured.to_owned(),
    })
}

/// One connection of the answer, if it is one that we understand.
fn offer(connection: Json<'_>) -> Option<Offer> {
    let credential = |name| connection.at(&["credentials", name])?.text();
    match connection.get("provider")?.text()?.to_ascii_lowercase().as_str() {
        "pusher" => {
            let (app_key, cluster) = (credential("app_key")?, credential("cluster")?);
            (is_app_key(&app_key) && is_cluster(&cluster)).then_some(Offer::Pusher { app_key, cluster })
        }
        "centrifugo" => Some(Offer::Centrifugo { url: credential("url")? }),
        _ => None,
    }
}

/// The key becomes a part of the websocket's URL; the rule is that of `PUSHER_APP_KEY`.
fn is_app_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The cluster becomes a part of the host's name: with a dot in it, it could make it another's.
fn is_cluster(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_kicks(host: &str) -> bool {
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    is_name
        && ["kick.com", "pusher.com"].iter().any(|&domain| {
            host.strip_suffix(domain).is_some_and(|below| below.is_empty() || below.ends_with('.') && below.len() > 1)
        })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
