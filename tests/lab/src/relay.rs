//! A way between the daemon and one party outside, on which everything can go wrong that can go wrong
//! with bytes. It knows no protocol, and listens on 127.0.0.1 alone.

use rustix::net::sockopt::{set_socket_linger, set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How often a thread that reads looks at what has changed.
const LOOK: Duration = Duration::from_millis(10);
/// Between two bytes that drip.
const DRIP: Duration = Duration::from_secs(1);
/// So many times so much of nothing is far too much.
const BLOCKS: (usize, usize) = (1024, 64 * 1024);

/// What is wrong with the way. Answers are what comes from the party outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody listens, and what was connected is reset.
    Refused,
    /// Connections are reset once something is asked.
    Reset,
    /// Connections are closed once something is asked.
    Closed,
    /// Connections are accepted, and nothing ever comes back. What was connected is closed.
    Silent,
    /// Half of the next answer comes, and then nothing at all, both ways, until the client gives up.
    HalfOpen,
    /// Answers come a byte a second.
    Drip,
    /// The connection is closed in the middle of the next answer.
    Cut,
    /// What was connected before stands, and nothing passes on it, either way, until this is over. Then all of it
    /// does. What is connected meanwhile is well.
    Held,
    /// Answers come so much later.
    Late(Duration),
    /// Bytes that mean nothing come instead of the next answer, and then the end.
    Garbage,
    /// Instead of the next answer come this, and then 64 MiB of zeros and the end.
    Oversize(&'static [u8]),
}

/// The way. It ends when dropped.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    port: u16,
    /// Keeps the port while it refuses connections. Otherwise the system could give it to another test's server.
    _kept: OwnedFd,
    listener: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    accepted: AtomicUsize,
    met: AtomicUsize,
}

#[derive(Clone, Copy, Debug)]
struct State {
    trouble: Option<Trouble>,
    /// Grows with every change of the trouble.
    changes: u64,
    /// The port of the party outside.
    to: u16,
    over: bool,
}

/// Both directions of one connection.
struct Connection {
    shared: Arc<Shared>,
    client: TcpStream,
    server: TcpStream,
    /// How often the trouble had changed when the connection was made.
    born: u64,
    /// One direction has seen the end.
    dead: AtomicBool,
    /// Nothing passes any more.
    frozen: AtomicBool,
}

impl Relay {
    /// A way to this port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub fn to(port: u16) -> Relay {
        let kept = bound(0).expect("a port is free");
        let address: SocketAddr = getsockname(&kept).and_then(TryInto::try_into).expect("it has an address");
        let own = address.port();
        let open = listening(own).expect("its port is kept");
        let state = State { trouble: None, changes: 0, to: port, over: false };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            accepted: AtomicUsize::new(0),
            met: AtomicUsize::new(0),
        });
        let listens = Arc::clone(&shared);
        let listener = start("relay", move || listens.listen(own, Some(open)));
        Relay { shared, port: own, _kept: kept, listener: Some(listener) }
    }

    /// The port where it begins.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on this is wrong; or nothing any more.
    pub fn trouble(&self, trouble: Option<Trouble>) {
        self.shared.change(|state| state.trouble = trouble);
    }

    /// Leads elsewhere from now on; what was connected is reset.
    pub fn lead_to(&self, port: u16) {
        self.shared.change(|state| (state.to, state.trouble) = (port, None));
    }

    /// How many connections were made so far.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// How often a trouble has befallen somebody. Who is refused is not seen.
    pub fn met(&self) -> usize {
        self.shared.met.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.change(|state| state.over = true);
        if let Some(listener) = self.listener.take() {
            // It has said on standard error if it panicked.
            let _ = listener.join();
        }
    }
}

/// A socket that is bound to this port of 127.0.0.1, or to a free one if it is 0. Others of ours may have the same port.
fn bound(port: u16) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_reuseaddr(&socket, true)?;
    set_socket_reuseport(&socket, true)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    Ok(socket)
}

