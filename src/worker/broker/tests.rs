//! The broker between links and a small server that plays Kick's: one question for many, tokens, and
//! what becomes of silence.

use super::Broker;
use crate::clock::{Clock, Pulse};
use crate::domain::push::{LinkId, Transport};
use crate::domain::secret::Secret;
use crate::gateway::kick::tests::broker;
use crate::gateway::kick::tests::server::{PATIENCE, Server, json, response, spawn};
use crate::gateway::socket::wake_pair;
use crate::gateway::state::Keep;
use crate::monitor::io::Input;
use crate::stop::{StopSource, stop_pair};
use crate::wire::EndKind;
use crate::wire::choice::{Choice, Terms, Way};
use crate::wire::offer::{Offer, Place};
use crate::worker::errand::{Errand, Reply};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const CENTRIFUGO: &str = r#"{"provider":"centrifugo","credentials":{"url":"ws://127.0.0.1:9/connection/websocket"}}"#;
const PUSHER: &str = r#"{"provider":"PUSHER","credentials":{"app_key":"new","cluster":"us2"}}"#;

const REALTIME: Input = Input::Brokered { endpoint: "realtime", status: Some(200) };

/// A broker in its thread.
struct Running {
    server: Server,
    errands: Sender<Errand>,
    inputs: Receiver<Input>,
    kept: Receiver<Keep>,
    stop: Option<StopSource>,
    thread: JoinHandle<anyhow::Result<()>>,
}

fn start(server: Server) -> Running {
    start_with(server, |_| ())
}

/// Starts a broker that `adjust` may change first.
fn start_with(server: Server, adjust: impl FnOnce(&mut Broker)) -> Running {
    let (errands, inbox) = unbounded();
    let (sender, inputs) = unbounded();
    let (keeper, kept) = unbounded();
    let (source, stop) = stop_pair();
    let clock = Clock::start();
    let pusher = Place { tls: false, host: "127.0.0.1".to_owned(), port: 7, path_and_query: String::new() };
    let terms = Terms { only: None, pusher, app_key: "configured".to_owned(), broker_is_loopback: true };
    let mut broker = Broker {
        realtime: Arc::new(broker(&server.base)),
        choice: Choice::new(terms, None),
        again: false,
        worked: Arc::default(),
        errands: inbox,
        inputs: sender,
        keeper,
        clock,
        rng: fastrand::Rng::with_seed(1),
    };
    adjust(&mut broker);
    let pulse = Pulse::new(clock, PATIENCE);
    let thread = spawn(move || broker.run(&pulse, &stop));
    Running { server, errands, inputs, kept, stop: Some(source), thread }
}

