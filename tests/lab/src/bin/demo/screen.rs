//! What the demonstration shows: plain lines, coloured on a terminal.

use crate::tally::milliseconds;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const RED: &str = "31";

/// Standard output.
#[derive(Debug)]
pub(crate) struct Screen {
    colours: bool,
}

impl Screen {
    pub(crate) fn new() -> Screen {
        Screen { colours: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    /// The names of the columns.
    pub(crate) fn heading(&self) -> io::Result<()> {
        let line = format!("{:<13} {:<16} {:<8} {:<6} after", "time (UTC)", "streamer", "status", "by");
        self.line(&self.paint(BOLD, &line))
    }

    /// A row that changed.
    pub(crate) fn change(&self, change: &Change, after: Option<Duration>) -> io::Result<()> {
        let colour = if change.status == "Online" { GREEN } else { RED };
        let status = self.paint(colour, &format!("{:<8}", change.status));
        let after = after.map(milliseconds).unwrap_or_default();
        let Change { time, username, source, .. } = change;
        self.line(&format!("{time:<13} {username:<16} {status} {source:<6} {after:>9}"))
    }

    /// A line of kick-monitor's own log.
    pub(crate) fn log(&self, text: &str) -> io::Result<()> {
        self.line(&self.paint(DIM, &format!("  kick-monitor: {text}")))
    }

    /// Anything else.
    pub(crate) fn line(&self, text: &str) -> io::Result<()> {
        writeln!(io::stdout(), "{text}")
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// What PostgreSQL says of a changed row (`DB_NOTIFY_CHANNEL`).
#[derive(Debug)]
pub(crate) struct Change {
    time: String,
    pub(crate) username: String,
    pub(crate) status: String,
    source: String,
}

impl Change {
    /// Reads the payload of a notification; `None` when it is something else.
    pub(crate) fn parse(payload: &str) -> Option<Change> {
        let payload: serde_json::Value = serde_json::from_str(payload).ok()?;
        let text = |key: &str| Some(payload.get(key)?.as_str()?.to_owned());
        // The time of the day, to the millisecond.
        let time = text("changed_at")?.get(11..23)?.to_owned();
        Some(Change { time, username: text("username")?, status: text("status")?, source: text("source")? })
    }
}
