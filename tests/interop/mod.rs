//! Other people's parts: a Pusher server, a Centrifugo client, a web server and Prometheus, which know nothing of us.
//! `make interop` installs them and runs this; `make test`, which is to need nothing of npm's, passes it over.
//!
//! soketi asks for uWebSockets.js by an address of git's. In `package-lock.json` it asks, by hand, for the same
//! as a package of npm's: an override there is beyond the npm of Debian 12.

// The official client against our own Centrifugo: whether that is one.
mod centrifuge;
// Webhooks through a real web server, as the example has it.
mod nginx;
// The metrics, the alerts and the dashboard in a real Prometheus.
mod prometheus;
// The program against a real Pusher server.
mod pusher;
// That server.
mod soketi;

use std::path::{Path, PathBuf};

/// Where `make interop` installed the parts.
///
/// # Panics
///
/// When it has not.
fn parts() -> PathBuf {
    let parts = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop");
    assert!(parts.join("node_modules").exists(), "the parts are not installed; run: make interop");
    parts
}
