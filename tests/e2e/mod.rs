//! The real program from end to end: it runs against a loopback Kick and a real PostgreSQL, and is
//! seen only as its user sees it, by the table and the log.

// What the tests stand on.
mod stage;

// A push event is in the table at once, and what is no evidence is not.
mod push;
// Whoever is in the table is watched, and nobody else.
mod roster;
// What push did not tell, the sweep finds, whatever the API is like.
mod sweep;
// Push connections that break, refuse, or go silent.
mod sockets;
// Tokens that end early or cannot be had, and secrets that stay secret.
mod token;
// TLS to Kick.
mod tls;
// The database's weather.
mod weather;
