//! What a request showed.

use crate::Rejected;

/// What a request showed to be let in.
///
/// In this version that is a bearer token; what binds a token to its holder (method, URL, address,
/// features, proof) will be further members, which is why it cannot be written as a literal.
///
/// It has no `Debug`: it would print a token.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Presented<'a> {
    /// The access token.
    pub token: &'a str,
}

impl<'a> Presented<'a> {
    /// A token that came as `Authorization: Bearer …` (RFC 6750 §2.1).
    ///
    /// Whoever holds a bearer token may use it; a token that is bound to a key is therefore refused
    /// here (RFC 9449 §7.2).
    pub const fn bearer(token: &'a str) -> Self {
        Self { token }
    }

    /// Reads the value of the one `Authorization` header of a request.
    ///
    /// Do not take a token from the URL, where logs and `Referer` repeat it (RFC 9700 §4.3.2), and
    /// refuse a request with several such headers yourself.
    ///
    /// # Errors
    /// [`Rejected::Missing`] for no header or another scheme, [`Rejected::Binding`] for `DPoP`, whose
    /// proofs this version cannot check.
    pub fn from_authorization(value: Option<&'a str>) -> Result<Self, Rejected> {
        let (scheme, rest) =
            value.and_then(|value| value.split_once(' ')).ok_or(Rejected::Missing)?;
        let token = rest.trim_matches(' ');
        if scheme.eq_ignore_ascii_case("DPoP") {
            return Err(Rejected::Binding);
        }
        match scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty() {
            true => Ok(Self::bearer(token)),
            false => Err(Rejected::Missing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c "] {
            assert_eq!(Presented::from_authorization(Some(value)).ok().unwrap().token, "a.b.c");
        }
    }

    #[test]
    fn other_schemes_and_no_header_present_nothing() {
        for value in
            [None, Some(""), Some("a.b.c"), Some("Bearer"), Some("Bearer "), Some("Basic YTpi")]
        {
            assert_eq!(Presented::from_authorization(value).err(), Some(Rejected::Missing));
        }
    }

    #[test]
    fn a_dpop_token_is_not_taken_for_a_bearer_token() {
        let presented = Presented::from_authorization(Some("DPoP a.b.c"));
        assert_eq!(presented.err(), Some(Rejected::Binding));
    }
}
