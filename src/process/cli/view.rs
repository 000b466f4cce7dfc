//! What the options of `status` mean together. Pure.

use super::{Given, Usage};

/// What `status` shows, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// The whole status, for people.
    Screen,
    /// The whole status, as one JSON object.
    Json,
    /// The metrics, in the text format of Prometheus.
    Prometheus,
    /// One streamer, and why.
    Streamer {
        /// The name, as it was given.
        name: String,
        /// As JSON.
        json: bool,
    },
    /// One line for each streamer, or for those with this status only.
    All(Option<Which>),
    /// One line and an exit code for a monitoring system.
    Check,
    /// The whole status on the terminal, until a key is pressed.
    Watch,
}

/// A status by which `status --all` selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Believed Online.
    Online,
    /// Believed Offline.
    Offline,
    /// Not known yet.
    Unknown,
}

/// The options that choose a view; at most one of them can be used.
const VIEWS: [&str; 5] = ["all", "check", "watch", "prometheus", "json"];
/// The options that select streamers, with `--all`.
const SELECTIONS: [(&str, Which); 3] =
    [("online", Which::Online), ("offline", Which::Offline), ("unknown", Which::Unknown)];

/// The view that the options ask for.
pub(super) fn view(given: Given) -> Result<View, Usage> {
    let mut views = VIEWS.into_iter().filter(|name| given.has(name));
    let (first, second) = (views.next(), views.next());
    if let (Some(first), Some(second)) = (first, second) {
        return Err(Usage(format!("--{first} and --{second} cannot be used together")));
    }
    let mut selections = SELECTIONS.into_iter().filter(|(name, _)| given.has(name));
    let (selection, another) = (selections.next(), selections.next());
    match (selection, another) {
        (Some((one, _)), Some((other, _))) => {
            return Err(Usage(format!("--{one} and --{other} cannot be used together")));
        }
        (Some((name, _)), None) if first != Some("all") => {
            return Err(Usage(format!("--{name} selects streamers and is used with --all")));
        }
        _ => {}
    }
    if let (Some(view), false) = (first.filter(|view| *view != "json"), given.operands.is_empty()) {
        return Err(Usage(format!("--{view} is about all streamers and cannot be used with a name")));
    }
    Ok(match (first, given.operands.into_iter().next()) {
        (first, Some(name)) => View::Streamer { name, json: first.is_some() },
        (Some("all"), None) => View::All(selection.map(|(_, which)| which)),
        (Some("check"), None) => View::Check,
        (Some("watch"), None) => View::Watch,
        (Some("prometheus"), None) => View::Prometheus,
        (Some(_), None) => View::Json,
        (None, None) => View::Screen,
    })
}
