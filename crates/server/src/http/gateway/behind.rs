//! What stands behind a session's cookie, and where it is kept until it must be asked for again.
//!
//! What is kept is an access token, so whatever ends or changes the session makes it one that a verifier refuses: it
//! is asked about at every check, and what is kept here only saves making it anew.

use super::Refused;
use super::renewal::Renewed;
use axum::http::header::{HeaderMap, HeaderName, ORIGIN, UPGRADE};
use std::collections::HashMap;
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};
use symbolon_core::csrf::{Asked, Origin, Site, Token};
use symbolon_core::{Digest, Timestamp};
use symbolon_wire::{SecretText, sha256};

/// How many tokens are kept, one a session and audience. Inclusive; the half that was used longest ago makes room.
pub const KEPT_MAX: usize = 32 * 1024;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_WEBSOCKET_KEY: HeaderName = HeaderName::from_static("sec-websocket-key");
const SEC_WEBSOCKET_VERSION: HeaderName = HeaderName::from_static("sec-websocket-version");
const CSRF: HeaderName = HeaderName::from_static("x-symbolon-csrf");

/// What stands behind a cookie. Has no `Debug`: it is made of tokens.
pub struct Behind {
    /// The access token that upstreams are shown.
    pub token: SecretText,
    /// The origins whose pages may act with the cookie.
    pub origins: Vec<Arc<str>>,
    /// What a page without an origin shows in `X-Symbolon-CSRF`.
    pub csrf: SecretText,
    /// From when on it is asked for again. Exclusive.
    pub until: Timestamp,
}

impl Behind {
    /// Whether a request with this cookie was meant by a page that may.
    ///
    /// # Errors
    /// It may have been written by another site.
    pub(super) fn meant(&self, method: &str, headers: &HeaderMap) -> Result<(), Refused> {
        meant((method, headers), &self.origins, &self.csrf)
    }
}

/// The same of whatever the browser adds by itself: whose pages may act, and what they show where the browser says
/// nothing.
///
/// # Errors
/// It may have been written by another site.
pub(super) fn meant(
    (method, headers): (&str, &HeaderMap),
    origins: &[Arc<str>],
    csrf: &SecretText,
) -> Result<(), Refused> {
    let upgrades = [UPGRADE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION];
    let asked = Asked {
        method,
        upgrades: upgrades.iter().any(|name| headers.contains_key(name)),
        site: only(headers, &SEC_FETCH_SITE).map(|word| word.map_or(Site::Unknown, Site::parse)),
        origin: match only(headers, &ORIGIN) {
            None => Origin::Absent,
            Some(Some(own)) if origins.iter().any(|listed| **listed == *own) => Origin::Listed,
            Some(_) => Origin::Foreign,
        },
        token: match only(headers, &CSRF) {
            None => Token::Absent,
            Some(Some(shown)) if csrf.matches(shown) => Token::Right,
            Some(_) => Token::Wrong,
        },
    };
    asked.judge().map_err(Refused::Forged)
}

/// The one value of a header; `Some(None)`: there are several, or it is no text.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Option<&'h str>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(first.to_str().ok().filter(|_| values.next().is_none()))
}

/// The token that the upstream is shown.
pub(super) enum Shown<'h> {
    /// The one that the request showed.
    Own(&'h str),
    /// The one that stands behind its cookie.
    Behind(Arc<Behind>),
    /// The one that its ticket earned.
    Earned(SecretText),
    /// The one in whose place it came, renewed.
    Renewed(Box<Renewed>),
}

impl Shown<'_> {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Own(text) => text,
            Self::Behind(behind) => behind.token.expose(),
            Self::Earned(token) => token.expose(),
            Self::Renewed(renewed) => renewed.token.expose(),
        }
    }
}

/// Keeps what stands behind cookies, bounded by [`KEPT_MAX`].
#[derive(Default)]
pub struct Kept([Mutex<Half>; SHARDS]);

const SHARDS: usize = 16;

