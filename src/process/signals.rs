//! Signals, as messages to the main thread (kick-monitor(8)). `SIGPIPE` stays ignored, which is Rust's default.

use crate::thread::{self, Exit};
use crossbeam_channel::{Receiver, Sender, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::{flag, low_level};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The signals that are handled.
const SERVED: [i32; 4] = [SIGHUP, SIGUSR1, SIGINT, SIGTERM];

/// A request of the operator or the service manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// `TERM` or `INT`, by name: end in order.
    Terminate(&'static str),
    /// `HUP`: read the configuration again.
    Reload,
    /// `USR1`: read the roster and compare all streamers now.
    SweepNow,
}

impl Signal {
    /// The request that a signal number stands for.
    fn of(number: i32) -> Signal {
        match number {
            SIGHUP => Signal::Reload,
            SIGUSR1 => Signal::SweepNow,
            SIGINT => Signal::Terminate("SIGINT"),
            _ => Signal::Terminate("SIGTERM"),
        }
    }
}

/// Remembers signals that arrive before they can be handled. By default each of them would end the process.
pub(super) struct Early {
    came: Vec<(i32, Arc<AtomicBool>)>,
    /// Whether `INT` and `TERM` have their default action, which ends the process at once.
    default: Arc<AtomicBool>,
}

impl Early {
    /// Call this before anything else.
    pub(super) fn watch() -> io::Result<Early> {
        let early = Early { came: SERVED.map(|number| (number, Arc::default())).into(), default: Arc::default() };
        for (number, came) in &early.came {
            flag::register(*number, Arc::clone(came))?;
        }
        for number in [SIGINT, SIGTERM] {
            flag::register_conditional_default(number, Arc::clone(&early.default))?;
        }
        Ok(early)
    }

    /// Restores the default action of `INT` and `TERM`, for a process that handles no signals and only waits.
    pub(super) fn give_up(&self) {
        self.default.store(true, Ordering::SeqCst);
        for (number, _) in self.came.iter().filter(|(_, came)| came.load(Ordering::SeqCst)) {
            if let Signal::Terminate(_) = Signal::of(*number) {
                // This ends the process.
                let _ = low_level::emulate_default_handler(*number);
            }
        }
    }
}

/// Handles signals until it is dropped.
pub(super) struct Catcher {
    /// The requests, in the order of arrival.
    pub signals: Receiver<Signal>,
    handle: Handle,
}

impl Catcher {
    /// Installs the handlers and starts the thread that waits for signals. Signals that came before are delivered
    /// first. The end of the thread is reported to `exits`.
    pub(super) fn start(early: &Early, exits: &Sender<Exit>) -> io::Result<Catcher> {
        let mut caught = Signals::new(SERVED)?;
        let handle = caught.handle();
        // Unbounded, because control messages never block; the kernel merges pending signals of the same kind.
        let (sender, signals) = unbounded();
        for (number, _) in early.came.iter().filter(|(_, came)| came.load(Ordering::SeqCst)) {
            // The send succeeds: this function still has the receiver.
            let _ = sender.send(Signal::of(*number));
        }
        thread::spawn("signals", exits, move || {
            for number in caught.forever() {
                if sender.send(Signal::of(number)).is_err() {
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
    use super::{Catcher, Early, Signal};
    use crate::thread::{Exit, How};
    use crossbeam_channel::unbounded;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    use signal_hook::low_level::raise;
    use std::time::Duration;

    #[test]
    fn each_signal_arrives_as_what_it_asks_for() {
        let limit = Duration::from_secs(10);
        let (sender, exits) = unbounded();
        let early = Early::watch().expect("handlers can be installed");
        for number in [SIGTERM, SIGHUP] {
            raise(number).expect("a signal can be raised");
        }
        let catcher = Catcher::start(&early, &sender).expect("handlers can be installed");
        for signal in [Signal::Reload, Signal::Terminate("SIGTERM")] {
            assert_eq!(catcher.signals.recv_timeout(limit), Ok(signal), "what came early is served");
        }
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
