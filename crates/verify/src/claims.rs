//! What a verified token says.

use std::borrow::Cow;
use symbolon_core::{SessionId, Timestamp, Ver};
use symbolon_wire::{Audience, ParsedClaims, session_id_text};

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
    aud: &'a [Cow<'a, str>],
    amr: &'a [Cow<'a, str>],
    roles: &'a [Cow<'a, str>],
    extra: Extra<'a>,
}

/// The claims that a back end added.
#[derive(Clone, Copy, Debug)]
enum Extra<'a> {
    Parsed(&'a ParsedClaims<'a>),
    Owned(&'a [(Box<str>, Box<str>)]),
}

impl<'a> Claims<'a> {
    /// The session's name as it is written, 22 characters.
    pub fn session_id(&self) -> Option<String> {
        self.sid.map(session_id_text)
    }

    /// Whom it is for; the verifier's audience is among them.
    pub fn aud(&self) -> impl Iterator<Item = &'a str> {
        self.aud.iter().map(AsRef::as_ref)
    }

    /// By which methods the subject signed in.
    pub fn amr(&self) -> impl Iterator<Item = &'a str> {
        self.amr.iter().map(AsRef::as_ref)
    }

    /// The subject's roles.
    pub fn roles(&self) -> impl Iterator<Item = &'a str> {
        self.roles.iter().map(AsRef::as_ref)
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
        match self.extra {
            Extra::Parsed(parsed) => parsed.extra(name).map(|value| value.get()),
            Extra::Owned(members) => {
                members.iter().find(|(claim, _)| **claim == *name).map(|(_, value)| &**value)
            }
        }
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
            aud: match &parsed.aud {
                Audience::One(name) => std::slice::from_ref(name),
                Audience::Many(names) => names,
            },
            amr: &parsed.amr,
            roles: &parsed.roles,
            extra: Extra::Parsed(parsed),
        }
    }

    /// Copies everything, so that it may outlive the token.
    pub(crate) fn to_verified(self) -> Verified {
        Verified {
            iss: self.iss.into(),
            sub: self.sub.into(),
            client_id: self.client_id.into(),
            iat: self.iat,
            exp: self.exp,
            jti: self.jti.into(),
            scope: self.scope.map(Into::into),
            sid: self.sid,
            ver: self.ver,
            auth_time: self.auth_time,
            acr: self.acr.map(Into::into),
            aud: owned(self.aud),
            amr: owned(self.amr),
            roles: owned(self.roles),
            extra: match self.extra {
                Extra::Owned(members) => members.into(),
                Extra::Parsed(parsed) => {
                    parsed.extras().map(|(name, value)| (name.into(), value.get().into())).collect()
                }
            },
            #[cfg(feature = "net")]
            link: crate::sessions::Link::default(),
        }
    }
}

fn owned(names: &[Cow<'_, str>]) -> Box<[Cow<'static, str>]> {
    names.iter().map(|name| Cow::Owned(name.clone().into_owned())).collect()
}

/// A good token's claims, to keep: `Send + 'static`.
///
/// It says that the token was good when it was checked. Whoever keeps it, for a WebSocket say, waits for
/// `Verified::ended` beside their own work.
#[derive(Clone, Debug)]
pub struct Verified {
    iss: Box<str>,
    sub: Box<str>,
    client_id: Box<str>,
    iat: Timestamp,
    exp: Timestamp,
    jti: Box<str>,
    scope: Option<Box<str>>,
    sid: Option<SessionId>,
    ver: Ver,
    auth_time: Option<Timestamp>,
    acr: Option<Box<str>>,
    aud: Box<[Cow<'static, str>]>,
    amr: Box<[Cow<'static, str>]>,
    roles: Box<[Cow<'static, str>]>,
    extra: Box<[(Box<str>, Box<str>)]>,
    #[cfg(feature = "net")]
    link: crate::sessions::Link,
}

impl Verified {
    /// Remembers who verified it, so that the end of the session can be waited for.
    #[cfg(feature = "net")]
    pub(crate) fn of(mut self, expected: &std::sync::Arc<crate::verifier::Expected>) -> Self {
        self.link = crate::sessions::Link::to(expected);
        self
    }

    #[cfg(not(feature = "net"))]
    pub(crate) fn of(self, _: &std::sync::Arc<crate::verifier::Expected>) -> Self {
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
        Claims {
            iss: &self.iss,
            sub: &self.sub,
            client_id: &self.client_id,
            iat: self.iat,
            exp: self.exp,
            jti: &self.jti,
            scope: self.scope.as_deref(),
            sid: self.sid,
            ver: self.ver,
            auth_time: self.auth_time,
            acr: self.acr.as_deref(),
            aud: &self.aud,
            amr: &self.amr,
            roles: &self.roles,
            extra: Extra::Owned(&self.extra),
        }
    }
}
