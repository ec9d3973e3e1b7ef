//! Which request a proxy asks about: what it says in headers, if it is believed, or the request itself.

use axum::http::header::{ACCEPT, HeaderName};
use axum::http::{HeaderMap, Method, Uri};
use std::net::IpAddr;

/// The path under which the target of a request stands.
const BASE: &str = "/gateway/check";

static URIS: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-uri"), HeaderName::from_static("x-original-uri")];
static METHODS: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-method"), HeaderName::from_static("x-original-method")];
static HOSTS: [HeaderName; 1] = [HeaderName::from_static("x-forwarded-host")];
static SCHEMES: [HeaderName; 1] = [HeaderName::from_static("x-forwarded-proto")];
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// A request, as a proxy describes it.
pub(super) struct Described<'h> {
    /// The method, as it was sent.
    pub(super) method: &'h str,
    /// The target, as it was sent.
    pub(super) target: &'h str,
    /// The scheme and the host that it was sent to, if somebody who is believed says so.
    pub(super) site: Option<(&'h str, &'h str)>,
    /// Where it came from, if somebody who is believed says so.
    pub(super) ip: Option<IpAddr>,
}

/// Why it is not known which request is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unknown {
    /// Nobody who is believed said so.
    Target,
    /// The target is known from a header, and the method is not.
    Method,
    /// Two places say different things: one of them was not written by the proxy.
    Contradiction,
}

impl Unknown {
    /// What to do about it.
    pub(super) const fn next(self) -> &'static str {
        match self {
            Self::Target => {
                "Nobody who is believed said which request this is about. List the proxy in \
                 `gateway.trusted_proxies`, or call /gateway/check/{path}."
            }
            Self::Method => {
                "The proxy said which target was asked for, and not by which method. Have it send \
                 X-Forwarded-Method or X-Original-Method."
            }
            Self::Contradiction => {
                "Target or method are told twice and differently. Have the proxy remove what its \
                 own clients send of X-Forwarded-* and X-Original-*."
            }
        }
    }
}

impl<'h> Described<'h> {
    /// What was asked, by the headers of a proxy that is believed, or by the path behind [`BASE`].
    ///
    /// Whatever is told twice must be told alike: some proxies pass on what their own clients wrote.
    pub(super) fn by(
        method: &'h Method,
        uri: &'h Uri,
        headers: &'h HeaderMap,
        trusted: bool,
    ) -> Result<Self, Unknown> {
        let told =
            |names: &'static [HeaderName]| if trusted { only(headers, names) } else { Ok(None) };
        let own = own_target(uri);
        // Whoever is not believed could name any host, and make a proof for another service good here.
        // What is told in two ways is not known; only a proof would need it.
        let (host, scheme) = (told(&HOSTS).ok().flatten(), told(&SCHEMES).ok().flatten());
        let site = host.map(|host| (scheme.unwrap_or("https"), host));
        let (target, told_method) = (told(&URIS)?, told(&METHODS)?);
        let agreed = |one: &str, other: Option<&str>| other.is_none_or(|other| other == one);
        match (own, target) {
            (Some(own), target) => {
                match agreed(own, target) && agreed(method.as_str(), told_method) {
                    true => Ok(Self { method: method.as_str(), target: own, site, ip: None }),
                    false => Err(Unknown::Contradiction),
                }
            }
            (None, Some(target)) => {
                let method = told_method.ok_or(Unknown::Method)?;
                Ok(Self { method, target, site, ip: None })
            }
            (None, None) => Err(Unknown::Target),
        }
    }

    /// The whole URL, if it is known where the request was sent to.
    pub(super) fn url(&self) -> Option<String> {
        let (scheme, host) = self.site?;
        Some(format!("{scheme}://{host}{}", self.target))
    }

    /// Whether a person waits for a page, and can be sent elsewhere.
    pub(super) fn is_page(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let page = || text(ACCEPT).is_some_and(|accept| accept.contains("text/html"));
        self.method == "GET" && text(SEC_FETCH_MODE).map_or_else(page, |mode| mode == "navigate")
    }
}

/// The target that stands behind [`BASE`], not decoded.
fn own_target(uri: &Uri) -> Option<&str> {
    let whole = uri.path_and_query()?.as_str();
    whole.strip_prefix(BASE).filter(|rest| rest.starts_with('/'))
}

