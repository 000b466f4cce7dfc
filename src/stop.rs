//! How a thread learns that it shall end: its token is hung up. Nothing is ever sent.

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, never, select_biased};
use std::convert::Infallible;
use std::time::Duration;

/// Whoever holds this can stop the holders of the tokens, by dropping it.
#[derive(Debug)]
pub struct StopSource {
    _hangs_up_when_dropped: Sender<Infallible>,
}

/// The token: cheap to clone, waits without polling.
#[derive(Clone, Debug)]
pub struct Stop(Receiver<Infallible>);

/// A source and its first token.
pub fn stop_pair() -> (StopSource, Stop) {
    // Nothing is sent, so nothing needs room.
    let (sender, receiver) = bounded(0);
    (StopSource { _hangs_up_when_dropped: sender }, Stop(receiver))
}

impl Stop {
    /// A token that never stops anybody.
    pub fn never() -> Stop {
        Stop(never())
    }

    /// Whether the source is gone.
    pub(crate) fn is_stopped(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Waits; true as soon as the source is gone, false when `limit` has passed.
    pub fn wait(&self, limit: Duration) -> bool {
        matches!(self.0.recv_timeout(limit), Err(RecvTimeoutError::Disconnected))
    }

    /// The channel, for `select!`: an `Err` from it means stop.
    pub(crate) fn channel(&self) -> &Receiver<Infallible> {
        &self.0
    }

    /// Waits for a message, the end of the senders, `limit`, or the stop. Nothing that was sent after the
    /// stop is ever given out: it is meant for a successor. It stays where it is, or, in a race that lasts
    /// no longer than this choice, is dropped.
    pub(crate) fn recv<T>(&self, inbox: &Receiver<T>, limit: Duration) -> Received<T> {
        let received = select_biased! {
            recv(self.0) -> _ => Received::Stopped,
            recv(inbox) -> message => message.map_or(Received::HungUp, Received::Message),
            default(limit) => Received::Nothing,
        };
        if self.is_stopped() { Received::Stopped } else { received }
    }
}

/// What [`Stop::recv`] came back with.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<T> {
    /// A message.
    Message(T),
    /// Every sender is gone.
    HungUp,
    /// The stop source is gone.
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
        // Whoever sends it has seen the stop and means the successor. An unfair choice would take it now and then.
        for _ in 0..64 {
            let (source, stop) = stop_pair();
            let (sender, inbox) = unbounded();
            drop(source);
            sender.send(7).expect("the inbox lives");
            assert_eq!(stop.recv(&inbox, Duration::from_secs(60)), Received::Stopped);
        }
    }
}
