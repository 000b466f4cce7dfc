//! A link against scripted servers on 127.0.0.1: with Pusher's session where the protocol matters, and with a session
//! of our own where its time limits must be short.

mod asked;

use super::{Link, Order, OrderSender, orders};
use crate::clock::{Clock, Pulse};
use crate::domain::push::{EndKind, LinkEvent, LinkId, Push, PushKind, Transport};
use crate::domain::way::{Place, Way};
use crate::domain::{ChannelId, LivestreamId, Steady};
use crate::gateway::socket::tests::scripted::{
    PATIENCE, accept, accept_websocket, close, close_code, reset, send, serve, text,
};
use crate::gateway::socket::{Address, Authorities};
use crate::monitor::io::Input;
use crate::stop::{Stop, StopSource, stop_pair};
use crate::wire::names::EventNames;
use crate::wire::{Act, End, Session, SessionInput, sessions};
use crate::worker::Worker;
use crossbeam_channel::{Receiver, bounded, unbounded};
use rustix::process::Pid;
use rustix::thread::gettid;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Read;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tungstenite::Message;

const GREETING: &str =
    r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.2\",\"activity_timeout\":120}"}"#;
const LINK: LinkId = LinkId(7);

/// A link in its thread.
struct Running {
    orders: Arc<Mutex<Option<OrderSender>>>,
    inputs: Receiver<Input>,
    /// Inputs that arrived together with one that was taken.
    ahead: RefCell<VecDeque<Input>>,
    stop: Option<StopSource>,
    clock: Clock,
    tid: Pid,
    thread: JoinHandle<anyhow::Result<()>>,
}

/// Starts a link that `adjust` may change first. When it asks where to connect, it is sent to this Pusher server.
fn start(address: &Address, adjust: impl FnOnce(&mut Link)) -> Running {
    let clock = Clock::start();
    let (giving, taking) = orders().expect("an eventfd");
    let (sender, said) = bounded(100);
    let orders = Arc::new(Mutex::new(Some(giving)));
    let inputs = guide(address, said, orders.clone());
    let (source, stop) = stop_pair();
    let mut link = Link {
        id: LINK,
        speak: sessions(&["channel.{id}".to_owned()], &EventNames::default()),
        authorities: Arc::new(Authorities::new(None)),
        orders: taking,
        inputs: sender,
        clock,
        seed: 1,
    };
    adjust(&mut link);
    let pulse = Pulse::new(clock, PATIENCE);
    let (say_tid, tid) = bounded(1);
    let thread = std::thread::Builder::new().spawn(move || {
        say_tid.send(gettid()).expect("the test listens");
        link.run(&pulse, &stop)
    });
    let (thread, tid) = (thread.expect("a thread"), tid.recv_timeout(PATIENCE).expect("it runs"));
    let ahead = RefCell::default();
    Running { orders, inputs, ahead, stop: Some(source), clock, tid, thread }
}

/// Starts a link with the defaults.
fn start_pusher(address: &Address) -> Running {
    start(address, |_| ())
}

