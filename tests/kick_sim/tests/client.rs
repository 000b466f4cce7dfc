//! A client that shares no code with the server: HTTP over a raw socket, push by tungstenite.

use kick_sim::Kick;
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::{Message, WebSocket};

/// Longer than anything here takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(30);
/// Long enough to say that nothing came; too short to fail by itself on a slow machine.
pub(crate) const SHORT: Duration = Duration::from_millis(200);

/// Now.
#[expect(clippy::disallowed_methods, reason = "tests measure with their own clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A whole answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }
}

/// A connection to the HTTP port, kept alive.
pub(crate) struct Http(TcpStream);

impl Http {
    pub(crate) fn new(kick: &Kick) -> Http {
        let url = kick.web_url();
        let stream = TcpStream::connect(url.strip_prefix("http://").expect("no TLS")).expect("a connection");
        stream.set_read_timeout(Some(LONG)).expect("a time-out");
        Http(stream)
    }

    /// Another time-out than [`LONG`].
    pub(crate) fn patience(self, limit: Duration) -> Http {
        self.0.set_read_timeout(Some(limit)).expect("a time-out");
        self
    }

    pub(crate) fn get(&mut self, target: &str, token: &str) -> io::Result<Reply> {
        let request = format!("GET {target} HTTP/1.1\r\nHost: kick\r\nAuthorization: Bearer {token}\r\n\r\n");
        self.0.write_all(request.as_bytes())?;
        self.reply()
    }

    /// Posts a form.
    pub(crate) fn post(&mut self, target: &str, form: &str) -> io::Result<Reply> {
        self.post_as(target, "application/x-www-form-urlencoded", form)
    }

    /// Posts JSON.
    pub(crate) fn post_json(&mut self, target: &str, body: &Value) -> io::Result<Reply> {
        self.post_as(target, "application/json", &body.to_string())
    }

    fn post_as(&mut self, target: &str, content_type: &str, body: &str) -> io::Result<Reply> {
        let length = body.len();
        let request = format!(
            "POST {target} HTTP/1.1\r\nHost: kick\r\nContent-Type: {content_type}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.0.write_all(request.as_bytes())?;
        self.reply()
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            head.push(byte[0]);
            let so_far = head.len().min(5);
            if head[..so_far] != b"HTTP/"[..so_far] {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        let head = String::from_utf8(head).map_err(io::Error::other)?;
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let length = field("Content-Length: ").and_then(|value| value.parse().ok()).expect("a length");
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        let status = head.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
        Ok(Reply { status, head, body: String::from_utf8(body).map_err(io::Error::other)? })
    }
}

/// A fresh token.
pub(crate) fn token(kick: &Kick) -> String {
    let (id, secret) = (kick.client_id(), kick.client_secret());
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let reply = Http::new(kick).post("/oauth/token", &form).expect("an answer");
    reply.json()["access_token"].as_str().expect("a token").to_owned()
}

/// A push connection.
pub(crate) struct Listener {
    pub(crate) socket: WebSocket<TcpStream>,
}

impl Listener {
    /// Connected and greeted.
    pub(crate) fn new(kick: &Kick) -> Listener {
        let mut listener = Listener::with(kick, kick.app_key(), "?protocol=7&client=js&version=8.4.0&flash=false");
        assert_eq!(listener.event()["event"], "pusher:connection_established");
        listener
    }

    /// Connected with these parameters, not greeted.
    pub(crate) fn with(kick: &Kick, app_key: &str, query: &str) -> Listener {
        let url = kick.pusher_url();
        let stream = TcpStream::connect(url.strip_prefix("ws://").expect("no TLS")).expect("a connection");
        stream.set_read_timeout(Some(LONG)).expect("a time-out");
        let (socket, _) = tungstenite::client(format!("{url}/app/{app_key}{query}"), stream).expect("a handshake");
        Listener { socket }
    }

    pub(crate) fn send(&mut self, frame: &Value) {
        self.socket.send(Message::text(frame.to_string())).expect("a frame can be sent");
    }

    /// Asks for a subscription, and does not wait.
    pub(crate) fn ask(&mut self, channel: &str) {
        self.send(&json!({"event": "pusher:subscribe", "data": {"auth": "", "channel": channel}}));
    }

    /// Subscribes, and waits for the acknowledgement.
    pub(crate) fn subscribe(&mut self, channel: &str) {
        self.ask(channel);
        let expected = json!({"event": "pusher_internal:subscription_succeeded", "data": "{}", "channel": channel});
        assert_eq!(self.event(), expected);
    }

    /// The next text frame.
    pub(crate) fn event(&mut self) -> Value {
        loop {
            match self.socket.read().expect("a frame") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// The next text frame, and its data read as JSON.
    pub(crate) fn event_and_data(&mut self) -> (Value, Value) {
        let event = self.event();
        let data = serde_json::from_str(event["data"].as_str().expect("a string")).expect("JSON");
        (event, data)
    }

    /// Whether nothing comes for a short while.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.socket.get_ref().set_read_timeout(Some(SHORT)).expect("a time-out");
        let quiet = matches!(self.socket.read(), Err(tungstenite::Error::Io(error))
            if error.kind() == io::ErrorKind::WouldBlock);
        self.socket.get_ref().set_read_timeout(Some(LONG)).expect("a time-out");
        quiet
    }

    /// The close frame that comes next.
    pub(crate) fn closed(&mut self) -> CloseFrame {
        match self.socket.read() {
            Ok(Message::Close(Some(frame))) => frame,
            other => panic!("a close frame was expected, not {other:?}"),
        }
    }
}
