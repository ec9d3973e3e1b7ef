//! The body of `POST /v1/revocations`, and what it must be.

use super::body::Object;
use super::ending;
use super::problem::Problem;
use serde::Deserialize;
use std::net::IpAddr;
use std::sync::Arc;
use symbolon_core::device::DeviceClass;
use symbolon_core::{
    ClientId, Duration, Effect, Reason, Session, SessionId, Subject, Timestamp, id,
};
use symbolon_wire::{Jti, parse_session_id};

/// The body, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevocationRequest {
    target: Object<TargetRequest>,
    effect: String,
    reason: String,
    note: Option<String>,
    #[serde(default)]
    dry_run: bool,
    expect_at_most: Option<u64>,
    wait: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetRequest {
    sid: Option<String>,
    jti: Option<String>,
    sub: Option<String>,
    client_id: Option<String>,
    kid: Option<String>,
    everything: Option<bool>,
    filter: Option<Object<FilterRequest>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterRequest {
    client_id: Option<String>,
    device_class: Option<String>,
    device_id: Option<String>,
    acr: Option<String>,
    ip: Option<String>,
    created_before: Option<u64>,
    created_after: Option<u64>,
    last_active_before: Option<u64>,
}

/// A revocation, checked.
#[derive(Clone)]
pub(super) struct Revocation {
    pub(super) wanted: Wanted,
    pub(super) effect: Effect,
    pub(super) reason: Reason,
    pub(super) note: Option<Arc<str>>,
    pub(super) dry_run: bool,
    /// More than this is refused.
    pub(super) at_most: u64,
    /// How long to wait until every verifier has heard; never in a dry run.
    pub(super) wait: Option<Duration>,
}

/// What is to be revoked.
#[derive(Clone)]
pub(super) enum Wanted {
    Session(SessionId),
    Token([u8; 16]),
    Subject(Subject),
    Client(ClientId),
    /// A signing key, by the text of its name.
    Key(String),
    Everything,
    Filter(Arc<Filter>),
}

impl Wanted {
    /// What kind it is, for the log.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Session(_) => "sid",
            Self::Token(_) => "jti",
            Self::Subject(_) => "sub",
            Self::Client(_) => "client_id",
            Self::Key(_) => "kid",
            Self::Everything => "everything",
            Self::Filter(_) => "filter",
        }
    }
}

impl Wanted {
    /// Whether a session is meant.
    pub(super) fn holds(&self, session: &Session) -> bool {
        match self {
            Self::Session(sid) => session.sid == *sid,
            Self::Subject(subject) => session.subject == *subject,
            Self::Client(client) => session.client == *client,
            Self::Everything => true,
            Self::Filter(filter) => filter.holds(session),
            // These are about tokens, and end no session.
            Self::Token(_) | Self::Key(_) => false,
        }
    }
}

/// Which sessions: every condition that is set must hold.
#[derive(Default)]
pub(super) struct Filter {
    client: Option<ClientId>,
    class: Option<DeviceClass>,
    device_id: Option<Arc<str>>,
    acr: Option<String>,
    ip: Option<IpAddr>,
    created_before: Option<Timestamp>,
    created_after: Option<Timestamp>,
    last_active_before: Option<Timestamp>,
}

impl Filter {
    /// Whether a session is meant.
    pub(super) fn holds(&self, session: &Session) -> bool {
        let text = |own: &Option<Arc<str>>, wanted: &str| own.as_deref() == Some(wanted);
        self.client.as_ref().is_none_or(|client| session.client == *client)
            && self.class.is_none_or(|class| session.device.class == class)
            && self.device_id.as_ref().is_none_or(|id| text(&session.device.id, id))
            && self.acr.as_ref().is_none_or(|acr| text(&session.acr, acr))
            && self.ip.is_none_or(|ip| text(&session.ip, &ip.to_string()))
            && self.created_before.is_none_or(|at| session.created_at < at)
            && self.created_after.is_none_or(|at| at <= session.created_at)
            && self.last_active_before.is_none_or(|at| session.last_used_at < at)
    }
}

