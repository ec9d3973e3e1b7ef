//! Where reading the store's events stands, and what may follow. Pure: the task asks the store, this judges
//! the answer; `crates/sim` drives the same code over a store and a link that fail.

use super::log::Sent;
use bytes::Bytes;
use symbolon_core::{Event, StoreEpoch, Timestamp};
use symbolon_wire::feed::{Cursor, Frame, Revocation, TargetKey};

/// Why reading cannot go on. `E` is what signing may fail with.
#[derive(Debug)]
pub enum Stopped<E> {
    /// What was read is not what follows what was sent: it must be read anew.
    Broken(&'static str),
    /// The checkpoint at the end of a block could not be signed.
    Unsigned(E),
}

/// Where reading stands.
pub struct Reading {
    cursor: Cursor,
    /// What stands at the cursor; `None`: nothing was read yet.
    last: Option<Revocation>,
    /// When the cursor was the store's head, for certain.
    read_at: Timestamp,
}

/// What the store answered.
pub struct Answered {
    /// The epoch that it was in before it was asked for events.
    pub epoch: StoreEpoch,
    /// What it holds after [`Reading::from`].
    pub events: Vec<(u64, Event)>,
    /// Read before the store was asked, if it answered all that it holds.
    pub head_at: Option<Timestamp>,
}

impl Reading {
    /// Begins at a place.
    pub const fn at(base: Cursor) -> Self {
        Self { cursor: base, last: None, read_at: Timestamp::from_millis(0) }
    }

    /// The place after all that was read.
    pub const fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// When that was the store's head, for certain.
    pub const fn read_at(&self) -> Timestamp {
        self.read_at
    }

    /// The position to ask for what comes after: one early, so that the store shows whether it still holds what was
    /// sent last.
    pub const fn from(&self) -> u64 {
        self.cursor.position.saturating_sub(1)
    }

    /// Goes on by what the store answered, if it still holds what was sent and nothing is missing.
    ///
    /// # Errors
    /// It does not, or the end of a block could not be signed. What was folded and not sent can only be read anew.
    pub fn go_on<E>(
        &mut self,
        answered: Answered,
        targets: &TargetKey,
        sign: impl FnMut(Cursor, Timestamp) -> Result<Bytes, E>,
    ) -> Result<Vec<(Sent, Revocation)>, Stopped<E>> {
        let Answered { epoch, mut events, head_at } = answered;
        if epoch != self.cursor.epoch {
            return Err(Stopped::Broken("another store epoch has begun"));
        }
        if let Some(last) = &self.last {
            let position = self.cursor.position;
            let same = events.first().is_some_and(|(found, event)| {
                *found == position && Revocation::of(event, targets) == *last
            });
            if !same {
                return Err(Stopped::Broken("the store no longer holds what was sent"));
            }
            events.remove(0);
        }
        let added = self.fold(&events, head_at, targets, sign)?;
        if let Some(at) = head_at {
            self.read_at = at;
        }
        Ok(added)
    }

    /// Folds events into the digest; `head_at` says when the last of them was the store's head.
    ///
    /// # Errors
    /// One is missing between them, or the end of a block could not be signed.
    pub fn fold<E>(
        &mut self,
        events: &[(u64, Event)],
        head_at: Option<Timestamp>,
        targets: &TargetKey,
        mut sign: impl FnMut(Cursor, Timestamp) -> Result<Bytes, E>,
    ) -> Result<Vec<(Sent, Revocation)>, Stopped<E>> {
        let (end, mut added) =
            (events.last().map(|(end, _)| *end), Vec::with_capacity(events.len()));
        for (position, event) in events {
            if *position != self.cursor.position + 1 {
                return Err(Stopped::Broken("events are missing in the store"));
            }
            let revocation = Revocation::of(event, targets);
            self.cursor = self.cursor.after(&revocation);
            self.last = Some(revocation);
            let read_at = head_at.filter(|_| Some(*position) == end).unwrap_or(self.read_at);
            let boundary = match self.cursor.is_boundary() {
                true => Some((sign(self.cursor, read_at).map_err(Stopped::Unsigned)?, read_at)),
                false => None,
            };
            let frame = Frame::Revocation(self.cursor, revocation).to_text().into();
            added.push((Sent { cursor: self.cursor, frame, boundary }, revocation));
        }
        Ok(added)
    }
}
