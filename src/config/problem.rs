//! What is wrong with a configuration, said in one line: `FILE:LINE: KEY: what is wrong and what was
//! expected` (kick-monitor.env(5)). Never holds the value of a secret.

use super::edges::is_invisible;
use std::fmt;

/// How many characters of a bad value are repeated to the administrator.
const SHOWN_MAX: usize = 200;

/// One thing that is wrong. `Display` is the line to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named, or `environment`.
    pub file: String,
    /// The line, counted from 1; none where no line is to blame, such as for a missing key.
    pub line: Option<usize>,
    /// The key; empty where the file as a whole, or a line without a key, is meant.
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

/// `value` in quotes, fit for a message of one line: what cannot be seen is escaped, and it is cut short.
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
