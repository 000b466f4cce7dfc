//! The listeners, and the conversation with one HTTP client: read a request, let it meet its fault,
//! answer. A push client's conversation goes on in [`crate::push`].

use crate::clock;
use crate::crew::Crew;
use crate::faces::{self, App};
use crate::fault::{Face, Fault, Faults, Met};
use crate::http::{Answer, Incoming, Reader, Request};
use crate::journal::{self, Bell, Journal};
use crate::push::{self, Push, Transport};
use crate::stop::{self, Stop};
use crate::stream::{self, Stream};
use crate::world::World;
use native_tls::TlsAcceptor;
use rustix::event::{PollFd, PollFlags};
use std::io::{self, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often who suffers from a lasting fault looks whether it is over.
const TICK: Duration = Duration::from_millis(20);

/// What all threads share.
pub(crate) struct Shared {
    pub(crate) app: App,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) stop: Stop,
    pub(crate) crew: Crew,
    pub(crate) bell: Arc<Bell>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) journal: Journal,
    pub(crate) push: Push,
    pub(crate) world: Mutex<World>,
}

impl Shared {
    /// The world. A script that panicked on a mistake of its own leaves it whole.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections until the stop, a thread for each.
pub(crate) fn listen(shared: &Arc<Shared>, listener: &TcpListener, faces: &'static [Face]) {
    loop {
        let mut fds = [PollFd::new(listener, PollFlags::IN), PollFd::new(&shared.stop, PollFlags::IN)];
        stop::poll(&mut fds, None);
        if stop::readable(&fds[1]) {
            return;
        }
        match listener.accept() {
            Ok((tcp, _)) => {
                let theirs = Arc::clone(shared);
                // What cannot be served is hung up on.
                let _ = shared.crew.start("kick-client", move || welcome(&theirs, tcp, faces));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // Out of descriptors, most likely: they come back as connections end.
            Err(_) => {
                shared.stop.wait(TICK);
            }
        }
    }
}

/// Serves one connection. A client that hangs up or talks nonsense ends its own connection only.
fn welcome(shared: &Shared, tcp: TcpStream, faces: &[Face]) {
    let everywhere = |fault: &Fault| faces.iter().all(|face| shared.faults.lasting(*face).as_ref() == Some(fault));
    if everywhere(&Fault::Refuse) {
        stream::reset(&tcp);
        return;
    }
    while everywhere(&Fault::Silent) {
        if shared.stop.wait(TICK) {
            return;
        }
    }
    // Errors are the client's weather: there is nobody to tell.
    if let Ok(stream) = Stream::accept(tcp, shared.stop.clone(), shared.tls.as_ref()) {
        let _ = converse(shared, stream);
    }
}

fn converse(shared: &Shared, mut stream: Stream) -> io::Result<()> {
    let mut reader = Reader::default();
    loop {
        let request = match reader.next(&mut stream)? {
            Incoming::Request(request) => request,
            Incoming::End => return Ok(()),
            Incoming::Bad(status) => {
                let answer = Answer::new(status, "text/plain", "bad request");
                return stream.write_all(&answer.bytes(clock::now().wall));
            }
        };
        match exchange(shared, &mut stream, &request)? {
            Next::Request => {}
            Next::Push(transport) => return push::converse(shared, transport, stream, &request),
            Next::Close => {
                stream.close();
                return Ok(());
            }
            Next::Reset => {
                stream.reset();
                return Ok(());
            }
        }
    }
}

/// What follows on an answer.
enum Next {
    Request,
    Push(Transport),
    Close,
    Reset,
}

/// One request and what becomes of it.
fn exchange(shared: &Shared, stream: &mut Stream, request: &Request) -> io::Result<Next> {
    let (at, face) = (clock::steady(), Face::of(&request.path));
    let met = shared.faults.meet(face);
    match met.fault {
        Some(Fault::Refuse | Fault::Reset | Fault::Close) => {
            record(shared, at, face, request, None);
            return Ok(if met.fault == Some(Fault::Close) { Next::Close } else { Next::Reset });
        }
        Some(Fault::Silent) => {
            record(shared, at, face, request, None);
            suffer(shared, stream, &met)?;
        }
        _ => {}
    }
    let (answer, bytes) = match &met.fault {
        Some(Fault::Garbage) => (None, b"\x16\x03\x01 this is no answer \xff\x00\r\n\r\n".to_vec()),
        fault => {
            let now = clock::now();
            let mut world = shared.world();
            let answer = match fault {
                Some(Fault::Answer(answer)) => answer.clone(),
                Some(Fault::Oversize(size)) => oversize(*size),
                _ => match face.transport() {
                    Some(transport) => push::answer(transport, request),
                    None => faces::answer(face, &mut world, &shared.app, request, now),
                },
            };
            let bytes = answer.bytes(world.kick_time(now));
            (Some(answer.status), bytes)
        }
    };
    if met.fault == Some(Fault::Silent) {
        // It is recorded already; what the answer changed is news.
        shared.bell.ring();
    } else {
        record(shared, at, face, request, answer);
    }
    deliver(shared, stream, &met, &bytes)?;
    Ok(match (&met.fault, answer, face.transport()) {
        (Some(Fault::Cut | Fault::Garbage), ..) => Next::Close,
        (_, Some(101), Some(transport)) => Next::Push(transport),
        _ => Next::Request,
    })
}

/// Writes the answer, as the fault will have it.
fn deliver(shared: &Shared, stream: &mut Stream, met: &Met, bytes: &[u8]) -> io::Result<()> {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    match &met.fault {
        Some(Fault::Cut) => stream.write_all(first)?,
        Some(Fault::Stall) => {
            stream.write_all(first)?;
            stream.flush()?;
            suffer(shared, stream, met)?;
            stream.write_all(second)?;
        }
        Some(Fault::Latency(delay)) => {
            if stream.wire().hung_up(*delay) {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            stream.write_all(bytes)?;
        }
        Some(Fault::Drip(interval)) => {
            for byte in bytes {
                stream.write_all(std::slice::from_ref(byte))?;
                stream.flush()?;
                if stream.wire().hung_up(*interval) {
                    return Err(ErrorKind::ConnectionAborted.into());
                }
            }
        }
        _ => stream.write_all(bytes)?,
    }
    stream.flush()
}

/// Waits until the fault is over; an error when the client hangs up before, or the simulator ends.
fn suffer(shared: &Shared, stream: &mut Stream, met: &Met) -> io::Result<()> {
    while shared.faults.lasts(met) {
        if stream.wire().hung_up(TICK) {
            return Err(ErrorKind::ConnectionAborted.into());
        }
    }
    Ok(())
}

fn record(shared: &Shared, at: Instant, face: Face, request: &Request, status: Option<u16>) {
    shared.journal.record(journal::Request {
        at,
        face,
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        status,
    });
    shared.bell.ring();
}

/// Well-formed JSON of about this size, in the envelope of the API.
fn oversize(size: usize) -> Answer {
    Answer::new(200, "application/json", format!(r#"{{"data":[],"message":"{}"}}"#, "x".repeat(size)))
}
