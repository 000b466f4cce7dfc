//! Kick's broker over HTTP: which transport to use, and guest tokens (docs/kick.md §1.3, §1.4).
//!
//! Each call makes one request and blocks no longer than its limit. Nothing here chooses, retries or waits.

use super::{judge, secret_in, unanswered};
use crate::config::PushConfig;
use crate::domain::ask::Failure;
use crate::domain::json::{Json, mended};
use crate::domain::push::Transport;
use crate::domain::secret::Secret;
use crate::domain::way::Offer;
use crate::gateway::http;
use crate::wire::offer;
use serde_json::{Value, json};
use std::time::Duration;

/// The limit of one request, everything included. Shorter than for other requests, because a connection waits for the
/// answer.
const LIMIT: Duration = Duration::from_secs(5);

/// A client for Kick's broker.
#[derive(Debug)]
pub(crate) struct Realtime {
    client: http::Client,
    url: String,
}

impl Realtime {
    /// Uses the addresses of `config`.
    pub(crate) fn new(config: &PushConfig) -> Realtime {
        Realtime { client: http::Client::new(config.tls_ca.clone(), LIMIT), url: config.realtime_url.text.clone() }
    }

    /// Asks which transports Kick offers to a client that supports these. The client is identified by a UUID made
    /// from `client`.
    pub(crate) fn offers(&self, client: u128, speaks: &[Transport]) -> Result<Vec<Offer>, Failure> {
        let providers: Vec<Value> = speaks.iter().map(|spoken| json!({"provider": spoken.word()})).collect();
        let question = json!({
            "client": {"id": uuid(client), "type": "web"},
            "capabilities": {"accepted_providers": providers},
        });
        self.ask("connection", &question, offer::read)
    }

    /// Requests an anonymous token for this client.
    pub(crate) fn guest_token(&self, client: u128) -> Result<Secret, Failure> {
        self.ask("auth/connection", &json!({"client_id": uuid(client)}), token_in)
    }

    /// Aborts the request of another thread and makes all later ones fail.
    pub(crate) fn hang_up(&self) {
        self.client.hang_up();
    }

    fn ask<T>(&self, path: &str, question: &Value, read: fn(&[u8]) -> Option<T>) -> Result<T, Failure> {
        let request = self.client.agent().post(format!("{}/{path}", self.url)).content_type("application/json");
        // The headers that Kick's own page sends (docs/kick.md §1.3).
        let request = request
            .header("Origin", "https://kick.com")
            .header("Referer", "https://kick.com/")
            .header("x-app-platform", "web");
        let reply = http::read(request.send(question.to_string())).map_err(unanswered)?;
        judge(200..300, reply, read)
    }
}

/// The UUID, version 4, with these bits.
fn uuid(bits: u128) -> String {
    let bits = bits & !(0xf << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The token in a response, if it is complete and valid.
fn token_in(body: &[u8]) -> Option<Secret> {
    let text = mended(body);
    let answer = Json::read(&text)?;
    secret_in(answer.get("data").unwrap_or(answer).get("token")?)
}

#[cfg(test)]
mod tests;
