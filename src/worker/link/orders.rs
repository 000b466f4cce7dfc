//! The orders of a link: a channel, and a wake that interrupts the link's wait for its socket.

use crate::domain::ChannelId;
use crate::domain::secret::Secret;
use crate::domain::way::Way;
use crate::gateway::socket::{Trace, Wake, WakesWhenDropped, wake_pair};
use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use std::io;

/// An order of the core to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Follow these streamers as well.
    Follow(Vec<ChannelId>),
    /// Stop following these streamers.
    Unfollow(Vec<ChannelId>),
    /// Where to connect next, in answer to the link's question; `None` if there is no way to push at all.
    Go(Option<Way>),
    /// The guest token that the connection asked for.
    Token(Secret),
}

/// The sending end. Dropping it makes the link close its connection and end. The order of the fields matters: the
/// channel must hang up before the link is woken to see that.
#[derive(Debug)]
pub struct OrderSender {
    orders: Sender<Order>,
    waker: WakesWhenDropped,
}

/// The receiving end. Only one link may use it at a time. The supervisor keeps a clone for the link's restart.
#[derive(Clone, Debug)]
pub struct Orders {
    orders: Receiver<Order>,
    pub(super) wake: Wake,
}

/// Creates both ends. Fails only if the process has no file descriptor left.
pub fn orders() -> io::Result<(OrderSender, Orders)> {
    let (waker, wake) = wake_pair()?;
    // Unbounded, because the core must never block. In fact the number is bounded: every streamer of the roster is
    // followed and unfollowed once, and each question of the link has one answer.
    let (sender, receiver) = unbounded();
    let giving = OrderSender { orders: sender, waker: WakesWhenDropped(waker) };
    Ok((giving, Orders { orders: receiver, wake }))
}

impl OrderSender {
    /// Sends an order; never blocks. An order for a link that has ended for good is lost.
    pub(crate) fn send(&self, order: Order) {
        if self.orders.send(order).is_ok() {
            self.waker.0.wake();
        }
    }
}

impl Orders {
    /// Shows when the link, and everything that could wake it, is gone.
    pub(crate) fn trace(&self) -> Trace {
        self.wake.trace()
    }

    /// The next order that has arrived; an error if no more orders can come.
    pub(super) fn next(&self) -> Result<Option<Order>, HungUp> {
        match self.orders.try_recv() {
            Ok(order) => Ok(Some(order)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(HungUp),
        }
    }
}

/// The sender was dropped.
#[derive(Debug)]
pub(super) struct HungUp;