/// What all headers of these names say, if they say the same.
fn only<'h>(headers: &'h HeaderMap, names: &[HeaderName]) -> Result<Option<&'h str>, Unknown> {
    let mut found = None;
    for value in names.iter().flat_map(|name| headers.get_all(name)) {
        let text = value.to_str().map_err(|_| Unknown::Contradiction)?;
        if found.replace(text).is_some_and(|earlier| earlier != text) {
            return Err(Unknown::Contradiction);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(uri: &str, lines: &[(&str, &str)], trusted: bool) -> Result<(String, String), Unknown> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let uri = uri.parse().unwrap();
        let described = Described::by(&Method::POST, &uri, &headers, trusted)?;
        Ok((described.method.to_owned(), described.target.to_owned()))
    }

    fn told(method: &str, target: &str) -> Result<(String, String), Unknown> {
        Ok((method.to_owned(), target.to_owned()))
    }

    const PUT: (&str, &str) = ("X-Forwarded-Method", "PUT");
    const A: (&str, &str) = ("X-Forwarded-Uri", "/a?b");

    #[test]
    fn a_proxy_that_is_believed_says_what_it_was_asked() {
        assert_eq!(said("/gateway/check", &[PUT, A], true), told("PUT", "/a?b"));
        let nginx = [("X-Original-Method", "GET"), ("X-Original-URI", "/%2e")];
        assert_eq!(said("/gateway/check?x", &nginx, true), told("GET", "/%2e"));
    }

    #[test]
    fn whoever_is_not_believed_can_ask_about_their_own_request_alone() {
        assert_eq!(said("/gateway/check", &[PUT, A], false), Err(Unknown::Target));
        assert_eq!(said("/gateway/check/c", &[PUT, A], false), told("POST", "/c"));
        assert_eq!(said("/gateway/check/", &[], false), told("POST", "/"));
        assert_eq!(said("/gateway/check//a/%2E?b", &[], false), told("POST", "//a/%2E?b"));
        assert_eq!(said("/gateway/check?a=/b", &[], true), Err(Unknown::Target));
    }

    #[test]
    fn what_is_told_twice_must_be_told_alike() {
        let same = ("X-Original-URI", "/a?b");
        let other = ("X-Original-URI", "/public");
        assert_eq!(said("/gateway/check", &[PUT, A, same], true), told("PUT", "/a?b"));
        for (uri, lines) in [
            ("/gateway/check", &[PUT, A, other][..]),
            ("/gateway/check", &[PUT, A, ("X-Forwarded-Uri", "/public")]),
            ("/gateway/check", &[PUT, A, ("X-Original-Method", "GET")]),
            ("/gateway/check/public", &[A]),
            ("/gateway/check/a?b", &[A, PUT]),
        ] {
            assert_eq!(said(uri, lines, true), Err(Unknown::Contradiction), "{uri} {lines:?}");
        }
        assert_eq!(said("/gateway/check", &[A], true), Err(Unknown::Method));
    }

    #[test]
    fn the_whole_url_is_known_only_from_who_is_believed() {
        let site = |lines: &[(&str, &str)], trusted| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
            }
            let uri = "/gateway/check/a?b".parse().unwrap();
            Described::by(&Method::POST, &uri, &headers, trusted).map(|described| described.url())
        };
        let host = ("X-Forwarded-Host", "api.example.com");
        let whole = "https://api.example.com/a?b".to_owned();
        assert_eq!(site(&[host], true), Ok(Some(whole)));
        let plain = ("X-Forwarded-Proto", "http");
        assert_eq!(site(&[host, plain], true), Ok(Some("http://api.example.com/a?b".to_owned())));
        assert_eq!(site(&[host], false), Ok(None));
        assert_eq!(site(&[plain, ("Host", "api.example.com")], true), Ok(None));
        let other = ("X-Forwarded-Host", "other.example.com");
        assert_eq!(site(&[host, other], true), Ok(None));
    }

    #[test]
    fn a_page_is_what_a_browser_navigates_to() {
        let is_page = |method: &str, lines: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
            }
            Described { method, target: "/", site: None, ip: None }.is_page(&headers)
        };
        let html = ("accept", "text/html,*/*;q=0.8");
        assert!(is_page("GET", &[("sec-fetch-mode", "navigate")]));
        assert!(is_page("GET", &[html]));
        assert!(!is_page("POST", &[html, ("sec-fetch-mode", "navigate")]));
        assert!(!is_page("GET", &[html, ("sec-fetch-mode", "cors")]));
        assert!(!is_page("GET", &[("accept", "*/*")]));
        assert!(!is_page("GET", &[]));
    }
}
