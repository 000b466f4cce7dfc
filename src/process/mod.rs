//! The life of the process: command line, configuration file, logging, signals, supervision. The one
//! floor that builds, starts and stops the others.

pub mod daemon;
pub mod logging;
pub mod notify;
pub mod signals;
pub mod supervisor;
pub mod thread;
