//! The text of a one-time credential: an operation token, or a ticket.
//!
//! A prefix + base64url(key number, 2 ‖ store epoch, 4 ‖ sid, 16 ‖ session salt, 8 ‖ expires_at, 8 ‖ purpose, 32 ‖
//! drawn, 16 ‖ tag, 16), numbers big-endian, the instant in milliseconds. The tag is HMAC-SHA-256 over what stands
//! before it, cut to 16 bytes, under a key of its kind. Nothing of it is stored before it is used, and then only its
//! name, a digest of the whole.

use crate::master_key::Derived;
use crate::secret::{SecretText, same_bytes};
use crate::{Malformed, base64url, sha256};
use aws_lc_rs::hmac;
use symbolon_core::{Digest, Once, OneTime, Salt, SessionId, StoreEpoch, Timestamp};

/// What a one-time credential is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OneTimeKind {
    /// One sensitive act.
    Operation,
    /// One request that cannot have an `Authorization` header.
    Ticket,
}

impl OneTimeKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Operation, Self::Ticket];

    /// What its text begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Operation => "sym_op_",
            Self::Ticket => "sym_tk_",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Operation => "operation token",
            Self::Ticket => "ticket",
        }
    }

    /// One answer to every text that is not ours: what is wrong with it would help a forger alone.
    const fn forged(self) -> Malformed {
        match self {
            Self::Operation => {
                Malformed::new("operation_token", "is not an operation token of this authority")
            }
            Self::Ticket => Malformed::new("ticket", "is not a ticket of this authority"),
        }
    }
}

/// The MAC keys of one-time credentials, by kind.
pub struct OneTimeKeys {
    operation: hmac::Key,
    ticket: hmac::Key,
}

impl OneTimeKeys {
    pub(crate) fn new(root: &Derived) -> Self {
        let key = |kind: OneTimeKind| root.mac_key(kind.name().as_bytes());
        Self { operation: key(OneTimeKind::Operation), ticket: key(OneTimeKind::Ticket) }
    }

    /// Writes a one-time credential; what was `drawn` for it tells it from all others that say the same.
    pub fn mint(&self, kind: OneTimeKind, says: &Once, drawn: &[u8; 16]) -> SecretText {
        let mut bytes = Vec::with_capacity(TOKEN_BYTES);
        bytes.extend_from_slice(&NUMBER.to_be_bytes());
        bytes.extend_from_slice(&says.epoch.0.to_be_bytes());
        bytes.extend_from_slice(says.sid.as_bytes());
        bytes.extend_from_slice(&says.salt.0);
        bytes.extend_from_slice(&says.expires_at.as_millis().to_be_bytes());
        bytes.extend_from_slice(&says.purpose.0);
        bytes.extend_from_slice(drawn);
        let tag = self.tag(kind, &bytes);
        bytes.extend_from_slice(&tag);
        let mut text = String::with_capacity(ONE_TIME_BYTES);
        text.push_str(kind.prefix());
        base64url::append(&bytes, &mut text);
        SecretText::new(text)
    }

    /// Reads a one-time credential of that kind; holding the answer is the proof that this authority wrote the text.
    ///
    /// # Errors
    /// Text that this authority did not write as a credential of that kind.
    pub fn open(&self, kind: OneTimeKind, text: &str) -> Result<OneTime, Malformed> {
        let forged = kind.forged();
        let encoded = text.strip_prefix(kind.prefix()).ok_or(forged.clone())?;
        let bytes: [u8; TOKEN_BYTES] =
            base64url::decode_exact(encoded, "one-time").map_err(|_| forged.clone())?;
        let (body, presented) = bytes.split_at(BODY_BYTES);
        if !same_bytes(&self.tag(kind, body), presented) || body[..2] != NUMBER.to_be_bytes() {
            return Err(forged);
        }
        let says = read(&body[2..]).ok_or(forged)?;
        Ok(OneTime::assume_genuine(says, sha256(text.as_bytes())))
    }

    fn tag(&self, kind: OneTimeKind, body: &[u8]) -> [u8; TAG_BYTES] {
        let key = match kind {
            OneTimeKind::Operation => &self.operation,
            OneTimeKind::Ticket => &self.ticket,
        };
        let mut cut = [0; TAG_BYTES];
        cut.copy_from_slice(&hmac::sign(key, body).as_ref()[..TAG_BYTES]);
        cut
    }
}

/// What a body says behind the number of its key.
fn read(body: &[u8]) -> Option<Once> {
    let (epoch, rest) = body.split_first_chunk()?;
    let (sid, rest) = rest.split_first_chunk()?;
    let (salt, rest) = rest.split_first_chunk()?;
    let (expires_at, rest) = rest.split_first_chunk()?;
    let (purpose, _) = rest.split_first_chunk()?;
    Some(Once {
        epoch: StoreEpoch(u32::from_be_bytes(*epoch)),
        sid: SessionId::from_bytes(*sid),
        salt: Salt(*salt),
        expires_at: Timestamp::from_millis(u64::from_be_bytes(*expires_at)),
        purpose: Digest(*purpose),
    })
}

/// How long a one-time credential is, in bytes.
pub const ONE_TIME_BYTES: usize = 7 + base64url::encoded_len(TOKEN_BYTES);

/// The number of the key; there is one so far.
const NUMBER: u16 = 0;
const BODY_BYTES: usize = 86;
const TAG_BYTES: usize = 16;
const TOKEN_BYTES: usize = BODY_BYTES + TAG_BYTES;

