//! What the authority signs each second: how far the feed was read, and when.

use super::chain::{Chain, Cursor};
use crate::json::{self, Object};
use crate::jws::{self, Refused};
use crate::key_set::KeySet;
use crate::{CryptoFailed, Malformed, SigningKey, base64url};
use serde_json::value::RawValue;
use std::borrow::Cow;
use symbolon_core::{Digest, StoreEpoch, Timestamp};

/// The `typ` of a checkpoint: no access token has it, and a checkpoint has no other.
const TYP: &str = "symbolon-checkpoint+jwt";

/// The longest nonce, in characters. Inclusive.
pub const NONCE_CHARS_MAX: usize = 64;

/// A statement of the authority about its feed. No relay can make one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Who says it.
    pub iss: String,
    /// How far the feed was read; its digest vouches for all before it.
    pub cursor: Cursor,
    /// The oldest instant at which every part of the log was read up to its head.
    pub read_at: Timestamp,
    /// When this was signed, by the authority's clock.
    pub now: Timestamp,
    /// What the verifier sent, so that `now` is known to be later.
    pub nonce: Option<String>,
    /// The SHA-256 of the snapshot that it came with.
    pub snapshot: Option<Digest>,
}

impl Checkpoint {
    /// Signs it.
    ///
    /// # Errors
    /// The library failed.
    pub fn sign(&self, key: &SigningKey) -> Result<String, CryptoFailed> {
        let Self { iss, cursor, read_at, now, nonce, snapshot } = self;
        let mut payload = serde_json::json!({
            "iss": iss,
            "epoch": cursor.epoch.0,
            "cursor": cursor.to_text(),
            "digest": cursor.chain.to_text(),
            "read_at": read_at.as_seconds(),
            "now": now.as_seconds(),
            "read_at_ms": read_at.as_millis(),
            "now_ms": now.as_millis(),
        });
        if let Some(nonce) = nonce {
            payload["nonce"] = nonce.as_str().into();
        }
        if let Some(digest) = snapshot {
            payload["snapshot"] = base64url::encode(&digest.0).into();
        }
        key.sign_as(TYP, payload.to_string().as_bytes())
    }

    /// Where a checkpoint says that it stands. Nobody has vouched for that: it is for whoever passes one on.
    ///
    /// # Errors
    /// It is none.
    pub fn unverified_cursor(text: &str) -> Result<Cursor, Malformed> {
        let payload = text.split('.').nth(1).ok_or(Malformed::new("checkpoint", "is no JWS"))?;
        let payload = base64url::decode(payload, "checkpoint")?;
        let payload = std::str::from_utf8(&payload);
        let payload = payload.map_err(|_| Malformed::new("checkpoint", "is not UTF-8"))?;
        Cursor::parse(&Object::parse(payload, "checkpoint")?.required("cursor")?)
    }

    /// Reads one whose signature is by a key of the issuer.
    ///
    /// # Errors
    /// Another type, a shared secret's algorithm, a signature that is wrong, a payload that is none.
    pub fn read(keys: &KeySet, text: &str) -> Result<Self, Refused> {
        let payload = jws::verify_as(keys, TYP, text)?;
        let text = std::str::from_utf8(&payload);
        let text = text.map_err(|_| Malformed::new("checkpoint", "is not UTF-8"))?;
        let object = Object::parse(text, "checkpoint")?;
        let cursor = Cursor::parse(&object.required("cursor")?)?;
        let says =
            (StoreEpoch(number(&object, "epoch")?), Chain::parse(&object.required("digest")?)?);
        if says != (cursor.epoch, cursor.chain) {
            return Err(Malformed::new("cursor", "does not agree with epoch and digest").into());
        }
        let nonce = object.string("nonce")?.map(Cow::into_owned);
        let snapshot = object.string("snapshot")?;
        let snapshot = snapshot.map(|text| base64url::decode_exact(&text, "snapshot").map(Digest));
        Ok(Self {
            iss: object.required("iss")?.into_owned(),
            cursor,
            read_at: Timestamp::from_millis(number(&object, "read_at_ms")?),
            now: Timestamp::from_millis(number(&object, "now_ms")?),
            nonce,
            snapshot: snapshot.transpose()?,
        })
    }
}

