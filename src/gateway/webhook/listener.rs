//! Listening on an address or on a Unix socket, and the streams that come of it.

use crate::config::{Listen, WebhookConfig};
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Anybody may connect, as on the loopback address: Kick's signature is what counts. Who reaches the socket is up to
/// the directory that it is in.
const SOCKET_MODE: u32 = 0o666;

/// How long an answer may take, where something listens already.
const ANSWER: Duration = Duration::from_secs(5);

/// What listens.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixSocket),
}

/// A listening socket. Its file is removed when it ends.
#[derive(Debug)]
pub(super) struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        // The next start removes what is left.
        let _ = fs::remove_file(&self.path);
    }
}

/// A connection. Neither reading nor writing waits.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    pub(super) fn open(listen: &Listen) -> io::Result<Listener> {
        match listen {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Ok(Listener::Tcp(listener))
            }
            Listen::Unix(path) => {
                remove_abandoned(path)?;
                let socket = UnixSocket { listener: UnixListener::bind(path)?, path: path.clone() };
                fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
                socket.listener.set_nonblocking(true)?;
                Ok(Listener::Unix(socket))
            }
        }
    }

    /// The next connection, if one waits, and whose it is. A connection that broke before it was accepted is passed
    /// over.
    pub(super) fn accept(&self) -> io::Result<Option<(Stream, String)>> {
        loop {
            let accepted = match self {
                Listener::Tcp(listener) => listener.accept().and_then(|(stream, from)| {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    Ok((Stream::Tcp(stream), from.ip().to_string()))
                }),
                Listener::Unix(socket) => socket.listener.accept().and_then(|(stream, _)| {
                    stream.set_nonblocking(true)?;
                    Ok((Stream::Unix(stream), "unix".to_owned()))
                }),
            };
            match accepted {
                Ok(accepted) => return Ok(Some(accepted)),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(None),
                    ErrorKind::ConnectionAborted | ErrorKind::Interrupted | ErrorKind::InvalidInput => {}
                    _ => return Err(error),
                },
            }
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp(listener) => listener.as_fd(),
            Listener::Unix(socket) => socket.listener.as_fd(),
        }
    }
}

/// Whether a server of this kind answers there: it refuses a GET, and says so.
pub(crate) fn is_served(config: &WebhookConfig) -> bool {
    let question = format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", config.path);
    let answer = match &config.listen {
        Listen::Tcp(address) => TcpStream::connect_timeout(address, ANSWER).and_then(|stream| {
            stream.set_read_timeout(Some(ANSWER))?;
            ask(stream, &question)
        }),
        Listen::Unix(path) => UnixStream::connect(path).and_then(|stream| {
            stream.set_read_timeout(Some(ANSWER))?;
            ask(stream, &question)
        }),
    };
    answer.is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 405 "))
}

fn ask(mut stream: impl Read + Write, question: &str) -> io::Result<[u8; 13]> {
    let mut answer = [0; 13];
    stream.write_all(question.as_bytes())?;
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// Removes a socket on which nothing listens any more: a process that was killed leaves one.
fn remove_abandoned(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {}
        // Whatever else it is, `bind` says that the address is in use.
        _ => return Ok(()),
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Ok(()),
    }
}

impl Stream {
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        }
    }

    /// Says that nothing more is sent.
    pub(super) fn finish(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}
