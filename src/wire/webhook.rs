//! One connection over which webhooks come: bytes in, requests out, one after another. Only the framing, the headers
//! and the body are judged here; the signature, the age and the message id are the worker's to judge.
//!
//! Whatever is sent, no more is kept than one request of the greatest length.

use crate::domain::json::{Json, mended};
use crate::domain::time::{Timestamp, parse_kick_time};
use crate::domain::webhook::{Delivery, EVENT, Refusal};
use crate::domain::{Status, Steady, UserId};
use httparse::Status::{Complete, Partial};
use std::net::IpAddr;

/// The longest request line with headers, in bytes, and the most headers.
const HEAD_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// The longest body, in bytes. Chunks may add as much again.
const BODY_MAX: usize = 64 << 10;
/// The longest header of Kick's, in bytes: a signature takes 344.
const VALUE_MAX: usize = 1024;

/// The state of one connection.
#[derive(Debug)]
pub struct Reader {
    /// `WEBHOOK_PATH`
    path: String,
    raw: Vec<u8>,
    /// The head of the request that is being read, and what has come of its body.
    head: Option<Head>,
    from: Option<IpAddr>,
}

/// What a connection has brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    /// No whole request yet.
    Nothing,
    /// The client waits for the word to send the body (RFC 9110, 10.1.1).
    Continue,
    /// What has come is refused; nothing after it on this connection can be read.
    Refused(Refusal),
    /// A request whose headers are in order.
    Whole(Request),
}

/// A request whose headers are in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Kick's id of the message.
    pub message: String,
    /// When Kick sent it, by Kick's clock.
    pub sent: Timestamp,
    /// The signature, in base64.
    pub signature: String,
    /// The connection may bring another request.
    pub stays: bool,
    is_status: bool,
    /// The timestamp as it was sent, for the signature.
    sent_text: String,
    body: Vec<u8>,
}

#[derive(Debug)]
struct Head {
    /// Without its body.
    request: Request,
    body: Body,
    waits: bool,
}

/// How the end of a body is known.
#[derive(Debug)]
enum Body {
    Length(usize),
    Chunks,
    /// The last chunk has come; lines may follow, up to an empty one.
    Trailer,
}

impl Reader {
    /// Requests to another path than `path` are refused.
    pub fn new(path: &str) -> Reader {
        Reader { path: path.to_owned(), raw: Vec::new(), head: None, from: None }
    }

    /// Adds what has been read.
    pub fn take(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
    }

    /// Whether a part of a request is there.
    pub fn is_amid(&self) -> bool {
        self.head.is_some() || !self.raw.is_empty()
    }

    /// The sender of the last request, as the proxy states it (`X-Forwarded-For`).
    pub fn forwarded_for(&self) -> Option<IpAddr> {
        self.from
    }

    /// What has come by now. Call it again until there is nothing more.
    pub fn step(&mut self) -> Reading {
        let done = self.read();
        done.unwrap_or_else(Reading::Refused)
    }

    fn read(&mut self) -> Result<Reading, Refusal> {
        if self.head.is_none() {
            let Some((head, used)) = self.read_head()? else { return Ok(Reading::Nothing) };
            self.raw.drain(..used);
            self.head = Some(head);
        }
        let Some(head) = &mut self.head else { return Ok(Reading::Nothing) };
        if !head.read_body(&mut self.raw)? {
            let waits = std::mem::take(&mut head.waits) && self.raw.is_empty();
            return Ok(if waits { Reading::Continue } else { Reading::Nothing });
        }
        let request = self.head.take().map(|head| head.request);
        Ok(request.map_or(Reading::Nothing, Reading::Whole))
    }

    /// The next head, and its length.
    fn read_head(&mut self) -> Result<Option<(Head, usize)>, Refusal> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut headers);
        let used = match parsed.parse(&self.raw[..self.raw.len().min(HEAD_MAX)]) {
            Ok(Complete(used)) => used,
            Ok(Partial) if self.raw.len() < HEAD_MAX => return Ok(None),
            Ok(Partial) | Err(_) => return Err(Refusal::Malformed),
        };
        let headers = Headers(parsed.headers);
        self.from = headers.last("X-Forwarded-For").and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
        let target = parsed.path.and_then(|target| target.split('?').next());
        if target != Some(&self.path) {
            return Err(Refusal::Path);
        }
        if parsed.method != Some("POST") {
            return Err(Refusal::Method);
        }
        let body = headers.body()?;
        let connection = headers.last("Connection").unwrap_or_default();
        let says = |word: &str| connection.split(',').any(|token| token.trim().eq_ignore_ascii_case(word));
        let stays = if parsed.version == Some(0) { says("keep-alive") } else { !says("close") };
        let waits = headers.last("Expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
        Ok(Some((Head { request: headers.request(stays)?, body, waits }, used)))
    }
}

