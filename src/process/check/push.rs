//! What the daemon needs of push, each step apart, so that a firewall and a refused key differ: name,
//! TCP, TLS, websocket, greeting, and a subscription.

use super::{Known, Report};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::ChannelId;
use crate::domain::push::LinkEvent;
use crate::gateway::socket::{Address, ConnectError, Effort, Frame, Socket, Wake, wake_pair};
use crate::wire::pusher::{self, Pusher};
use crate::wire::{Act, End, EndKind, Session, SessionInput};
use std::time::Duration;

/// TCP, TLS and upgrade together.
const CONNECTING_MOST: Duration = Duration::from_secs(10);
/// Greeting and subscription together.
const TALKING_MOST: Duration = Duration::from_secs(20);
/// A channel of somebody who surely is at Kick, where the table knows none (KICK.md §3.2).
const SOME_CHANNEL: ChannelId = ChannelId(668);

/// A transport, and where it is spoken.
struct Way {
    transport: &'static str,
    address: Address,
    session: Box<dyn Session>,
    /// The keys that say so.
    keys: &'static str,
}

/// The ways that the configuration asks for, in the order in which they are tried.
fn ways(config: &Config, clock: Clock) -> Vec<Way> {
    let url = &config.push.pusher_url;
    let address = Address {
        tls: url.tls,
        host: url.host.clone(),
        port: url.port,
        path_and_query: pusher::path(&url.path, &config.push.pusher_app_key),
        origin: None,
    };
    let session = Box::new(Pusher::new(clock.steady(), config.push.channel_names.clone().into()));
    vec![Way { transport: "pusher", address, session, keys: "PUSHER_URL and PUSHER_APP_KEY" }]
}

pub(super) fn check(config: &Config, known: &Known, clock: Clock, report: &mut Report) {
    let Ok((_waker, wake)) = wake_pair() else {
        return report.fail("push", "the process has no file descriptor left", Some("raise: ulimit -n"));
    };
    for way in ways(config, clock) {
        report.trying(&format!("connecting to {}", way.address.host));
        if let Some(socket) = connect(config, &way, clock, &wake, report) {
            let channel = known.channel.unwrap_or(SOME_CHANNEL);
            talk(way, socket, channel, clock, &wake, report);
        }
    }
}

fn connect(config: &Config, way: &Way, clock: Clock, wake: &Wake, report: &mut Report) -> Option<Socket> {
    let Address { host, port, tls, .. } = &way.address;
    let effort = Effort { clock, limit: CONNECTING_MOST, wake, given_up: &mut || false };
    let connected = Socket::connect(&way.address, config.push.tls_ca.as_deref(), effort);
    let (failed, remedy) = match &connected {
        Ok(_) => (5, String::new()),
        Err(ConnectError::Name { .. }) => (0, "look at /etc/resolv.conf, and at the host in PUSHER_URL".to_owned()),
        Err(ConnectError::Tcp { .. }) => (1, format!("open the firewall for the way out to {host} port {port}")),
        Err(ConnectError::Tls { .. }) => {
            (2, "name the authority to trust in TLS_CA_FILE, or look for a proxy that breaks TLS open".to_owned())
        }
        Err(_) => (3, format!("correct {}", way.keys)),
    };
    let steps = [
        ("push name", format!("{host} has an address")),
        ("push TCP", format!("{host} port {port} takes connections")),
        ("push TLS", format!("{host} has a certificate that is trusted")),
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

fn talk(way: Way, mut socket: Socket, channel: ChannelId, clock: Clock, wake: &Wake, report: &mut Report) {
    let Way { transport, mut session, keys, .. } = way;
    report.trying("waiting for the greeting");
    let until = clock.steady() + TALKING_MOST;
    let mut acts = Vec::new();
    session.handle(clock.steady(), SessionInput::Opened, &mut acts);
    session.handle(clock.steady(), SessionInput::Follow(&[channel]), &mut acts);
    let mut greeted = false;
    let end = loop {
        for act in std::mem::take(&mut acts) {
            match act {
                Act::Send(text) => socket.send(text),
                Act::Say(LinkEvent::Connected) => {
                    greeted = true;
                    report.ok("push greeting", format!("{transport} takes us"));
                    report.trying("waiting for a subscription");
                }
                Act::Say(LinkEvent::Subscribed(_)) => {
                    report.ok("push subscription", format!("channel id {channel} is subscribed to"));
                    return socket.close();
                }
                Act::Say(LinkEvent::SubscriptionFailed(_)) => {
                    let text = format!("the server refuses channel id {channel}, or does not answer");
                    report.fail("push subscription", text, Some("correct CHANNEL_NAMES"));
                    return socket.close();
                }
                Act::End(end) => {
                    socket.close();
                    return ended(&end, greeted, keys, report);
                }
                Act::Say(_) | Act::WantToken | Act::Push(_) => {}
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
            Ok(None) => {
                let next = session.next_wake().min(until);
                socket.wait(wake, clock.until(next));
            }
            Err(over) => break session.end_of(over.code, &over.reason),
        }
    };
    ended(&end, greeted, keys, report);
}

fn ended(end: &End, greeted: bool, keys: &str, report: &mut Report) {
    let check = if greeted { "push subscription" } else { "push greeting" };
    let code = end.code.map(|code| format!("{code} ")).unwrap_or_default();
    let (what, remedy) = match end.kind {
        EndKind::Refused => ("the server refuses us", format!("correct {keys}")),
        _ => ("the connection ended", "try again; it may be the server's".to_owned()),
    };
    report.fail(check, format!("{what}: {code}{}", end.reason), Some(&remedy));
}
