//! How long the guest token allows the connection to last, and when the next token is needed (docs/kick.md §1.4;
//! docs/rules.md, "Times"). Calculates with times only.
//!
//! ```text
//!                 renew_at                 token                reply
//!   Fresh(…, end) ────────► Wanted(end) ────────► Sent(id, end) ────────► Fresh or Endless
//! ```

use crate::domain::Steady;
use std::time::Duration;

/// The new token must arrive at least this long before the old one expires.
const MARGIN: Duration = Duration::from_secs(5);
/// A shorter lifetime is raised to this: it would make us request tokens from Kick without a pause.
const SHORTEST: Duration = Duration::from_secs(4);

/// The state of the token in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lease {
    /// The token does not expire.
    Endless,
    /// No new token is needed yet.
    Fresh {
        /// When to request the next token.
        renew_at: Steady,
        /// When the token expires, and with it the connection.
        end: Steady,
    },
    /// A new token has been requested.
    Wanted {
        /// As in `Fresh`.
        end: Steady,
    },
    /// The new token was sent to the server.
    Sent {
        /// The number of the command that carried it.
        id: u64,
        /// As in `Fresh`.
        end: Steady,
    },
}

impl Lease {
    /// A token that was accepted now and expires after `lasts`; `None` if it does not expire.
    pub(super) fn new(now: Steady, lasts: Option<Duration>) -> Lease {
        let Some(lasts) = lasts else { return Lease::Endless };
        let lasts = lasts.max(SHORTEST);
        // After 75 % of the lifetime, but at least the margin before its end; if the lifetime is too short for that,
        // after half of it.
        let sooner = lasts.saturating_sub(MARGIN).max(lasts / 2);
        Lease::Fresh { renew_at: now + sooner.min(lasts - lasts / 4), end: now + lasts }
    }

    /// When the token expires.
    pub(super) fn end(self) -> Steady {
        match self {
            Lease::Endless => Steady::after(Duration::MAX),
            Lease::Fresh { end, .. } | Lease::Wanted { end } | Lease::Sent { end, .. } => end,
        }
    }

    /// When the session has to act next: to request a token, or to end.
    pub(super) fn next_wake(self) -> Steady {
        if let Lease::Fresh { renew_at, .. } = self { renew_at } else { self.end() }
    }
}
