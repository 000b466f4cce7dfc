//! Certificates made for one run: an authority, and a server certificate that is right or wrong in one
//! way. Nothing of it touches a disk.

use native_tls::{Identity, TlsAcceptor};
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use std::io;

/// What is right or wrong about the server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For 127.0.0.1 and localhost, valid, of the authority that `ca_pem` gives.
    Right,
    /// Expired yesterday.
    Expired,
    /// For another host.
    WrongHost,
    /// Of another authority than `ca_pem` gives.
    UnknownAuthority,
}

/// What the listeners need, and the authority that clients are to trust, in PEM.
pub(crate) fn acceptor(certificate: Certificate) -> io::Result<(TlsAcceptor, String)> {
    let trusted = Authority::make()?;
    let signer = match certificate {
        Certificate::UnknownAuthority => &Authority::make()?,
        _ => &trusted,
    };
    let (chain, key) = signer.issue(certificate)?;
    let identity = Identity::from_pkcs8(&chain, &key).map_err(io::Error::other)?;
    let acceptor = TlsAcceptor::new(identity).map_err(io::Error::other)?;
    let pem = trusted.certificate.to_pem()?;
    Ok((acceptor, String::from_utf8_lossy(&pem).into_owned()))
}

/// A right certificate and its key, for a server of somebody else's, and the authority that clients are to trust; all in
/// PEM.
///
/// # Errors
/// OpenSSL cannot make them.
pub fn certificate() -> io::Result<[Vec<u8>; 3]> {
    let authority = Authority::make()?;
    let (chain, key) = authority.issue(Certificate::Right)?;
    Ok([chain, key, authority.certificate.to_pem()?])
}

struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    fn make() -> Result<Authority, ErrorStack> {
        let key = new_key()?;
        let mut builder = begin("kick-sim authority", &key, -1, 365)?;
        let subject = name("kick-sim authority")?;
        builder.set_issuer_name(&subject)?;
        builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Authority { certificate: builder.build(), key })
    }

    /// A server certificate and its key, in PEM.
    fn issue(&self, kind: Certificate) -> Result<(Vec<u8>, Vec<u8>), ErrorStack> {
        let key = new_key()?;
        let last_day = if kind == Certificate::Expired { -1 } else { 30 };
        let mut builder = begin("kick-sim", &key, -30, last_day)?;
        builder.set_issuer_name(self.certificate.subject_name())?;
        let mut names = SubjectAlternativeName::new();
        match kind {
            Certificate::WrongHost => names.dns("elsewhere.invalid").ip("127.0.0.9"),
            _ => names.dns("localhost").ip("127.0.0.1"),
        };
        let names = names.build(&builder.x509v3_context(Some(&self.certificate), None))?;
        builder.append_extension(names)?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        Ok((builder.build().to_pem()?, key.private_key_to_pem_pkcs8()?))
    }
}

fn begin(common_name: &str, key: &PKey<Private>, first_day: i64, last_day: i64) -> Result<X509Builder, ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&*name(common_name)?)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*day(first_day)?)?;
    builder.set_not_after(&*day(last_day)?)?;
    Ok(builder)
}

fn day(from_today: i64) -> Result<Asn1Time, ErrorStack> {
    Asn1Time::from_unix(crate::clock::now().wall.as_second() + from_today * 86_400)
}

fn name(common_name: &str) -> Result<openssl::x509::X509Name, ErrorStack> {
    let mut builder = X509NameBuilder::new()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, common_name)?;
    Ok(builder.build())
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}
