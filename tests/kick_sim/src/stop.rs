//! How every thread of the simulator learns that it shall end, whatever it waits for: the stop is a
//! file descriptor that becomes readable once and stays so, and every wait polls it too.

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// The stop of one simulator; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Stop(Arc<OwnedFd>);

impl Stop {
    /// A stop that is not set.
    pub(crate) fn new() -> io::Result<Stop> {
        Ok(Stop(Arc::new(event()?)))
    }

    /// Ends everybody's waiting, now and for ever.
    pub(crate) fn set(&self) {
        raise(&self.0);
    }

    /// Waits; true as soon as the stop is set, false when `limit` has passed.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        let mut fds = [PollFd::new(&*self.0, PollFlags::IN)];
        poll(&mut fds, Some(limit));
        readable(&fds[0])
    }
}

impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// An event descriptor: raised by [`raise`], lowered by [`lower`], never blocking.
pub(crate) fn event() -> io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?)
}

/// Makes an event descriptor readable.
pub(crate) fn raise(fd: &OwnedFd) {
    // The only failure is a counter that is full, and then the descriptor is readable anyway.
    let _ = rustix::io::write(fd, &1_u64.to_ne_bytes());
}

/// Makes an event descriptor unreadable again.
pub(crate) fn lower(fd: &OwnedFd) {
    // The only failure is that it was not raised.
    let _ = rustix::io::read(fd, &mut [0_u8; 8]);
}

/// Waits for one of the descriptors, at most `limit`. May come back early with nothing: callers loop.
pub(crate) fn poll(fds: &mut [PollFd<'_>], limit: Option<Duration>) {
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match rustix::event::poll(fds, limit.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        // Only a bug or a lack of kernel memory leads here; the caller must not take old flags for news.
        Err(_) => fds.iter_mut().for_each(PollFd::clear_revents),
    }
}

/// Whether the descriptor was found readable, or broken, which a read will tell.
pub(crate) fn readable(fd: &PollFd<'_>) -> bool {
    fd.revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::RDHUP | PollFlags::ERR)
}