/// A member that must be there and be a whole number.
pub(super) fn number<N: for<'de> serde::Deserialize<'de>>(
    object: &Object<'_>,
    name: &'static str,
) -> Result<N, Malformed> {
    let value: &RawValue = object.raw(name).ok_or(Malformed::new(name, "is missing"))?;
    match json::is_strict(value, 1).then(|| serde_json::from_str(value.get())) {
        Some(Ok(number)) => Ok(number),
        Some(Err(_)) | None => Err(Malformed::new(name, "must be a whole number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, Type};

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            iss: "https://id.example.com".into(),
            cursor: Cursor::block(StoreEpoch(3), 5),
            read_at: Timestamp::from_millis(1_700_000_000_250),
            now: Timestamp::from_millis(1_700_000_000_750),
            nonce: Some("n-1".into()),
            snapshot: Some(Digest([4; 32])),
        }
    }

    fn keys(key: &SigningKey) -> KeySet {
        KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap()
    }

    #[test]
    fn a_checkpoint_is_read_back_to_the_millisecond_under_every_published_kind_of_key() {
        for alg in [Algorithm::EdDsa, Algorithm::Es256] {
            let key = SigningKey::generate(alg).unwrap();
            for said in [checkpoint(), Checkpoint { nonce: None, snapshot: None, ..checkpoint() }] {
                let text = said.sign(&key).unwrap();
                assert_eq!(Checkpoint::unverified_cursor(&text), Ok(said.cursor));
                assert_eq!(Checkpoint::read(&keys(&key), &text), Ok(said));
            }
        }
    }

    #[test]
    fn nobody_elses_checkpoint_is_read() {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let other = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let text = checkpoint().sign(&other).unwrap();
        assert_eq!(Checkpoint::read(&keys(&key), &text), Err(Refused::UnknownKey));
        let (signed, _) = text.rsplit_once('.').unwrap();
        let forged = format!("{signed}.{}", base64url::encode(&[0; 64]));
        assert_eq!(Checkpoint::read(&keys(&other), &forged), Err(Refused::Signature));
    }

    #[test]
    fn an_access_token_is_no_checkpoint_and_a_checkpoint_no_access_token() {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let text = checkpoint().sign(&key).unwrap();
        let keys = keys(&key);
        let payload = jws::verify(&keys, Algorithm::EdDsa, &text).ok().unwrap();
        assert_eq!(payload.typ(), None);
        for typ in Type::ALL {
            let token = key.sign(typ, payload.bytes()).unwrap();
            assert!(Checkpoint::read(&keys, &token).is_err(), "{}", typ.name());
        }
    }

    #[test]
    fn whoever_shares_a_secret_signs_no_checkpoint() {
        let key = SigningKey::generate(Algorithm::Hs256).unwrap();
        let text = checkpoint().sign(&key).unwrap();
        assert_eq!(Checkpoint::read(&keys(&key), &text), Err(Refused::Algorithm));
    }

    #[test]
    fn a_cursor_that_its_own_members_deny_is_refused() {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let text = checkpoint().sign(&key).unwrap();
        let keys = keys(&key);
        let payload = jws::verify(&keys, Algorithm::EdDsa, &text).ok().unwrap();
        let payload = String::from_utf8(payload.bytes().to_vec()).unwrap();
        for (from, to) in [("\"epoch\":3", "\"epoch\":4"), ("\"digest\"", "\"digest_\"")] {
            let signed = key.sign_as(TYP, payload.replace(from, to).as_bytes()).unwrap();
            assert!(matches!(Checkpoint::read(&keys, &signed), Err(Refused::Malformed(_))));
        }
    }
}
