//! How fast a change is that a webhook reports where push does not work, and what a flood of forged webhooks costs the
//! changes that push reports.

use crate::figures::SINGLES;
use crate::subject::{Running, START_LIMIT, Subject, begin_with};
use crate::table::{Figure, Table, median, percentile};
use crate::world::{World, name, now, pause, status};
use kick_sim::{Delivery, Face};
use lab::free_port;
use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const STREAMERS: usize = 1_000;
/// The flood: so many connections, and the pause of each between two requests.
const FLOOD: (usize, Duration) = (4, Duration::from_millis(4));
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Takes the figures of this kick-monitor.
pub(crate) fn take(program: &Path, subject: &Subject, table: &mut Table) -> anyhow::Result<()> {
    let mut add = |order: u8, what: &str, values: &[Duration]| {
        let values: Vec<f64> = values.iter().map(|took| took.as_secs_f64() * 1e3).collect();
        let figure = |order, what: String| Figure { order, what, unit: "ms" };
        table.add(figure(order, format!("{what}, p50")), &subject.name(), median(&values));
        table.add(figure(order + 1, format!("{what}, p99")), &subject.name(), percentile(&values, 99));
    };
    add(4, "a change, from its webhook to another client, push refused", &by_webhook(program)?);
    add(6, "a change, from its frame, beside a thousand forged webhooks a second", &beside_a_flood(program)?);
    Ok(())
}

/// A kick-monitor that takes webhooks, when all are subscribed to.
fn begin(program: &Path, world: &World, own: &[(&'static str, String)]) -> anyhow::Result<(Running, String)> {
    let address = format!("127.0.0.1:{}", free_port());
    let listen = [("WEBHOOK_LISTEN", address.clone())];
    let running = begin_with(program, world, 2, listen.into_iter().chain(own.iter().cloned()))?;
    running.wait_said(" event=webhook_subscribed ", START_LIMIT)?;
    anyhow::ensure!(world.kick.count([Face::PublicKey]) > 0, "Kick's key was not asked for");
    Ok((running, address))
}

fn by_webhook(program: &Path) -> anyhow::Result<Vec<Duration>> {
    let world = World::new(STREAMERS)?;
    let refused = [("PUSHER_URL", format!("ws://127.0.0.1:{}", free_port()))];
    let (_running, address) = begin(program, &world, &refused)?;
    // Signing takes longer than all that is measured, so it is done before.
    let sign = |n: usize| {
        let (name, turn) = (name(n % STREAMERS), n / STREAMERS);
        match status(turn) {
            "Online" => drop(world.kick.go_live_silently(&name)),
            _ => drop(world.kick.stop_silently(&name)),
        }
        request(&world.kick.delivery(&name))
    };
    let requests: Vec<Vec<u8>> = (0..SINGLES.0 + SINGLES.1).map(sign).collect();
    let proxy = RefCell::new(Client::connect(&address)?);
    world.singles(SINGLES.0, SINGLES.1, |n, turn| {
        let (proxy, request) = (&proxy, &requests[turn * STREAMERS + n]);
        Ok(move || proxy.borrow_mut().send(request, "200"))
    })
}

fn beside_a_flood(program: &Path) -> anyhow::Result<Vec<Duration>> {
    let world = World::new(STREAMERS)?;
    let (_running, address) = begin(program, &world, &[("PUSHER_URL", world.server.url())])?;
    anyhow::ensure!(world.server.wait_subscribed(STREAMERS, START_LIMIT).is_some(), "it does not subscribe");
    world.kick.go_live_silently(&name(0));
    let right = world.kick.delivery(&name(0));
    let forged = request(&Delivery { body: right.body.replace("true", "null"), ..right });
    let (over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let began = now();
    let took = std::thread::scope(|scope| {
        for _ in 0..FLOOD.0 {
            scope.spawn(|| -> anyhow::Result<()> {
                while !over.load(Ordering::Relaxed) {
                    // What is refused ends its connection.
                    Client::connect(&address)?.send(&forged, "401")?;
                    sent.fetch_add(1, Ordering::Relaxed);
                    pause(FLOOD.1);
                }
                Ok(())
            });
        }
        let took = world.push_singles(SINGLES.0, SINGLES.1);
        over.store(true, Ordering::Relaxed);
        took
    })?;
    let each_second = sent.into_inner() as f64 / began.elapsed().as_secs_f64();
    anyhow::ensure!(each_second > 500.0, "only {each_second:.0} forged webhooks a second");
    Ok(took)
}

/// The request of a proxy that keeps its connection.
fn request(delivery: &Delivery) -> Vec<u8> {
    delivery.request("/kick").replace("Connection: close", "Connection: keep-alive").into_bytes()
}

/// A proxy's connection.
struct Client(TcpStream);

impl Client {
    fn connect(address: &str) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        Ok(Client(stream))
    }

    /// Sends a request, and waits for the answer with this status.
    fn send(&mut self, request: &[u8], status: &str) -> anyhow::Result<()> {
        self.0.write_all(request)?;
        let mut answer = [0; 1024];
        let length = self.0.read(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer[..length]);
        anyhow::ensure!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        Ok(())
    }
}
