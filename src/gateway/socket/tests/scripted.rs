//! For tests: a websocket server on 127.0.0.1 that runs a closure, and certificates made for the test. Nothing here
//! waits longer than `PATIENCE`.

use super::{Address, Ended, Frame, Socket, Wake};
use crate::gateway::socket::wake::poll_all;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod, SslStream};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name, X509NameBuilder};
use rustix::event::{PollFd, PollFlags};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;
use tungstenite::protocol::{CloseFrame, Message, WebSocket};

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server in its own thread.
pub(crate) struct Server<T> {
    pub(crate) address: Address,
    thread: JoinHandle<T>,
}

/// Runs `script` with a listener on a free port.
pub(crate) fn serve<T: Send + 'static>(script: impl FnOnce(&TcpListener) -> T + Send + 'static) -> Server<T> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let thread = std::thread::Builder::new().spawn(move || script(&listener)).expect("a thread");
    let address = Address {
        tls: false,
        host: "127.0.0.1".to_owned(),
        port,
        path_and_query: "/app/key?x=1".to_owned(),
        origin: None,
    };
    Server { address, thread }
}

impl<T> Server<T> {
    /// Waits for the script and returns its result.
    pub(crate) fn join(self) -> T {
        self.thread.join().expect("the script ran to its end")
    }
}

/// Accepts the next connection, with time-outs for all operations.
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    let mut ready = [PollFd::new(listener, PollFlags::IN)];
    poll_all(&mut ready, PATIENCE).expect("poll");
    assert!(!ready[0].revents().is_empty(), "nobody connected");
    let (stream, _) = listener.accept().expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    stream.set_write_timeout(Some(PATIENCE)).expect("an option");
    // Data must be sent before the next line of the script, which may be a reset.
    stream.set_nodelay(true).expect("an option");
    stream
}

/// Accepts the next connection and its upgrade.
pub(crate) fn accept_websocket(listener: &TcpListener) -> WebSocket<TcpStream> {
    tungstenite::accept(accept(listener)).expect("an upgrade")
}

/// Sends a text message.
pub(crate) fn send<S: Read + Write>(websocket: &mut WebSocket<S>, text: &str) {
    websocket.send(Message::text(text)).expect("the peer reads");
}

/// The next text message; pings and pongs are skipped.
pub(crate) fn text<S: Read + Write>(websocket: &mut WebSocket<S>) -> String {
    loop {
        match websocket.read().expect("a message") {
            Message::Text(text) => return text.as_str().to_owned(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?} instead of text"),
        }
    }
}

/// Reads until the peer closes. Returns the code of its close frame, or `None` if there was no close frame.
pub(crate) fn close_code<S: Read + Write>(websocket: &mut WebSocket<S>) -> Option<u16> {
    loop {
        match websocket.read() {
            Ok(Message::Close(frame)) => {
                // Sends the reply.
                let _ = websocket.flush();
                return frame.map(|frame| frame.code.into());
            }
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

/// Closes with this code and reason, and waits for the peer to hang up.
pub(crate) fn close<S: Read + Write>(websocket: &mut WebSocket<S>, code: u16, reason: &'static str) {
    websocket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).expect("the peer is there");
    while websocket.read().is_ok() {}
}

/// Ends the connection with a reset.
pub(crate) fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("an option");
    drop(stream);
}

/// Waits for the next frame.
pub(crate) fn next_frame(socket: &mut Socket, wake: &Wake) -> Result<Frame, Ended> {
    loop {
        if let Some(frame) = socket.read()? {
            return Ok(frame);
        }
        socket.wait(wake, PATIENCE);
    }
}

/// A certificate authority for tests.
pub(crate) struct Authority {
    key: PKey<Private>,
    certificate: X509,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let key = new_key().expect("a key");
        let certificate = certificate(name, &key, None, None).expect("a certificate");
        Authority { key, certificate }
    }

    /// Its certificate, in the form of `TLS_CA_FILE`.
    pub(crate) fn pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().expect("PEM")).expect("PEM is ASCII")
    }

    /// The server's side of TLS, with a certificate for the IP address `ip`.
    pub(crate) fn acceptor(&self, ip: &str) -> SslAcceptor {
        let key = new_key().expect("a key");
        let leaf = certificate("test server", &key, Some(self), Some(ip)).expect("a certificate");
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).expect("an acceptor");
        acceptor.set_private_key(&key).expect("the key");
        acceptor.set_certificate(&leaf).expect("the certificate");
        acceptor.build()
    }
}

/// Accepts the next connection with TLS and its upgrade; `None` if the client rejects the certificate.
pub(crate) fn accept_tls(listener: &TcpListener, acceptor: &SslAcceptor) -> Option<WebSocket<SslStream<TcpStream>>> {
    let stream = acceptor.accept(accept(listener)).ok()?;
    tungstenite::accept(stream).ok()
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

fn certificate(
    name: &str,
    key: &PKey<Private>,
    signer: Option<&Authority>,
    ip: Option<&str>,
) -> Result<X509, ErrorStack> {
    let name = common_name(name)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let serial = BigNum::from_u32(if signer.is_some() { 2 } else { 1 })?.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(signer.map_or(&*name, |signer| signer.certificate.subject_name()))?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(2)?)?;
    builder.set_pubkey(key)?;
    match ip {
        Some(ip) => {
            let context = builder.x509v3_context(signer.map(|signer| &*signer.certificate), None);
            let names = SubjectAlternativeName::new().ip(ip).build(&context)?;
            builder.append_extension(names)?;
        }
        None => builder.append_extension(BasicConstraints::new().critical().ca().build()?)?,
    }
    builder.sign(signer.map_or(key, |signer| &signer.key), MessageDigest::sha256())?;
    Ok(builder.build())
}

fn common_name(name: &str) -> Result<X509Name, ErrorStack> {
    let mut builder = X509NameBuilder::new()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, name)?;
    Ok(builder.build())
}