/// What was used lately, and what was before: when the newer one is full, the older one is forgotten.
#[derive(Default)]
struct Half {
    newer: HashMap<Digest, Arc<Behind>>,
    older: HashMap<Digest, Arc<Behind>>,
}

impl Kept {
    /// What stands behind a cookie for an audience, if that is known and not to be asked for again.
    pub fn find(&self, cookie: &str, audience: &str, at: Timestamp) -> Option<Arc<Behind>> {
        let name = name(cookie, audience);
        let mut half = self.half(&name);
        let found = match half.newer.get(&name) {
            Some(found) => Arc::clone(found),
            None => {
                let older = half.older.remove(&name)?;
                half.put(name, Arc::clone(&older));
                older
            }
        };
        (at < found.until).then_some(found)
    }

    /// Keeps it in the place of what was kept before.
    pub fn keep(&self, cookie: &str, audience: &str, behind: &Arc<Behind>) {
        let name = name(cookie, audience);
        self.half(&name).put(name, Arc::clone(behind));
    }

    fn half(&self, name: &Digest) -> std::sync::MutexGuard<'_, Half> {
        let shard = &self.0[usize::from(name.0[0]) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Half {
    fn put(&mut self, name: Digest, behind: Arc<Behind>) {
        if KEPT_MAX / SHARDS / 2 <= self.newer.len() {
            self.older = take(&mut self.newer);
        }
        self.older.remove(&name);
        self.newer.insert(name, behind);
    }
}

/// No cookie is kept in clear, and nobody finds one by the time that a look-up takes.
fn name(cookie: &str, audience: &str) -> Digest {
    sha256(&[cookie.as_bytes(), b"\0", audience.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(until: u64) -> Arc<Behind> {
        let secret = |text: &str| SecretText::new(text.to_owned());
        let (token, csrf) = (secret("a.b.c"), secret("right"));
        let origins = vec!["https://app.example.com".into()];
        Arc::new(Behind { token, origins, csrf, until: Timestamp::from_seconds(until) })
    }

    #[test]
    fn what_is_kept_is_found_by_its_cookie_and_audience_until_its_time() {
        let kept = Kept::default();
        kept.keep("cookie", "api", &behind(10));
        let found = |cookie, audience, at| {
            kept.find(cookie, audience, Timestamp::from_seconds(at)).is_some()
        };
        assert!(found("cookie", "api", 9));
        assert!(!found("cookie", "api", 10), "exclusive");
        assert!(!found("cookie", "other", 9) && !found("cooki", "eapi", 9));
    }

    #[test]
    fn however_many_come_no_more_are_kept_and_what_is_used_stays() {
        let (kept, own) = (Kept::default(), behind(10));
        kept.keep("used", "api", &own);
        for number in 0..3 * KEPT_MAX {
            kept.keep(&number.to_string(), "api", &own);
            if number % 16 == 0 {
                assert!(kept.find("used", "api", Timestamp::default()).is_some(), "{number}");
            }
        }
        assert!(Arc::strong_count(&own) <= KEPT_MAX + 1, "{}", Arc::strong_count(&own));
    }

    #[test]
    fn the_words_of_a_request_are_read_once_or_held_against_it() {
        let meant = |lines: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
            }
            behind(10).meant("POST", &headers).is_ok()
        };
        let (own, other) = ("https://app.example.com", "https://evil.example");
        assert!(meant(&[("sec-fetch-site", "same-origin"), ("origin", other)]));
        assert!(!meant(&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")]));
        assert!(meant(&[("origin", own)]));
        for foreign in [other, "null", "", "https://app.example.com/", "HTTPS://APP.EXAMPLE.COM"] {
            assert!(!meant(&[("origin", foreign), ("x-symbolon-csrf", "right")]), "{foreign}");
        }
        assert!(!meant(&[("origin", own), ("origin", own)]));
        assert!(meant(&[("x-symbolon-csrf", "right")]));
        assert!(!meant(&[("x-symbolon-csrf", "right"), ("x-symbolon-csrf", "right")]));
        assert!(!meant(&[("x-symbolon-csrf", "wrong")]) && !meant(&[]));
    }
}
