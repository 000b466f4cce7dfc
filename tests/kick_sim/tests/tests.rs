//! The simulator from outside: raw sockets and a websocket client against every face.

// The program.
mod bin;
// Which transport, and guest tokens.
mod broker;
// Centrifugo's websocket.
mod centrifugo;
// A client that shares no code with the server.
mod client;
// What can go wrong on the HTTP faces.
mod faults;
// The shapes and limits of the HTTP faces.
mod http;
// Pusher's websocket.
mod push;
// Certificates.
mod tls;
