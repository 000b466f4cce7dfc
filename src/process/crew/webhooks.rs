//! The two workers of webhooks, which exist only while `WEBHOOK_LISTEN` is set.

use super::{Crew, SOURCES};
use crate::config::Config;
use crate::domain::webhook::WebhookEvent;
use crate::monitor::Input;
use crate::process::supervisor::{Fatal, Supervisor};
use crate::worker::asker::Subscriber;
use crate::worker::webhook::Webhook;
use std::sync::Arc;

impl Crew {
    /// Starts the worker that takes webhooks and the one that subscribes to them, replaces them, or ends them.
    pub(in crate::process) fn add_webhook(
        &mut self,
        config: &Config,
        supervisor: &mut Supervisor,
    ) -> Result<(), Fatal> {
        self.passing.take(config.webhook.is_some());
        let Some(webhook) = config.webhook.clone() else {
            supervisor.remove("webhook");
            supervisor.remove("subscriber");
            self.tell(Input::Webhook(WebhookEvent::Listening(None)));
            return Ok(());
        };
        self.add_subscriber(supervisor)?;
        let webhook = Webhook {
            config: webhook,
            cell: Arc::clone(&self.webhook),
            passing: Arc::clone(&self.passing),
            inputs: self.inputs.clone(),
            clock: self.clock,
            rng: self.rng.fork(),
        };
        self.add(supervisor, "webhook", SOURCES, move || webhook.clone())
    }

    /// Starts the worker that subscribes, or replaces it.
    pub(super) fn add_subscriber(&self, supervisor: &mut Supervisor) -> Result<(), Fatal> {
        let subscriber = Subscriber {
            kick: Arc::clone(&self.kick),
            tokens: Arc::clone(&self.tokens),
            requests: self.webhook_questions.clone(),
            inputs: self.inputs.clone(),
            clock: self.clock,
        };
        self.add(supervisor, "subscriber", SOURCES, move || subscriber.clone())
    }
}
