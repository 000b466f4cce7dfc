//! Which certificates the gateway trusts: those of the platform's authorities and those of `TLS_CA_FILE`, and no
//! others.

use super::server::{Server, json};
use super::{Kick, REQUEST_LIMIT, config, users};
use crate::domain::ask::{FailureKind, Phase};
use native_tls::{Identity, TlsAcceptor};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use std::process::Command;

/// The variable by which this test, when it runs itself in another process, learns the servers to try.
const SERVERS: &str = "KICK_MONITOR_TEST_TLS";

struct Authority {
    key: PKey<Private>,
    root: X509,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let key = key();
        let root = certificate(name, &key, None);
        Authority { key, root }
    }

    fn pem(&self) -> String {
        String::from_utf8(self.root.to_pem().expect("PEM")).expect("PEM is text")
    }

    /// A server for 127.0.0.1 with a certificate of this authority.
    fn server(&self) -> Server {
        let key = key();
        let leaf = certificate("127.0.0.1", &key, Some(self));
        let identity =
            Identity::from_pkcs8(&leaf.to_pem().expect("PEM"), &key.private_key_to_pem_pkcs8().expect("PEM"));
        let acceptor = TlsAcceptor::new(identity.expect("an identity")).expect("an acceptor");
        Server::start_tls(acceptor, |_| json(r#"{"data":[]}"#))
    }
}

fn key() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key")
}

/// An authority's own certificate, or one for 127.0.0.1 that is issued by `by`.
fn certificate(name: &str, key: &PKey<Private>, by: Option<&Authority>) -> X509 {
    let mut subject = X509NameBuilder::new().expect("a name");
    subject.append_entry_by_text("CN", name).expect("a name");
    let subject = subject.build();
    let mut builder = X509::builder().expect("a builder");
    builder.set_version(2).expect("X.509 v3");
    let serial = BigNum::from_u32(if by.is_some() { 2 } else { 1 }).and_then(|number| number.to_asn1_integer());
    builder.set_serial_number(&serial.expect("a number")).expect("a serial");
    builder.set_subject_name(&subject).expect("a subject");
    builder.set_issuer_name(by.map_or(&*subject, |by| by.root.subject_name())).expect("an issuer");
    builder.set_pubkey(key).expect("a key");
    builder.set_not_before(&Asn1Time::days_from_now(0).expect("a time")).expect("a start");
    builder.set_not_after(&Asn1Time::days_from_now(1).expect("a time")).expect("an end");
    let extension = match by {
        None => BasicConstraints::new().critical().ca().build(),
        Some(_) => SubjectAlternativeName::new().ip("127.0.0.1").build(&builder.x509v3_context(None, None)),
    };
    builder.append_extension(extension.expect("an extension")).expect("an extension");
    builder.sign(by.map_or(key, |by| &by.key), MessageDigest::sha256()).expect("a signature");
    builder.build()
}

/// Whether the server at `base` is trusted, given these additional authorities.
fn trusted(base: &str, own: Option<String>) -> bool {
    let mut config = config(base);
    config.tls_ca = own;
    match Kick::new(&config, REQUEST_LIMIT).ask(None, &users()).result {
        Ok(_) => true,
        Err(failure) => {
            assert_eq!(failure.kind, FailureKind::Network(Phase::Tls));
            assert!(failure.text.starts_with("TLS failed: ") && failure.text.contains("certificate"), "{failure:?}");
            false
        }
    }
}

#[test]
fn an_authority_of_ones_own_is_trusted_when_named() {
    let (own, stranger) = (Authority::new("own"), Authority::new("stranger"));
    let server = own.server();
    assert!(trusted(&server.base, Some(own.pem())));
    assert!(!trusted(&server.base, Some(stranger.pem())));
    assert!(!trusted(&server.base, None));
}

/// The platform's store can only be replaced for a whole process, so the test runs itself in another process.
#[test]
fn the_platforms_authorities_stay_trusted_beside_ones_own() {
    if let Ok(servers) = std::env::var(SERVERS) {
        let [platform, own, stranger, pem] = servers.split('|').collect::<Vec<_>>()[..] else { panic!("four parts") };
        for (base, with_own, expected) in [
            (platform, true, true),
            (platform, false, true),
            (own, true, true),
            (own, false, false),
            (stranger, true, false),
        ] {
            assert_eq!(trusted(base, with_own.then(|| pem.to_owned())), expected, "{base} {with_own}");
        }
        return;
    }
    let authorities = ["platform", "own", "stranger"].map(Authority::new);
    let servers = [0, 1, 2].map(|i: usize| authorities[i].server());
    let store = std::env::temp_dir().join(format!("kick-monitor-roots-{}.pem", fastrand::u64(..)));
    std::fs::write(&store, authorities[0].pem()).expect("a file");
    let name = std::thread::current().name().expect("a test has a name").to_owned();
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", &name, "--nocapture"])
        .env("SSL_CERT_FILE", &store)
        .env(SERVERS, [&*servers[0].base, &servers[1].base, &servers[2].base, &authorities[1].pem()].join("|"))
        .output()
        .expect("this program runs");
    std::fs::remove_file(&store).expect("the file is ours");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
