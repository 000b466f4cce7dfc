//! How long the guest token lets the connection go on, and when the next one is needed (docs/kick.md §1.4;
//! docs/rules.md, "Times"). Knows times alone.
//!
//! ```text
//!                 renew_at                 token                reply
//!   Fresh(…, end) ────────► Wanted(end) ────────► Sent(id, end) ────────► Fresh or Endless
//! ```

use crate::domain::Steady;
use std::time::Duration;

/// The new token must be there so long before the old one's end.
const MARGIN: Duration = Duration::from_secs(5);
/// A life shorter than this is not believed: it would make us ask Kick without a pause.
const SHORTEST: Duration = Duration::from_secs(4);

/// The life of the token in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lease {
    /// It never ends.
    Endless,
    /// Another token is not needed yet.
    Fresh {
        /// When to ask for one.
        renew_at: Steady,
        /// When the connection is over.
        end: Steady,
    },
    /// Another token has been asked for.
    Wanted {
        /// When the connection is over.
        end: Steady,
    },
    /// The new token was sent.
    Sent {
        /// The command it was sent with.
        id: u64,
        /// When the connection is over.
        end: Steady,
    },
}

impl Lease {
    /// A token that was just accepted, for so long.
    pub(super) fn new(now: Steady, lasts: Option<Duration>) -> Lease {
        let Some(lasts) = lasts else { return Lease::Endless };
        let lasts = lasts.max(SHORTEST);
        // At 75 %, and at least the margin before the end; or half-way where that is not possible.
        let sooner = lasts.saturating_sub(MARGIN).max(lasts / 2);
        Lease::Fresh { renew_at: now + sooner.min(lasts - lasts / 4), end: now + lasts }
    }

    /// When it is over.
    pub(super) fn end(self) -> Steady {
        match self {
            Lease::Endless => Steady(Duration::MAX),
            Lease::Fresh { end, .. } | Lease::Wanted { end } | Lease::Sent { end, .. } => end,
        }
    }

    /// When something is to be done about it.
    pub(super) fn next_wake(self) -> Steady {
        if let Lease::Fresh { renew_at, .. } = self { renew_at } else { self.end() }
    }
}
