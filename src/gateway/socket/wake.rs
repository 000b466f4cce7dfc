//! How a thread that waits for its socket is woken for something else: an eventfd, waited on together
//! with the socket. It carries no message; who wakes has put its message elsewhere before.

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The waiting end; it belongs to one thread at a time.
#[derive(Clone, Debug)]
pub(crate) struct Wake(Arc<OwnedFd>);

/// The waking end: any thread, any number of clones.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

/// Wakes when it is dropped. As the last field of a struct it wakes whoever waits for the other fields to
/// be gone.
#[derive(Debug)]
pub(crate) struct WakesWhenDropped(pub Waker);

impl Drop for WakesWhenDropped {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// Tells whether a pair is still in use, without keeping it so.
#[derive(Clone, Debug)]
pub(crate) struct Trace(Weak<OwnedFd>);

impl Trace {
    /// Nobody holds either end any more, so that its descriptor is free.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// A pair. Fails only when the process has no file descriptor left.
pub(crate) fn wake_pair() -> io::Result<(Waker, Wake)> {
    let fd = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    Ok((Waker(fd.clone()), Wake(fd)))
}

impl Waker {
    /// Ends the present wait, or the next one if nobody waits now. Never blocks.
    pub fn wake(&self) {
        // The one way to fail is a counter that is full, and then a wake is already on its way.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

impl Wake {
    /// What shows when this pair has gone.
    pub(crate) fn trace(&self) -> Trace {
        Trace(Arc::downgrade(&self.0))
    }

    /// Waits for a wake or until `limit` has passed; true when it was woken, which it then forgets.
    /// A signal may end the wait early.
    pub(crate) fn wait(&self, limit: Duration) -> io::Result<bool> {
        self.wait_in(&mut [self.poll_fd()], limit)
    }

    /// Waits for `events` of `other` as well.
    pub(super) fn wait_or(&self, other: BorrowedFd<'_>, events: PollFlags, limit: Duration) -> io::Result<bool> {
        self.wait_in(&mut [self.poll_fd(), PollFd::from_borrowed_fd(other, events)], limit)
    }

    fn poll_fd(&self) -> PollFd<'_> {
        PollFd::new(&*self.0, PollFlags::IN)
    }

    /// Waits for any of `fds`, of which the first is our own.
    fn wait_in(&self, fds: &mut [PollFd<'_>], limit: Duration) -> io::Result<bool> {
        poll_all(fds, limit)?;
        let woken = !fds[0].revents().is_empty();
        if woken {
            // Reading sets the counter to zero; should another clone have done so, nothing is lost,
            // because what the wake was for is looked at after this.
            let _ = rustix::io::read(&*self.0, &mut [0; 8]);
        }
        Ok(woken)
    }
}

/// Waits for any of `fds`. A signal may end the wait early; that is no error.
pub(super) fn poll_all(fds: &mut [PollFd<'_>], limit: Duration) -> io::Result<()> {
    let limit = Timespec::try_from(limit).ok();
    match poll(fds, limit.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::wake_pair;
    use std::time::Duration;

    #[test]
    fn a_wake_is_remembered_once_however_often_it_was_given() {
        let (waker, wake) = wake_pair().expect("an eventfd");
        assert!(!wake.wait(Duration::ZERO).expect("poll"));
        waker.wake();
        waker.clone().wake();
        assert!(wake.wait(Duration::from_secs(60)).expect("poll"), "it was woken before it waited");
        assert!(!wake.wait(Duration::ZERO).expect("poll"), "a wake ends one wait");
    }
}
