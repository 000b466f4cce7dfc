//! The byte stream below a websocket: TCP, with or without TLS. Never blocks, and limits the bytes per turn: a peer
//! that sends without end must not keep the thread from its other work.

use super::frames::Frames;
use native_tls::TlsStream;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

/// The most bytes read in one turn: about a millisecond, if all of them are empty frames.
const TURN_MAX: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Stream {
    wire: Wire,
    /// The number of bytes that may still be read in this turn.
    left: usize,
    frames: Frames,
}

#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(super) fn plain(tcp: TcpStream) -> Stream {
        Stream::new(Wire::Plain(tcp))
    }

    pub(super) fn tls(tls: TlsStream<TcpStream>) -> Stream {
        Stream::new(Wire::Tls(Box::new(tls)))
    }

    fn new(wire: Wire) -> Stream {
        Stream { wire, left: TURN_MAX, frames: Frames::default() }
    }

    /// Begins a turn, with the full limit of bytes.
    pub(super) fn begin_turn(&mut self) {
        self.left = TURN_MAX;
    }

    /// Returns true if reading ended because of the turn's limit, and not because no more bytes had arrived.
    pub(super) fn turn_is_over(&self) -> bool {
        self.left == 0
    }

    /// Returns true if the next data message that the websocket returns was sent as text.
    pub(super) fn next_is_text(&mut self) -> bool {
        self.frames.next_is_text()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.turn_is_over() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let most = buffer.len().min(self.left);
        let buffer = &mut buffer[..most];
        let length = match &mut self.wire {
            Wire::Plain(stream) => stream.read(buffer),
            Wire::Tls(stream) => stream.read(buffer),
        }?;
        self.left -= length;
        self.frames.pass(&mut buffer[..length]);
        Ok(length)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.wire {
            Wire::Plain(stream) => stream.write(bytes),
            Wire::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.wire {
            Wire::Plain(stream) => stream.flush(),
            Wire::Tls(stream) => stream.flush(),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.wire {
            Wire::Plain(stream) => stream.as_fd(),
            Wire::Tls(stream) => stream.get_ref().as_fd(),
        }
    }
}
