//! The server on real sockets: what each request gets, and what a flood can do. Time is the tests' own.

use super::{CONNECTIONS_MAX, Judge, Server};
use crate::config::{Listen, WebhookConfig};
use crate::domain::Steady;
use crate::domain::webhook::Refusal;
use crate::gateway::state::tests::Scratch;
use crate::wire::webhook::Request;
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const KICK: &str = "Kick-Event-Message-Timestamp: 2026-11-30T09:00:00Z\r\nKick-Event-Signature: c2ln\r\n\
                    Kick-Event-Type: livestream.status.updated\r\n";

/// Takes what has the message id `good`.
#[derive(Default)]
struct Desk {
    taken: usize,
    refused: Vec<(Refusal, String)>,
}

impl Judge for Desk {
    fn judge(&mut self, request: &Request, _from: &str) -> Result<(), Refusal> {
        match request.message.as_str() {
            "good" => {
                self.taken += 1;
                Ok(())
            }
            _ => Err(Refusal::Signature),
        }
    }

    fn refused(&mut self, refusal: Refusal, from: &str) {
        self.refused.push((refusal, from.to_owned()));
    }
}

struct Stage {
    server: Server,
    desk: Desk,
    now: Cell<Steady>,
    port: u16,
}

impl Stage {
    fn new() -> Stage {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let server = Server::open(&WebhookConfig { listen: Listen::Tcp(address), path: "/kick".to_owned() });
        let (server, desk) = (server.expect("it listens"), Desk::default());
        Stage { server, desk, now: Cell::new(Steady::after(Duration::from_secs(100))), port: address.port() }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
        stream
    }

