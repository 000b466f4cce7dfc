//! What a link asks the core for: where to connect, and tokens.

use super::{LINK, ended, start};
use crate::domain::Steady;
use crate::domain::push::{EndKind, LinkEvent};
use crate::domain::secret::Secret;
use crate::gateway::socket::tests::scripted::{PATIENCE, accept_websocket, close_code, reset, serve, text};
use crate::monitor::io::Input;
use crate::wire::{Act, End, Session, SessionInput};
use crate::worker::link::Order;
use crossbeam_channel::unbounded;
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn a_link_ends_while_it_waits_to_be_told_where_to_go() {
    let gone = serve(|_| ());
    let (asks, asked) = unbounded();
    let link = start(&gone.address, |link| link.inputs = asks);
    for event in [LinkEvent::Started, LinkEvent::WantsWay] {
        assert_eq!(asked.recv_timeout(PATIENCE), Ok(Input::Link(LINK, event)));
    }
    link.hang_up();
    gone.join();
}

#[test]
fn a_link_without_any_way_asks_again_after_a_pause() {
    let gone = serve(|_| ());
    let (asks, asked) = unbounded();
    let link = start(&gone.address, |link| link.inputs = asks);
    assert_eq!(asked.recv_timeout(PATIENCE), Ok(Input::Link(LINK, LinkEvent::Started)));
    for _ in 0..2 {
        assert_eq!(asked.recv_timeout(PATIENCE), Ok(Input::Link(LINK, LinkEvent::WantsWay)));
        link.order(Order::Go(None));
    }
    link.hang_up();
    gone.join();
}

/// A session that asks for a token and sends it to the server.
struct Guest;

impl Session for Guest {
    fn handle(&mut self, _: Steady, input: SessionInput<'_>, acts: &mut Vec<Act>) {
        match input {
            SessionInput::Opened => acts.push(Act::WantToken),
            SessionInput::Token(token) => acts.push(Act::Send(token.reveal().to_owned())),
            _ => {}
        }
    }

    fn next_wake(&self) -> Steady {
        Steady::after(Duration::MAX)
    }

    fn end_of(&self, code: Option<u16>, reason: &str) -> End {
        End { kind: EndKind::Lost, code, reason: reason.to_owned() }
    }
}

#[test]
fn a_token_reaches_the_connection_that_wants_one_and_no_later_one() {
    let (hear, heard) = channel();
    let (given, go) = channel();
    let server = serve(move |listener| {
        let mut peer = accept_websocket(listener);
        hear.send(text(&mut peer)).expect("the test listens");
        reset(peer.into_inner());
        // The next connection is not open before the late token has been sent.
        go.recv_timeout(PATIENCE).expect("the token is given");
        let mut peer = accept_websocket(listener);
        hear.send(text(&mut peer)).expect("the test listens");
        close_code(&mut peer)
    });
    let link = start(&server.address, |link| link.speak = Box::new(|_, _| Box::new(Guest)));
    link.lives(&[LinkEvent::Started, LinkEvent::WantsToken]);
    link.order(Order::Token(Secret::new("one")));
    link.lives(&[ended(EndKind::Lost)]);
    link.order(Order::Token(Secret::new("late")));
    given.send(()).expect("the server waits");
    link.lives(&[LinkEvent::WantsToken]);
    link.order(Order::Token(Secret::new("two")));
    for token in ["one", "two"] {
        assert_eq!(heard.recv_timeout(PATIENCE).as_deref(), Ok(token));
    }
    link.hang_up();
    assert_eq!(server.join(), Some(1000));
}
