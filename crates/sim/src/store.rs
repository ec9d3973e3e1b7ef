//! A store in memory: it applies decisions, all or nothing, and can be restored from a copy.

use std::collections::BTreeMap;
use std::sync::Arc;
use symbolon_core::session::End;
use symbolon_core::sign_in::Started;
use symbolon_core::{
    Act, ClientPolicy, Cutoffs, Decision, Denial, Effect, Event, Fault, Loaded, LoadedSubject,
    Session, SessionId, SessionState, Standing, Start, StoreEpoch, Subject, SubjectDecision,
    SubjectState, Target, Terms, Timestamp,
};

/// One subject with its sessions, what stands above it, and every event in the order of commits.
#[derive(Clone)]
pub struct Store {
    /// The subject.
    pub subject: SubjectState,
    /// Its sessions, ended ones included.
    pub sessions: BTreeMap<SessionId, Session>,
    /// Everything above.
    pub cutoffs: Arc<Cutoffs>,
    /// What every verifier heard.
    pub events: Vec<Event>,
    /// The log of ends, which no restore touches.
    ends: BTreeMap<SessionId, End>,
}

impl Store {
    /// A store that knows nothing.
    pub fn empty(subject: Subject) -> Self {
        Self {
            subject: SubjectState::unknown(subject),
            sessions: BTreeMap::new(),
            cutoffs: Arc::default(),
            events: Vec::new(),
            ends: BTreeMap::new(),
        }
    }

    /// All that a rule about a session looks at.
    pub fn load(&self, sid: SessionId) -> Option<Loaded> {
        let session = self.sessions.get(&sid)?.clone();
        Some(Loaded { session, subject: self.subject.clone(), cutoffs: Arc::clone(&self.cutoffs) })
    }

    /// Loads, decides and commits; decides twice, since a store may do so whenever it lost a race.
    ///
    /// # Errors
    /// What the decision could not decide; nothing is committed then.
    ///
    /// # Panics
    /// If two equal questions are decided differently: a rule that is no function.
    pub fn step<R: PartialEq>(
        &mut self,
        sid: SessionId,
        decide: impl Fn(Loaded) -> Result<Decision<R>, Fault>,
    ) -> Result<Option<R>, Fault> {
        let Some(loaded) = self.load(sid) else { return Ok(None) };
        let (first, second) = (decide(loaded.clone()), decide(loaded));
        assert!(same(&first, &second), "a decision must be a function of what it is given");
        let decision = first?;
        self.sessions.extend(decision.session.map(|session| (sid, session)));
        self.events.extend(decision.events);
        Ok(Some(decision.reply))
    }

    /// Decides and commits a sign-in.
    ///
    /// # Errors
    /// Why they may not.
    pub fn sign_in(
        &mut self,
        start: &Start,
        terms: &Terms<'_>,
        at: Timestamp,
    ) -> Result<Started, Denial> {
        let decision = self.load_subject().sign_in(start, terms, &Act::authority(), at);
        self.commit(decision)
    }

    /// The subject with all its sessions.
    pub fn load_subject(&self) -> LoadedSubject {
        let all = self.sessions.values().cloned();
        let (sessions, ended) = all.partition(|session| session.end.is_none());
        LoadedSubject {
            subject: self.subject.clone(),
            sessions,
            ended,
            cutoffs: Arc::clone(&self.cutoffs),
        }
    }

    /// Commits what was decided about the subject.
    pub fn commit<R>(&mut self, decision: SubjectDecision<R>) -> R {
        self.subject = decision.subject.unwrap_or_else(|| self.subject.clone());
        let kept = decision.changed.into_iter().chain(decision.created);
        self.sessions.extend(kept.map(|session| (session.sid, session)));
        self.events.extend(decision.events);
        decision.reply
    }

    /// Whether a session may be used.
    pub fn lives(&self, sid: SessionId, policy: &ClientPolicy, at: Timestamp) -> bool {
        self.load(sid).is_some_and(|loaded| loaded.standing(policy, at) == Standing::Active)
    }

    /// Goes back to a copy under a store epoch that was never used. What the ends log remembers stays:
    /// ended sessions, and the bounds of revoked bumps.
    pub fn restore(&mut self, copy: &Self, epoch: StoreEpoch) {
        let lost = std::mem::replace(self, copy.clone());
        self.ends = lost.ends;
        let ended = lost.sessions.values().filter_map(|one| Some((one.sid, one.end.clone()?)));
        self.ends.extend(ended);
        for (sid, end) in &self.ends {
            if let Some(kept) = self.sessions.get_mut(sid) {
                let end = kept.end.clone().or_else(|| Some(end.clone()));
                *kept = Session::restore(SessionState { end, ..SessionState::clone(kept) });
            }
        }
        self.subject.epochs.revoked = lost.subject.epochs.revoked;
        self.subject.ban = lost.subject.ban;
        self.events = lost.events;
        let cutoffs = Arc::make_mut(&mut self.cutoffs);
        cutoffs.epoch = epoch;
        cutoffs.everything.revoked = lost.cutoffs.everything.revoked;
        for (client, state) in &lost.cutoffs.clients {
            let kept = cutoffs.clients.entry(client.clone()).or_default();
            (kept.epochs.revoked, kept.disabled) = (state.epochs.revoked, state.disabled);
        }
    }

    /// How many revoked events name this session.
    pub fn ends_told(&self, sid: SessionId) -> usize {
        let named = |event: &&Event| {
            event.effect == Effect::Revoked && event.target == Target::Session(sid)
        };
        self.events.iter().filter(named).count()
    }
}

fn same<R: PartialEq>(
    one: &Result<Decision<R>, Fault>,
    other: &Result<Decision<R>, Fault>,
) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => {
            one.session == other.session && one.events == other.events && one.reply == other.reply
        }
        (Err(one), Err(other)) => one == other,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    }
}
