//! The newest part of the feed as it goes over the wire, and where a reader stands in it. Pure.

use bytes::Bytes;
use std::collections::VecDeque;
use symbolon_core::Timestamp;
use symbolon_wire::feed::{BLOCK, Cursor};

/// How many revocations are kept ready to be sent. Inclusive; who falls further behind begins with a
/// snapshot.
pub const FRAMES_MAX: usize = 16_384;

/// How many hints are kept. Inclusive; who misses one asks a second later on its own.
const HINTS_MAX: usize = 64;

/// The newest part of the feed.
pub struct Log {
    /// Another one each time the feed is read anew: who stands in an older one stands nowhere.
    round: u64,
    /// Before the first revocation that is kept.
    base: Cursor,
    /// Whether somebody may stand there.
    base_is_known: bool,
    sent: VecDeque<Sent>,
    head: Cursor,
    /// When the head was the store's head, for certain.
    read_at: Timestamp,
    beat: Option<Beat>,
    hints: VecDeque<Bytes>,
    /// How many hints there were in all.
    hinted: u64,
}

/// A revocation, ready to be sent.
pub struct Sent {
    /// The place after it.
    pub cursor: Cursor,
    /// Its frame.
    pub frame: Bytes,
    /// Where it ends a block: the checkpoint that must follow, and when that was read.
    pub boundary: Option<(Bytes, Timestamp)>,
}

/// The newest checkpoint of those that come each second.
struct Beat {
    number: u64,
    position: u64,
    frame: Bytes,
}

/// Where a reader stands: all that is kept of one.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    round: u64,
    position: u64,
    past_boundary: bool,
    beat: u64,
    hint: u64,
}

/// What comes next for a reader.
#[derive(PartialEq, Eq, Debug)]
pub enum Next {
    /// This.
    Frame(Bytes),
    /// Nothing yet.
    Nothing,
    /// It stands where nothing is kept any more.
    Gone,
}

/// A part of the feed that one checkpoint can end.
#[derive(Debug)]
pub struct Part {
    /// The frames.
    pub frames: Vec<Bytes>,
    /// The place after them.
    pub cursor: Cursor,
    /// When that was the store's head, for certain.
    pub read_at: Timestamp,
}

impl Log {
    /// An empty one that begins at a place.
    pub fn new(round: u64, base: Cursor, base_is_known: bool) -> Self {
        let (sent, hints) = (VecDeque::new(), VecDeque::new());
        let (read_at, beat) = (Timestamp::default(), None);
        Self { round, base, base_is_known, sent, head: base, read_at, beat, hints, hinted: 0 }
    }

    /// The place after all that was added.
    pub fn head(&self) -> Cursor {
        self.head
    }

    /// When the head was the store's head, for certain.
    pub fn read_at(&self) -> Timestamp {
        self.read_at
    }

    /// Adds what was committed next.
    pub fn push(&mut self, sent: Sent) {
        self.head = sent.cursor;
        self.sent.push_back(sent);
        while FRAMES_MAX < self.sent.len()
            && let Some(oldest) = self.sent.pop_front()
        {
            self.base = oldest.cursor;
            // Whoever stands at the end of a block still needs the checkpoint that has just left.
            self.base_is_known = !oldest.cursor.is_boundary();
        }
    }

    /// Notes when the head was the store's head.
    pub fn read_up_to_head(&mut self, at: Timestamp) {
        self.read_at = at;
    }

    /// Adds a checkpoint at the head.
    pub fn beat(&mut self, frame: Bytes) {
        let number = self.beat.as_ref().map_or(0, |beat| beat.number) + 1;
        self.beat = Some(Beat { number, position: self.head.position, frame });
    }

    /// Adds a checkpoint at the head that somebody else signed: the first one at the end of a block is the one that must
    /// follow it.
    pub(super) fn vouch(&mut self, frame: Bytes) {
        let head = self.head;
        match self.sent.back_mut().filter(|last| last.cursor == head && head.is_boundary()) {
            Some(last) if last.boundary.is_none() => {
                last.boundary = Some((frame, Timestamp::default()));
            }
            Some(_) | None => self.beat(frame),
        }
    }

    /// Adds a hint, which stands nowhere in the order.
    pub fn hint(&mut self, frame: Bytes) {
        self.hinted += 1;
        self.hints.push_back(frame);
        if HINTS_MAX < self.hints.len() {
            self.hints.pop_front();
        }
    }

