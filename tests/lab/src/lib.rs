//! Test ground.
