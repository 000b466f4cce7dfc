//! What the core tells the worker `webhook`: Kick's public key and Kick's time. It outlives the worker, so that a new
//! one knows both at once.

use crate::domain::time::Timestamp;
use crate::domain::webhook::WebhookOrder;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The cell.
#[derive(Debug, Default)]
pub(crate) struct WebhookCell(Mutex<Known>);

/// What is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Kick's public key (PEM).
    pub key: Option<String>,
    /// What Kick's clock showed when our steady time began.
    pub zero: Option<Timestamp>,
}

impl WebhookCell {
    /// Takes an order of the core.
    pub(super) fn put(&self, order: WebhookOrder) {
        let mut known = self.held();
        match order {
            WebhookOrder::Key(key) => known.key = Some(key),
            WebhookOrder::Clock(zero) => known.zero = Some(zero),
        }
    }

    /// What is known now.
    pub(super) fn known(&self) -> Known {
        self.held().clone()
    }

    /// A poisoned lock is safe to use: each assignment under it is complete in itself.
    fn held(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
