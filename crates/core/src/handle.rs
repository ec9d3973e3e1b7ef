//! Handles: credentials that stay the same as long as their session, and what one earns.
//!
//! An opaque access token is a handle, and so is the cookie of a gateway session. Where a refresh token is used up
//! by its use, a handle is only looked at: it says which session is meant, and the session says the rest.

use crate::client::ClientPolicy;
use crate::denial::Denial;
use crate::grant::{Grant, Outcome, Terms};
use crate::id::{ClientId, Salt, SessionId};
use crate::loaded::{Decision, Loaded};
use crate::refresh::Answer;
use crate::revocation::{Act, Reason};
use crate::session::{Session, Standing};
use crate::time::{Duration, Timestamp};

/// A genuine handle: holding the value is the proof that its tag was checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Handle {
    sid: SessionId,
    salt: Salt,
}

impl Handle {
    /// A handle whose tag was found right. Only `wire` may call this, after checking it.
    pub fn assume_genuine(sid: SessionId, salt: Salt) -> Self {
        Self { sid, salt }
    }

    /// The session that it belongs to.
    pub fn sid(&self) -> SessionId {
        self.sid
    }

    /// What the session mixes in.
    pub fn salt(&self) -> Salt {
        self.salt
    }
}

/// A request by a handle.
pub struct Shown<'a> {
    /// What was presented.
    pub handle: &'a Handle,
    /// The client's rules and the keys that may sign.
    pub terms: Terms<'a>,
}

impl Loaded {
    /// What a handle earns: tokens that say what holds of its session now. The rows are those of DESIGN.md §4.1 as
    /// far as there are no generations.
    ///
    /// Showing it is a use of the session, whose idle end moves by the rule of DESIGN.md §4.6, so that hardly any
    /// answer costs a write. All who ask within half the life of an access token get the same one.
    ///
    /// Whoever asks may not have seen the request that it came with. What features and network must be is therefore
    /// said by what it earns, and compared where the request is; nothing of that is theft.
    pub fn by_handle(self, ask: &Shown<'_>, at: Timestamp) -> Decision<Answer> {
        let policy = ask.terms.policy;
        let at = self.session.not_before(at);
        if let Some(denial) = self.misses(ask.handle) {
            return Decision::unchanged(Err(denial));
        }
        match self.standing(policy, at) {
            Standing::Active => self.look(ask, at),
            Standing::Ended(end) => Decision::unchanged(Err(Denial::Ended(end.reason))),
            Standing::Over(end) => self.write_end(end, at).map(|reason| Err(Denial::Ended(reason))),
        }
    }

    /// The rows before "session ended": nothing changes by any of them.
    fn misses(&self, handle: &Handle) -> Option<Denial> {
        match () {
            // Right tag, wrong salt: whoever made it has the MAC key but never saw this session.
            () if self.session.salt != handle.salt => Some(Denial::UnknownSession),
            () if self.client_disabled() => Some(Denial::ClientDisabled),
            () => None,
        }
    }

    fn look(mut self, ask: &Shown<'_>, at: Timestamp) -> Decision<Answer> {
        let slid = self.session.slides_to(at, ask.terms.policy);
        if slid {
            self.session.0.last_used_at = at;
        }
        let grant = self.grant_of_now(&ask.terms, at);
        let session = slid.then_some(self.session);
        Decision { session, events: Vec::new(), reply: Ok(grant) }
    }

    /// Tokens as if the session had been renewed at the last half of an access token's life: the same to all who
    /// ask until the next half begins, at whichever node, without a write.
    pub(crate) fn grant_of_now(&self, terms: &Terms<'_>, at: Timestamp) -> Grant {
        let mut grant = self.grant(terms, Outcome::Repeated, at);
        let life = self.session.access_life(terms.policy);
        let (begun, _) = self.session.half_life(terms.policy, at);
        grant.issued_at = begun.floor_second();
        let absolute = self.session.absolute_expires_at(terms.policy);
        grant.expires_at = grant.issued_at.after(life).min(absolute);
        grant.key = terms.key;
        grant
    }

    /// Ends the session on its owner's word, as [`Loaded::sign_out`] does by a refresh token.
    pub fn sign_out_by_handle(
        self,
        handle: &Handle,
        client: &ClientId,
        ending: (&Act, &ClientPolicy),
        at: Timestamp,
    ) -> Decision<bool> {
        if self.session.salt != handle.salt || self.session.client != *client {
            return Decision::unchanged(false);
        }
        self.end(Reason::SignedOut, ending.0, ending.1, at)
    }

    /// Whether a handle's session may be used at `at`, for whoever only wants to know; nothing changes, and it
    /// counts as no use.
    ///
    /// # Errors
    /// Why it may not.
    pub fn knows(
        &self,
        handle: &Handle,
        policy: &ClientPolicy,
        at: Timestamp,
    ) -> Result<(), Denial> {
        if let Some(denial) = self.misses(handle) {
            return Err(denial);
        }
        match self.standing(policy, at) {
            Standing::Active => Ok(()),
            Standing::Ended(end) | Standing::Over(end) => Err(Denial::Ended(end.reason)),
        }
    }
}

impl Session {
    /// Until when whoever shows this session's handle earns what was earned at `at`, and moves nothing by that.
    /// Exclusive. An event may make it end earlier.
    pub fn same_until(&self, policy: &ClientPolicy, at: Timestamp) -> Timestamp {
        let (_, over) = self.half_life(policy, self.not_before(at));
        // At the very end of a step a use still moves nothing.
        let slides = self.last_used_at.after(policy.activity_step() + Duration::from_millis(1));
        over.min(slides)
    }

    /// How long its access tokens live. A shorter setting reaches sessions that exist; a longer one does not, since
    /// the events about them would not be kept for so long.
    fn access_life(&self, policy: &ClientPolicy) -> Duration {
        self.rotation.access_ttl.min(policy.access_ttl)
    }

    /// The half of an access token's life that `at` lies in, counted from the sign-in: its beginning, and its end.
    fn half_life(&self, policy: &ClientPolicy, at: Timestamp) -> (Timestamp, Timestamp) {
        let half = (self.access_life(policy).as_millis() / 2).max(1);
        let halves = at.since(self.created_at).as_millis() / half;
        let nth = |count: u128| {
            let since = u64::try_from(count * half).unwrap_or(u64::MAX);
            self.created_at.after(Duration::from_millis(since))
        };
        (nth(halves), nth(halves + 1))
    }
}
