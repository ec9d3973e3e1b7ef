//! A key that verifies, parsed once.

use crate::jwk::{Jwk, Material, PublicJwk};
use crate::jws::{Refused, header_segment};
use crate::{Algorithm, Malformed, Type};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use aws_lc_rs::{error::KeyRejected, hmac};

/// A key that verifies tokens of one algorithm. It may hold a shared secret, so it has no `Debug`.
pub struct VerifyingKey {
    kid: Option<Box<str>>,
    alg: Algorithm,
    check: Check,
    /// The header segments that our authority writes with this key, one per [`Type`], so that
    /// its tokens' headers are recognised by comparison and not parsed.
    headers: Option<[Box<str>; 2]>,
}

enum Check {
    Public(ParsedPublicKey),
    Secret(Box<hmac::Key>),
}

impl VerifyingKey {
    /// A key of a published set, under the name that the set gives it.
    ///
    /// # Errors
    /// A point that is not on its curve.
    pub(crate) fn from_jwk(jwk: &Jwk<'_>) -> Result<Self, Malformed> {
        let check = match &jwk.material {
            Material::Public(public) => Check::Public(parse(public)?),
            Material::Secret(secret) => {
                Check::Secret(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret)))
            }
        };
        Ok(Self::new(jwk.kid.as_deref(), jwk.material.algorithm(), check))
    }

    /// A public key under its own name.
    ///
    /// # Errors
    /// A point that is not on its curve.
    pub fn from_public(jwk: &PublicJwk) -> Result<Self, Malformed> {
        let kid = crate::jwk::key_id_text(jwk.key_id());
        Ok(Self::new(Some(&kid), jwk.algorithm(), Check::Public(parse(jwk)?)))
    }

    /// A public key that came with what it is to verify, and has no name.
    ///
    /// # Errors
    /// A point that is not on its curve.
    pub(crate) fn nameless(jwk: &PublicJwk) -> Result<Self, Malformed> {
        Ok(Self::new(None, jwk.algorithm(), Check::Public(parse(jwk)?)))
    }

    pub(crate) fn from_secret(kid: &str, secret: Box<hmac::Key>) -> Self {
        Self::new(Some(kid), Algorithm::Hs256, Check::Secret(secret))
    }

    fn new(kid: Option<&str>, alg: Algorithm, check: Check) -> Self {
        let header = |kid, typ| header_segment(alg, typ, kid).into_boxed_str();
        let headers = kid.map(|kid| Type::ALL.map(|typ| header(kid, typ.name())));
        Self { kid: kid.map(Box::from), alg, check, headers }
    }

    /// The key's name in its set.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one algorithm that it verifies.
    pub const fn algorithm(&self) -> Algorithm {
        self.alg
    }

    /// Whether the other is the same public key under the same name.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let same = match (&self.check, &other.check) {
            (Check::Public(own), Check::Public(other)) => own.as_ref() == other.as_ref(),
            (Check::Secret(_), _) | (_, Check::Secret(_)) => false,
        };
        same && self.kid == other.kid && self.alg == other.alg
    }

    /// The type that a header segment declares, if it is one that our authority writes.
    pub(crate) fn known_header(&self, segment: &str) -> Option<Type> {
        let [access_token, jwt] = self.headers.as_ref()?;
        if **access_token == *segment {
            Some(Type::AccessTokenJwt)
        } else if **jwt == *segment {
            Some(Type::Jwt)
        } else {
            None
        }
    }

    /// Checks a signature, or a MAC in constant time.
    ///
    /// # Errors
    /// [`Refused::Signature`].
    pub fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        match &self.check {
            Check::Public(key) => key.verify_sig(message, signature),
            Check::Secret(key) => hmac::verify(key, message, signature),
        }
        .map_err(|_| Refused::Signature)
    }
}

fn parse(jwk: &PublicJwk) -> Result<ParsedPublicKey, Malformed> {
    let parsed: Result<ParsedPublicKey, KeyRejected> = match jwk {
        PublicJwk::Ed25519 { x } => ParsedPublicKey::new(&ED25519, x),
        PublicJwk::P256 { x, y } => {
            // SEC 1 §2.3.3, uncompressed: the form that aws-lc checks to be on the curve.
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [&[4], &x[..], &y[..]].concat())
        }
        PublicJwk::Rsa { n, e } => {
            RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        }
    };
    parsed.map_err(|_| match jwk {
        PublicJwk::Ed25519 { .. } | PublicJwk::P256 { .. } => {
            Malformed::new("x", "and y are not a point of the curve")
        }
        PublicJwk::Rsa { .. } => Malformed::new("n", "and e are not a public key"),
    })
}
