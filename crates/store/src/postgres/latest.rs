//! The latest instant committed, and how much of it is written.

use super::rows;
use crate::remote::Change;
use std::sync::atomic::{AtomicI64, Ordering};
use symbolon_core::Timestamp;

/// How far the written instant may fall behind, in milliseconds. Exclusive.
const STEP_MS: i64 = 1000;

/// What is known to be written.
pub(super) struct Latest(AtomicI64);

impl Latest {
    pub(super) fn new(written: Timestamp) -> Self {
        Self(AtomicI64::new(rows::int(written.as_millis())))
    }

    /// What is to be written with these changes, if it is far enough ahead of what was.
    pub(super) fn of(&self, changes: &[Change]) -> Option<i64> {
        self.ahead(changes.iter().map(|change| change.latest).max()?)
    }

    /// The same of one instant.
    pub(super) fn ahead(&self, latest: Timestamp) -> Option<i64> {
        let latest = rows::int(latest.as_millis());
        (self.0.load(Ordering::Acquire).saturating_add(STEP_MS) <= latest).then_some(latest)
    }

    /// It was, by us or another.
    pub(super) fn wrote(&self, latest: Option<i64>) {
        self.0.fetch_max(latest.unwrap_or(0), Ordering::AcqRel);
    }
}
