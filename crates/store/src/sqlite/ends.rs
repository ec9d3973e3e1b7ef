//! The ends log: what was ended, kept beside the database so that putting an older copy of the database
//! back brings nothing ended back.
//!
//! `<database>.ends` begins with [`MAGIC`]; then come records, each its length (4 bytes), the CRC-32C of
//! length and body (4 bytes) and its body. It is appended and synced after the commit and before the
//! answer. A tail that was being written when power went is cut off; damage before the end is refused.
//!
//! A command may append beside a serving process, so whoever writes holds the file's lock meanwhile.

use super::files;
use crate::Refusal;
use crate::codec::event::{read_client, read_subject};
use crate::codec::subject::{ban as write_ban, read_ban};
use crate::codec::{self, Damage, Decoder, Encoder};
use crate::crc::crc32c;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use symbolon_core::subject::Ban;
use symbolon_core::{ClientId, Event, Fault, StoreEpoch, Subject};

pub(super) const MAGIC: &[u8; 8] = b"symends1";
const FORMAT: u8 = 1;
const FRAME: usize = 8;

/// The largest body of a record, in bytes. Inclusive.
const BODY_MAX: usize = crate::VALUE_MAX + 16 * 1024;

/// How many bytes may wait for a disk that takes none before commits are refused.
const PENDING_MAX: usize = 1024 * 1024;

/// How much of the log's end is written again at a start, in bytes: more than can have been waiting when a
/// process before this one could not sync it.
const DOUBTFUL_MAX: u64 = 4 * PENDING_MAX as u64;

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
    /// An event, as the feed holds it.
    Event { event: Event, sealed: Vec<u8> },
    /// A subject's ban from then on, if any.
    Ban { subject: Subject, ban: Option<Ban> },
    /// A store epoch began; the head of the feed was at the position.
    Epoch,
    /// An API key's record when it was replaced, which is how it is revoked.
    ApiKey { name: String, version: u64, value: Vec<u8> },
    /// Whether a client was switched off from then on.
    Switch { client: ClientId, disabled: bool },
}

/// The log, open for appending.
pub(super) struct EndsLog {
    path: PathBuf,
    file: File,
    /// Bytes that are known to be on the disk.
    synced: u64,
    /// How many bytes at its end were cut off when it was opened: a record that was being written.
    torn: u64,
    /// Records that were committed to the database and are not known to be on the disk.
    pending: Vec<u8>,
}

/// What the name of a log has beyond that of its database.
pub(super) const ENDING: &str = ".ends";

/// Where the log of a database lies.
pub(super) fn path_of(database: &Path) -> PathBuf {
    files::beside(database, ENDING)
}

/// Puts a log of these records in the place of another, all at once.
pub(super) fn replace(path: &Path, framed: &[u8]) -> std::io::Result<()> {
    let part = files::beside(path, ".part");
    let mut file = files::create(&part)?;
    file.write_all(MAGIC)?;
    file.write_all(framed)?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    files::sync_directory_of(path)
}

impl EndsLog {
    /// Opens or creates the log and reads all of it.
    pub(super) fn open(path: PathBuf) -> Result<(Self, Vec<Entry>), Refusal> {
        let io = |error: std::io::Error| Refusal::io(&path, &error);
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        file.lock().map_err(io)?;
        let (entries, sound) = read(&path, &mut file)?;
        let torn = file.metadata().map_err(io)?.len().saturating_sub(sound as u64);
        write_again(&file, sound as u64).map_err(io)?;
        let mut log = Self { path, file, synced: sound as u64, torn, pending: Vec::new() };
        if sound == 0 {
            log.pending.extend_from_slice(MAGIC);
        }
        let flushed = log.flush_locked().and_then(|()| log.file.unlock());
        flushed.map_err(|error| Refusal::io(&log.path, &error))?;
        Ok((log, entries))
    }

    /// Counts the records of a log as it is. An unfinished one at its end is left to the next start.
    pub(super) fn count(path: &Path) -> Result<usize, Refusal> {
        match std::fs::read(path) {
            Ok(bytes) => parse(path, &bytes).map(|(entries, _)| entries.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(Refusal::io(path, &error)),
        }
    }

    /// How many records and how many bytes of a log are sound, and how many bytes it has.
    pub(super) fn measure(path: &Path) -> Result<(usize, usize, usize), Refusal> {
        let bytes = std::fs::read(path).map_err(|error| Refusal::io(path, &error))?;
        parse(path, &bytes).map(|(entries, sound)| (entries.len(), sound, bytes.len()))
    }

    /// Appends to the log of a database that another process may be serving from, if there is one.
    pub(super) fn append_beside(database: &Path, framed: &[u8]) -> Result<(), Fault> {
        let path = path_of(database);
        let unwritten = |error: std::io::Error| said(&path, &error);
        loop {
            let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
                Ok(file) => file,
                // A first start makes it, out of what the database holds.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(unwritten(error)),
            };
            file.lock().map_err(unwritten)?;
            if !is_at(&path, &file).map_err(unwritten)? {
                continue;
            }
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(unwritten)?;
            let sound = sound(&bytes, |_, _| Ok(())).map_err(|what| said(&path, &what))?;
            if sound == 0 {
                return Ok(());
            }
            let (synced, pending) = (sound as u64, framed.to_vec());
            let mut log = Self { path: path.clone(), file, synced, torn: 0, pending };
            return log.flush_locked().map_err(unwritten);
        }
    }

    /// Appends framed records and returns once they are on the disk.
    pub(super) fn append(&mut self, framed: &[u8]) -> Result<(), Fault> {
        self.pending.extend_from_slice(framed);
        self.flush().map_err(|error| said(&self.path, &error))
    }

    /// How many of its bytes are known to be on the disk.
    pub(super) fn length(&self) -> u64 {
        self.synced
    }

