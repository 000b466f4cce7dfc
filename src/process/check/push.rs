//! What the daemon needs of push, one item per step, so that a firewall and a refused key can be told apart:
//! Kick's list of transports, name, TCP, TLS, websocket, guest token, greeting, and a subscription.

use super::kick::remedy_for;
use super::{Finding, Known, Report, Verdict};
use crate::clock::Clock;
use crate::config::{Config, keys};
use crate::domain::ChannelId;
use crate::domain::push::{EndKind, LinkEvent, Transport};
use crate::domain::way::Way;
use crate::gateway::kick::Realtime;
use crate::gateway::socket::{Address, Authorities, ConnectError, Effort, Frame, Socket, Wake, wake_pair};
use crate::monitor::{Choice, Terms};
use crate::process::rules::terms;
use crate::wire::names::EventNames;
use crate::wire::{Act, End, SessionInput, sessions};
use std::time::Duration;

/// TCP, TLS and upgrade together.
const CONNECTING_MOST: Duration = Duration::from_secs(10);
/// Greeting and subscription together.
const TALKING_MOST: Duration = Duration::from_secs(20);
/// A channel that is known to exist at Kick, used if the table has none (docs/kick.md §3.2).
const SOME_CHANNEL: ChannelId = ChannelId(668);

/// What an attempt needs besides the place to connect to.
struct Attempt<'a> {
    config: &'a Config,
    realtime: &'a Realtime,
    authorities: Authorities,
    /// The id that this client gives itself in requests to Kick.
    client: u128,
    channel: ChannelId,
    clock: Clock,
    wake: &'a Wake,
}

pub(super) fn check(config: &Config, known: &Known, clock: Clock, report: &mut Report) {
    let Ok((_waker, wake)) = wake_pair() else {
        return report.fail("push", "too few open files are allowed", Some("raise: ulimit -n"));
    };
    let realtime = &Realtime::new(&config.push);
    let client = fastrand::u128(..);
    let channel = known.channel.unwrap_or(SOME_CHANNEL);
    let authorities = Authorities::new(config.push.tls_ca.clone());
    let attempt = Attempt { config, realtime, authorities, client, channel, clock, wake: &wake };
    let terms = terms(&config.push);
    let mut choice = Choice::new(terms.clone(), None);
    if choice.must_ask(clock.steady()) {
        attempt.ask_broker(&terms, &mut choice, report);
    }
    let Some(way) = choice.best(clock.steady()) else {
        return report.fail("push", "Kick offers no transport that REALTIME allows", Some("set REALTIME=auto"));
    };
    attempt.make(&way, report);
    let configured = Choice::new(terms, None).best(clock.steady());
    if let Some(configured) = configured.filter(|configured| *configured != way) {
        attempt.make_in_reserve(&configured, report);
    }
}

