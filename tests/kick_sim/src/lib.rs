//! A loopback Kick.
