//! The orders of a link: a channel and the wake that makes a thread look into it although it waits
//! for a socket.

use crate::domain::ChannelId;
use crate::domain::secret::Secret;
use crate::domain::way::Way;
use crate::gateway::socket::{Trace, Wake, Waker, WakesWhenDropped, wake_pair};
use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use std::io;

/// What a link is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Follow these streamers too.
    Follow(Vec<ChannelId>),
    /// Do not follow these any more.
    Unfollow(Vec<ChannelId>),
    /// Where the next connection goes, which the link has asked; none when there is no way at all.
    Go(Option<Way>),
    /// A guest token, which its connection has asked for.
    Token(Secret),
}

/// The giving end. Dropping it tells the link to close its connection and end; the order of the
/// fields matters: the channel hangs up first, and then the link is woken to see it.
#[derive(Debug)]
pub struct OrderSender {
    orders: Sender<Order>,
    waker: WakesWhenDropped,
}

/// The taking end. One link takes at a time; whoever restarts it keeps a clone for the next one.
#[derive(Clone, Debug)]
pub struct Orders {
    orders: Receiver<Order>,
    waker: Waker,
    pub(super) wake: Wake,
}

/// Both ends. Fails only when the process has no file descriptor left.
pub fn orders() -> io::Result<(OrderSender, Orders)> {
    let (waker, wake) = wake_pair()?;
    // Unbounded, because the core must never block; bounded in fact by the roster, of which every
    // streamer is followed and unfollowed once, and by what the link asks.
    let (sender, receiver) = unbounded();
    let giving = OrderSender { orders: sender, waker: WakesWhenDropped(waker.clone()) };
    Ok((giving, Orders { orders: receiver, waker, wake }))
}

impl OrderSender {
    /// Gives an order; never blocks. An order for a link that is gone for good is lost.
    pub(crate) fn send(&self, order: Order) {
        if self.orders.send(order).is_ok() {
            self.waker.0.wake();
        }
    }
}

impl Orders {
    /// What shows when the link and everybody who could wake it have gone.
    pub(crate) fn trace(&self) -> Trace {
        self.wake.trace()
    }

    /// What ends the link's present wait. A stop token cannot do that by itself: whoever stops a
    /// link by its token wakes it afterwards.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// The next order that is already there; an error when there will be none any more.
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
