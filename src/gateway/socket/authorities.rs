//! Whom connections trust: the platform's authorities and those of `TLS_CA_FILE`.
//!
//! They are read once for all connections: Debian's hundred and fifty take 0.9 MB and tens of milliseconds, and a
//! great roster has a thousand connections. Nothing is trusted, or not trusted, because it was so at the start: when
//! the platform's files change, the next connection has them read anew.

use native_tls::{Certificate, TlsConnector};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// The authorities, for all connections of a configuration.
#[derive(Debug)]
pub struct Authorities {
    own: Option<String>,
    read: Mutex<Option<(Vec<Written>, TlsConnector)>>,
}

impl Authorities {
    /// Those of the platform and of `own` (PEM).
    #[must_use]
    pub fn new(own: Option<String>) -> Authorities {
        Authorities { own, read: Mutex::default() }
    }

    /// What makes a TLS connection of another.
    pub(super) fn connector(&self) -> Result<TlsConnector, native_tls::Error> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let written = platform_written();
        if let Some((_, connector)) = read.as_ref().filter(|(as_of, _)| *as_of == written) {
            return Ok(connector.clone());
        }
        let mut builder = TlsConnector::builder();
        if let Some(pem) = &self.own {
            for certificate in Certificate::stack_from_pem(pem.as_bytes())? {
                builder.add_root_certificate(certificate);
            }
        }
        let connector = builder.build()?;
        *read = Some((written, connector.clone()));
        Ok(connector)
    }
}

/// Which file it is, and since when; none when there is none.
type Written = Option<(u64, SystemTime)>;

/// The platform's bundle and its directories, which are what native-tls reads.
fn platform_written() -> Vec<Written> {
    let places = openssl_probe::probe();
    let written = |place| fs::metadata(place).ok().and_then(|about| Some((about.ino(), about.modified().ok()?)));
    places.cert_file.iter().chain(&places.cert_dir).map(written).collect()
}
