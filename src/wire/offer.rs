//! Parses Kick's answer to the question which transport to use (docs/kick.md §1.3). The choice is made elsewhere.

use crate::domain::json::{Json, mended};
use crate::domain::way::{Offer, is_cluster};

/// The most offers that are read from one answer.
const OFFERS_MAX: usize = 16;

/// Parses the answer: the offers that this program supports, in Kick's order of preference. `None` if the body is not
/// such an answer. The list may be empty.
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

/// One connection in the answer; `None` if it is not supported or not valid.
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

/// The key becomes a part of the websocket's URL, so the check is that of `PUSHER_APP_KEY`.
fn is_app_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests;
