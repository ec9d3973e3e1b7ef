//! Whether a request that a browser sent with its cookie was meant by the page that the cookie is for, and not
//! written by another site (cross-site request forgery).
//!
//! A cookie travels with every request to its host, whoever caused it. So what acts must show where it comes from:
//! in words that no page can write itself (`Sec-Fetch-Site`, `Origin`), and from browsers too old for both by a token
//! that a foreign page cannot read.

use core::fmt;

/// What a request says of where it comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked<'a> {
    /// Its method, as it was sent.
    pub method: &'a str,
    /// Whether it opens a connection of another protocol: a WebSocket is opened by a `GET`, and no browser asks the
    /// page's own site first.
    pub upgrades: bool,
    /// `Sec-Fetch-Site`, where the browser says it.
    pub site: Option<Site>,
    /// `Origin`.
    pub origin: Origin,
    /// `X-Symbolon-CSRF`.
    pub token: Token,
}

/// Who caused a request, as the browser tells it (W3C Fetch Metadata §2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Site {
    /// A page of the very origin that is asked.
    SameOrigin,
    /// A page of the same site: of a neighbour, whom somebody else may run.
    SameSite,
    /// A page of another site.
    CrossSite,
    /// The person: an address that was typed, a bookmark.
    Person,
    /// A word that is none of these, or several.
    Unknown,
}

impl Site {
    /// What a word names.
    pub fn parse(word: &str) -> Self {
        match word {
            "same-origin" => Self::SameOrigin,
            "same-site" => Self::SameSite,
            "cross-site" => Self::CrossSite,
            "none" => Self::Person,
            _ => Self::Unknown,
        }
    }
}

/// Whose page a request comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// It does not say.
    Absent,
    /// One that the session's client lists.
    Listed,
    /// Another one, `null`, or several.
    Foreign,
}

/// The token that a page shows beside the cookie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Token {
    /// None.
    Absent,
    /// That of the cookie's session.
    Right,
    /// Another one, or several.
    Wrong,
}

/// Why a request may have been written by another site.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Forgery {
    /// The browser says that another site caused it.
    OtherSite,
    /// A page caused it whose origin the client does not list.
    ForeignOrigin,
    /// Nothing says where it comes from.
    Nowhere,
    /// It shows the token of another session, or none at all.
    WrongToken,
}

impl Asked<'_> {
    /// Whether the request was meant: one line a case, the strongest word first.
    ///
    /// # Errors
    /// Why it may not have been.
    pub fn judge(&self) -> Result<(), Forgery> {
        use Forgery::{ForeignOrigin, Nowhere, OtherSite, WrongToken};
        match (self.site, self.origin, self.token) {
            _ if !self.acts() => Ok(()),
            (Some(Site::SameOrigin | Site::Person), _, _) => Ok(()),
            (Some(Site::SameSite), Origin::Listed, _) => Ok(()),
            (Some(Site::SameSite | Site::CrossSite | Site::Unknown), _, _) => Err(OtherSite),
            (None, Origin::Listed, _) => Ok(()),
            (None, Origin::Foreign, _) => Err(ForeignOrigin),
            (None, Origin::Absent, Token::Right) => Ok(()),
            (None, Origin::Absent, Token::Wrong) => Err(WrongToken),
            (None, Origin::Absent, Token::Absent) => Err(Nowhere),
        }
    }

    /// Whether it may change anything (RFC 9110 §9.2.1). A method that nobody knows may.
    fn acts(&self) -> bool {
        self.upgrades || !matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
    }
}

impl fmt::Display for Forgery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherSite => "the browser says that another site caused it (Sec-Fetch-Site)",
            Self::ForeignOrigin => "its Origin is not among the `origins` of the session's client",
            Self::Nowhere => "it says neither Sec-Fetch-Site nor Origin",
            Self::WrongToken => "its X-Symbolon-CSRF is not the token of this session",
        })
    }
}
