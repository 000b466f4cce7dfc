//! The program: everything is in the library, and this ends the process.

fn main() {}
