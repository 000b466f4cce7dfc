//! One thread each: a loop that sends inputs to the core or carries out its outputs, without decisions. Workers share
//! channels and do not know each other.

pub(crate) mod asker;
pub(crate) mod hub;
pub(crate) mod keeper;
pub mod link;
pub mod listener;
pub mod roster;
pub(crate) mod token;
pub(crate) mod token_cell;
pub mod writer;
