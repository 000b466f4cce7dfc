//! Colours, for a terminal alone: everybody else gets plain text.

use std::io::{self, IsTerminal};

/// Whether to paint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paint(pub bool);

impl Paint {
    /// As standard output and the environment want it: <https://no-color.org>.
    pub(super) fn for_stdout() -> Paint {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Paint(io::stdout().is_terminal() && !dumb && !set("NO_COLOR"))
    }

    /// All is well.
    pub(super) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Something is not as it should be.
    pub(super) fn poor(self, text: &str) -> String {
        self.with("33", text)
    }

    /// Something is broken.
    pub(super) fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// A heading.
    pub(super) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
