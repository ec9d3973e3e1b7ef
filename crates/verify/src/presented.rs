//! What a request showed.

use crate::Rejected;
use std::net::IpAddr;

/// What a request showed to be let in.
///
/// A bearer token needs nothing beside it. One that is bound to a key (DPoP, RFC 9449) needs the request that it
/// came with and the proof that came with it; one that is bound to features or a network needs those; further members may
/// come, which is why it cannot be written as a literal.
///
/// It has no `Debug`: it would print a token.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Presented<'a> {
    /// The access token.
    pub token: &'a str,
    pub(crate) scheme: Scheme,
    /// Method and URL.
    pub(crate) request: Option<(&'a str, &'a str)>,
    pub(crate) proof: Option<&'a str>,
    /// What the client says of itself, once somebody has looked.
    pub(crate) features: Option<Option<&'a str>>,
    /// Where it asks from.
    pub(crate) ip: Option<IpAddr>,
}

/// As what a token was shown (RFC 9449 §7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scheme {
    /// `Bearer`.
    Bearer,
    /// `DPoP`.
    Dpop,
    /// Not at all.
    Unshown,
}

impl<'a> Presented<'a> {
    /// A token that came as `Authorization: Bearer …` (RFC 6750 §2.1).
    ///
    /// Whoever holds a bearer token may use it; a token that is bound to a key is therefore refused
    /// here (RFC 9449 §7.2).
    pub const fn bearer(token: &'a str) -> Self {
        let scheme = Scheme::Bearer;
        Self { token, scheme, request: None, proof: None, features: None, ip: None }
    }

    /// A token that came as `Authorization: DPoP …` (RFC 9449 §7.1): with [`Presented::request`] and
    /// [`Presented::proof`] it is worth what the proof is worth.
    ///
    /// Security: a token that is bound to no key is refused here, since its holder believes that it is.
    pub const fn dpop(token: &'a str) -> Self {
        Self { scheme: Scheme::Dpop, ..Self::bearer(token) }
    }

    /// A token that nobody has shown: somebody asks whether it is in force, and will check what it is bound to themselves,
    /// as resource servers that introspect do (RFC 7662).
    ///
    /// Security: whoever lets a request in by this takes every bound token for a bearer's.
    pub const fn asked_about(token: &'a str) -> Self {
        Self { scheme: Scheme::Unshown, ..Self::bearer(token) }
    }

    /// The same request with the token that stands behind the one that it showed, as a bearer's.
    #[must_use]
    pub const fn behind(self, token: &'a str) -> Self {
        Self { token, scheme: Scheme::Bearer, ..self }
    }

    /// Reads the value of the one `Authorization` header of a request.
    ///
    /// Do not take a token from the URL, where logs and `Referer` repeat it (RFC 9700 §4.3.2), and
    /// refuse a request with several such headers yourself.
    ///
    /// # Errors
    /// [`Rejected::Missing`] for no header or another scheme.
    pub fn from_authorization(value: Option<&'a str>) -> Result<Self, Rejected> {
        let (scheme, rest) =
            value.and_then(|value| value.split_once(' ')).ok_or(Rejected::Missing)?;
        match rest.trim_matches(' ') {
            "" => Err(Rejected::Missing),
            token if scheme.eq_ignore_ascii_case("Bearer") => Ok(Self::bearer(token)),
            token if scheme.eq_ignore_ascii_case("DPoP") => Ok(Self::dpop(token)),
            _ => Err(Rejected::Missing),
        }
    }

    /// Whether it came by `DPoP`.
    pub fn is_dpop(&self) -> bool {
        self.scheme == Scheme::Dpop
    }

    /// The request that it came with: its method, and its URL or, below
    /// [`Builder::public_url`](crate::Builder::public_url), its path.
    ///
    /// Security: a whole URL is compared as it is given here, so it must not be made of what the caller wrote into
    /// `Host` or `X-Forwarded-*`, unless a proxy that you run has written that.
    #[must_use]
    pub const fn request(mut self, method: &'a str, url: &'a str) -> Self {
        self.request = Some((method, url));
        self
    }

    /// The value of the one `DPoP` header of the request; of several, none.
    #[must_use]
    pub const fn proof(mut self, proof: Option<&'a str>) -> Self {
        self.proof = proof;
        self
    }

    /// The features of the client: the value of the one header `X-Symbolon-Features` of the request; of several, none.
    ///
    /// They are compared with those of the sign-in where the token is bound to them.
    #[must_use]
    pub const fn features(mut self, features: Option<&'a str>) -> Self {
        self.features = Some(features);
        self
    }

    /// The address that the request came from.
    ///
    /// Security: that of the connection or, behind a proxy that you run, what that proxy says; whatever else stands in
    /// `X-Forwarded-For` was written by the caller.
    #[must_use]
    pub const fn ip(mut self, ip: IpAddr) -> Self {
        self.ip = Some(ip);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_whatever_the_case_of_its_scheme() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c ", "DPoP a.b.c", "dpop a.b.c"]
        {
            let presented = Presented::from_authorization(Some(value)).ok().unwrap();
            let dpop = value.to_lowercase().starts_with("dpop");
            assert_eq!((presented.token, presented.scheme == Scheme::Dpop), ("a.b.c", dpop));
        }
    }

    #[test]
    fn other_schemes_and_no_header_present_nothing() {
        for value in [
            None,
            Some(""),
            Some("a.b.c"),
            Some("Bearer"),
            Some("Bearer "),
            Some("DPoP "),
            Some("Basic YTpi"),
        ] {
            assert_eq!(Presented::from_authorization(value).err(), Some(Rejected::Missing));
        }
    }
}