    /// Serves until nothing has come for a moment.
    fn serve(&mut self) {
        for _ in 0..200 {
            let before = (self.desk.taken, self.desk.refused.len(), self.server.connections.len());
            self.server.turn(|| self.now.get(), Duration::from_millis(20), &mut self.desk).expect("served");
            let ready = self.server.wait(self.now.get(), Duration::from_millis(20)).expect("polled");
            let after = (self.desk.taken, self.desk.refused.len(), self.server.connections.len());
            if before == after && !ready.contains(&true) {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    fn pass(&mut self, seconds: u64) {
        self.now.set(self.now.get() + Duration::from_secs(seconds));
        self.serve();
    }

    /// What a new connection gets for these bytes, up to the end of the connection if it is closed.
    fn answer(&mut self, bytes: &[u8]) -> String {
        let mut client = self.connect();
        client.write_all(bytes).expect("sent");
        self.serve();
        read(&mut client)
    }
}

/// What has been sent by now.
fn read(client: &mut TcpStream) -> String {
    client.set_nonblocking(true).expect("set");
    let mut text = Vec::new();
    // It ends with the connection, or where more would have to be waited for.
    let _ = client.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn request(message: &str, more: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /kick HTTP/1.1\r\nHost: k\r\nKick-Event-Message-Id: {message}\r\n{KICK}{more}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[test]
fn each_request_gets_its_status_and_never_more_than_a_line() {
    let mut stage = Stage::new();
    for (bytes, status, allow) in [
        (request("good", "", "{}"), "200 OK", false),
        (request("bad", "", "{}"), "401 Unauthorized", false),
        (b"GET /kick HTTP/1.1\r\n\r\n".to_vec(), "405 Method Not Allowed", true),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "404 Not Found", false),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), "400 Bad Request", false),
        (b"\x16\x03\x01\x02\x00".to_vec(), "400 Bad Request", false),
        (b"POST /kick HTTP/1.1\r\nContent-Length: 65537\r\n\r\n".to_vec(), "413 Content Too Large", false),
        ([request("bad", "", ""), vec![b'x'; 1 << 20]].concat(), "401 Unauthorized", false),
    ] {
        let answer = stage.answer(&bytes);
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert_eq!(head.contains("\r\nAllow: POST"), allow, "{answer}");
        assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{answer}");
        assert!(body.is_empty() || body.ends_with('\n') && body.lines().count() == 1, "{answer}");
        assert_eq!(head.contains("Connection: close"), !status.starts_with("200"), "{answer}");
    }
    assert_eq!((stage.desk.taken, stage.desk.refused.len()), (1, 7));
    assert!(stage.desk.refused.iter().all(|(_, from)| from == "127.0.0.1"));
}

#[test]
fn a_kept_connection_brings_one_request_after_another_even_all_at_once() {
    let mut stage = Stage::new();
    let answers = stage.answer(&request("good", "", "{}").repeat(500));
    assert_eq!((answers.matches("200 OK").count(), stage.desk.taken), (500, 500));
    let answers = stage.answer(&request("good", "Connection: close\r\n", "").repeat(2));
    assert_eq!(answers.matches("200 OK").count(), 1, "nothing follows the last");
    let mut client = stage.connect();
    client
        .write_all(&[request("good", "", ""), request("bad", "", ""), request("good", "", "")].concat())
        .expect("sent");
    stage.serve();
    let answers = read(&mut client);
    assert_eq!((answers.matches("200 OK").count(), answers.matches("401").count()), (1, 1), "{answers}");
}

#[test]
fn the_body_is_asked_for_where_the_client_waits_for_that() {
    let mut stage = Stage::new();
    let whole = request("good", "Expect: 100-continue\r\n", "{}");
    let (head, body) = whole.split_at(whole.len() - 2);
    let mut client = stage.connect();
    client.write_all(head).expect("sent");
    stage.serve();
    assert_eq!(read(&mut client), "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(body).expect("sent");
    stage.serve();
    assert!(read(&mut client).starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn a_request_has_ten_seconds_and_an_idle_connection_is_closed_without_a_word() {
    let mut stage = Stage::new();
    let (mut half, mut idle, mut kept) = (stage.connect(), stage.connect(), stage.connect());
    half.write_all(b"POST /kick HT").expect("sent");
    stage.serve();
    stage.pass(9);
    kept.write_all(&request("good", "", "")).expect("sent");
    half.write_all(b"TP/1.1\r\n").expect("sent");
    stage.serve();
    stage.pass(1);
    assert!(read(&mut half).starts_with("HTTP/1.1 408 Request Timeout\r\n"), "a byte now and then is not enough");
    assert_eq!(read(&mut idle), "");
    assert!(read(&mut kept).starts_with("HTTP/1.1 200"));
    kept.write_all(&request("good", "", "")).expect("sent");
    stage.serve();
    assert!(read(&mut kept).starts_with("HTTP/1.1 200"));
    assert_eq!((stage.desk.taken, stage.desk.refused.len()), (2, 1));
    stage.pass(3);
    assert_eq!(stage.server.connections.len(), 1, "a refused client that does not hang up is closed");
    stage.pass(10);
    assert_eq!(stage.server.connections.len(), 0);
}

#[test]
fn a_flood_of_connections_takes_no_more_than_its_share_and_shuts_nobody_out() {
    let mut stage = Stage::new();
    let mut flood = Vec::new();
    // In all well below 1,024, which is what a process may open by default.
    for _ in 0..8 {
        flood.extend((0..50).map(|_| stage.connect()));
        flood.last_mut().expect("a connection").write_all(b"POST /ki").expect("sent");
        stage.serve();
        assert!(stage.server.connections.len() <= CONNECTIONS_MAX);
    }
    assert!(stage.answer(&request("good", "", "{}")).starts_with("HTTP/1.1 200 OK"));
    let first = read(flood.get_mut(49).expect("a connection"));
    assert!(first.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{first}");
}

#[test]
fn a_client_that_reads_no_answer_is_not_waited_for() {
    let scratch = Scratch::new();
    let path = scratch.0.join("webhook.sock");
    let config = WebhookConfig { listen: Listen::Unix(path.clone()), path: "/kick".to_owned() };
    let (mut server, mut desk) = (Server::open(&config).expect("it listens"), Desk::default());
    let mut turn = || server.turn(Steady::default, Duration::ZERO, &mut desk).map(|()| server.connections.len());
    let mut client = UnixStream::connect(&path).expect("connected");
    client.set_nonblocking(true).expect("set");
    assert_eq!(turn().expect("served"), 1);
    let requests = request("good", "", "").repeat(10);
    // The system keeps some answers that nobody reads, and then no more.
    while turn().expect("served") == 1 {
        let _ = client.write(&requests);
    }
    assert!(desk.taken > 10);
}

#[test]
fn a_unix_socket_can_be_reached_by_anybody_and_one_that_was_left_is_replaced() {
    let scratch = Scratch::new();
    let path = scratch.0.join("webhook.sock");
    let config = WebhookConfig { listen: Listen::Unix(path.clone()), path: "/kick".to_owned() };
    let mut server = Server::open(&config).expect("it listens");
    let mode = std::fs::metadata(&path).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    assert!(Server::open(&config).is_err(), "somebody listens there");
    let mut client = UnixStream::connect(&path).expect("connected");
    client.write_all(&request("good", "", "{}")).expect("sent");
    let mut desk = Desk::default();
    let now = || Steady::after(Duration::from_secs(1));
    while desk.taken == 0 {
        server.turn(now, Duration::from_secs(1), &mut desk).expect("served");
    }
    drop(server);
    assert!(!path.exists(), "it is removed at the end");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("one that is left"));
    assert!(path.exists() && Server::open(&config).is_ok());
    std::fs::write(&path, "no socket").expect("written");
    assert!(Server::open(&config).is_err() && path.exists(), "what is no socket is left alone");
}
