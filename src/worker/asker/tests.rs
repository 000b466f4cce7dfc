//! The asker between the core and a server: answers, refused tokens, and the end.

use super::{AskerWorker, BrokerAsker};
use crate::clock::{Clock, Pulse};
use crate::domain::ask::{Answer, BrokerQuery, FailureKind, Offered, Query, Request, RequestId};
use crate::domain::push::Transport;
use crate::domain::way::Offer;
use crate::domain::{Slug, UserId};
use crate::gateway::kick::tests::server::{PATIENCE, Script, Server, json, response, spawn};
use crate::gateway::kick::tests::{broker, config};
use crate::gateway::kick::{Kick, REQUEST_LIMIT};
use crate::monitor::io::{Asker, Input};
use crate::stop::{StopSource, stop_pair};
use crate::worker::Worker;
use crate::worker::token::tests::Tokens;
use crate::worker::token_cell::TokenCell;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A running asker with its channels and its server.
struct Asking {
    requests: Sender<Request>,
    inputs: Receiver<Input>,
    stop: StopSource,
    thread: JoinHandle<anyhow::Result<()>>,
}

fn start(which: Asker, server: &Server, tokens: &Arc<TokenCell>) -> Asking {
    let (requests, inbox) = unbounded();
    // Left over from before the start; the core has given it up.
    requests.send(request(0, Query::ChannelsByUser(vec![UserId(1)]))).expect("the inbox lives");
    let (sender, inputs) = unbounded();
    let (source, stop) = stop_pair();
    let clock = Clock::start();
    let worker = AskerWorker {
        which,
        kick: Arc::new(Kick::new(&config(&server.base), REQUEST_LIMIT)),
        tokens: Arc::clone(tokens),
        requests: inbox,
        inputs: sender,
        clock,
    };
    let pulse = Pulse::new(clock, Duration::from_secs(60));
    let thread = spawn(move || worker.run(&pulse, &stop));
    assert_eq!(inputs.recv_timeout(PATIENCE), Ok(Input::AskerStarted(which)));
    Asking { requests, inputs, stop: source, thread }
}

fn request(id: u64, query: Query) -> Request {
    Request { id: RequestId(id), query }
}

impl Asking {
    fn ask(&self, id: u64, query: Query) -> Answer {
        self.requests.send(request(id, query)).expect("the asker listens");
        match self.inputs.recv_timeout(PATIENCE) {
            Ok(Input::Answer(answer)) if answer.id == RequestId(id) => answer,
            other => panic!("not the answer: {other:?}"),
        }
    }

    fn hang_up(self) {
        drop(self.requests);
        self.thread.join().expect("no panic").expect("no failure");
        drop(self.stop);
    }
}

fn users() -> Query {
    Query::ChannelsByUser(vec![UserId(676)])
}

