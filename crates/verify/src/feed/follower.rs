//! Follows the feed, frame by frame.

use super::clock::Clock;
use super::gap::Gap;
use crate::verifier::Expected;
use crate::{Now, Verifier};
use std::sync::Arc;
use std::time::Duration;
use symbolon_core::Timestamp;
use symbolon_wire::feed::{Checkpoint, Cursor, Entry, Frame, FrameReader, Revocation, Snapshot};

/// How many entries of a snapshot are handed over at once.
const ENTRIES_AT_ONCE: usize = 4096;

/// Follows the feed for a [`Verifier`], whose checks know at once what was heard.
///
/// It does no I/O and asks for no time. See the [module](super) for a whole round.
pub struct Follower {
    expected: Arc<Expected>,
    reader: FrameReader,
    place: Option<Place>,
    clock: Clock,
    question: Option<(String, Duration)>,
    /// When the authority had read its whole log, by the last checkpoint that says so.
    read_at: Timestamp,
    wants_keys: bool,
    /// Something was signed by a key that is not there, and nothing that is readable came since.
    keyless: bool,
    resyncs: u64,
}

/// Where we stand in the feed.
#[derive(Clone, Copy)]
struct Place {
    /// The last cursor that a checkpoint was signed for.
    vouched: Cursor,
    /// The cursor after the last frame.
    tip: Cursor,
}

/// What a [`Follower`] needs next.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Want {
    /// Fetch the issuer's key set, give it to [`Verifier::replace_keys`], then call [`Follower::on_keys`].
    Keys,
    /// `GET /v1/feed/snapshot`, and give the whole body to [`Follower::on_snapshot`].
    Snapshot,
    /// `GET /v1/feed?after={after}` or `/v1/feed/poll?after={after}&wait=…`, and give bytes as they come to
    /// [`Follower::on_bytes`], then call [`Follower::on_end`]; status 410: [`Follower::on_gone`].
    Stream {
        /// The cursor to go on from.
        after: String,
    },
}

/// What some bytes of the feed brought.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Heard {
    /// How many revocations are known now that were not told before on this connection.
    pub applied: usize,
    /// Whether the authority vouched for all of them.
    pub vouched: bool,
    /// Somebody waits to hear what was applied: `POST /v1/feed/applied` at once.
    pub report: bool,
    /// The issuer's keys changed: fetch them soon.
    pub keys: bool,
    /// The authority goes away; come back after that long.
    pub bye: Option<Duration>,
}

/// A question what time it is at the authority.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimeQuestion {
    after: String,
    nonce: String,
}

impl TimeQuestion {
    /// Path and query of the `GET` whose whole body is the answer.
    pub fn path(&self) -> String {
        format!("/v1/feed/poll?after={}&nonce={}", self.after, self.nonce)
    }
}

impl Follower {
    /// Begins to follow; nothing is known yet.
    pub fn new(verifier: &Verifier) -> Self {
        verifier.expected.mirror.follow();
        #[cfg(feature = "net")]
        verifier.expected.sessions.listen();
        Self {
            expected: Arc::clone(&verifier.expected),
            reader: FrameReader::default(),
            place: None,
            clock: Clock::default(),
            question: None,
            read_at: Timestamp::default(),
            wants_keys: false,
            keyless: false,
            resyncs: 0,
        }
    }

    /// What is needed next, whenever there is no connection.
    pub fn wants(&self) -> Want {
        match self.place {
            _ if self.wants_keys || self.expected.keys.current().is_none() => Want::Keys,
            None => Want::Snapshot,
            Some(place) => Want::Stream { after: place.vouched.to_text() },
        }
    }

    /// Takes a snapshot: everything that a mirror must know, signed as a whole.
    ///
    /// Call it where no other check waits for this thread: a million entries take a noticeable time.
    ///
    /// # Errors
    /// It is not what the issuer signed, or has an entry that this version does not know.
    pub fn on_snapshot(&mut self, bytes: &[u8], now: Now) -> Result<(), Gap> {
        let taken = self.take_snapshot(bytes, now);
        self.wants_keys |= taken == Err(Gap::Key);
        taken
    }

    /// Takes what came of the stream or of a poll, cut anywhere.
    ///
    /// # Errors
    /// Something is missing, doubled, moved, changed or forged. Drop the connection and ask
    /// [`Follower::wants`]: what is known stays known, and counts as old as the last checkpoint before.
    pub fn on_bytes(&mut self, bytes: &[u8], now: Now) -> Result<Heard, Gap> {
        self.tick(now);
        self.reader.push(bytes);
        let (mut heard, mut batch) = (Heard::default(), Vec::new());
        let read = self.read_frames(&mut heard, &mut batch, now);
        // Applied whatever came after: knowing too much never lets anyone in.
        self.apply(&mut heard, &mut batch);
        match read {
            Ok(()) => Ok(heard),
            Err(gap) => Err(self.lose(gap)),
        }
    }

