//! Tells threads to stop: dropping the [`StopSource`] disconnects the channel that every [`Stop`] token reads. No
//! message is ever sent.

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, never, select_biased};
use std::convert::Infallible;
use std::time::Duration;

/// Dropping this stops every thread that holds one of its tokens.
#[derive(Debug)]
pub struct StopSource {
    _hangs_up_when_dropped: Sender<Infallible>,
}

/// A stop token. Cheap to clone; waiting on it does not poll.
#[derive(Clone, Debug)]
pub struct Stop(Receiver<Infallible>);

/// Creates a source and its first token.
pub fn stop_pair() -> (StopSource, Stop) {
    // The channel carries no messages, so it needs no capacity.
    let (sender, receiver) = bounded(0);
    (StopSource { _hangs_up_when_dropped: sender }, Stop(receiver))
}

impl Stop {
    /// A token that never asks to stop.
    pub fn never() -> Stop {
        Stop(never())
    }

    /// Returns true if the source has been dropped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Waits up to `limit` for the stop. Returns true as soon as the source is dropped, false when `limit` has
    /// passed.
    pub fn wait(&self, limit: Duration) -> bool {
        matches!(self.0.recv_timeout(limit), Err(RecvTimeoutError::Disconnected))
    }

    /// The channel, for `select!`: it yields an `Err` when the source is dropped.
    pub(crate) fn channel(&self) -> &Receiver<Infallible> {
        &self.0
    }

    /// Waits for a message, for the last sender to hang up, for `limit`, or for the stop. A message that was sent
    /// after the stop is never returned, because it is meant for the thread's successor. It stays in the channel, or
    /// is dropped if it arrives while the choice is being made.
    pub(crate) fn recv<T>(&self, inbox: &Receiver<T>, limit: Duration) -> Received<T> {
        let received = select_biased! {
            recv(self.0) -> _ => Received::Stopped,
            recv(inbox) -> message => message.map_or(Received::HungUp, Received::Message),
            default(limit) => Received::Nothing,
        };
        if self.is_stopped() { Received::Stopped } else { received }
    }
}

/// The result of `Stop::recv`.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<T> {
    /// A message arrived.
    Message(T),
    /// All senders have been dropped.
    HungUp,
    /// The stop source has been dropped.
    Stopped,
    /// The limit has passed.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::{Received, stop_pair};
    use crossbeam_channel::unbounded;
    use std::time::Duration;

    #[test]
    fn hanging_up_stops_every_token() {
        let (source, stop) = stop_pair();
        let other = stop.clone();
        assert!(!stop.is_stopped());
        drop(source);
        assert!(stop.is_stopped() && other.wait(Duration::from_secs(60)));
    }

    #[test]
    fn a_message_is_taken_while_not_stopped() {
        let (_source, stop) = stop_pair();
        let (sender, inbox) = unbounded();
        sender.send(7).expect("the inbox lives");
        assert_eq!(stop.recv(&inbox, Duration::ZERO), Received::Message(7));
        drop(sender);
        assert_eq!(stop.recv(&inbox, Duration::from_secs(60)), Received::HungUp);
    }

    #[test]
    fn what_is_sent_after_the_stop_is_not_taken() {
        // The sender has seen the stop and means the message for the successor. Without the bias towards the stop,
        // `select` would deliver it now and then.
        for _ in 0..64 {
            let (source, stop) = stop_pair();
            let (sender, inbox) = unbounded();
            drop(source);
            sender.send(7).expect("the inbox lives");
            assert_eq!(stop.recv(&inbox, Duration::from_secs(60)), Received::Stopped);
        }
    }
}
