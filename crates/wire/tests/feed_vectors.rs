//! `api/vectors/feed.json`: the feed's layouts, for verifiers in other languages.
//!
//! `WRITE_VECTORS=1 cargo test -p symbolon-wire --test feed_vectors` writes it anew; whatever changes there
//! breaks every verifier that is out.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use symbolon_core::{
    Act, Below, ClientId, Effect, Event, KeyId, Reason, SessionId, StoreEpoch, Subject, Target,
    Timestamp,
};
use symbolon_wire::feed::{
    BLOCK, Checkpoint, Cursor, Entry, Frame, FrameReader, RECORD_BYTES, Revocation, Snapshot,
    TargetKey, TargetKind, write_snapshot,
};
use symbolon_wire::{KeySet, MasterKey, SigningKey, session_id_text};

const ISSUER: &str = "https://id.example.com";
const EPOCH: StoreEpoch = StoreEpoch(2);

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../api/vectors/feed.json")
}

fn kept() -> Value {
    let text = std::fs::read_to_string(path()).expect("it is committed");
    serde_json::from_str(&text).expect("it is JSON")
}

/// The key of `api/vectors/tokens.json`.
fn target_key() -> TargetKey {
    let master = MasterKey::parse("q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU");
    master.unwrap_or_else(|wrong| panic!("{wrong}")).target_key()
}

/// The key of RFC 8037 §A.1.
fn signing_key() -> SigningKey {
    let mut der = HEXLOWER.decode(b"302e020100300506032b657004220420").expect("hexadecimal");
    let secret = BASE64URL_NOPAD.decode(b"nWGxne_9WmC6hEor0UvwuxExJFxWnM0kZcDusBxyuf0");
    der.extend(secret.expect("base64url"));
    SigningKey::from_pkcs8(&der).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// One event of every kind.
fn events() -> Vec<Event> {
    let below = Below { epoch: EPOCH, counter: 7 };
    let subject = Subject::parse("42").expect("a subject");
    let client = ClientId::parse("web").expect("a client");
    let of = |target, effect, reason| Event {
        at: Timestamp::from_millis(1_700_000_000_250),
        target,
        whose: None,
        effect,
        reason,
        expires_at: Timestamp::from_millis(1_700_000_360_250),
        act: Act::authority(),
    };
    vec![
        of(Target::Session(SessionId::from_bytes([0x11; 16])), Effect::Revoked, Reason::Kicked),
        of(Target::Token([0x22; 16]), Effect::Revoked, Reason::Admin),
        of(Target::Subject(subject, below), Effect::Stale, Reason::PermissionsChanged),
        of(Target::Client(client, below), Effect::Revoked, Reason::KeyCompromised),
        of(Target::Key(KeyId([0x33; 12])), Effect::Stale, Reason::KeyCompromised),
        of(Target::Everything(below), Effect::Revoked, Reason::Admin),
    ]
}

fn digests(key: &TargetKey) -> Value {
    let sid = session_id_text(SessionId::from_bytes([0x11; 16]));
    let jti = BASE64URL_NOPAD.encode(&[0x22; 16]);
    let of = |kind: TargetKind, value: &str| {
        let digest = BASE64URL_NOPAD.encode(&key.digest(kind, value).0);
        json!({"kind": kind.as_str(), "value": value, "digest": digest})
    };
    json!([
        of(TargetKind::Session, &sid),
        of(TargetKind::Token, &jti),
        of(TargetKind::Subject, "42"),
        of(TargetKind::Client, "web"),
    ])
}

/// The first event again and again, over the end of a block.
fn boundary(revocation: &Revocation) -> Value {
    let start = Cursor::block(EPOCH, BLOCK - 2);
    let mut cursor = Cursor { position: BLOCK - 2, ..start };
    let mut places = vec![cursor.to_text()];
    for _ in 0..4 {
        cursor = cursor.after(revocation);
        places.push(cursor.to_text());
    }
    json!(places)
}

fn built() -> Value {
    let (targets, signing) = (target_key(), signing_key());
    let revocations: Vec<_> = events().iter().map(|one| Revocation::of(one, &targets)).collect();
    let start = Cursor::block(EPOCH, 0);
    let mut cursor = start;
    let steps = revocations.iter().map(|revocation| {
        cursor = cursor.after(revocation);
        json!({
            "frame": Frame::Revocation(cursor, *revocation).to_text(),
            "record": HEXLOWER.encode(&revocation.entry.to_record()),
            "cursor": cursor.to_text(),
        })
    });
    let steps: Vec<_> = steps.collect();
    let (read_at, now) = (1_700_000_000_500, 1_700_000_000_750);
    let said = |nonce: Option<&str>, snapshot| Checkpoint {
        iss: ISSUER.to_owned(),
        cursor,
        read_at: Timestamp::from_millis(read_at),
        now: Timestamp::from_millis(now),
        nonce: nonce.map(str::to_owned),
        snapshot,
    };
    let sign = |checkpoint: Checkpoint| checkpoint.sign(&signing).unwrap_or_else(|w| panic!("{w}"));
    let records: Vec<_> = revocations.iter().map(|one| one.entry.to_record()).collect();
    let snapshot = write_snapshot(&cursor, &targets, &records, |digest| {
        Ok::<_, ()>(sign(said(None, Some(digest))))
    });
    let snapshot = snapshot.expect("nothing fails here");
    let line = snapshot.split(|byte| *byte == b'\n').next().expect("it has a line");
    let line: Value = serde_json::from_slice(line).expect("it is JSON");
    let jwk = signing.public_jwk().expect("it is public");
    json!({
        "about": "The layouts are told in api/feed.md.",
        "issuer": ISSUER,
        "jwks": serde_json::from_str::<Value>(&symbolon_wire::key_set_json(&[jwk])).expect("JSON"),
        "digest_key": line["digest_key"],
        "targets": digests(&targets),
        "start": start.to_text(),
        "revocations": steps,
        "over_the_end_of_a_block": {
            "revocation": 0,
            "cursors": boundary(&revocations[0]),
        },
        "checkpoint": {
            "jws": sign(said(Some("n-1"), None)), "cursor": cursor.to_text(), "nonce": "n-1",
            "read_at_ms": read_at, "now_ms": now,
        },
        "snapshot": BASE64.encode(&snapshot),
    })
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the test asks for the file to be written"
)]
fn the_layouts_are_what_they_were() {
    let built = built();
    if std::env::var_os("WRITE_VECTORS").is_some() {
        std::fs::write(path(), format!("{built:#}\n")).expect("it can be written");
    }
    assert_eq!(kept(), built);
}

