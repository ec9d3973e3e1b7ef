//! The claims that a back end adds to its tokens.

use crate::Malformed;
use crate::json::{self, Object};
use std::borrow::Cow;

/// The longest text of added claims, in bytes. Inclusive.
pub const EXTRA_BYTES_MAX: usize = 2 * 1024;

/// How many claims may be added. Inclusive; ours and these together stay readable.
pub const EXTRA_MEMBERS_MAX: usize = 40;

/// Names that mean something to us or to a specification, and that nobody may set from outside.
///
/// RFC 7519 §4.1, RFC 9068 §2.2, DESIGN.md §4.2, and what RFC 7662, 7800, 8693, OpenID Connect and
/// its logout tokens would read in a token that an access token could otherwise be taken for.
pub const RESERVED: [&str; 35] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "auth_time",
    "acr",
    "amr",
    "scope",
    "roles",
    "groups",
    "entitlements",
    "sid",
    "ver",
    "cnf",
    "cnf_reported",
    "act",
    "may_act",
    "azp",
    "nonce",
    "typ",
    "token_use",
    "token_type",
    "active",
    "events",
    "sub_id",
    "txn",
    "at_hash",
    "c_hash",
    "s_hash",
    "authorization_details",
    "token_introspection",
];

/// Claims that a back end adds: the text of a JSON object whose names are free to use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExtraClaims<'a> {
    /// What stands between the braces; empty if there are none.
    members: Cow<'a, str>,
}

impl<'a> ExtraClaims<'a> {
    /// No claims.
    pub const NONE: ExtraClaims<'static> = ExtraClaims { members: Cow::Borrowed("") };

    /// Reads a JSON object.
    ///
    /// # Errors
    /// Text over 2 KiB, more than 40 claims, a reserved name, or a name used twice at any level.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        if text.len() > EXTRA_BYTES_MAX {
            return Err(Malformed::new("claims", "are longer than 2 KiB"));
        }
        let object = Object::parse(text, "claims")?;
        if object.members().count() > EXTRA_MEMBERS_MAX {
            return Err(Malformed::new("claims", "are more than 40"));
        }
        for (name, value) in object.members() {
            check(name).map_err(|why| Malformed::named(name, why).within("claims"))?;
            if !json::is_strict(value, 1) {
                let why = "names a member twice, nests too deep, or has no proper strings";
                return Err(Malformed::named(name, why).within("claims"));
            }
        }
        Ok(Self::assume_parsed(text))
    }

    /// Takes text that [`Self::parse`] accepted before it was stored.
    pub fn assume_parsed(text: &'a str) -> Self {
        let inner = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        Self { members: Cow::Borrowed(inner.unwrap_or_default().trim()) }
    }

    /// The text of the object, for the store.
    pub fn to_text(&self) -> String {
        format!("{{{}}}", self.members)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// These claims, and those of `base` that they do not name.
    ///
    /// # Errors
    /// Together they are over the bounds.
    pub fn over(&self, base: &ExtraClaims<'_>) -> Result<ExtraClaims<'static>, Malformed> {
        let (own, base) = (self.to_text(), base.to_text());
        let own = Object::parse(&own, "claims")?;
        let base = Object::parse(&base, "claims")?;
        let inherited = base.members().filter(|(name, _)| !own.has(name));
        let members: Vec<String> = own
            .members()
            .chain(inherited)
            .map(|(name, value)| format!("{}:{}", serde_json::Value::from(name), value.get()))
            .collect();
        let text = format!("{{{}}}", members.join(","));
        let merged = ExtraClaims::parse(&text)?;
        Ok(ExtraClaims { members: Cow::Owned(merged.members.into_owned()) })
    }

    /// Writes the claims behind others, each after a comma.
    pub(crate) fn append_members(&self, out: &mut Vec<u8>) {
        if !self.is_empty() {
            out.push(b',');
            out.extend_from_slice(self.members.as_bytes());
        }
    }
}

fn check(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("has no name"),
        name if RESERVED.contains(&name) => Err("is a reserved name"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> String {
        ExtraClaims::parse(text).err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_object_with_free_names_is_kept_as_it_is() {
        let text = r#" { "tenant": "a\"b", "limits": {"x": [1, 2.50]} } "#;
        let claims = ExtraClaims::parse(text).unwrap();
        assert_eq!(claims.to_text(), r#"{"tenant": "a\"b", "limits": {"x": [1, 2.50]}}"#);
        assert_eq!(ExtraClaims::assume_parsed(&claims.to_text()), claims);
        assert!(ExtraClaims::parse("{}").unwrap().is_empty());
        assert_eq!(ExtraClaims::NONE.to_text(), "{}");
    }

    #[test]
    fn every_reserved_name_is_refused_by_name_however_it_is_spelled() {
        for name in RESERVED {
            assert!(why(&format!("{{\"{name}\":1}}")).contains(name));
        }
        assert_eq!(why(r#"{"\u0073ub":"x"}"#), "claims.sub: is a reserved name");
    }

    #[test]
    fn what_is_not_one_strict_object_is_refused() {
        for text in [
            "",
            "[]",
            "null",
            "{",
            "{}{}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":{\"b\":1,\"b\":1}}",
            "{\"\":1}",
            "{\"a\":NaN}",
        ] {
            assert!(!why(text).is_empty(), "{text}");
        }
        assert!(
            why(&format!("{{\"a\":{}0{}}}", "[".repeat(16), "]".repeat(16))).contains("claims.a")
        );
        let many: Vec<_> = (0..41).map(|i| format!("\"c{i}\":{i}")).collect();
        assert!(why(&format!("{{{}}}", many.join(","))).contains("more than 40"));
        assert!(why(&format!("{{\"a\":\"{}\"}}", "x".repeat(2048))).contains("2 KiB"));
    }

    #[test]
    fn claims_of_a_session_win_over_those_of_its_subject() {
        let own = ExtraClaims::parse(r#"{"tenant":"b"}"#).unwrap();
        let base = ExtraClaims::parse(r#"{"tenant":"a","plan":{"x":1}}"#).unwrap();
        assert_eq!(own.over(&base).unwrap().to_text(), r#"{"tenant":"b","plan":{"x":1}}"#);
        assert_eq!(ExtraClaims::NONE.over(&base).unwrap(), base);
        assert_eq!(own.over(&ExtraClaims::NONE).unwrap(), own);
    }
}
