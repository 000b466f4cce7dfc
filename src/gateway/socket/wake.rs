//! Wakes a thread that waits for its socket: an eventfd that is polled together with the socket. It carries no
//! message; the waking thread puts its message elsewhere first.

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The waiting end. Only one thread at a time may use it.
#[derive(Clone, Debug)]
pub(crate) struct Wake(Arc<OwnedFd>);

/// The waking end, for any number of threads.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<OwnedFd>);

/// Wakes when it is dropped. As the last field of a struct, it wakes the waiting thread after the other fields have
/// been dropped.
#[derive(Debug)]
pub(crate) struct WakesWhenDropped(pub Waker);

impl Drop for WakesWhenDropped {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// Shows whether a pair is still in use, without keeping it open.
#[derive(Clone, Debug)]
pub(crate) struct Trace(Weak<OwnedFd>);

impl Trace {
    /// Returns true if both ends have been dropped, so that the file descriptor is free.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// Creates a pair. Fails only if the process has no file descriptor left.
pub(crate) fn wake_pair() -> io::Result<(Waker, Wake)> {
    let fd = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    Ok((Waker(fd.clone()), Wake(fd)))
}

impl Waker {
    /// Ends the present wait, or the next one if no thread waits now. Never blocks.
    pub(crate) fn wake(&self) {
        // The write fails only if the counter is at its maximum, and then a wake is pending already.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

impl Wake {
    /// A trace of this pair.
    pub(crate) fn trace(&self) -> Trace {
        Trace(Arc::downgrade(&self.0))
    }

    /// Waits for a wake or until `limit` has passed. Returns true if it was woken, and resets the wake. A signal may
    /// end the wait early.
    pub(crate) fn wait(&self, limit: Duration) -> io::Result<bool> {
        self.wait_in(&mut [self.poll_fd()], limit)
    }

    /// As [`Wake::wait`], but also ends when `other` is ready for `events`.
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
            // Reading resets the counter. If another clone did so before, nothing is lost, because the messages are
            // looked at after this.
            let _ = rustix::io::read(&*self.0, &mut [0; 8]);
        }
        Ok(woken)
    }
}

/// Waits for any of `fds`. A signal may end the wait early, which is not an error.
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
