//! What each face of Kick answers: a request and the world in, an answer out. No socket, no fault.

mod api;
mod oauth;
mod realtime;
mod webhooks;
mod website;

use crate::clock::Moment;
use crate::fault::Face;
use crate::http::{Answer, Request};
use crate::world::World;
use serde_json::json;

/// Who may ask, and where he is sent.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    /// Where this Kick's own Centrifugo is.
    pub(crate) centrifugo_url: String,
}

/// The answer of every face but push, which answers by changing the protocol.
pub(crate) fn answer(face: Face, world: &mut World, app: &App, request: &Request, now: Moment) -> Answer {
    match (face, request.method.as_str()) {
        (Face::OAuth, "POST") => oauth::token(world, app, request, now),
        (Face::Channels, "GET") => api::channels(world, request, now),
        (Face::Livestreams, "GET") => api::livestreams(world, request, now),
        (Face::UsersLivestreams, "GET") => api::users_livestreams(world, request, now),
        (Face::Website, "GET") => website::channel(world, request, now),
        (Face::Broker, "POST") => realtime::connection(world, app, request),
        (Face::GuestToken, "POST") => realtime::guest(world, request, now),
        (Face::PublicKey, "GET") => webhooks::public_key(world),
        (Face::Subscriptions, "GET") => webhooks::list(world, request, now),
        (Face::Subscriptions, "POST") => webhooks::make(world, request, now),
        (Face::Subscriptions, "DELETE") => webhooks::delete(world, request, now),
        _ => not_found("Not found."),
    }
}

/// Kick's 404 (docs/kick.md §6.2).
fn not_found(message: &str) -> Answer {
    Answer::json(404, &json!({"error": "Not Found", "message": message, "status": 404}))
}
