//! A dead man's switch (`HEARTBEAT_URL`): a service that alarms when it has not been asked for a while.
//!
//! The address may hold a secret, so no text that leaves this module contains it.

use super::http::Client;
use crate::config::HeartbeatConfig;
use crate::domain::secret::Secret;
use std::time::Duration;

/// The limit of one request, everything included.
const LIMIT: Duration = Duration::from_secs(10);

/// The service at one address.
#[derive(Debug)]
pub(crate) struct Switch {
    client: Client,
    url: Secret,
}

impl Switch {
    /// The switch of the configuration, if there is one.
    pub(crate) fn new(config: &HeartbeatConfig) -> Option<Switch> {
        Some(Switch { client: Client::new(config.tls_ca.clone(), LIMIT), url: config.url.clone()? })
    }

    /// Sends a GET. The error says why the service may not have noticed it.
    pub(crate) fn ask(&self) -> Result<(), String> {
        match self.client.get(self.url.reveal(), None) {
            Ok(reply) => match reply.status {
                200..300 => Ok(()),
                300..400 => Err(format!("status {}, a redirect, which is never followed", reply.status)),
                status => Err(format!("status {status}")),
            },
            // The words for a failed request quote what they are about, now and then.
            Err(unanswered) => Err(unanswered.text.replace(self.url.reveal(), "HEARTBEAT_URL")),
        }
    }

    /// Aborts the request of another thread and makes later ones fail.
    pub(crate) fn hang_up(&self) {
        self.client.hang_up();
    }
}