    /// The place that a cursor names, if it is one of this feed and not too old; without a cursor, the head.
    pub fn place(&self, cursor: Option<Cursor>) -> Option<Place> {
        let cursor = cursor.unwrap_or(self.head);
        let known = match self.sent(cursor.position) {
            Some(sent) => sent.cursor == cursor,
            None => self.base_is_known && self.base == cursor,
        };
        let (position, hint) = (cursor.position, self.hinted);
        let place = Place { round: self.round, position, past_boundary: false, beat: 0, hint };
        known.then_some(place)
    }

    /// What comes next for a reader, who then stands behind it.
    pub fn next(&self, place: &mut Place) -> Next {
        if place.round != self.round || place.position < self.base.position {
            return Next::Gone;
        }
        let boundary = self.sent(place.position).and_then(|sent| sent.boundary.as_ref());
        if let Some((frame, _)) = boundary.filter(|_| !place.past_boundary) {
            place.past_boundary = true;
            return Next::Frame(frame.clone());
        }
        let here = |beat: &&Beat| place.beat < beat.number && beat.position == place.position;
        if let Some(beat) = self.beat.as_ref().filter(here) {
            place.beat = beat.number;
            return Next::Frame(beat.frame.clone());
        }
        if let Some(sent) = self.sent(place.position.saturating_add(1)) {
            (place.position, place.past_boundary) = (sent.cursor.position, false);
            return Next::Frame(sent.frame.clone());
        }
        match self.hint_after(place.hint) {
            Some((number, frame)) => {
                place.hint = number;
                Next::Frame(frame)
            }
            None => Next::Nothing,
        }
    }

    /// All that comes next, up to the end of the block.
    pub fn part(&self, place: &Place) -> Option<Part> {
        if place.round != self.round || place.position < self.base.position {
            return None;
        }
        let mut part = Part { frames: Vec::new(), cursor: self.head, read_at: self.read_at };
        let mut position = place.position;
        while let Some(sent) = self.sent(position.saturating_add(1)) {
            position = sent.cursor.position;
            part.frames.push(sent.frame.clone());
            if let Some((_, read_at)) =
                sent.boundary.as_ref().filter(|_| position < self.head.position)
            {
                (part.cursor, part.read_at) = (sent.cursor, *read_at);
                break;
            }
        }
        Some(part)
    }

    /// What comes next up to a checkpoint that is there, with that checkpoint: the frames of [`Self::part`] for whoever
    /// cannot sign one. `or_none`: also a checkpoint alone, if it stands where the reader does.
    pub(super) fn vouched_part(&self, place: &Place, or_none: bool) -> Option<Vec<Bytes>> {
        if place.round != self.round || place.position < self.base.position {
            return None;
        }
        let (mut frames, mut position) = (Vec::new(), place.position);
        loop {
            let beat = self.beat.as_ref().filter(|beat| beat.position == position);
            if let Some(beat) = beat.filter(|_| or_none || place.position < position) {
                frames.push(beat.frame.clone());
                return Some(frames);
            }
            let sent = self.sent(position.saturating_add(1))?;
            position = sent.cursor.position;
            frames.push(sent.frame.clone());
            if let Some((boundary, _)) = &sent.boundary {
                frames.push(boundary.clone());
                return Some(frames);
            }
        }
    }

    /// Whether something comes next that one waits for: a revocation.
    pub fn is_behind(&self, place: &Place) -> bool {
        place.round != self.round || place.position < self.head.position
    }

    /// Whether a cursor stands before all that is kept, where its digest cannot be compared.
    pub fn is_before(&self, cursor: &Cursor) -> bool {
        cursor.position < self.base.position
            || (cursor.position == self.base.position && !self.base_is_known)
    }

    fn sent(&self, position: u64) -> Option<&Sent> {
        let index = position.checked_sub(self.base.position)?.checked_sub(1)?;
        self.sent.get(usize::try_from(index).ok()?)
    }

    fn hint_after(&self, number: u64) -> Option<(u64, Bytes)> {
        let oldest = self.hinted - self.hints.len() as u64;
        let number = number.max(oldest);
        let index = usize::try_from(number - oldest).ok()?;
        self.hints.get(index).map(|frame| (number + 1, frame.clone()))
    }
}

