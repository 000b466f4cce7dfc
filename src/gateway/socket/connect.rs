//! From an address to an open websocket: name look-up, TCP, TLS and upgrade, each with its own error, all within one
//! limit. Only the name look-up can block for longer, because the system's resolver takes no limit.
//!
//! Follows no redirects and reads no proxy variables.

use super::authorities::Authorities;
use super::stream::Stream;
use super::wake::Wake;
use crate::clock::Clock;
use crate::domain::Steady;
use crate::domain::text::tls_reason;
use crate::domain::way::{Place, Way};
use crate::wire::request;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use tungstenite::client::{ClientRequestBuilder, client_with_config};
use tungstenite::handshake::HandshakeError;
use tungstenite::http::Uri;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, WebSocket};

/// The kernel drops the connection if the peer has not acknowledged data for this long, or has not answered three
/// probes after this much silence. The session's pings usually notice that earlier; this limit is for a socket whose
/// session no longer checks.
const DEAD_AFTER: Duration = Duration::from_secs(30);
const PROBES: u32 = 3;
const PROBE_EVERY: Duration = Duration::from_secs(10);

/// The address of a websocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Whether the connection uses TLS.
    pub tls: bool,
    /// A name or an IP address, without brackets.
    pub host: String,
    pub port: u16,
    /// The path with its query, beginning with `/`.
    pub path_and_query: String,
    /// The value of the `Origin` header, if it is sent.
    pub origin: Option<&'static str>,
}

impl From<&Way> for Address {
    fn from(way: &Way) -> Address {
        let Place { tls, host, port, .. } = way.place().clone();
        let (path_and_query, origin) = request(way);
        Address { tls, host, port, path_and_query, origin }
    }
}

/// The limit for connecting, and what ends the attempt early.
pub(crate) struct Effort<'a> {
    pub clock: Clock,
    /// The limit for everything from TCP on.
    pub limit: Duration,
    /// Wakes the attempt, which then calls `given_up`.
    pub wake: &'a Wake,
    /// Returns true if the attempt is to be given up.
    pub given_up: &'a mut dyn FnMut() -> bool,
}

/// Why there is no websocket: which step failed. `host` is the wanted host, `reason` describes the failure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The name has no address, or the resolver does not answer.
    #[error("cannot look up {host}: {reason}")]
    Name { host: String, reason: String },
    /// No address of the name accepts the connection.
    #[error("cannot connect to {host} port {port}: {reason}")]
    Tcp { host: String, port: u16, reason: String },
    /// TLS failed: usually the certificate is not trusted, has expired, or belongs to another host.
    #[error("no TLS with {host}: {reason}")]
    Tls { host: String, reason: String },
    /// The server answered the upgrade with another HTTP status.
    #[error("{host} answered the websocket request with HTTP {status}")]
    Refused { host: String, status: u16 },
    /// The upgrade failed in another way.
    #[error("no websocket with {host}: {reason}")]
    Upgrade { host: String, reason: String },
    /// The caller no longer wants the connection.
    #[error("the attempt was given up")]
    GivenUp,
}

/// Connects; the stream in the result is in non-blocking mode.
pub(super) fn connect(
    address: &Address,
    authorities: &Authorities,
    config: WebSocketConfig,
    effort: &mut Effort<'_>,
) -> Result<WebSocket<Stream>, ConnectError> {
    let host = &address.host;
    let name_error = |reason: String| ConnectError::Name { host: host.clone(), reason };
    let found = (host.as_str(), address.port).to_socket_addrs().map_err(|e| name_error(e.to_string()))?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err(name_error("the name has no address".to_owned()));
    }
    let deadline = effort.clock.steady() + effort.limit;
    let tcp = tcp(address, &found, deadline, effort)?;
    let stream =
        if address.tls { Stream::tls(tls(address, authorities, tcp, deadline, effort)?) } else { Stream::plain(tcp) };
    upgrade(address, stream, config, deadline, effort)
}

/// Why a wait ended without its event.
enum Wasted {
    TimedOut,
    GivenUp,
    Failed(io::Error),
}

impl Effort<'_> {
    /// Waits until `socket` is ready for `events`. It may return too early, so the caller must be able to try its
    /// step again.
    fn wait(&mut self, socket: impl AsFd, events: PollFlags, deadline: Steady) -> Result<(), Wasted> {
        let left = self.clock.until(deadline);
        if left.is_zero() {
            return Err(Wasted::TimedOut);
        }
        let woken = self.wake.wait_or(socket.as_fd(), events, left).map_err(Wasted::Failed)?;
        if woken && (self.given_up)() { Err(Wasted::GivenUp) } else { Ok(()) }
    }
}

impl Wasted {
    fn or(self, error: impl FnOnce(String) -> ConnectError) -> ConnectError {
        match self {
            Wasted::TimedOut => error("timed out".to_owned()),
            Wasted::GivenUp => ConnectError::GivenUp,
            Wasted::Failed(e) => error(e.to_string()),
        }
    }
}

