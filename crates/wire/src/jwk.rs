//! One JSON Web Key: reading, writing, naming it (RFC 7517, RFC 7518 §6, RFC 8037 §2, RFC 7638).

use crate::json::{self, Object};
use crate::{Algorithm, Malformed, base64url};
use aws_lc_rs::digest::{SHA256, digest};
use std::borrow::Cow;
use symbolon_core::id::KeyId;
use zeroize::Zeroizing;

/// The shortest HMAC key, in bytes: that of the hash (RFC 7518 §3.2). Inclusive.
pub const HMAC_KEY_BYTES_MIN: usize = 32;

/// The longest HMAC key that is read, in bytes. Inclusive.
pub const HMAC_KEY_BYTES_MAX: usize = 512;

/// The shortest RSA modulus, in bits (RFC 7518 §3.3). Inclusive.
pub const RSA_BITS_MIN: usize = 2048;

/// The longest RSA modulus, in bits: verifying costs its square. Inclusive.
pub const RSA_BITS_MAX: usize = 8192;

/// A key that anyone may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicJwk {
    /// `kty: OKP`, `crv: Ed25519`.
    Ed25519 {
        /// The point, as RFC 8032 encodes it.
        x: [u8; 32],
    },
    /// `kty: EC`, `crv: P-256`.
    P256 {
        /// One coordinate, big-endian.
        x: [u8; 32],
        /// The other coordinate, big-endian.
        y: [u8; 32],
    },
    /// `kty: RSA`.
    Rsa {
        /// The modulus, big-endian, without leading zeros.
        n: Vec<u8>,
        /// The public exponent, big-endian, without leading zeros.
        e: Vec<u8>,
    },
}

impl PublicJwk {
    /// The one algorithm that this key is for.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519 { .. } => Algorithm::EdDsa,
            Self::P256 { .. } => Algorithm::Es256,
            Self::Rsa { .. } => Algorithm::Rs256,
        }
    }

    /// The SHA-256 thumbprint of RFC 7638 §3.
    pub fn thumbprint(&self) -> [u8; 32] {
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(digest(&SHA256, self.bare_json().as_bytes()).as_ref());
        thumbprint
    }

    /// The key with its required members alone, in the order of RFC 7638 §3.3.
    pub(crate) fn bare_json(&self) -> String {
        format!("{{{}}}", self.required_members())
    }

    /// The name that our authority gives the key: the first 12 bytes of its thumbprint.
    pub fn key_id(&self) -> KeyId {
        let mut kid = [0; 12];
        kid.copy_from_slice(&self.thumbprint()[..12]);
        KeyId(kid)
    }

    /// The key as a member of a published set (RFC 7517 §4), named by its [`Self::key_id`].
    pub fn to_json(&self) -> String {
        let kid = key_id_text(self.key_id());
        let alg = self.algorithm().name();
        format!(
            "{{{},\"use\":\"sig\",\"alg\":\"{alg}\",\"kid\":\"{kid}\"}}",
            self.required_members()
        )
    }

    /// The members that make the key, in the order of RFC 7638 §3.3: sorted, without white space.
    fn required_members(&self) -> String {
        let b64 = base64url::encode;
        match self {
            Self::Ed25519 { x } => {
                format!("\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"{}\"", b64(x))
            }
            Self::P256 { x, y } => {
                format!(
                    "\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"{}\",\"y\":\"{}\"",
                    b64(x),
                    b64(y)
                )
            }
            Self::Rsa { n, e } => {
                format!("\"e\":\"{}\",\"kty\":\"RSA\",\"n\":\"{}\"", b64(e), b64(n))
            }
        }
    }
}

/// The text of a key's name: 16 characters of base64url.
pub fn key_id_text(kid: KeyId) -> String {
    base64url::encode(&kid.0)
}

