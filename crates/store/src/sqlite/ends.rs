//! The ends log: what was ended, kept beside the database so that putting an older copy of the database
//! back brings nothing ended back.
//!
//! `<database>.ends` begins with [`MAGIC`]; then come records, each its length (4 bytes), the CRC-32C of
//! length and body (4 bytes) and its body. It is appended and synced after the commit and before the
//! answer. A tail that was being written when power went is cut off; damage before the end is refused.

use crate::Refusal;
use crate::codec::event::read_subject;
use crate::codec::subject::{ban as write_ban, read_ban};
use crate::codec::{self, Damage, Decoder, Encoder};
use crate::crc::crc32c;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use symbolon_core::subject::Ban;
use symbolon_core::{Event, Fault, StoreEpoch, Subject};

const MAGIC: &[u8; 8] = b"symends1";
const FORMAT: u8 = 1;
const FRAME: usize = 8;

/// The largest body of a record, in bytes. Inclusive.
const BODY_MAX: usize = 16 * 1024;

/// How many bytes may wait for a disk that takes none before commits are refused.
const PENDING_MAX: usize = 1024 * 1024;

/// How much of the log's end is written again at a start, in bytes: more than can have been waiting when a
/// process before this one could not sync it.
const DOUBTFUL_MAX: usize = 4 * PENDING_MAX;

/// A record: what it says, and where in which feed it was committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) epoch: StoreEpoch,
    pub(super) position: u64,
    pub(super) lost: Lost,
}

/// What an older copy of the database would have lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Lost {
    /// A revoking event, as the feed holds it.
    Event { event: Event, sealed: Vec<u8> },
    /// A subject's ban from then on, if any.
    Ban { subject: Subject, ban: Option<Ban> },
    /// A store epoch began; the head of the feed was at the position.
    Epoch,
}

/// The log, open for appending.
pub(super) struct EndsLog {
    path: PathBuf,
    file: File,
    /// Bytes that are known to be on the disk.
    synced: u64,
    /// Records that were committed to the database and are not known to be on the disk.
    pending: Vec<u8>,
}

/// Where the log of a database lies.
pub(super) fn path_of(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".ends");
    path.into()
}

impl EndsLog {
    /// Opens or creates the log and reads all of it.
    pub(super) fn open(path: PathBuf) -> Result<(Self, Vec<Entry>), Refusal> {
        let io = |error: std::io::Error| Refusal::io(&path, &error);
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let (entries, sound) = parse(&path, &bytes)?;
        if sound < bytes.len() {
            let cut = bytes.len() - sound;
            tracing::warn!(path = %path.display(), cut, "the ends log had a torn tail: cut off");
        }
        write_again(&file, &bytes[..sound]).map_err(io)?;
        let mut log = Self { path, file, synced: sound as u64, pending: Vec::new() };
        if sound == 0 {
            log.pending.extend_from_slice(MAGIC);
        }
        log.flush().map_err(|error| Refusal::io(&log.path, &error))?;
        Ok((log, entries))
    }

    /// Reads a log as it is and counts its records. An unfinished one at its end is left to the next start.
    pub(super) fn read(path: &Path) -> Result<usize, Refusal> {
        match std::fs::read(path) {
            Ok(bytes) => parse(path, &bytes).map(|(entries, _)| entries.len()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(Refusal::io(path, &error)),
        }
    }

    /// Appends framed records and returns once they are on the disk.
    pub(super) fn append(&mut self, framed: &[u8]) -> Result<(), Fault> {
        self.pending.extend_from_slice(framed);
        self.flush().map_err(|error| said(&self.path, &error))
    }

    /// Whether everything that was appended is on the disk.
    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }

