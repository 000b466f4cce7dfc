//! The broker that says which transport to use, and the tokens for guests (docs/kick.md §1.3, §1.4).

use super::{App, not_found};
use crate::clock::Moment;
use crate::http::{Answer, Request};
use crate::world::World;
use serde_json::{Value, json};

const CHATS: &str = "/api/v1/realtime/channels/";

/// `POST /api/v1/realtime/connection`, or `…/channels/<channel id>/chat/connection`
pub(super) fn connection(world: &World, app: &App, request: &Request) -> Answer {
    let chat = request.path.strip_prefix(CHATS).and_then(|rest| rest.strip_suffix("/chat/connection"));
    let is_known = chat.map_or(request.path == "/api/v1/realtime/connection", |id| id.parse::<u64>().is_ok());
    if !is_known {
        return not_found("Not found.");
    }
    match accepted(request) {
        Some(accepted) => {
            let body = world.realtime.answer(&accepted, &app.centrifugo_url);
            Answer::new(200, "application/json", body)
        }
        None => bad_request(),
    }
}

/// `POST /api/v1/realtime/auth/connection`
pub(super) fn guest(world: &mut World, request: &Request, now: Moment) -> Answer {
    if request.path != "/api/v1/realtime/auth/connection" {
        return not_found("Not found.");
    }
    match body(request).as_ref().and_then(|body| client_id(&body["client_id"])) {
        Some(client_id) => {
            let token = world.realtime.issue(client_id, now.steady);
            Answer::json(200, &json!({"data": {"token": token}, "message": "success"}))
        }
        None => bad_request(),
    }
}

/// The providers that a client accepts, in lower case; none when it does not say who it is.
fn accepted(request: &Request) -> Option<Vec<String>> {
    let body = body(request)?;
    client_id(&body["client"]["id"])?;
    body["client"]["type"].as_str()?;
    let providers = body["capabilities"]["accepted_providers"].as_array().filter(|providers| !providers.is_empty())?;
    providers.iter().map(|provider| Some(provider["provider"].as_str()?.to_lowercase())).collect()
}

fn body(request: &Request) -> Option<Value> {
    let is_json = request.header("content-type").is_some_and(|it| it.starts_with("application/json"));
    is_json.then(|| serde_json::from_slice(&request.body).ok()).flatten()
}

/// A UUID.
fn client_id(value: &Value) -> Option<&str> {
    let text = value.as_str().filter(|text| text.len() == 36)?;
    let is_uuid = text.bytes().enumerate().all(|(index, byte)| match index {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    is_uuid.then_some(text)
}

fn bad_request() -> Answer {
    Answer::json(400, &json!({"data": null, "message": "Bad request"}))
}
