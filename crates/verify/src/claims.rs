//! What a verified token says.

use crate::kept::{Kept, Part};
use crate::proof::Name;
use std::fmt;
use std::sync::Arc;
use symbolon_core::imprint::Imprints;
use symbolon_core::{Digest, SessionId, Timestamp, Ver};
use symbolon_wire::{Audience, Names, ParsedClaims, session_id_text};

/// What a verified token says, borrowed for as long as a check's closure runs.
///
/// It comes from a [`Verifier`](crate::Verifier) alone, so holding one means that the token was good.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Claims<'a> {
    /// Who issued it; always the verifier's issuer.
    pub iss: &'a str,
    /// Whom it is about. A client's own token has `client:` and its name.
    pub sub: &'a str,
    /// Through which client.
    pub client_id: &'a str,
    /// When it was issued.
    pub iat: Timestamp,
    /// Until when it is good. Exclusive.
    pub exp: Timestamp,
    /// Its name, for logs.
    pub jti: &'a str,
    /// What it allows, names separated by one space.
    pub scope: Option<&'a str>,
    /// The session; a client's own token has none.
    pub sid: Option<SessionId>,
    /// The counters that revocation compares.
    pub ver: Ver,
    /// When the subject last signed in.
    pub auth_time: Option<Timestamp>,
    /// How strongly.
    pub acr: Option<&'a str>,
    /// The key that whoever shows it must prove.
    pub(crate) jkt: Option<Digest>,
    /// What the features and the network of whoever shows it are compared with, if they are.
    pub(crate) imprints: Option<&'a Imprints>,
    /// The proof of it that came with the token.
    pub(crate) proof: Option<Name>,
    more: More<'a>,
}

/// Where the claims are that are lists, and those that a back end added.
#[derive(Clone, Copy, Debug)]
enum More<'a> {
    Parsed(&'a ParsedClaims<'a>),
    Kept(&'a Arc<Kept>),
}

impl<'a> More<'a> {
    const fn parsed(self) -> Option<&'a ParsedClaims<'a>> {
        match self {
            Self::Parsed(parsed) => Some(parsed),
            Self::Kept(_) => None,
        }
    }

    /// A list of those that are kept; none of those that are not.
    fn kept(self, part: Part) -> impl Iterator<Item = &'a str> {
        let kept = match self {
            Self::Parsed(_) => None,
            Self::Kept(kept) => Some(kept),
        };
        kept.into_iter().flat_map(move |kept| kept.part(part))
    }
}

impl<'a> Claims<'a> {
    /// The session's name as it is written, 22 characters.
    pub fn session_id(&self) -> Option<String> {
        self.sid.map(session_id_text)
    }

    /// The thumbprint of the key that whoever shows the token must prove, if it is bound to one (RFC 9449 §6.1).
    pub const fn jkt(&self) -> Option<Digest> {
        self.jkt
    }

    /// What the features and the network of whoever shows the token are compared with.
    pub fn imprints(&self) -> Imprints {
        self.imprints.copied().unwrap_or_default()
    }