impl RevocationRequest {
    /// Checks every member.
    ///
    /// # Errors
    /// The first that is wrong.
    pub(super) fn check(self) -> Result<Revocation, Problem> {
        let wait = ending::wait_of(self.wait.as_deref())?;
        let Object(target) = self.target;
        let wanted = target.check()?;
        let effect = match &*self.effect {
            "revoked" => Effect::Revoked,
            "stale" => Effect::Stale,
            _ => return Err(Problem::member("effect", "must be `revoked` or `stale`")),
        };
        if effect == Effect::Stale && matches!(wanted, Wanted::Session(_) | Wanted::Filter(_)) {
            let why = "must be `revoked` for single sessions; `stale` is for a subject, a client, a \
                       key, everything, or one token by its `jti`";
            return Err(Problem::member("effect", why));
        }
        let known = "must be one of the stable reasons, such as `kicked` or `admin`";
        Ok(Revocation {
            wanted,
            effect,
            reason: Reason::parse(&self.reason).ok_or_else(|| Problem::member("reason", known))?,
            note: ending::note_of(self.note.as_deref())?,
            dry_run: self.dry_run,
            at_most: self.expect_at_most.unwrap_or(u64::MAX),
            wait: wait.filter(|_| !self.dry_run),
        })
    }
}

impl TargetRequest {
    fn check(self) -> Result<Wanted, Problem> {
        let given = [
            self.sid.is_some(),
            self.jti.is_some(),
            self.sub.is_some(),
            self.client_id.is_some(),
            self.kid.is_some(),
            self.everything.is_some(),
            self.filter.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            let why = "must name one thing: `sid`, `jti`, `sub`, `client_id`, `kid`, `everything` \
                       or `filter`";
            return Err(Problem::member("target", why));
        }
        if let Some(text) = self.sid {
            let wrong = |_| Problem::member("target.sid", "must be 22 characters of base64url");
            return parse_session_id(&text).map(Wanted::Session).map_err(wrong);
        }
        if let Some(text) = self.jti {
            let wrong = |_| Problem::member("target.jti", "must be 22 characters of base64url");
            return Jti::parse(&text).map(|jti| Wanted::Token(jti.0)).map_err(wrong);
        }
        if let Some(text) = self.sub {
            let wrong = |why| Problem::member("target.sub", why);
            return Subject::parse(&text).map(Wanted::Subject).map_err(wrong);
        }
        if let Some(text) = self.client_id {
            let wrong = |_| Problem::member("target.client_id", "is no client's name");
            return ClientId::parse(&text).map(Wanted::Client).map_err(wrong);
        }
        match (self.kid, self.everything, self.filter) {
            (Some(kid), _, _) => Ok(Wanted::Key(kid)),
            (None, Some(true), _) => Ok(Wanted::Everything),
            (None, None, Some(Object(filter))) => filter.check(),
            (None, Some(false) | None, _) => {
                Err(Problem::member("target.everything", "must be true, or left out"))
            }
        }
    }
}

impl FilterRequest {
    fn check(self) -> Result<Wanted, Problem> {
        let wrong = |name: &str, why: &str| Problem::member(format!("target.filter.{name}"), why);
        let client = self.client_id.map(|text| ClientId::parse(&text)).transpose();
        let classes = "must be one of web, app, mini_program, desktop, iot, service, other";
        let class = self.device_class.map(|word| DeviceClass::parse(&word).ok_or(())).transpose();
        let address = "must be one IP address, such as 192.0.2.7 or 2001:db8::7; not a network";
        let ip = self.ip.map(|text| text.parse()).transpose();
        let device = self.device_id.map(|text| id::name(&text)).transpose();
        let filter = Filter {
            client: client.map_err(|_| wrong("client_id", "is no client's name"))?,
            class: class.map_err(|()| wrong("device_class", classes))?,
            device_id: device.map_err(|_| wrong("device_id", "must have 1 to 255 bytes"))?,
            acr: self.acr,
            ip: ip.map_err(|_| wrong("ip", address))?,
            created_before: self.created_before.map(Timestamp::from_seconds),
            created_after: self.created_after.map(Timestamp::from_seconds),
            last_active_before: self.last_active_before.map(Timestamp::from_seconds),
        };
        match filter.is_empty() {
            true => Err(Problem::member(
                "target.filter",
                "has no condition; to end every session say `\"everything\": true`",
            )),
            false => Ok(Wanted::Filter(Arc::new(filter))),
        }
    }
}

impl Filter {
    const fn is_empty(&self) -> bool {
        self.client.is_none()
            && self.class.is_none()
            && self.device_id.is_none()
            && self.acr.is_none()
            && self.ip.is_none()
            && self.created_before.is_none()
            && self.created_after.is_none()
            && self.last_active_before.is_none()
    }
}
