//! From a grant to the text of an answer: RFC 6749 §5.1.

use super::cookies;
use super::delivery;
use super::edge::no_store;
use crate::app::App;
use crate::config::{Client, Delivery, Format, Preset};
use crate::keys::Recipients;
use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use symbolon_core::grant::seconds_left;
use symbolon_core::person::Gone;
use symbolon_core::{Fault, Grant, Reason, SessionId, Timestamp};
use symbolon_wire::{HandleKind, ISSUED_BYTES_WARN, IssueError, Issued, session_id_text};

/// What a client is given. Has no `Debug`: it is made of tokens.
#[derive(Serialize)]
pub struct TokenAnswer {
    session_id: String,
    #[serde(flatten)]
    handed: Handed,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    displaced: Option<Vec<EndedSession>>,
    /// What stands beside the body.
    #[serde(skip)]
    beside: HeaderMap,
}

/// The tokens themselves, as the client's preset wants them (DESIGN.md §4.8).
#[derive(Serialize)]
#[serde(untagged)]
enum Handed {
    /// An access token, and what renews it if anything does.
    Tokens {
        access_token: String,
        token_type: &'static str,
        expires_in: u64,
        #[serde(flatten)]
        refresh: Option<RefreshPart>,
    },
    /// What the back end copies into its own answer, in place of tokens: none of them reaches a page.
    Cookies { set_cookie: Vec<String> },
}

/// What renews an access token.
#[derive(Serialize)]
struct RefreshPart {
    /// Left out where it stands beside the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    refresh_expires_in: u64,
}

/// A session that an act ended.
#[derive(Serialize, Clone)]
pub struct EndedSession {
    session_id: String,
    reason: &'static str,
}

impl From<Gone> for EndedSession {
    fn from(gone: Gone) -> Self {
        Self::from((gone.sid, gone.reason))
    }
}

impl From<(SessionId, Reason)> for EndedSession {
    fn from((sid, reason): (SessionId, Reason)) -> Self {
        Self { session_id: session_id_text(sid), reason: reason.as_str() }
    }
}

/// What tokens are written with.
pub struct Writing<'a> {
    /// The authority.
    pub app: &'a App,
    /// The client whose tokens they are.
    pub client: &'a Client,
    /// Now.
    pub at: Timestamp,
}

/// Why tokens were not written.
pub enum Unwritten {
    /// The access token would have so many bytes; 4 KiB is the most.
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// We could not.
    Fault(Fault),
}

impl Unwritten {
    /// What it is where the caller can do nothing about it.
    pub fn into_fault(self) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            Self::TooLong { bytes } => {
                Fault::Store(format!("an access token of {bytes} bytes; 4096 is the most"))
            }
        }
    }
}

impl From<IssueError> for Unwritten {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::TooLong { bytes } => Self::TooLong { bytes },
            IssueError::Crypto(_) => Self::Fault(Fault::Store("the library could not sign".into())),
        }
    }
}

impl From<Fault> for Unwritten {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Writing<'_> {
    /// The access token of a grant. If that very token, or the key that signed it, was revoked meanwhile,
    /// it is dated afresh under the key that signs now; if that does not help, a retry within a second will.
    ///
    /// # Errors
    /// It would be longer than 4 KiB, or it cannot be made now.
    pub fn access_token(
        &self,
        grant: &Grant,
        recipients: &Recipients,
        scope: &str,
    ) -> Result<(Issued, Grant), Unwritten> {
        let issuer = &*self.app.config.issuer;
        // An answer that is given again earns each who asks a use of their own.
        let drawn = recipients.one_use.then(|| self.app.random()).transpose()?;
        let said = (grant, scope);
        let first = self.app.keys.access_token(issuer, said, recipients, drawn.as_ref())?;
        if !grant.is_revoked(&first.jti.0) {
            return Ok((first, grant.clone()));
        }
        let newest = self.app.keys.newest();
        let terms = newest.terms(&self.client.policy, &recipients.signer);
        let afresh = grant.dated_afresh(&terms.ok_or(Fault::Contention)?, self.at);
        let said = (&afresh, scope);
        let second = newest.access_token(issuer, said, recipients, drawn.as_ref())?;
        match afresh.is_revoked(&second.jti.0) {
            false => Ok((second, afresh)),
            true => Err(Fault::Contention.into()),
        }
    }
}

