//! One push connection's thread, from the open websocket to its end. It alone reads and writes the
//! socket; it waits for the client, its outbox, a timer and the stop, all at once.

use super::Transport;
use super::centrifugo::Centrifugo;
use super::outbox::{End, Out, Outbox};
use super::pusher::{self, Pusher};
use crate::clock;
use crate::fault::Fault;
use crate::http::Request;
use crate::server::Shared;
use crate::stop;
use crate::stream::Stream;
use rustix::event::{PollFd, PollFlags};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, Utf8Bytes, WebSocket};

/// How long a client may take to answer a close frame.
const FAREWELL: Duration = Duration::from_secs(2);
/// Frames that a client may still send after ours, before it is hung up on.
const FAREWELL_FRAMES: usize = 10_000;

/// What a transport makes of a conversation; the connection does the rest.
pub(super) trait Speaker {
    /// So many texts that are due together go in one frame, a line each.
    const BUNDLE: usize;

    /// Takes what the client sent.
    fn hear(&mut self, message: &Message);

    /// Adds what is due now, and says when to come back at the latest, or how to end.
    fn turn(&mut self, now: Instant, unsent: &mut VecDeque<Out>) -> ControlFlow<End, Option<Instant>>;
}

/// Serves a client whose handshake was just answered, until either side ends it.
pub(crate) fn converse(shared: &Shared, transport: Transport, stream: Stream, request: &Request) -> io::Result<()> {
    let config = WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .max_message_size(Some(64 * 1024))
        .max_frame_size(Some(64 * 1024));
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
    let entry = {
        // Under the world's lock, so that a key that is retired meanwhile leaves nobody connected.
        let world = shared.world();
        let refusal = match transport {
            Transport::Pusher => pusher::refusal(request, world.realtime.key_in_force()),
            Transport::Centrifugo => None,
        };
        refusal.map_or_else(|| shared.push.enter(transport).map(Ok), |refusal| Ok(Err(refusal)))
    };
    let (id, outbox) = match entry? {
        Ok(entered) => entered,
        Err((code, reason)) => {
            close(&mut socket, code, reason);
            return Ok(());
        }
    };
    socket.get_mut().wire().set_patience(None);
    match transport {
        Transport::Pusher => {
            let speaker = Pusher::new(shared, id, Arc::clone(&outbox));
            Connection::new(shared, transport, speaker, socket, outbox).run(id);
        }
        Transport::Centrifugo => {
            let speaker = Centrifugo::new(shared, id, Arc::clone(&outbox));
            Connection::new(shared, transport, speaker, socket, outbox).run(id);
        }
    }
    Ok(())
}

struct Connection<'a, S> {
    shared: &'a Shared,
    transport: Transport,
    speaker: S,
    socket: WebSocket<Stream>,
    outbox: Arc<Outbox>,
    /// Taken from the outbox and not yet given to the socket.
    unsent: VecDeque<Out>,
    /// The client does not take our bytes at the moment.
    blocked: bool,
    client_code: Option<u16>,
}