/// Reads the text of a key's name as our authority writes it.
///
/// # Errors
/// Anything but 16 characters of base64url.
pub fn parse_key_id(text: &str) -> Result<KeyId, Malformed> {
    base64url::decode_exact(text, "kid").map(KeyId)
}

/// A key as a set gives it.
pub(crate) struct Jwk<'a> {
    pub(crate) kid: Option<Cow<'a, str>>,
    pub(crate) material: Material,
}

/// What a key is made of.
pub(crate) enum Material {
    Public(PublicJwk),
    Secret(Zeroizing<Vec<u8>>),
}

impl Material {
    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Public(jwk) => jwk.algorithm(),
            Self::Secret(_) => Algorithm::Hs256,
        }
    }
}

/// Reads one key; `None` if its `kty` is one that we do not know (RFC 7517 §5).
///
/// A key of a kind that we do know must be one that we can use: anything wrong with it is refused
/// by name, since a set with half its keys passed over in silence fails later and elsewhere.
pub(crate) fn read<'a>(text: &'a str) -> Result<Option<Jwk<'a>>, Malformed> {
    let object = Object::parse(text, "key")?;
    let material = match &*object.required("kty")? {
        "OKP" => Material::Public(okp(&object)?),
        "EC" => Material::Public(ec(&object)?),
        "RSA" => Material::Public(rsa(&object)?),
        "oct" => Material::Secret(oct(&object)?),
        _ => return Ok(None),
    };
    check_purpose(&object, material.algorithm())?;
    Ok(Some(Jwk { kid: kid(&object)?, material }))
}

/// Longest `kid` that is read, in bytes. Inclusive.
pub(crate) const KID_BYTES_MAX: usize = 255;

fn kid<'a>(object: &Object<'a>) -> Result<Option<Cow<'a, str>>, Malformed> {
    match object.string("kid")? {
        Some(kid) if kid.is_empty() => Err(Malformed::new("kid", "is empty")),
        Some(kid) if kid.len() > KID_BYTES_MAX => Err(Malformed::new("kid", "is too long")),
        kid => Ok(kid),
    }
}

/// The key must be for verifying signatures of exactly this algorithm (RFC 7517 §4.2–4.4).
fn check_purpose(object: &Object<'_>, alg: Algorithm) -> Result<(), Malformed> {
    if object.string("use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(Malformed::new("use", "must be \"sig\""));
    }
    if object.string("alg")?.is_some_and(|name| name != alg.name()) {
        return Err(Malformed::new("alg", "is not the algorithm of this kind of key"));
    }
    match object.raw("key_ops") {
        Some(operations) => check_operations(&json::strings(operations, "key_ops")?),
        None => Ok(()),
    }
}

