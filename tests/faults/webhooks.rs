//! The way on which Kick's webhooks come, and everything that can be wrong with it: a delivery that is lost, cut, late,
//! repeated or forged, floods beside it, and what Kick may do to keys and subscriptions. Push does not work meanwhile,
//! so webhooks and the API are all that there is.

use super::matrix::{Came, Cell, LONG, THREE, Watch, assert_told, compare_three, wait_online};
use crate::e2e::stage::Stage;
use crate::e2e::webhooks::address;
use kick_monitor::stop::Stop;
use kick_sim::{Delivery, Face, Fault, status_of};
use lab::{Daemon, wait_for};
use rustix::net::sockopt::set_socket_linger;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// What is wrong with the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Lost,
    Reset,
    Closed,
    Half,
    Drip,
    Late,
    Twice,
    Backwards,
    Garbage,
    Oversize,
    Forged,
    Flood,
    Crowd,
    AnotherKey,
    NoKey,
    NotSubscribed,
}

const TROUBLES: [(&str, Trouble); 16] = [
    ("lost", Trouble::Lost),
    ("reset in a request", Trouble::Reset),
    ("closed in a request", Trouble::Closed),
    ("half a request", Trouble::Half),
    ("a byte a second", Trouble::Drip),
    ("10 s late", Trouble::Late),
    ("each twice", Trouble::Twice),
    ("a stop before its start", Trouble::Backwards),
    ("garbage", Trouble::Garbage),
    ("oversize", Trouble::Oversize),
    ("forged", Trouble::Forged),
    ("2,000 forged ones beside it", Trouble::Flood),
    ("200 connections that say nothing", Trouble::Crowd),
    ("another key at Kick", Trouble::AnotherKey),
    ("no key to be had at first", Trouble::NoKey),
    ("subscriptions removed at Kick", Trouble::NotSubscribed),
];

/// The program, which takes webhooks and has no push; everybody is Offline.
struct Ground {
    stage: Stage,
    daemon: Daemon,
    address: String,
}

impl Ground {
    fn new(trouble: Trouble) -> Ground {
        let stage = Stage::with(&THREE);
        if trouble == Trouble::NoKey {
            stage.kick.fault([Face::PublicKey], Fault::Reset);
        }
        let address = address();
        let builder = stage.unpushed().set("SWEEP_SECS", "1").set("SWEEP_UNCOVERED_SECS", "1");
        let daemon = stage.start(builder.set("WEBHOOK_LISTEN", &address));
        THREE.iter().for_each(|username| stage.wait_status(username, "Offline"));
        if trouble != Trouble::NoKey {
            daemon.wait_event("webhook_subscribed", LONG);
        }
        Ground { stage, daemon, address }
    }

