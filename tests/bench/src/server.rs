//! A Pusher server that is never the limit: it acknowledges what it is told to, and sends frames that are
//! ready as bytes. It knows nothing of what they say.

use crate::world::now;
use serde_json::Value;
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

/// A client's end, for who wants to write to it.
type Socket = Arc<Mutex<TcpStream>>;

/// Where each channel's frames go.
#[derive(Clone, Default)]
struct Shared(Arc<(Mutex<HashMap<String, Socket>>, Condvar)>);

/// When the first connection came.
type First = Arc<OnceLock<Instant>>;

/// A server on a port of its own, until the process ends.
pub(crate) struct Server {
    port: u16,
    shared: Shared,
    first: First,
}

impl Server {
    pub(crate) fn start() -> io::Result<Server> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let (port, shared, first) = (listener.local_addr()?.port(), Shared::default(), First::default());
        let server = Server { port, shared: shared.clone(), first: Arc::clone(&first) };
        std::thread::Builder::new().name("server".to_owned()).spawn(move || {
            for stream in listener.incoming().flatten() {
                first.get_or_init(now);
                let shared = shared.clone();
                // A client that leaves in the middle of something is the next one's affair.
                let serve = move || serve(stream, &shared).unwrap_or_default();
                let _ = std::thread::Builder::new().name("connection".to_owned()).spawn(serve);
            }
        })?;
        Ok(server)
    }

    /// For `PUSHER_URL`.
    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Waits until so many channels are subscribed to; how long that took from the first connection. None
    /// if it did not come to that.
    pub(crate) fn wait_subscribed(&self, count: usize, limit: Duration) -> Option<Duration> {
        let (channels, changed) = &*self.shared.0;
        let waited = changed.wait_timeout_while(lock(channels), limit, |channels| channels.len() < count);
        let complete = waited.is_ok_and(|(channels, _)| channels.len() >= count);
        self.first.get().filter(|_| complete).map(Instant::elapsed)
    }

    /// Makes these frames ready, each for who is subscribed to its channel, those of one connection together.
    pub(crate) fn load(&self, frames: &[(String, Vec<u8>)]) -> io::Result<Load> {
        let mut loads: HashMap<*const Mutex<TcpStream>, (Socket, Vec<u8>)> = HashMap::new();
        let channels = self.shared.channels();
        for (channel, bytes) in frames {
            let socket = channels.get(channel).ok_or_else(|| io::Error::other(format!("nobody is on {channel}")))?;
            let load = loads.entry(Arc::as_ptr(socket)).or_insert_with(|| (Arc::clone(socket), Vec::new()));
            load.1.extend(bytes);
        }
        Ok(Load(loads.into_values().collect()))
    }
}

/// Frames that are ready, a block for each connection.
pub(crate) struct Load(Vec<(Socket, Vec<u8>)>);

impl Load {
    pub(crate) fn send(&self) -> io::Result<()> {
        self.0.iter().try_for_each(|(socket, bytes)| lock(socket).write_all(bytes))
    }
}

impl Shared {
    fn channels(&self) -> MutexGuard<'_, HashMap<String, Socket>> {
        lock(&self.0.0)
    }
}

/// One connection, until it ends.
fn serve(stream: TcpStream, shared: &Shared) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let socket = Arc::new(Mutex::new(stream.try_clone()?));
    let mut client: WebSocket<TcpStream> = tungstenite::accept(stream)?;
    let hello =
        r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.1\",\"activity_timeout\":120}"}"#;
    lock(&socket).write_all(&frame(hello))?;
    loop {
        let Message::Text(text) = client.read()? else { continue };
        let said: Value = serde_json::from_str(&text)?;
        match said["event"].as_str() {
            Some("pusher:subscribe") => {
                let channel = said["data"]["channel"].as_str().unwrap_or_default().to_owned();
                let ack = format!(
                    r#"{{"event":"pusher_internal:subscription_succeeded","data":"{{}}","channel":"{channel}"}}"#
                );
                lock(&socket).write_all(&frame(&ack))?;
                shared.channels().insert(channel, Arc::clone(&socket));
                shared.0.1.notify_all();
            }
            Some("pusher:ping") => lock(&socket).write_all(&frame(r#"{"event":"pusher:pong","data":"{}"}"#))?,
            _ => {}
        }
    }
}

/// A text frame as a server sends it.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x81];
    match u16::try_from(text.len()) {
        Ok(length @ ..126) => bytes.push(length as u8),
        Ok(length) => {
            bytes.push(126);
            bytes.extend(length.to_be_bytes());
        }
        Err(_) => {
            bytes.push(127);
            bytes.extend((text.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(text.as_bytes());
    bytes
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
