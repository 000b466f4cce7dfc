//! The simulator from outside: raw sockets and a websocket client against every face.

// The program.
mod bin;
// A client that shares no code with the server.
mod client;
// What can go wrong on the HTTP faces.
mod faults;
// The shapes and limits of the HTTP faces.
mod http;
// The push websocket.
mod push;
// Certificates.
mod tls;
