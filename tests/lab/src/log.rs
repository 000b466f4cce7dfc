//! The daemon's log, line by line as it comes, and what a line says.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// As it was written.
    pub text: String,
    /// What stands behind ` event=`; empty when the line is no event.
    pub event: String,
    /// The keys behind it, their values without quotes and escapes.
    pub keys: BTreeMap<String, String>,
}

impl Line {
    /// Takes a line apart.
    pub fn parse(text: &str) -> Line {
        let mut keys = BTreeMap::new();
        let mut rest = text.find(" event=").map_or("", |at| &text[at + 1..]);
        while let Some((key, behind)) = rest.split_once('=') {
            let end = end_of_value(behind);
            let value = &behind[..end];
            // What stands between quotes reads as a string of JSON.
            let value = serde_json::from_str(value).unwrap_or_else(|_| value.to_owned());
            keys.insert(key.trim_start().to_owned(), value);
            rest = &behind[end..];
        }
        Line { text: text.to_owned(), event: keys.remove("event").unwrap_or_default(), keys }
    }

    /// The value of a key; empty when the line has no such key.
    pub fn key(&self, name: &str) -> &str {
        self.keys.get(name).map_or("", String::as_str)
    }
}

/// Leaves a file called after the line's event in the directory that `EVENTS_SEEN` names, if it does:
/// `make test` compares what the whole suite provoked with what is documented.
pub fn witness(line: &Line) {
    let wanted = std::env::var_os("EVENTS_SEEN").filter(|directory| !directory.is_empty() && !line.event.is_empty());
    let Some(directory) = wanted else { return };
    let path = Path::new(&directory).join(&line.event);
    if !path.exists() {
        let _ = fs::write(path, &line.text);
    }
}

fn end_of_value(text: &str) -> usize {
    if !text.starts_with('"') {
        return text.find(' ').unwrap_or(text.len());
    }
    let mut escaped = false;
    let closing = text.char_indices().skip(1).find(|(_, c)| {
        let closes = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        closes
    });
    closing.map_or(text.len(), |(at, _)| at + 1)
}

/// All lines so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    lines: Vec<Line>,
    readers: usize,
}

impl Log {
    /// Collects what `source` gives until it ends, in a thread.
    pub(crate) fn collect(&self, source: impl Read + Send + 'static) {
        self.state().readers += 1;
        let log = self.clone();
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                for line in BufReader::new(source).split(b'\n') {
                    let Ok(line) = line else { break };
                    let line = Line::parse(&String::from_utf8_lossy(&line));
                    witness(&line);
                    log.state().lines.push(line);
                }
                log.state().readers -= 1;
            })
            .expect("a thread can be started");
    }

    /// Whether no more lines will come.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().readers == 0
    }

    /// The number of lines so far.
    pub(crate) fn len(&self) -> usize {
        self.state().lines.len()
    }

    /// The lines from number `from` on that `wanted` takes.
    pub(crate) fn select(&self, from: usize, mut wanted: impl FnMut(&Line) -> bool) -> Vec<Line> {
        self.state().lines.iter().skip(from).filter(|line| wanted(line)).cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Line;

    #[test]
    fn a_line_comes_apart() {
        let line =
            Line::parse(r#"a sentence, with a=b event=api_error status=- reason="say \"hi\" = \u00e9" retry_in=1.5"#);
        assert_eq!(line.event, "api_error");
        assert_eq!(line.keys.len(), 3);
        assert_eq!([line.key("status"), line.key("reason"), line.key("retry_in")], ["-", r#"say "hi" = é"#, "1.5"]);
        assert_eq!(line.key("event"), "");
    }

    #[test]
    fn a_line_that_is_no_event_has_no_keys() {
        let line = Line::parse("thread panicked at a=b");
        assert!(line.event.is_empty() && line.keys.is_empty());
    }
}
