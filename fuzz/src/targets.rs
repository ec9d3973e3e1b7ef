//! One function per parser: it feeds the bytes in and checks what must hold of whatever comes out.

use std::sync::OnceLock;
use symbolon_wire::ext_authz::{ASKED_HEADERS_MAX, CheckRequest};
use symbolon_wire::feed::{Frame, FrameReader, Snapshot};
use symbolon_wire::{
    Algorithm, ApiKeyDigests, ApiKeyId, CookieKind, Cookies, DecryptionKey, DecryptionKeys,
    EncryptionKey, ExtraClaims, ImportLine, KeySet, MasterKey, ParsedClaims, RefreshTokenKeys,
    SecretHash, SharedSecret, SigningKey, Type, UnverifiedJwe, open_dpop_proof, parse_key_id,
    parse_session_id, session_id_text, verify,
};

/// A parser under test: its name, which is also that of its seeds' directory, and the function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 15] = [
    ("jws", jws),
    ("key_set", key_set),
    ("claims", claims),
    ("extra_claims", extra_claims),
    ("refresh_token", refresh_token),
    ("import_line", import_line),
    ("api_key", api_key),
    ("master_key", master_key),
    ("names", names),
    ("feed_frames", feed_frames),
    ("snapshot", snapshot),
    ("ext_authz", ext_authz),
    ("cookie", cookie),
    ("jwe", jwe),
    ("dpop", dpop),
];

/// Tokens against keys of every algorithm: no more than one of them accepts.
pub fn jws(data: &[u8]) {
    let Ok(token) = std::str::from_utf8(data) else { return };
    let (public, secret) = keys();
    let verdicts = Algorithm::ALL.map(|alg| {
        let keys = if alg.is_symmetric() { secret } else { public };
        verify(keys, alg, token).map(|payload| ParsedClaims::of(&payload).is_ok()).is_ok()
    });
    assert!(verdicts.iter().filter(|accepted| **accepted).count() <= 1);
    assert!(verify(public, Algorithm::Hs256, token).is_err());
    assert!(verify(secret, Algorithm::EdDsa, token).is_err());
}

/// Key sets: what is accepted has keys, all of one nature, no two of one name.
pub fn key_set(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match KeySet::parse(text) {
        Ok(set) => {
            let symmetric = set.keys()[0].algorithm().is_symmetric();
            for (index, key) in set.keys().iter().enumerate() {
                assert_eq!(key.algorithm().is_symmetric(), symmetric);
                let twin = set.keys()[..index].iter().find(|other| other.kid() == key.kid());
                assert!(key.kid().is_none() || twin.is_none());
                assert!(key.check(data, data).is_err());
            }
        }
        Err(why) => assert!(why.to_string().len() < 300, "an error does not repeat the text"),
    }
}

/// Claims: what is accepted says who, for whom and until when.
pub fn claims(data: &[u8]) {
    if let Ok(claims) = ParsedClaims::parse_unverified(data) {
        assert!(!claims.iss.is_empty() && !claims.sub.is_empty() && !claims.jti.is_empty());
        assert!(claims.aud.iter().next().is_some());
        assert!(claims.extras().all(|(name, raw)| claims.extra(name).is_some() && raw.get() != ""));
    }
}

/// A back end's claims: what is accepted names nothing reserved and survives the store.
pub fn extra_claims(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(extra) = ExtraClaims::parse(text) {
        let stored = extra.to_text();
        assert_eq!(ExtraClaims::parse(&stored).as_ref(), Ok(&extra));
        assert_eq!(ExtraClaims::assume_parsed(&stored), extra);
        let whole = r#"{"iss":"i","sub":"s","aud":"a","client_id":"c","iat":1,"exp":2,"jti":"j","ver":[1,2,3,4]"#;
        let comma = if extra.is_empty() { "" } else { "," };
        let token = format!("{whole}{comma}{}", &stored[1..]);
        let read = ParsedClaims::parse_unverified(token.as_bytes()).expect("it stays readable");
        assert_eq!(&*read.sub, "s", "no added claim replaces one of ours");
    }
}

/// Refresh tokens: what is accepted is the one text of its values.
pub fn refresh_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let keys = refresh_token_keys();
    if let Ok(token) = keys.open(text) {
        let again = keys.mint(token.epoch(), token.sid(), token.generation(), token.salt());
        assert_eq!(again.expose(), text);
    }
}

