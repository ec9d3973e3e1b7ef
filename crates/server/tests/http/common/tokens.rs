//! What a sign-in or a refresh gives.

use super::Answer;
use serde_json::Value;
use symbolon_wire::{Algorithm, KeySet, verify};

/// The tokens of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) sid: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Tokens {
    /// Reads an answer with tokens, which nothing on the way may keep.
    #[track_caller]
    pub(crate) fn of(answer: &Answer) -> Self {
        assert!(answer.status.is_success(), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
        assert_eq!(answer.member("token_type"), "Bearer", "{answer:?}");
        Self {
            sid: answer.text("session_id"),
            access: answer.text("access_token"),
            refresh: answer.text("refresh_token"),
        }
    }
}

/// The claims of an access token whose signature is right.
pub(crate) struct Claims(Value);

impl Claims {
    /// Verifies a token with the published keys, as any resource server would.
    pub(crate) fn of(token: &str, jwks: &str) -> Self {
        let keys = KeySet::parse(jwks).unwrap();
        let Ok(payload) = verify(&keys, Algorithm::EdDsa, token) else {
            panic!("the published keys do not verify {token}")
        };
        Self(serde_json::from_slice(payload.bytes()).unwrap())
    }
}

impl std::ops::Index<&str> for Claims {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        &self.0[name]
    }
}
