//! A node of the authority: the real reading, log and entries, with the simulator's store and time around them.

use crate::store::{EVENTS_MAX, Store, instant};
use symbolon::feed::{
    Answered, Entries, FRAMES_MAX, Log, Next, Place, Reading, Stopped, base, is_needed,
};
use symbolon_core::Timestamp;
use symbolon_wire::feed::{Checkpoint, Cursor, Frame, Revocation, TargetKey, write_snapshot};
use symbolon_wire::{CryptoFailed, SigningKey};

pub(crate) const ISSUER: &str = "https://id.example.com";

/// How often a node signs, in milliseconds.
const TICK: u64 = 1000;

/// What signs, and what targets are digested under.
pub(crate) struct Keys {
    pub(crate) signing: SigningKey,
    pub(crate) targets: TargetKey,
}

/// A process that reads the store and sends the feed.
pub(crate) struct Node {
    live: Option<Live>,
    round: u64,
    /// It cannot reach its store.
    pub(crate) cut: bool,
    readable: bool,
    asked: Option<Asked>,
    ticks_at: u64,
    /// How often it had to read anew.
    pub(crate) broke: usize,
}

struct Live {
    log: Log,
    entries: Entries,
    reading: Reading,
}

/// An answer of the store that is on its way.
struct Asked {
    answered: Answered,
    arrives_at: u64,
    beats: bool,
}

impl Node {
    pub(crate) fn new(ticks_at: u64) -> Self {
        let (live, round, cut, readable) = (None, 0, false, false);
        Self { live, round, cut, readable, asked: None, ticks_at, broke: 0 }
    }

    /// The process starts again; who followed it is cut off.
    pub(crate) fn crash(&mut self, at: u64) {
        let round = self.round;
        *self = Self { round, cut: self.cut, broke: self.broke, ..Self::new(at + 200) };
    }

    /// Does what is due; `latency` is that of the store just now.
    pub(crate) fn step(&mut self, store: &Store, keys: &Keys, at: u64, latency: u64) {
        self.arrive(keys, at);
        let beats = self.ticks_at <= at;
        if beats {
            self.ticks_at = at + TICK;
        }
        if self.cut {
            // What it asks for now never comes.
            self.asked = None;
            self.readable &= !beats;
            return;
        }
        match &self.live {
            None if beats => self.begin(store, keys, at),
            None => {}
            Some(_) if self.asked.is_some() => {
                // A tick waits for the answer that is on its way.
                self.ticks_at = if beats { at } else { self.ticks_at };
            }
            Some(live) if beats || live.log.head().position != store.head() => {
                let events = store.events_after(live.reading.from(), EVENTS_MAX);
                let head_at = (events.len() < EVENTS_MAX).then(|| instant(at));
                let answered = Answered { epoch: store.epoch, events, head_at };
                self.asked = Some(Asked { answered, arrives_at: at + latency, beats });
            }
            Some(_) => {}
        }
    }

    fn arrive(&mut self, keys: &Keys, at: u64) {
        let Some(asked) = self.asked.take_if(|asked| asked.arrives_at <= at) else { return };
        let Some(live) = &mut self.live else { return };
        let (head_at, signed) = (asked.answered.head_at, |c, read_at| sign(keys, c, read_at, at));
        match live.reading.go_on(asked.answered, &keys.targets, signed) {
            Ok(added) => {
                for (sent, revocation) in added {
                    live.log.push(sent);
                    live.entries.push(&revocation.entry);
                }
                let Some(head_at) = head_at else {
                    self.ticks_at = if asked.beats { at } else { self.ticks_at };
                    return;
                };
                live.log.read_up_to_head(head_at);
                self.readable = true;
                if asked.beats {
                    let (cursor, read_at) = (live.reading.cursor(), live.reading.read_at());
                    live.entries.prune(instant(at));
                    live.log.beat(sign(keys, cursor, read_at, at).unwrap());
                }
            }
            Err(Stopped::Broken(_)) => {
                self.live = None;
                self.readable = false;
                self.broke += 1;
            }
            Err(Stopped::Unsigned(_)) => unreachable!("the key signs"),
        }
    }