/// Proofs of a key: what is accepted is by the key that it brings, and for a method and a URL of one spelling.
pub fn dpop(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match open_dpop_proof(text) {
        Ok(proof) => {
            assert!(!proof.method.is_empty() && proof.url.as_str().starts_with("http"));
            let again = symbolon_wire::dpop::Url::parse(proof.url.as_str());
            assert_eq!(again.as_ref(), Ok(&proof.url));
        }
        Err(why) => assert!(why.to_string().len() < 300, "an error does not repeat the text"),
    }
}

/// Lines of an import: what is accepted names somebody, and what is not is never repeated.
pub fn import_line(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match ImportLine::parse(text) {
        Ok(line) => {
            assert!(!line.subject.as_str().is_empty() && !line.client.as_str().is_empty());
            assert!(line.roles.iter().flat_map(|roles| roles.iter()).all(|role| !role.is_empty()));
        }
        Err(why) => assert!(why.to_string().len() < 300, "an error does not repeat the text"),
    }
}

/// API keys: what is accepted is no other key.
pub fn api_key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let digests = api_key_digests();
    let (_, _, kept) = digests.mint(&[0xa5; 32]);
    if let Ok(presented) = digests.parse(text) {
        let known = text == "sym_ak_paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU";
        assert_eq!(presented.is(&kept), known);
    }
}

/// Master keys.
pub fn master_key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = MasterKey::parse(text);
}

/// Short texts: names of sessions, of keys, of types, and hashes of secrets.
pub fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(sid) = parse_session_id(text) {
        assert_eq!(session_id_text(sid), text);
    }
    if let Ok(id) = ApiKeyId::parse(text) {
        assert_eq!(id.to_text(), text);
    }
    if let Ok(kid) = parse_key_id(text) {
        assert_eq!(symbolon_wire::key_id_text(kid), text);
    }
    if let Ok(hash) = SecretHash::parse(text) {
        assert_eq!(hash.to_text(), text);
    }
    let _ = (Type::from_name(text), Algorithm::from_name(text));
}

/// Frames of the feed: however the bytes arrive they are the same, and what is read is written again so that it
/// is read back.
pub fn feed_frames(data: &[u8]) {
    let (mut whole, mut halves) = (FrameReader::default(), FrameReader::default());
    whole.push(data);
    let (first, second) = data.split_at(data.len() / 2);
    halves.push(first);
    let mut read = Vec::new();
    while let Some(Ok(frame)) = halves.next_frame() {
        read.push(frame);
    }
    halves.push(second);
    while let Some(Ok(frame)) = halves.next_frame() {
        read.push(frame);
    }
    for frame in read {
        let Some(Ok(same)) = whole.next_frame() else { return };
        assert_eq!(same, frame);
        if let Frame::Revocation(cursor, revocation) = &frame {
            assert_ne!(cursor.after(revocation), *cursor);
            let mut again = FrameReader::default();
            again.push(frame.to_text().as_bytes());
            assert_eq!(again.next_frame(), Some(Ok(same)));
        }
    }
}

/// Snapshots: what is accepted has every entry that it counts, and was signed.
pub fn snapshot(data: &[u8]) {
    static KEYS: OnceLock<KeySet> = OnceLock::new();
    let keys = || KeySet::parse(FEED_KEYS).unwrap_or_else(|wrong| panic!("{wrong}"));
    if let Ok(snapshot) = Snapshot::read(KEYS.get_or_init(keys), data) {
        assert!(snapshot.checkpoint.snapshot.is_some());
        assert_eq!(snapshot.entries().count(), snapshot.len());
        assert!(snapshot.entries().all(|entry| entry.is_ok()), "we signed no other");
    }
}

/// Envoy's questions: what is accepted is in the bytes, and no more headers than are read.
pub fn ext_authz(data: &[u8]) {
    match CheckRequest::parse(data) {
        Ok(asked) => {
            assert!(asked.headers.len() <= ASKED_HEADERS_MAX);
            assert!(asked.path.len() + asked.method.len() <= data.len(), "nothing is made up");
        }
        Err(why) => assert!(why.to_string().len() < 300, "an error does not repeat the text"),
    }
}

/// The keys of `api/vectors/feed.json`.
pub const FEED_KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig",
"kid":"26K5-EtpWHdx4b8I","x":"8140rl6crWhn7I_8ylOS8JjTJgsJKrV37fJTZBG-q30"}]}"#;

