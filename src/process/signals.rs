//! Signals, as messages for the main thread (CONTRACT §1). `SIGPIPE` stays ignored, as Rust has it.

use crate::thread::{self, Exit};
use crossbeam_channel::{Receiver, Sender, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::{Handle, Signals};
use std::io;

/// What the operator or the service manager wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `TERM` or `INT`, by name: end in order.
    Terminate(&'static str),
    /// `HUP`: read the configuration again.
    Reload,
    /// `USR1`: read the roster and compare everything at once.
    SweepNow,
}

/// Catches signals for as long as it lives.
pub struct Catcher {
    /// The signals, in the order in which they came.
    pub signals: Receiver<Signal>,
    handle: Handle,
}

impl Catcher {
    /// Installs the handlers and starts the thread that waits for them. To be called before the
    /// other threads exist, so that no signal finds its default. `exits` hears how the thread ends.
    pub fn start(exits: &Sender<Exit>) -> io::Result<Catcher> {
        let mut caught = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])?;
        let handle = caught.handle();
        // Control never blocks; the kernel merges signals of a kind that come faster than they go.
        let (sender, signals) = unbounded();
        thread::spawn("signals", exits, move || {
            for number in caught.forever() {
                let signal = match number {
                    SIGHUP => Signal::Reload,
                    SIGUSR1 => Signal::SweepNow,
                    SIGINT => Signal::Terminate("SIGINT"),
                    _ => Signal::Terminate("SIGTERM"),
                };
                if sender.send(signal).is_err() {
                    break;
                }
            }
            Ok(())
        })?;
        Ok(Catcher { signals, handle })
    }
}

impl Drop for Catcher {
    /// Ends the thread.
    fn drop(&mut self) {
        self.handle.close();
    }
}

#[cfg(test)]
mod tests {
    use super::{Catcher, Signal};
    use crate::thread::{Exit, How};
    use crossbeam_channel::unbounded;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    use signal_hook::low_level::raise;
    use std::time::Duration;

    #[test]
    fn each_signal_arrives_as_what_it_asks_for() {
        let limit = Duration::from_secs(10);
        let (sender, exits) = unbounded();
        let catcher = Catcher::start(&sender).expect("handlers can be installed");
        for (number, signal) in [
            (SIGHUP, Signal::Reload),
            (SIGUSR1, Signal::SweepNow),
            (SIGTERM, Signal::Terminate("SIGTERM")),
            (SIGINT, Signal::Terminate("SIGINT")),
        ] {
            raise(number).expect("a signal can be raised");
            assert_eq!(catcher.signals.recv_timeout(limit), Ok(signal));
        }
        drop(catcher);
        let end = Exit { name: "signals".to_owned(), how: How::Ended };
        assert_eq!(exits.recv_timeout(limit), Ok(end));
    }
}