    /// Whom it is for; the verifier's audience is among them.
    pub fn aud(&self) -> impl Iterator<Item = &'a str> {
        let parsed = self.more.parsed().map(|parsed| &parsed.aud);
        parsed.into_iter().flat_map(Audience::iter).chain(self.more.kept(Part::Aud))
    }

    /// By which methods the subject signed in.
    pub fn amr(&self) -> impl Iterator<Item = &'a str> {
        let parsed = self.more.parsed().map(|parsed| &parsed.amr);
        parsed.into_iter().flat_map(Names::iter).chain(self.more.kept(Part::Amr))
    }

    /// The subject's roles.
    pub fn roles(&self) -> impl Iterator<Item = &'a str> {
        let parsed = self.more.parsed().map(|parsed| &parsed.roles);
        parsed.into_iter().flat_map(Names::iter).chain(self.more.kept(Part::Roles))
    }

    /// The names in `scope`.
    pub fn scopes(&self) -> impl Iterator<Item = &'a str> {
        self.scope.unwrap_or_default().split(' ').filter(|name| !name.is_empty())
    }

    /// Whether `scope` has exactly this name.
    pub fn has_scope(&self, name: &str) -> bool {
        self.scopes().any(|scope| scope == name)
    }

    /// Whether the subject has exactly this role.
    pub fn has_role(&self, name: &str) -> bool {
        self.roles().any(|role| role == name)
    }

    /// The JSON text of a claim that a back end added.
    pub fn extra(&self, name: &str) -> Option<&'a str> {
        self.extras().find(|(claim, _)| *claim == name).map(|(_, value)| value)
    }

    /// All claims that a back end added, each with its JSON text.
    pub fn extras(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let parsed = self.more.parsed().into_iter().flat_map(ParsedClaims::extras);
        let parsed = parsed.map(|(name, value)| (name, value.get()));
        parsed.chain(self.more.kept(Part::ExtraName).zip(self.more.kept(Part::ExtraValue)))
    }

    /// The claims of a payload; only after everything about the token was checked.
    pub(crate) fn assume_good(parsed: &'a ParsedClaims<'a>) -> Self {
        Self {
            iss: &parsed.iss,
            sub: &parsed.sub,
            client_id: &parsed.client_id,
            iat: parsed.iat,
            exp: parsed.exp,
            jti: &parsed.jti,
            scope: parsed.scope.as_deref(),
            sid: parsed.sid,
            ver: parsed.ver,
            auth_time: parsed.auth_time,
            acr: parsed.acr.as_deref(),
            jkt: parsed.jkt,
            imprints: Some(&parsed.imprints).filter(|own| !own.is_empty()),
            proof: None,
            more: More::Parsed(parsed),
        }
    }

    /// The same beside a proof that came with the token.
    pub(crate) const fn with(mut self, proof: Option<Name>) -> Self {
        self.proof = proof;
        self
    }

    /// Claims that can outlive the token: copied, unless they are kept already.
    pub(crate) fn to_verified(self) -> Verified {
        let kept = match self.more {
            More::Parsed(_) => Arc::new(Kept::copy(&self)),
            More::Kept(kept) => Arc::clone(kept),
        };
        Verified {
            kept,
            #[cfg(feature = "net")]
            link: crate::sessions::Link::default(),
        }
    }
}

/// A good token's claims, to keep: `Send + 'static`, and cheap to clone.
///
/// It says that the token was good when it was checked. Whoever keeps it, for a WebSocket say, waits for
/// `Verified::ended` beside their own work.
#[derive(Clone)]
pub struct Verified {
    kept: Arc<Kept>,
    #[cfg(feature = "net")]
    link: crate::sessions::Link,
}

impl Verified {
    /// Remembers who verified it, so that the end of the session can be waited for.
    #[cfg(feature = "net")]
    pub(crate) fn of(mut self, expected: &Arc<crate::verifier::Expected>) -> Self {
        self.link = crate::sessions::Link::to(expected);
        self
    }

    #[cfg(not(feature = "net"))]
    pub(crate) fn of(self, _: &Arc<crate::verifier::Expected>) -> Self {
        self
    }

    /// The same, of nobody.
    #[cfg(feature = "net")]
    pub(crate) fn unlinked(mut self) -> Self {
        self.link = crate::sessions::Link::default();
        self
    }

    /// Who verified it.
    #[cfg(feature = "net")]
    pub(crate) const fn link(&self) -> &crate::sessions::Link {
        &self.link
    }

    /// What the token says.
    pub fn claims(&self) -> Claims<'_> {
        let kept = &self.kept;
        Claims {
            iss: kept.text(kept.iss),
            sub: kept.text(kept.sub),
            client_id: kept.text(kept.client_id),
            iat: kept.iat,
            exp: kept.exp,
            jti: kept.text(kept.jti),
            scope: kept.scope.map(|span| kept.text(span)),
            sid: kept.sid,
            ver: kept.ver,
            auth_time: kept.auth_time,
            acr: kept.acr.map(|span| kept.text(span)),
            jkt: kept.jkt,
            imprints: kept.imprints.as_deref(),
            proof: None,
            more: More::Kept(kept),
        }
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.claims().fmt(f)
    }
}
