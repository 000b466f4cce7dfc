//! One websocket over TCP or TLS. The thread that owns it waits without polling and can be woken for other work.
//!
//! It knows frames and their limits, but not what a protocol says in them. After `connect` it blocks only in `wait`
//! and, for a short time, in `close`.

mod authorities;
mod connect;
mod frames;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod wake;

pub(crate) use authorities::Authorities;
pub(crate) use connect::{Address, ConnectError, Effort};
pub(crate) use wake::{Trace, Wake, WakesWhenDropped, wake_pair};

use crate::clock::Clock;
use rustix::event::{PollFd, PollFlags};
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::time::Duration;
use stream::Stream;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode};
use tungstenite::{Bytes, Error, Message, Utf8Bytes, WebSocket};

/// The largest message and the largest frame that are accepted. A Kick event takes a few KiB (docs/kick.md §2.5).
const MESSAGE_MAX: usize = 256 * 1024;
/// The size of the read buffer; it grows for a large frame.
const READ_BUFFER: usize = 4 * 1024;
/// The number of bytes that are collected before they are written to the socket.
const WRITE_BUFFER: usize = 2 * 1024;
/// The most bytes that may wait to be sent: the subscriptions of some 40,000 streamers. A server that lets them grow
/// to this does not read.
const WRITE_BUFFER_MAX: usize = 4 * 1024 * 1024;
/// How long the server may take to answer the closing handshake.
const CLOSING_MOST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Socket {
    websocket: WebSocket<Stream>,
    /// Measures the limit of the closing handshake.
    clock: Clock,
    /// Whether everything that had arrived was read. TLS and the websocket then buffer no bytes, so `poll` on the
    /// socket is reliable.
    drained: bool,
    /// Whether there are bytes that could not be sent yet.
    unsent: bool,
    /// The first failure. If it occurred while sending, messages that the server sent before may still be waiting to
    /// be read.
    broken: Option<Ended>,
}

/// A frame that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A text message; bytes that are not valid UTF-8 are replaced by U+FFFD.
    Text(Utf8Bytes),
    /// A ping (which is answered by itself), a pong, or binary data: the peer is alive.
    Alive,
}

/// Why the connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection ended: {reason}")]
pub(crate) struct Ended {
    /// The close code, if the server sent one.
    pub code: Option<u16>,
    /// The server's reason, or ours. Text from outside is not escaped.
    pub reason: String,
}

