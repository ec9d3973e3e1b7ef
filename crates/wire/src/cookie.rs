//! Cookies: how ours are called and set, and how they are found among those that a browser sends (RFC 6265).
//!
//! Whoever runs a neighbouring host can set cookies that reach ours as well (tossing), and the line that comes does
//! not say who set what. Browsers take a cookie under the prefix `__Host-` from the host itself alone, and over TLS;
//! so only names with it are ours, and two of one name are none.

use crate::Malformed;

/// How many bytes of `Cookie` headers are looked at, all lines together. Inclusive; more are refused, so that nobody
/// pays for reading what a stranger made up.
pub const COOKIE_BYTES_MAX: usize = 8 * 1024;

/// What a cookie of ours is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CookieKind {
    /// The handle of a gateway session.
    Session,
    /// A refresh token, in cookie delivery.
    RefreshToken,
    /// The token that a page shows beside the session's cookie; scripts may read it.
    Csrf,
}

impl CookieKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Session, Self::RefreshToken, Self::Csrf];

    /// The name behind [`PREFIX`].
    const fn name(self) -> &'static str {
        match self {
            Self::Session => "symbolon",
            Self::RefreshToken => "symbolon-rt",
            Self::Csrf => "symbolon-csrf",
        }
    }

    /// What follows `Path` and `Max-Age`. A link from elsewhere shall find the person signed in, so the session's
    /// cookie is `Lax`; a refresh token goes with calls of the application's own pages alone.
    const fn attributes(self) -> &'static str {
        match self {
            Self::Session => "; HttpOnly; SameSite=Lax",
            Self::RefreshToken => "; HttpOnly; SameSite=Strict",
            Self::Csrf => "; SameSite=Lax",
        }
    }
}

/// Under this prefix a browser takes a cookie from the host itself alone, over TLS (RFC 6265bis §4.1.3.2).
const PREFIX: &str = "__Host-";

/// Cookies of one host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cookies {
    /// Whether the host has TLS. Without it, as in `dev`, neither prefix nor `Secure` is possible.
    pub secure: bool,
}

impl Cookies {
    /// The name of a cookie, whole.
    pub fn name(self, kind: CookieKind) -> String {
        let prefix = if self.secure { PREFIX } else { "" };
        format!("{prefix}{}", kind.name())
    }

