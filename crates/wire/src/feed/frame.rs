//! Frames as server-sent events (WHATWG HTML §9.2), written and read.

use super::chain::Cursor;
use super::checkpoint::number;
use super::entry::{Entry, Hit, Revocation};
use super::target::TargetDigest;
use crate::json::Object;
use crate::{Malformed, base64url, key_id_text, parse_key_id};
use std::borrow::Cow;
use std::time::Duration;
use symbolon_core::{Below, Effect, KeyId, Reason, StoreEpoch, Timestamp};

/// The longest frame that is read, in bytes. Inclusive.
pub const FRAME_BYTES_MAX: usize = 16 * 1024;

/// One frame of the feed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Frame {
    /// A revocation, and the place in the feed after it.
    Revocation(Cursor, Revocation),
    /// A signed checkpoint, not verified yet.
    Checkpoint(String),
    /// A signing key changed: a hint to fetch the key set.
    Key(KeyNotice),
    /// Somebody waits to hear what this verifier has applied.
    Report,
    /// The sender goes away; come back after that long.
    Bye(Duration),
    /// Something that this version does not know, or a comment that keeps the connection open.
    Other,
}

/// What is told of a signing key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyNotice {
    /// Its name.
    pub kid: KeyId,
    /// What became of it, such as `announced`.
    pub state: String,
}

impl Frame {
    /// The frame's text, its empty line included.
    pub fn to_text(&self) -> String {
        match self {
            Self::Revocation(cursor, revocation) => {
                let data = revocation_json(revocation);
                format!("event: revocation\nid: {}\ndata: {data}\n\n", cursor.to_text())
            }
            Self::Checkpoint(jws) => format!("event: checkpoint\ndata: {{\"jws\":\"{jws}\"}}\n\n"),
            Self::Key(KeyNotice { kid, state }) => {
                let data = serde_json::json!({"kid": key_id_text(*kid), "state": state});
                format!("event: key\ndata: {data}\n\n")
            }
            Self::Report => "event: report\ndata: {}\n\n".to_owned(),
            Self::Bye(retry) => {
                format!("event: bye\ndata: {{\"retry_ms\":{}}}\n\n", retry.as_millis())
            }
            Self::Other => ":\n\n".to_owned(),
        }
    }

    fn of(event: &str, id: &str, data: &str) -> Result<Self, Malformed> {
        match event {
            "revocation" => Ok(Self::Revocation(Cursor::parse(id)?, revocation(data)?)),
            "checkpoint" => {
                Ok(Self::Checkpoint(Object::parse(data, "data")?.required("jws")?.into_owned()))
            }
            "key" => {
                let data = Object::parse(data, "data")?;
                let kid = parse_key_id(&data.required("kid")?)?;
                Ok(Self::Key(KeyNotice { kid, state: data.required("state")?.into_owned() }))
            }
            "report" => Ok(Self::Report),
            "bye" => {
                let retry = number(&Object::parse(data, "data")?, "retry_ms")?;
                Ok(Self::Bye(Duration::from_millis(retry)))
            }
            _ => Ok(Self::Other),
        }
    }
}

fn revocation_json(revocation: &Revocation) -> String {
    let Revocation { at, entry: Entry { hit, effect, reason, expires_at } } = revocation;
    let mut target = serde_json::json!({"kind": hit.kind()});
    match hit {
        Hit::Token(digest)
        | Hit::Session(digest)
        | Hit::Subject(digest, _)
        | Hit::Client(digest, _) => target["digest"] = base64url::encode(&digest.0).into(),
        Hit::Key(kid) => target["kid"] = key_id_text(*kid).into(),
        Hit::Everything(_) => {}
    }
    if let Some(Below { epoch, counter }) = hit.below() {
        target["below"] = serde_json::json!([epoch.0, counter]);
    }
    serde_json::json!({
        "at": at.as_seconds(),
        "target": target,
        "effect": effect_word(*effect),
        "reason": reason.as_str(),
        "expires_at": expires_at.as_seconds(),
    })
    .to_string()
}

