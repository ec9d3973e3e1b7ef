//! One family in memory with its own clock: what every table of the rules is played on.

use std::sync::Arc;
use symbolon_core::binding::{Binding, KeyProof, Proof};
use symbolon_core::device::{Device, DeviceClass};
use symbolon_core::epoch::Bump;
use symbolon_core::refresh::Answer;
use symbolon_core::sign_in::Started;
use symbolon_core::{
    Act, ClientId, ClientPolicy, Cutoffs, Decision, Denial, Digest, Duration, Event, Fault,
    Generation, Grant, KeyId, Loaded, LoadedSubject, Outcome, Reason, Refresh, RefreshToken, Salt,
    Session, SessionId, SessionState, Start, StoreEpoch, Subject, SubjectDecision, SubjectState,
    Terms, Timestamp,
};

/// The key that signs at first.
pub(crate) const KEY: KeyId = KeyId([1; 12]);
/// A key that signs later.
pub(crate) const LATER_KEY: KeyId = KeyId([2; 12]);
/// The thumbprint of the device's key.
pub(crate) const DEVICE_KEY: Digest = Digest([3; 32]);
/// A thumbprint of anything else.
pub(crate) const OTHER_KEY: Digest = Digest([4; 32]);
/// An hour, in seconds.
pub(crate) const HOUR: u64 = 3600;
/// A day, in seconds.
pub(crate) const DAY: u64 = 24 * HOUR;

/// That many seconds after the sign-in, which is on a whole second.
pub(crate) fn s(seconds: u64) -> Timestamp {
    ms(seconds * 1000)
}

/// That many milliseconds after the sign-in.
pub(crate) fn ms(milliseconds: u64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000).after(Duration::from_millis(milliseconds))
}

/// Seconds, short.
pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A client by name.
pub(crate) fn client(name: &str) -> ClientId {
    ClientId::parse(name).unwrap()
}

/// The subject of every test that has but one.
pub(crate) fn subject() -> Subject {
    Subject::parse("10086").unwrap()
}

/// The name of the n-th session.
pub(crate) fn sid(n: u8) -> SessionId {
    SessionId::from_bytes([n; 16])
}

/// What a back end says to start the n-th session, on a browser.
pub(crate) fn start(n: u8) -> Start {
    Start {
        sid: sid(n),
        salt: Salt([n; 8]),
        subject: subject(),
        client: client("web"),
        device: Device { class: DeviceClass::Web, id: None, name: None },
        scope: "orders:read".into(),
        roles: None,
        claims: "".into(),
        audience: Arc::default(),
        amr: Arc::default(),
        acr: None,
        authenticated_at: None,
        expires_at: None,
        binding: Binding::default(),
        ip: None,
        user_agent: None,
        started_by: None,
    }
}

/// A subject of whom nothing is known yet.
pub(crate) fn nobody() -> LoadedSubject {
    LoadedSubject {
        subject: SubjectState::unknown(subject()),
        sessions: Vec::new(),
        ended: Vec::new(),
        cutoffs: Arc::default(),
    }
}

/// Commits a decision about a subject, as a store would.
pub(crate) fn commit<R>(house: &mut LoadedSubject, decision: &SubjectDecision<R>) {
    house.subject = decision.subject.clone().unwrap_or_else(|| house.subject.clone());
    for changed in &decision.changed {
        house.sessions.retain(|session| session.sid != changed.sid);
        house.ended.retain(|session| session.sid != changed.sid);
        match changed.end.is_none() {
            true => house.sessions.push(changed.clone()),
            false => house.ended.push(changed.clone()),
        }
    }
    house.sessions.extend(decision.created.clone());
}

/// Signs in, and commits what was decided.
pub(crate) fn sign_in(
    house: &mut LoadedSubject,
    start: &Start,
    policy: &ClientPolicy,
    at: Timestamp,
) -> (Result<Started, Denial>, Vec<Event>) {
    let terms = Terms { policy, key: KEY, keys_usable: &[KEY] };
    let decision = house.clone().sign_in(start, &terms, &Act::authority(), at);
    commit(house, &decision);
    (decision.reply, decision.events)
}

/// One family, its policy and keys, and every event committed about it.
#[derive(Clone)]
pub(crate) struct Family {
    pub(crate) loaded: Loaded,
    pub(crate) policy: ClientPolicy,
    /// The first signs.
    pub(crate) keys: Vec<KeyId>,
    pub(crate) client: ClientId,
    pub(crate) proof: Proof,
    pub(crate) events: Vec<Event>,
}

impl Family {
    /// Signed in at `s(0)`, with the default policy: grace 10 s, life 5 min, idle 14 d, absolute 90 d.
    pub(crate) fn new() -> Self {
        Self::with(&start(1), &ClientPolicy::default())
    }

    /// Signed in at `s(0)`.
    pub(crate) fn with(start: &Start, policy: &ClientPolicy) -> Self {
        let mut house = nobody();
        let (reply, _) = sign_in(&mut house, start, policy, s(0));
        let session = reply.unwrap().grant.session;
        Self {
            loaded: Loaded { session, subject: house.subject, cutoffs: house.cutoffs },
            policy: policy.clone(),
            keys: vec![KEY],
            client: start.client.clone(),
            proof: Proof::default(),
            events: Vec::new(),
        }
    }

    /// A family that was born bound to a device key that is demanded, and whose owner shows it.
    pub(crate) fn bound() -> Self {
        let policy = ClientPolicy {
            binding: all(symbolon_core::BindingMode::Enforce),
            ..ClientPolicy::default()
        };
        let binding = Binding { key: Some(DEVICE_KEY), features: None };
        let mut family = Self::with(&Start { binding, ..start(1) }, &policy);
        family.proof.key = KeyProof::Valid(DEVICE_KEY);
        family
    }

