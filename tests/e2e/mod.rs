//! The real program from end to end: it runs against a loopback Kick and a real PostgreSQL, and is
//! seen only as its user sees it, by the table and the log.

// What the tests stand on.
mod exposition;
pub(crate) mod scratch;
pub(crate) mod stage;

// A push event is in the table at once, and what is no evidence is not.
mod push;
// Whoever is in the table is watched, and nobody else.
mod roster;
// Several instances on one table, each of which follows every row.
mod instances;
// Several instances that share one table.
mod sharing;
// What push did not tell, the sweep finds, whatever the API is like.
mod sweep;
// Whom push does not cover is compared every few seconds.
mod coverage;
// Evidence that was once read wrongly.
mod evidence;
// Push connections that break, refuse, or go silent.
mod sockets;
// Where push goes, by what Kick says and what is configured.
mod discovery;
// Another transport is taken when the one in use is refused or goes silent.
mod transports;
// Push over Centrifugo, and what goes wrong with it.
mod centrifugo;
// Ids that Kick tells better than the table.
mod ids;
// Ids that a person looks up and puts into the table.
mod ids_command;
// Kick's webhooks: subscribed to, taken, refused.
pub(crate) mod webhooks;
// Tokens that end early or cannot be had, and secrets that stay secret.
mod token;
// What the outside may cost: open files, floods, patience.
pub(crate) mod limits;
// TLS to Kick.
mod tls;
// The database's weather.
mod weather;
// What the daemon has asked of the database when it stops, reloads, or the server is halted.
mod unanswered;

// Tables of every kind, by whatever way to the database.
mod tables;
// What a single row holds harms that row alone.
mod rows;
// How the process begins, what it says, and how it ends.
mod process;
// What the machine may do to it.
pub(crate) mod machine;
// A new configuration takes effect, and a broken one does not.
mod reload;
// Everything that the daemon needs is tried, and what fails is named.
mod check;
// What `check` says that helps, helps.
mod remedies;
// Root is told what the service will see.
mod acting;
// The very write statement is tried, on tables of every kind.
mod check_tables;
// What is wrong with a configuration is said, all of it.
mod configuration;
// Short drops that do not show, and when broadcasts began.
mod broadcasts;
// The printed table, role and trigger do what they promise.
mod schema;
// What the operator sees of the running daemon.
mod status;
// Its further forms: a list, a line for a monitoring system, a screen that is drawn anew.
mod views;
// A dead man's switch elsewhere.
mod heartbeat;
// The command line and the exit codes.
mod cli;
