//! The authorities that push connections trust: the platform's and those of `TLS_CA_FILE`. Certificates are verified
//! by OpenSSL.

use crate::gateway::trust::Trusting;
use native_tls::{Certificate, TlsConnector};

/// The authorities for all connections of one configuration.
#[derive(Debug)]
pub struct Authorities {
    own: Option<String>,
    connector: Trusting<TlsConnector>,
}

impl Authorities {
    /// The authorities of the platform and those in `own` (PEM).
    pub fn new(own: Option<String>) -> Authorities {
        Authorities { own, connector: Trusting::new() }
    }

    /// The TLS connector with these authorities.
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
