//! Colours, for terminals only: any other output is plain text.

use std::io::{self, IsTerminal};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paint(pub bool);

impl Paint {
    /// Decides by standard output and the environment: <https://no-color.org>.
    pub(super) fn for_stdout() -> Paint {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Paint(io::stdout().is_terminal() && !dumb && !set("NO_COLOR"))
    }

    /// Green: passed.
    pub(super) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Yellow: passed with a warning.
    pub(super) fn poor(self, text: &str) -> String {
        self.with("33", text)
    }

    /// Red: failed.
    pub(super) fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
