//! A certificate authority for one test, so that TLS to the database can be tried in earnest.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name};

/// Signs certificates.
#[derive(Debug)]
pub struct Authority {
    own: X509,
    key: PKey<Private>,
}

/// A server's certificate and its key, both PEM.
#[derive(Debug)]
pub struct Certificate {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Authority {
    /// A new authority that nobody knows yet.
    ///
    /// # Panics
    ///
    /// When OpenSSL fails, which it does not.
    pub fn new() -> Authority {
        let key = key().expect("a key is made");
        let own = sign("lab authority", None, None, &key, &key).expect("a certificate is signed");
        Authority { own, key }
    }

    /// The authority's own certificate, PEM: what `sslrootcert` names.
    ///
    /// # Panics
    ///
    /// As [`Authority::new`].
    pub fn pem(&self) -> String {
        pem(self.own.to_pem())
    }

    /// A certificate for the host `name`.
    ///
    /// # Panics
    ///
    /// As [`Authority::new`].
    pub fn certify(&self, name: &str) -> Certificate {
        let key = key().expect("a key is made");
        let certificate = sign(name, Some(name), Some(&self.own), &key, &self.key).expect("a certificate is signed");
        Certificate { certificate: pem(certificate.to_pem()), key: pem(key.private_key_to_pem_pkcs8()) }
    }
}

impl Default for Authority {
    fn default() -> Authority {
        Authority::new()
    }
}

fn key() -> Result<PKey<Private>, ErrorStack> {
    PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)
}

/// Without an `issuer` it is an authority's own certificate; without a `host` it is for none.
fn sign(
    name: &str,
    host: Option<&str>,
    issuer: Option<&X509>,
    key: &PKey<Private>,
    signer: &PKey<Private>,
) -> Result<X509, ErrorStack> {
    let mut subject = X509Name::builder()?;
    subject.append_entry_by_nid(Nid::COMMONNAME, name)?;
    let subject = subject.build();
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(64, openssl::bn::MsbOption::MAYBE_ZERO, false)?;
    let serial = serial.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(issuer.map_or(&*subject, |issuer| issuer.subject_name()))?;
    let (from, until) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(30)?);
    builder.set_not_before(&from)?;
    builder.set_not_after(&until)?;
    builder.set_pubkey(key)?;
    if issuer.is_none() {
        builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
    }
    if let Some(host) = host {
        let names = SubjectAlternativeName::new().dns(host).build(&builder.x509v3_context(None, None))?;
        builder.append_extension(names)?;
    }
    builder.sign(signer, MessageDigest::sha256())?;
    Ok(builder.build())
}

fn pem(bytes: Result<Vec<u8>, ErrorStack>) -> String {
    String::from_utf8(bytes.expect("PEM is written")).expect("PEM is ASCII")
}
