//! What the tests and the demonstration stand on: a private PostgreSQL, and patience with a
//! deadline. Everything here listens on 127.0.0.1 or on a socket in a private directory, and ends
//! with the process that started it, however that ends.

mod authority;
mod cluster;
mod database;
mod spawner;
mod wait;

pub use authority::{Authority, Certificate};
pub use cluster::{Cluster, Shutdown};
pub use database::Database;
pub use spawner::spawn;
pub use wait::wait_for;