    /// The connection ended. What no checkpoint vouched for will be fetched again.
    pub fn on_end(&mut self) {
        self.reader = FrameReader::default();
        if let Some(place) = &mut self.place {
            place.tip = place.vouched;
        }
    }

    /// The authority answered 410: a snapshot must come.
    pub fn on_gone(&mut self) {
        self.lose(Gap::Gone);
    }

    /// The key set was fetched, with or without success.
    pub const fn on_keys(&mut self) {
        self.wants_keys = false;
    }

    /// Asks what time it is at the authority, if that is due: at first, each minute, and when a clock seems to
    /// have jumped. Call it about once a second.
    ///
    /// `entropy` must be drawn freshly from the system: who could guess it could have an answer signed
    /// beforehand, and make old knowledge look fresh. `now` must be read before the question is sent.
    pub fn ask_time(&mut self, entropy: [u8; 16], now: Now) -> Option<TimeQuestion> {
        self.tick(now);
        let place = self.place?;
        if !self.clock.is_due(now.monotonic) {
            return None;
        }
        self.clock.ask(now.monotonic);
        let nonce: String = entropy.iter().map(|byte| format!("{byte:02x}")).collect();
        self.question = Some((nonce.clone(), now.monotonic));
        Some(TimeQuestion { after: place.vouched.to_text(), nonce })
    }

    /// Takes the whole body of the answer to the last [`Follower::ask_time`]; its revocations are the stream's
    /// business and passed over.
    ///
    /// # Errors
    /// It has no checkpoint of the issuer that repeats the nonce. Nothing is lost by that.
    pub fn on_time(&mut self, bytes: &[u8], now: Now) -> Result<(), Gap> {
        let mut reader = FrameReader::default();
        reader.push(bytes);
        let mut answer = None;
        while let Some(frame) = reader.next_frame() {
            if let Frame::Checkpoint(text) = frame.map_err(Gap::Malformed)? {
                answer = Some(text);
            }
        }
        let said = self.read_checkpoint(&answer.ok_or(Gap::Order)?)?;
        if self.question.as_ref().is_none_or(|(nonce, _)| said.nonce.as_ref() != Some(nonce)) {
            return Err(Gap::Forged);
        }
        match &mut self.place {
            Some(place) if place.tip == said.cursor => {
                place.vouched = place.tip;
                self.vouch(&said, now);
            }
            Some(_) | None => self.hear_time(&said, now),
        }
        Ok(())
    }

    /// The place in the feed up to which everything is known: what `POST /v1/feed/applied` reports.
    pub fn cursor(&self) -> Option<String> {
        self.place.map(|place| place.tip.to_text())
    }

    /// The store epoch, and how many revocations are known there.
    pub fn position(&self) -> Option<(u32, u64)> {
        self.place.map(|place| (place.tip.epoch.0, place.tip.position))
    }

    /// How often the feed had to be taken up by a snapshot again.
    pub const fn resyncs(&self) -> u64 {
        self.resyncs
    }

    fn read_frames(
        &mut self,
        heard: &mut Heard,
        batch: &mut Vec<Entry>,
        now: Now,
    ) -> Result<(), Gap> {
        while let Some(frame) = self.reader.next_frame() {
            match frame.map_err(Gap::Malformed)? {
                Frame::Revocation(told, revocation) => {
                    self.fold(told, &revocation)?;
                    batch.push(revocation.entry);
                }
                Frame::Checkpoint(text) => {
                    self.apply(heard, batch);
                    self.checkpoint(&text, now)?;
                    heard.vouched = true;
                }
                Frame::Key(_) => heard.keys = true,
                Frame::Report => heard.report = true,
                Frame::Bye(retry) => heard.bye = Some(retry),
                // What a later version adds is no revocation: one that was missed shows at the next cursor.
                Frame::Other | _ => {}
            }
        }
        Ok(())
    }

    /// Goes one revocation on, if it is the next one.
    fn fold(&mut self, told: Cursor, revocation: &Revocation) -> Result<(), Gap> {
        let place = self.place.as_mut().ok_or(Gap::Unplaced)?;
        if told.epoch != place.tip.epoch {
            return Err(Gap::Epoch);
        }
        // The digest begins anew with each block: what is before it must have been vouched for.
        if place.tip.is_boundary() && place.vouched != place.tip {
            return Err(Gap::Boundary);
        }
        let next = place.tip.after(revocation);
        if next != told {
            return Err(Gap::Order);
        }
        place.tip = next;
        Ok(())
    }

