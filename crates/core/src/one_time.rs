//! One-time credentials: operation tokens and tickets, each good for one thing, once, for seconds.
//!
//! Nothing is stored when one is made. What it is for stands in its text, and the store keeps the name of each that
//! was used until it would have expired: whoever comes second finds it there.

use crate::client::ClientPolicy;
use crate::denial::Denial;
use crate::grant::{Grant, Terms};
use crate::id::{Digest, Salt, SessionId, StoreEpoch};
use crate::loaded::Loaded;
use crate::revocation::LEEWAY_MAX;
use crate::session::Standing;
use crate::time::{CLOCK_DRIFT_MAX, Duration, Timestamp};

/// The longest that an operation token lives. Inclusive.
pub const OPERATION_LIFE_MAX: Duration = Duration::from_secs(60);

/// The longest that a ticket lives. Inclusive.
pub const TICKET_LIFE_MAX: Duration = Duration::from_secs(30);

/// Until when the use of an access token for one use must be remembered that is good until `exp`: no verifier forgives
/// more, by no clock that is believed.
pub fn use_remembered_until(exp: Timestamp) -> Timestamp {
    exp.after(LEEWAY_MAX).after(CLOCK_DRIFT_MAX.saturating_mul(2))
}

/// What a one-time credential says.
#[derive(Clone, PartialEq, Eq)]
pub struct Once {
    /// The store epoch it was made in: a store that lost writes may have forgotten that it was used.
    pub epoch: StoreEpoch,
    /// The session it acts for.
    pub sid: SessionId,
    /// What the session mixes in.
    pub salt: Salt,
    /// Until when it can be used. Exclusive.
    pub expires_at: Timestamp,
    /// The digest of the one thing that it is for.
    pub purpose: Digest,
}

/// A genuine one-time credential: holding the value is the proof that its tag was checked.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTime {
    says: Once,
    name: Digest,
}

/// Why a one-time credential is refused; nothing is spent by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// Its session may not act, or is none.
    Denied(Denial),
    /// It is of an older store epoch, and so may have been used.
    Forgotten,
    /// Its time is over.
    Expired,
    /// It is for something else.
    OtherPurpose,
}

impl OneTime {
    /// One whose tag was found right. Only `wire` may call this, after checking it.
    pub fn assume_genuine(says: Once, name: Digest) -> Self {
        Self { says, name }
    }

    /// The session that it acts for.
    pub fn sid(&self) -> SessionId {
        self.says.sid
    }

    /// Under which name its use is remembered.
    pub fn name(&self) -> Digest {
        self.name
    }

    /// Until when its use must be remembered: no clock that is believed still takes it then.
    pub fn remembered_until(&self) -> Timestamp {
        self.says.expires_at.after(CLOCK_DRIFT_MAX.saturating_mul(2))
    }
}

impl Loaded {
    /// What a new one-time credential of this session says.
    ///
    /// # Errors
    /// The session is over, or its client is switched off.
    pub fn once(
        &self,
        purpose: Digest,
        life: Duration,
        policy: &ClientPolicy,
        at: Timestamp,
    ) -> Result<Once, Denial> {
        self.may_act(policy, at)?;
        let end = self.session.absolute_expires_at(policy);
        Ok(Once {
            epoch: self.cutoffs.epoch,
            sid: self.session.sid,
            salt: self.session.salt,
            expires_at: at.after(life).min(end),
            purpose,
        })
    }

    /// Whether a one-time credential may be spent on this. Whether it was, the store alone knows.
    ///
    /// # Errors
    /// Why it may not: the rows are tried in the order in which they stand.
    pub fn may_spend(
        &self,
        shown: &OneTime,
        purpose: Digest,
        policy: &ClientPolicy,
        at: Timestamp,
    ) -> Result<(), Unfit> {
        let says = &shown.says;
        match self.may_act(policy, at) {
            // Right tag, wrong salt: whoever made it has the MAC key but never saw this session.
            _ if says.salt != self.session.salt => Err(Unfit::Denied(Denial::UnknownSession)),
            Err(denial) => Err(Unfit::Denied(denial)),
            Ok(()) if says.epoch != self.cutoffs.epoch => Err(Unfit::Forgotten),
            Ok(()) if says.expires_at <= at => Err(Unfit::Expired),
            Ok(()) if says.purpose != purpose => Err(Unfit::OtherPurpose),
            Ok(()) => Ok(()),
        }
    }

    /// The access token that a ticket earned, which was found good: one of this session as it is now, without a write
    /// and without counting as a use, which whoever verifies the token reports.
    pub fn grant_by_ticket(&self, terms: &Terms<'_>, at: Timestamp) -> Grant {
        self.grant_of_now(terms, self.session.not_before(at))
    }

    fn may_act(&self, policy: &ClientPolicy, at: Timestamp) -> Result<(), Denial> {
        match self.standing(policy, at) {
            Standing::Ended(end) | Standing::Over(end) => Err(Denial::Ended(end.reason)),
            Standing::Active if self.client_disabled() => Err(Denial::ClientDisabled),
            Standing::Active => Ok(()),
        }
    }
}
