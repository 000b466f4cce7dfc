//! One thread each: a loop that sends inputs to the core or carries out its outputs, without decisions. Workers share
//! channels and do not know each other.

pub(crate) mod asker;
pub mod coordinator;
pub(crate) mod heartbeat;
pub mod hold_cell;
pub(crate) mod hub;
pub(crate) mod keeper;
pub mod link;
pub mod listener;
pub mod passing_cell;
pub mod roster;
pub(crate) mod token;
pub(crate) mod token_cell;
pub(crate) mod webhook;
pub(crate) mod webhook_cell;
pub mod writer;

use crate::clock::Pulse;
use crate::stop::Stop;

/// One run of a thread's loop. A worker that fails or panics is made and run again.
///
/// To add a worker: write a file in this folder with a type that implements this trait, and add it in `process/crew.rs`
/// with a name, a stage, and a closure that makes it. If it holds channels and shared parts only, it can derive `Clone`,
/// and the closure clones it.
pub trait Worker: Send + 'static {
    /// Runs until `stop`, or until a channel hangs up, and then returns `Ok`. Every turn renews the promise of `pulse`.
    fn run(self, pulse: &Pulse, stop: &Stop) -> anyhow::Result<()>;
}