/// The digest of the one request that an operation token is for. No method has a zero byte in it and a body's digest
/// has one length, so no two requests have one digest.
pub fn request_digest(method: &str, path: &str, body: Option<Digest>) -> Digest {
    let mut said = Vec::with_capacity(64 + method.len() + path.len());
    said.extend_from_slice(b"symbolon operation\0");
    said.extend_from_slice(method.as_bytes());
    said.push(0);
    match body {
        Some(body) => {
            said.push(1);
            said.extend_from_slice(&body.0);
        }
        None => said.push(0),
    }
    said.extend_from_slice(path.as_bytes());
    sha256(&said)
}

/// The digest of the audience that a ticket is for.
pub fn audience_digest(audience: &str) -> Digest {
    sha256(format!("symbolon ticket\0{audience}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MasterKey;
    use proptest::prelude::*;

    fn keys() -> OneTimeKeys {
        let master = MasterKey::parse("q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU");
        master.ok().unwrap().one_time_keys()
    }

    fn says() -> Once {
        Once {
            epoch: StoreEpoch(7),
            sid: SessionId::from_bytes([3; 16]),
            salt: Salt([4; 8]),
            expires_at: Timestamp::from_millis(1_800_000_000_123),
            purpose: Digest([5; 32]),
        }
    }

    fn text(kind: OneTimeKind) -> String {
        keys().mint(kind, &says(), &[6; 16]).expose().to_owned()
    }

    #[test]
    fn one_that_was_drawn_anew_is_another_with_another_name() {
        for kind in OneTimeKind::ALL {
            assert_eq!(text(kind).len(), ONE_TIME_BYTES);
            let other = keys().mint(kind, &says(), &[7; 16]);
            let names = [&text(kind), other.expose()].map(|text| keys().open(kind, text));
            let [one, other] = names.map(|opened| opened.ok().unwrap().name());
            assert_ne!(one, other);
        }
        assert_eq!(ONE_TIME_BYTES, 143);
    }

    #[test]
    fn one_of_one_kind_is_none_of_the_other_under_either_prefix() {
        let (operation, ticket) = (text(OneTimeKind::Operation), text(OneTimeKind::Ticket));
        assert!(keys().open(OneTimeKind::Ticket, &operation).is_err());
        assert!(keys().open(OneTimeKind::Operation, &ticket).is_err());
        let dressed = operation.replacen("sym_op_", "sym_tk_", 1);
        assert!(keys().open(OneTimeKind::Ticket, &dressed).is_err());
    }

    #[test]
    fn no_changed_bit_and_no_changed_character_is_accepted() {
        let (kind, text) = (OneTimeKind::Operation, text(OneTimeKind::Operation));
        let bytes: [u8; TOKEN_BYTES] = base64url::decode_exact(&text[7..], "one-time").unwrap();
        for bit in 0..TOKEN_BYTES * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = format!("sym_op_{}", base64url::encode(&changed));
            assert!(keys().open(kind, &changed).is_err(), "bit {bit}");
        }
        for at in 0..text.len() {
            for other in ["A", "_", "=", " ", "\u{e9}", "", "AA"] {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert!(changed == text || keys().open(kind, &changed).is_err(), "{changed}");
            }
        }
    }

    #[test]
    fn another_master_key_opens_nothing() {
        let other = MasterKey::parse("w83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU").ok().unwrap();
        for kind in OneTimeKind::ALL {
            assert!(other.one_time_keys().open(kind, &text(kind)).is_err());
        }
    }

    #[test]
    fn no_two_requests_have_one_digest() {
        let body = Digest([1; 32]);
        let shifted = String::from_utf8(vec![1; 32]).unwrap();
        let digests = [
            request_digest("POST", "/a", None),
            request_digest("POST", "/a?b", None),
            request_digest("PUT", "/a", None),
            request_digest("POST", "/a", Some(body)),
            request_digest("POST", "/a", Some(Digest([2; 32]))),
            request_digest("POST", &format!("{shifted}/a"), None),
            audience_digest("POST"),
        ];
        for (at, one) in digests.iter().enumerate() {
            assert!(!digests[..at].contains(one), "{at}");
        }
    }

    proptest! {
        #[test]
        fn what_was_minted_says_the_same(epoch in any::<u32>(), sid in any::<[u8; 16]>(),
            salt in any::<[u8; 8]>(), millis in any::<u64>(), purpose in any::<[u8; 32]>()) {
            let says = Once {
                epoch: StoreEpoch(epoch),
                sid: SessionId::from_bytes(sid),
                salt: Salt(salt),
                expires_at: Timestamp::from_millis(millis),
                purpose: Digest(purpose),
            };
            for kind in OneTimeKind::ALL {
                let text = keys().mint(kind, &says, &[1; 16]);
                let opened = keys().open(kind, text.expose()).unwrap();
                let name = opened.name();
                prop_assert!(opened == OneTime::assume_genuine(says.clone(), name));
            }
        }

        #[test]
        fn random_text_is_refused(text in "(sym_[a-z]{2}_)?[A-Za-z0-9_=.-]{0,150}", any in ".{0,80}") {
            for kind in OneTimeKind::ALL {
                prop_assert!(keys().open(kind, &text).is_err());
                prop_assert!(keys().open(kind, &any).is_err());
            }
        }
    }
}
