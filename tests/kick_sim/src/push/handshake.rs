//! The websocket handshake, and what Pusher refuses right after it (KICK.md §2.1, §2.4). Pure.

use crate::http::{Answer, Request};
use tungstenite::handshake::derive_accept_key;

/// The change of protocol, or why there is none.
pub(crate) fn answer(request: &Request) -> Answer {
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

/// Why Pusher closes a connection with these parameters.
pub(super) fn refusal(request: &Request, app_key: &str) -> Option<(u16, String)> {
    let key = request.path.strip_prefix("/app/").unwrap_or_default();
    match request.all("protocol").next() {
        None => Some((4008, "No protocol version supplied".to_owned())),
        Some(version) if !matches!(version, "4" | "5" | "6" | "7") => {
            Some((4007, "Unsupported protocol version".to_owned()))
        }
        Some(_) if key != app_key => {
            let reason = format!("App key {key} not in this cluster. Did you forget to specify the cluster?");
            // A close frame has room for 123 bytes.
            Some((4001, reason.chars().filter(char::is_ascii).take(123).collect()))
        }
        Some(_) => None,
    }
}
