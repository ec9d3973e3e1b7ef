//! Stories with many callers, played to the rules and to the model at once.

use crate::model::{Family, Say, Settings, Shown, Token};
use crate::store::Store;
use std::collections::BTreeMap;
use symbolon_core::binding::{Binding, KeyProof, Proof};
use symbolon_core::device::{Device, DeviceClass};
use symbolon_core::epoch::Bump;
use symbolon_core::refresh::Answer;
use symbolon_core::subject::Ban;
use symbolon_core::time::CLOCK_DRIFT_MAX;
use symbolon_core::{
    Act, BindingMode, BindingPolicy, ClientId, ClientPolicy, Denial, Digest, Duration, Effect,
    Fault, Generation, KeyId, Outcome, Reason, Refresh, RefreshToken, Replay, Salt, SessionId,
    Start, StoreEpoch, Subject, Terms, Timestamp,
};

/// How many sessions one story has at most.
pub const SLOTS: usize = 4;
/// The key that signs.
pub const KEY: KeyId = KeyId([1; 12]);
const DEVICE_KEY: Digest = Digest([2; 32]);
const OTHER_KEY: Digest = Digest([3; 32]);

/// What a bump hits.
#[derive(Clone, Copy, Debug)]
pub enum Above {
    /// The subject.
    Subject,
    /// The client of bearer tokens; `true`: that of bound ones.
    Client(bool),
    /// Everything.
    Everything,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Action {
    /// A session starts in this slot, bearer in the even ones and bound to a key in the odd ones.
    SignIn(usize),
    /// Somebody presents a token of this slot: the newest issued, or one that many before it.
    Present(usize, usize, Shown),
    /// Time passes, in milliseconds.
    Wait(u64),
    /// The wall clock is set this far from the boot clock, in milliseconds.
    Skew(i64),
    /// An operator ends a session.
    Kick(usize),
    /// A counter is raised.
    Bump(Above, Effect),
    /// The subject is banned, or the ban lifted.
    Ban(bool),
    /// A client is switched off or on.
    Disable(bool, bool),
    /// Another grace, in milliseconds.
    Grace(u64),
    /// Another idle timeout, in milliseconds.
    Idle(u64),
    /// Another answer to replays.
    Replay(Replay),
    /// A copy of the store is put away.
    Copy,
    /// The store goes back to a copy; without one, its primary changes and nothing is lost.
    Restore(usize),
}

/// One session in a story.
#[derive(Clone)]
pub struct Slot {
    /// Its name; the story's, so that a restored store may have forgotten it.
    pub sid: SessionId,
    /// Whether it is bound to a key.
    pub bound: bool,
    /// What the model knows of it; `None` once a restore lost it.
    pub family: Option<Family>,
    /// Every token ever handed out, in that order.
    pub issued: Vec<Token>,
    /// Whether it ended before a restore, or while one had lost it.
    over: bool,
    absolute: Timestamp,
    /// Numbers used since the store last lost anything, and when they must be dead.
    deaths: BTreeMap<u32, Timestamp>,
    latest_exp: Timestamp,
}

impl Slot {
    /// A bound ends it, even while a restored store has forgotten it.
    fn end(&mut self) {
        self.over = true;
        self.family.iter_mut().for_each(|family| family.over = true);
    }
}

/// Everything that a story is about.
pub struct World {
    /// The store that holds what the rules decided.
    pub store: Store,
    /// The sessions.
    pub slots: Vec<Slot>,
    /// The settings in force.
    pub policy: ClientPolicy,
    copies: Vec<(Store, Vec<Option<Family>>)>,
    boot: Timestamp,
    skew: i64,
    epochs: u32,
    sessions: u8,
}

impl Default for World {
    fn default() -> Self {
        Self {
            store: Store::empty(subject()),
            slots: Vec::new(),
            policy: ClientPolicy::default(),
            copies: Vec::new(),
            boot: Timestamp::from_seconds(1_800_000_000),
            skew: 0,
            epochs: 0,
            sessions: 0,
        }
    }
}

impl World {
    /// What the wall clock shows.
    pub fn now(&self) -> Timestamp {
        let ahead = u64::try_from(self.skew).unwrap_or(0);
        let behind = u64::try_from(-self.skew).unwrap_or(0);
        Timestamp::from_millis(self.boot.as_millis() + ahead - behind)
    }

