//! Refreshing: what a refresh token earns. The table of DESIGN.md §4.1, row by row.

use crate::binding::{Match, Proof};
use crate::client::Replay;
use crate::denial::{Denial, Fault};
use crate::grant::{Grant, Outcome, Terms};
use crate::id::{ClientId, Generation, Salt, SessionId, StoreEpoch};
use crate::loaded::{Decision, Loaded};
use crate::revocation::{Act, Reason};
use crate::session::{FastForward, Rotation, Session, Standing, WINDOWS_MAX, Window};
use crate::time::{Duration, Timestamp};
use core::cmp::Ordering::{Equal, Greater, Less};

/// A genuine refresh token: holding the value is the proof that its tag was checked.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    epoch: StoreEpoch,
    sid: SessionId,
    generation: Generation,
    salt: Salt,
}

impl RefreshToken {
    /// A token whose tag was found right. Only `wire` may call this, after checking it.
    pub fn assume_genuine(
        epoch: StoreEpoch,
        sid: SessionId,
        generation: Generation,
        salt: Salt,
    ) -> Self {
        Self { epoch, sid, generation, salt }
    }

    /// The session, and family, that it belongs to.
    pub fn sid(&self) -> SessionId {
        self.sid
    }

    /// Its number in the family.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The store epoch of the rotation that made it.
    pub fn epoch(&self) -> StoreEpoch {
        self.epoch
    }

    /// What the session mixes in.
    pub fn salt(&self) -> Salt {
        self.salt
    }
}

/// A request to renew.
pub struct Refresh<'a> {
    /// What was presented.
    pub token: &'a RefreshToken,
    /// Who presents it, authenticated as far as this client can be.
    pub client: &'a ClientId,
    /// What was shown beside it.
    pub proof: Proof,
    /// The client's rules and the keys that may sign.
    pub terms: Terms<'a>,
    /// Who acts, for the history.
    pub act: &'a Act,
}

/// What a refresh is answered: new tokens, or a refusal that is committed like them.
pub type Answer = Result<Grant, Denial>;

impl Loaded {
    /// Decides a refresh. The rows are tried in the order of DESIGN.md §4.1.
    ///
    /// # Errors
    /// [`Fault::Impossible`] when the token is ahead of a store that claims to have lost nothing;
    /// nothing is committed then.
    pub fn refresh(self, ask: &Refresh<'_>, at: Timestamp) -> Result<Decision<Answer>, Fault> {
        let at = self.session.not_before(at);
        if let Some(denial) = self.turns_away(ask) {
            return Ok(Decision::unchanged(Err(denial)));
        }
        match self.standing(ask.terms.policy, at) {
            Standing::Active => {}
            Standing::Ended(end) => return Ok(Decision::unchanged(Err(Denial::Ended(end.reason)))),
            Standing::Over(end) => {
                let reason = end.reason;
                return Ok(self.write_end(end, at).map(|_| Err(Denial::Ended(reason))));
            }
        }
        match self.session.judge_proof(&ask.proof, &ask.terms.policy.binding) {
            Match::Mismatch => Ok(self.theft(Reason::BindingMismatch, ask, at)),
            Match::AskAgain => Ok(Decision::unchanged(Err(Denial::ProofNeeded))),
            Match::ByKey => self.renew(ask, true, at),
            Match::Unbound => self.renew(ask, false, at),
        }
    }

    /// The rows before "session ended": nothing changes by any of them.
    fn turns_away(&self, ask: &Refresh<'_>) -> Option<Denial> {
        let session = &self.session;
        match () {
            // Right tag, wrong salt: whoever made it has the MAC key but never saw this session.
            () if session.salt != ask.token.salt => Some(Denial::UnknownSession),
            () if session.client != *ask.client => Some(Denial::ForeignToken),
            () if self.client_disabled() => Some(Denial::ClientDisabled),
            () => None,
        }
    }

    /// The rows about generations, for a session that is alive.
    fn renew(
        self,
        ask: &Refresh<'_>,
        by_key: bool,
        at: Timestamp,
    ) -> Result<Decision<Answer>, Fault> {
        let (session, token, epoch) = (&self.session, ask.token, self.cutoffs.epoch);
        match token.generation.cmp(&session.generation) {
            _ if token.epoch > epoch => Err(self.impossible(token)),
            _ if session.proves_dead_fast_forward(token, epoch, at) => Ok(self.replayed(ask, at)),
            Greater if token.epoch == epoch => Err(self.impossible(token)),
            Greater => self.fast_forward(ask, at),
            Equal => self.present(ask, Outcome::Advanced, at),
            Less if session.window_open(token.generation, at) => Ok(self.again(ask, at)),
            Less if by_key && token.generation.precedes(session.generation) => {
                Ok(self.again(ask, at))
            }
            Less => Ok(self.replayed(ask, at)),
        }
    }

    /// g = n: advances, unless so many windows are open that n is answered again.
    fn present(
        mut self,
        ask: &Refresh<'_>,
        outcome: Outcome,
        at: Timestamp,
    ) -> Result<Decision<Answer>, Fault> {
        let full = self.session.windows_open(at) == WINDOWS_MAX;
        let repeats = full && outcome == Outcome::Advanced;
        if !self.session.follows(ask.token, self.cutoffs.epoch) && repeats {
            return Ok(self.again(ask, at));
        }
        if !full {
            let rotation = ask.terms.rotation(self.cutoffs.epoch, at);
            self.session.advance(rotation, ask.terms.policy.grace)?;
        }
        let outcome = if repeats { Outcome::Repeated } else { outcome };
        let mut grant = self.grant(&ask.terms, outcome, at);
        grant.alert = self.binding_alert(ask);
        self.session.note_issued(&grant);
        grant.session = self.session.clone();
        Ok(Decision { session: Some(self.session), events: Vec::new(), reply: Ok(grant) })
    }

