//! Whom the connections of push trust: the platform's authorities and those of `TLS_CA_FILE`.
//! It speaks to nobody, and leaves the judging of certificates to OpenSSL.

use crate::gateway::trust::Trusting;
use native_tls::{Certificate, TlsConnector};

/// The authorities, for all connections of a configuration.
#[derive(Debug)]
pub struct Authorities {
    own: Option<String>,
    connector: Trusting<TlsConnector>,
}

impl Authorities {
    /// Those of the platform and of `own` (PEM).
    pub fn new(own: Option<String>) -> Authorities {
        Authorities { own, connector: Trusting::new() }
    }

    /// What makes a TLS connection of another.
    pub(super) fn connector(&self) -> Result<TlsConnector, native_tls::Error> {
        self.connector.get(|| {
            let mut builder = TlsConnector::builder();
            if let Some(pem) = &self.own {
                for certificate in Certificate::stack_from_pem(pem.as_bytes())? {
                    builder.add_root_certificate(certificate);
                }
            }
            builder.build()
        })
    }
}