    /// The token of a generation, made in the store epoch now in force.
    pub(crate) fn token(&self, generation: u32) -> RefreshToken {
        self.token_of(self.loaded.cutoffs.epoch.0, generation)
    }

    /// The token of a generation, made in that store epoch.
    pub(crate) fn token_of(&self, epoch: u32, generation: u32) -> RefreshToken {
        let session = &self.loaded.session;
        let (epoch, generation) = (StoreEpoch(epoch), Generation(generation));
        RefreshToken::assume_genuine(epoch, session.sid, generation, session.salt)
    }

    /// What would be decided; nothing is committed.
    pub(crate) fn decide(
        &self,
        token: &RefreshToken,
        at: Timestamp,
    ) -> Result<Decision<Answer>, Fault> {
        let (act, keys) = (Act::authority(), &self.keys);
        let terms = Terms { policy: &self.policy, key: keys[0], keys_usable: keys };
        let ask = Refresh { token, client: &self.client, proof: self.proof, terms, act: &act };
        self.loaded.clone().refresh(&ask, at)
    }

    /// Presents a token and commits what was decided.
    pub(crate) fn present(&mut self, token: &RefreshToken, at: Timestamp) -> Answer {
        let decision = self.decide(token, at).unwrap();
        self.events.extend(decision.events.clone());
        self.loaded.session = decision.session.unwrap_or_else(|| self.loaded.session.clone());
        decision.reply
    }

    /// Presents a generation of this store epoch and commits what was decided.
    pub(crate) fn refresh(&mut self, generation: u32, at: Timestamp) -> Answer {
        self.present(&self.token(generation), at)
    }

    /// Presents a generation that must be granted: how, and the newest generation then.
    pub(crate) fn earns(&mut self, generation: u32, at: Timestamp) -> (Outcome, u32) {
        earned(self.refresh(generation, at))
    }

    /// Presents a generation of another store epoch that must be granted.
    pub(crate) fn earns_of(
        &mut self,
        epoch: u32,
        generation: u32,
        at: Timestamp,
    ) -> (Outcome, u32) {
        earned(self.present(&self.token_of(epoch, generation), at))
    }

    /// Presents a token of which nothing must come but this refusal, and no change.
    pub(crate) fn refuses_unchanged(&self, token: &RefreshToken, at: Timestamp) -> Denial {
        let decision = self.decide(token, at).unwrap();
        assert!(decision.session.is_none() && decision.events.is_empty(), "something changed");
        decision.reply.unwrap_err()
    }

    /// Asserts that presenting this token ends the session, with one event in the same commit.
    pub(crate) fn ends_by(&mut self, token: &RefreshToken, reason: Reason, at: Timestamp) {
        let told = self.events.len();
        assert_eq!(self.present(token, at), Err(Denial::Ended(reason)));
        assert_eq!(self.loaded.session.end.as_ref().map(|end| end.reason), Some(reason));
        assert_eq!(self.events.len(), told + 1);
        assert_eq!(self.events[told].reason, reason);
    }

    /// Presents a token of a session that is over: why. Nothing is committed.
    pub(crate) fn refuses_over(&self, token: &RefreshToken, at: Timestamp) -> Reason {
        match self.decide(token, at).unwrap().reply {
            Err(Denial::Ended(reason)) => reason,
            other => panic!("it is not over: {other:?}"),
        }
    }

    /// Ends the session as an operator would.
    pub(crate) fn kick(&mut self, reason: Reason, at: Timestamp) -> bool {
        let decision = self.loaded.clone().end(reason, &Act::authority(), &self.policy, at);
        self.events.extend(decision.events);
        self.loaded.session = decision.session.unwrap_or_else(|| self.loaded.session.clone());
        decision.reply
    }

    /// Changes what is kept of the session: a store that was restored, an import.
    pub(crate) fn rewrite(&mut self, change: impl FnOnce(&mut SessionState)) {
        let mut state = SessionState::clone(&self.loaded.session);
        change(&mut state);
        self.loaded.session = Session::restore(state);
    }

    /// Changes what stands above every subject.
    pub(crate) fn cutoffs(&mut self, change: impl FnOnce(&mut Cutoffs)) {
        change(Arc::make_mut(&mut self.loaded.cutoffs));
    }

    /// Opens a store epoch; what the store still knows stays as it is.
    pub(crate) fn open_epoch(&mut self, epoch: u32) {
        self.cutoffs(|cutoffs| cutoffs.epoch = StoreEpoch(epoch));
    }

    /// A bump in the store epoch in force.
    pub(crate) fn bump(&self, reason: Reason, at: Timestamp) -> Bump {
        Bump {
            epoch: self.loaded.cutoffs.epoch,
            reason,
            at,
            tokens_live_until: at.after(secs(600)),
            act: Act::authority(),
        }
    }

    /// Whether presenting the newest token is granted; nothing is committed.
    pub(crate) fn lives(&self, at: Timestamp) -> bool {
        let session = &self.loaded.session;
        let token = self.token_of(session.rotation.epoch.0, session.generation.0);
        self.decide(&token, at).is_ok_and(|decision| decision.reply.is_ok())
    }
}

fn earned(answer: Answer) -> (Outcome, u32) {
    let grant: Grant = answer.unwrap();
    (grant.outcome, grant.session.generation.0)
}

/// Key, features and network by the same mode.
pub(crate) fn all(mode: symbolon_core::BindingMode) -> symbolon_core::BindingPolicy {
    symbolon_core::BindingPolicy { key: mode, features: mode, network: mode }
}