/// The master key of the seeds; `api/vectors/tokens.json` has it too.
const MASTER_KEY: &str = "q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU";

fn master() -> MasterKey {
    MasterKey::parse(MASTER_KEY).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// `Cookie` lines: what is found stands there once, and under its own name alone.
pub fn cookie(data: &[u8]) {
    for cookies in [true, false].map(|secure| Cookies { secure }) {
        for kind in CookieKind::ALL {
            let lines = data.split(|byte| *byte == b'\n');
            let Ok(Some(value)) = cookies.find(kind, lines) else { continue };
            assert!(!value.contains(';'));
            let pair = format!("{}={value}", cookies.name(kind));
            let found = data.windows(pair.len()).filter(|window| *window == pair.as_bytes());
            assert!(0 < found.count());
            let doubled = [data, b"\n", pair.as_bytes()].concat();
            assert!(cookies.find(kind, doubled.split(|byte| *byte == b'\n')).is_err());
        }
    }
}

/// Encrypted tokens and the keys of both sides: what opens was sealed for one of the keys, and a key that is read
/// without an error names itself.
pub fn jwe(data: &[u8]) {
    static KEYS: OnceLock<DecryptionKeys> = OnceLock::new();
    let Ok(text) = std::str::from_utf8(data) else { return };
    let key = |jwk| DecryptionKey::from_jwk(jwk).unwrap_or_else(|wrong| panic!("{wrong}"));
    let keys = || DecryptionKeys::new(DECRYPTION_KEYS.map(key).into()).expect("they have names");
    if let Ok(opened) = KEYS.get_or_init(keys).open(text) {
        assert!(opened.expose().len() < text.len());
        assert!(UnverifiedJwe::read(text).is_ok_and(|read| read.enc == "A256GCM"));
    }
    if let Ok(own) = DecryptionKey::from_jwk(text) {
        assert!(!own.kid().is_empty());
        assert!(EncryptionKey::from_public_jwk(text).is_err(), "a private key is never taken");
    }
    let _ = EncryptionKey::from_public_jwk(text);
}

/// Two of the keys of `api/vectors/jwe.json`.
pub const DECRYPTION_KEYS: [&str; 2] = [
    r#"{"kty":"OKP","crv":"X25519","x":"iErk2eV7SEswQcaozeO4CuQFvzSV5DqlDccsDk92QV4","use":"enc","alg":"ECDH-ES+A256KW","kid":"x25519","d":"m3cutuGML66SfWls4-ESxagvLNO08fs6DKbXi3UEIKU"}"#,
    r#"{"kty":"oct","use":"enc","alg":"A256KW","kid":"a256kw","k":"nYqGB_g-kCOCMlZ9Gn82-y5pOo5APuNM3RqU7yXZABc"}"#,
];

fn refresh_token_keys() -> &'static RefreshTokenKeys {
    static KEYS: OnceLock<RefreshTokenKeys> = OnceLock::new();
    KEYS.get_or_init(|| master().refresh_token_keys(1, 1))
}

fn api_key_digests() -> &'static ApiKeyDigests {
    static DIGESTS: OnceLock<ApiKeyDigests> = OnceLock::new();
    DIGESTS.get_or_init(|| master().api_key_digests())
}

/// Keys of every public kind, and one shared secret.
fn keys() -> &'static (KeySet, KeySet) {
    static KEYS: OnceLock<(KeySet, KeySet)> = OnceLock::new();
    KEYS.get_or_init(|| {
        let public = KeySet::parse(PUBLIC_KEYS).unwrap_or_else(|wrong| panic!("{wrong}"));
        let secret = SigningKey::from_secret(SharedSecret::assume_drawn(&[0x42; 32]));
        let secret = KeySet::from_keys(vec![secret.verifying_key()]);
        (public, secret.unwrap_or_else(|wrong| panic!("{wrong}")))
    })
}

/// The keys of RFC 8037 §A.2, RFC 7515 §A.3 and RFC 7520 §3.3.
const PUBLIC_KEYS: &str = r#"{"keys":[
{"kid":"ed","kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
{"kid":"ec","kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
{"kid":"bilbo.baggins@hobbiton.example","kty":"RSA","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw","e":"AQAB"}
]}"#;