    /// How many bytes at its end were no whole record when it was opened.
    pub(super) fn torn(&self) -> u64 {
        self.torn
    }

    /// All records; nobody else appends until [`Self::unlock`], or until this is dropped.
    pub(super) fn lock_and_read(&self) -> Result<Vec<Entry>, Refusal> {
        let io = |error: std::io::Error| Refusal::io(&self.path, &error);
        self.file.lock().map_err(io)?;
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        read(&self.path, file).map(|(entries, _)| entries)
    }

    pub(super) fn unlock(&self) -> std::io::Result<()> {
        self.file.unlock()
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

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.lock()?;
        let flushed = self.accept_others().and_then(|()| self.flush_locked());
        flushed.and(self.file.unlock())
    }

    /// Takes in what another process appended and synced since.
    fn accept_others(&mut self) -> std::io::Result<()> {
        let length = self.file.metadata()?.len();
        if length <= self.synced {
            return Ok(());
        }
        let mut tail = Vec::new();
        self.file.seek(SeekFrom::Start(self.synced))?;
        Read::by_ref(&mut self.file).take(length - self.synced).read_to_end(&mut tail)?;
        let mut at = 0;
        while let Some(body) = body_at(&tail, at) {
            at += FRAME + body.len();
        }
        // If it was not synced over there after all, nobody would hear of it here.
        self.file.write_all_at(&tail[..at], self.synced)?;
        self.file.sync_data()?;
        self.synced += at as u64;
        Ok(())
    }

    /// Writes everything after the synced part anew: after a failed sync, what the system still holds
    /// of the earlier attempt is not to be believed.
    fn flush_locked(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.synced)?;
        if self.pending.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.write_pending() {
            // Else the next attempt would take this one for another process's.
            let _tried = self.file.set_len(self.synced);
            return Err(error);
        }
        self.synced += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    fn write_pending(&mut self) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(self.synced))?;
        self.file.write_all(&self.pending)?;
        self.file.sync_data()
    }
}

/// All records of a log that was locked, and how many of its bytes are sound.
fn read(path: &Path, mut file: impl Read) -> Result<(Vec<Entry>, usize), Refusal> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| Refusal::io(path, &error))?;
    let (entries, sound) = parse(path, &bytes)?;
    if sound < bytes.len() {
        let cut = bytes.len() - sound;
        tracing::warn!(path = %path.display(), cut, "the ends log had a torn tail: cut off");
    }
    Ok((entries, sound))
}

/// Writes the end of a log's sound bytes over itself and syncs it: a process before this one may have failed
/// to, and the system answers from its memory.
fn write_again(file: &File, sound: u64) -> std::io::Result<()> {
    let from = sound.saturating_sub(DOUBTFUL_MAX);
    let mut doubtful = vec![0; (sound - from) as usize];
    file.read_exact_at(&mut doubtful, from)?;
    file.write_all_at(&doubtful, from)?;
    file.sync_data()
}

/// Whether a file is still the one of that name, and not one that was replaced meanwhile.
fn is_at(path: &Path, file: &File) -> std::io::Result<bool> {
    let (open, named) = (file.metadata()?, std::fs::metadata(path)?);
    Ok((open.dev(), open.ino()) == (named.dev(), named.ino()))
}

fn said(path: &Path, error: &dyn core::fmt::Display) -> Fault {
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
        Lost::ApiKey { name, version, value } => framed(entry.epoch, entry.position, 3, |to| {
            to.text(name);
            to.number(*version);
            to.number(value.len() as u64);
            to.raw(value);
        }),
        Lost::Switch { client, disabled } => framed(entry.epoch, entry.position, 4, |to| {
            to.text(client.as_str());
            to.byte(u8::from(*disabled));
        }),
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

/// The entries of framed records that were just made.
pub(super) fn entries_of(framed: &[u8]) -> Result<Vec<Entry>, Fault> {
    let mut entries = Vec::new();
    let mut at = 0;
    while let Some(body) = body_at(framed, at) {
        entries.push(entry(body)?);
        at += FRAME + body.len();
    }
    Ok(entries)
}

/// All records, and how many bytes of the file are sound.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<Entry>, usize), Refusal> {
    let mut entries = Vec::new();
    let each = |at, body: &[u8]| {
        let entry = entry(body).map_err(|damage| format!("at byte {at}: {}", damage.0))?;
        entries.push(entry);
        Ok(())
    };
    match sound(bytes, each) {
        Ok(sound) => Ok((entries, sound)),
        Err(what) => Err(Refusal::Damaged { path: path.into(), what }),
    }
}

/// How many bytes of a log are sound; each record's place and body are told. Damage before sound records
/// is an error, and so is what `each` refuses.
fn sound(
    bytes: &[u8],
    mut each: impl FnMut(usize, &[u8]) -> Result<(), String>,
) -> Result<usize, String> {
    if bytes.len() < MAGIC.len() {
        return Ok(0);
    }
    if !bytes.starts_with(MAGIC) {
        return Err("it does not begin as an ends log does".into());
    }
    let mut at = MAGIC.len();
    while let Some(body) = body_at(bytes, at) {
        each(at, body)?;
        at += FRAME + body.len();
    }
    if (at + 1..bytes.len()).any(|later| body_at(bytes, later).is_some()) {
        return Err(format!("a record at byte {at} is damaged and sound ones follow it"));
    }
    Ok(at)
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
        3 => Lost::ApiKey {
            name: from.text()?.to_owned(),
            version: from.number()?,
            value: from.bytes()?.to_vec(),
        },
        4 => Lost::Switch { client: read_client(&mut from)?, disabled: from.flag()? },
        5.. => return Err(Damage("a record is of an unknown kind")),
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
