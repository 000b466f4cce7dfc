//! What each face of Kick answers: a request and the world in, an answer out. No socket, no fault.
//!
//! A further transport has its broker in `realtime.rs` and its websocket beside `crate::push`.

mod api;
mod oauth;
mod realtime;
mod website;

use crate::clock::Moment;
use crate::fault::Face;
use crate::http::{Answer, Request};
use crate::world::World;
use serde_json::json;

/// Who may ask.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) pusher_key: String,
}

/// The answer of every face but push, which answers by changing the protocol.
pub(crate) fn answer(face: Face, world: &mut World, app: &App, request: &Request, now: Moment) -> Answer {
    match (face, request.method.as_str()) {
        (Face::OAuth, "POST") => oauth::token(world, app, request, now),
        (Face::Channels, "GET") => api::channels(world, request, now),
        (Face::Livestreams, "GET") => api::livestreams(world, request, now),
        (Face::UsersLivestreams, "GET") => api::users_livestreams(world, request, now),
        (Face::Website, "GET") => website::channel(world, request, now),
        (Face::Realtime, "POST") => realtime::connection(),
        _ => not_found("Not found."),
    }
}

/// Kick's 404 (KICK.md §6.2).
fn not_found(message: &str) -> Answer {
    Answer::json(404, &json!({"error": "Not Found", "message": message, "status": 404}))
}
