//! One thread each: a loop that brings inputs to the core or carries out its outputs, and decides
//! nothing. Workers share channels and do not know each other.

pub mod asker;
pub mod hub;
pub mod keeper;
pub mod link;
pub mod listener;
pub mod roster;
pub mod token;
pub mod token_cell;
pub mod writer;
