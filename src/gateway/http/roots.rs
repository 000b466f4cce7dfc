//! The trusted authorities if `TLS_CA_FILE` is set: its certificates in addition to the platform's.
//!
//! ureq uses either the platform's store or a list of certificates, never both, so the platform's certificates are
//! read here and the others are added.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use ureq::tls::{Certificate, PemItem, parse_pem};

/// The platform's authorities and those in `pem`, without duplicates. Anything that is not a certificate is skipped,
/// as OpenSSL does; `pem` was validated with the configuration.
pub(super) fn platform_and(pem: &str) -> Vec<Certificate<'static>> {
    let mut known = BTreeSet::new();
    let mut roots = Vec::new();
    let files = platform_files().into_iter().filter_map(|file| fs::read(file).ok());
    for pem in files.chain([pem.as_bytes().to_vec()]) {
        for item in parse_pem(&pem).flatten() {
            if let PemItem::Certificate(root) = item {
                // On Debian each authority is in the bundle and twice in the directory.
                if known.insert(root.der().to_vec()) {
                    roots.push(root);
                }
            }
        }
    }
    roots
}

/// Where the platform's authorities are: the places that native-tls reads, with `SSL_CERT_FILE` and `SSL_CERT_DIR`
/// taking precedence.
fn platform_files() -> Vec<PathBuf> {
    let places = openssl_probe::probe();
    let listed = places.cert_dir.iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten();
    places.cert_file.into_iter().chain(listed.filter_map(Result::ok).map(|entry| entry.path())).collect()
}
