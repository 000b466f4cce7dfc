//! The one outer test binary: a list of modules, each against real parts on this machine.

// The gateway to PostgreSQL and its workers, against a server of their own.
mod database;
// The program as a whole.
mod e2e;
// Everything that can go wrong with every way out of the program.
mod faults;
// Bytes from outside that mean nothing.
mod fuzz;
// The rules of the house: floors, dependencies, the shape of files.
mod house;
// Parts that others wrote, for `make interop`.
mod interop;
// The core in a simulated world.
mod simulate;
