//! The server for Kick's webhooks: HTTP/1.1 on one address or Unix socket, for one path. It reads requests and writes
//! answers; whether a request is taken is the caller's decision.
//!
//! One thread serves all connections and never waits for one of them, so a slow client delays nobody. What clients
//! can make it keep is bounded: 64 connections, each with one request of the greatest length. When all are in use,
//! the one whose request has been awaited longest is closed for the next.

mod connection;
mod key;
mod listener;
#[cfg(test)]
mod tests;

pub(crate) use key::Key;
pub(crate) use listener::is_served;

use crate::config::WebhookConfig;
use crate::domain::Steady;
use crate::domain::webhook::Refusal;
use crate::wire::webhook::Request;
use connection::Connection;
use listener::Listener;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::time::Duration;

/// The most connections.
const CONNECTIONS_MAX: usize = 64;
/// How long the next connection is left waiting after one could not be accepted: the process has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The server.
#[derive(Debug)]
pub(crate) struct Server {
    path: String,
    listener: Listener,
    /// No connection is accepted before then.
    accepts: Steady,
    /// How many were accepted so far.
    accepted: u64,
    connections: Vec<Connection>,
}

/// Decides about requests. `from` is the address of the sender.
pub(crate) trait Judge {
    /// Takes a request, or says why not.
    fn judge(&mut self, request: &Request, from: &str) -> Result<(), Refusal>;
    /// Notes that something was refused.
    fn refused(&mut self, refusal: Refusal, from: &str);
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// The address is in use or not to be had, or the directory of the socket cannot be written.
    pub(crate) fn open(config: &WebhookConfig) -> io::Result<Server> {
        Ok(Server {
            path: config.path.clone(),
            listener: Listener::open(&config.listen)?,
            accepts: Steady::default(),
            accepted: 0,
            connections: Vec::new(),
        })
    }

    /// Waits for what comes, `limit` at most, and serves it.
    ///
    /// # Errors
    /// The system refuses to wait.
    pub(crate) fn turn(&mut self, now: impl Fn() -> Steady, limit: Duration, judge: &mut impl Judge) -> io::Result<()> {
        let began = now();
        let due = self.connections.iter().map(Connection::due).min();
        let limit = due.map_or(limit, |due| due.since(began).min(limit));
        let ready = self.wait(began, limit)?;
        let now = now();
        // Last first: a connection that ends gives its place to the last one.
        for (n, ready) in ready.into_iter().enumerate().rev() {
            let connection = &mut self.connections[n];
            let open = if ready { connection.serve(now, judge) } else { connection.is_in_time(now, judge) };
            if !open {
                self.connections.swap_remove(n);
            }
        }
        if now >= self.accepts {
            self.accept(now, judge);
        }
        Ok(())
    }

    /// Waits. Which connections have something to read.
    fn wait(&self, now: Steady, limit: Duration) -> io::Result<Vec<bool>> {
        let mut fds: Vec<PollFd<'_>> =
            self.connections.iter().map(|it| PollFd::from_borrowed_fd(it.fd(), PollFlags::IN)).collect();
        let count = fds.len();
        if now >= self.accepts {
            fds.push(PollFd::from_borrowed_fd(self.listener.fd(), PollFlags::IN));
        }
        match poll(&mut fds, Timespec::try_from(limit).ok().as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(fds[..count].iter().map(|fd| !fd.revents().is_empty()).collect())
    }

    /// Accepts waiting connections, but a limited number at once, so that the present ones are not kept waiting.
    fn accept(&mut self, now: Steady, judge: &mut impl Judge) {
        for _ in 0..CONNECTIONS_MAX {
            match self.listener.accept() {
                Ok(Some((stream, from))) => {
                    if self.connections.len() == CONNECTIONS_MAX {
                        self.make_room(judge);
                    }
                    self.accepted += 1;
                    self.connections.push(Connection::new(self.accepted, now, stream, from, &self.path));
                }
                Ok(None) => return,
                Err(_) => {
                    self.accepts = now + ACCEPT_PAUSE;
                    return;
                }
            }
        }
    }

    fn make_room(&mut self, judge: &mut impl Judge) {
        let oldest = self.connections.iter().enumerate().min_by_key(|(_, it)| (it.due(), it.number()));
        if let Some(n) = oldest.map(|(n, _)| n) {
            self.connections.swap_remove(n).refuse_now(Refusal::Crowded, judge);
        }
    }
}
