//! Faults on every edge of the real program: what was injected, how long until all was right again, and
//! that nothing false was written and nothing lost. `make faults` prints the matrix.

// What befalls the database itself.
mod database;
// What befalls the program and its machine.
mod machine;
// What came of each fault.
mod matrix;
// All of it away at once.
mod outage;
// What a single bad row may do.
mod rows;
// A long life with all of that.
mod soak;
// The ways to Kick and to the database, and what is wrong with them.
mod ways;
// The way on which webhooks come.
mod webhooks;
