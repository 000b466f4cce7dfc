//! The broker that says which transport to use (KICK.md §1.3).
//!
//! This Kick is one from before the broker, and says so; a client must fall back on what it was told.

use super::not_found;
use crate::http::Answer;

/// `POST /api/v1/realtime/connection`
pub(super) fn connection() -> Answer {
    not_found("Not found.")
}
