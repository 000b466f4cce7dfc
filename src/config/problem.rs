//! What is wrong with a configuration, said in one line: `FILE:LINE: KEY: what is wrong and what was
//! expected` (kick-monitor.env(5)). Never contains the value of a secret.

use super::edges::is_invisible;
use std::fmt;

/// The most characters of a bad value that a message repeats.
const SHOWN_MAX: usize = 200;

/// One thing that is wrong. `Display` is the line to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named, or `environment`.
    pub file: String,
    /// The line, counted from 1; `None` if no line is at fault, such as for a missing key.
    pub line: Option<usize>,
    /// The key; empty if the file as a whole or a line without a key is meant.
    pub key: String,
    /// What is wrong and what was expected.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.text)
    }
}

/// `value` in quotes, for a message of one line: invisible characters are escaped, and a long value is cut.
pub(super) fn shown(value: &str) -> String {
    let mut out = String::from("\"");
    for (count, c) in value.chars().enumerate() {
        if count == SHOWN_MAX {
            out.push('…');
            break;
        }
        let shows = c == ' ' || !(c.is_control() || c.is_whitespace() || is_invisible(c));
        if shows { out.push(c) } else { out.extend(c.escape_default()) }
    }
    out.push('"');
    out
}
