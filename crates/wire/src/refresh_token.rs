//! The text of a refresh token (DESIGN.md §4.1).
//!
//! `sym_rt_` + base64url(key number, 2 ‖ store epoch, 4 ‖ sid, 16 ‖ generation, 4 ‖ session salt, 8
//! ‖ tag, 16), numbers big-endian. The tag is HMAC-SHA-256 over what stands before it, cut to 16
//! bytes. Nothing of it is stored: forged text dies here and never reaches a store.

use crate::master_key::Derived;
use crate::secret::{SecretText, same_bytes};
use crate::{Malformed, base64url};
use aws_lc_rs::hmac;
use symbolon_core::{Generation, RefreshToken, Salt, SessionId, StoreEpoch};

/// What every refresh token begins with.
pub const PREFIX: &str = "sym_rt_";

/// The MAC keys of refresh tokens, by number.
pub struct RefreshTokenKeys {
    root: Derived,
    oldest: u16,
    current: u16,
    current_key: hmac::Key,
}

impl RefreshTokenKeys {
    pub(crate) fn new(root: Derived, oldest: u16, current: u16) -> Self {
        let current_key = root.mac_key(&current.to_be_bytes());
        Self { root, oldest, current, current_key }
    }

    /// Writes the token of a generation; equal arguments give equal text.
    pub fn mint(
        &self,
        epoch: StoreEpoch,
        sid: SessionId,
        generation: Generation,
        salt: Salt,
    ) -> SecretText {
        let body = Body { number: self.current, epoch, sid, generation, salt }.to_bytes();
        let mut token = [0; TOKEN_BYTES];
        token[..BODY_BYTES].copy_from_slice(&body);
        token[BODY_BYTES..].copy_from_slice(&tag(&self.current_key, &body));
        let mut text = String::with_capacity(TEXT_BYTES);
        text.push_str(PREFIX);
        base64url::append(&token, &mut text);
        SecretText::new(text)
    }

    /// Reads a token; holding the answer is the proof that this authority wrote the text.
    ///
    /// Any key number is tried, so that a node takes what a newer one has minted; a number that
    /// was never used has no token with a right tag.
    ///
    /// # Errors
    /// Text that this authority did not write, or under a number that has retired.
    pub fn open(&self, text: &str) -> Result<RefreshToken, Malformed> {
        let token = decode(text)?;
        let (body, presented) = token.split_at(BODY_BYTES);
        let parsed = Body::from_bytes(body).ok_or(FORGED)?;
        if !same_bytes(&self.tag_of(parsed.number, body), presented) || parsed.number < self.oldest
        {
            return Err(FORGED);
        }
        let Body { epoch, sid, generation, salt, .. } = parsed;
        Ok(RefreshToken::assume_genuine(epoch, sid, generation, salt))
    }

    fn tag_of(&self, number: u16, body: &[u8]) -> [u8; TAG_BYTES] {
        if number == self.current {
            tag(&self.current_key, body)
        } else {
            tag(&self.root.mac_key(&number.to_be_bytes()), body)
        }
    }
}

/// One answer to every text that is not ours: what is wrong with it would help a forger alone.
pub(crate) const FORGED: Malformed =
    Malformed::new("refresh_token", "is not a refresh token of this authority");

pub(crate) const BODY_BYTES: usize = 34;
const TAG_BYTES: usize = 16;
const TOKEN_BYTES: usize = BODY_BYTES + TAG_BYTES;
const TEXT_BYTES: usize = PREFIX.len() + base64url::encoded_len(TOKEN_BYTES);

pub(crate) fn decode(text: &str) -> Result<[u8; TOKEN_BYTES], Malformed> {
    let encoded = text.strip_prefix(PREFIX).ok_or(FORGED)?;
    base64url::decode_exact(encoded, "refresh_token").map_err(|_| FORGED)
}

fn tag(key: &hmac::Key, body: &[u8]) -> [u8; TAG_BYTES] {
    let mut cut = [0; TAG_BYTES];
    cut.copy_from_slice(&hmac::sign(key, body).as_ref()[..TAG_BYTES]);
    cut
}

/// What stands before the tag.
pub(crate) struct Body {
    number: u16,
    pub(crate) epoch: StoreEpoch,
    pub(crate) sid: SessionId,
    pub(crate) generation: Generation,
    salt: Salt,
}

