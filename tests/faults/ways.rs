//! Every way out of the program, each with everything that can be wrong with a way: while it is, and
//! behind it, each change at Kick is written once, and nothing else is.

use super::matrix::{Came, Cell, LONG, THREE, Watch, assert_told, compare_three, prove_push, wait_online};
use crate::e2e::stage::Stage;
use kick_sim::{Certificate, Kick, Offer};
use lab::{Builder, Daemon, Relay, Signal, Trouble, wait_for};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A way out of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    Pusher,
    Centrifugo,
    OAuth,
    Api,
    Database,
}

/// A websocket frame of a gigabyte, an HTTP answer without a length, a row of two gigabytes.
const FRAME: Trouble = Trouble::Oversize(&[0x81, 127, 0, 0, 0, 0, 0x40, 0, 0, 0]);
const ANSWER: Trouble = Trouble::Oversize(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
const ROW: Trouble = Trouble::Oversize(b"D\x7f\xff\xff\xff");

impl Edge {
    fn word(self) -> &'static str {
        match self {
            Edge::Pusher => "pusher",
            Edge::Centrifugo => "centrifugo",
            Edge::OAuth => "oauth",
            Edge::Api => "api",
            Edge::Database => "database",
        }
    }

    /// What the log says when this way does not work.
    fn complaint(self) -> &'static str {
        match self {
            Edge::Pusher | Edge::Centrifugo => "realtime_disconnected",
            Edge::OAuth => "token_unavailable",
            Edge::Api => "api_error",
            Edge::Database => "db_unavailable",
        }
    }

    fn troubles(self) -> Vec<(&'static str, Trouble)> {
        let oversize = match self {
            Edge::Pusher | Edge::Centrifugo => FRAME,
            Edge::OAuth | Edge::Api => ANSWER,
            Edge::Database => ROW,
        };
        vec![
            ("refused", Trouble::Refused),
            ("reset", Trouble::Reset),
            ("closed", Trouble::Closed),
            ("silent", Trouble::Silent),
            ("half-open", Trouble::HalfOpen),
            ("a byte a second", Trouble::Drip),
            ("cut in an answer", Trouble::Cut),
            ("100 ms late", Trouble::Late(Duration::from_millis(100))),
            ("10 s late", Trouble::Late(Duration::from_secs(10))),
            ("garbage", Trouble::Garbage),
            ("oversize", oversize),
        ]
    }
}

/// The program, with one of its ways through a relay; everybody is followed and Offline.
struct Ground {
    edge: Edge,
    stage: Stage,
    relay: Relay,
    daemon: Daemon,
}

impl Ground {
    fn new(edge: Edge, stage: Stage, authorities: Option<&str>) -> Ground {
        let stage = stage.add(&THREE);
        let relay = Relay::to(port(&outside(edge, &stage)));
        let mut builder = stage.builder();
        let through = |url: &str| url.replacen(&format!(":{}", port(url)), &format!(":{}", relay.port()), 1);
        builder = match edge {
            Edge::Pusher => builder.set("PUSHER_URL", through(&stage.kick.pusher_url())).set("REALTIME", "pusher"),
            Edge::Centrifugo => {
                stage.kick.offer(&[Offer::CentrifugoUrl(through(stage.kick.centrifugo_url()))]);
                builder.set("REALTIME", "centrifugo")
            }
            Edge::OAuth => builder.set("KICK_OAUTH_URL", through(&stage.kick.oauth_url())),
            Edge::Api => builder.set("KICK_API_URL", through(&stage.kick.api_url())),
            Edge::Database => builder.set("DATABASE_URL", through(&stage.database.url())),
        };
        if let Some(authorities) = authorities {
            let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.pem", stage.database.name()));
            fs::write(&file, authorities).expect("a file can be written");
            builder = builder.set("TLS_CA_FILE", file.display().to_string());
        }
        let daemon = stage.start(builder);
        stage.wait_followed(&THREE);
        THREE.iter().for_each(|username| stage.wait_status(username, "Offline"));
        Ground { edge, stage, relay, daemon }
    }

    /// Has the program use the way.
    fn provoke(&self) {
        if self.edge == Edge::OAuth {
            self.stage.kick.revoke_tokens();
        }
        if matches!(self.edge, Edge::OAuth | Edge::Api) {
            self.daemon.signal(Signal::USR1);
        }
    }

    /// Waits until the trouble has struck, and was noticed if it is one that must be. Whether it was.
    fn wait_struck(&self, trouble: Trouble, before: usize) -> bool {
        let harmless = matches!(trouble, Trouble::Late(_) | Trouble::Drip)
            || self.edge == Edge::Database && trouble == Trouble::HalfOpen;
        wait_for("the trouble to strike", LONG, || {
            let noticed = self.daemon.events(self.edge.complaint()).len() > before;
            (noticed || harmless && self.relay.met() > 0).then_some(noticed)
        })
    }

    /// Shows that the way works again: cyd goes live, and it is by this way that the program learns of it.
    fn prove(&self) {
        match self.edge {
            Edge::Pusher | Edge::Centrifugo | Edge::Database => prove_push(&self.stage, &self.daemon),
            Edge::OAuth | Edge::Api => {
                self.stage.kick.go_live_silently("cyd");
                self.daemon.signal(Signal::USR1);
                assert_told(&self.daemon, "sweep");
            }
        }
    }

