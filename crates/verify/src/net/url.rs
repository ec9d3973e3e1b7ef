//! Where the authority may be, by its name.

use crate::SetupError;
use http::Uri;
use http::uri::{PathAndQuery, Scheme};

/// An issuer that can be reached: https, or http on the loopback.
#[derive(Clone)]
pub(crate) struct Issuer {
    name: Box<str>,
    /// Where it is reached: at its name, or at a relay.
    base: Box<str>,
    uri: Uri,
}

impl Issuer {
    /// Reads an issuer's name (RFC 8414 §2: no query, no fragment).
    pub(crate) fn parse(name: &str) -> Result<Self, SetupError> {
        let uri: Uri = name.parse().map_err(|_| SetupError::Issuer("is not a URL"))?;
        if name.contains(['?', '#']) {
            return Err(SetupError::Issuer("must have neither query nor fragment"));
        }
        if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(SetupError::Issuer("must be a URL with a host and without a user"));
        }
        match is_safe(&uri) {
            true => Ok(Self { name: name.into(), base: name.into(), uri }),
            false => Err(SetupError::Issuer("must be https, or http on this machine itself")),
        }
    }

    /// An issuer that is reached at another URL, whatever its name is.
    pub(crate) fn through(name: &str, url: &str) -> Result<Self, SetupError> {
        let relay = Self::parse(url).map_err(|wrong| match wrong {
            SetupError::Issuer(why) | SetupError::Through(why) => SetupError::Through(why),
            SetupError::Audience
            | SetupError::ApiKey
            | SetupError::NoApiKey
            | SetupError::Instance
            | SetupError::Runtime
            | SetupError::DecryptionKeys(_)
            | SetupError::Tls => wrong,
        })?;
        Ok(Self { name: name.into(), ..relay })
    }

    /// The name, byte for byte as it was given.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where its metadata is: between host and path (RFC 8414 §3.1).
    pub(crate) fn metadata(&self) -> Uri {
        let path = self.uri.path().trim_end_matches('/');
        let mut parts = self.uri.clone().into_parts();
        let path = format!("/.well-known/oauth-authorization-server{path}");
        parts.path_and_query = PathAndQuery::try_from(path).ok();
        Uri::from_parts(parts).expect("a path in the place of a path makes a URL again")
    }

    /// A place of the issuer's own, by path and query: below its name.
    pub(crate) fn at(&self, path: &str) -> Uri {
        let base = self.base.trim_end_matches('/');
        format!("{base}{path}").parse().unwrap_or_else(|_| self.uri.clone())
    }

    /// The place that the issuer gives as one below its own name, where it is reached.
    fn own(&self, text: &str) -> Option<Uri> {
        let path = text.strip_prefix(self.name.trim_end_matches('/'))?;
        path.starts_with('/').then(|| self.at(path))
    }

    /// Reads where keys are: anywhere that is as safe as the issuer itself.
    pub(crate) fn keys_at(&self, text: &str) -> Option<Uri> {
        if let Some(own) = self.own(text) {
            return Some(own);
        }
        let uri: Uri = text.parse().ok()?;
        let downgrade =
            self.uri.scheme() == Some(&Scheme::HTTPS) && uri.scheme() != Some(&Scheme::HTTPS);
        (is_safe(&uri) && !downgrade).then_some(uri)
    }

    /// Reads where to ask: at the issuer's own host, since an API key travels there.
    pub(crate) fn questions_at(&self, text: &str) -> Option<Uri> {
        if let Some(own) = self.own(text) {
            return Some(own);
        }
        let uri: Uri = text.parse().ok()?;
        (uri.scheme() == self.uri.scheme() && uri.authority() == self.uri.authority())
            .then_some(uri)
    }
}

/// https, or http that does not leave this machine.
fn is_safe(uri: &Uri) -> bool {
    match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => uri.host().is_some_and(is_loopback),
        Some(_) | None => false,
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_never_leaves_the_machine() {
        for name in [
            "https://id.example.com",
            "http://127.0.0.1:8620",
            "http://[::1]:1",
            "http://localhost:8620",
        ] {
            assert!(Issuer::parse(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "id.example.com",
            "http://id.example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "ftp://localhost",
            "https://me@id.example.com",
            "https://id.example.com?a=b",
            "https://id.example.com/#a",
            "/path",
        ] {
            assert!(Issuer::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn metadata_is_between_host_and_path() {
        for (name, at) in [
            ("https://a.example", "https://a.example/.well-known/oauth-authorization-server"),
            ("https://a.example/", "https://a.example/.well-known/oauth-authorization-server"),
            (
                "https://a.example/b/c",
                "https://a.example/.well-known/oauth-authorization-server/b/c",
            ),
        ] {
            assert_eq!(Issuer::parse(name).unwrap().metadata().to_string(), at);
        }
    }

    #[test]
    fn keys_do_not_come_over_a_weaker_way_than_the_issuer() {
        let issuer = Issuer::parse("https://a.example").unwrap();
        assert!(issuer.keys_at("https://keys.example/jwks").is_some());
        assert!(issuer.keys_at("http://127.0.0.1/jwks").is_none());
        assert!(issuer.keys_at("http://a.example/jwks").is_none());
        let local = Issuer::parse("http://127.0.0.1:1").unwrap();
        assert!(local.keys_at("http://127.0.0.1:1/jwks").is_some());
        assert!(local.keys_at("http://a.example/jwks").is_none());
    }

    #[test]
    fn an_api_key_goes_to_the_issuers_own_host_alone() {
        let issuer = Issuer::parse("https://a.example").unwrap();
        assert!(issuer.questions_at("https://a.example/oauth2/introspect").is_some());
        for other in ["https://b.example/x", "http://a.example/x", "https://a.example:8443/x", "/x"]
        {
            assert!(issuer.questions_at(other).is_none(), "{other}");
        }
    }

    #[test]
    fn what_is_the_issuers_own_is_asked_for_at_the_relay() {
        let issuer = Issuer::through("https://a.example/b", "http://127.0.0.1:8630").unwrap();
        let at = |found: Option<Uri>| found.map(|uri| uri.to_string());
        assert_eq!(issuer.name(), "https://a.example/b");
        let metadata = "http://127.0.0.1:8630/.well-known/oauth-authorization-server";
        assert_eq!(issuer.metadata().to_string(), metadata);
        let keys = issuer.keys_at("https://a.example/b/jwks");
        assert_eq!(at(keys).as_deref(), Some("http://127.0.0.1:8630/jwks"));
        let questions = issuer.questions_at("https://a.example/b/introspect");
        assert_eq!(at(questions).as_deref(), Some("http://127.0.0.1:8630/introspect"));
        assert_eq!(at(issuer.questions_at("https://a.example/bc/x")), None);
        assert_eq!(at(issuer.questions_at("https://a.example/x")), None);
        let wrong = Issuer::through("https://a.example", "http://relay.example");
        assert!(matches!(wrong, Err(SetupError::Through(_))), "an API key travels there");
    }
}
