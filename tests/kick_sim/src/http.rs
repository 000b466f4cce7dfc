//! As much of HTTP/1.1 as Kick's faces need: requests with a bounded head and body on a connection
//! that is kept alive, and answers whose every byte can be spoilt on purpose.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::io::{self, Read};

const HEAD_MAX: usize = 16 * 1024;
const BODY_MAX: usize = 64 * 1024;

/// What a client asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Decoded, in the order given; a name may come several times.
    pub(crate) query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A header's value, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value that the query has under this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as a form.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        pairs(&String::from_utf8_lossy(&self.body))
    }

    fn parse(head: &str) -> Option<Request> {
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?, first.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = lines
            .map(|line| line.split_once(':').map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned())))
            .collect::<Option<Vec<_>>>()?;
        Some(Request {
            method: method.to_owned(),
            path: decoded(path, false),
            query: pairs(query),
            headers,
            body: Vec::new(),
        })
    }
}

/// What came of reading a request.
pub(crate) enum Incoming {
    Request(Request),
    /// The client has nothing more to say.
    End,
    /// Not a request that this server takes: the status to answer with, and then to close.
    Bad(u16),
}

/// Reads one request after the other from a connection.
#[derive(Default)]
pub(crate) struct Reader {
    read: Vec<u8>,
}

impl Reader {
    /// The next request.
    pub(crate) fn next(&mut self, stream: &mut impl Read) -> io::Result<Incoming> {
        let head_end = loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            if self.read.len() > HEAD_MAX {
                return Ok(Incoming::Bad(431));
            }
            if !self.more(stream)? {
                return Ok(Incoming::End);
            }
        };
        let head = String::from_utf8_lossy(&self.read[..head_end]).into_owned();
        let Some(mut request) = Request::parse(&head) else { return Ok(Incoming::Bad(400)) };
        let length = match request.header("content-length").map(str::parse::<usize>) {
            None if request.header("transfer-encoding").is_some() => return Ok(Incoming::Bad(411)),
            None => 0,
            Some(Ok(length)) if length <= BODY_MAX => length,
            Some(Ok(_)) => return Ok(Incoming::Bad(413)),
            Some(Err(_)) => return Ok(Incoming::Bad(400)),
        };
        let end = head_end + 4 + length;
        while self.read.len() < end {
            if !self.more(stream)? {
                return Ok(Incoming::End);
            }
        }
        request.body = self.read[head_end + 4..end].to_vec();
        self.read.drain(..end);
        Ok(Incoming::Request(request))
    }

    fn more(&mut self, stream: &mut impl Read) -> io::Result<bool> {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk)?;
        self.read.extend_from_slice(&chunk[..count]);
        Ok(count > 0)
    }
}

/// An answer: what a face says, or what a fault says in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Further headers; `Date`, `Content-Length` and the connection's own are always there.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer with a body of this type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, headers: vec![("Content-Type".into(), content_type.into())], body: body.into() }
    }

    /// An answer in JSON.
    pub fn json(status: u16, body: &Value) -> Answer {
        Answer::new(status, "application/json", body.to_string())
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The answer as it goes over the wire, dated by Kick's clock.
    pub(crate) fn bytes(&self, kick_time: Timestamp) -> Vec<u8> {
        let date = kick_time.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut head = format!("HTTP/1.1 {} {}\r\nDate: {date}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        // A change of protocol has no body, and a length would confuse the client about where frames begin.
        if self.status != 101 {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        423 => "Locked",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Unnamed",
    }
}

fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decoded(key, true), decoded(value, true)))
        .collect()
}

/// Undoes percent encoding; what is not well formed stays as it is.
fn decoded(text: &str, plus_is_space: bool) -> String {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push((high << 4) | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            (b'+', _) if plus_is_space => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Incoming, Reader};

    #[test]
    fn two_requests_in_one_read_are_two_requests() {
        let mut text: &[u8] =
            b"POST /a%2Db?x=1&x=%C3%A4+b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /c HTTP/1.1\r\n\r\n";
        let mut reader = Reader::default();
        let Ok(Incoming::Request(first)) = reader.next(&mut text) else { panic!("a request") };
        assert_eq!((first.path.as_str(), first.body.as_slice()), ("/a-b", b"abc".as_slice()));
        assert_eq!(first.all("x").collect::<Vec<_>>(), ["1", "ä b"]);
        let Ok(Incoming::Request(second)) = reader.next(&mut text) else { panic!("a second request") };
        assert_eq!(second.path, "/c");
        assert!(matches!(reader.next(&mut text), Ok(Incoming::End)));
    }

    #[test]
    fn a_request_without_bounds_is_refused() {
        let check = |text: &str, status| {
            let found = Reader::default().next(&mut text.as_bytes());
            assert!(matches!(found, Ok(Incoming::Bad(found)) if found == status), "{status}");
        };
        check(&"x".repeat(20_000), 431);
        check("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413);
        check("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411);
        check("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400);
        check("nonsense\r\n\r\n", 400);
    }
}