impl Body {
    fn to_bytes(&self) -> [u8; BODY_BYTES] {
        let mut bytes = [0; BODY_BYTES];
        bytes[..2].copy_from_slice(&self.number.to_be_bytes());
        bytes[2..6].copy_from_slice(&self.epoch.0.to_be_bytes());
        bytes[6..22].copy_from_slice(self.sid.as_bytes());
        bytes[22..26].copy_from_slice(&self.generation.0.to_be_bytes());
        bytes[26..].copy_from_slice(&self.salt.0);
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let (sid, rest) = rest.split_first_chunk()?;
        let (generation, salt) = rest.split_first_chunk()?;
        Some(Self {
            number: u16::from_be_bytes(*number),
            epoch: StoreEpoch(u32::from_be_bytes(*epoch)),
            sid: SessionId::from_bytes(*sid),
            generation: Generation(u32::from_be_bytes(*generation)),
            salt: Salt(salt.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MasterKey;
    use proptest::prelude::*;

    fn master() -> MasterKey {
        MasterKey::parse("q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU").ok().unwrap()
    }

    fn token(keys: &RefreshTokenKeys, generation: u32) -> SecretText {
        let sid = SessionId::from_bytes([3; 16]);
        keys.mint(StoreEpoch(1), sid, Generation(generation), Salt([4; 8]))
    }

    #[test]
    fn a_token_is_74_characters_and_equal_requests_mint_equal_text() {
        let keys = master().refresh_token_keys(0, 0);
        assert_eq!(token(&keys, 5).expose().len(), TEXT_BYTES);
        assert_eq!(TEXT_BYTES, 74);
        assert!(token(&keys, 5).matches(token(&keys, 5).expose()));
        assert!(!token(&keys, 5).matches(token(&keys, 6).expose()));
    }

    #[test]
    fn any_node_opens_any_number_and_a_retired_number_opens_nothing() {
        let old = token(&master().refresh_token_keys(0, 3), 1);
        assert!(master().refresh_token_keys(0, 9).open(old.expose()).is_ok());
        assert!(master().refresh_token_keys(0, 2).open(old.expose()).is_ok(), "a newer node's");
        assert!(master().refresh_token_keys(3, 9).open(old.expose()).is_ok());
        assert!(master().refresh_token_keys(4, 9).open(old.expose()).is_err());
    }

    #[test]
    fn another_master_key_opens_nothing() {
        let keys = master().refresh_token_keys(0, 0);
        let other = "w83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU";
        let other = MasterKey::parse(other).ok().unwrap().refresh_token_keys(0, 0);
        assert_eq!(other.open(token(&keys, 1).expose()).err(), Some(FORGED));
    }

    #[test]
    fn no_single_changed_bit_of_the_bytes_and_no_changed_character_is_accepted() {
        let keys = master().refresh_token_keys(0, 0);
        let text = token(&keys, 7).expose().to_owned();
        let bytes = decode(&text).unwrap();
        for bit in 0..TOKEN_BYTES * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = format!("{PREFIX}{}", base64url::encode(&changed));
            assert!(keys.open(&changed).is_err(), "bit {bit}");
        }
        for at in 0..text.len() {
            for other in ["A", "_", "=", " ", "\u{e9}", "", "AA"] {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert!(changed == text || keys.open(&changed).is_err(), "{changed}");
            }
        }
    }

    #[test]
    fn only_the_canonical_text_is_accepted() {
        let keys = master().refresh_token_keys(0, 0);
        let text = token(&keys, 7).expose().to_owned();
        for other in [
            format!(" {text}"),
            format!("{text}\n"),
            format!("{text}="),
            text.to_uppercase(),
            text.replacen("sym_rt_", "SYM_RT_", 1),
            text.replacen("sym_rt_", "", 1),
            text.replacen("sym_rt_", "sym_ak_", 1),
            format!("{text}.{text}.{text}"),
        ] {
            assert!(keys.open(&other).is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn what_was_minted_opens_to_the_same_values(
            (number, epoch, generation) in any::<(u16, u32, u32)>(),
            sid in any::<[u8; 16]>(),
            salt in any::<[u8; 8]>(),
        ) {
            let keys = master().refresh_token_keys(0, number);
            let sid = SessionId::from_bytes(sid);
            let text = keys.mint(StoreEpoch(epoch), sid, Generation(generation), Salt(salt));
            let token = keys.open(text.expose()).unwrap();
            prop_assert_eq!(token.sid(), sid);
            prop_assert_eq!(token.epoch(), StoreEpoch(epoch));
            prop_assert_eq!(token.generation(), Generation(generation));
            prop_assert!(token.salt() == Salt(salt));
        }

        #[test]
        fn random_text_is_refused(text in "(sym_rt_)?[A-Za-z0-9_=.-]{0,80}", any in ".{0,80}") {
            let keys = master().refresh_token_keys(0, 0);
            prop_assert!(keys.open(&text).is_err());
            prop_assert!(keys.open(&any).is_err());
        }
    }
}
