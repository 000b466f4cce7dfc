//! The websocket handshake (docs/kick.md §1.4, §2.1). Pure.

use super::Transport;
use crate::http::{Answer, Request};
use tungstenite::handshake::derive_accept_key;

/// The only origin that Kick's own servers are sure to take.
const ORIGIN: &str = "https://kick.com";

/// The change of protocol, or why there is none.
pub(crate) fn answer(transport: Transport, request: &Request) -> Answer {
    if transport == Transport::Centrifugo && request.header("origin") != Some(ORIGIN) {
        return Answer::new(403, "text/plain", "Forbidden");
    }
    let named = |name: &str, value: &str| {
        let has = |header: &str| header.split(',').any(|word| word.trim().eq_ignore_ascii_case(value));
        request.header(name).is_some_and(has)
    };
    let key = request.header("sec-websocket-key");
    match key {
        Some(key) if request.method == "GET" && named("upgrade", "websocket") && named("connection", "upgrade") => {
            let accept = derive_accept_key(key.as_bytes());
            let headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", &accept)];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
            Answer { status: 101, headers, body: Vec::new() }
        }
        _ => Answer::new(400, "text/plain", "a websocket handshake was expected"),
    }
}
