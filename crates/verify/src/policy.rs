//! What a route asks of a token.

use crate::{Claims, Rejected};
use std::time::Duration;
use symbolon_core::Timestamp;

/// The most that a policy may forgive of a clock. Inclusive.
///
/// The authority's feed forgets a revocation this long after the last token that it hits has expired;
/// a verifier that forgave more would let a revoked token in again.
pub const LEEWAY_MAX: Duration = symbolon_core::revocation::LEEWAY_MAX;

/// How far ahead of this clock a token may be dated (`iat`, `nbf`) in any case: clocks differ.
pub(crate) const AHEAD_MIN: Duration = Duration::from_secs(10);

/// How old the knowledge of revocations may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Staleness {
    /// Refuse when it is older.
    Strict(Duration),
    /// Ask the authority when it is older, and refuse if it cannot answer.
    Bounded(Duration),
    /// Accept until `exp`, unless something is known against the token.
    Offline,
}

impl Staleness {
    /// The same of a token that itself asks for knowledge that is no older than that.
    pub(crate) fn within(self, asked: Option<Duration>) -> Self {
        match (self, asked) {
            (route, None) => route,
            (Self::Strict(route), Some(token)) => Self::Strict(route.min(token)),
            (Self::Bounded(route), Some(token)) => Self::Bounded(route.min(token)),
            (Self::Offline, Some(token)) => Self::Bounded(token),
        }
    }
}

/// What one route asks of a token; made once, used for every request.
///
/// ```
/// use std::time::Duration;
/// use symbolon_verify::Policy;
///
/// let orders = Policy::bounded(Duration::from_secs(5)).scope("orders:read");
/// let refunds = Policy::strict(Duration::from_secs(1)).scope("orders:write").role("manager");
/// ```
///
/// What the mirror knows against a token is said under every policy. Without a feed (`Builder::feed`) a verifier
/// knows nothing of revocations: under any policy but [`Policy::offline`] a synchronous check then ends in
/// [`Rejected::Ask`], and `Verifier::admit` asks the authority about every request. No bound is larger than that of
/// the verifier itself ([`Builder::max_staleness`](crate::Builder::max_staleness)), nor than that which a token asks for
/// (`staleness` of its client).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    staleness: Staleness,
    scopes: Vec<Box<str>>,
    roles: Vec<Box<str>>,
    recent: Option<Duration>,
    acrs: Vec<Box<str>>,
    leeway: Duration,
    reports_bindings: bool,
}

impl Policy {
    /// Refuses when the knowledge of revocations is older than `age`.
    ///
    /// Security: an ended session is refused `age` after its end at the latest. Price: while the
    /// authority cannot be heard, the route is closed.
    pub const fn strict(age: Duration) -> Self {
        Self::new(Staleness::Strict(age))
    }

    /// Asks the authority when the knowledge of revocations is older than `age`, and refuses if it
    /// cannot answer.
    ///
    /// Security: as [`Policy::strict`]. Price: requests wait for the authority while the feed is late.
    pub const fn bounded(age: Duration) -> Self {
        Self::new(Staleness::Bounded(age))
    }

    /// Accepts a genuine token until its `exp` unless it is known to be revoked, and asks nobody.
    ///
    /// An opaque token says nothing itself, so that somebody must be asked at its first use, and again when the answer
    /// has expired or a change is known; in between, this accepts the last answer until its `exp`. The same holds of a
    /// token that is stale and that its client cannot replace.
    ///
    /// Security: without a feed, or while it is silent, a kicked, banned or stolen session goes on until its token
    /// expires, five minutes by default. For jobs without a network and for routes where that does not matter.
    pub const fn offline() -> Self {
        Self::new(Staleness::Offline)
    }

    const fn new(staleness: Staleness) -> Self {
        Self {
            staleness,
            scopes: Vec::new(),
            roles: Vec::new(),
            recent: None,
            acrs: Vec::new(),
            leeway: Duration::ZERO,
            reports_bindings: false,
        }
    }

    /// Asks for a scope; every one that is named must be in the token (RFC 9068 §2.2.3).
    ///
    /// Security: without any, every token for this audience may use the route.
    #[must_use]
    pub fn scope(mut self, name: &str) -> Self {
        self.scopes.push(name.into());
        self
    }

    /// Asks for a role of the subject; every one that is named must be in the token.
    ///
    /// Security: roles are those of the moment of issue; a change makes the token stale.
    #[must_use]
    pub fn role(mut self, name: &str) -> Self {
        self.roles.push(name.into());
        self
    }

