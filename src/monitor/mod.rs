//! The decision core: what we believe of every streamer, and what is to be done about it (RULES.md).
//!
//! `Monitor` never reads a clock, a socket or a random number, never blocks and never fails. Threads
//! bring it inputs and carry out its outputs; the transcripts in its tests are its specification.

pub mod io;
