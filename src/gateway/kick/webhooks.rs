//! Kick's webhook subscriptions over HTTP: its public key, and the subscriptions to [`EVENT`] (docs/kick.md §10.5).

use super::{Kick, http, judge, repeated, unanswered};
use crate::domain::UserId;
use crate::domain::ask::Failure;
use crate::domain::json::{Json, mended};
use crate::domain::secret::Secret;
use crate::domain::text::shown;
use crate::domain::webhook::{EVENT, Subscription, WebhookAnswer, WebhookQuery};
use serde_json::json;

/// The longest id of a subscription that is kept.
const ID_MAX: usize = 100;

/// What a body says, if it is what Kick documents.
type ReadBody = fn(&[u8]) -> Option<WebhookAnswer>;

impl Kick {
    /// Sends one request about webhooks.
    pub(crate) fn manage(&self, token: &Secret, query: &WebhookQuery) -> Result<WebhookAnswer, Failure> {
        let api = &self.config.api_url.text;
        let subscriptions = format!("{api}/events/subscriptions");
        let bearer = format!("Bearer {}", token.reveal());
        let agent = self.client.agent();
        let (reply, read): (_, ReadBody) = match query {
            WebhookQuery::PublicKey => (self.client.get(&format!("{api}/public-key"), Some(token.reveal())), key_in),
            WebhookQuery::List => (self.client.get(&subscriptions, Some(token.reveal())), list_in),
            WebhookQuery::Make(user) => {
                let request = agent.post(subscriptions).header("Authorization", bearer);
                let question = json!({
                    "method": "webhook",
                    "broadcaster_user_id": user.0,
                    "events": [{"name": EVENT, "version": 1}],
                });
                (http::read(request.content_type("application/json").send(question.to_string())), made_in)
            }
            WebhookQuery::Delete(ids) => {
                let address = format!("{subscriptions}?{}", repeated("id", ids));
                (http::read(agent.delete(address).header("Authorization", bearer).call()), |_| {
                    Some(WebhookAnswer::Deleted)
                })
            }
        };
        judge(200..300, reply.map_err(unanswered)?, read)
    }
}

fn key_in(body: &[u8]) -> Option<WebhookAnswer> {
    let text = mended(body);
    let key = Json::read(&text)?.at(&["data", "public_key"])?.text()?;
    key.contains("BEGIN PUBLIC KEY").then_some(WebhookAnswer::PublicKey(key))
}

fn list_in(body: &[u8]) -> Option<WebhookAnswer> {
    let text = mended(body);
    let entries = Json::read(&text)?.get("data")?.items()?;
    // An entry that cannot be read is as good as missing: the subscription is made again.
    let ours = entries.into_iter().filter(|entry| entry.get("event").and_then(Json::text).as_deref() == Some(EVENT));
    let known = ours.filter_map(|entry| {
        let user = UserId(entry.get("broadcaster_user_id")?.integer()?);
        Some(Subscription { id: id_in(entry.get("id")?)?, user })
    });
    Some(WebhookAnswer::List(known.collect()))
}

fn made_in(body: &[u8]) -> Option<WebhookAnswer> {
    let text = mended(body);
    let made = *Json::read(&text)?.get("data")?.items()?.first()?;
    match made.get("error").and_then(Json::text).filter(|error| !error.is_empty()) {
        Some(error) => Some(WebhookAnswer::NotMade(shown(&error))),
        None => Some(WebhookAnswer::Made(id_in(made.get("subscription_id")?)?)),
    }
}

/// An id that can be sent in an address.
fn id_in(value: Json<'_>) -> Option<String> {
    let is_id = |id: &String| {
        (1..=ID_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    value.text().filter(is_id)
}

#[cfg(test)]
mod tests {
    use super::{key_in, list_in, made_in};
    use crate::domain::UserId;
    use crate::domain::webhook::{Subscription, WebhookAnswer};

    #[test]
    fn a_key_keeps_its_lines() {
        let body =
            br#"{"data":{"public_key":"-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----\n"},"message":"OK"}"#;
        let key = "-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----\n".to_owned();
        assert_eq!(key_in(body), Some(WebhookAnswer::PublicKey(key)));
        assert_eq!(key_in(br#"{"data":{"public_key":"secret"}}"#), None);
    }

    #[test]
    fn a_list_holds_the_subscriptions_to_our_event() {
        let body = br#"{"data":[
            {"app_id":"a","broadcaster_user_id":7,"event":"livestream.status.updated","id":"01J","method":"webhook","version":1},
            {"broadcaster_user_id":7,"event":"chat.message.sent","id":"01K"},
            {"broadcaster_user_id":"8","event":"livestream.status.updated","id":"01L"},
            {"broadcaster_user_id":9,"event":"livestream.status.updated","id":"a b"}]}"#;
        let only = Subscription { id: "01J".to_owned(), user: UserId(7) };
        assert_eq!(list_in(body), Some(WebhookAnswer::List(vec![only])));
        assert_eq!(list_in(br#"{"data":[]}"#), Some(WebhookAnswer::List(vec![])));
        assert_eq!(list_in(br#"{"message":"OK"}"#), None);
    }

    #[test]
    fn a_subscription_is_made_or_refused() {
        let made = br#"{"data":[{"error":"","name":"livestream.status.updated","subscription_id":"01J","version":1}]}"#;
        assert_eq!(made_in(made), Some(WebhookAnswer::Made("01J".to_owned())));
        let refused = br#"{"data":[{"error":"limit\nreached","name":"livestream.status.updated"}]}"#;
        assert_eq!(made_in(refused), Some(WebhookAnswer::NotMade("limit\\nreached".to_owned())));
        assert_eq!(made_in(br#"{"data":[{"error":""}]}"#), None);
        assert_eq!(made_in(br#"{"data":[]}"#), None);
    }
}
