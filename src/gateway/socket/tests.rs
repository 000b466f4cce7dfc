//! The socket against a scripted server on 127.0.0.1, with and without TLS.

pub(crate) mod scripted;

use super::{Address, Authorities, ConnectError, Effort, Ended, Frame, Socket, Wake, wake_pair};
use crate::clock::Clock;
use scripted::{
    Authority, PATIENCE, Server, accept, accept_tls, accept_websocket, close, close_code, next_frame, reset, send,
    serve, text,
};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{TryRecvError, channel};
use std::time::Duration;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Bytes, Message};

/// Connects within `limit`, with a wake that is never used.
fn connect_within(address: &Address, ca: Option<&str>, limit: Duration) -> Result<(Socket, Wake), ConnectError> {
    let (_, wake) = wake_pair().expect("an eventfd");
    let effort = Effort { clock: Clock::start(), limit, wake: &wake, given_up: &mut || false };
    let authorities = Authorities::new(ca.map(str::to_owned));
    Socket::connect(address, &authorities, effort).map(|socket| (socket, wake.clone()))
}

fn open<T>(server: &Server<T>) -> (Socket, Wake) {
    connect_within(&server.address, None, PATIENCE).expect("a websocket")
}

/// How the connection ends; frames before that are skipped.
fn end_of(socket: &mut Socket, wake: &Wake) -> Ended {
    loop {
        if let Err(ended) = next_frame(socket, wake) {
            return ended;
        }
    }
}

#[test]
fn text_passes_both_ways_and_pings_are_answered() {
    let server = serve(|listener| {
        let mut peer = accept_websocket(listener);
        send(&mut peer, "hello");
        assert_eq!(text(&mut peer), "hello yourself");
        peer.send(Message::Ping(Bytes::from_static(b"there?"))).expect("the peer reads");
        assert_eq!(peer.read().expect("an answer"), Message::Pong(Bytes::from_static(b"there?")));
        peer.send(Message::binary(vec![0xff; 7])).expect("the peer reads");
        close_code(&mut peer)
    });
    let (mut socket, wake) = open(&server);
    assert_eq!(next_frame(&mut socket, &wake), Ok(Frame::Text("hello".into())));
    socket.send("hello yourself".to_owned());
    assert_eq!(next_frame(&mut socket, &wake), Ok(Frame::Alive), "a ping");
    socket.wait(&wake, Duration::ZERO);
    assert_eq!(next_frame(&mut socket, &wake), Ok(Frame::Alive), "binary data, which says nothing");
    socket.close();
    assert_eq!(server.join(), Some(1000));
}

#[test]
fn who_waits_for_no_answer_says_goodbye_all_the_same() {
    let (gone, is_gone) = channel();
    let server = serve(move |listener| {
        let mut peer = accept_websocket(listener);
        is_gone.recv_timeout(PATIENCE).expect("the client does not wait for us");
        close_code(&mut peer)
    });
    let (socket, _) = open(&server);
    socket.leave();
    gone.send(()).expect("the server waits for it");
    assert_eq!(server.join(), Some(1000));
}