/// A server that issues `token-1`, `token-2`, … and accepts only requests with `accepted`.
fn kick(accepted: &'static str) -> Server {
    let count = AtomicU32::new(0);
    Server::start(move |heard| {
        if heard.starts_with("POST /oauth/token") {
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            json(&format!(r#"{{"access_token":"token-{number}","expires_in":3600}}"#))
        } else if heard.contains(&format!("Bearer {accepted}\r\n")) || heard.starts_with("GET /api/v2") {
            json(r#"{"data":[{"broadcaster_user_id":676,"slug":"xqc"}],"id":668,"user_id":676,"slug":"xqc"}"#)
        } else {
            response(401, "", r#"{"data":{},"message":"Unauthorized"}"#)
        }
    })
}

#[test]
fn a_question_is_answered_and_what_was_left_over_is_not() {
    let server = kick("token-1");
    let tokens = Tokens::start(&server);
    let asking = start(Asker::Api, &server, &tokens.cell);
    for id in [7, 8] {
        let answer = asking.ask(id, users());
        assert_eq!((answer.result.map(|seen| seen.len()), answer.spent), (Ok(1), 1));
        assert!(answer.started.steady < answer.finished.steady);
    }
    asking.hang_up();
}

#[test]
fn a_token_that_is_refused_is_replaced_and_the_question_asked_once_more() {
    let server = kick("token-2");
    let tokens = Tokens::start(&server);
    let asking = start(Asker::Api, &server, &tokens.cell);
    let answer = asking.ask(1, users());
    assert_eq!((answer.result.map(|seen| seen.len()), answer.spent), (Ok(1), 2));
    assert_eq!(asking.ask(2, users()).spent, 1, "the new token serves on");
    asking.hang_up();
}

#[test]
fn a_new_token_that_is_refused_too_is_a_failure_and_no_loop() {
    let server = kick("nobody");
    let tokens = Tokens::start(&server);
    let asking = start(Asker::Api, &server, &tokens.cell);
    let answer = asking.ask(1, users());
    let failure = answer.result.expect_err("refused");
    assert_eq!((failure.kind, failure.status, answer.spent), (FailureKind::Unauthorized, Some(401), 2));
    asking.hang_up();
    let heard: Vec<_> = (0..4).map(|_| server.heard().split(' ').next().map(str::to_owned)).collect();
    assert_eq!(heard.iter().flatten().collect::<Vec<_>>(), ["POST", "GET", "POST", "GET"]);
    assert!(server.heard_no_more());
}

#[test]
fn the_website_needs_no_token_and_the_api_asks_nothing_without() {
    let server = kick("token-1");
    let empty = Arc::new(TokenCell::default());
    let website = start(Asker::Website, &server, &empty);
    let slug = Slug::from_username("xqc").expect("usable");
    assert!(website.ask(1, Query::Website(slug)).result.is_ok());
    website.hang_up();
    server.heard();

    let api = start(Asker::Api, &server, &empty);
    let answer = api.ask(1, users());
    assert_eq!((answer.result.map_err(|failure| failure.kind), answer.spent), (Err(FailureKind::NoToken), 0));
    assert!(server.heard_no_more());
    api.hang_up();
}

#[test]
fn a_stop_ends_an_asker_that_waits_for_a_token_or_for_nothing() {
    let server = Server::start(|_| Script::Silence);
    for query in [Some(users()), None] {
        let asking = start(Asker::Api, &server, &Arc::new(TokenCell::default()));
        if let Some(query) = query {
            asking.requests.send(request(1, query)).expect("the asker listens");
        }
        drop(asking.stop);
        asking.thread.join().expect("no panic").expect("no failure");
        assert!(asking.inputs.is_empty(), "a stop is no answer");
    }
}

#[test]
fn the_broker_is_asked_what_it_offers_and_for_tokens_and_a_stop_is_no_answer() {
    let server = Server::start(|heard| match heard.contains("/auth/connection") {
        true if heard.contains("-000000000009") => Script::Silence,
        true => json(r#"{"data":{"token":"t1"}}"#),
        false => json(
            r#"{"connections":[{"provider":"pusher","credentials":{"app_key":"new","cluster":"us2"}}],"mode":"websocket"}"#,
        ),
    });
    let (requests, inbox) = unbounded();
    let (sender, inputs) = unbounded();
    let (source, stop) = stop_pair();
    let clock = Clock::start();
    let realtime = Arc::new(broker(&server.base));
    let worker = BrokerAsker { realtime: Arc::clone(&realtime), requests: inbox, inputs: sender, clock };
    let pulse = Pulse::new(clock, Duration::from_secs(60));
    let ask = |id, query| requests.send(Request { id: RequestId(id), query }).expect("the inbox lives");
    // Left over from before the start; the core has given it up.
    ask(0, BrokerQuery::GuestToken { client: 0 });
    let thread = spawn(move || worker.run(&pulse, &stop));
    assert_eq!(inputs.recv_timeout(PATIENCE), Ok(Input::BrokerStarted));

    ask(1, BrokerQuery::Offers { client: 1, speaks: vec![Transport::Pusher] });
    let Ok(Input::BrokerAnswer(answer)) = inputs.recv_timeout(PATIENCE) else { panic!("no answer") };
    let offer = Offer::Pusher { app_key: "new".to_owned(), cluster: "us2".to_owned() };
    assert_eq!((answer.id, answer.result, answer.spent), (RequestId(1), Ok(Offered::Offers(vec![offer])), 1));
    assert!(answer.started.steady < answer.finished.steady);
    ask(2, BrokerQuery::GuestToken { client: 1 });
    let Ok(Input::BrokerAnswer(answer)) = inputs.recv_timeout(PATIENCE) else { panic!("no answer") };
    let Ok(Offered::Token(token)) = answer.result else { panic!("no token") };
    assert_eq!((answer.id, token.reveal()), (RequestId(2), "t1"));

    let client = |request: &str| request.rsplit_once(r#"id":"#).map(|(_, rest)| rest[..38].to_owned());
    assert_eq!(client(&server.heard()), client(&server.heard()), "both under one name");
    ask(3, BrokerQuery::GuestToken { client: 9 });
    server.heard();
    drop(source);
    realtime.hang_up();
    thread.join().expect("no panic").expect("no failure");
    assert!(inputs.is_empty(), "what was in flight is not Kick's doing");
}
