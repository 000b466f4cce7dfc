//! How far it is, on a terminal alone: one line of standard error that is drawn over and leaves nothing behind.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

pub(super) struct Progress {
    terminal: bool,
    of: usize,
    done: usize,
}

impl Progress {
    /// For this number of names.
    pub(super) fn new(of: usize) -> Progress {
        Progress { terminal: io::stderr().is_terminal(), of, done: 0 }
    }

    /// The next name is looked up.
    pub(super) fn next(&mut self, name: &str) {
        self.done += 1;
        self.draw(&format!("{} of {}: {name}", self.done, self.of));
    }

    /// Kick wants a pause.
    pub(super) fn waits(&self, pause: Duration) {
        self.draw(&format!("{} of {}: waiting {} s for Kick", self.done, self.of, pause.as_secs()));
    }

    /// Makes room for a line of output.
    pub(super) fn clear(&self) {
        self.draw("");
    }

    fn draw(&self, text: &str) {
        if self.terminal {
            // A terminal that is gone is nothing to stop for.
            let _ = write!(io::stderr(), "\r\u{1b}[K{text}");
        }
    }
}