    /// Brings to the disk what an earlier failure left behind; refuses while too much is waiting.
    pub(super) fn heal(&mut self) -> Result<(), Fault> {
        if self.pending.is_empty() {
            return Ok(());
        }
        match self.flush() {
            Err(error) if self.pending.len() > PENDING_MAX => Err(said(&self.path, &error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Brings to the disk what waits. What could not be synced is cut off again, so that no later start
    /// takes what only the system's memory holds for the disk's.
    fn flush(&mut self) -> std::io::Result<()> {
        let flushed = self.write_pending();
        if flushed.is_err() {
            // If even this fails, the next start writes the end of the log again.
            let _also_failing = self.file.set_len(self.synced);
        }
        flushed
    }

    /// Writes everything after the synced part anew: after a failed sync, what the system still holds
    /// of the earlier attempt is not to be believed.
    fn write_pending(&mut self) -> std::io::Result<()> {
        if self.pending.is_empty() {
            return self.file.set_len(self.synced);
        }
        self.file.set_len(self.synced)?;
        self.file.seek(SeekFrom::Start(self.synced))?;
        self.file.write_all(&self.pending)?;
        self.file.sync_data()?;
        self.synced += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

/// Writes the end of what was read over itself and syncs it: a process before this one may have failed to,
/// and the system answers from its memory.
fn write_again(file: &File, sound: &[u8]) -> std::io::Result<()> {
    let from = sound.len().saturating_sub(DOUBTFUL_MAX);
    file.write_all_at(&sound[from..], from as u64)?;
    file.sync_data()
}

fn said(path: &Path, error: &std::io::Error) -> Fault {
    Fault::Store(format!("the ends log {} was not written: {error}", path.display()))
}

/// A record as the log holds it.
pub(super) fn frame(entry: &Entry) -> Vec<u8> {
    match &entry.lost {
        Lost::Event { sealed, .. } => frame_event(entry.epoch, entry.position, sealed),
        Lost::Ban { subject, ban } => framed(entry.epoch, entry.position, 1, |to| {
            to.text(subject.as_str());
            to.maybe(ban.as_ref(), write_ban);
        }),
        Lost::Epoch => framed(entry.epoch, entry.position, 2, |_| {}),
    }
}

/// An event's record, from its bytes in the feed.
pub(super) fn frame_event(epoch: StoreEpoch, position: u64, sealed: &[u8]) -> Vec<u8> {
    framed(epoch, position, 0, |to| {
        to.number(sealed.len() as u64);
        to.raw(sealed);
    })
}

fn framed(epoch: StoreEpoch, position: u64, kind: u8, rest: impl FnOnce(&mut Encoder)) -> Vec<u8> {
    let mut to = Encoder::new(FORMAT);
    to.epoch(epoch);
    to.number(position);
    to.byte(kind);
    rest(&mut to);
    let body = to.into_bytes();
    let length = (body.len() as u32).to_le_bytes();
    [&length[..], &crc32c(&[&length, &body]).to_le_bytes(), &body].concat()
}

/// All records, and how many bytes of the file are sound.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<Entry>, usize), Refusal> {
    let damaged = |what: String| Refusal::Damaged { path: path.into(), what };
    if bytes.len() < MAGIC.len() {
        return Ok((Vec::new(), 0));
    }
    if !bytes.starts_with(MAGIC) {
        return Err(damaged("it does not begin as an ends log does".into()));
    }
    let (mut entries, mut at) = (Vec::new(), MAGIC.len());
    while let Some(body) = body_at(bytes, at) {
        let entry = entry(body).map_err(|damage| damaged(format!("at byte {at}: {}", damage.0)))?;
        entries.push(entry);
        at += FRAME + body.len();
    }
    if (at + 1..bytes.len()).any(|later| body_at(bytes, later).is_some()) {
        return Err(damaged(format!("a record at byte {at} is damaged and sound ones follow it")));
    }
    Ok((entries, at))
}

/// The body of a whole, sound record that begins there.
fn body_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let (length, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let count = u32::from_le_bytes(*length) as usize;
    if count == 0 || count > BODY_MAX {
        return None;
    }
    let body = rest.get(..count)?;
    (crc32c(&[length, body]) == u32::from_le_bytes(*crc)).then_some(body)
}

fn entry(body: &[u8]) -> Result<Entry, Damage> {
    let mut from = Decoder::of(body, FORMAT)?;
    let (epoch, position) = (from.epoch()?, from.number()?);
    let lost = match from.byte()? {
        0 => {
            let sealed = from.bytes()?.to_vec();
            Lost::Event { event: codec::event::decode(position, &sealed)?, sealed }
        }
        1 => Lost::Ban { subject: read_subject(&mut from)?, ban: from.maybe(read_ban)? },
        2 => Lost::Epoch,
        3.. => return Err(Damage("a record is of an unknown kind")),
    };
    from.finish(Entry { epoch, position, lost })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Vec<u8> {
        let entry = |position| Entry { epoch: StoreEpoch(2), position, lost: Lost::Epoch };
        let records = (1..=3).flat_map(|position| frame(&entry(position)));
        MAGIC.iter().copied().chain(records).collect()
    }

    fn positions(bytes: &[u8]) -> Option<Vec<u64>> {
        let (entries, _) = parse(Path::new("x.ends"), bytes).ok()?;
        Some(entries.iter().map(|entry| entry.position).collect())
    }

    #[test]
    fn a_torn_tail_is_cut_at_whatever_byte_it_tore() {
        let whole = three();
        assert_eq!(positions(&whole), Some(vec![1, 2, 3]));
        let third = whole.len() - (whole.len() - MAGIC.len()) / 3;
        for length in third..whole.len() {
            assert_eq!(positions(&whole[..length]), Some(vec![1, 2]), "{length}");
        }
        let mut zeroed = whole[..third].to_vec();
        zeroed.extend([0; 40]);
        assert_eq!(positions(&zeroed), Some(vec![1, 2]));
    }

    #[test]
    fn damage_before_the_end_is_refused() {
        for at in 0..three().len() * 2 / 3 {
            let mut damaged = three();
            damaged[at] ^= 4;
            assert_eq!(positions(&damaged), None, "byte {at}");
        }
    }
}