    /// Reads all anew, as at the start.
    fn begin(&mut self, store: &Store, keys: &Keys, at: u64) {
        self.round += 1;
        let head = store.head();
        let mut entries = Entries::default();
        for (_, event) in store.events_after(0, usize::MAX) {
            let entry = Revocation::of(&event, &keys.targets).entry;
            if is_needed(&entry.to_record(), instant(at)) {
                entries.push(&entry);
            }
        }
        let wanted = Cursor::block(store.epoch, head.saturating_sub(FRAMES_MAX as u64));
        let first = store.events_after(wanted.position, 1).first().map(|(first, _)| *first);
        let (base, is_whole) = base(wanted, head, first);
        let (mut reading, mut log) = (Reading::at(base), Log::new(self.round, base, is_whole));
        let events = store.events_after(base.position, usize::MAX);
        let sign = |cursor, read_at| sign(keys, cursor, read_at, at);
        for (sent, _) in reading.fold(&events, None, &keys.targets, sign).unwrap() {
            log.push(sent);
        }
        self.live = Some(Live { log, entries, reading });
        // It says nothing before it has caught up.
        let events = store.events_after(self.live.as_ref().unwrap().reading.from(), EVENTS_MAX);
        let answered = Answered { epoch: store.epoch, events, head_at: Some(instant(at)) };
        self.asked = Some(Asked { answered, arrives_at: at, beats: true });
        self.arrive(keys, at);
    }

    /// Whether it would take in whoever asks.
    fn ready(&self) -> Option<&Live> {
        self.live.as_ref().filter(|_| self.readable)
    }

    /// The place of who wants to follow; the inner `None` is a status 410.
    pub(crate) fn enter(&self, after: &str) -> Option<Option<Place>> {
        let cursor = Cursor::parse(after).unwrap();
        Some(self.live.as_ref()?.log.place(Some(cursor)))
    }

    /// What comes next for who follows.
    pub(crate) fn next(&self, place: &mut Place) -> Next {
        self.live.as_ref().map_or(Next::Gone, |live| live.log.next(place))
    }

    /// The answer to a poll.
    pub(crate) fn poll(&self, path: &str, keys: &Keys, at: u64) -> Option<Vec<u8>> {
        let query = |name| path.split(['?', '&']).find_map(|part| part.strip_prefix(name));
        let cursor = Cursor::parse(query("after=").unwrap()).unwrap();
        let nonce = query("nonce=").map(str::to_owned);
        let live = self.ready()?;
        let part = live.log.part(&live.log.place(Some(cursor))?)?;
        let said = Checkpoint { nonce, ..checkpoint(part.cursor, part.read_at, at) };
        let mut bytes = part.frames.concat();
        let signed = said.sign(&keys.signing).unwrap();
        bytes.extend_from_slice(Frame::Checkpoint(signed).to_text().as_bytes());
        Some(bytes)
    }

    /// Everything that a mirror must know.
    pub(crate) fn snapshot(&self, keys: &Keys, at: u64) -> Option<Vec<u8>> {
        let live = self.ready().filter(|live| !live.entries.is_overfull())?;
        let (cursor, read_at) = (live.log.head(), live.log.read_at());
        let chunks = live.entries.share();
        let records = chunks.iter().flat_map(|chunk| chunk.iter());
        let records: Vec<_> =
            records.filter(|record| is_needed(record, instant(at))).copied().collect();
        let sign = |digest| {
            let said = Checkpoint { snapshot: Some(digest), ..checkpoint(cursor, read_at, at) };
            said.sign(&keys.signing)
        };
        write_snapshot(&cursor, &keys.targets, &records, sign).ok()
    }
}

fn checkpoint(cursor: Cursor, read_at: Timestamp, at: u64) -> Checkpoint {
    let (iss, now) = (ISSUER.to_owned(), instant(at));
    Checkpoint { iss, cursor, read_at, now, nonce: None, snapshot: None }
}

fn sign(
    keys: &Keys,
    cursor: Cursor,
    read_at: Timestamp,
    at: u64,
) -> Result<bytes::Bytes, CryptoFailed> {
    let signed = checkpoint(cursor, read_at, at).sign(&keys.signing)?;
    Ok(Frame::Checkpoint(signed).to_text().into())
}
