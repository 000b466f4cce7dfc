//! tests

// The core in a simulated world.
mod simulate;
