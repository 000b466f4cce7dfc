//! kick-monitor keeps the Online/Offline status of Kick.com streamers in the user's own PostgreSQL table.
//! ARCHITECTURE.md is the map. A floor uses only the floors below it:
//!
//! ```text
//! 4  process/   the life of the process
//! 3  worker/    one thread each: a loop, no decisions
//! 2  gateway/   one outside party each: blocking, typed errors
//! 1  monitor/   wire/   config/            decisions: pure
//! 0  domain/   clock   stop   thread   backoff   repeats   words, and five tools without opinions
//! ```

pub(crate) mod backoff;
pub mod clock;
pub mod config;
pub mod domain;
pub mod gateway;
pub mod monitor;
pub mod process;
pub(crate) mod repeats;
pub mod stop;
pub(crate) mod thread;
pub mod wire;
pub mod worker;
