//! What the authority signs when it asks a back end about a renewal, so that the back end knows who asks.

use crate::{CryptoFailed, SigningKey, base64url, session_id_text};
use symbolon_core::{ClientId, Digest, SessionId, Subject, Timestamp};

/// The `typ` of such a call: no access token has it, and whoever takes access tokens takes none of these.
pub const HOOK_CALL_TYP: &str = "symbolon-hook+jwt";

/// A call, as its token says it.
pub struct HookCall<'a> {
    /// Who asks.
    pub iss: &'a str,
    /// Who is asked: the URL.
    pub aud: &'a str,
    /// About whom.
    pub sub: &'a Subject,
    /// About which session.
    pub sid: SessionId,
    /// Of which client.
    pub client_id: &'a ClientId,
    /// When it is asked.
    pub iat: Timestamp,
    /// Until when an answer is waited for, and a while more. Exclusive.
    pub exp: Timestamp,
    /// Bytes that nobody else draws.
    pub drawn: [u8; 16],
    /// SHA-256 of the body.
    pub body: Digest,
}

impl HookCall<'_> {
    /// Signs it.
    ///
    /// # Errors
    /// The library failed.
    pub fn sign(&self, key: &SigningKey) -> Result<String, CryptoFailed> {
        let payload = serde_json::json!({
            "iss": self.iss,
            "aud": self.aud,
            "sub": self.sub.as_str(),
            "sid": session_id_text(self.sid),
            "client_id": self.client_id.as_str(),
            "iat": self.iat.as_seconds(),
            "exp": self.exp.as_seconds(),
            "jti": base64url::encode(&self.drawn),
            "body_sha256": base64url::encode(&self.body.0),
        });
        key.sign_as(HOOK_CALL_TYP, payload.to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, KeySet, Type, jws};

    fn signed(key: &SigningKey) -> String {
        let call = HookCall {
            iss: "https://id.example.com",
            aud: "https://app.example.com/renewals",
            sub: &Subject::parse("10086").unwrap(),
            sid: SessionId::from_bytes([7; 16]),
            client_id: &ClientId::parse("web").unwrap(),
            iat: Timestamp::from_seconds(1_700_000_000),
            exp: Timestamp::from_seconds(1_700_000_060),
            drawn: [9; 16],
            body: Digest([1; 32]),
        };
        call.sign(key).unwrap()
    }

    #[test]
    fn whoever_has_the_published_keys_knows_who_asks() {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let keys = KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap();
        let payload = jws::verify_as(&keys, HOOK_CALL_TYP, &signed(&key)).ok().unwrap();
        let told: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(told["aud"], "https://app.example.com/renewals");
        assert_eq!(told["sub"], "10086");
        assert_eq!(told["body_sha256"], base64url::encode(&[1; 32]));
    }

    #[test]
    fn a_call_is_never_taken_for_an_access_token() {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let keys = KeySet::from_keys(vec![key.verifying_key()]).ok().unwrap();
        let text = signed(&key);
        let payload = jws::verify(&keys, Algorithm::EdDsa, &text).ok().unwrap();
        assert_eq!(payload.typ(), None);
        assert!(Type::ALL.into_iter().all(|typ| typ.name() != HOOK_CALL_TYP));
    }
}