    /// A streamer goes live, and Kick delivers that, in this way. Returns what is kept open until the end.
    fn go_live(&self, username: &str, trouble: Trouble) -> Vec<TcpStream> {
        self.stage.kick.go_live_silently(username);
        let delivery = self.stage.kick.delivery(username);
        let bytes = delivery.request("/kick").into_bytes();
        let mut open = Vec::new();
        match trouble {
            Trouble::Lost | Trouble::NotSubscribed => {}
            Trouble::Reset => {
                let stream = self.begin(&bytes[..300]);
                set_socket_linger(&stream, Some(Duration::ZERO)).expect("an option");
            }
            Trouble::Closed => drop(self.begin(&bytes[..300])),
            Trouble::Half => open.push(self.begin(&bytes[..bytes.len() - 1])),
            Trouble::Drip => {
                let mut stream = self.begin(b"");
                for byte in &bytes[..12] {
                    let _ = stream.write_all(&[*byte]);
                    Stop::never().wait(Duration::from_secs(1));
                }
                open.push(stream);
            }
            Trouble::Late => {
                Stop::never().wait(Duration::from_secs(10));
                self.deliver(&delivery, 200);
            }
            Trouble::Twice => {
                self.deliver(&delivery, 200);
                self.deliver(&delivery, 401);
            }
            Trouble::Backwards => {
                // A short broadcast was before; of both only the API could tell which is the later one.
                self.stage.kick.stop_silently(username);
                let stop = self.stage.kick.delivery(username);
                self.stage.kick.go_live_silently(username);
                self.deliver(&self.stage.kick.delivery(username), 200);
                self.deliver(&stop, 200);
                self.deliver(&delivery, 200);
            }
            Trouble::Garbage => drop(status_of(&self.address, b"\0\xff\x16\x03\x01 garbage\r\n\r\n")),
            Trouble::Oversize => {
                let head = String::from_utf8_lossy(&bytes).replace("Content-Length: ", "Content-Length: 9999999");
                let _ = status_of(&self.address, head.as_bytes());
            }
            Trouble::Forged => self.deliver(&forged(&delivery), 401),
            Trouble::Flood => std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| (0..500).for_each(|_| self.deliver(&forged(&delivery), 401)));
                }
                self.deliver(&delivery, 200);
            }),
            Trouble::Crowd => {
                open.extend((0..200).map(|_| self.begin(b"")));
                self.deliver(&delivery, 200);
            }
            // What cannot be verified is refused.
            Trouble::AnotherKey | Trouble::NoKey => drop(delivery.send(&self.address)),
        }
        open
    }

    fn begin(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("connected");
        stream.write_all(bytes).expect("sent");
        stream
    }

    #[track_caller]
    fn deliver(&self, delivery: &Delivery, status: u16) {
        assert_eq!(delivery.send(&self.address).expect("an answer"), status);
    }

    /// Shows that webhooks work: cyd goes live, and it is by a delivery that the program learns of it.
    fn prove(&self, trouble: Trouble) {
        if trouble == Trouble::AnotherKey {
            // The key is asked for again ten minutes after the last time. Until then the API is the only witness.
            self.stage.kick.go_live_silently("cyd");
            return assert_told(&self.daemon, "sweep");
        }
        self.stage.kick.set_api_lag(None);
        self.stage.kick.go_live_silently("cyd");
        wait_for("a delivery to be taken", LONG, || {
            (self.stage.kick.delivery("cyd").send(&self.address).ok() == Some(200)).then_some(())
        });
        assert_told(&self.daemon, "push");
    }

    fn suffer(&self, cell: Cell, trouble: Trouble) {
        let watch = Watch::start(&self.daemon);
        match trouble {
            Trouble::AnotherKey => self.stage.kick.new_webhook_key(),
            Trouble::NotSubscribed => THREE.iter().for_each(|username| self.stage.kick.drop_subscriptions(username)),
            _ => {}
        }
        let open = ["ana", "bob"].map(|username| self.go_live(username, trouble));
        let began_healing = watch.elapsed();
        self.stage.kick.clear_faults();
        ["ana", "bob"].iter().for_each(|username| wait_online(&self.stage, username));
        self.prove(trouble);
        let lasted = watch.elapsed();
        drop(open);
        watch.assert_idle(&self.daemon, cell);
        let noticed = (!self.daemon.events("webhook_refused").is_empty()).then_some(began_healing);
        cell.record(Came { noticed, healed: lasted - began_healing, ..compare_three(&self.stage) });
    }
}

/// The same with a signature that is not Kick's.
fn forged(delivery: &Delivery) -> Delivery {
    Delivery { body: delivery.body.replace("true", "false"), ..delivery.clone() }
}

#[test]
fn what_is_wrong_with_the_way_of_webhooks_heals() {
    let cell = |fault| Cell { edge: "webhook", fault };
    TROUBLES.iter().for_each(|(fault, _)| cell(fault).announce());
    std::thread::scope(|scope| {
        for (fault, trouble) in TROUBLES {
            scope.spawn(move || Ground::new(trouble).suffer(cell(fault), trouble));
        }
    });
}
