//! The authorities to trust when `TLS_CA_FILE` names further ones: they are added to the platform's.
//!
//! ureq takes either the platform's store or a list of its own, never both, so the platform's
//! certificates are read here and the others put beside them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use ureq::tls::{Certificate, PemItem, parse_pem};

/// The platform's authorities and those in `pem`, each once. What is not a certificate is passed
/// over, as OpenSSL does; the configuration has checked `pem` already.
pub(super) fn platform_and(pem: &str) -> Vec<Certificate<'static>> {
    let mut known = BTreeSet::new();
    let mut roots = Vec::new();
    let files = platform_files().into_iter().filter_map(|file| fs::read(file).ok());
    for pem in files.chain([pem.as_bytes().to_vec()]) {
        for item in parse_pem(&pem) {
            if let Ok(PemItem::Certificate(root)) = item {
                // Debian has each authority in the bundle and twice in the directory.
                if known.insert(root.der().to_vec()) {
                    roots.push(root);
                }
            }
        }
    }
    roots
}

/// Where the platform keeps its authorities: the places that native-tls loads, `SSL_CERT_FILE` and
/// `SSL_CERT_DIR` before all.
fn platform_files() -> Vec<PathBuf> {
    let places = openssl_probe::probe();
    let listed = places.cert_dir.iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten();
    places.cert_file.into_iter().chain(listed.filter_map(Result::ok).map(|entry| entry.path())).collect()
}
