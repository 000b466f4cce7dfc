//! A small HTTP server on the loopback interface with scripted answers, for the tests of the gateway and of the
//! workers above it. It serves one request per connection and ends when dropped.

use crossbeam_channel::{Receiver, Sender, unbounded};
use native_tls::TlsAcceptor;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How long the tests wait for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The server's answer to a request.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// This text, then the connection is closed.
    Raw(String),
    /// This text, then single bytes at intervals, without end.
    Drip(String),
    /// No answer, and the connection stays open.
    Silence,
}

/// A complete response.
pub(crate) fn response(status: u16, headers: &str, body: &str) -> Script {
    let length = body.len();
    Script::Raw(format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"))
}

/// A response with status 200 and a JSON body.
pub(crate) fn json(body: &str) -> Script {
    response(200, "Content-Type: application/json\r\n", body)
}

impl Script {
    /// The status of a complete response.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Script::Raw(text) => text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a response"),
            _ => panic!("not a response"),
        }
    }
}

pub(crate) struct Server {
    /// `http://127.0.0.1:PORT` or `https://…`
    pub(crate) base: String,
    address: SocketAddr,
    requests: Receiver<String>,
    ended: Arc<AtomicBool>,
    listening: Option<thread::JoinHandle<()>>,
}

type Respond = dyn Fn(&str) -> Script + Send + Sync;

impl Server {
    /// Starts the server. `respond` gets each request, with head and body.
    pub(crate) fn start(respond: impl Fn(&str) -> Script + Send + Sync + 'static) -> Server {
        Server::listen(None, Arc::new(respond))
    }

    /// The same with TLS.
    pub(crate) fn start_tls(acceptor: TlsAcceptor, respond: impl Fn(&str) -> Script + Send + Sync + 'static) -> Server {
        Server::listen(Some(acceptor), Arc::new(respond))
    }

    fn listen(acceptor: Option<TlsAcceptor>, respond: Arc<Respond>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let (heard, requests) = unbounded();
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let listening = spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (acceptor, respond, heard, end) =
                    (acceptor.clone(), Arc::clone(&respond), heard.clone(), Arc::clone(&end));
                spawn(move || match acceptor {
                    None => serve(stream, &*respond, &heard, &end),
                    // A client that does not trust the certificate hangs up during the handshake.
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream) {
                            serve(stream, &*respond, &heard, &end);
                        }
                    }
                });
            }
        });
        Server { base: format!("{scheme}://{address}"), address, requests, ended, listening: Some(listening) }
    }

    /// The next request that arrived.
    pub(crate) fn heard(&self) -> String {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }

    /// Returns true if no further request has arrived so far.
    pub(crate) fn heard_no_more(&self) -> bool {
        self.requests.is_empty()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the listener; the port is closed once it has ended.
        let _ = TcpStream::connect(self.address);
        let _ = self.listening.take().map(thread::JoinHandle::join);
    }
}

/// Starts a thread of a test.
#[expect(clippy::disallowed_methods, reason = "tests have no supervisor")]
pub(crate) fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::spawn(body)
}

#[expect(clippy::disallowed_methods, reason = "a slow server is slow by sleeping")]
fn serve(mut stream: impl Read + Write, respond: &Respond, heard: &Sender<String>, ended: &AtomicBool) {
    let Some(request) = request(&mut stream) else { return };
    let script = respond(&request);
    // There is no receiver if the test does not check requests.
    let _ = heard.send(request);
    match script {
        // A client may hang up before it has read everything.
        Script::Raw(text) => drop(stream.write_all(text.as_bytes()).and_then(|()| stream.flush())),
        Script::Drip(text) => {
            let mut sent = stream.write_all(text.as_bytes());
            while sent.is_ok() && !ended.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
                sent = stream.write_all(b" ");
            }
        }
        // Reads until the client gives up.
        Script::Silence => drop(stream.read(&mut [0])),
    }
}

/// A request with its body; `None` if the client hangs up before its end.
fn request(stream: &mut impl Read) -> Option<String> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        match stream.read(&mut chunk) {
            Ok(length) if length > 0 => request.extend_from_slice(&chunk[..length]),
            _ => return None,
        }
    }
}