fn revocation(data: &str) -> Result<Revocation, Malformed> {
    let object = Object::parse(data, "data")?;
    let target = object.raw("target").ok_or(Malformed::new("target", "is missing"))?;
    let effect = object.required("effect")?;
    let effect =
        [Effect::Revoked, Effect::Stale].into_iter().find(|one| effect_word(*one) == effect);
    let entry = Entry {
        hit: hit(&Object::parse(target.get(), "target")?)?,
        effect: effect.ok_or(Malformed::new("effect", "is neither revoked nor stale"))?,
        reason: Reason::parse(&object.required("reason")?)
            .ok_or(Malformed::new("reason", "is not a reason"))?,
        expires_at: Timestamp::from_seconds(number(&object, "expires_at")?),
    };
    let seconds = number(&object, "at")?;
    let at = Timestamp::from_seconds(seconds);
    // The record is what is folded and kept: what does not fit into one is not an entry.
    match Entry::from_record(&entry.to_record()) == Ok(entry) && at.as_seconds() == seconds {
        true => Ok(Revocation { at, entry }),
        false => Err(Malformed::new("data", "has a number that is too large")),
    }
}

fn hit(target: &Object<'_>) -> Result<Hit, Malformed> {
    let digest = || -> Result<TargetDigest, Malformed> {
        base64url::decode_exact(&target.required("digest")?, "digest").map(TargetDigest)
    };
    let below = || -> Result<Below, Malformed> {
        let refused = Malformed::new("below", "must be [epoch, counter]");
        let value = target.raw("below").ok_or(Malformed::new("below", "is missing"))?;
        let bound: (u32, u64) = serde_json::from_str(value.get()).map_err(|_| refused)?;
        Ok(Below { epoch: StoreEpoch(bound.0), counter: bound.1 })
    };
    Ok(match &*target.required("kind")? {
        "token" => Hit::Token(digest()?),
        "session" => Hit::Session(digest()?),
        "subject" => Hit::Subject(digest()?, below()?),
        "client" => Hit::Client(digest()?, below()?),
        "key" => Hit::Key(parse_key_id(&target.required("kid")?)?),
        "everything" => Hit::Everything(below()?),
        _ => return Err(Malformed::new("kind", "is not a kind of target")),
    })
}

const fn effect_word(effect: Effect) -> &'static str {
    match effect {
        Effect::Revoked => "revoked",
        Effect::Stale => "stale",
    }
}

/// Cuts a stream of bytes, however it arrives, into frames.
#[derive(Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    /// How much of the buffer was cut off already.
    taken: usize,
}

impl FrameReader {
    /// Takes in what has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame; `None`: more must arrive.
    ///
    /// # Errors
    /// Bytes that are no frame, or a frame that is too long. The stream is of no use any more.
    pub fn next_frame(&mut self) -> Option<Result<Frame, Malformed>> {
        self.next_with_text().map(|next| next.map(|(frame, _)| frame))
    }

    /// The same with the bytes that it was read from, its empty line included: for whoever passes them on, also those
    /// of a later version.
    ///
    /// # Errors
    /// As [`FrameReader::next_frame`]'s.
    pub fn next_with_text(&mut self) -> Option<Result<(Frame, &[u8]), Malformed>> {
        let rest = &self.buffer[self.taken..];
        let Some(end) = rest.windows(2).position(|pair| pair == b"\n\n") else {
            let long = FRAME_BYTES_MAX < rest.len();
            return long.then(|| Err(Malformed::new("frame", "is longer than 16 KiB")));
        };
        let begin = self.taken;
        self.taken += end + 2;
        let text = &self.buffer[begin..begin + end];
        Some(read(text).map(|frame| (frame, &self.buffer[begin..begin + end + 2])))
    }
}