/// A Kick that offers these, and gives the tokens `t1`, `t2`, ….
fn kick(connections: &[&str]) -> Server {
    let answer = format!(r#"{{"data":{{"connections":[{}],"mode":"WEBSOCKET"}}}}"#, connections.join(","));
    let count = AtomicU32::new(0);
    Server::start(move |request| {
        if request.contains("/auth/connection") {
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            return json(&format!(r#"{{"data":{{"token":"t{number}"}}}}"#));
        }
        json(&answer)
    })
}

impl Running {
    fn send(&self, errand: Errand) {
        self.errands.send(errand).expect("the broker listens");
    }

    fn asks<T>(&self, errand: impl FnOnce(Reply<T>) -> Errand) -> Receiver<T> {
        let (reply, answer) = bounded(1);
        let (waker, _) = wake_pair().expect("an eventfd");
        self.send(errand(Reply::new(reply, waker)));
        answer
    }

    fn way(&self, link: u32) -> Way {
        let answer = self.asks(|reply| Errand::Way(LinkId(link), reply));
        answer.recv_timeout(PATIENCE).expect("an answer").expect("a way")
    }

    fn token(&self, link: u32) -> Receiver<Secret> {
        self.asks(|reply| Errand::Token(LinkId(link), reply))
    }

    fn end(mut self) {
        drop(self.stop.take());
        self.thread.join().expect("no panic").expect("no error");
    }
}

#[test]
fn many_links_cost_one_question_and_what_worked_is_kept() {
    let broker = start(kick(&[CENTRIFUGO, PUSHER]));
    for link in 0..50 {
        let way = broker.way(link);
        assert_eq!((way.transport, way.place.port), (Transport::Pusher, 7));
        assert!(way.place.path_and_query.starts_with("/app/new?"), "{way:?}");
    }
    broker.server.heard();
    assert!(broker.server.heard_no_more());
    assert_eq!(broker.inputs.try_iter().collect::<Vec<_>>(), [Input::Spent, REALTIME], "the budget is charged");
    broker.send(Errand::Connected(LinkId(0)));
    let offer = Offer::Pusher { app_key: "new".to_owned(), cluster: "us2".to_owned() };
    assert_eq!(broker.kept.recv_timeout(PATIENCE), Ok(Keep::Realtime(offer)));
    broker.end();
}

#[test]
fn a_kick_without_a_broker_leads_to_what_is_configured() {
    let broker = start(Server::start(|_| response(404, "", "{}")));
    assert!(broker.way(0).place.path_and_query.starts_with("/app/configured?"));
    broker.end();
}

#[test]
fn links_that_want_a_token_at_once_share_one_and_a_failure_is_made_up_for() {
    let count = AtomicU32::new(0);
    let broker = start(Server::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => response(503, "", ""),
        number => json(&format!(r#"{{"data":{{"token":"t{number}"}}}}"#)),
    }));
    let waiting: Vec<_> = (0..50).map(|link| broker.token(link)).collect();
    // This one has hung up; nobody may wait for it.
    broker.send(Errand::Closed(LinkId(0)));
    for (link, answer) in waiting.iter().enumerate().skip(1) {
        assert_eq!(answer.recv_timeout(PATIENCE).expect("a token").reveal(), "t1", "link {link}");
    }
    let requests: Vec<String> = (0..2).map(|_| broker.server.heard()).collect();
    assert!(broker.server.heard_no_more());
    let client = |request: &str| request.rsplit_once("client_id").map(|(_, rest)| rest.to_owned());
    assert_eq!(client(&requests[0]), client(&requests[1]), "it asks under one name");
    broker.end();
}

#[test]
fn after_a_refusal_it_asks_under_another_name() {
    let broker = start(kick(&[CENTRIFUGO]));
    broker.way(0);
    assert_eq!(broker.token(0).recv_timeout(PATIENCE).expect("a token").reveal(), "t1");
    broker.send(Errand::Ended { link: LinkId(0), kind: EndKind::Refused });
    assert_eq!(broker.token(0).recv_timeout(PATIENCE).expect("a token").reveal(), "t2", "not the one that was refused");
    let client = |request: &str| request.rsplit_once(r#"id":"#).map(|(_, rest)| rest[..38].to_owned());
    let names: Vec<_> = (0..3).map(|_| client(&broker.server.heard())).collect();
    assert_eq!(names[0], names[1]);
    assert_ne!(names[1], names[2]);
    broker.end();
}

#[test]
fn a_link_never_gets_the_same_token_twice() {
    let broker = start(kick(&[CENTRIFUGO]));
    broker.way(0);
    let token = |link| broker.token(link).recv_timeout(PATIENCE).expect("a token").reveal().to_owned();
    assert_eq!([token(0), token(1)], ["t1", "t1"]);
    // Refused at once, perhaps for the token: the very next connection tries another.
    broker.send(Errand::Ended { link: LinkId(0), kind: EndKind::Lost });
    assert_eq!([token(0), token(1), token(2)], ["t2", "t2", "t2"]);
    broker.end();
}

#[test]
fn tokens_that_live_for_no_time_do_not_eat_the_budget() {
    let broker = start(kick(&[CENTRIFUGO]));
    let (mut came, mut last) = (0, None);
    for link in 0..40 {
        // One link wants another as soon as it has one.
        let token = broker.token(if link % 2 == 0 { 0 } else { 1 });
        match token.recv_timeout(Duration::from_secs(1)) {
            Ok(token) if last.as_ref() != Some(&token) => (came, last) = (came + 1, Some(token)),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    assert!((5..=10).contains(&came), "{came} tokens at once");
    broker.end();
}

#[test]
fn what_is_silent_is_left_if_kick_offers_another_and_kept_otherwise() {
    let broker = start(kick(&[PUSHER, CENTRIFUGO]));
    assert_eq!(broker.way(0).transport, Transport::Pusher);
    broker.send(Errand::Silent(Transport::Pusher));
    let told: Vec<_> = (0..3).map(|_| broker.inputs.recv_timeout(PATIENCE).expect("an input")).collect();
    assert_eq!(told, [Input::Spent, REALTIME, Input::Relink]);
    assert_eq!(broker.way(1).transport, Transport::Centrifugo);
    broker.end();

    let broker = start(kick(&[PUSHER]));
    assert_eq!(broker.way(0).transport, Transport::Pusher);
    broker.send(Errand::Silent(Transport::Pusher));
    assert_eq!(broker.way(1).transport, Transport::Pusher);
    assert!(!broker.inputs.try_iter().any(|input| input == Input::Relink));
    broker.end();
}

#[test]
fn a_broker_that_takes_over_has_every_link_ask_anew() {
    // Where the links are went with the one that failed: silence could not be left.
    let broker = start_with(kick(&[PUSHER, CENTRIFUGO]), |broker| broker.again = true);
    assert_eq!(broker.inputs.recv_timeout(PATIENCE), Ok(Input::Relink));
    // So did its trial: that it is over is no reason to move again.
    broker.send(Errand::TrialOver { proved: true });
    assert_eq!(broker.way(1).transport, Transport::Pusher);
    assert_eq!(broker.inputs.try_iter().collect::<Vec<_>>(), [Input::Spent, REALTIME]);
    broker.end();
}

#[test]
fn what_worked_is_there_for_the_next_broker() {
    let worked = Arc::default();
    let broker = start_with(kick(&[PUSHER]), |broker| broker.worked = Arc::clone(&worked));
    broker.way(0);
    broker.send(Errand::Connected(LinkId(0)));
    broker.kept.recv_timeout(PATIENCE).expect("it is kept");
    broker.end();
    let offer = Offer::Pusher { app_key: "new".to_owned(), cluster: "us2".to_owned() };
    assert_eq!(*worked.lock().expect("nobody panicked"), Some(offer));
}

#[test]
fn a_broker_that_is_told_to_stop_leaves_the_errands_to_the_next_one() {
    // Which of two things that are there is taken is chance, and depends on how many came before.
    for before in 0..8 {
        let (asked, is_asked) = bounded(0);
        let (go, may_answer) = bounded::<()>(0);
        let server = Server::start(move |_| {
            asked.send(()).expect("the test listens");
            let _ = may_answer.recv_timeout(PATIENCE);
            response(404, "", "{}")
        });
        let mut left = None;
        let mut broker = start_with(server, |broker| left = Some(broker.errands.clone()));
        (0..before).for_each(|_| broker.send(Errand::Closed(LinkId(0))));
        let _answer = broker.asks(|reply| Errand::Way(LinkId(0), reply));
        is_asked.recv_timeout(PATIENCE).expect("it asks Kick");
        broker.send(Errand::Closed(LinkId(0)));
        drop((broker.stop.take(), go));
        broker.end();
        assert_eq!(left.map(|errands| errands.len()), Some(1), "after {before}");
    }
}
