//! One connection: what it brings is read and answered, one request after another.

use super::Judge;
use super::listener::Stream;
use crate::domain::Steady;
use crate::domain::webhook::Refusal;
use crate::wire::webhook::{Reader, Reading};
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// How long a request may take, from the beginning of the connection or from the answer to the one before.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// How long a refused client may go on sending: a connection that is closed before its end is read would take the
/// answer with it.
const LINGER: Duration = Duration::from_secs(2);
/// How much is read at once, so that no connection keeps the others waiting.
const READ_MAX: usize = 8 << 10;

#[derive(Debug)]
pub(super) struct Connection {
    number: u64,
    stream: Stream,
    from: String,
    reader: Reader,
    due: Steady,
    /// It was refused; what still comes is thrown away.
    leaves: bool,
}

impl Connection {
    /// The connection that was accepted as number `number`.
    pub(super) fn new(number: u64, now: Steady, stream: Stream, from: String, path: &str) -> Connection {
        Connection { number, stream, from, reader: Reader::new(path), due: now + REQUEST_LIMIT, leaves: false }
    }

    /// When it is closed if nothing comes.
    pub(super) fn due(&self) -> Steady {
        self.due
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.fd()
    }

    /// Reads and answers. False when the connection is over.
    pub(super) fn serve(&mut self, now: Steady, judge: &mut impl Judge) -> bool {
        let mut buffer = [0; READ_MAX];
        match self.stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(_) if self.leaves => {}
            Ok(count) => {
                self.reader.take(&buffer[..count]);
                if self.answer(now, judge).is_err() {
                    return false;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return false,
        }
        self.is_in_time(now, judge)
    }

    /// Whether the connection goes on. A request that has not arrived by now is refused.
    pub(super) fn is_in_time(&mut self, now: Steady, judge: &mut impl Judge) -> bool {
        if now < self.due {
            return true;
        }
        if self.leaves || !self.reader.is_amid() {
            return false;
        }
        self.refuse(now, Refusal::Slow, judge).is_ok()
    }

    /// Refuses what is expected here, and closes the connection.
    pub(super) fn refuse_now(mut self, refusal: Refusal, judge: &mut impl Judge) {
        if !self.leaves {
            // The client may be gone.
            let _ = self.refuse(self.due, refusal, judge);
        }
    }

    /// Answers all that has come.
    fn answer(&mut self, now: Steady, judge: &mut impl Judge) -> io::Result<()> {
        loop {
            match self.reader.step() {
                Reading::Nothing => return Ok(()),
                Reading::Continue => self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?,
                Reading::Refused(refusal) => return self.refuse(now, refusal, judge),
                Reading::Whole(request) => {
                    let from = self.sender();
                    if let Err(refusal) = judge.judge(&request, &from) {
                        return self.refuse(now, refusal, judge);
                    }
                    if !request.stays {
                        self.stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
                        return self.leave(now);
                    }
                    self.stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
                    self.due = now + REQUEST_LIMIT;
                }
            }
        }
    }

    /// Answers with the status of the refusal. Fails if the client takes no answer.
    fn refuse(&mut self, now: Steady, refusal: Refusal, judge: &mut impl Judge) -> io::Result<()> {
        judge.refused(refusal, &self.sender());
        let (status, line) = status(refusal);
        let allow = if status == 405 { "Allow: POST\r\n" } else { "" };
        let (length, name) = (line.len() + 1, name(status));
        let head =
            format!("HTTP/1.1 {status} {name}\r\n{allow}Content-Type: text/plain\r\nContent-Length: {length}\r\n");
        self.stream.write_all(format!("{head}Connection: close\r\n\r\n{line}\n").as_bytes())?;
        self.leave(now)
    }

    fn leave(&mut self, now: Steady) -> io::Result<()> {
        self.leaves = true;
        self.reader = Reader::new("");
        self.due = now + LINGER;
        self.stream.finish()
    }

    /// Who sent the last request, as the proxy states it, if there is one.
    fn sender(&self) -> String {
        match self.reader.forwarded_for() {
            Some(client) => format!("{client} through {}", self.from),
            None => self.from.clone(),
        }
    }
}

/// The status and the line that a refused client gets.
fn status(refusal: Refusal) -> (u16, &'static str) {
    match refusal {
        Refusal::Malformed => (400, "not a webhook of Kick's"),
        Refusal::Unreadable => (400, "the body is not what Kick documents"),
        Refusal::Signature => (401, "the signature does not hold"),
        Refusal::Age => (401, "the timestamp is more than 10 minutes from Kick's time"),
        Refusal::Repeated => (401, "the message id was seen before"),
        Refusal::Path => (404, "not found"),
        Refusal::Method => (405, "only POST"),
        Refusal::Slow => (408, "the request took too long"),
        Refusal::TooLong => (413, "the body is longer than 64 KiB"),
        Refusal::Crowded => (503, "too many connections"),
        Refusal::NoKey => (503, "Kick's public key is not known yet"),
        Refusal::Stopping => (503, "stopping"),
    }
}

fn name(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        _ => "Service Unavailable",
    }
}