    /// Plays one action and checks all that must hold whatever happens.
    ///
    /// # Panics
    /// If a rule breaks a promise, or the rules and the model disagree.
    pub fn play(&mut self, action: &Action) {
        match *action {
            Action::SignIn(slot) => self.sign_in(slot),
            Action::Present(slot, back, shown) => self.present_one(slot, back, shown),
            Action::Wait(span) => self.boot = self.boot.after(Duration::from_millis(span)),
            Action::Skew(skew) => {
                let most = i64::try_from(CLOCK_DRIFT_MAX.as_millis()).unwrap_or(i64::MAX);
                self.skew = skew.clamp(-most, most);
            }
            Action::Kick(slot) => self.kick(slot),
            Action::Bump(above, effect) => self.bump(above, effect),
            Action::Ban(true) => self.ban(),
            Action::Ban(false) => drop(self.store.subject.lift_ban()),
            Action::Disable(bound, off) => self.disable(bound, off),
            Action::Grace(grace) => self.policy.grace = Duration::from_millis(grace),
            Action::Idle(idle) => self.policy.idle = Duration::from_millis(idle),
            Action::Replay(replay) => self.policy.replay = replay,
            Action::Copy => {
                let families = self.slots.iter().map(|slot| slot.family.clone()).collect();
                self.copies.push((self.store.clone(), families));
            }
            Action::Restore(back) => self.restore(back),
        }
        self.check_ended_stay_ended();
    }

    fn sign_in(&mut self, slot: usize) {
        if slot < self.slots.len() && slot < SLOTS && self.slots[slot].family.is_some() {
            return;
        }
        self.sessions += 1;
        let (sid, bound) = (SessionId::from_bytes([self.sessions; 16]), slot % 2 == 1);
        let (policy, at) = (self.policy_of(bound), self.now());
        let terms = Terms { policy: &policy, key: KEY, keys_usable: &[KEY] };
        let started = self.store.sign_in(&start(sid, bound), &terms, at);
        assert_eq!(started.is_err(), self.store.subject.ban.is_some() || self.disabled(bound));
        let Ok(started) = started else { return };
        assert_eq!(started.displaced, [], "the limits are wide in these stories");
        let (session, epoch) = (started.grant.session, self.store.cutoffs.epoch.0);
        let absolute = session.expires_at;
        let family = Family::start(at.as_millis(), absolute.as_millis(), epoch);
        let new = Slot {
            sid,
            bound,
            family: Some(family),
            issued: vec![(epoch, 0)],
            over: false,
            absolute,
            deaths: BTreeMap::new(),
            latest_exp: started.grant.expires_at,
        };
        match self.slots.get_mut(slot) {
            Some(old) => *old = new,
            None => self.slots.push(new),
        }
    }

    fn present_one(&mut self, slot: usize, back: usize, shown: Shown) {
        let Some(held) = self.slots.get(slot) else { return };
        let token = held.issued[held.issued.len() - 1 - back % held.issued.len()];
        let shown = if held.bound { shown } else { Shown::Bearer };
        self.present(slot, token, shown).map(drop).unwrap_or(());
    }

    /// Presents a token and compares the answer with the model's.
    ///
    /// # Errors
    /// The store could not; that is never a refusal.
    ///
    /// # Panics
    /// If a promise is broken.
    pub fn present(&mut self, slot: usize, token: Token, shown: Shown) -> Result<Answer, Fault> {
        let before = self.store.clone();
        let (sid, at) = (self.slots[slot].sid, self.now());
        let answer = self.ask(slot, token, shown);
        let said = self.translate(slot, &before, &answer);
        let settings = self.settings(self.slots[slot].bound);
        let family = self.slots[slot].family.as_mut();
        let expected = family.map(|family| family.ask(token, shown, &settings, at.as_millis()));
        assert_eq!(said, expected, "{token:?} {shown:?} at {at:?}");
        for (other, session) in self.store.sessions.iter().filter(|(other, _)| **other != sid) {
            assert!(before.sessions[other] == *session, "another session changed");
        }
        if said == Some(Say::Fault) {
            assert!(before.sessions.get(&sid) == self.store.sessions.get(&sid));
        }
        let answer = answer?.unwrap_or(Err(Denial::UnknownSession));
        self.check_answer(slot, token, &answer);
        Ok(answer)
    }