impl Attempt<'_> {
    /// Asks Kick which transports it offers, as the daemon does before it connects.
    fn ask_broker(&self, terms: &Terms, choice: &mut Choice, report: &mut Report) {
        report.trying("asking Kick for its transports");
        let url = &self.config.push.realtime_url.text;
        let asked = self.realtime.offers(self.client, &terms.speaks());
        let now = self.clock.steady();
        let (text, remedy) = match &asked {
            Ok(offers) if !offers.is_empty() => {
                let words: Vec<&str> = offers.iter().map(|offer| offer.transport().word()).collect();
                report.ok("push broker", format!("{url} offers {}", words.join(", ")));
                return choice.take_answer(now, now, asked.ok());
            }
            Ok(_) => (
                format!("{url} offers no transport that kick-monitor knows and REALTIME allows"),
                "install a newer version of kick-monitor, if there is one",
            ),
            Err(failure) => (format!("{url}: {}", failure.text), remedy_for(failure.kind, "KICK_REALTIME_URL")),
        };
        match self.config.push.only {
            Some(_) => report.fail("push broker", text, Some(remedy)),
            None => report.warn("push broker", format!("{text}, so PUSHER_URL is used"), remedy),
        }
        choice.take_answer(now, now, None);
    }

    /// Connects and subscribes, and reports each step.
    fn make(&self, way: &Way, report: &mut Report) {
        report.trying(&format!("connecting to {}", way.place().host));
        if let Some(socket) = self.connect(way, report) {
            self.talk(way, socket, report);
        }
    }

    /// The configured settings are used only when Kick's list of transports cannot be had. A default that Kick has
    /// retired is a warning, because the administrator did not choose it; a value that was set must work.
    fn make_in_reserve(&self, way: &Way, report: &mut Report) {
        let mut apart = Report::unseen();
        self.make(way, &mut apart);
        let push = &self.config.push;
        let default = |key: &str, value: &str| keys::find(key).and_then(|key| key.default) == Some(value);
        let is_default =
            default("PUSHER_URL", &push.pusher_url.text) && default("PUSHER_APP_KEY", &push.pusher_app_key);
        let check = "push fallback";
        match apart.findings.into_iter().find(|finding| finding.verdict == Verdict::Fail) {
            None => report.ok(check, "PUSHER_URL and PUSHER_APP_KEY work"),
            Some(Finding { text, remedy, .. }) if is_default => {
                report.warn(check, text, remedy.as_deref().unwrap_or_default());
            }
            Some(Finding { text, remedy, .. }) => report.fail(check, text, remedy.as_deref()),
        }
    }

    fn connect(&self, way: &Way, report: &mut Report) -> Option<Socket> {
        let address = Address::from(way);
        let Address { host, port, tls, .. } = &address;
        let effort = Effort { clock: self.clock, limit: CONNECTING_MOST, wake: self.wake, given_up: &mut || false };
        let connected = Socket::connect(&address, &self.authorities, effort);
        let keys = keys_of(way.transport());
        let (failed, remedy) = match &connected {
            Ok(_) => (5, String::new()),
            Err(ConnectError::Name { .. }) => {
                (0, format!("correct the host in {keys}, or look at this machine's DNS: /etc/resolv.conf"))
            }
            Err(ConnectError::Tcp { .. }) => {
                (1, format!("correct {keys}, or allow connections to {host} port {port} in the firewall"))
            }
            Err(ConnectError::Tls { .. }) => (
                2,
                "set TLS_CA_FILE to a file with the CA certificate to trust, or look for a proxy that intercepts TLS"
                    .to_owned(),
            ),
            Err(_) => (3, format!("correct {keys}")),
        };
        let steps = [
            ("push name", format!("{host} has an address")),
            ("push TCP", format!("{host} port {port} accepts connections")),
            ("push TLS", format!("the certificate of {host} is trusted")),
            ("push websocket", format!("{host} speaks websocket")),
        ];
        for (n, (check, fine)) in steps.into_iter().enumerate() {
            match &connected {
                Err(error) if n == failed => {
                    report.fail(check, error.to_string(), Some(&remedy));
                    return None;
                }
                _ if n == 2 && !tls => {}
                _ => report.ok(check, fine),
            }
        }
        connected.ok()
    }

    fn talk(&self, way: &Way, mut socket: Socket, report: &mut Report) {
        report.trying("waiting for the greeting");
        let (clock, channel) = (self.clock, self.channel);
        let until = clock.steady() + TALKING_MOST;
        let push = &self.config.push;
        let events = EventNames::new(&push.live_events, &push.stop_events);
        let mut session = sessions(&push.channel_names, &events)(clock.steady(), way.transport());
        let mut acts = Vec::new();
        session.handle(clock.steady(), SessionInput::Opened, &mut acts);
        session.handle(clock.steady(), SessionInput::Follow(&[channel]), &mut acts);
        let mut greeted = false;
        let end = loop {
            for act in std::mem::take(&mut acts) {
                match act {
                    Act::Send(text) => socket.send(text),
                    Act::WantToken => match self.realtime.guest_token(self.client) {
                        Ok(token) => {
                            report.ok("push token", "Kick gave a guest token");
                            session.handle(clock.steady(), SessionInput::Token(&token), &mut acts);
                        }
                        Err(failure) => {
                            let remedy = remedy_for(failure.kind, "KICK_REALTIME_URL");
                            report.fail("push token", failure.text, Some(remedy));
                            return socket.close();
                        }
                    },
                    Act::Say(LinkEvent::Connected(transport)) => {
                        greeted = true;
                        report.ok("push greeting", format!("{} accepts the connection", transport.word()));
                        report.trying("waiting for a subscription");
                    }
                    Act::Say(LinkEvent::Subscribed(_)) => {
                        report.ok(
                            "push subscription",
                            format!("a test subscription (channel id {channel}) was accepted"),
                        );
                        return socket.close();
                    }
                    Act::Say(LinkEvent::SubscriptionFailed(_)) => {
                        let text = format!("a test subscription (channel id {channel}) was refused or not answered");
                        report.fail("push subscription", text, Some("correct CHANNEL_NAMES"));
                        return socket.close();
                    }
                    Act::End(end) => {
                        socket.close();
                        return ended(&end, greeted, way.transport(), report);
                    }
                    Act::Say(_) | Act::Push(_) => {}
                }
            }
            let now = clock.steady();
            if now >= until {
                break End { kind: EndKind::Lost, code: None, reason: "no answer came in time".to_owned() };
            }
            if now >= session.next_wake() {
                session.handle(now, SessionInput::Tick, &mut acts);
            }
            match socket.read() {
                Ok(Some(Frame::Text(text))) => session.handle(now, SessionInput::Text(&text), &mut acts),
                Ok(Some(Frame::Alive)) => session.handle(now, SessionInput::Alive, &mut acts),
                Ok(None) if acts.is_empty() => {
                    let next = session.next_wake().min(until);
                    socket.wait(self.wake, clock.until(next));
                }
                Ok(None) => {}
                Err(over) => break session.end_of(over.code, &over.reason),
            }
        };
        ended(&end, greeted, way.transport(), report);
    }
}

/// The configuration keys that tell where a transport is.
fn keys_of(transport: Transport) -> &'static str {
    match transport {
        Transport::Pusher => "PUSHER_URL and PUSHER_APP_KEY",
        Transport::Centrifugo => "KICK_REALTIME_URL",
    }
}

fn ended(end: &End, greeted: bool, transport: Transport, report: &mut Report) {
    let check = if greeted { "push subscription" } else { "push greeting" };
    let code = end.code.map(|code| format!("{code} ")).unwrap_or_default();
    let (what, remedy) = match end.kind {
        EndKind::Refused => ("the server refuses the connection", format!("correct {}", keys_of(transport))),
        _ => ("the connection ended", "try again later; the fault may be the server's".to_owned()),
    };
    report.fail(check, format!("{what}: {code}{}", end.reason), Some(&remedy));
}
