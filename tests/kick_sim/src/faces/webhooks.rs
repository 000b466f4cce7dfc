//! Kick's public key, and the app's webhook subscriptions (docs/kick.md §10.5).

use super::api::{authorized, bad_request};
use crate::clock::Moment;
use crate::http::{Answer, Request};
use crate::world::World;
use serde_json::{Value, json};

/// What Kick allows an app, for each event.
const SUBSCRIPTIONS_MAX: usize = 10_000;

/// `GET /public-key`; anybody may ask.
pub(super) fn public_key(world: &World) -> Answer {
    Answer::json(200, &json!({"data": {"public_key": world.webhooks.public_key()}, "message": "OK"}))
}

/// `GET /events/subscriptions`
pub(super) fn list(world: &World, request: &Request, now: Moment) -> Answer {
    if let Err(refusal) = authorized(world, request, now) {
        return refusal;
    }
    let entry = |(id, user): (&String, &i64)| {
        json!({
            "app_id": "01KICKSIMAPP",
            "broadcaster_user_id": user,
            "created_at": "2026-01-01T00:00:00Z",
            "event": "livestream.status.updated",
            "id": id,
            "method": "webhook",
            "updated_at": "2026-01-01T00:00:00Z",
            "version": 1,
        })
    };
    let entries: Vec<Value> = world.webhooks.subscriptions().map(entry).collect();
    Answer::json(200, &json!({"data": entries, "message": "OK"}))
}

/// `POST /events/subscriptions`, for one user and one event.
pub(super) fn make(world: &mut World, request: &Request, now: Moment) -> Answer {
    if let Err(refusal) = authorized(world, request, now) {
        return refusal;
    }
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else { return bad_request("no JSON") };
    let event = json!([{"name": "livestream.status.updated", "version": 1}]);
    if body["method"] != "webhook" || body["events"] != event {
        return bad_request("another method or event");
    }
    let Some(user) = body["broadcaster_user_id"].as_i64().filter(|user| world.by_user(*user).is_some()) else {
        return bad_request("no such broadcaster");
    };
    let full = world.webhooks.subscriptions().count() >= SUBSCRIPTIONS_MAX;
    let error = world.webhooks.refuses.clone().or(full.then(|| "subscription limit reached".to_owned()));
    let id = if error.is_some() { String::new() } else { world.webhooks.subscribe(user) };
    let error = error.unwrap_or_default();
    let entry = json!({"error": error, "name": "livestream.status.updated", "subscription_id": id, "version": 1});
    Answer::json(200, &json!({"data": [entry], "message": "OK"}))
}

/// `DELETE /events/subscriptions?id=…`
pub(super) fn delete(world: &mut World, request: &Request, now: Moment) -> Answer {
    if let Err(refusal) = authorized(world, request, now) {
        return refusal;
    }
    world.webhooks.remove(|id, _| !request.all("id").any(|gone| gone == id));
    Answer::new(204, "application/json", "")
}
