//! One push connection's thread, from the open websocket to its end. It alone reads and writes the
//! socket; it waits for the client, its outbox, a timer and the stop, all at once.

use super::Entry;
use super::frames::{self, Said};
use super::handshake::refusal;
use super::outbox::{End, Out, Outbox};
use crate::clock;
use crate::fault::{Face, Fault};
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
use tungstenite::{Error, Message, WebSocket};

/// How long a client may take to answer a close frame.
const FAREWELL: Duration = Duration::from_secs(2);
/// Frames that a client may still send after ours, before it is hung up on.
const FAREWELL_FRAMES: usize = 10_000;

/// Serves a client whose handshake was just answered, until either side ends it.
pub(crate) fn converse(shared: &Shared, stream: Stream, request: &Request) -> io::Result<()> {
    let config = WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .max_message_size(Some(64 * 1024))
        .max_frame_size(Some(64 * 1024));
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
    if let Some((code, reason)) = refusal(request, &shared.app.pusher_key) {
        close(&mut socket, code, reason);
        return Ok(());
    }
    let (id, outbox) = match shared.push.enter()? {
        Entry::Greeted(id, outbox) => (id, outbox),
        Entry::Refused(code, reason) => {
            close(&mut socket, code, reason);
            return Ok(());
        }
    };
    socket.get_mut().wire().set_patience(None);
    let now = clock::steady();
    let connection = Connection {
        shared,
        socket,
        id,
        outbox,
        unsent: VecDeque::new(),
        blocked: false,
        heard_at: now,
        pinged_at: None,
        client_code: None,
    };
    connection.run();
    Ok(())
}

struct Connection<'a> {
    shared: &'a Shared,
    socket: WebSocket<Stream>,
    id: u64,
    outbox: Arc<Outbox>,
    /// Taken from the outbox and not yet given to the socket.
    unsent: VecDeque<Out>,
    /// The client does not take our bytes at the moment.
    blocked: bool,
    heard_at: Instant,
    /// When our ping went out that nothing has answered yet.
    pinged_at: Option<Instant>,
    client_code: Option<u16>,
}

impl Connection<'_> {
    fn run(mut self) {
        let last = loop {
            if self.shared.faults.lasting(Face::Push) == Some(Fault::Stall) {
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
        self.shared.push.leave(self.id, self.client_code);
        end(self.socket, last);
    }

    /// Reads all there is and sends all that is due; says when to come back, or how to end.
    fn turn(&mut self) -> ControlFlow<End, Option<Instant>> {
        loop {
            match self.socket.read() {
                Ok(message) => self.hear(message),
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Break(End::Drop),
            }
        }
        let timer = self.check_pulse()?;
        let due = self.outbox.take(clock::steady(), &mut self.unsent)?;
        self.send()?;
        Continue([timer, due].into_iter().flatten().min())
    }

    fn hear(&mut self, message: Message) {
        self.heard_at = clock::steady();
        self.pinged_at = None;
        match message {
            Message::Text(text) => match frames::said(&text) {
                Said::Subscribe(channel) => self.shared.push.subscribe(self.id, &channel),
                Said::Unsubscribe(channel) => self.shared.push.unsubscribe(self.id, &channel),
                Said::Ping => self.pong(),
                Said::Other => {}
                Said::NotJson => self.say(frames::error("Invalid JSON received")),
            },
            Message::Close(frame) => self.client_code = Some(frame.map_or(1005, |frame| frame.code.into())),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }

    fn pong(&mut self) {
        if !self.shared.push.script(|script| script.ignore_pings) {
            self.say(frames::pong());
        }
    }

    fn say(&mut self, text: String) {
        self.outbox.put(clock::steady() + self.shared.push.latency(), Out::Text(text.into()));
    }

    /// Pings a silent client, and gives up one that did not answer.
    fn check_pulse(&mut self) -> ControlFlow<End, Option<Instant>> {
        let (after, timeout, by_websocket) =
            self.shared.push.script(|script| (script.ping_after, script.pong_timeout, script.ping_by_websocket));
        let now = clock::steady();
        match (self.pinged_at, after) {
            (Some(pinged_at), _) if now >= pinged_at + timeout => {
                Break(End::Close(4201, "Pong reply not received in time".to_owned()))
            }
            (Some(pinged_at), _) => Continue(Some(pinged_at + timeout)),
            (None, Some(after)) if now >= self.heard_at + after => {
                self.unsent.push_back(if by_websocket { Out::Ping } else { Out::Text(frames::ping().into()) });
                self.pinged_at = Some(now);
                Continue(Some(now + timeout))
            }
            (None, Some(after)) => Continue(Some(self.heard_at + after)),
            (None, None) => Continue(None),
        }
    }

    /// Gives the socket what it takes, and flushes, which also sends the automatic pongs.
    fn send(&mut self) -> ControlFlow<End> {
        self.blocked = false;
        while let Some(out) = self.unsent.pop_front() {
            let message = match out {
                Out::Text(text) => Message::Text(text),
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