/// Answers the link's questions and passes on its reports.
fn guide(address: &Address, said: Receiver<Input>, orders: Arc<Mutex<Option<OrderSender>>>) -> Receiver<Input> {
    let Address { tls, host, port, .. } = address.clone();
    let way =
        Way::Pusher { place: Place { tls, host, port, path_and_query: String::new() }, app_key: "key".to_owned() };
    let (hands_on, inputs) = unbounded();
    let answer = move || {
        for input in said {
            if input == Input::Link(LINK, LinkEvent::WantsWay) {
                let orders = orders.lock().expect("nobody panicked");
                orders.iter().for_each(|orders| orders.send(Order::Go(Some(way.clone()))));
            } else if hands_on.send(input).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().spawn(answer).expect("a thread");
    inputs
}

impl Running {
    fn order(&self, order: Order) {
        self.orders.lock().expect("nobody panicked").as_ref().expect("not hung up").send(order);
    }

    fn follow(&self, id: i64) {
        self.order(Order::Follow(vec![ChannelId(id)]));
    }

    /// The next input. The reason of an end is blanked, because its wording may differ.
    fn input(&self) -> Input {
        loop {
            let ahead = self.ahead.borrow_mut().pop_front();
            match ahead.unwrap_or_else(|| self.inputs.recv_timeout(PATIENCE).expect("an input")) {
                Input::Several(inputs) => self.ahead.borrow_mut().extend(inputs),
                Input::Link(link, LinkEvent::Ended { kind, .. }) => return Input::Link(link, ended(kind)),
                input => return input,
            }
        }
    }

    /// Asserts that the next inputs are these events of the link.
    fn lives(&self, events: &[LinkEvent]) {
        for event in events {
            assert_eq!(self.input(), Input::Link(LINK, event.clone()));
        }
    }

    /// How often the thread has gone to sleep so far.
    fn sleeps(&self) -> u64 {
        let status = format!("/proc/self/task/{}/status", self.tid.as_raw_nonzero());
        let status = std::fs::read_to_string(status).expect("the thread lives");
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.and_then(|count| count.trim().parse().ok()).expect("a number")
    }

    /// Hangs up the orders and asserts that the link ends soon and without an error.
    fn hang_up(self) {
        drop(self.orders.lock().expect("nobody panicked").take());
        self.ends();
    }

    fn ends(self) {
        let told = self.clock.steady();
        self.thread.join().expect("no panic").expect("no error");
        assert!(self.clock.steady().since(told) < PATIENCE / 2, "it did not notice");
    }
}

/// The end of a connection, with the reason blanked.
fn ended(kind: EndKind) -> LinkEvent {
    LinkEvent::Ended { kind, why: String::new() }
}

/// The channel that the next message subscribes to.
fn subscribed(peer: &mut tungstenite::WebSocket<std::net::TcpStream>) -> String {
    let message: serde_json::Value = serde_json::from_str(&text(peer)).expect("JSON");
    assert_eq!(message["event"], "pusher:subscribe", "{message}");
    message["data"]["channel"].as_str().expect("a channel").to_owned()
}

#[test]
fn what_the_server_says_reaches_the_core() {
    let server = serve(|listener| {
        let mut peer = accept_websocket(listener);
        send(&mut peer, GREETING);
        assert_eq!(subscribed(&mut peer), "channel.668");
        send(&mut peer, r#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"channel.668"}"#);
        send(&mut peer, r#"{"event":"App\\Events\\FollowersUpdated","data":"{}","channel":"channel.668"}"#);
        let stop = r#"{"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":42,\"channel\":{\"id\":668}}}","channel":"channel.668"}"#;
        send(&mut peer, stop);
        close_code(&mut peer)
    });
    let link = start_pusher(&server.address);
    link.follow(668);
    link.lives(&[LinkEvent::Started, LinkEvent::Connected(Transport::Pusher), LinkEvent::Subscribed(ChannelId(668))]);
    let Input::Push(LINK, push) = link.input() else { panic!("no push") };
    assert!(push.received <= link.clock.steady());
    let expected = Push {
        received: push.received,
        named: ChannelId(668),
        inside: Some(ChannelId(668)),
        what: PushKind::Stop { livestream: LivestreamId(42) },
    };
    assert_eq!(push, expected);
    link.hang_up();
    assert_eq!(server.join(), Some(1000), "the websocket is closed in order");
}

/// With a thousand links, one input per frame would be a queue that the writers have to wait in as well.
#[test]
fn frames_that_come_at_once_reach_the_core_in_their_order_with_few_inputs() {
    const FRAMES: i64 = 300;
    let server = serve(|listener| {
        let mut peer = accept_websocket(listener);
        send(&mut peer, GREETING);
        assert_eq!(subscribed(&mut peer), "channel.668");
        for n in 1..=FRAMES {
            let data = format!(r#"{{\"livestream\":{{\"id\":{n},\"channel\":{{\"id\":668}}}}}}"#);
            let event = r"App\\Events\\StopStreamBroadcast";
            let stop = format!(r#"{{"event":"{event}","data":"{data}","channel":"channel.668"}}"#);
            peer.write(Message::text(stop)).expect("room");
        }
        peer.flush().expect("the peer reads");
        close_code(&mut peer)
    });
    let link = start_pusher(&server.address);
    link.follow(668);
    link.lives(&[LinkEvent::Started, LinkEvent::Connected(Transport::Pusher)]);
    let (mut heard, mut inputs) = (Vec::new(), 0);
    while heard.last() != Some(&FRAMES) {
        let input = link.inputs.recv_timeout(PATIENCE).expect("an input");
        inputs += 1;
        let several = if let Input::Several(several) = input { several } else { vec![input] };
        heard.extend(several.iter().map(|input| match input {
            Input::Push(_, Push { what: PushKind::Stop { livestream }, .. }) => livestream.0,
            other => panic!("{other:?}"),
        }));
    }
    assert_eq!(heard, (1..=FRAMES).collect::<Vec<_>>());
    assert!(inputs < FRAMES / 2, "{inputs} inputs");
    link.hang_up();
    assert_eq!(server.join(), Some(1000));
}

#[test]
fn after_each_loss_all_are_followed_again() {
    let (given, go) = channel();
    let server = serve(move |listener| {
        let mut peer = accept_websocket(listener);
        send(&mut peer, GREETING);
        assert_eq!(subscribed(&mut peer), "channel.1");
        reset(peer.into_inner());

        let mut peer = accept_websocket(listener);
        send(&mut peer, GREETING);
        assert_eq!([subscribed(&mut peer), subscribed(&mut peer)], ["channel.1", "channel.2"]);
        close(&mut peer, 4200, "come back");

        // The order arrives while the link waits for the upgrade: the next session must know about it.
        go.recv_timeout(PATIENCE).expect("the order is given");
        let mut peer = accept_websocket(listener);
        send(&mut peer, GREETING);
        assert_eq!(subscribed(&mut peer), "channel.2");
        close_code(&mut peer)
    });
    let link = start_pusher(&server.address);
    link.follow(1);
    link.lives(&[LinkEvent::Started, LinkEvent::Connected(Transport::Pusher), ended(EndKind::Lost)]);
    link.follow(2);
    link.lives(&[LinkEvent::Connected(Transport::Pusher), ended(EndKind::ComeBack)]);
    link.order(Order::Unfollow(vec![ChannelId(1)]));
    given.send(()).expect("the server waits");
    link.lives(&[LinkEvent::Connected(Transport::Pusher)]);
    link.hang_up();
    assert_eq!(server.join(), Some(1000));
}

#[test]
fn an_order_is_carried_out_while_nothing_comes_from_the_server() {
    let (heard, hear) = channel();
    let server = serve(move |listener| {
        let mut peer = accept_websocket(listener);
        send(&mut peer, GREETING);
        heard.send(subscribed(&mut peer)).expect("the test listens");
        heard.send(text(&mut peer)).expect("the test listens");
        close_code(&mut peer)
    });
    let link = start_pusher(&server.address);
    link.lives(&[LinkEvent::Started, LinkEvent::Connected(Transport::Pusher)]);
    link.follow(5);
    assert_eq!(hear.recv_timeout(PATIENCE).as_deref(), Ok("channel.5"));
    // The missing acknowledgement would be noticed after 10 s, and a ping is due after 30 s: the order comes first.
    link.order(Order::Unfollow(vec![ChannelId(5)]));
    let message = hear.recv_timeout(PATIENCE).expect("a message");
    assert!(message.contains("pusher:unsubscribe"), "{message}");
    link.hang_up();
    assert_eq!(server.join(), Some(1000));
}

#[test]
fn a_link_ends_in_whatever_it_waits_for() {
    // While it waits for a server that accepts and stays silent.
    let (accepted, go) = channel();
    let server = serve(move |listener| {
        let mut stream = accept(listener);
        accepted.send(()).expect("the test listens");
        stream.read_to_end(&mut Vec::new()).expect("the client hangs up")
    });
    let link = start_pusher(&server.address);
    link.lives(&[LinkEvent::Started]);
    go.recv_timeout(PATIENCE).expect("the link connects");
    link.hang_up();
    server.join();

    // Between two attempts to reach a server that does not exist.
    let gone = serve(|_| ());
    let nobody = gone.address.clone();
    gone.join();
    let link = start_pusher(&nobody);
    link.lives(&[LinkEvent::Started]);
    link.hang_up();

    // While it waits for room in `inputs`, which is full, so that it cannot even report its start.
    let (no_room, _full) = bounded(0);
    start(&nobody, |link| link.inputs = no_room).hang_up();
}

#[test]
fn a_stop_and_a_wake_end_a_link() {
    let server = serve(|listener| {
        let mut peer = accept_websocket(listener);
        send(&mut peer, GREETING);
        close_code(&mut peer)
    });
    let mut link = start_pusher(&server.address);
    link.lives(&[LinkEvent::Started, LinkEvent::Connected(Transport::Pusher)]);
    drop(link.stop.take());
    // The stop alone does not wake it; any order does.
    link.order(Order::Unfollow(Vec::new()));
    link.ends();
    assert_eq!(server.join(), Some(1000));
}

/// A session that takes any text as the greeting and ends after `patience` of silence.
struct Impatient {
    patience: Duration,
    heard: Steady,
}

impl Session for Impatient {
    fn handle(&mut self, now: Steady, input: SessionInput<'_>, acts: &mut Vec<Act>) {
        match input {
            SessionInput::Tick if now >= self.next_wake() => {
                acts.push(Act::End(End { kind: EndKind::Lost, code: None, reason: "silence".to_owned() }));
            }
            SessionInput::Text(_) => {
                self.heard = now;
                acts.push(Act::Say(LinkEvent::Connected(Transport::Pusher)));
            }
            SessionInput::Opened => self.heard = now,
            _ => {}
        }
    }

    fn next_wake(&self) -> Steady {
        self.heard + self.patience
    }

    fn end_of(&self, code: Option<u16>, reason: &str) -> End {
        End { kind: EndKind::Lost, code, reason: reason.to_owned() }
    }
}

/// A link whose sessions end after `patience` of silence.
fn start_impatient(address: &Address, patience: Duration) -> Running {
    start(address, |link| link.speak = Box::new(move |now, _| Box::new(Impatient { patience, heard: now })))
}

#[test]
fn a_server_that_falls_silent_is_left() {
    let server = serve(|listener| {
        let mut peer = accept_websocket(listener);
        send(&mut peer, "hello");
        let code = close_code(&mut peer);
        drop(peer);
        (code, close_code(&mut accept_websocket(listener)))
    });
    let link = start_impatient(&server.address, Duration::from_millis(300));
    link.lives(&[LinkEvent::Started, LinkEvent::Connected(Transport::Pusher), ended(EndKind::Lost)]);
    assert_eq!(server.join(), (Some(1000), Some(1000)), "it closes, connects anew, and closes again");
    link.hang_up();
}

#[test]
fn an_idle_link_does_not_wake_up() {
    let server = serve(|listener| {
        let mut peer = accept_websocket(listener);
        send(&mut peer, "hello");
        close_code(&mut peer)
    });
    let link = start_impatient(&server.address, PATIENCE);
    link.lives(&[LinkEvent::Started, LinkEvent::Connected(Transport::Pusher)]);
    let before = link.sleeps();
    Stop::never().wait(Duration::from_millis(500));
    assert!(link.sleeps() - before <= 1, "after it has fallen asleep it sleeps on");
    link.hang_up();
    server.join();
}
