//! Sealing: what the authority does after it signed.
//!
//! Equal requests in a window earn equal answers (DESIGN.md §4.1), and encryption needs values that never come twice
//! for different contents. Both hold if everything that others draw is a keyed digest of all that goes in: see
//! `docs/decisions/0036-what-is-drawn-for-an-encrypted-token.md`.

use super::agreement::{Curve, Point, agreed, other_info};
use super::content::{self, IV_BYTES, Key, TAG_BYTES, WRAPPED_BYTES};
use super::{ENC, KEY_BYTES, KeyManagement};
use crate::master_key::Derived;
use crate::secret::SecretText;
use crate::signing_key::CryptoFailed;
use crate::{Type, base64url};
use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::hmac;

/// A key under which tokens are sealed for one recipient. It may be a secret, so it has no `Debug`.
pub struct EncryptionKey {
    kid: Box<str>,
    alg: KeyManagement,
    seals: Seals,
}

pub(super) enum Seals {
    Agreement(Point),
    Wrapping(Key),
    Content(Key),
}

/// The key from which everything is drawn that others would take from chance.
pub struct SealingKey(hmac::Key);

impl SealingKey {
    pub(crate) const fn new(key: hmac::Key) -> Self {
        Self(key)
    }
}

impl EncryptionKey {
    pub(super) fn new(kid: &str, seals: Seals) -> Self {
        let alg = match seals {
            Seals::Agreement(_) => KeyManagement::EcdhEsA256Kw,
            Seals::Wrapping(_) => KeyManagement::A256Kw,
            Seals::Content(_) => KeyManagement::Dir,
        };
        Self { kid: kid.into(), alg, seals }
    }

    /// The key's name, which its tokens carry.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm that it seals by.
    pub const fn algorithm(&self) -> KeyManagement {
        self.alg
    }

    /// Seals a signed token: equal arguments give equal bytes.
    ///
    /// # Errors
    /// The library failed.
    pub fn seal(
        &self,
        by: &SealingKey,
        typ: Type,
        token: &str,
    ) -> Result<SecretText, CryptoFailed> {
        let drawn = Drawn::of(by, &self.context(typ), token);
        let (mut epk, mut wrapped, mut key) = (None, None, drawn.key());
        match &self.seals {
            Seals::Agreement(to) => {
                let (private, public) = drawn.ephemeral(to.curve)?;
                let info = other_info(self.alg.name(), b"", b"", 8 * KEY_BYTES as u32);
                wrapped = Some(content::wrap(&agreed(&private, to, &info)?, &key)?);
                epk = Some(public.members());
            }
            Seals::Wrapping(kek) => wrapped = Some(content::wrap(kek, &key)?),
            Seals::Content(shared) => key = shared.clone(),
        }
        let (header, cipher) = (self.header(typ, epk.as_deref()), content::cipher(&key)?);
        let header = base64url::encode(header.as_bytes());
        let mut content = token.as_bytes().to_vec();
        let iv = drawn.iv();
        let tag = content::seal(&cipher, iv, header.as_bytes(), &mut content)?;
        let mut text = String::with_capacity(self.sealed_bytes(typ, token.len()));
        text.push_str(&header);
        let segments: [&[u8]; 4] =
            [wrapped.as_ref().map_or(&[], |key| &key[..]), &iv, &content, &tag];
        for segment in segments {
            text.push('.');
            base64url::append(segment, &mut text);
        }
        Ok(SecretText::new(text))
    }

    /// How long a sealed token will be, in bytes: known before anything is sealed.
    pub fn sealed_bytes(&self, typ: Type, token_bytes: usize) -> usize {
        let around = self.header(typ, None).len();
        let (header, key) = match &self.seals {
            // The member's name, its quotes, colon and comma, and the braces of the object.
            Seals::Agreement(to) => (around + 9 + Point::members_bytes(to.curve), WRAPPED_BYTES),
            Seals::Wrapping(_) => (around, WRAPPED_BYTES),
            Seals::Content(_) => (around, 0),
        };
        let segments = [header, key, IV_BYTES, token_bytes, TAG_BYTES];
        segments.into_iter().map(base64url::encoded_len).sum::<usize>() + 4
    }

    /// The header's text; RFC 8725 §3.11 asks for `typ` inside and lets it stand outside as well.
    fn header(&self, typ: Type, epk: Option<&str>) -> String {
        let (alg, typ, kid) = (self.alg.name(), typ.name(), serde_json::Value::from(&*self.kid));
        let epk = epk.map(|members| format!(",\"epk\":{{{members}}}")).unwrap_or_default();
        format!(
            "{{\"alg\":\"{alg}\",\"enc\":\"{ENC}\",\"typ\":\"{typ}\",\"cty\":\"JWT\",\"kid\":{kid}{epk}}}"
        )
    }

    /// All that stands beside the content: whatever differs here, other values are drawn, so that no vector is ever
    /// used for two headers.
    fn context(&self, typ: Type) -> Vec<u8> {
        let mut context = self.header(typ, None).into_bytes();
        context.push(0);
        if let Seals::Agreement(to) = &self.seals {
            context.extend_from_slice(to.bytes());
        }
        context
    }
}

/// What is drawn for one token.
struct Drawn(Derived);

impl Drawn {
    fn of(by: &SealingKey, context: &[u8], token: &str) -> Self {
        let mut digest = hmac::Context::with_key(&by.0);
        digest.update(&(context.len() as u64).to_be_bytes());
        digest.update(context);
        digest.update(token.as_bytes());
        Self(Derived::of(digest.sign().as_ref()))
    }

    fn key(&self) -> Key {
        self.0.bytes(b"content key")
    }

    fn iv(&self) -> [u8; IV_BYTES] {
        let mut iv = [0; IV_BYTES];
        iv.copy_from_slice(&self.0.bytes(b"iv")[..IV_BYTES]);
        iv
    }

    /// A key pair for this token alone. One draw in 2^32 is no private key of P-256; then the next one is.
    fn ephemeral(&self, curve: Curve) -> Result<(PrivateKey, Point), CryptoFailed> {
        let drawn = (0_u8..4).find_map(|again| {
            let bytes = self.0.bytes(&[b"ephemeral key", &[again][..]].concat());
            PrivateKey::from_private_key(curve.algorithm(), &*bytes).ok()
        });
        let private = drawn.ok_or(CryptoFailed)?;
        let public = Point::of_private(curve, &private)?;
        Ok((private, public))
    }
}
