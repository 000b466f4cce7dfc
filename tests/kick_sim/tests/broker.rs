//! The broker of transports and the tokens for guests, against docs/kick.md §1.3 and §1.4.

use crate::client::Http;
use kick_sim::{Face, Fault, Guest, Kick, Offer, OfferForm};
use serde_json::{Value, json};

/// A client's name.
pub(crate) const CLIENT: &str = "0191f1e0-5c3a-4c7e-9d6f-2b1a0c9d8e7f";

const BROKER: &str = "/api/v1/realtime/connection";
const TOKENS: &str = "/api/v1/realtime/auth/connection";

fn question(providers: &[&str]) -> Value {
    let providers: Vec<Value> = providers.iter().map(|provider| json!({"provider": provider})).collect();
    json!({"client": {"id": CLIENT, "type": "web"}, "capabilities": {"accepted_providers": providers}})
}

fn ask(kick: &Kick, providers: &[&str]) -> Value {
    let reply = Http::new(kick).post_json(BROKER, &question(providers)).expect("an answer");
    assert_eq!(reply.status, 200);
    reply.json()
}

/// A guest token.
pub(crate) fn guest_token(kick: &Kick) -> String {
    let reply = Http::new(kick).post_json(TOKENS, &json!({"client_id": CLIENT})).expect("an answer");
    reply.json()["data"]["token"].as_str().expect("a token").to_owned()
}

#[test]
fn pusher_alone_is_offered_until_a_test_says_otherwise() {
    let kick = Kick::start();
    let pusher = json!({"provider": "pusher", "credentials": {"app_key": kick.app_key(), "cluster": "us2"}});
    let answer = |connections: &[&Value]| json!({"data": {"connections": connections, "mode": "websocket"}, "message": "success"});
    assert_eq!(ask(&kick, &["pusher", "centrifugo"]), answer(&[&pusher]));
    let chat = "/api/v1/realtime/channels/668/chat/connection";
    let reply = Http::new(&kick).post_json(chat, &question(&["PUSHER"])).expect("an answer");
    assert_eq!(reply.json(), answer(&[&pusher]));

    kick.offer(&[Offer::Centrifugo, Offer::Unknown("webtransport".into()), Offer::PusherKey("another".into())]);
    let centrifugo = json!({"provider": "centrifugo", "credentials": {"url": kick.centrifugo_url()}});
    let unknown = json!({"provider": "webtransport", "credentials": {"token": "whatever"}});
    let another = json!({"provider": "pusher", "credentials": {"app_key": "another", "cluster": "us2"}});
    assert_eq!(ask(&kick, &["Pusher", "Centrifugo"]), answer(&[&centrifugo, &unknown, &another]));
    assert_eq!(ask(&kick, &["pusher"]), answer(&[&unknown, &another]));
    assert_eq!(ask(&kick, &["centrifugo"]), answer(&[&centrifugo, &unknown]));
    assert_eq!(kick.count(Face::Broker), 5);
}

#[test]
fn the_answer_comes_in_every_form_that_was_seen() {
    let kick = Kick::start();
    kick.set_offer_form(OfferForm::UpperCase);
    let upper = ask(&kick, &["pusher"]);
    assert_eq!((&upper["data"]["mode"], &upper["message"]), (&json!("WEBSOCKET"), &json!("success")));
    kick.set_offer_form(OfferForm::Bare);
    let credentials = json!({"app_key": kick.app_key(), "cluster": "us2"});
    let bare = json!({"connections": [{"provider": "PUSHER", "credentials": credentials}], "mode": "WEBSOCKET"});
    assert_eq!(ask(&kick, &["pusher"]), bare);
    kick.set_offer_form(OfferForm::Raw("[]".into()));
    assert_eq!(ask(&kick, &["pusher"]), json!([]));
    kick.fault(Face::Broker, Fault::challenge());
    let refused = Http::new(&kick).post_json(BROKER, &question(&["pusher"])).expect("an answer");
    assert_eq!((refused.status, refused.body.starts_with("<!DOCTYPE html>")), (403, true));
}

#[test]
fn a_question_that_is_not_kicks_own_is_refused() {
    let kick = Kick::start();
    let mut http = Http::new(&kick);
    let mut status = |target: &str, body: &Value| http.post_json(target, body).expect("an answer").status;
    let mut nameless = question(&["pusher"]);
    nameless["client"]["id"] = json!("me");
    assert_eq!(status(BROKER, &nameless), 400);
    assert_eq!(status(BROKER, &question(&[])), 400);
    assert_eq!(status(BROKER, &json!({"client": {"id": CLIENT, "type": "web"}})), 400);
    assert_eq!(status(BROKER, &json!([])), 400);
    assert_eq!(status("/api/v1/realtime/channels/xqc/chat/connection", &question(&["pusher"])), 404);
    assert_eq!(status("/api/v1/realtime/elsewhere", &question(&["pusher"])), 404);
    assert_eq!(status(TOKENS, &json!({"client_id": "me"})), 400);
    assert_eq!(status(TOKENS, &json!({})), 400);
    assert_eq!(http.post(BROKER, "client=me").expect("an answer").status, 400);
    assert_eq!(http.get(BROKER, "").expect("an answer").status, 404);
}

#[test]
fn every_guest_token_is_another() {
    let kick = Kick::start();
    let (first, second) = (guest_token(&kick), guest_token(&kick));
    assert_eq!(first.split('.').count(), 3);
    let guest = |token: &str| Guest { client_id: CLIENT.to_owned(), token: token.to_owned() };
    assert_eq!(kick.guests(), [guest(&first), guest(&second)]);
    assert_ne!(first, second);
    kick.fault(Face::GuestToken, Fault::rate_limited(None));
    let refused = Http::new(&kick).post_json(TOKENS, &json!({"client_id": CLIENT})).expect("an answer");
    assert_eq!((refused.status, kick.count(Face::GuestToken), kick.count(Face::Broker)), (429, 3, 0));
}