impl Writing<'_> {
    fn jwt(
        &self,
        grant: &Grant,
        recipients: &Recipients,
        scope: &str,
        in_body: bool,
    ) -> Result<Handed, Unwritten> {
        let (access, grant) = &self.access_token(grant, recipients, scope)?;
        let access_token = access.token.expose().to_owned();
        if ISSUED_BYTES_WARN < access_token.len() {
            let (jti, bytes) = (access.jti.to_text(), access_token.len());
            tracing::warn!(
                jti,
                bytes,
                "an access token is large; some proxies refuse such headers"
            );
        }
        let renewing = || RefreshPart {
            refresh_token: in_body.then(|| self.app.keys.refresh_token(grant).expose().to_owned()),
            refresh_expires_in: grant.refresh_expires_in(self.at),
        };
        let refresh = self.client.preset.has_refresh_tokens().then(renewing);
        let expires_in = grant.expires_in(self.at);
        let token_type = if grant.jkt.is_some() { "DPoP" } else { "Bearer" };
        Ok(Handed::Tokens { access_token, token_type, expires_in, refresh })
    }

    /// The token behind the cookie is made as well: one that would be too long is told now, and not at every check.
    fn cookies(
        &self,
        grant: &Grant,
        recipients: &Recipients,
        scope: &str,
    ) -> Result<Handed, Unwritten> {
        self.access_token(grant, recipients, scope)?;
        let set_cookie = match self.client.preset.has_refresh_tokens() {
            true => vec![cookies::of_refresh_token(self.app, grant, self.at)],
            false => cookies::of_session(self.app, self.client, grant, self.at),
        };
        Ok(Handed::Cookies { set_cookie })
    }

    /// It lasts as long as its session may, and is never another.
    fn opaque(&self, grant: &Grant) -> Handed {
        let handle = self.app.keys.handle(HandleKind::AccessToken, grant);
        let end = grant.session.absolute_expires_at(&self.client.policy);
        Handed::Tokens {
            access_token: handle.expose().to_owned(),
            token_type: "Bearer",
            expires_in: seconds_left(end, self.at),
            refresh: None,
        }
    }
}

impl TokenAnswer {
    /// Signs and writes the tokens of a sign-in.
    ///
    /// # Errors
    /// The access token would be longer than 4 KiB, or it cannot be made now.
    pub fn new(
        writing: &Writing<'_>,
        grant: &Grant,
        recipients: &Recipients,
        scope: &str,
    ) -> Result<Self, Unwritten> {
        let session_id = session_id_text(grant.session.sid);
        let Client { preset, delivery, .. } = writing.client;
        let handed = match (preset.format(), delivery) {
            (Format::Opaque, _) => writing.opaque(grant),
            (Format::Jwt, Delivery::Cookie) => writing.cookies(grant, recipients, scope)?,
            (Format::Jwt, Delivery::Body) if *preset == Preset::GatewaySession => {
                writing.cookies(grant, recipients, scope)?
            }
            // A back end reads bodies, and hands on what it got as it likes.
            (Format::Jwt, Delivery::Body | Delivery::Headers) => {
                writing.jwt(grant, recipients, scope, true)?
            }
        };
        let (scope, beside) = (scope.to_owned(), HeaderMap::new());
        Ok(Self { session_id, handed, scope, displaced: None, beside })
    }

    /// Signs and writes the tokens of a renewal, which the page itself asked for: so an access token is among them
    /// wherever the refresh token travels.
    ///
    /// # Errors
    /// As [`Self::new`]'s.
    pub fn renewed(
        writing: &Writing<'_>,
        grant: &Grant,
        recipients: &Recipients,
        scope: &str,
    ) -> Result<Self, Unwritten> {
        let Writing { app, client, at } = *writing;
        let handed = writing.jwt(grant, recipients, scope, client.delivery == Delivery::Body)?;
        let access_token = match &handed {
            Handed::Tokens { access_token, .. } => access_token,
            Handed::Cookies { .. } => "",
        };
        let beside = delivery::beside(app, client, (grant, access_token), at);
        let (session_id, scope) = (session_id_text(grant.session.sid), scope.to_owned());
        Ok(Self { session_id, handed, scope, displaced: None, beside })
    }

    /// The same, naming the sessions that left for this one.
    pub fn displacing(self, displaced: Vec<(SessionId, Reason)>) -> Self {
        Self { displaced: Some(displaced.into_iter().map(EndedSession::from).collect()), ..self }
    }

    /// The answer; never to be kept by anything on the way.
    pub fn into_answer(self, status: StatusCode) -> Response {
        let beside = self.beside.clone();
        let mut response = (status, beside, Json(self)).into_response();
        no_store(response.headers_mut());
        response
    }
}