/// Where the newest part that is kept begins, where `wanted` is the beginning of the oldest block to be kept and `first`
/// what the store holds first after it: at the beginning of a block, so that its digest is the one that it was.
/// Answers whether a reader may stand there: only where nothing came before is that digest one that somebody has. That is
/// at the very beginning, and where a store epoch begins above positions that are left out.
pub fn base(wanted: Cursor, head: u64, first: Option<u64>) -> (Cursor, bool) {
    let (epoch, before) = (wanted.epoch, first.map_or(head, |first| first.saturating_sub(1)));
    if before == wanted.position {
        return (wanted, wanted.position == 0);
    }
    // The oldest have left. Whoever stood in a block that lacks its beginning begins with a snapshot.
    let next = Cursor::block(epoch, before.saturating_add(BLOCK - 1));
    // Whoever has the digest of a block's beginning stood there when nothing had come yet: at the end of a block it is another.
    match next.position == before || next.position < head {
        true => (next, next.position == before),
        false => (Cursor { position: before, ..Cursor::block(epoch, before) }, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use symbolon_core::{Act, Effect, Event, KeyId, Reason, StoreEpoch, Target};
    use symbolon_wire::feed::{Revocation, TargetKey};

    fn start() -> Cursor {
        Cursor::block(StoreEpoch(1), 0)
    }

    fn sent(after: &Cursor) -> Sent {
        let event = Event {
            at: Timestamp::from_seconds(1),
            target: Target::Key(KeyId([1; 12])),
            whose: None,
            effect: Effect::Revoked,
            reason: Reason::Admin,
            expires_at: Timestamp::from_seconds(2),
            act: Act::authority(),
        };
        let key = TargetKey::parse(&"A".repeat(43)).ok().unwrap();
        let cursor = after.after(&Revocation::of(&event, &key));
        let frame = Bytes::from(format!("r{}", cursor.position));
        let at = Timestamp::from_seconds(cursor.position);
        let boundary = (Bytes::from(format!("b{}", cursor.position)), at);
        Sent { cursor, frame, boundary: cursor.is_boundary().then_some(boundary) }
    }

    fn filled(log: &mut Log, count: u64) {
        for _ in 0..count {
            let next = sent(&log.head());
            log.push(next);
        }
    }

    fn log(count: u64) -> Log {
        let mut log = Log::new(1, start(), true);
        filled(&mut log, count);
        log
    }

    fn read(log: &Log, place: &mut Place) -> Vec<String> {
        let next = || match log.next(place) {
            Next::Frame(frame) => Some(String::from_utf8(frame.to_vec()).unwrap()),
            Next::Nothing | Next::Gone => None,
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_block_ends_with_its_checkpoint_wherever_a_reader_begins() {
        let log = log(BLOCK + 1);
        let cursor = |position| log.sent(position).unwrap().cursor;
        let mut place = log.place(Some(cursor(BLOCK - 1))).unwrap();
        assert_eq!(read(&log, &mut place), ["r1024", "b1024", "r1025"]);
        let mut place = log.place(Some(cursor(BLOCK))).unwrap();
        assert_eq!(read(&log, &mut place), ["b1024", "r1025"]);
    }

    #[test]
    fn the_beat_comes_exactly_where_it_was_signed() {
        let mut log = log(3);
        let mut early = log.place(Some(start())).unwrap();
        let mut late = log.place(None).unwrap();
        log.beat("beat".into());
        filled(&mut log, 1);
        assert_eq!(read(&log, &mut early), ["r1", "r2", "r3", "beat", "r4"]);
        assert_eq!(read(&log, &mut late), ["beat", "r4"]);
        let mut past = log.place(None).unwrap();
        assert_eq!(read(&log, &mut past), [""; 0], "it says nothing of what came after it");
    }

    #[test]
    fn a_cursor_that_is_not_of_this_feed_names_no_place() {
        let log = log(5);
        let right = log.sent(3).unwrap().cursor;
        assert!(log.place(Some(right)).is_some());
        for wrong in [
            Cursor { epoch: StoreEpoch(2), ..right },
            Cursor { position: 4, ..right },
            Cursor { position: 6, ..right },
            Cursor { chain: start().chain, ..right },
        ] {
            assert!(log.place(Some(wrong)).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn who_falls_out_of_what_is_kept_is_told_so_and_memory_stays_bounded() {
        let mut log = log(10);
        let mut place = log.place(Some(start())).unwrap();
        filled(&mut log, FRAMES_MAX as u64);
        assert_eq!(log.sent.len(), FRAMES_MAX);
        assert_eq!(log.next(&mut place), Next::Gone);
        assert!(log.place(Some(start())).is_none());
        assert!(
            log.place(Some(log.base)).is_some(),
            "whoever stands just before the first may go on"
        );
    }

    #[test]
    fn who_stands_at_the_end_of_a_block_that_has_left_begins_anew() {
        let log = log(FRAMES_MAX as u64 + BLOCK);
        assert!(log.base.is_boundary());
        assert!(log.place(Some(log.base)).is_none(), "its checkpoint is not kept any more");
    }

    #[test]
    fn hints_come_last_and_the_oldest_are_lost_first() {
        let mut log = log(1);
        let mut place = log.place(Some(start())).unwrap();
        log.hint("h1".into());
        assert_eq!(read(&log, &mut place), ["r1", "h1"]);
        for number in 2..=100 {
            log.hint(format!("h{number}").into());
        }
        let hints = read(&log, &mut place);
        assert_eq!((hints.len(), &*hints[0], &*hints[63]), (HINTS_MAX, "h37", "h100"));
        let mut fresh = log.place(None).unwrap();
        assert_eq!(log.next(&mut fresh), Next::Nothing, "old hints are nobody's who comes later");
    }

    #[test]
    fn a_part_ends_with_its_block_and_says_when_that_was_read() {
        let mut log = log(BLOCK + 7);
        log.read_up_to_head(Timestamp::from_seconds(9_999));
        let first = log.part(&log.place(Some(start())).unwrap()).unwrap();
        assert_eq!((first.frames.len(), first.cursor.position), (1024, BLOCK));
        assert_eq!(first.read_at, Timestamp::from_seconds(BLOCK), "not when the head was read");
        let rest = log.part(&log.place(Some(first.cursor)).unwrap()).unwrap();
        assert_eq!((rest.frames.len(), rest.cursor), (7, log.head()));
        assert_eq!(rest.read_at, Timestamp::from_seconds(9_999));
    }

    #[test]
    fn what_is_passed_on_ends_with_a_checkpoint_that_somebody_signed_or_waits_for_one() {
        let mut log = log(2);
        let texts = |frames: Option<Vec<Bytes>>| {
            let text = |frame: Bytes| String::from_utf8(frame.to_vec()).unwrap();
            frames.map(|frames| frames.into_iter().map(text).collect::<Vec<_>>())
        };
        let begin = log.place(Some(start())).unwrap();
        assert_eq!(texts(log.vouched_part(&begin, true)), None, "nobody has vouched for them");
        log.vouch("c2".into());
        filled(&mut log, 1);
        let part = texts(log.vouched_part(&begin, false)).unwrap();
        assert_eq!(part, ["r1", "r2", "c2"], "the third is not vouched for");
        log.vouch("c3".into());
        let head = log.place(None).unwrap();
        assert_eq!(texts(log.vouched_part(&head, false)), None, "there is nothing new");
        assert_eq!(texts(log.vouched_part(&head, true)).unwrap(), ["c3"]);
    }

    #[test]
    fn the_first_checkpoint_at_the_end_of_a_block_is_the_one_that_must_follow_it() {
        let mut log = Log::new(1, start(), true);
        for _ in 0..BLOCK {
            let next = Sent { boundary: None, ..sent(&log.head()) };
            log.push(next);
        }
        log.vouch("b".into());
        log.vouch("later".into());
        filled(&mut log, 1);
        let mut place = log.place(Some(log.sent(BLOCK - 1).unwrap().cursor)).unwrap();
        assert_eq!(read(&log, &mut place), ["r1024", "b", "later", "r1025"]);
        let begin = log.place(Some(start())).unwrap();
        assert_eq!(log.vouched_part(&begin, false).unwrap().len(), 1025);
    }

    #[test]
    fn where_an_epoch_begins_above_what_was_left_out_a_reader_may_stand_before_its_first_event() {
        const BEGIN: u64 = 1 << 32;
        let epoch = StoreEpoch(2);
        let begin = Cursor::block(epoch, BEGIN);
        let wanted = |head: u64| Cursor::block(epoch, head - FRAMES_MAX as u64);
        assert_eq!(base(wanted(BEGIN), BEGIN, None), (begin, true));
        let mut log = Log::new(1, begin, true);
        assert!(log.place(None).is_some() && log.place(Some(begin)).is_some());
        // Who began to follow before the first event goes on at a node that began after it.
        assert_eq!(base(wanted(BEGIN + 5), BEGIN + 5, Some(BEGIN + 1)), (begin, true));
        let next = sent(&log.head());
        log.push(next);
        assert!(log.place(Some(begin)).is_some());
        // What was forgotten since is no beginning.
        let later = base(wanted(BEGIN + 5), BEGIN + 5, Some(BEGIN + 3));
        assert_eq!((later.0.position, later.1), (BEGIN + 2, false));
    }

    #[test]
    fn a_feed_that_was_read_anew_knows_no_reader_of_before() {
        let before = log(5);
        let mut place = before.place(None).unwrap();
        let mut anew = Log::new(2, start(), true);
        filled(&mut anew, 5);
        assert_eq!(anew.next(&mut place), Next::Gone);
        assert!(anew.part(&place).is_none() && anew.is_behind(&place));
    }
}
