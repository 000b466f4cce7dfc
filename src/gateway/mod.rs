//! Access to outside parties, one per module: blocking calls, typed errors, no decisions. Gateways do not know each
//! other.

pub mod database;
pub(crate) mod heartbeat;
mod http;
pub mod kick;
pub(crate) mod socket;
pub mod state;
mod trust;
pub(crate) mod webhook;
