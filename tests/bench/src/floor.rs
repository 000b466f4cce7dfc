//! The least that could do the work: one thread that reads frames, parses them, and runs an UPDATE for each
//! of them, or for all that has come meanwhile; or three threads, one to read, one that would decide, and one to
//! write, as in a program whose database must not keep it from reading. It survives nothing and checks nothing.

use anyhow::Context;
use crossbeam_channel::bounded;
use postgres::{Client, NoTls};
use serde_json::Value;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::TcpStream;
use tungstenite::{Error, Message, WebSocket};

/// How it does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Floor {
    /// One thread, one UPDATE for each frame.
    One,
    /// The same with three threads.
    Threads,
    /// One thread, one UPDATE for all that is there.
    Batch,
}

impl Floor {
    pub(crate) const ALL: [Floor; 3] = [Floor::One, Floor::Threads, Floor::Batch];

    /// Its column.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Floor::One => "floor",
            Floor::Threads => "floor, three threads",
            Floor::Batch => "batching floor",
        }
    }
}

/// `bench floor URL DATABASE NAME`: follows everybody of the table until it is killed.
pub(crate) fn run(url: &str, database: &str, name: &str) -> anyhow::Result<()> {
    let floor = Floor::ALL.into_iter().find(|floor| floor.name() == name).context("there is no such floor")?;
    let mut client = Client::connect(database, NoTls)?;
    client.batch_execute("SET synchronous_commit = off")?;
    let mut ids = HashMap::new();
    for row in client.query("SELECT id, channel FROM streamers", &[])? {
        ids.insert(format!("channel.{}", row.get::<_, i64>(1)), row.get::<_, i64>(0));
    }
    let place = url.strip_prefix("ws://").context("the URL is plain")?;
    let stream = TcpStream::connect(place)?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = tungstenite::client(format!("{url}/app/key?protocol=7"), stream)?;
    let channels: Vec<&String> = ids.keys().collect();
    for some in channels.chunks(100) {
        for channel in some {
            let order = serde_json::json!({"event": "pusher:subscribe", "data": {"channel": channel}});
            socket.write(Message::text(order.to_string()))?;
        }
        socket.flush()?;
        // Who does not read the answers in between is not read either, in the end.
        for _ in some {
            socket.read()?;
        }
    }
    match floor {
        Floor::One => one(&mut socket, &ids, client),
        Floor::Threads => threads(&mut socket, &ids, client),
        Floor::Batch => batch(&mut socket, &ids, client),
    }
}

const ONE: &str = "UPDATE streamers SET status = $2 WHERE id = $1 AND status IS DISTINCT FROM $2";

fn one(socket: &mut WebSocket<TcpStream>, ids: &HashMap<String, i64>, mut client: Client) -> anyhow::Result<()> {
    let update = client.prepare(ONE)?;
    loop {
        if let Some((id, status)) = understand(&socket.read()?, ids) {
            client.execute(&update, &[&id, &status])?;
        }
    }
}

fn threads(socket: &mut WebSocket<TcpStream>, ids: &HashMap<String, i64>, mut client: Client) -> anyhow::Result<()> {
    let ((heard, hear), (decided, write)) = (bounded(1024), bounded(1024));
    std::thread::Builder::new().spawn(move || hear.iter().try_for_each(|change| decided.send(change)))?;
    let update = client.prepare(ONE)?;
    let write = move || -> anyhow::Result<()> {
        for (id, status) in write {
            client.execute(&update, &[&id, &status])?;
        }
        Ok(())
    };
    std::thread::Builder::new().spawn(write)?;
    loop {
        if let Some(change) = understand(&socket.read()?, ids) {
            heard.send(change).context("the others have ended")?;
        }
    }
}

fn batch(socket: &mut WebSocket<TcpStream>, ids: &HashMap<String, i64>, mut client: Client) -> anyhow::Result<()> {
    let many = client.prepare(
        "UPDATE streamers AS s SET status = n.status FROM unnest($1::bigint[], $2::text[]) AS n (id, status)
         WHERE s.id = n.id AND s.status IS DISTINCT FROM n.status",
    )?;
    loop {
        let mut changes: Vec<(i64, &str)> = understand(&socket.read()?, ids).into_iter().collect();
        socket.get_ref().set_nonblocking(true)?;
        while let Some(message) = already_here(socket)? {
            changes.extend(understand(&message, ids));
        }
        socket.get_ref().set_nonblocking(false)?;
        if !changes.is_empty() {
            let (ids, words): (Vec<i64>, Vec<&str>) = changes.into_iter().unzip();
            client.execute(&many, &[&ids, &words])?;
        }
    }
}

fn already_here(socket: &mut WebSocket<TcpStream>) -> anyhow::Result<Option<Message>> {
    match socket.read() {
        Ok(message) => Ok(Some(message)),
        Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The row and its new status.
fn understand(message: &Message, ids: &HashMap<String, i64>) -> Option<(i64, &'static str)> {
    let Message::Text(text) = message else { return None };
    let frame: Value = serde_json::from_str(text).ok()?;
    let status = match frame["event"].as_str()? {
        "App\\Events\\StreamerIsLive" => "Online",
        "App\\Events\\StopStreamBroadcast" => "Offline",
        _ => return None,
    };
    let data: Value = serde_json::from_str(frame["data"].as_str()?).ok()?;
    data["livestream"]["id"].as_i64()?;
    Some((*ids.get(frame["channel"].as_str()?)?, status))
}
