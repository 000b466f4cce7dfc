//! Kick's public key, and whether a signature is Kick's (docs/kick.md §7): RSA, PKCS #1 v1.5, SHA-256.

use openssl::base64;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Public};
use openssl::sign::Verifier;

/// The key.
#[derive(Debug)]
pub(crate) struct Key(PKey<Public>);

impl Key {
    /// The key in this PEM text, if it is an RSA key.
    pub(crate) fn from_pem(pem: &str) -> Option<Key> {
        let key = PKey::public_key_from_pem(pem.as_bytes()).ok()?;
        (key.id() == Id::RSA).then_some(Key(key))
    }

    /// Whether the signature, in base64, is one of this text.
    pub(crate) fn holds(&self, text: &[u8], signature: &str) -> bool {
        // A signature that is no base64, or has another length than the key, is just wrong.
        let Ok(signature) = base64::decode_block(signature) else { return false };
        let verified = Verifier::new(MessageDigest::sha256(), &self.0)
            .and_then(|mut verifier| verifier.verify_oneshot(&signature, text));
        verified.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::Key;
    use openssl::base64;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use openssl::sign::Signer;

    #[test]
    fn only_a_signature_of_that_text_by_that_key_holds() {
        let private = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
        let pem = String::from_utf8(private.public_key_to_pem().expect("PEM")).expect("text");
        let key = Key::from_pem(&pem).expect("an RSA key");
        let mut signer = Signer::new(MessageDigest::sha256(), &private).expect("a signer");
        let good = base64::encode_block(&signer.sign_oneshot_to_vec(b"1.2.{}").expect("signed"));
        assert!(key.holds(b"1.2.{}", &good));
        assert!(!key.holds(b"1.2.{ }", &good));
        for bad in ["", "x", "====", "YQ==", &good[..good.len() - 4], &format!("{good}YQ=="), &good.replace('A', "B")] {
            assert!(!key.holds(b"1.2.{}", bad), "{bad}");
        }
        let other = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
        let other = String::from_utf8(other.public_key_to_pem().expect("PEM")).expect("text");
        assert!(!Key::from_pem(&other).expect("a key").holds(b"1.2.{}", &good));
    }

    #[test]
    fn only_an_rsa_key_is_a_key() {
        let ed25519 = PKey::generate_ed25519().expect("a key").public_key_to_pem().expect("PEM");
        for pem in
            ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", &String::from_utf8_lossy(&ed25519)]
        {
            assert!(Key::from_pem(pem).is_none(), "{pem}");
        }
    }
}
