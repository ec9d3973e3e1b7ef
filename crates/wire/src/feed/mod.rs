//! The feed of revocations as it travels (DESIGN.md §4.4): frames, checkpoints, cursors, snapshots.
//!
//! `api/feed.md` has the layouts for people; this is where they are written and read, and nothing else.

mod chain;
mod checkpoint;
mod entry;
mod frame;
mod snapshot;
mod target;

pub use chain::{BLOCK, Chain, Cursor};
pub use checkpoint::{Checkpoint, NONCE_CHARS_MAX};
pub use entry::{Entry, Hit, RECORD_BYTES, Revocation};
pub use frame::{FRAME_BYTES_MAX, Frame, FrameReader, KeyNotice};
pub use snapshot::{ENTRIES_MAX, Snapshot, write_snapshot};
pub use target::{TargetDigest, TargetKey, TargetKind};