    fn apply(&mut self, heard: &mut Heard, batch: &mut Vec<Entry>) {
        if batch.is_empty() {
            return;
        }
        self.expected.mirror.apply(batch);
        // After the mirror: who begins to listen in between finds it there.
        #[cfg(feature = "net")]
        self.expected.sessions.hear(batch);
        heard.applied += batch.len();
        batch.clear();
    }

    fn checkpoint(&mut self, text: &str, now: Now) -> Result<(), Gap> {
        let said = self.read_checkpoint(text)?;
        let place = self.place.as_mut().ok_or(Gap::Unplaced)?;
        if said.cursor.epoch != place.tip.epoch {
            return Err(Gap::Epoch);
        }
        if said.cursor != place.tip {
            return Err(Gap::Order);
        }
        place.vouched = place.tip;
        self.keyless = false;
        self.vouch(&said, now);
        Ok(())
    }

    fn read_checkpoint(&self, text: &str) -> Result<Checkpoint, Gap> {
        let keys = self.expected.keys.current();
        let keys = keys.as_deref().ok_or(Gap::Key)?;
        let said = Checkpoint::read(keys, text).map_err(Gap::of)?;
        self.of_our_issuer(said)
    }

    fn of_our_issuer(&self, said: Checkpoint) -> Result<Checkpoint, Gap> {
        match said.iss == *self.expected.issuer {
            // It cannot have been read after it was signed.
            true if said.read_at <= said.now => Ok(said),
            true => Err(Gap::Forged),
            false => Err(Gap::Issuer),
        }
    }

    fn take_snapshot(&mut self, bytes: &[u8], now: Now) -> Result<(), Gap> {
        let keys = self.expected.keys.current();
        let keys = keys.as_deref().ok_or(Gap::Key)?;
        let snapshot = Snapshot::read(keys, bytes).map_err(Gap::of)?;
        let said = self.of_our_issuer(snapshot.checkpoint.clone())?;
        self.expected.mirror.take_up();
        self.expected.mirror.use_target_key(snapshot.target_key.clone());
        let mut batch = Vec::with_capacity(ENTRIES_AT_ONCE.min(snapshot.len()));
        for entry in snapshot.entries() {
            batch.push(entry.map_err(Gap::Malformed)?);
            if batch.len() == ENTRIES_AT_ONCE {
                self.expected.mirror.apply(&batch);
                batch.clear();
            }
        }
        self.expected.mirror.apply(&batch);
        self.reader = FrameReader::default();
        self.place = Some(Place { vouched: said.cursor, tip: said.cursor });
        #[cfg(feature = "net")]
        self.expected.sessions.resync(&snapshot.target_key, &self.expected.mirror);
        self.tick(now);
        self.date(&said);
        self.hear_time(&said, now);
        Ok(())
    }

    /// Everything up to the tip was known to the authority when it read its log.
    fn vouch(&mut self, said: &Checkpoint, now: Now) {
        let dated = self.date(said);
        self.hear_time(said, now);
        self.expected.mirror.forget(said.read_at);
        if dated && self.clock.is_known() {
            self.expected.mirror.ready();
        }
    }

    /// Takes over when the log was read, if that is said: of a block that ended before its sender began, the sender
    /// knows the digest alone, and such a checkpoint makes the mirror neither older nor younger.
    fn date(&mut self, said: &Checkpoint) -> bool {
        let dated = said.read_at != Timestamp::default();
        if dated {
            self.read_at = said.read_at;
            self.expected.mirror.vouch(said.read_at);
        }
        dated
    }

    fn hear_time(&mut self, said: &Checkpoint, now: Now) {
        match self.question.take_if(|(nonce, _)| said.nonce.as_ref() == Some(nonce)) {
            Some((_, asked_at)) => self.clock.answer(said.now, asked_at, self.read_at),
            None => self.clock.hear(said.now, now),
        }
        self.tell_clock();
    }

    fn tick(&mut self, now: Now) {
        self.clock.tick(now);
        self.tell_clock();
    }

    fn tell_clock(&self) {
        if let Some((authority, monotonic)) = self.clock.reading() {
            self.expected.mirror.set_clock(authority, monotonic);
        }
    }

    /// Gives the place up, so that a snapshot is wanted, or first the keys.
    fn lose(&mut self, gap: Gap) -> Gap {
        self.on_end();
        match gap {
            Gap::Key if !self.keyless => (self.wants_keys, self.keyless) = (true, true),
            // The keys were fetched and none of them signed it: one that is gone did, and the stream would bring it again.
            Gap::Key => {
                self.keyless = false;
                self.resyncs += u64::from(self.place.take().is_some());
            }
            Gap::Malformed(_)
            | Gap::Order
            | Gap::Boundary
            | Gap::Epoch
            | Gap::Forged
            | Gap::Issuer
            | Gap::Unplaced
            | Gap::Gone => {
                self.resyncs += u64::from(self.place.take().is_some());
            }
        }
        gap
    }
}