    /// Answers n again; nothing changes.
    fn again(self, ask: &Refresh<'_>, at: Timestamp) -> Decision<Answer> {
        let mut grant = self.grant(&ask.terms, Outcome::Repeated, at);
        grant.alert = self.binding_alert(ask);
        Decision::unchanged(Ok(grant))
    }

    /// The store was restored or lost its last writes: the family goes where its owner already is.
    fn fast_forward(mut self, ask: &Refresh<'_>, at: Timestamp) -> Result<Decision<Answer>, Fault> {
        let step = FastForward {
            to: ask.token.generation,
            epoch: self.cutoffs.epoch,
            until: at.after(ask.terms.policy.grace),
        };
        self.session.skip_to(step, ask.terms.rotation(ask.token.epoch, at));
        self.present(ask, Outcome::FastForwarded, at)
    }

    /// A used token came back after its window.
    fn replayed(self, ask: &Refresh<'_>, at: Timestamp) -> Decision<Answer> {
        let client = self.cutoffs.client(&self.session.client);
        match client.replay(ask.terms.policy, at) {
            Replay::Enforce => self.theft(Reason::Replayed, ask, at),
            Replay::Report => {
                let mut grant = self.grant(&ask.terms, Outcome::Repeated, at);
                grant.alert = Some(Reason::Replayed);
                Decision::unchanged(Ok(grant))
            }
            Replay::Off => Decision::unchanged(Err(Denial::Replayed)),
        }
    }

    /// Only this session ends, never the whole subject.
    fn theft(mut self, reason: Reason, ask: &Refresh<'_>, at: Timestamp) -> Decision<Answer> {
        let event = self.session.end(reason, at, ask.act.clone());
        Decision {
            session: Some(self.session),
            events: vec![event],
            reply: Err(Denial::Ended(reason)),
        }
    }

    fn binding_alert(&self, ask: &Refresh<'_>) -> Option<Reason> {
        let differs = self.session.reports(&ask.proof, &ask.terms.policy.binding);
        differs.then_some(Reason::BindingMismatch)
    }

    fn impossible(&self, token: &RefreshToken) -> Fault {
        Fault::Impossible {
            sid: self.session.sid,
            presented: token.generation,
            newest: self.session.generation,
        }
    }
}

impl Session {
    fn windows_open(&self, at: Timestamp) -> usize {
        self.windows.iter().filter(|window| at < window.ends).count()
    }

    fn window_open(&self, used: Generation, at: Timestamp) -> bool {
        self.windows.iter().any(|window| window.generation == used && at < window.ends)
    }

    /// A token of an older epoch beyond those that we followed, too late to be a race: they were dead
    /// tokens, and two people hold this family. A token whose window is open was followed, too.
    fn proves_dead_fast_forward(
        &self,
        token: &RefreshToken,
        epoch: StoreEpoch,
        at: Timestamp,
    ) -> bool {
        self.fast_forward.is_some_and(|first| {
            first.epoch == epoch
                && token.epoch < epoch
                && token.generation > first.to
                && first.until < at
                && !self.window_open(token.generation, at)
        })
    }

    /// Remembers a token of an older epoch that this epoch goes along with, beyond the first one: its
    /// retry proves nothing new. Answers whether there was anything to remember.
    fn follows(&mut self, token: &RefreshToken, epoch: StoreEpoch) -> bool {
        let first = self.0.fast_forward.as_mut().filter(|first| first.epoch == epoch);
        let beyond = first.filter(|first| token.epoch < epoch && first.to < token.generation);
        beyond.map(|first| first.to = token.generation).is_some()
    }

    /// Opens the window of the newest generation and goes on to the next.
    fn advance(&mut self, rotation: Rotation, grace: Duration) -> Result<(), Fault> {
        let used = self.generation;
        self.0.generation = used.next().ok_or(Fault::Exhausted)?;
        self.0.last_used_at = rotation.at;
        self.0.rotation = rotation;
        self.open_window(used, rotation.at.after(grace), rotation.at);
        Ok(())
    }

    /// Moves the family to a generation that the store forgot, whose rotation was in the epoch of its
    /// token. The newest skipped generations keep a window, for callers that still hold them.
    fn skip_to(&mut self, step: FastForward, rotation: Rotation) {
        let newest = u32::try_from(WINDOWS_MAX).unwrap_or(u32::MAX);
        let from = self.generation.0.max(step.to.0.saturating_sub(newest));
        for skipped in from..step.to.0 {
            self.open_window(Generation(skipped), step.until, rotation.at);
        }
        self.0.generation = step.to;
        self.0.last_used_at = rotation.at;
        self.0.rotation = rotation;
        if self.fast_forward.is_none_or(|first| first.epoch != step.epoch) {
            self.0.fast_forward = Some(step);
        }
    }

    /// Windows that are closed leave; of those open, the newest stay.
    fn open_window(&mut self, generation: Generation, ends: Timestamp, at: Timestamp) {
        self.0.windows.retain(|window| at < window.ends);
        if at < ends {
            self.0.windows.push(Window { generation, ends });
        }
        let surplus = self.windows.len().saturating_sub(WINDOWS_MAX);
        self.0.windows.drain(..surplus);
    }
}
