//! What a token costs beside the bare signature: each case against its floor, interleaved.
//!
//! Run with `cargo bench -p symbolon-wire`.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
    RsaKeyPair, UnparsedPublicKey,
};
use std::hint::black_box;
use std::time::{Duration, Instant};
use symbolon_core::{Generation, SessionId, StoreEpoch, Timestamp, Ver};
use symbolon_wire::{
    Algorithm, Claims, ExtraClaims, JtiKey, KeySet, MasterKey, ParsedClaims, SigningKey, Type,
    verify,
};

/// How many times each case is timed; the median counts.
const ROUNDS: usize = 301;

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn main() {
    println!("| alg | bare sign | issue | ratio | bare verify | cold verify + claims | ratio |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for alg in Algorithm::ALL {
        row(alg);
    }
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn row(alg: Algorithm) {
    let key = SigningKey::generate(alg).expect("the library works");
    let jti_key = jti_key();
    let extra = ExtraClaims::NONE;
    let claims = claims(&extra);
    let issue = || {
        let issued = claims.issue(&key, Type::AccessTokenJwt, &jti_key, Generation(5));
        issued.expect("the claims are short")
    };
    let token = issue().token;
    let signed = &token.expose()[..token.expose().rfind('.').expect("a token has dots")];
    let bare = Bare::new(alg, signed.as_bytes());
    let keys = KeySet::from_keys(vec![key.verifying_key()]).expect("one key is a set");
    let read = || {
        let payload = verify(&keys, alg, token.expose()).expect("it is genuine");
        black_box(ParsedClaims::of(&payload).expect("we wrote the claims").exp);
    };
    let message = signed.as_bytes();
    let [sign, issue] = medians([&|| bare.sign(message), &|| drop(black_box(issue()))]);
    let [check, read] = medians([&|| bare.verify(message), &read]);
    let name = alg.name();
    println!(
        "| {name} | {sign:.3} | {issue:.3} | {:.3} | {check:.3} | {read:.3} | {:.3} |",
        sign / issue,
        check / read
    );
}

/// The medians in microseconds of cases that take turns, so that noise meets them alike.
fn medians<const N: usize>(cases: [&dyn Fn(); N]) -> [f64; N] {
    let batch = cases.map(|case| {
        let once = time(case, 20) / 20;
        (Duration::from_micros(500).as_nanos() / once.as_nanos().max(1)).clamp(1, 2000) as u32
    });
    let mut times = [(); N].map(|()| Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        for ((case, batch), times) in cases.iter().zip(batch).zip(&mut times) {
            times.push(time(case, batch).as_secs_f64() * 1e6 / f64::from(batch));
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn time(case: &dyn Fn(), times: u32) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        case();
    }
    start.elapsed()
}

/// The floor: the same library, a parsed key, the same message, and nothing else.
enum Bare {
    Ed25519(Ed25519KeyPair, ParsedPublicKey, Vec<u8>),
    P256(EcdsaKeyPair, ParsedPublicKey, Vec<u8>),
    Rsa(RsaKeyPair, ParsedPublicKey, Vec<u8>),
    Hmac(Box<hmac::Key>, Vec<u8>),
}

impl Bare {
    fn new(alg: Algorithm, message: &[u8]) -> Self {
        let rng = SystemRandom::new();
        match alg {
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().expect("the library works");
                let public = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
                let (public, signature) = (public.parse().expect("a key"), pair.sign(message));
                Self::Ed25519(pair, public, signature.as_ref().to_vec())
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
                let pair = pair.expect("the library works");
                let public = pair.public_key().as_ref();
                let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public);
                let signature = pair.sign(&rng, message).expect("the library works");
                Self::P256(pair, public.expect("a key"), signature.as_ref().to_vec())
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("the library works");
                let public = pair.public_key().as_ref();
                let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &rng, message, &mut signature).expect("it works");
                Self::Rsa(pair, public.expect("a key"), signature)
            }
            Algorithm::Hs256 => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
                let tag = hmac::sign(&key, message).as_ref().to_vec();
                Self::Hmac(Box::new(key), tag)
            }
        }
    }

    fn sign(&self, message: &[u8]) {
        let rng = SystemRandom::new();
        match self {
            Self::Ed25519(pair, ..) => drop(black_box(pair.sign(message))),
            Self::P256(pair, ..) => drop(black_box(pair.sign(&rng, message))),
            Self::Rsa(pair, ..) => {
                let mut signature = [0; 256];
                pair.sign(&RSA_PKCS1_SHA256, &rng, message, &mut signature).expect("it works");
                black_box(signature);
            }
            Self::Hmac(key, _) => drop(black_box(hmac::sign(key, message))),
        }
    }

    fn verify(&self, message: &[u8]) {
        match self {
            Self::Ed25519(_, key, signature)
            | Self::P256(_, key, signature)
            | Self::Rsa(_, key, signature) => key.verify_sig(message, signature),
            Self::Hmac(key, tag) => hmac::verify(key, message, tag),
        }
        .expect("the signature is right");
    }
}

fn jti_key() -> JtiKey {
    let (master, _) = MasterKey::generate(&SystemRandom::new()).expect("the library works");
    master.jti_key()
}

fn claims<'a>(extra: &'a ExtraClaims<'a>) -> Claims<'a> {
    Claims {
        iss: "https://id.example.com",
        sub: "user-10086",
        aud: &["demo-api"],
        client_id: "web",
        iat: Timestamp::from_seconds(1_700_000_000),
        exp: Timestamp::from_seconds(1_700_000_300),
        scope: Some("orders:read orders:write"),
        sid: Some(SessionId::from_bytes([9; 16])),
        ver: Ver { store: StoreEpoch(1), subject: 12, client: 3, everything: 1 },
        auth_time: Some(Timestamp::from_seconds(1_699_990_000)),
        acr: None,
        amr: &["pwd"],
        roles: &["member"],
        jkt: None,
        imprints: symbolon_core::imprint::Imprints::default(),
        extra,
    }
}
