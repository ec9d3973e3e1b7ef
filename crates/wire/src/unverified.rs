//! What a token says of itself, for people who look at one. Nobody has vouched for a word of it: nothing
//! here lets anybody in.

use crate::api_key::{API_KEY_PREFIX, ApiKeyId};
use crate::claims::ParsedClaims;
use crate::handle::{self, HandleKind};
use crate::json::Object;
use crate::jws::{HEADER_BYTES_MAX, split};
use crate::refresh_token::Body;
use crate::{Malformed, base64url, refresh_token};
use symbolon_core::{Generation, SessionId, StoreEpoch};

/// An access token that was read and not verified.
pub struct UnverifiedAccessToken {
    /// What it says it is signed with.
    pub alg: String,
    /// What it says it is.
    pub typ: Option<String>,
    /// The name of the key that it says signed it.
    pub kid: Option<String>,
    payload: Vec<u8>,
}

impl UnverifiedAccessToken {
    /// Reads a token.
    ///
    /// # Errors
    /// It is not a signed JWT in three segments.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        let (header, payload) = split(text)?;
        if header.len() > HEADER_BYTES_MAX {
            return Err(Malformed::new("header", "is too long"));
        }
        let header = base64url::decode(header, "header")?;
        let header =
            std::str::from_utf8(&header).map_err(|_| Malformed::new("header", "is not UTF-8"))?;
        let header = Object::parse(header, "header")?;
        let owned = |name| Ok(header.string(name)?.map(std::borrow::Cow::into_owned));
        Ok(Self {
            alg: header.required("alg")?.into_owned(),
            typ: owned("typ")?,
            kid: owned("kid")?,
            payload: base64url::decode(payload, "payload")?,
        })
    }

    /// What it claims.
    ///
    /// # Errors
    /// It has not the claims of an access token.
    pub fn claims(&self) -> Result<ParsedClaims<'_>, Malformed> {
        ParsedClaims::parse_unverified(&self.payload)
    }
}

/// A refresh token whose tag was not checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnverifiedRefreshToken {
    /// The store epoch of its rotation.
    pub epoch: StoreEpoch,
    /// The session that it says it belongs to.
    pub sid: SessionId,
    /// Its number in the family.
    pub generation: Generation,
}

impl UnverifiedRefreshToken {
    /// Reads a token.
    ///
    /// # Errors
    /// It has not the form of one.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        let token = refresh_token::decode(text)?;
        let body = Body::from_bytes(&token[..refresh_token::BODY_BYTES]);
        let Body { epoch, sid, generation, .. } = body.ok_or(refresh_token::FORGED)?;
        Ok(Self { epoch, sid, generation })
    }
}

/// The session that a handle says it belongs to; its tag was not checked.
///
/// # Errors
/// It has not the form of a handle of that kind.
pub fn unverified_handle(kind: HandleKind, text: &str) -> Result<SessionId, Malformed> {
    handle::decode(kind, text).map(|bytes| handle::sid(&bytes))
}

/// The public name in an API key that may be nobody's.
///
/// # Errors
/// It has not the form of an API key.
pub fn unverified_api_key_id(text: &str) -> Result<ApiKeyId, Malformed> {
    let refused = Malformed::new("api key", "is not an API key");
    let encoded = text.strip_prefix(API_KEY_PREFIX).ok_or(refused.clone())?;
    let bytes = zeroize::Zeroizing::new(
        base64url::decode_exact::<32>(encoded, "api key").map_err(|_| refused)?,
    );
    let mut id = [0; 8];
    id.copy_from_slice(&bytes[..8]);
    Ok(ApiKeyId(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MasterKey;
    use proptest::prelude::*;
    use symbolon_core::{Salt, Timestamp};

    fn master() -> MasterKey {
        MasterKey::parse("q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU").ok().unwrap()
    }

    #[test]
    fn a_refresh_token_says_whose_it_is_without_its_key() {
        let sid = SessionId::from_bytes([7; 16]);
        let keys = master().refresh_token_keys(0, 0);
        let text = keys.mint(StoreEpoch(3), sid, Generation(9), Salt([1; 8]));
        let read = UnverifiedRefreshToken::read(text.expose()).unwrap();
        assert_eq!((read.epoch, read.sid, read.generation), (StoreEpoch(3), sid, Generation(9)));
    }

    #[test]
    fn an_access_token_says_what_it_claims_without_its_key() {
        let segment = |text: &str| base64url::encode(text.as_bytes());
        let claims = r#"{"iss":"i","sub":"s","aud":"a","client_id":"c","iat":1,"exp":2,"jti":"j",
            "ver":[0,1,2,3]}"#;
        let header = r#"{"alg":"none","typ":"at+jwt","kid":"k"}"#;
        let text = format!("{}.{}.", segment(header), segment(claims));
        let read = UnverifiedAccessToken::read(&text).unwrap();
        assert_eq!((&*read.alg, read.kid.as_deref()), ("none", Some("k")));
        let claims = read.claims().unwrap();
        assert_eq!((&*claims.sub, claims.exp), ("s", Timestamp::from_seconds(2)));
    }

    #[test]
    fn a_handle_says_its_session_without_its_key_and_only_as_what_it_is() {
        let sid = SessionId::from_bytes([7; 16]);
        let text = master().handle_keys().mint(HandleKind::AccessToken, sid, Salt([1; 8]));
        assert_eq!(unverified_handle(HandleKind::AccessToken, text.expose()).unwrap(), sid);
        assert!(unverified_handle(HandleKind::Cookie, text.expose()).is_err());
        assert!(unverified_handle(HandleKind::AccessToken, "sym_at_x").is_err());
    }

    #[test]
    fn an_api_key_says_its_public_name() {
        let (id, text, _) = master().api_key_digests().mint(&[5; 32]);
        assert_eq!(unverified_api_key_id(text.expose()).unwrap(), id);
        assert!(unverified_api_key_id("sym_ak_x").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}", tail in "[A-Za-z0-9_.-]{0,120}") {
            let _ = UnverifiedAccessToken::read(&text).map(|read| read.claims().is_ok());
            let _ = UnverifiedAccessToken::read(&tail).map(|read| read.claims().is_ok());
            let _ = UnverifiedRefreshToken::read(&format!("sym_rt_{tail}"));
            let _ = unverified_api_key_id(&format!("sym_ak_{tail}"));
            let _ = unverified_handle(HandleKind::AccessToken, &format!("sym_at_{tail}"));
        }
    }
}
