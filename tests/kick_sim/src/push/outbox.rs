//! What is to be sent to one client, and the bell that wakes the thread which sends it. Putting
//! something in never waits for the client.

use crate::stop;
use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow::{self, Break, Continue};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tungstenite::Utf8Bytes;

/// More than any test sends ahead of a client; one that lets so much pile up is hung up on.
const FRAMES_MAX: usize = 500_000;

/// One thing to send to a client.
#[derive(Clone, Debug)]
pub(super) enum Out {
    Text(Utf8Bytes),
    /// A websocket ping.
    Ping,
    /// A close frame. Nothing follows.
    Close(u16, String),
}

/// How a connection ends.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// By a close frame.
    Close(u16, String),
    /// By a TCP reset.
    Reset,
    /// With nothing said.
    Drop,
    /// In the middle of a frame.
    Cut,
    /// With bytes that are no frame.
    Garbage,
}

/// The queue of one connection.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    bell: OwnedFd,
}

#[derive(Debug, Default)]
struct Queue {
    /// In order, none to be sent before its time.
    frames: VecDeque<(Instant, Out)>,
    /// Waits for no frame.
    end: Option<End>,
}

impl Outbox {
    pub(super) fn new() -> io::Result<Outbox> {
        Ok(Outbox { queue: Mutex::default(), bell: stop::event()? })
    }

    /// Puts something behind everything else; it is not sent before `due`.
    pub(super) fn put(&self, due: Instant, out: Out) {
        let mut queue = self.lock();
        if queue.frames.len() >= FRAMES_MAX {
            queue.end = Some(End::Drop);
            stop::raise(&self.bell);
            return;
        }
        queue.frames.push_back((due, out));
        // A queue that was not empty has a bell that rings already, or a thread that knows when to look.
        if queue.frames.len() == 1 {
            stop::raise(&self.bell);
        }
    }

    /// Ends the connection, whatever is queued.
    pub(super) fn end(&self, end: End) {
        self.lock().end = Some(end);
        stop::raise(&self.bell);
    }

    /// Wakes the thread for another reason.
    pub(super) fn ring(&self) {
        stop::raise(&self.bell);
    }

    /// Silences the bell and leaves what is queued.
    pub(super) fn hush(&self) {
        stop::lower(&self.bell);
    }

    /// Takes all that is due, in order, and says when the next is; or how to end.
    pub(super) fn take(&self, now: Instant, taken: &mut VecDeque<Out>) -> ControlFlow<End, Option<Instant>> {
        self.hush();
        let mut queue = self.lock();
        if let Some(end) = queue.end.take() {
            return Break(end);
        }
        let frames = &mut queue.frames;
        let due = frames.iter().position(|(due, _)| *due > now).unwrap_or(frames.len());
        taken.extend(frames.drain(..due).map(|(_, out)| out));
        Continue(frames.front().map(|(due, _)| *due))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Outbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