impl<'a, S: Speaker> Connection<'a, S> {
    fn new(
        shared: &'a Shared,
        transport: Transport,
        speaker: S,
        socket: WebSocket<Stream>,
        outbox: Arc<Outbox>,
    ) -> Connection<'a, S> {
        let unsent = VecDeque::new();
        Connection { shared, transport, speaker, socket, outbox, unsent, blocked: false, client_code: None }
    }

    fn run(mut self, id: u64) {
        let last = loop {
            if self.shared.faults.lasting(self.transport.face()) == Some(Fault::Stall) {
                if self.wait(PollFlags::RDHUP, None) {
                    break End::Drop;
                }
                // Nobody sends now, so the outbox keeps what it has; only its bell is to be silent.
                self.outbox.hush();
                continue;
            }
            let next_due = match self.turn() {
                Continue(next_due) => next_due,
                Break(last) => break last,
            };
            let flags = if self.blocked { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            if self.wait(flags, next_due) {
                break End::Drop;
            }
        };
        self.shared.push.leave(id, self.client_code);
        end(self.socket, last);
    }

    /// Reads all there is and sends all that is due; says when to come back, or how to end.
    fn turn(&mut self) -> ControlFlow<End, Option<Instant>> {
        loop {
            match self.socket.read() {
                Ok(message) => {
                    if let Message::Close(frame) = &message {
                        self.client_code = Some(frame.as_ref().map_or(1005, |frame| frame.code.into()));
                    }
                    self.speaker.hear(&message);
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Break(End::Drop),
            }
        }
        let now = clock::steady();
        let timer = self.speaker.turn(now, &mut self.unsent)?;
        let due = self.outbox.take(now, &mut self.unsent)?;
        self.send()?;
        Continue([timer, due].into_iter().flatten().min())
    }

    /// Gives the socket what it takes, and flushes, which also sends the automatic pongs.
    fn send(&mut self) -> ControlFlow<End> {
        self.blocked = false;
        while let Some(out) = self.unsent.pop_front() {
            let message = match out {
                Out::Text(text) => Message::Text(self.bundle(text)),
                Out::Ping => Message::Ping(Vec::new().into()),
                Out::Close(code, reason) => return Break(End::Close(code, reason)),
            };
            match self.socket.write(message) {
                Ok(()) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    // The frame itself is kept by the socket; what follows waits here.
                    self.blocked = true;
                    return Continue(());
                }
                Err(_) => return Break(End::Drop),
            }
        }
        match self.socket.flush() {
            Ok(()) => Continue(()),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                self.blocked = true;
                Continue(())
            }
            Err(_) => Break(End::Drop),
        }
    }

    /// A text with those behind it that go in the same frame.
    fn bundle(&mut self, first: Utf8Bytes) -> Utf8Bytes {
        let more = self.unsent.iter().take(S::BUNDLE - 1).take_while(|out| matches!(out, Out::Text(_))).count();
        if more == 0 {
            return first;
        }
        let mut lines = first.to_string();
        for out in self.unsent.drain(..more) {
            if let Out::Text(text) = out {
                lines.push('\n');
                lines.push_str(&text);
            }
        }
        lines.into()
    }

    /// Waits for the client (`flags`), the outbox, `until`, and the stop; true when it is over.
    fn wait(&mut self, flags: PollFlags, until: Option<Instant>) -> bool {
        let limit = until.map(|until| until.saturating_duration_since(clock::steady()));
        let wire = self.socket.get_mut().wire();
        let mut fds = [
            PollFd::new(&wire.tcp, flags),
            PollFd::new(&*self.outbox, PollFlags::IN),
            PollFd::new(&self.shared.stop, PollFlags::IN),
        ];
        stop::poll(&mut fds, limit);
        stop::readable(&fds[2]) || (flags == PollFlags::RDHUP && stop::readable(&fds[0]))
    }
}

/// Ends a connection in the way that was asked for.
fn end(mut socket: WebSocket<Stream>, last: End) {
    // A client that takes nothing any more is not worth waiting for: what fails here is over anyway.
    socket.get_mut().wire().set_patience(Some(FAREWELL));
    match last {
        End::Close(code, reason) => close(&mut socket, code, reason),
        End::Reset => socket.into_inner().reset(),
        End::Cut => {
            let half_a_frame = b"\x81\x7e\x01\x00{\"event\":\"App\\\\Events";
            let _ = socket.flush();
            let _ = socket.get_mut().write_all(half_a_frame);
        }
        End::Garbage => {
            let _ = socket.get_mut().write_all(b"\xff\xff this is no frame \x00\x01");
        }
        End::Drop => socket.get_mut().close(),
    }
}

/// Closes a websocket in order, and waits a little for the client to agree.
fn close(socket: &mut WebSocket<Stream>, code: u16, reason: String) {
    socket.get_mut().wire().set_patience(Some(FAREWELL));
    if socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).is_err() || socket.flush().is_err() {
        return;
    }
    for _ in 0..FAREWELL_FRAMES {
        if socket.read().is_err() {
            return;
        }
    }
}