impl Head {
    /// Takes what has come of the body. True when it is whole.
    fn read_body(&mut self, raw: &mut Vec<u8>) -> Result<bool, Refusal> {
        let taken = &mut self.request.body;
        loop {
            match self.body {
                Body::Length(length) => {
                    let missing = (length - taken.len()).min(raw.len());
                    taken.extend(raw.drain(..missing));
                    return Ok(taken.len() == length);
                }
                Body::Chunks => match httparse::parse_chunk_size(raw) {
                    Ok(Complete((used, 0))) => {
                        raw.drain(..used);
                        self.body = Body::Trailer;
                    }
                    Ok(Complete((used, size))) => {
                        let size = usize::try_from(size).unwrap_or(usize::MAX);
                        if size > BODY_MAX - taken.len() {
                            return Err(Refusal::TooLong);
                        }
                        let Some(end) = raw.get(used + size..used + size + 2) else { return Ok(false) };
                        if end != b"\r\n" {
                            return Err(Refusal::Malformed);
                        }
                        taken.extend_from_slice(&raw[used..used + size]);
                        raw.drain(..used + size + 2);
                    }
                    Ok(Partial) if raw.len() < VALUE_MAX => return Ok(false),
                    Ok(Partial) | Err(_) => return Err(Refusal::Malformed),
                },
                Body::Trailer => match raw.windows(2).position(|end| end == b"\r\n") {
                    Some(0) => {
                        raw.drain(..2);
                        return Ok(true);
                    }
                    // A field after the body tells nothing that is needed.
                    Some(line) => drop(raw.drain(..line + 2)),
                    None if raw.len() < VALUE_MAX => return Ok(false),
                    None => return Err(Refusal::Malformed),
                },
            }
        }
    }
}

/// The headers of a request.
struct Headers<'a>(&'a [httparse::Header<'a>]);

impl<'a> Headers<'a> {
    fn all(&self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// The last header of this name, if it is text.
    fn last(&self, name: &'a str) -> Option<&'a str> {
        std::str::from_utf8(self.all(name).last()?).ok()
    }

    /// The only header of this name.
    fn only(&self, name: &'a str) -> Result<Option<&'a str>, Refusal> {
        let mut all = self.all(name);
        match (all.next(), all.next()) {
            (None, _) => Ok(None),
            (Some(value), None) if value.len() <= VALUE_MAX => {
                std::str::from_utf8(value).map(Some).map_err(|_| Refusal::Malformed)
            }
            _ => Err(Refusal::Malformed),
        }
    }

    /// How the end of the body is known. Both ways at once would let two readers see two different requests.
    fn body(&self) -> Result<Body, Refusal> {
        match (self.only("Content-Length")?, self.only("Transfer-Encoding")?) {
            (Some(length), None) => {
                if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(Refusal::Malformed);
                }
                let length = length.parse().ok().filter(|length| *length <= BODY_MAX);
                length.map(Body::Length).ok_or(Refusal::TooLong)
            }
            (None, Some(coding)) if coding.eq_ignore_ascii_case("chunked") => Ok(Body::Chunks),
            (None, None) => Ok(Body::Length(0)),
            _ => Err(Refusal::Malformed),
        }
    }

    /// What Kick's headers say.
    fn request(&self, stays: bool) -> Result<Request, Refusal> {
        let needed = |name| self.only(name)?.ok_or(Refusal::Malformed);
        let message = needed("Kick-Event-Message-Id")?;
        let sent_text = needed("Kick-Event-Message-Timestamp")?;
        let sent = parse_kick_time(sent_text).ok_or(Refusal::Malformed)?;
        let is_id = (1..=64).contains(&message.len())
            && message.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_id {
            return Err(Refusal::Malformed);
        }
        Ok(Request {
            message: message.to_owned(),
            sent,
            signature: self.only("Kick-Event-Signature")?.ok_or(Refusal::Signature)?.to_owned(),
            stays,
            is_status: needed("Kick-Event-Type")? == EVENT,
            sent_text: sent_text.to_owned(),
            body: Vec::new(),
        })
    }
}

impl Request {
    /// The request as one instance passes it to another (R27): what Kick signed, and the signature. `None` if it is
    /// about another event.
    pub fn pack(&self) -> Option<Vec<u8>> {
        // No header has a line feed in it.
        let head = format!("{}\n{}\n{}\n", self.message, self.sent_text, self.signature);
        self.is_status.then(|| [head.as_bytes(), &self.body].concat())
    }

    /// Reads what [`Request::pack`] made. It came through a database, so it is as little to be trusted as any request.
    pub fn unpack(packed: &[u8]) -> Option<Request> {
        let mut parts = packed.splitn(4, |byte| *byte == b'\n');
        let mut text = || std::str::from_utf8(parts.next()?).ok().map(str::to_owned);
        let (message, sent_text, signature) = (text()?, text()?, text()?);
        Some(Request {
            sent: parse_kick_time(&sent_text)?,
            message,
            signature,
            stays: false,
            is_status: true,
            sent_text,
            body: parts.next()?.to_vec(),
        })
    }

    /// What Kick signs.
    pub fn signed(&self) -> Vec<u8> {
        [self.message.as_bytes(), b".", self.sent_text.as_bytes(), b".", &self.body].concat()
    }

    /// What it says of a streamer; `None` if it is about another event.
    ///
    /// # Errors
    /// The body is not what Kick documents.
    pub fn delivery(&self, received: Steady) -> Result<Option<Delivery>, Refusal> {
        if !self.is_status {
            return Ok(None);
        }
        let text = mended(&self.body);
        let delivery = Json::read(&text).and_then(|body| {
            let user = body.at(&["broadcaster", "user_id"])?.integer().filter(|id| *id > 0)?;
            Some(Delivery {
                received,
                sent: self.sent,
                user: UserId(user),
                status: if body.get("is_live")?.boolean()? { Status::Online } else { Status::Offline },
                started_at: body.get("started_at").and_then(Json::text).and_then(|time| parse_kick_time(&time)),
            })
        });
        delivery.map(Some).ok_or(Refusal::Unreadable)
    }
}

#[cfg(test)]
mod tests;
