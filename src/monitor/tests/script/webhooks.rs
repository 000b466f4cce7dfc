//! The commands about webhooks, and Kick's side of the subscriptions.

use super::Story;
use super::words::{at, failure, number};
use crate::domain::ask::{Answer, Failure, Request};
use crate::domain::webhook::{Delivery, Subscription, WebhookAnswer, WebhookEvent, WebhookOrder, WebhookQuery};
use crate::domain::{Now, Status, UserId};
use crate::monitor::{Input, Output};
use std::collections::BTreeMap;

/// What Kick has been asked and shows.
#[derive(Default)]
pub(super) struct Webhooks {
    asked: Option<(Request<WebhookQuery>, Now)>,
    /// The subscriptions that Kick shows.
    shown: BTreeMap<UserId, String>,
}

/// `delivered USER live|stop [start@SECONDS] [sent@SECONDS]`
fn delivery(now: Now, words: &[&str]) -> Delivery {
    let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
    let status = if words[1] == "live" { Status::Online } else { Status::Offline };
    Delivery {
        received: now.steady,
        sent: option("sent@").map_or(now, |time| at(time.parse().expect("seconds"))).wall,
        user: UserId(number(words[0])),
        status,
        started_at: option("start@").map(|time| at(time.parse().expect("seconds")).wall),
    }
}

/// `USER=ID …`
fn made(words: &[&str]) -> BTreeMap<UserId, String> {
    let pairs = words.iter().map(|word| word.split_once('=').expect("USER=ID"));
    pairs.map(|(user, id)| (UserId(number(user)), id.to_owned())).collect()
}

impl Story {
    /// Whether the command is one about webhooks, which is then carried out.
    pub(super) fn about_webhooks(&mut self, word: &str, words: &[&str]) -> bool {
        match word {
            "webhooks" => {
                self.settings.webhooks = words == ["on"];
                self.input(Input::Settings(self.settings.clone()));
            }
            "delivered" => {
                let delivery = delivery(self.now, words);
                self.input(Input::Webhook(WebhookEvent::Delivered(delivery)));
            }
            // `not-taken REASON COUNT`
            "not-taken" => {
                let counts = [("signature", number(words[1]) as u64)].into();
                assert_eq!(words[0], "signature", "no other word is needed yet");
                self.input(Input::Webhook(WebhookEvent::Others(counts)));
            }
            "listens" => {
                let why_not = (!words.is_empty()).then(|| words.join(" "));
                self.input(Input::Webhook(WebhookEvent::Listening(why_not)));
            }
            "made" => self.input(Input::Subscribed(made(words))),
            "shows" => self.webhooks.shown = made(words),
            "key" => self.land_webhooks(Ok(WebhookAnswer::PublicKey(words[0].to_owned()))),
            "listed" => {
                let list = made(words).into_iter().map(|(user, id)| Subscription { id, user }).collect();
                self.land_webhooks(Ok(WebhookAnswer::List(list)));
            }
            "made-it" => self.land_webhooks(Ok(WebhookAnswer::Made(words[0].to_owned()))),
            "made-not" => self.land_webhooks(Ok(WebhookAnswer::NotMade(words.join(" ")))),
            "deleted" => self.land_webhooks(Ok(WebhookAnswer::Deleted)),
            "webhooks-fail" => self.land_webhooks(Err(failure(words))),
            "subscriber-died" => {
                self.webhooks.asked = None;
                self.input(Input::SubscriberStarted);
            }
            _ => return false,
        }
        true
    }

    pub(super) fn ask_webhooks(&mut self, request: &Request<WebhookQuery>) {
        let before = self.webhooks.asked.replace((request.clone(), self.now));
        assert!(before.is_none(), "two requests at once");
    }

    fn land_webhooks(&mut self, result: Result<WebhookAnswer, Failure>) {
        let (request, started) = self.webhooks.asked.take().expect("something was asked");
        let (id, finished) = (request.id, self.now);
        let answer = Answer { id, started, finished, server_date: None, spent: 1, result };
        self.input(Input::WebhookAnswer(answer));
    }

    /// Answers as a Kick does that shows what it made. Whether anything was asked.
    pub(super) fn answer_webhooks(&mut self) -> bool {
        let Some((request, _)) = &self.webhooks.asked else { return false };
        let shown = &mut self.webhooks.shown;
        let answer = match &request.query {
            WebhookQuery::PublicKey => WebhookAnswer::PublicKey("kick".to_owned()),
            WebhookQuery::List => {
                let entry = |(user, id): (&UserId, &String)| Subscription { id: id.clone(), user: *user };
                WebhookAnswer::List(shown.iter().map(entry).collect())
            }
            WebhookQuery::Make(user) => {
                let id = format!("id{user}");
                shown.insert(*user, id.clone());
                WebhookAnswer::Made(id)
            }
            WebhookQuery::Delete(ids) => {
                shown.retain(|_, id| !ids.contains(id));
                WebhookAnswer::Deleted
            }
        };
        self.land_webhooks(Ok(answer));
        true
    }
}

/// What came out about webhooks, as a line of the transcript.
pub(super) fn said(output: &Output) -> Option<String> {
    Some(match output {
        Output::AskWebhooks(request) => match &request.query {
            WebhookQuery::PublicKey => "ask public_key".to_owned(),
            WebhookQuery::List => "ask subscriptions".to_owned(),
            WebhookQuery::Make(user) => format!("ask to subscribe {user}"),
            WebhookQuery::Delete(ids) => format!("ask to delete {}", ids.join(" ")),
        },
        Output::Webhook(WebhookOrder::Key(key)) => format!("webhook key {key}"),
        Output::Webhook(WebhookOrder::Clock(zero)) => {
            format!("webhook clock {}", zero.duration_since(at(0.0).wall).as_secs())
        }
        Output::Subscribed(user, Some(id)) => format!("keep subscription {user}={id}"),
        Output::Subscribed(user, None) => format!("forget subscription {user}"),
        _ => return None,
    })
}
