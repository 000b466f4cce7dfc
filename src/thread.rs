//! The only file that starts threads: each has a name, and its end is always reported.

use crate::domain::event::Event;
use crossbeam_channel::Sender;
use std::any::Any;
use std::cell::RefCell;
use std::io;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::thread::{Builder, JoinHandle};

/// The length, in bytes, that the kernel allows for a thread's name (pthread_setname_np(3)).
const NAME_BYTES_MAX: usize = 15;

/// The report that a thread has ended. The thread sends nothing after it and has dropped all that its body owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The thread's name, as given to [`spawn`].
    pub name: String,
    pub how: How,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It returned `Ok`: it was told to end.
    Ended,
    /// It returned an error: the error with its whole chain of causes.
    Failed(String),
    /// It panicked: the panic's message and location.
    Panicked(String),
}

/// Starts a thread that runs `body` and reports its end to `exits`. Fails if the system cannot create a thread.
pub(crate) fn spawn<F>(name: &str, exits: &Sender<Exit>, body: F) -> io::Result<JoinHandle<()>>
where
    F: FnOnce() -> anyhow::Result<()> + Send + 'static,
{
    assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX, "thread name {name:?} would be cut");
    let exits = exits.clone();
    Builder::new().name(name.to_owned()).spawn({
        let name = name.to_owned();
        move || {
            // Unwind safety: the state that a panic may leave inconsistent belongs to the body and is dropped with
            // it.
            let how = match panic::catch_unwind(AssertUnwindSafe(body)) {
                Ok(Ok(())) => How::Ended,
                Ok(Err(error)) => How::Failed(format!("{error:#}")),
                Err(payload) => How::Panicked(last_panic(payload.as_ref())),
            };
            // There is no receiver if the process ends without waiting for this thread.
            let _ = exits.send(Exit { name, how });
        }
    })
}

/// Installs a panic hook that writes panics to the log, without a backtrace. Call it once.
pub(crate) fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let text = describe(info);
        Event::Detail { what: "panic", text: text.clone() }.say();
        LAST_PANIC.with_borrow_mut(|last| *last = Some(text));
    }));
}

thread_local! {
    /// Only the panic hook gets a panic's location; the code that catches the panic reports it from here.
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The message and location of the panic that was just caught on this thread.
pub(crate) fn last_panic(payload: &(dyn Any + Send)) -> String {
    LAST_PANIC.take().unwrap_or_else(|| words(payload).to_owned())
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    match info.location() {
        Some(place) => format!("{} at {}:{}", words(info.payload()), place.file(), place.line()),
        None => words(info.payload()).to_owned(),
    }
}

fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

#[cfg(test)]
mod tests {
    use super::{How, spawn};
    use crossbeam_channel::unbounded;
    use std::time::Duration;

    fn how(body: impl FnOnce() -> anyhow::Result<()> + Send + 'static) -> How {
        let (sender, exits) = unbounded();
        spawn("a-worker", &sender, body).expect("threads can be had");
        let exit = exits.recv_timeout(Duration::from_secs(10)).expect("the end is reported");
        assert_eq!(exit.name, "a-worker");
        exit.how
    }

    #[test]
    fn every_end_is_reported() {
        assert_eq!(how(|| Ok(())), How::Ended);
        let error = || Err(anyhow::anyhow!("no route").context("failed to connect"));
        assert_eq!(how(error), How::Failed("failed to connect: no route".to_owned()));
        let How::Panicked(text) = how(|| panic!("no {}", "way")) else { panic!("the panic went unnoticed") };
        assert!(text.starts_with("no way"), "{text}");
    }

    #[test]
    fn what_a_body_holds_is_gone_before_its_end_is_reported() {
        let (held, witness) = unbounded::<()>();
        how(move || {
            let _held = held;
            panic!("with something in hand")
        });
        assert!(witness.try_recv().is_err_and(|e| e.is_disconnected()));
    }
}