fn check_operations(operations: &[Cow<'_, str>]) -> Result<(), Malformed> {
    let count = |name: &str| operations.iter().filter(|operation| *operation == name).count();
    if count("verify") + count("sign") != operations.len() {
        return Err(Malformed::new("key_ops", "has an operation other than signing and verifying"));
    }
    match (count("verify"), count("sign")) {
        (1, 0 | 1) => Ok(()),
        (0, _) => Err(Malformed::new("key_ops", "does not have \"verify\"")),
        _ => Err(Malformed::new("key_ops", "names an operation twice")),
    }
}

fn okp(object: &Object<'_>) -> Result<PublicJwk, Malformed> {
    check_public(object)?;
    if object.required("crv")? != "Ed25519" {
        return Err(Malformed::new("crv", "must be Ed25519"));
    }
    let x = base64url::decode_exact(&object.required("x")?, "x")?;
    if is_small_order(&x) {
        return Err(Malformed::new("x", "is a point of small order"));
    }
    Ok(PublicJwk::Ed25519 { x })
}

fn ec(object: &Object<'_>) -> Result<PublicJwk, Malformed> {
    check_public(object)?;
    if object.required("crv")? != "P-256" {
        return Err(Malformed::new("crv", "must be P-256"));
    }
    let x = base64url::decode_exact(&object.required("x")?, "x")?;
    let y = base64url::decode_exact(&object.required("y")?, "y")?;
    Ok(PublicJwk::P256 { x, y })
}

fn rsa(object: &Object<'_>) -> Result<PublicJwk, Malformed> {
    check_public(object)?;
    let n = base64url::decode(&object.required("n")?, "n")?;
    let e = base64url::decode(&object.required("e")?, "e")?;
    check_modulus(&n)?;
    check_exponent(&e)?;
    Ok(PublicJwk::Rsa { n, e })
}

fn oct(object: &Object<'_>) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let key = Zeroizing::new(base64url::decode(&object.required("k")?, "k")?);
    match key.len() {
        0..HMAC_KEY_BYTES_MIN => Err(Malformed::new("k", "is shorter than 32 bytes")),
        HMAC_KEY_BYTES_MIN..=HMAC_KEY_BYTES_MAX => Ok(key),
        _ => Err(Malformed::new("k", "is longer than 512 bytes")),
    }
}

/// A private member in a key that is to be public means that a secret has leaked: refuse loudly.
fn check_public(object: &Object<'_>) -> Result<(), Malformed> {
    const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    match PRIVATE.into_iter().find(|name| object.has(name)) {
        Some(name) => Err(Malformed::new(name, "is a private member in a public key")),
        None => Ok(()),
    }
}

fn check_modulus(n: &[u8]) -> Result<(), Malformed> {
    let refused = |why| Err(Malformed::new("n", why));
    match (n.first(), n.last()) {
        (None, _) | (_, None) => return refused("is empty"),
        (Some(0), _) => return refused("has leading zeros"),
        (_, Some(last)) if last % 2 == 0 => return refused("is even"),
        _ => {}
    }
    let bits = n.len() * 8 - n[0].leading_zeros() as usize;
    match bits {
        0..RSA_BITS_MIN => refused("is shorter than 2048 bits"),
        RSA_BITS_MIN..=RSA_BITS_MAX if is_roca(n) => refused("is of the factorable kind, ROCA"),
        RSA_BITS_MIN..=RSA_BITS_MAX => Ok(()),
        _ => refused("is longer than 8192 bits"),
    }
}

/// Odd, at least 3, and short: a long exponent is a way to burn a verifier's time.
fn check_exponent(e: &[u8]) -> Result<(), Malformed> {
    match e {
        [0, ..] => Err(Malformed::new("e", "has leading zeros")),
        [] | [1] => Err(Malformed::new("e", "is too small")),
        [.., last] if last % 2 == 0 => Err(Malformed::new("e", "is even")),
        _ if e.len() > 4 => Err(Malformed::new("e", "is longer than 32 bits")),
        _ => Ok(()),
    }
}

/// Whether a modulus has the fingerprint of CVE-2017-15361: modulo each small prime it is a power
/// of 65537. A sound modulus has it by chance about once in 2^27.
fn is_roca(n: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.into_iter().all(|prime| {
        let rest = n.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        (0..prime)
            .scan(1, |power, _| Some(std::mem::replace(power, *power * 65537 % prime)))
            .any(|power| power == rest)
    })
}

/// Whether an Ed25519 key is one of the points for which a signature can be made without a
/// secret. Their `y`, little-endian, with the sign bit cleared; the last two are not canonical.
fn is_small_order(x: &[u8; 32]) -> bool {
    let mut y = *x;
    y[31] &= 0x7f;
    let near_p = |low: u8| {
        let mut p = [0xff; 32];
        p[0] = low;
        p[31] = 0x7f;
        p
    };
    let mut one = [0; 32];
    one[0] = 1;
    [[0; 32], one, ORDER_8[0], ORDER_8[1], near_p(0xec), near_p(0xed), near_p(0xee)].contains(&y)
}

/// The `y` of the points of order eight.
const ORDER_8: [[u8; 32]; 2] = [
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];
