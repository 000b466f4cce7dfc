//! One accepted connection, plain or TLS, whose every wait has a limit and ends when the simulator
//! does.

use crate::stop::{self, Stop};
use native_tls::{HandshakeError, TlsAcceptor, TlsStream};
use rustix::event::{PollFd, PollFlags};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a client may take over its next bytes, or over taking ours.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection with a client.
pub(crate) enum Stream {
    Plain(Wire),
    Tls(Box<TlsStream<Wire>>),
}

impl Stream {
    /// Takes a connection over, with the TLS handshake if there is TLS.
    pub(crate) fn accept(tcp: TcpStream, stop: Stop, tls: Option<&TlsAcceptor>) -> io::Result<Stream> {
        let wire = Wire::new(tcp, stop)?;
        let Some(tls) = tls else { return Ok(Stream::Plain(wire)) };
        match tls.accept(wire) {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
            Err(HandshakeError::Failure(error)) => Err(io::Error::other(error)),
            Err(HandshakeError::WouldBlock(_)) => Err(ErrorKind::TimedOut.into()),
        }
    }

    /// The TCP connection below.
    pub(crate) fn wire(&mut self) -> &mut Wire {
        match self {
            Stream::Plain(wire) => wire,
            Stream::Tls(tls) => tls.get_mut(),
        }
    }

    /// Ends the connection in order.
    pub(crate) fn close(&mut self) {
        if let Stream::Tls(tls) = self {
            // A client that is already gone needs no farewell.
            let _ = tls.shutdown();
        }
    }

    /// Ends the connection with a TCP reset.
    pub(crate) fn reset(mut self) {
        reset(&self.wire().tcp);
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(wire) => wire.read(buffer),
            Stream::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(wire) => wire.write(bytes),
            Stream::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(wire) => wire.flush(),
            Stream::Tls(tls) => tls.flush(),
        }
    }
}

/// Makes the closing of this socket a reset.
pub(crate) fn reset(tcp: &TcpStream) {
    // A socket that takes no options any more is as good as reset.
    let _ = rustix::net::sockopt::set_socket_linger(tcp, Some(Duration::ZERO));
}

/// A TCP socket that waits for its client, within limits and only while the simulator lives.
pub(crate) struct Wire {
    pub(crate) tcp: TcpStream,
    stop: Stop,
    /// `None`: never waits, and says `WouldBlock` instead.
    patience: Option<Duration>,
}

impl Wire {
    fn new(tcp: TcpStream, stop: Stop) -> io::Result<Wire> {
        tcp.set_nonblocking(true)?;
        tcp.set_nodelay(true)?;
        Ok(Wire { tcp, stop, patience: Some(PATIENCE) })
    }

    /// From now on waits so long at most; `None` not at all.
    pub(crate) fn set_patience(&mut self, patience: Option<Duration>) {
        self.patience = patience;
    }

    /// Waits until the client hangs up, the simulator ends (both true), or `limit` has passed (false).
    pub(crate) fn hung_up(&self, limit: Duration) -> bool {
        let mut fds = [PollFd::new(&self.tcp, PollFlags::RDHUP), PollFd::new(&self.stop, PollFlags::IN)];
        stop::poll(&mut fds, Some(limit));
        fds.iter().any(stop::readable)
    }

    fn retry<T>(&self, flags: PollFlags, mut act: impl FnMut(&TcpStream) -> io::Result<T>) -> io::Result<T> {
        loop {
            let patience = match (act(&self.tcp), self.patience) {
                (Err(error), Some(patience)) if error.kind() == ErrorKind::WouldBlock => patience,
                (done, _) => return done,
            };
            let mut fds = [PollFd::new(&self.tcp, flags), PollFd::new(&self.stop, PollFlags::IN)];
            stop::poll(&mut fds, Some(patience));
            if stop::readable(&fds[1]) {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            if fds[0].revents().is_empty() {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.retry(PollFlags::IN, |mut tcp| tcp.read(buffer))
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.retry(PollFlags::OUT, |mut tcp| tcp.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