    fn ask(&mut self, slot: usize, token: Token, shown: Shown) -> Result<Option<Answer>, Fault> {
        let (bound, sid, at) = (self.slots[slot].bound, self.slots[slot].sid, self.now());
        let (policy, act) = (self.policy_of(bound), Act::authority());
        let salt = Salt([sid.as_bytes()[0]; 8]);
        let token =
            RefreshToken::assume_genuine(StoreEpoch(token.0), sid, Generation(token.1), salt);
        let proof = Proof { key: proof(shown), ..Proof::default() };
        let terms = Terms { policy: &policy, key: KEY, keys_usable: &[KEY] };
        let client = client(bound);
        let ask = Refresh { token: &token, client: &client, proof, terms, act: &act };
        self.store.step(sid, |loaded| loaded.refresh(&ask, at))
    }

    fn translate(
        &self,
        slot: usize,
        before: &Store,
        answer: &Result<Option<Answer>, Fault>,
    ) -> Option<Say> {
        let sid = self.slots[slot].sid;
        let changed = || before.sessions[&sid] != self.store.sessions[&sid];
        let told = before.ends_told(sid) < self.store.ends_told(sid);
        match answer {
            Err(_) => Some(Say::Fault),
            Ok(None) => None,
            Ok(Some(Ok(grant))) => {
                let (old, new) = (&before.sessions[&sid], &self.store.sessions[&sid]);
                let moved = old.generation != new.generation;
                let kept = old.windows == new.windows && old.last_used_at == new.last_used_at;
                assert!(
                    moved || (kept && old.rotation == new.rotation),
                    "answered again is no use"
                );
                Some(Say::Newest(grant.session.generation.0, moved))
            }
            Ok(Some(Err(Denial::Ended(Reason::Replayed | Reason::BindingMismatch)))) if told => {
                Some(Say::Theft)
            }
            Ok(Some(Err(Denial::Ended(_)))) => Some(Say::Over),
            Ok(Some(Err(_))) if changed() => unreachable!("a refusal that changed something"),
            Ok(Some(Err(_))) => Some(Say::No),
        }
    }

    fn check_answer(&mut self, slot: usize, token: Token, answer: &Answer) {
        let (at, sid) = (self.now(), self.slots[slot].sid);
        let (grace, enforced) = (self.policy.grace, self.policy.replay == Replay::Enforce);
        let slot = &mut self.slots[slot];
        let Ok(grant) = answer else { return };
        let dead = slot.deaths.get(&token.1).is_some_and(|death| *death <= at);
        assert!(!dead || slot.bound || !enforced, "a dead bearer token earned something");
        let session = &self.store.sessions[&sid];
        let newest = (session.rotation.epoch.0, session.generation.0);
        assert_eq!(slot.family.as_ref().map(Family::newest), Some(newest), "one live successor");
        assert_eq!(session.expires_at, slot.absolute, "the absolute end never moves");
        assert!(grant.expires_at <= slot.absolute && grant.refresh_expires_at <= slot.absolute);
        assert!(session.windows.len() <= 8 && grant.expires_in(at) >= 1);
        if token.1 + 1 == newest.1 && grant.outcome != Outcome::Repeated {
            slot.deaths.insert(token.1, session.rotation.at.after(grace));
        }
        slot.latest_exp = slot.latest_exp.max(grant.expires_at);
        if slot.issued.last() != Some(&newest) {
            slot.issued.push(newest);
        }
    }

    fn kick(&mut self, slot: usize) {
        let Some(kicked) = self.slots.get_mut(slot) else { return };
        kicked.family.iter_mut().for_each(|family| family.over = true);
        let (sid, bound) = (kicked.sid, kicked.bound);
        let (policy, at) = (self.policy_of(bound), self.now());
        let decide = |loaded: symbolon_core::Loaded| {
            Ok(loaded.end(Reason::Kicked, &Act::authority(), &policy, at))
        };
        assert!(self.store.step(sid, decide).is_ok());
    }

    fn bump(&mut self, above: Above, effect: Effect) {
        let bump = self.because(Reason::Admin);
        let cutoffs = std::sync::Arc::make_mut(&mut self.store.cutoffs);
        let event = match above {
            Above::Subject => self.store.subject.bump(effect, &bump),
            Above::Client(bound) => cutoffs.bump_client(&client(bound), effect, &bump),
            Above::Everything => cutoffs.bump_everything(effect, &bump),
        };
        self.store.events.push(event);
        let hit = |slot: &&mut Slot| match above {
            Above::Subject | Above::Everything => effect == Effect::Revoked,
            Above::Client(bound) => effect == Effect::Revoked && slot.bound == bound,
        };
        self.slots.iter_mut().filter(hit).for_each(Slot::end);
    }

