//! What links and the hub say to the broker, and the way back. It is no worker: it is what they share.

use crate::domain::push::{LinkId, Transport};
use crate::domain::secret::Secret;
use crate::gateway::socket::{Waker, WakesWhenDropped};
use crate::wire::EndKind;
use crate::wire::choice::Way;
use crossbeam_channel::Sender;

/// Something for the broker to know or to do.
#[derive(Debug)]
pub enum Errand {
    /// A link wants to know where its next connection goes. Nothing when there is no way at all.
    Way(LinkId, Reply<Option<Way>>),
    /// A link's session wants a guest token.
    Token(LinkId, Reply<Secret>),
    /// A link was greeted.
    Connected(LinkId),
    /// A link's connection is over, or did not come about.
    Ended {
        /// Whose.
        link: LinkId,
        /// What it means.
        kind: EndKind,
    },
    /// A link is no more.
    Closed(LinkId),
    /// The core: what goes over this transport does not arrive.
    Silent(Transport),
    /// The core: this link makes the trial.
    TrialBegun(LinkId),
    /// The core: what came of the trial.
    TrialOver {
        /// It brought an event.
        proved: bool,
    },
}

/// The way back to a link, which sleeps on its socket. Dropped without an answer it wakes the link, too; the
/// order of the fields matters: the channel hangs up first, and then the link is woken to see it.
#[derive(Debug)]
pub struct Reply<T> {
    to: Sender<T>,
    _waker: WakesWhenDropped,
}

impl<T> Reply<T> {
    /// Answers go to `to`; then `waker` wakes who waits for them.
    pub fn new(to: Sender<T>, waker: Waker) -> Reply<T> {
        Reply { to, _waker: WakesWhenDropped(waker) }
    }

    /// Answers. Nobody may listen any more; then it is lost, as it should be.
    pub(super) fn send(self, answer: T) {
        let _ = self.to.send(answer);
    }
}
