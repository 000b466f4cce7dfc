//! Kick's webhooks (docs/kick.md §7, §10.5): subscriptions with their quirks, and deliveries with real signatures, which a
//! test sends when, how often and in what order it likes.

use jiff::{SignedDuration, Timestamp};
use openssl::base64;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::time::Duration;

/// The event that is delivered.
const EVENT: &str = "livestream.status.updated";
/// How long a delivery waits for its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What Kick keeps of the app's webhooks.
#[derive(Debug)]
pub(crate) struct Webhooks {
    key: PKey<Private>,
    /// The user whom each subscription is about.
    subscriptions: BTreeMap<String, i64>,
    /// New ones are confirmed and never listed.
    pub(crate) hides: bool,
    /// Why new ones are refused, in an answer with 200.
    pub(crate) refuses: Option<String>,
    made: u64,
    messages: u64,
}

/// One delivery: it can be changed, and be sent to any address, at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Kick's id of the message.
    pub message: String,
    /// Kick's time stamp.
    pub sent: String,
    /// Over the two and the body, in base64.
    pub signature: String,
    /// What it says.
    pub body: String,
}

/// A key takes a while to make, so all that run in one process begin with the same.
fn first_key() -> PKey<Private> {
    static KEY: OnceLock<PKey<Private>> = OnceLock::new();
    KEY.get_or_init(new_key).clone()
}

fn new_key() -> PKey<Private> {
    Rsa::generate(2048).and_then(PKey::from_rsa).expect("OpenSSL makes keys")
}

impl Webhooks {
    pub(crate) fn new() -> Webhooks {
        let subscriptions = BTreeMap::new();
        Webhooks { key: first_key(), subscriptions, hides: false, refuses: None, made: 0, messages: 0 }
    }

    pub(crate) fn public_key(&self) -> String {
        let pem = self.key.public_key_to_pem().expect("a key has a public part");
        String::from_utf8(pem).expect("PEM is text")
    }

    pub(crate) fn new_key(&mut self) {
        self.key = new_key();
    }

    /// A new subscription's id.
    pub(crate) fn subscribe(&mut self, user: i64) -> String {
        self.made += 1;
        let id = format!("01KICKSIM{:017}", self.made);
        if !self.hides {
            self.subscriptions.insert(id.clone(), user);
        }
        id
    }

    pub(crate) fn remove(&mut self, keeps: impl Fn(&str, i64) -> bool) {
        self.subscriptions.retain(|id, user| keeps(id, *user));
    }

    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = (&String, &i64)> {
        self.subscriptions.iter()
    }

    /// A delivery about a broadcast that began at `start`.
    pub(crate) fn delivery(
        &mut self,
        user: i64,
        slug: &str,
        live: bool,
        start: Timestamp,
        sent: Timestamp,
    ) -> Delivery {
        self.messages += 1;
        let ended_at = (!live).then(|| sent.to_string());
        let body = json!({
            "broadcaster": {
                "is_anonymous": false,
                "user_id": user,
                "username": slug,
                "is_verified": true,
                "profile_picture": "",
                "channel_slug": slug,
                "identity": null,
            },
            "is_live": live,
            "title": format!("{slug} | ¡hola! 🎮"),
            "started_at": start.to_string(),
            "ended_at": ended_at,
        });
        let message = format!("01KICKMESSAGE{:013}", self.messages);
        let mut delivery =
            Delivery { message, sent: sent.to_string(), signature: String::new(), body: body.to_string() };
        delivery.signature = self.sign(&delivery);
        delivery
    }

    fn sign(&self, Delivery { message, sent, body, .. }: &Delivery) -> String {
        let text = format!("{message}.{sent}.{body}");
        let signed = Signer::new(MessageDigest::sha256(), &self.key)
            .and_then(|mut signer| signer.sign_oneshot_to_vec(text.as_bytes()));
        base64::encode_block(&signed.expect("OpenSSL signs"))
    }
}

impl Delivery {
    /// The request, byte by byte, on a connection that ends with it.
    pub fn request(&self, path: &str) -> String {
        let Delivery { message, sent, signature, body } = self;
        let mut request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        let _ = write!(request, "Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        let _ = write!(request, "Kick-Event-Message-Id: {message}\r\nKick-Event-Subscription-Id: 01KICKSIM\r\n");
        let _ = write!(request, "Kick-Event-Signature: {signature}\r\nKick-Event-Message-Timestamp: {sent}\r\n");
        let _ = write!(request, "Kick-Event-Type: {EVENT}\r\nKick-Event-Version: 1\r\n\r\n{body}");
        request
    }

    /// Sends it to `HOST:PORT` or `unix:/PATH`, path `/kick`, and gives the status of the answer.
    ///
    /// # Errors
    /// Nobody listens there, or no answer comes.
    pub fn send(&self, address: &str) -> io::Result<u16> {
        status_of(address, self.request("/kick").as_bytes())
    }
}

/// Sends bytes to `HOST:PORT` or `unix:/PATH` and gives the status of the answer.
///
/// # Errors
/// Nobody listens there, or no answer comes.
pub fn status_of(address: &str, bytes: &[u8]) -> io::Result<u16> {
    let mut answer = String::new();
    match address.strip_prefix("unix:") {
        Some(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(stream, bytes, &mut answer)?;
        }
        None => {
            let stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(stream, bytes, &mut answer)?;
        }
    }
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    status.ok_or_else(|| io::Error::other(format!("no status: {answer:?}")))
}

fn exchange(mut stream: impl Read + Write, bytes: &[u8], answer: &mut String) -> io::Result<()> {
    // Who is refused early need not read the rest.
    let _ = stream.write_all(bytes);
    match stream.read_to_string(answer) {
        // The end of the connection may be a reset after the answer.
        Err(error) if answer.is_empty() => Err(error),
        _ => Ok(()),
    }
}

/// How long ago Kick sent something, if a test says so.
pub(crate) fn earlier(now: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| now.checked_sub(by).ok()).unwrap_or(now)
}