    fn ban(&mut self) {
        let (bump, since) = (self.because(Reason::Banned), self.now());
        let event = self
            .store
            .subject
            .set_ban(Ban { since, until: None, reason: Reason::Banned, note: None }, &bump);
        self.store.events.push(event);
        self.slots.iter_mut().for_each(Slot::end);
    }

    fn disable(&mut self, bound: bool, off: bool) {
        let bump = self.because(Reason::ClientDisabled);
        let cutoffs = std::sync::Arc::make_mut(&mut self.store.cutoffs);
        let event = cutoffs.set_client_disabled(&client(bound), off, &bump);
        self.store.events.extend(event);
    }

    fn restore(&mut self, back: usize) {
        self.epochs += 1;
        let last =
            (self.store.clone(), self.slots.iter().map(|slot| slot.family.clone()).collect());
        let (copy, families) = match self.copies.len() {
            0 => last,
            copies => self.copies[copies - 1 - back % copies].clone(),
        };
        self.store.restore(&copy, StoreEpoch(self.epochs));
        for (index, slot) in self.slots.iter_mut().enumerate() {
            slot.over |= slot.family.as_ref().is_some_and(|family| family.over);
            let known = copy.sessions.contains_key(&slot.sid);
            slot.family = families.get(index).cloned().flatten().filter(|_| known);
            slot.family.iter_mut().for_each(|family| family.over |= slot.over);
            slot.deaths.clear();
        }
    }

    fn check_ended_stay_ended(&self) {
        for slot in &self.slots {
            let told = self.store.ends_told(slot.sid);
            assert!(told <= 1, "one end, one event");
            let Some(family) = &slot.family else { continue };
            let lives = self.store.lives(slot.sid, &self.policy_of(slot.bound), self.now());
            assert!(!(family.over && lives), "a session that ended came back");
            for event in self.store.events.iter().filter(|_| told == 1) {
                let names_it = event.target == symbolon_core::Target::Session(slot.sid);
                assert!(!names_it || slot.latest_exp.after(CLOCK_DRIFT_MAX) <= event.expires_at);
            }
        }
    }

    fn because(&self, reason: Reason) -> Bump {
        self.store.load_subject().bump(reason, &Act::authority(), self.now())
    }

    fn disabled(&self, bound: bool) -> bool {
        self.store.cutoffs.client(&client(bound)).disabled
    }

    fn policy_of(&self, bound: bool) -> ClientPolicy {
        let key = if bound { BindingMode::Enforce } else { BindingMode::Off };
        let binding = BindingPolicy { key, ..BindingPolicy::default() };
        ClientPolicy { binding, ..self.policy.clone() }
    }

    fn settings(&self, bound: bool) -> Settings {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Settings {
            epoch: self.store.cutoffs.epoch.0,
            grace: millis(self.policy.grace),
            idle: millis(self.policy.idle),
            disabled: self.disabled(bound),
            replay: self.policy.replay,
        }
    }
}

/// Whom every story is about.
pub fn subject() -> Subject {
    Subject::parse("10086").unwrap_or_else(|_| unreachable!("a plain name"))
}

/// The client of bearer tokens; `true`: that of bound ones.
pub fn client(bound: bool) -> ClientId {
    let name = if bound { "app" } else { "web" };
    ClientId::parse(name).unwrap_or_else(|_| unreachable!("a plain name"))
}

const fn proof(shown: Shown) -> KeyProof {
    match shown {
        Shown::Bearer => KeyProof::None,
        Shown::Key => KeyProof::Valid(DEVICE_KEY),
        Shown::Wrong => KeyProof::Valid(OTHER_KEY),
        Shown::Unusable => KeyProof::Unusable,
    }
}

/// What a back end says to start a session of [`subject`].
pub fn start(sid: SessionId, bound: bool) -> Start {
    Start {
        sid,
        salt: Salt([sid.as_bytes()[0]; 8]),
        subject: subject(),
        client: client(bound),
        device: Device { class: DeviceClass::Web, id: None, name: None },
        scope: "".into(),
        roles: None,
        claims: "".into(),
        audience: Default::default(),
        amr: Default::default(),
        acr: None,
        authenticated_at: None,
        expires_at: None,
        binding: Binding { key: bound.then_some(DEVICE_KEY), features: None },
        ip: None,
        user_agent: None,
        started_by: None,
    }
}
