//! How far a copy of a store is, kept in the copy itself.

use serde::{Deserialize, Serialize};
use symbolon_core::Fault;
use symbolon_store::copy::Part;
use symbolon_store::{Kind, Query, Store};

/// The record that says so.
pub const NAME: &str = "migration";

/// How far a copy is.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The store that is copied, without its password.
    pub from: String,
    /// Whether everything came.
    pub done: bool,
    /// Which part is being copied: its number in [`Part::ALL`].
    pub part: usize,
    /// After which row of it, in hexadecimal; none: from its beginning.
    pub after: Option<String>,
}

/// What a target holds.
pub enum Looked {
    /// It holds nothing.
    Empty,
    /// A copy of the same store that is to go on.
    Unfinished,
    /// A whole copy.
    Finished,
    /// An unfinished copy of this store.
    Another(String),
    /// Something that no copy wrote.
    InUse(&'static str),
}

impl Mark {
    /// Of a copy that begins.
    pub fn new(from: &str) -> Self {
        Self { from: from.to_owned(), done: false, part: 0, after: None }
    }

    /// What is kept in a store, with its version; `None`: no copy was ever begun there.
    ///
    /// # Errors
    /// The store could not be read, or what it says is damaged.
    pub async fn read(store: &Store) -> Result<Option<(Self, u64)>, Fault> {
        let Some(record) = store.record(Kind::Meta, NAME).await? else { return Ok(None) };
        let mark = serde_json::from_slice(&record.value)
            .map_err(|_| Fault::Store("what says how far a copy is, is damaged".into()))?;
        Ok(Some((mark, record.version)))
    }

    /// Keeps it; answers the version that it has then.
    ///
    /// # Errors
    /// The store could not be written, or another copy writes to it too.
    pub async fn write(&self, store: &Store, version: Option<u64>) -> Result<u64, Fault> {
        let text = serde_json::to_vec(self)
            .map_err(|why| Fault::Store(format!("how far the copy is cannot be kept: {why}")))?;
        match store.put_record(Kind::Meta, NAME, &text, version).await? {
            true => Ok(version.unwrap_or(0).saturating_add(1)),
            false => Err(Fault::Store("another copy writes to the same target".into())),
        }
    }

    /// Which part is being copied; `None`: none any more.
    pub fn part(&self) -> Option<Part> {
        Part::ALL.get(self.part).copied()
    }

    /// After which row of it.
    pub fn after(&self) -> Option<Vec<u8>> {
        data_encoding::HEXLOWER.decode(self.after.as_ref()?.as_bytes()).ok()
    }
}

/// Whether a store holds a copy that is not whole: nobody serves from that.
///
/// # Errors
/// The store could not be read.
pub async fn is_unfinished(store: &Store) -> Result<bool, Fault> {
    Ok(Mark::read(store).await?.is_some_and(|(mark, _)| !mark.done))
}

/// What a target holds, for a copy of `from`.
///
/// # Errors
/// It could not be read.
pub async fn look(target: &Store, from: &str) -> Result<Looked, Fault> {
    if let Some((mark, _)) = Mark::read(target).await? {
        return Ok(match mark {
            Mark { done: true, .. } => Looked::Finished,
            Mark { from: other, .. } if other == from => Looked::Unfinished,
            Mark { from: other, .. } => Looked::Another(other),
        });
    }
    if 0 < target.head() || !target.events_after(0, 1).await?.is_empty() {
        return Ok(Looked::InUse("a history"));
    }
    for kind in Kind::ALL {
        if !target.records(kind).await?.is_empty() {
            return Ok(Looked::InUse("keys or other small records"));
        }
    }
    let one = Query { limit: 1, ..Query::default() };
    match target.sessions(&one, |_| true).await?.sessions.is_empty() {
        true => Ok(Looked::Empty),
        false => Ok(Looked::InUse("sessions")),
    }
}