fn listening(port: u16) -> io::Result<TcpListener> {
    let socket = bound(port)?;
    listen(&socket, 128)?;
    Ok(TcpListener::from(socket))
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    Builder::new().name(name.to_owned()).spawn(work).expect("a thread can be started")
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> State {
        *self.lock()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.changes += 1;
        self.changed.notify_all();
    }

    /// Waits, but not beyond the next change. Whether there was none.
    fn wait(&self, limit: Duration) -> bool {
        let state = self.lock();
        let before = state.changes;
        let waited = self.changed.wait_timeout_while(state, limit, |state| state.changes == before);
        waited.is_ok_and(|(_, result)| result.timed_out())
    }

    fn strikes(&self) {
        self.met.fetch_add(1, Ordering::Relaxed);
    }

    fn listen(self: &Arc<Shared>, port: u16, mut listener: Option<TcpListener>) {
        loop {
            let state = self.look();
            if state.over {
                return;
            }
            if state.trouble == Some(Trouble::Refused) {
                listener = None;
                self.wait(Duration::from_secs(3600));
                continue;
            }
            let Some(open) = &listener else {
                listener = listening(port).ok();
                self.wait(LOOK);
                continue;
            };
            let accepted = open.set_nonblocking(true).and_then(|()| open.accept());
            match accepted {
                Ok((client, _)) => {
                    self.accepted.fetch_add(1, Ordering::Relaxed);
                    let shared = Arc::clone(self);
                    start("relay-carry", move || drop(shared.carry(client, state)));
                }
                Err(_) => drop(self.wait(LOOK)),
            }
        }
    }

    /// One connection, to its end.
    fn carry(self: Arc<Shared>, client: TcpStream, state: State) -> io::Result<()> {
        client.set_nonblocking(false)?;
        client.set_read_timeout(Some(LOOK))?;
        let trouble = state.trouble.filter(|it| matches!(it, Trouble::Silent | Trouble::Reset | Trouble::Closed));
        if let Some(trouble) = trouble {
            return self.disappoint(client, trouble);
        }
        let server = TcpStream::connect(("127.0.0.1", state.to))?;
        server.set_read_timeout(Some(LOOK))?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (born, dead, frozen) = (state.changes, AtomicBool::new(false), AtomicBool::new(false));
        let connection = Arc::new(Connection { shared: self, client, server, born, dead, frozen });
        let other = Arc::clone(&connection);
        let up = start("relay-up", move || drop(other.ask()));
        let answered = connection.answer();
        // Not shut down, which would end in order what may have to be reset: dropping is the end of it.
        connection.dead.store(true, Ordering::Relaxed);
        let _ = up.join();
        answered
    }

    /// A connection that never gets an answer.
    fn disappoint(&self, mut client: TcpStream, trouble: Trouble) -> io::Result<()> {
        let mut bytes = [0; 4096];
        while self.look().trouble == Some(trouble) {
            match client.read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(_) => {
                    self.strikes();
                    match trouble {
                        Trouble::Silent => {}
                        Trouble::Reset => return set_socket_linger(&client, Some(Duration::ZERO)).map_err(Into::into),
                        _ => return Ok(()),
                    }
                }
                Err(error) if is_no_end(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Connection {
    /// From the client to the party outside.
    fn ask(&self) -> io::Result<()> {
        let (mut from, mut to) = (&self.client, &self.server);
        let mut bytes = [0; 16 * 1024];
        let end = loop {
            if !self.lives()? {
                break Ok(());
            }
            match from.read(&mut bytes) {
                Ok(0) => break Ok(()),
                Ok(_) if self.frozen.load(Ordering::Relaxed) => {}
                Ok(count) => {
                    self.wait_while_held();
                    // The trouble may have come while this was read.
                    if !self.lives()? {
                        break Ok(());
                    }
                    to.write_all(&bytes[..count])?;
                }
                Err(error) if is_no_end(&error) => {}
                Err(error) => break Err(error),
            }
        };
        self.dead.store(true, Ordering::Relaxed);
        let _ = self.server.shutdown(Shutdown::Both);
        end
    }

    /// The other way.
    fn answer(&self) -> io::Result<()> {
        let mut from = &self.server;
        let mut bytes = [0; 16 * 1024];
        while self.lives()? {
            match from.read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(_) if self.frozen.load(Ordering::Relaxed) => {}
                Ok(count) => {
                    self.wait_while_held();
                    if !self.lives()? || !self.deliver(&bytes[..count])? {
                        return Ok(());
                    }
                }
                Err(error) if is_no_end(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn wait_while_held(&self) {
        let mut met = false;
        loop {
            let state = self.shared.look();
            if state.over || state.trouble != Some(Trouble::Held) || self.born == state.changes {
                return;
            }
            if !std::mem::replace(&mut met, true) {
                self.shared.strikes();
            }
            self.shared.wait(LOOK);
        }
    }

    /// Whether the connection goes on. What was there before a trouble came may end by it.
    fn lives(&self) -> io::Result<bool> {
        let state = self.shared.look();
        if state.over || self.dead.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let led_elsewhere = self.server.peer_addr().is_ok_and(|address| address.port() != state.to);
        let resets = led_elsewhere || matches!(state.trouble, Some(Trouble::Refused | Trouble::Reset));
        let thawed = self.frozen.load(Ordering::Relaxed) && state.trouble.is_none();
        if self.born < state.changes && (resets || thawed) {
            self.shared.strikes();
            set_socket_linger(&self.client, Some(Duration::ZERO))?;
            return Ok(false);
        }
        if self.born < state.changes && matches!(state.trouble, Some(Trouble::Closed | Trouble::Silent)) {
            self.shared.strikes();
            return Ok(false);
        }
        Ok(true)
    }

    /// Brings an answer, as far as the trouble lets it come. Whether the connection goes on.
    fn deliver(&self, answer: &[u8]) -> io::Result<bool> {
        let mut client = &self.client;
        let trouble = self.shared.look().trouble;
        if trouble.is_some() {
            self.shared.strikes();
        }
        match trouble {
            Some(Trouble::HalfOpen) => {
                client.write_all(&answer[..answer.len() / 2])?;
                self.frozen.store(true, Ordering::Relaxed);
            }
            Some(Trouble::Cut) => {
                client.write_all(&answer[..answer.len() / 2])?;
                return Ok(false);
            }
            Some(Trouble::Garbage) => {
                client.write_all(&[0xd5; 200])?;
                return Ok(false);
            }
            Some(Trouble::Oversize(head)) => {
                client.set_write_timeout(Some(Duration::from_secs(1)))?;
                client.write_all(head)?;
                for _ in 0..BLOCKS.0 {
                    client.write_all(&[0; BLOCKS.1])?;
                }
                return Ok(false);
            }
            Some(Trouble::Drip) => {
                let dripped = answer.iter().take_while(|_| self.shared.wait(DRIP));
                let dripped = dripped.map(|byte| client.write_all(&[*byte])).collect::<io::Result<Vec<_>>>()?.len();
                client.write_all(&answer[dripped..])?;
            }
            Some(Trouble::Late(late)) => {
                self.shared.wait(late);
                client.write_all(answer)?;
            }
            _ => client.write_all(answer)?,
        }
        Ok(true)
    }
}

fn is_no_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