/// Tries one address after the other. Each gets an equal share of the remaining time, and one share is reserved for
/// the steps that follow.
fn tcp(
    address: &Address,
    found: &[SocketAddr],
    deadline: Steady,
    effort: &mut Effort<'_>,
) -> Result<TcpStream, ConnectError> {
    // The reasons are reported without the addresses, whose order changes with each look-up: the same failure should
    // have the same text.
    let mut reasons = BTreeSet::new();
    for (tried, socket_address) in found.iter().enumerate() {
        let shares = u32::try_from(found.len() - tried + 1).unwrap_or(u32::MAX);
        let until = effort.clock.steady() + effort.clock.until(deadline) / shares;
        match tcp_to(*socket_address, until, effort) {
            Ok(stream) => return Ok(stream),
            Err(wasted @ Wasted::GivenUp) => return Err(wasted.or(|_| ConnectError::GivenUp)),
            Err(Wasted::TimedOut) => reasons.insert("timed out".to_owned()),
            Err(Wasted::Failed(e)) => reasons.insert(e.to_string()),
        };
    }
    let reason = reasons.into_iter().collect::<Vec<_>>().join(", ");
    Err(ConnectError::Tcp { host: address.host.clone(), port: address.port, reason })
}

fn tcp_to(address: SocketAddr, until: Steady, effort: &mut Effort<'_>) -> Result<TcpStream, Wasted> {
    let failed = |errno: Errno| Wasted::Failed(errno.into());
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None).map_err(failed)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => await_connected(&socket, until, effort)?,
        Err(errno) => return Err(failed(errno)),
    }
    set_options(&socket).map_err(failed)?;
    Ok(TcpStream::from(socket))
}

fn await_connected(socket: &OwnedFd, until: Steady, effort: &mut Effort<'_>) -> Result<(), Wasted> {
    loop {
        effort.wait(socket, PollFlags::OUT, until)?;
        sockopt::socket_error(socket).and_then(|pending| pending).map_err(|errno| Wasted::Failed(errno.into()))?;
        // Without an error the socket may still be connecting; it has no peer then.
        if rustix::net::getpeername(socket).is_ok() {
            return Ok(());
        }
    }
}

fn set_options(socket: &OwnedFd) -> Result<(), Errno> {
    // Frames are small and must not be delayed.
    sockopt::set_tcp_nodelay(socket, true)?;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, DEAD_AFTER)?;
    sockopt::set_tcp_keepintvl(socket, PROBE_EVERY)?;
    sockopt::set_tcp_keepcnt(socket, PROBES)?;
    sockopt::set_tcp_user_timeout(socket, u32::try_from(DEAD_AFTER.as_millis()).unwrap_or(u32::MAX))
}

fn tls(
    address: &Address,
    authorities: &Authorities,
    tcp: TcpStream,
    deadline: Steady,
    effort: &mut Effort<'_>,
) -> Result<native_tls::TlsStream<TcpStream>, ConnectError> {
    let tls_error = |reason: String| ConnectError::Tls { host: address.host.clone(), reason: tls_reason(&reason) };
    let connector = authorities.connector().map_err(|e| tls_error(e.to_string()))?;
    let mut step = connector.connect(&address.host, tcp);
    loop {
        match step {
            Ok(stream) => return Ok(stream),
            Err(native_tls::HandshakeError::Failure(e)) => return Err(tls_error(e.to_string())),
            Err(native_tls::HandshakeError::WouldBlock(unfinished)) => {
                // The data of a handshake fits into an empty send buffer, so the handshake only waits to read.
                effort.wait(unfinished.get_ref(), PollFlags::IN, deadline).map_err(|w| w.or(tls_error))?;
                step = unfinished.handshake();
            }
        }
    }
}

fn upgrade(
    address: &Address,
    stream: Stream,
    config: WebSocketConfig,
    deadline: Steady,
    effort: &mut Effort<'_>,
) -> Result<WebSocket<Stream>, ConnectError> {
    let host = &address.host;
    let upgrade_error = |reason: String| ConnectError::Upgrade { host: host.clone(), reason };
    let uri: Uri = uri(address).parse().map_err(|_| upgrade_error("the address is not a URL".to_owned()))?;
    let mut request = ClientRequestBuilder::new(uri);
    if let Some(origin) = address.origin {
        request = request.with_header("Origin", origin);
    }
    let mut step = client_with_config(request, stream, Some(config));
    loop {
        match step {
            Ok((websocket, _)) => return Ok(websocket),
            Err(HandshakeError::Failure(Error::Http(answer))) => {
                return Err(ConnectError::Refused { host: host.clone(), status: answer.status().as_u16() });
            }
            Err(HandshakeError::Failure(e)) => return Err(upgrade_error(e.to_string())),
            Err(HandshakeError::Interrupted(unfinished)) => {
                let stream = unfinished.get_ref().get_ref();
                effort.wait(stream, PollFlags::IN, deadline).map_err(|w| w.or(upgrade_error))?;
                step = unfinished.handshake();
            }
        }
    }
}

/// The URL. It has the port only if it is not the scheme's default, because it becomes the `Host` header.
fn uri(address: &Address) -> String {
    let (scheme, own_port) = if address.tls { ("wss", 443) } else { ("ws", 80) };
    let mut uri = match address.host.contains(':') {
        true => format!("{scheme}://[{}]", address.host),
        false => format!("{scheme}://{}", address.host),
    };
    if address.port != own_port {
        let _ = write!(uri, ":{}", address.port);
    }
    uri + &address.path_and_query
}
