//! The signature algorithms and token types that exist here, and no others.

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
///
/// It is fixed to a key and pinned by the caller; a token's `alg` is compared with it, never
/// obeyed (RFC 8725 §3.1). There is no `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// Ed25519; no other curve goes by this name here.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// HMAC with SHA-256.
    Hs256,
}

impl Algorithm {
    /// Every algorithm, the default first.
    pub const ALL: [Self; 4] = [Self::EdDsa, Self::Es256, Self::Rs256, Self::Hs256];

    /// The name in a header's or a key's `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }

    /// The algorithm of that exact name; names are case-sensitive (RFC 7515 §4.1.1).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.name() == name)
    }

    /// Whether whoever can verify can also sign.
    pub const fn is_symmetric(self) -> bool {
        match self {
            Self::Hs256 => true,
            Self::EdDsa | Self::Es256 | Self::Rs256 => false,
        }
    }
}

/// What a token declares itself to be in `typ` (RFC 7515 §4.1.9, RFC 8725 §3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// `at+jwt`, an access token of RFC 9068 §2.1.
    AccessTokenJwt,
    /// `JWT`, for verifiers that refuse the former as they come.
    Jwt,
}

impl Type {
    /// Every type, the default first.
    pub const ALL: [Self; 2] = [Self::AccessTokenJwt, Self::Jwt];

    /// The name as we write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessTokenJwt => "at+jwt",
            Self::Jwt => "JWT",
        }
    }

    /// The type of that name: a media type, so case does not count and `application/` may lead.
    pub fn from_name(name: &str) -> Option<Self> {
        const PREFIX: &str = "application/";
        let short = match name.get(..PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &name[PREFIX.len()..],
            Some(_) | None => name,
        };
        Self::ALL.into_iter().find(|typ| typ.name().eq_ignore_ascii_case(short))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_what_they_name() {
        for alg in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(alg.name()), Some(alg));
        }
        for typ in Type::ALL {
            assert_eq!(Type::from_name(typ.name()), Some(typ));
        }
    }

    #[test]
    fn an_algorithm_name_is_case_sensitive_and_none_is_no_algorithm() {
        for name in ["none", "None", "NONE", "", "eddsa", "es256", "RS384", "PS256", "Ed448"] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_type_is_a_media_type() {
        for name in ["AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            assert_eq!(Type::from_name(name), Some(Type::AccessTokenJwt), "{name}");
        }
        for name in ["", "application/", "x/at+jwt", "at+jwt ", "dpop+jwt", "applicatio\u{fe}/JWT"]
        {
            assert_eq!(Type::from_name(name), None, "{name}");
        }
    }
}