#[test]
fn the_vectors_can_be_followed_with_nothing_else_at_hand() {
    let vectors = kept();
    let keys = KeySet::parse(&vectors["jwks"].to_string()).expect("a key set");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut cursor = Cursor::parse(&text(&vectors["start"])).expect("a cursor");
    let mut entries = Vec::new();
    for step in vectors["revocations"].as_array().expect("a list") {
        let mut reader = FrameReader::default();
        reader.push(text(&step["frame"]).as_bytes());
        let Some(Ok(Frame::Revocation(told, revocation))) = reader.next_frame() else {
            panic!("{step}")
        };
        cursor = cursor.after(&revocation);
        assert_eq!((told, cursor.to_text()), (cursor, text(&step["cursor"])));
        let record = HEXLOWER.decode(text(&step["record"]).as_bytes()).expect("hexadecimal");
        let record: [u8; RECORD_BYTES] = record.try_into().expect("31 bytes");
        assert_eq!(Entry::from_record(&record), Ok(revocation.entry));
        entries.push(revocation.entry);
    }
    let checkpoint = Checkpoint::read(&keys, &text(&vectors["checkpoint"]["jws"]));
    assert_eq!(checkpoint.expect("it is signed").cursor, cursor);
    let snapshot = BASE64.decode(text(&vectors["snapshot"]).as_bytes()).expect("base64");
    let snapshot = Snapshot::read(&keys, &snapshot).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    assert!(snapshot.entries().map(Result::unwrap).eq(entries));
    for target in vectors["targets"].as_array().expect("a list") {
        let kinds =
            [TargetKind::Token, TargetKind::Session, TargetKind::Subject, TargetKind::Client];
        let kind = kinds.into_iter().find(|kind| target["kind"] == kind.as_str()).expect("a kind");
        let digest = snapshot.target_key.digest(kind, &text(&target["value"]));
        assert_eq!(BASE64URL_NOPAD.encode(&digest.0), text(&target["digest"]));
    }
}