    /// Lets a trouble begin and end, with changes at Kick meanwhile.
    fn suffer(&self, cell: Cell, begin: impl FnOnce(&Relay), trouble: Trouble, end: impl FnOnce(&Relay)) {
        let before = self.daemon.events(self.edge.complaint()).len();
        let (watch, asked) = (Watch::start(&self.daemon), self.relay.accepted());
        begin(&self.relay);
        self.stage.kick.go_live("ana");
        self.provoke();
        let noticed = self.wait_struck(trouble, before).then(|| watch.elapsed());
        self.stage.kick.go_live("bob");
        let began_healing = watch.elapsed();
        end(&self.relay);
        ["ana", "bob"].iter().for_each(|username| wait_online(&self.stage, username));
        self.prove();
        let lasted = watch.elapsed();
        watch.assert_idle(&self.daemon, cell);
        let asked = self.relay.accepted() - asked;
        assert!(asked as f64 <= 20.0 + 5.0 * lasted.as_secs_f64(), "{cell:?}: {asked} connections in {lasted:?}");
        cell.record(Came { noticed, healed: lasted - began_healing, ..compare_three(&self.stage) });
    }
}

/// What the program would connect to without the relay.
fn outside(edge: Edge, stage: &Stage) -> String {
    match edge {
        Edge::Pusher => stage.kick.pusher_url(),
        Edge::Centrifugo => stage.kick.centrifugo_url().to_owned(),
        Edge::OAuth => stage.kick.oauth_url(),
        Edge::Api => stage.kick.api_url(),
        Edge::Database => stage.database.url(),
    }
}

/// Every way out leads through a relay: to Pusher, OAuth, the API and the database, in this order.
pub(super) fn through_relays(stage: &Stage, builder: Builder) -> (Builder, [Relay; 4]) {
    let urls = [stage.kick.pusher_url(), stage.kick.oauth_url(), stage.kick.api_url(), stage.database.url()];
    let relays = urls.each_ref().map(|url| Relay::to(port(url)));
    let keys = ["PUSHER_URL", "KICK_OAUTH_URL", "KICK_API_URL", "DATABASE_URL"];
    let builder = keys.iter().zip(&urls).zip(&relays).fold(builder.set("REALTIME", "pusher"), |builder, way| {
        let ((key, url), relay) = way;
        builder.set(key, url.replacen(&format!(":{}", port(url)), &format!(":{}", relay.port()), 1))
    });
    (builder, relays)
}

/// The port of a URL of this machine.
fn port(url: &str) -> u16 {
    let behind = url.rsplit_once("127.0.0.1:").map(|(_, behind)| behind).expect("a URL of this machine");
    let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a port")
}

/// All troubles of one way, side by side.
fn suffer_all(edge: Edge) {
    let troubles = edge.troubles();
    let cell = |fault| Cell { edge: edge.word(), fault };
    troubles.iter().for_each(|(fault, _)| cell(fault).announce());
    std::thread::scope(|scope| {
        for (fault, trouble) in troubles {
            scope.spawn(move || {
                let ground = Ground::new(edge, Stage::empty(), None);
                ground.suffer(cell(fault), |relay| relay.trouble(Some(trouble)), trouble, |relay| relay.trouble(None));
            });
        }
    });
}

#[test]
fn what_is_wrong_with_the_way_to_pusher_heals() {
    suffer_all(Edge::Pusher);
}

#[test]
fn what_is_wrong_with_the_way_to_centrifugo_heals() {
    suffer_all(Edge::Centrifugo);
}

#[test]
fn what_is_wrong_with_the_way_to_oauth_heals() {
    suffer_all(Edge::OAuth);
}

#[test]
fn what_is_wrong_with_the_way_to_the_api_heals() {
    suffer_all(Edge::Api);
}

#[test]
fn what_is_wrong_with_the_way_to_the_database_heals() {
    suffer_all(Edge::Database);
}

/// Another server answers for a while, with a certificate that is wrong.
#[test]
fn a_wrong_certificate_is_not_trusted_and_a_right_one_heals() {
    let kinds = [
        ("certificate of nobody", Certificate::UnknownAuthority),
        ("certificate expired", Certificate::Expired),
        ("certificate of another", Certificate::WrongHost),
    ];
    let edges = [Edge::Pusher, Edge::Centrifugo, Edge::OAuth, Edge::Api];
    let cells = || edges.into_iter().flat_map(|edge| kinds.map(|(fault, kind)| (edge, fault, kind)));
    cells().for_each(|(edge, fault, _)| Cell { edge: edge.word(), fault }.announce());
    std::thread::scope(|scope| {
        for (edge, fault, kind) in cells() {
            scope.spawn(move || {
                let kick = |kind| Kick::builder().tls(kind).start().expect("a port is free");
                let right = Stage { kick: kick(Certificate::Right), ..Stage::empty() };
                let wrong = Stage { kick: kick(kind), ..Stage::empty() };
                let pem = [&right, &wrong].map(|stage| stage.kick.ca_pem().unwrap_or_default()).concat();
                let (there, elsewhere) = (port(&outside(edge, &right)), port(&outside(edge, &wrong)));
                let ground = Ground::new(edge, right, Some(&pem));
                ground.suffer(
                    Cell { edge: edge.word(), fault },
                    |relay| relay.lead_to(elsewhere),
                    Trouble::Refused,
                    |relay| relay.lead_to(there),
                );
                assert_eq!(wrong.kick.requests().len(), 0, "no secret is told to a stranger");
            });
        }
    });
}
