//! What webhooks need, where `WEBHOOK_LISTEN` is set: an address to listen on, the subscriptions of the app, and what
//! only a person can do.

use super::Report;
use super::kick::remedy_for;
use crate::config::{Config, Listen, WebhookConfig};
use crate::domain::secret::Secret;
use crate::domain::webhook::{WebhookAnswer, WebhookQuery};
use crate::gateway::kick::{Kick, REQUEST_LIMIT};
use crate::gateway::webhook::{Server, is_served};
use std::io::ErrorKind;

/// The first port that needs no privilege.
const FREE_PORTS: u16 = 1024;

pub(super) fn check(config: &Config, token: Option<&Secret>, report: &mut Report) {
    let Some(webhook) = &config.webhook else { return };
    listener(webhook, report);
    if let Some(token) = token {
        subscriptions(config, token, report);
    }
    let WebhookConfig { listen, path } = webhook;
    let text = format!(
        "in Kick's settings, Developer, your app: switch Enable Webhooks on and enter https://YOUR-HOST{path}, \
         which your web server passes on to {listen}"
    );
    report.ok("webhook address", text);
}

fn listener(webhook: &WebhookConfig, report: &mut Report) {
    const CHECK: &str = "webhook listener";
    report.trying("listening for webhooks");
    let listen = &webhook.listen;
    match Server::open(webhook) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_served(webhook) => {}
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let remedy = "set WEBHOOK_LISTEN to another port or path, or end what listens there";
            return report.fail(CHECK, format!("{listen} is in use by another program"), Some(remedy));
        }
        Err(error) => {
            let remedy = match listen {
                Listen::Tcp(_) => "set WEBHOOK_LISTEN to 127.0.0.1:PORT with a port above 1023",
                Listen::Unix(_) => "make the directory, writable for the daemon's user, or use /run/kick-monitor",
            };
            return report.fail(CHECK, format!("{listen}: {error}"), Some(remedy));
        }
    }
    match listen {
        Listen::Tcp(address) if !address.ip().is_loopback() => {
            let remedy = "set WEBHOOK_LISTEN to 127.0.0.1:PORT, and let a web server with TLS pass the requests on";
            report.warn(CHECK, format!("{listen} can be reached by other machines, without TLS"), remedy);
        }
        Listen::Tcp(address) if address.port() < FREE_PORTS => {
            let remedy = "set WEBHOOK_LISTEN to a port above 1023";
            report.warn(CHECK, format!("{listen} needs a privilege that the service does not have"), remedy);
        }
        _ => report.ok(CHECK, format!("{listen} can be listened on")),
    }
}

fn subscriptions(config: &Config, token: &Secret, report: &mut Report) {
    const CHECK: &str = "webhook subscriptions";
    report.trying("reading the webhook subscriptions");
    let url = format!("{}/events/subscriptions", config.kick.api_url.text);
    match Kick::new(&config.kick, REQUEST_LIMIT).manage(token, &WebhookQuery::List) {
        Ok(WebhookAnswer::List(list)) => {
            report.ok(CHECK, format!("{url} answers: {} so far; the daemon makes them", list.len()));
        }
        Ok(_) => {}
        Err(failure) => {
            let status = failure.status.map(|status| format!("status {status}, ")).unwrap_or_default();
            let remedy = remedy_for(failure.kind, "KICK_API_URL");
            report.fail(CHECK, format!("{url}: {status}{}", failure.text), Some(remedy));
        }
    }
}
