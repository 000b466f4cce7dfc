//! Distinguishes a kept connection that the server closed in the meantime from a server that does not answer: only in
//! the first case may the request be repeated at once.

use std::fmt;
use std::io;
use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// A connector that observes the connections made by the connectors before it.
#[derive(Debug)]
pub(super) struct Watch;

/// A connection and its state.
#[derive(Debug)]
pub(super) struct Watched<T> {
    inner: T,
    /// Whether an earlier request was answered on it.
    answered: bool,
    /// Whether a request was sent and no byte of its response has arrived.
    waits: bool,
}

/// The source of the error for a request that was lost on a connection with earlier answers.
#[derive(Debug)]
struct Lost(String);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Lost {}

/// Returns true if the request was lost because a kept connection had been closed.
pub(super) fn was_lost(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<Lost>()))
}

impl<In: Transport> Connector<In> for Watch {
    type Out = Watched<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Watched<In>>, Error> {
        Ok(chained.map(|inner| Watched { inner, answered: false, waits: false }))
    }
}

impl<T: Transport> Watched<T> {
    /// Marks the error if the connection was closed; a time-out is not marked.
    fn mark(&self, error: Error) -> Error {
        match error {
            Error::Io(error) if self.answered && self.waits => {
                Error::Io(io::Error::new(error.kind(), Lost(error.to_string())))
            }
            other => other,
        }
    }
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.waits = true;
        self.inner.transmit_output(amount, timeout).map_err(|error| self.mark(error))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        match self.inner.await_input(timeout) {
            Ok(true) => {
                (self.answered, self.waits) = (true, false);
                Ok(true)
            }
            Ok(false) if self.answered && self.waits => {
                Err(self.mark(io::Error::from(io::ErrorKind::UnexpectedEof).into()))
            }
            Ok(false) => Ok(false),
            Err(error) => Err(self.mark(error)),
        }
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