fn read(text: &[u8]) -> Result<Frame, Malformed> {
    if FRAME_BYTES_MAX < text.len() {
        return Err(Malformed::new("frame", "is longer than 16 KiB"));
    }
    let text = std::str::from_utf8(text).map_err(|_| Malformed::new("frame", "is not UTF-8"))?;
    let (mut event, mut id, mut data) = ("", "", Cow::Borrowed(""));
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => event = value,
            "id" => id = value,
            "data" if data.is_empty() => data = Cow::Borrowed(value),
            "data" => data = Cow::Owned(format!("{data}\n{value}")),
            _ => {}
        }
    }
    Frame::of(event, id, &data)
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::any_entry;
    use super::*;
    use proptest::prelude::*;

    fn read_all(reader: &mut FrameReader) -> Vec<Frame> {
        std::iter::from_fn(|| reader.next_frame()).map(Result::unwrap).collect()
    }

    fn frames(entries: Vec<Entry>) -> Vec<Frame> {
        let mut cursor = Cursor::block(StoreEpoch(1), 0);
        let mut frames: Vec<_> = entries
            .into_iter()
            .map(|entry| {
                let revocation = Revocation { at: Timestamp::from_seconds(7), entry };
                cursor = cursor.after(&revocation);
                Frame::Revocation(cursor, revocation)
            })
            .collect();
        frames.push(Frame::Checkpoint("a.b.c".to_owned()));
        frames.push(Frame::Key(KeyNotice { kid: KeyId([3; 12]), state: "announced".to_owned() }));
        frames.push(Frame::Other);
        frames.push(Frame::Report);
        frames.push(Frame::Bye(Duration::from_millis(1_500)));
        frames
    }

    proptest! {
        #[test]
        fn frames_are_read_back_however_the_bytes_arrive(
            entries in proptest::collection::vec(any_entry(), 0..6), size in 1..200_usize,
        ) {
            let frames = frames(entries);
            let text: String = frames.iter().map(Frame::to_text).collect();
            let (mut reader, mut seen) = (FrameReader::default(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                reader.push(piece);
                seen.extend(read_all(&mut reader));
            }
            prop_assert_eq!(seen, frames);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut reader = FrameReader::default();
            reader.push(&bytes);
            while let Some(Ok(_)) = reader.next_frame() {}
        }
    }

    #[test]
    fn a_frame_that_is_not_known_can_be_passed_on_byte_by_byte() {
        let text = b"event: later\r\nid: 7\ndata: {\"a\": 1}\n\n";
        let mut reader = FrameReader::default();
        reader.push(b"event: report\ndata: {}\n\n");
        reader.push(text);
        assert_eq!(reader.next_frame(), Some(Ok(Frame::Report)));
        assert_eq!(reader.next_with_text(), Some(Ok((Frame::Other, &text[..]))));
        assert_eq!(reader.next_with_text(), None);
    }

    #[test]
    fn a_frame_that_never_ends_is_refused() {
        let mut reader = FrameReader::default();
        reader.push(&[b'a'; FRAME_BYTES_MAX]);
        assert_eq!(reader.next_frame(), None);
        reader.push(b"aa");
        assert!(reader.next_frame().unwrap().is_err());
    }

    /// A revocation at an instant that no clock shows, which would be folded as another.
    fn beyond_all_time() -> String {
        let entry = Entry {
            hit: Hit::Key(KeyId([3; 12])),
            effect: Effect::Stale,
            reason: Reason::Admin,
            expires_at: Timestamp::from_seconds(7),
        };
        let at = Timestamp::from_seconds(7);
        let frame = Frame::Revocation(Cursor::block(StoreEpoch(1), 0), Revocation { at, entry });
        frame.to_text().replace("\"at\":7", "\"at\":18446744073709551615")
    }

    #[test]
    fn an_unknown_event_is_passed_over_and_a_wrong_one_is_not() {
        let read = |text: &str| {
            let mut reader = FrameReader::default();
            reader.push(text.as_bytes());
            reader.next_frame().unwrap()
        };
        assert_eq!(read("event: later\ndata: {\n\n"), Ok(Frame::Other));
        assert_eq!(
            read("event: bye\r\ndata: {\"retry_ms\":5}\r\n\n"),
            Ok(Frame::Bye(Duration::from_millis(5)))
        );
        for wrong in [
            "event: bye\ndata: {\"retry_ms\":-5}\n\n",
            "event: bye\ndata: 5\n\n",
            "event: checkpoint\ndata: {}\n\n",
            "event: revocation\nid: x\ndata: {}\n\n",
            &beyond_all_time(),
            "event: key\ndata: {\"kid\":\"x\",\"state\":\"announced\"}\n\n",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
