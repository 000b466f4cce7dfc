//! What Kick says about its transports: what it offers to whom, and whom it lets in as a guest
//! (docs/kick.md §1.3, §1.4). Pure: every time is an argument.

use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The Pusher app key at the beginning: Kick's own, as of 2026-10.
pub(crate) const APP_KEY: &str = "32cbd69e4b950bf97679";
/// The cluster of every offer of Pusher.
const CLUSTER: &str = "us2";

/// One transport that the broker offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Pusher, with the key in force; the last one, when that is retired.
    Pusher,
    /// Pusher, with another key.
    PusherKey(String),
    /// This Kick's own Centrifugo.
    Centrifugo,
    /// Centrifugo somewhere else.
    CentrifugoUrl(String),
    /// A provider that no client knows: offered to everybody.
    Unknown(String),
}

/// How the broker writes its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OfferForm {
    /// In Kick's envelope, in lower case.
    #[default]
    Enveloped,
    /// In Kick's envelope, provider and mode in upper case.
    UpperCase,
    /// As captured in August 2026: without the envelope, in upper case.
    Bare,
    /// This body, whatever is offered.
    Raw(String),
}

/// Somebody who was given a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// What it called itself.
    pub client_id: String,
    /// The token.
    pub token: String,
}

/// What a token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Until(Instant),
    Expired,
    Unknown,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Realtime {
    pub(crate) offers: Vec<Offer>,
    pub(crate) form: OfferForm,
    pub(crate) guest_lifetime: Duration,
    app_key: String,
    retired: bool,
    guests: Vec<(Guest, Instant)>,
}

impl Realtime {
    pub(crate) fn new() -> Realtime {
        Realtime {
            offers: vec![Offer::Pusher],
            form: OfferForm::default(),
            guest_lifetime: Duration::from_secs(2700),
            app_key: APP_KEY.to_owned(),
            retired: false,
            guests: Vec::new(),
        }
    }

    // Pusher's key.

    /// The app key that Pusher takes.
    pub(crate) fn key_in_force(&self) -> Option<&str> {
        (!self.retired).then_some(&self.app_key)
    }

    /// Puts a key in force.
    pub(crate) fn set_key(&mut self, key: &str) {
        key.clone_into(&mut self.app_key);
        self.retired = false;
    }

    /// No key is in force any more. The last one.
    pub(crate) fn retire_key(&mut self) -> &str {
        self.retired = true;
        &self.app_key
    }

    // Offers.

    /// The broker's answer to a client that accepts these providers, in lower case.
    pub(crate) fn answer(&self, accepted: &[String], centrifugo_url: &str) -> String {
        let upper = matches!(self.form, OfferForm::UpperCase | OfferForm::Bare);
        let word = |word: &str| if upper { word.to_uppercase() } else { word.to_owned() };
        let accepts = |offer: &&Offer| match offer {
            Offer::Pusher | Offer::PusherKey(_) => accepted.iter().any(|provider| provider == "pusher"),
            Offer::Centrifugo | Offer::CentrifugoUrl(_) => accepted.iter().any(|provider| provider == "centrifugo"),
            Offer::Unknown(_) => true,
        };
        let pusher = |key: &str| ("pusher".to_owned(), json!({"app_key": key, "cluster": CLUSTER}));
        let centrifugo = |url: &str| ("centrifugo".to_owned(), json!({"url": url}));
        let connections = self.offers.iter().filter(accepts).map(|offer| {
            let (provider, credentials): (String, Value) = match offer {
                Offer::Pusher => pusher(&self.app_key),
                Offer::PusherKey(key) => pusher(key),
                Offer::Centrifugo => centrifugo(centrifugo_url),
                Offer::CentrifugoUrl(url) => centrifugo(url),
                Offer::Unknown(provider) => (provider.clone(), json!({"token": "whatever"})),
            };
            json!({"provider": word(&provider), "credentials": credentials})
        });
        let data = json!({"connections": connections.collect::<Vec<_>>(), "mode": word("websocket")});
        match &self.form {
            OfferForm::Enveloped | OfferForm::UpperCase => json!({"data": data, "message": "success"}).to_string(),
            OfferForm::Bare => data.to_string(),
            OfferForm::Raw(body) => body.clone(),
        }
    }

    // Guests.

    /// A new token for this client.
    pub(crate) fn issue(&mut self, client_id: &str, now: Instant) -> &str {
        // Three parts, as a JWT has them; opaque to clients.
        let number = self.guests.len() + 1;
        let token = format!("eyJhbGciOiJIUzI1NiJ9.{}.guest-token-{number}", client_id.replace('-', ""));
        self.guests.push((Guest { client_id: client_id.to_owned(), token }, now + self.guest_lifetime));
        &self.guests[number - 1].0.token
    }

    /// What a token is worth now.
    pub(crate) fn admit(&self, token: &str, now: Instant) -> Pass {
        match self.guests.iter().find(|(guest, _)| guest.token == token) {
            None => Pass::Unknown,
            Some((_, end)) if *end > now => Pass::Until(*end),
            Some(_) => Pass::Expired,
        }
    }

    /// Everybody who was given a token.
    pub(crate) fn guests(&self) -> impl Iterator<Item = &Guest> {
        self.guests.iter().map(|(guest, _)| guest)
    }
}