    /// Asks that the person was authenticated at most so long ago (`auth_time`); else they are asked to step up
    /// (RFC 9470, [`Rejected::InsufficientAuthentication`]). Whole seconds: a fraction counts as none.
    ///
    /// Security: a stolen token of an old sign-in does not open the route. A renewal never makes an authentication
    /// younger. A client's own token has none and is refused. [`Policy::leeway`] is forgiven here too.
    #[must_use]
    pub const fn require_recent(mut self, age: Duration) -> Self {
        self.recent = Some(Duration::from_secs(age.as_secs()));
        self
    }

    /// Asks that the person was authenticated at one of these levels (`acr`), exactly so named; else they are asked to
    /// step up. None named: any level will do.
    ///
    /// Security: levels have no order here. Name each one that suffices, the higher ones too.
    #[must_use]
    pub fn require_acr(mut self, levels: &[&str]) -> Self {
        self.acrs = levels.iter().map(|level| (*level).into()).collect();
        self
    }

    /// Forgives a clock that goes wrong: a token is accepted this long after its `exp`. Default: not
    /// at all. More than [`LEEWAY_MAX`] counts as that.
    ///
    /// Security: it lengthens the life of every token, a stolen one too. Dates ahead of this clock
    /// (`iat`, `nbf`) are forgiven 10 s in any case, since a fresh token must not fail at a clock that
    /// is a little slow.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway.min(LEEWAY_MAX);
        self
    }

    /// Lets bound tokens in that come without a good proof of their key, and counts them
    /// ([`Status::bindings_reported`](crate::Status::bindings_reported)): to see whom a binding would shut out
    /// before it is in force.
    ///
    /// Security: meanwhile a bound token is worth what a bearer token is worth.
    #[must_use]
    pub const fn report_bindings(mut self) -> Self {
        self.reports_bindings = true;
        self
    }

    pub(crate) const fn only_reports_bindings(&self) -> bool {
        self.reports_bindings
    }

    /// How old the knowledge of revocations may be.
    pub const fn staleness(&self) -> Staleness {
        self.staleness
    }

    /// How long after its `exp` a token is accepted.
    pub(crate) const fn after_expiry(&self) -> Duration {
        self.leeway
    }

    /// How far ahead of the clock a token may be dated.
    pub(crate) fn ahead(&self) -> Duration {
        self.leeway.max(AHEAD_MIN)
    }

    /// Whether the claims suffice at `at`. Rights come first: stepping up gives nobody a scope.
    pub(crate) fn permits(&self, claims: &Claims<'_>, at: Timestamp) -> Result<(), Rejected> {
        let has_scopes = self.scopes.iter().all(|name| claims.has_scope(name));
        let has_roles = self.roles.iter().all(|name| claims.has_role(name));
        if !(has_scopes && has_roles) {
            return Err(Rejected::InsufficientScope { needed: self.scopes.join(" ").into() });
        }
        match self.is_recent(claims, at) && self.is_strong(claims) {
            true => Ok(()),
            false => Err(Rejected::InsufficientAuthentication {
                max_age: self.recent,
                acr: self.acrs.join(" ").into(),
            }),
        }
    }

    fn is_recent(&self, claims: &Claims<'_>, at: Timestamp) -> bool {
        self.recent.is_none_or(|age| {
            claims.auth_time.is_some_and(|proved| at <= proved.after(age).after(self.leeway))
        })
    }

    fn is_strong(&self, claims: &Claims<'_>) -> bool {
        let named = |acr: &str| self.acrs.iter().any(|own| **own == *acr);
        self.acrs.is_empty() || claims.acr.is_some_and(named)
    }
}

impl Default for Policy {
    /// `bounded(5 s)`.
    fn default() -> Self {
        Self::bounded(Duration::from_secs(5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_policy_forgives_more_than_a_minute() {
        let policy = Policy::offline().leeway(Duration::from_secs(3600));
        assert_eq!(policy.after_expiry(), LEEWAY_MAX);
        assert_eq!(policy.ahead(), LEEWAY_MAX);
        assert_eq!(Policy::offline().ahead(), AHEAD_MIN);
        assert_eq!(Policy::offline().after_expiry(), Duration::ZERO);
    }

    #[test]
    fn the_default_asks_when_knowledge_is_older_than_five_seconds() {
        assert_eq!(Policy::default().staleness(), Staleness::Bounded(Duration::from_secs(5)));
    }
}