impl Socket {
    /// Opens a websocket to a server whose certificate `authorities` can verify.
    pub(crate) fn connect(
        address: &Address,
        authorities: &Authorities,
        mut effort: Effort<'_>,
    ) -> Result<Socket, ConnectError> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_MAX))
            .max_frame_size(Some(MESSAGE_MAX))
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_write_buffer_size(WRITE_BUFFER_MAX);
        let websocket = connect::connect(address, authorities, config, &mut effort)?;
        Ok(Socket { websocket, clock: effort.clock, drained: false, unsent: false, broken: None })
    }

    /// Sends what is queued, then waits until something can be read, `wake` is woken, or `limit` has passed. Returns
    /// at once until `read` has returned `None`.
    pub(crate) fn wait(&mut self, wake: &Wake, limit: Duration) {
        self.flush();
        self.websocket.get_mut().begin_turn();
        let limit = if self.drained && self.broken.is_none() { limit } else { Duration::ZERO };
        if let Err(e) = wake.wait_or(self.websocket.get_ref().as_fd(), self.interest(), limit) {
            self.breaks(format!("failed to wait for the socket: {e}"));
        }
    }

    /// The next frame. `None` if no complete frame has arrived, or if this turn's limit of bytes is reached.
    pub(crate) fn read(&mut self) -> Result<Option<Frame>, Ended> {
        self.drained = false;
        let mut again = true;
        loop {
            match self.websocket.read() {
                Ok(Message::Text(text)) => return Ok(Some(Frame::Text(text))),
                Ok(Message::Binary(bytes)) if self.websocket.get_mut().next_is_text() => {
                    return Ok(Some(Frame::Text(text_of(bytes))));
                }
                Ok(Message::Close(frame)) => return Err(closed(frame)),
                Ok(_) => return Ok(Some(Frame::Alive)),
                Err(e) if would_block(&e) => {
                    self.drained = !self.websocket.get_ref().turn_is_over();
                    return self.broken.clone().map_or(Ok(None), Err);
                }
                // Reading also sends pongs. A failure to send one must not hide a close frame that follows the ping.
                Err(Error::Io(e)) if again => {
                    again = false;
                    self.breaks(e.to_string());
                }
                // The websocket must not be read after this, because it no longer knows where a frame begins.
                Err(e) => return Err(self.broken.get_or_insert_with(|| ended(&e)).clone()),
            }
        }
    }

    /// Queues a text message, which the next `wait` sends. `read` returns the failure, if there is one.
    pub(crate) fn send(&mut self, text: String) {
        let written = self.websocket.write(Message::text(text));
        self.note(written);
    }

    /// Closes with code 1000 and waits up to a second for the server's close frame. If the server has closed already,
    /// this only answers.
    pub(crate) fn close(self) {
        self.close_within(CLOSING_MOST);
    }

    /// Closes with code 1000 without waiting, for a server that is, or may be, gone.
    pub(crate) fn leave(self) {
        self.close_within(Duration::ZERO);
    }

    fn close_within(mut self, limit: Duration) {
        let deadline = self.clock.steady() + limit;
        let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::from_static("") };
        let written = self.websocket.close(Some(frame));
        self.note(written);
        while self.websocket.can_read() && self.broken.is_none() {
            match self.read() {
                Ok(Some(_)) => {}
                Ok(None) => {
                    let left = self.clock.until(deadline);
                    let mut fds = [PollFd::new(self.websocket.get_ref(), self.interest())];
                    if left.is_zero() || wake::poll_all(&mut fds, left).is_err() {
                        return;
                    }
                    self.flush();
                    self.websocket.get_mut().begin_turn();
                }
                Err(_) => return,
            }
            if self.clock.until(deadline).is_zero() {
                return;
            }
        }
    }

    /// Sends what is queued, as far as the socket accepts it.
    fn flush(&mut self) {
        if self.broken.is_none() {
            let flushed = self.websocket.flush();
            self.note(flushed);
        }
    }

    /// Notes the result of an attempt to send.
    fn note(&mut self, sent: Result<(), Error>) {
        match sent {
            Ok(()) => self.unsent = false,
            Err(e) if would_block(&e) => self.unsent = true,
            Err(Error::WriteBufferFull(_)) => self.breaks("the server does not read what it is sent".to_owned()),
            Err(e) => self.breaks(ended(&e).reason),
        }
    }

    fn breaks(&mut self, reason: String) {
        self.broken.get_or_insert(Ended { code: None, reason });
        self.drained = false;
    }

    fn interest(&self) -> PollFlags {
        if self.unsent { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN }
    }
}

fn text_of(bytes: Bytes) -> Utf8Bytes {
    Utf8Bytes::try_from(bytes.clone()).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).as_ref().into())
}

fn would_block(error: &Error) -> bool {
    matches!(error, Error::Io(e) if e.kind() == ErrorKind::WouldBlock)
}

fn closed(frame: Option<CloseFrame>) -> Ended {
    match frame {
        Some(frame) => Ended { code: Some(frame.code.into()), reason: frame.reason.as_str().to_owned() },
        None => Ended { code: None, reason: "the server closed without a code".to_owned() },
    }
}

fn ended(error: &Error) -> Ended {
    let reason = match error {
        Error::Io(e) => e.to_string(),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => "the server hung up".to_owned(),
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            format!("a message of {size} bytes is over the limit of {max_size}")
        }
        other => other.to_string(),
    };
    Ended { code: None, reason }
}
