//! What the tests and the demonstration stand on: a private PostgreSQL, a running daemon, and
//! patience with a deadline. Everything here listens on 127.0.0.1 or on a socket in a private
//! directory, and ends with the process that started it, however that ends.

mod authority;
mod bouncer;
mod cluster;
mod daemon;
mod database;
mod directory;
mod log;
mod relay;
mod spawner;
mod wait;

pub use authority::{Authority, Certificate};
pub use bouncer::Bouncer;
pub use cluster::{Cluster, Shutdown, free_port};
pub use daemon::{Builder, Daemon};
pub use database::Database;
pub use log::{Line, witness};
pub use relay::{Relay, Trouble};
pub use rustix::process::Signal;
pub use spawner::{Who, spawn};
pub use wait::wait_for;
