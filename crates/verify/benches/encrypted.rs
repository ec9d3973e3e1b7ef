//! Opening and verifying an encrypted token beside its floor, the bare primitives, in the same run: the agreement with
//! its key derivation, the unwrapping, the opening, and the signature check, each on values that are already decoded.
//!
//! Short rounds are interleaved, and a ratio is the median of the rounds' own, as in `cold`.
//! `cargo bench -p symbolon-verify --bench encrypted`; `-- --quick` for a tenth of the rounds.

#[expect(dead_code, reason = "each benchmark uses a part of it")]
mod support;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use aws_lc_rs::key_wrap::{AES_256, KeyEncryptionKey, KeyWrap};
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use support::{builder, median, now, per_call, rounds, tokens, verdict};
use symbolon_verify::{Algorithm, DecryptionKey, KeyManagement, Policy, Presented};
use symbolon_wire::{
    DecryptionKeys, EncryptionKey, GeneratedKey, KeySet, MasterKey, SecretKeyPair, SigningKey,
    Type, VerifyingKey,
};

/// What of a check its primitives should be.
const TARGET: f64 = 0.8;

/// How many tokens come in turn.
const TOKENS: usize = 200;

/// How many calls a round has.
const CALLS: usize = 10;

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn main() {
    println!("{:15} {:>8} {:>8} {:>7}   ns", "alg", "bare", "check", "ratio");
    for alg in KeyManagement::ALL {
        let (bare, check, ratio) = measure(alg, rounds(1001));
        let ok = verdict(ratio >= TARGET);
        println!(
            "{:15} {bare:>8.0} {check:>8.0} {ratio:>7.3}   at least {TARGET}: {ok}",
            alg.name()
        );
    }
}

fn measure(alg: KeyManagement, rounds: usize) -> (f64, f64, f64) {
    let signing = SigningKey::generate(Algorithm::EdDsa).expect("a key");
    let drawn = GeneratedKey::draw(alg).expect("a key");
    let private = drawn.private.expose();
    let seals = match &drawn.public {
        Some(public) => EncryptionKey::from_public_jwk(public).expect("a public key"),
        None => SecretKeyPair::parse(alg, private).expect("a secret").seals,
    };
    let master = MasterKey::parse("q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU").expect("a key");
    let by = master.token_sealing_key();
    let seal = |token: &String| {
        let sealed = seals.seal(&by, Type::AccessTokenJwt, token).expect("it is sealed");
        sealed.expose().to_owned()
    };
    let sealed: Vec<_> = tokens(&signing, TOKENS).iter().map(seal).collect();
    let opens = || DecryptionKey::from_jwk(private).expect("a private key");
    let keys = DecryptionKeys::new(vec![opens()]).expect("a set");
    let key = signing.verifying_key();
    let bare = Bare::of(alg, private);
    let parts: Vec<_> = sealed.iter().map(|token| Parts::of(token, &keys)).collect();
    let verifying = KeySet::from_keys(vec![signing.verifying_key()]).expect("a set");
    let verifier = builder().cache(0).decrypt_with(opens()).offline(verifying).expect("a verifier");
    let policy = Policy::offline().scope("orders:read");
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        let at = |call| (round * CALLS + call) % TOKENS;
        times[0].push(per_call(CALLS, |call| bare.check(&parts[at(call)], &key)));
        times[1].push(per_call(CALLS, |call| {
            let presented = Presented::bearer(&sealed[at(call)]);
            verifier.check(&presented, &policy, now(), |claims| claims.sub.len()).is_ok()
        }));
    }
    let ratio = median(times[0].iter().zip(&times[1]).map(|(own, other)| own / other).collect());
    let [bare, check] = times.map(median);
    (bare, check, ratio)
}

/// A key as the library has it.
enum Bare {
    Agreement(Box<PrivateKey>, Vec<u8>),
    Wrapping(Vec<u8>),
    Content(Vec<u8>),
}

/// A token, decoded.
struct Parts {
    header: Vec<u8>,
    /// The sender's public key, if there is one.
    point: Vec<u8>,
    wrapped: Vec<u8>,
    iv: [u8; 12],
    sealed: Vec<u8>,
    /// What is signed, and the signature.
    message: Vec<u8>,
    signature: Vec<u8>,
}

fn decode(text: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(text.as_bytes()).expect("base64url")
}

fn member(object: &Value, name: &str) -> Vec<u8> {
    decode(object[name].as_str().expect("a string"))
}

impl Parts {
    fn of(token: &str, keys: &DecryptionKeys) -> Self {
        let segments: Vec<_> = token.split('.').collect();
        let header: Value = serde_json::from_slice(&decode(segments[0])).expect("JSON");
        let epk = &header["epk"];
        let point = match epk.is_null() {
            true => Vec::new(),
            false => [vec![4], member(epk, "x"), member(epk, "y")].concat(),
        };
        let inside = keys.open(token).expect("it opens");
        let (message, signature) = inside.expose().rsplit_once('.').expect("three segments");
        Self {
            header: segments[0].as_bytes().to_vec(),
            point,
            wrapped: decode(segments[1]),
            iv: decode(segments[2]).try_into().expect("twelve bytes"),
            sealed: [decode(segments[3]), decode(segments[4])].concat(),
            message: message.as_bytes().to_vec(),
            signature: decode(signature),
        }
    }
}

impl Bare {
    fn of(alg: KeyManagement, jwk: &str) -> Self {
        let jwk: Value = serde_json::from_str(jwk).expect("JSON");
        match alg {
            KeyManagement::EcdhEsA256Kw => {
                let private = PrivateKey::from_private_key(&ECDH_P256, &member(&jwk, "d"));
                let mut info = 14_u32.to_be_bytes().to_vec();
                info.extend_from_slice(alg.name().as_bytes());
                info.extend_from_slice(&[0; 8]);
                info.extend_from_slice(&256_u32.to_be_bytes());
                Self::Agreement(Box::new(private.expect("a private key")), info)
            }
            KeyManagement::A256Kw => Self::Wrapping(member(&jwk, "k")),
            KeyManagement::Dir => Self::Content(member(&jwk, "k")),
        }
    }

    fn check(&self, parts: &Parts, key: &VerifyingKey) -> bool {
        let content = match self {
            Self::Content(content) => content.clone(),
            Self::Wrapping(kek) => unwrap(kek, &parts.wrapped),
            Self::Agreement(private, info) => {
                let sha256 = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256);
                let public = UnparsedPublicKey::new(&ECDH_P256, &parts.point);
                let kek = agree(private, public, (), |shared| {
                    let mut kek = [0; 32];
                    sskdf_digest(sha256.ok_or(())?, shared, info, &mut kek).map_err(|_| ())?;
                    Ok(kek)
                });
                unwrap(&kek.expect("they agree"), &parts.wrapped)
            }
        };
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &content).expect("a key"));
        let mut sealed = parts.sealed.clone();
        let nonce = Nonce::assume_unique_for_key(parts.iv);
        let opened = cipher.open_in_place(nonce, Aad::from(&*parts.header), &mut sealed);
        opened.is_ok() && key.check(&parts.message, &parts.signature).is_ok()
    }
}

fn unwrap(kek: &[u8], wrapped: &[u8]) -> Vec<u8> {
    let mut key = vec![0; 32];
    let kek = KeyEncryptionKey::new(&AES_256, kek).expect("a key");
    kek.unwrap(wrapped, &mut key).expect("it unwraps");
    key
}
