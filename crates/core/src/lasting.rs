//! Tokens that last as long as their session and say what held when it began: what one is worth by now (DESIGN.md
//! §4.6).
//!
//! Where another token could be had, one that says what no longer holds is refused until it is renewed. Here nobody
//! can renew it, so what holds now takes the place of what it says.

use crate::epoch::Ver;
use crate::grant::{Grant, Outcome, Terms};
use crate::loaded::{Decision, Loaded, Verdict};
use crate::time::Timestamp;

/// A token whose signature was found right.
pub struct Lasting<'a> {
    /// Its name.
    pub jti: [u8; 16],
    /// The counters that it carries.
    pub ver: Ver,
    /// The client's rules and the keys that may sign.
    pub terms: Terms<'a>,
}

/// What is to be believed of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Worth {
    /// What it says.
    AsItSays,
    /// What holds now instead: something that it says has changed.
    AsOfNow(Box<Grant>),
}

impl Loaded {
    /// What a token is worth that nobody can replace. Showing it is a use of the session, whose idle end moves as by
    /// a handle.
    pub fn by_lasting_token(
        mut self,
        shown: &Lasting<'_>,
        at: Timestamp,
    ) -> Decision<Result<Worth, Verdict>> {
        let policy = shown.terms.policy;
        let at = self.session.not_before(at);
        let worth = match self.judge(&shown.jti, &shown.ver, policy, at) {
            Verdict::Live => Worth::AsItSays,
            Verdict::Stale(_) if !self.client_disabled() => {
                Worth::AsOfNow(Box::new(self.grant(&shown.terms, Outcome::Repeated, at)))
            }
            verdict @ Verdict::Stale(_) => return Decision::unchanged(Err(verdict)),
            verdict @ Verdict::Revoked(_) => {
                return self.expire(policy, at).map(|_| Err(verdict));
            }
        };
        let slid = self.session.slides_to(at, policy);
        if slid {
            self.session.0.last_used_at = at;
        }
        Decision { session: slid.then_some(self.session), events: Vec::new(), reply: Ok(worth) }
    }
}
