//! What is to be sent to one client, and the bell that wakes the thread which sends it. Putting
//! something in never waits for the client.

use crate::stop;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tungstenite::Utf8Bytes;

/// More than any test sends ahead of a client; one that lets so much pile up is hung up on.
const FRAMES_MAX: usize = 500_000;

/// One thing to do to a client.
#[derive(Clone, Debug)]
pub(super) enum Out {
    Text(Utf8Bytes),
    /// A websocket ping.
    Ping,
    /// A close frame, and then the end.
    Close(u16, String),
    /// The end, by a TCP reset.
    Reset,
    /// The end, with nothing said.
    Drop,
    /// The end in the middle of a frame.
    Cut,
    /// Bytes that are no frame, and then the end.
    Garbage,
}

/// The queue of one connection.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: Mutex<VecDeque<(Instant, Out)>>,
    bell: OwnedFd,
}

impl Outbox {
    pub(super) fn new() -> io::Result<Outbox> {
        Ok(Outbox { queue: Mutex::default(), bell: stop::event()? })
    }

    /// Puts something behind everything else; it is not sent before `due`.
    pub(super) fn put(&self, due: Instant, out: Out) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() >= FRAMES_MAX {
            queue.clear();
            queue.push_back((due, Out::Drop));
        } else {
            queue.push_back((due, out));
        }
        // A queue that was not empty has a bell that rings already, or a thread that knows when to look.
        if queue.len() == 1 {
            stop::raise(&self.bell);
        }
    }

    /// Puts something before everything else.
    pub(super) fn put_first(&self, now: Instant, out: Out) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_front((now, out));
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

    /// Takes all that is due, in order, and says when the next is.
    pub(super) fn take(&self, now: Instant, taken: &mut VecDeque<Out>) -> Option<Instant> {
        self.hush();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let due = queue.iter().position(|(due, _)| *due > now).unwrap_or(queue.len());
        taken.extend(queue.drain(..due).map(|(_, out)| out));
        queue.front().map(|(due, _)| *due)
    }
}

impl AsFd for Outbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