#[test]
fn the_request_names_path_host_and_origin() {
    let server = serve(|listener| {
        let mut stream = accept(listener);
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).expect("a request");
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").expect("the peer reads");
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let address = Address { origin: Some("https://kick.com"), ..server.address.clone() };
    let error = connect_within(&address, None, PATIENCE).map(drop).expect_err("refused");
    assert!(matches!(error, ConnectError::Refused { status: 403, .. }), "{error}");
    let request = server.join();
    assert!(request.starts_with("GET /app/key?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("\r\nHost: 127.0.0.1:{}\r\n", address.port)), "{request}");
    assert!(request.contains("\r\nOrigin: https://kick.com\r\n"), "{request}");
}

#[test]
fn a_close_comes_with_its_code_and_reason() {
    for code in [1000, 1001, 4001, 4100, 4200] {
        let server = serve(move |listener| close(&mut accept_websocket(listener), code, "because"));
        let (mut socket, wake) = open(&server);
        let ended = end_of(&mut socket, &wake);
        assert_eq!(ended, Ended { code: Some(code), reason: "because".to_owned() });
        socket.close();
        server.join();
    }
}

#[test]
fn a_reset_and_a_silent_hang_up_have_no_code() {
    let server = serve(|listener| reset(accept_websocket(listener).into_inner()));
    let (mut socket, wake) = open(&server);
    server.join();
    assert_eq!(end_of(&mut socket, &wake).code, None);

    let server = serve(|listener| drop(accept_websocket(listener)));
    let (mut socket, wake) = open(&server);
    server.join();
    assert_eq!(end_of(&mut socket, &wake), Ended { code: None, reason: "the server hung up".to_owned() });
}

#[test]
fn a_close_code_is_found_although_sending_fails_before_it_is_read() {
    // The failure is that of a pong, and that of a message of our own.
    for own_messages in [0, 3] {
        let (sent, go) = channel();
        let server = serve(move |listener| {
            let mut peer = accept_websocket(listener);
            peer.send(Message::Ping(Bytes::new())).expect("the peer is there");
            let frame = CloseFrame { code: 4200.into(), reason: "come back".into() };
            peer.close(Some(frame)).expect("the peer is there");
            // Data that the client sent and the server did not read turns the end into a reset.
            go.recv_timeout(PATIENCE).expect("the client sends");
        });
        let (mut socket, wake) = open(&server);
        socket.send("never read".to_owned());
        socket.wait(&wake, Duration::ZERO);
        sent.send(()).expect("the server waits");
        server.join();
        for _ in 0..own_messages {
            socket.send("into the void".to_owned());
            socket.wait(&wake, Duration::ZERO);
        }
        let ended = end_of(&mut socket, &wake);
        assert_eq!(ended.code, Some(4200), "after {own_messages} messages: {ended}");
    }
}

#[test]
fn a_message_over_the_limit_ends_the_connection() {
    let server = serve(|listener| {
        let mut peer = accept_websocket(listener);
        send(&mut peer, &"x".repeat(256 * 1024));
        let _ = peer.send(Message::text("y".repeat(300 * 1024)));
        close_code(&mut peer)
    });
    let (mut socket, wake) = open(&server);
    assert!(matches!(next_frame(&mut socket, &wake), Ok(Frame::Text(text)) if text.len() == 256 * 1024));
    let ended = end_of(&mut socket, &wake);
    assert_eq!(ended.reason, "a message of 307200 bytes is over the limit of 262144");
    socket.close();
    assert_eq!(server.join(), Some(1000));
}

#[test]
fn r5_a_byte_that_is_no_text_costs_itself_alone() {
    let server = serve(|listener| {
        let mut peer = accept_websocket(listener);
        // As one frame, and as a message of three frames.
        for (first, payload) in [(0x81, &b"a\xffb"[..]), (0x01, b"c\xff"), (0x00, b"\xfe"), (0x80, b"d")] {
            let length = u8::try_from(payload.len()).expect("a short one");
            peer.get_mut().write_all(&[&[first, length][..], payload].concat()).expect("the peer reads");
        }
        send(&mut peer, "after it");
        close_code(&mut peer)
    });
    let (mut socket, wake) = open(&server);
    for text in ["a\u{fffd}b", "c\u{fffd}\u{fffd}d", "after it"] {
        assert_eq!(next_frame(&mut socket, &wake), Ok(Frame::Text(text.into())));
    }
    socket.close();
    assert_eq!(server.join(), Some(1000));
}

#[test]
fn a_flood_of_empty_frames_leaves_time_for_everything_else() {
    let (over, go) = channel::<()>();
    let server = serve(move |listener| {
        let mut peer = accept_websocket(listener);
        // A message begins and continues without end and without content.
        peer.get_mut().write_all(&[0x01, 0x00]).expect("the peer reads");
        let flood = [0; 64 * 1024];
        while go.try_recv().is_err_and(|e| e == TryRecvError::Empty) && peer.get_mut().write_all(&flood).is_ok() {}
    });
    let (mut socket, wake) = open(&server);
    let clock = Clock::start();
    for _ in 0..10 {
        assert_eq!(socket.read(), Ok(None), "a turn ends");
        socket.wait(&wake, PATIENCE);
    }
    assert!(clock.steady().elapsed() < PATIENCE, "and what was left unread is not waited for");
    drop(over);
    socket.leave();
    server.join();
}

#[test]
fn a_ping_is_answered_although_the_send_buffer_is_full() {
    let (full, go) = channel();
    let server = serve(move |listener| {
        let mut peer = accept_websocket(listener);
        peer.send(Message::Ping(Bytes::from_static(b"there?"))).expect("the peer reads");
        go.recv_timeout(PATIENCE).expect("the client is ready");
        let mut bytes = 0;
        loop {
            match peer.read().expect("a message") {
                Message::Text(text) => bytes += text.len(),
                Message::Pong(_) => return bytes,
                other => panic!("{other:?}"),
            }
        }
    });
    let (mut socket, wake) = open(&server);
    let mut sent = 0;
    while !socket.unsent {
        socket.send("s".repeat(64 * 1024));
        sent += 64 * 1024;
    }
    assert_eq!(next_frame(&mut socket, &wake), Ok(Frame::Alive));
    full.send(()).expect("the server waits");
    assert_eq!(end_of(&mut socket, &wake).reason, "the server hung up");
    assert_eq!(server.join(), sent);
}

#[test]
fn a_server_that_does_not_read_is_given_up_before_memory_is() {
    let (over, go) = channel::<()>();
    let server = serve(move |listener| {
        let _peer = accept_websocket(listener);
        let _ = go.recv_timeout(PATIENCE);
    });
    let (mut socket, wake) = open(&server);
    let ended = loop {
        socket.send("s".repeat(64 * 1024));
        if let Err(ended) = socket.read() {
            break ended;
        }
        socket.wait(&wake, Duration::ZERO);
    };
    assert_eq!(ended.reason, "the server does not read what it is sent");
    socket.close();
    drop(over);
    server.join();
}

#[test]
fn a_wake_ends_the_wait() {
    let server = serve(|listener| close_code(&mut accept_websocket(listener)));
    let (waker, wake) = wake_pair().expect("an eventfd");
    let clock = Clock::start();
    let effort = Effort { clock, limit: PATIENCE, wake: &wake, given_up: &mut || false };
    let mut socket = Socket::connect(&server.address, &Authorities::new(None), effort).expect("a websocket");
    assert_eq!(socket.read(), Ok(None));
    waker.wake();
    socket.wait(&wake, PATIENCE);
    assert!(clock.steady().elapsed() < PATIENCE, "it slept through its wake");
    socket.close();
    server.join();
}

#[test]
fn closing_does_not_wait_for_a_server_that_does_not_answer() {
    let (over, go) = channel::<()>();
    let server = serve(move |listener| {
        let _peer = accept_websocket(listener);
        let _ = go.recv_timeout(PATIENCE);
    });
    let (socket, _) = open(&server);
    let clock = Clock::start();
    socket.close();
    assert!(clock.steady().elapsed() < PATIENCE / 2);
    drop(over);
    server.join();
}

#[test]
fn a_server_that_stays_silent_is_given_up_at_the_limit() {
    for (tls, step) in [(false, "no websocket with 127.0.0.1: timed out"), (true, "no TLS with 127.0.0.1: timed out")] {
        let server = serve(|listener| accept(listener).read_to_end(&mut Vec::new()).expect("the client hangs up"));
        let address = Address { tls, ..server.address.clone() };
        let error = connect_within(&address, None, Duration::from_millis(300)).map(drop).expect_err("silence");
        assert_eq!(error.to_string(), step);
        server.join();
    }
}

#[test]
fn an_attempt_is_given_up_when_it_is_woken_for_that() {
    let server = serve(|listener| accept(listener).read_to_end(&mut Vec::new()).expect("the client hangs up"));
    let (waker, wake) = wake_pair().expect("an eventfd");
    waker.wake();
    let clock = Clock::start();
    let effort = Effort { clock, limit: PATIENCE, wake: &wake, given_up: &mut || true };
    let error = Socket::connect(&server.address, &Authorities::new(None), effort).map(drop).expect_err("given up");
    assert!(matches!(error, ConnectError::GivenUp), "{error}");
    assert!(clock.steady().elapsed() < PATIENCE);
    server.join();
}

#[test]
fn each_step_has_its_own_error() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let closed =
        Address { tls: false, host: "127.0.0.1".to_owned(), port: free, path_and_query: "/".to_owned(), origin: None };
    let error = connect_within(&closed, None, PATIENCE).map(drop).expect_err("nobody listens");
    assert!(matches!(&error, ConnectError::Tcp { port, .. } if *port == free), "{error}");

    let nameless = Address { host: "\0".to_owned(), ..closed };
    let error = connect_within(&nameless, None, PATIENCE).map(drop).expect_err("no name");
    assert!(matches!(error, ConnectError::Name { .. }), "{error}");

    let server = serve(|listener| {
        accept(listener).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("the peer reads");
    });
    let error = connect_within(&server.address, None, PATIENCE).map(drop).expect_err("no upgrade");
    assert!(matches!(error, ConnectError::Refused { status: 200, .. } | ConnectError::Upgrade { .. }), "{error}");
    server.join();
}

#[test]
fn tls_trusts_the_given_authority_and_checks_the_host() {
    let (ours, others) = (Authority::new("ours"), Authority::new("another"));
    // The address in the certificate, the trusted authority, and whether a connection is made.
    let cases = [
        ("127.0.0.1", Some(ours.pem()), true),
        ("127.0.0.1", Some(others.pem() + &ours.pem()), true),
        ("127.0.0.1", Some(others.pem()), false),
        ("127.0.0.1", None, false),
        ("127.0.0.2", Some(ours.pem()), false),
    ];
    for (ip, ca, accepted) in cases {
        let acceptor = ours.acceptor(ip);
        let server = serve(move |listener| accept_tls(listener, &acceptor).map(|mut peer| close_code(&mut peer)));
        let address = Address { tls: true, ..server.address.clone() };
        match connect_within(&address, ca.as_deref(), PATIENCE) {
            Ok((socket, _)) => socket.close(),
            Err(e) => assert!(matches!(e, ConnectError::Tls { .. }), "{e}"),
        }
        assert_eq!(server.join(), accepted.then_some(Some(1000)), "a certificate for {ip}");
    }
}

#[test]
fn what_tls_holds_back_is_read_before_waiting() {
    let authority = Authority::new("ours");
    let acceptor = authority.acceptor("127.0.0.1");
    let server = serve(move |listener| {
        let mut peer = accept_tls(listener, &acceptor).expect("a connection");
        // One TLS record with two frames, the first of which is larger than the client's read buffer.
        peer.write(Message::text("a".repeat(12 * 1024))).expect("room");
        peer.write(Message::text("b")).expect("room");
        peer.flush().expect("the peer reads");
        text(&mut peer)
    });
    let address = Address { tls: true, ..server.address.clone() };
    let (mut socket, wake) = connect_within(&address, Some(&authority.pem()), PATIENCE).expect("a websocket");
    assert_eq!(next_frame(&mut socket, &wake), Ok(Frame::Text("a".repeat(12 * 1024).into())));
    // If the socket were polled now, the wait would never end: its bytes have been read already.
    let clock = Clock::start();
    socket.wait(&wake, PATIENCE);
    assert!(clock.steady().elapsed() < PATIENCE, "it waited for what it had");
    assert_eq!(next_frame(&mut socket, &wake), Ok(Frame::Text("b".into())));
    socket.send("both".to_owned());
    socket.wait(&wake, Duration::ZERO);
    assert_eq!(server.join(), "both");
}
