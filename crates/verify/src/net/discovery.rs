//! From an issuer's name to its keys (RFC 8414 §3, RFC 7517).

use super::http::{FetchError, Http};
use super::url::Issuer;
use http::Uri;
use serde_json::{Map, Value};
use std::time::Duration;
use symbolon_wire::KeySet;

/// How long each document may take. Inclusive.
const FETCH_MAX: Duration = Duration::from_secs(5);

/// What an authority publishes about itself.
pub(crate) struct Discovered {
    pub(crate) keys: KeySet,
    /// Where to ask about tokens, if it says so at a place that we may trust with an API key.
    pub(crate) introspection: Option<Uri>,
}

/// Reads the metadata, then the keys that it points to.
pub(crate) async fn discover(http: &Http, issuer: &Issuer) -> Result<Discovered, FetchError> {
    let metadata = Metadata::read(&http.get(&issuer.metadata(), FETCH_MAX).await?, issuer)?;
    let text = http.get(&metadata.jwks_uri, FETCH_MAX).await?;
    let text = std::str::from_utf8(&text)
        .map_err(|_| FetchError::Keys(symbolon_wire::Malformed::new("keys", "are not UTF-8")))?;
    let keys = KeySet::parse(text).map_err(FetchError::Keys)?;
    if keys.keys().iter().any(|key| key.algorithm().is_symmetric()) {
        // Published is not shared: whoever read it could issue tokens.
        let why = "holds a shared secret, which must never be published";
        return Err(FetchError::Keys(symbolon_wire::Malformed::new("keys", why)));
    }
    Ok(Discovered { keys, introspection: metadata.introspection })
}

struct Metadata {
    jwks_uri: Uri,
    introspection: Option<Uri>,
}

impl Metadata {
    fn read(text: &[u8], issuer: &Issuer) -> Result<Self, FetchError> {
        let object: Map<String, Value> = serde_json::from_slice(text)
            .map_err(|_| FetchError::Metadata("is not a JSON object"))?;
        let member = |name: &str| object.get(name).and_then(Value::as_str);
        // RFC 8414 §3.3: identical, or the metadata is not this issuer's and must not be used.
        if member("issuer") != Some(issuer.name()) {
            return Err(FetchError::Metadata("names another issuer"));
        }
        let jwks_uri = member("jwks_uri").and_then(|text| issuer.keys_at(text));
        let jwks_uri = jwks_uri.ok_or(FetchError::Metadata("has no jwks_uri that is safe"))?;
        let introspection =
            member("introspection_endpoint").and_then(|text| issuer.questions_at(text));
        Ok(Self { jwks_uri, introspection })
    }
}