    /// The value of the one cookie of that kind in all `Cookie` lines of a request. One without a value is none.
    ///
    /// # Errors
    /// There are two; all lines together are longer than [`COOKIE_BYTES_MAX`]; its value is no text.
    pub fn find<'h>(
        self,
        kind: CookieKind,
        lines: impl Iterator<Item = &'h [u8]>,
    ) -> Result<Option<&'h str>, Malformed> {
        let (mut found, mut bytes) = (None, 0);
        for line in lines {
            bytes += line.len();
            if COOKIE_BYTES_MAX < bytes {
                return Err(Malformed::new("Cookie", "has more than 8192 bytes"));
            }
            for pair in line.split(|byte| *byte == b';') {
                let Some(value) = self.value(kind, pair) else { continue };
                if found.replace(value).is_some() {
                    return Err(Malformed::new("Cookie", "has two cookies of one name"));
                }
            }
        }
        let text = found.map(std::str::from_utf8).transpose();
        let text = text.map_err(|_| Malformed::new("Cookie", "has a value that is no text"))?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// The value, if the pair is of that name to the letter. A pair without `=` is a value without a name.
    fn value(self, kind: CookieKind, pair: &[u8]) -> Option<&[u8]> {
        let pair = pair.trim_ascii();
        let rest = if self.secure { pair.strip_prefix(PREFIX.as_bytes())? } else { pair };
        rest.strip_prefix(kind.name().as_bytes())?.strip_prefix(b"=")
    }

    /// The `Set-Cookie` line that sets one for so many seconds. The value must be made of base64url and `_` alone, as
    /// all texts of ours are.
    pub fn set(self, kind: CookieKind, value: &str, max_age: u64) -> String {
        let (name, attributes) = (self.name(kind), kind.attributes());
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; Max-Age={max_age}{secure}{attributes}")
    }

    /// The `Set-Cookie` line that takes one away.
    pub fn clear(self, kind: CookieKind) -> String {
        self.set(kind, "", 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TLS: Cookies = Cookies { secure: true };
    const PLAIN: Cookies = Cookies { secure: false };

    fn found<'h>(cookies: Cookies, lines: &[&'h str]) -> Result<Option<&'h str>, Malformed> {
        cookies.find(CookieKind::Session, lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn a_cookie_is_found_wherever_it_stands_and_whatever_stands_beside_it() {
        for line in [
            "__Host-symbolon=x_1",
            " __Host-symbolon=x_1 ",
            "a=b; __Host-symbolon=x_1",
            "__Host-symbolon=x_1;",
            "a=\"b;__Host-symbolon=x_1;\t c=d\"",
            "=;;a;__Host-symbolon-csrf=y; __Host-symbolon=x_1; __Host-symbolon-rt=z",
        ] {
            assert_eq!(found(TLS, &[line]), Ok(Some("x_1")), "{line}");
        }
        assert_eq!(found(TLS, &["a=b", "__Host-symbolon=x_1"]), Ok(Some("x_1")));
        assert_eq!(found(PLAIN, &["symbolon=x_1"]), Ok(Some("x_1")));
    }

    #[test]
    fn what_a_neighbour_could_have_set_is_not_ours() {
        for line in [
            "symbolon=x",
            "__host-symbolon=x",
            "__Secure-symbolon=x",
            "__Host-symbolon =x",
            "__Host-symbolon",
            "=__Host-symbolon=x",
            "__Host-symbolon-csrf=x",
            "x__Host-symbolon=x",
            "a=__Host-symbolon=x",
            "a,__Host-symbolon=x",
            "__Host-symbolon=",
            "",
        ] {
            assert_eq!(found(TLS, &[line]), Ok(None), "{line}");
        }
        assert_eq!(found(PLAIN, &["__Host-symbolon=x"]), Ok(None));
    }

    #[test]
    fn two_of_one_name_are_none() {
        assert!(found(TLS, &["__Host-symbolon=a; __Host-symbolon=b"]).is_err());
        assert!(found(TLS, &["__Host-symbolon=a", "__Host-symbolon=a"]).is_err());
        assert!(found(TLS, &["__Host-symbolon=a; __Host-symbolon="]).is_err());
        assert_eq!(found(TLS, &["__Host-symbolon=a; symbolon=b"]), Ok(Some("a")));
    }

    #[test]
    fn more_than_8192_bytes_are_refused_and_8192_are_not() {
        let most = format!("a={}; __Host-symbolon=x", "b".repeat(COOKIE_BYTES_MAX - 21));
        assert_eq!(most.len(), COOKIE_BYTES_MAX);
        assert_eq!(found(TLS, &[&most]), Ok(Some("x")));
        assert!(found(TLS, &[&format!("{most}y")]).is_err());
        assert!(found(TLS, &[&most, "c"]).is_err());
    }

    #[test]
    fn a_cookie_is_set_as_narrowly_as_it_can_be() {
        for (cookies, kind, line) in [
            (
                TLS,
                CookieKind::Session,
                "__Host-symbolon=v; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax",
            ),
            (
                TLS,
                CookieKind::RefreshToken,
                "__Host-symbolon-rt=v; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Strict",
            ),
            (
                TLS,
                CookieKind::Csrf,
                "__Host-symbolon-csrf=v; Path=/; Max-Age=60; Secure; SameSite=Lax",
            ),
            (PLAIN, CookieKind::Session, "symbolon=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"),
        ] {
            assert_eq!(cookies.set(kind, "v", 60), line);
        }
        assert_eq!(
            TLS.clear(CookieKind::Csrf),
            "__Host-symbolon-csrf=; Path=/; Max-Age=0; Secure; SameSite=Lax"
        );
    }

    proptest! {
        #[test]
        fn what_is_set_is_found_and_nothing_panics(value in "[A-Za-z0-9_-]{1,80}", junk in prop::collection::vec(any::<u8>(), 0..200)) {
            for cookies in [TLS, PLAIN] {
                for kind in CookieKind::ALL {
                    let set = cookies.set(kind, &value, 1);
                    let pair = set.split(';').next().unwrap();
                    prop_assert_eq!(cookies.find(kind, [pair.as_bytes()].into_iter()), Ok(Some(&*value)));
                    let _ = cookies.find(kind, [&*junk, pair.as_bytes()].into_iter());
                }
            }
        }
    }
}
