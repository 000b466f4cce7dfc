//! Every thread of the simulator is started here, and joined when the simulator ends.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Connections at one time; more are hung up on.
const THREADS_MAX: usize = 4_000;
/// Nothing here recurses or keeps large arrays; thousands of connections shall cost little.
const STACK: usize = 512 * 1024;

/// The threads that run.
#[derive(Debug, Default)]
pub(crate) struct Crew(Mutex<Vec<JoinHandle<()>>>);

impl Crew {
    /// Starts a thread. The name has at most 15 bytes, or the kernel cuts it.
    pub(crate) fn start(&self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| !thread.is_finished());
        if threads.len() >= THREADS_MAX {
            return Err(io::Error::other("too many connections"));
        }
        threads.push(Builder::new().name(name.to_owned()).stack_size(STACK).spawn(work)?);
        Ok(())
    }

    /// Waits for all of them; they must have been told to stop.
    pub(crate) fn join(&self) {
        loop {
            // One at a time and not under the lock: a listener may be about to start a last connection.
            let thread = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(thread) = thread else { return };
            // A thread that panicked has said so on standard error, and the test that caused it goes on.
            let _ = thread.join();
        }
    }
}
