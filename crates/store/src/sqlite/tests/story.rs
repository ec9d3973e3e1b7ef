//! Stories of sign-ins, ends, copies and restores with real files, held against a model that is small
//! enough to be believed: what ended is over for ever, what a restore does not know is unknown, and
//! everything else lives.

use super::Places;
use super::backup::put_api_key;
use super::restore::set_ban;
use crate::conformance::{AT, refresh, session_start, sign_in_through, token_of};
use crate::sqlite::{Restore, backup, restore};
use crate::{Kind, Store};
use proptest::prelude::*;
use std::collections::BTreeSet;
use symbolon_core::epoch::Bump;
use symbolon_core::{
    Act, Cutoffs, Denial, Duration, Effect, Event, Reason, Session, StoreEpoch, Timestamp,
};

const SUBJECTS: usize = 3;

/// Fewer than a device limit.
const SESSIONS_MAX: usize = 8;

#[derive(Clone, Copy, Debug)]
enum Step {
    SignIn(usize),
    Refresh(usize),
    Kick(usize),
    Ban(usize),
    Lift(usize),
    EndAll,
    RevokeApiKey,
    Restart,
    Copy,
    Restore(usize),
    RestoreInPlace,
}

fn an_act() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..SUBJECTS).prop_map(Step::SignIn),
        6 => any::<prop::sample::Index>().prop_map(|at| Step::Refresh(at.index(64))),
        3 => any::<prop::sample::Index>().prop_map(|at| Step::Kick(at.index(64))),
        1 => (0..SUBJECTS).prop_map(Step::Ban),
        1 => (0..SUBJECTS).prop_map(Step::Lift),
        1 => Just(Step::EndAll),
        1 => Just(Step::RevokeApiKey),
        1 => Just(Step::Restart),
        3 => Just(Step::Copy),
        4 => (0..8_usize).prop_map(Step::Restore),
        1 => Just(Step::RestoreInPlace),
    ]
}

/// What its owner knows of a session.
struct Life {
    subject: usize,
    /// With the newest token that the owner was given.
    newest: Session,
    over: bool,
}

/// A store and what must be true of it.
struct World {
    places: Places,
    store: Option<Store>,
    at: Timestamp,
    lives: Vec<Life>,
    /// Which of them the store knows.
    known: BTreeSet<usize>,
    /// What each copy knows.
    copies: Vec<BTreeSet<usize>>,
    banned: [bool; SUBJECTS],
    api_key_revoked: bool,
    epochs: BTreeSet<StoreEpoch>,
}

impl World {
    async fn begin() -> Self {
        let places = Places::new();
        put_api_key(&places, b"valid", None).await;
        let store = Some(places.open("one"));
        Self {
            places,
            store,
            at: AT,
            lives: Vec::new(),
            known: BTreeSet::new(),
            copies: Vec::new(),
            banned: [false; SUBJECTS],
            api_key_revoked: false,
            epochs: BTreeSet::new(),
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    async fn play(&mut self, act: Step) {
        self.at = self.at.after(Duration::from_secs(60));
        let some = |at: usize| (!self.lives.is_empty()).then(|| at % self.lives.len());
        match act {
            Step::SignIn(subject) => self.sign_in(subject).await,
            Step::Refresh(at) => {
                if let Some(at) = some(at) {
                    self.refresh(at).await;
                }
            }
            Step::Kick(at) => {
                if let Some(at) = some(at) {
                    self.kick(at).await;
                }
            }
            Step::Ban(subject) => {
                set_ban(self.store(), &name(subject), true).await;
                self.banned[subject] = true;
                self.end(|life| life.subject == subject);
            }
            Step::Lift(subject) => {
                set_ban(self.store(), &name(subject), false).await;
                self.banned[subject] = false;
            }
            Step::EndAll => {
                let at = self.at;
                let bump = |mut all: Cutoffs| {
                    let event = end_all(&mut all, at);
                    Ok((all, vec![event], ()))
                };
                self.store().bump(bump).await.unwrap();
                self.end(|_| true);
            }
            Step::RevokeApiKey if !self.api_key_revoked => {
                put_api_key(&self.places, b"revoked", Some(1)).await;
                self.api_key_revoked = true;
            }
            Step::RevokeApiKey => {}
            Step::Restart => {
                self.store = None;
                self.store = Some(self.places.open("one"));
            }
            Step::Copy => self.copy(),
            Step::Restore(at) => self.restore(at),
            Step::RestoreInPlace => self.put_back(None),
        }
    }

    async fn sign_in(&mut self, subject: usize) {
        let of_subject = self.lives.iter().filter(|life| life.subject == subject);
        if self.banned[subject] || of_subject.count() == SESSIONS_MAX {
            return;
        }
        let number = u32::try_from(self.lives.len()).unwrap();
        let started = sign_in_through(self.store(), &session_start(&name(subject), number)).await;
        self.known.insert(self.lives.len());
        self.lives.push(Life { subject, newest: started.grant.session, over: false });
    }

    /// Its owner renews.
    async fn refresh(&mut self, at: usize) {
        let life = &self.lives[at];
        let answer = refresh(self.store(), &token_of(&life.newest), self.at).await;
        match answer {
            Ok(grant) => {
                assert!(!life.over, "session {at} is back");
                assert!(self.known.contains(&at), "session {at} was not in the copy");
                self.lives[at].newest = grant.session;
            }
            Err(Denial::UnknownSession) => assert!(!self.known.contains(&at)),
            Err(denial) => assert!(life.over, "session {at} was signed out: {denial:?}"),
        }
    }

    async fn kick(&mut self, at: usize) {
        let (act, policy) = (Act::authority(), crate::conformance::policy());
        let kick =
            |loaded: symbolon_core::Loaded| Ok(loaded.end(Reason::Kicked, &act, &policy, self.at));
        let sid = self.lives[at].newest.sid;
        if self.store().step(sid, kick).await.unwrap().is_some() {
            self.lives[at].over = true;
        }
    }

    fn end(&mut self, hit: impl Fn(&Life) -> bool) {
        self.lives.iter_mut().filter(|life| hit(life)).for_each(|life| life.over = true);
    }

    fn copy(&mut self) {
        let to = self.places.path(&format!("copy{}", self.copies.len()));
        backup(&self.places.path("one"), &to, self.at, |_, _| {}).unwrap();
        self.copies.push(self.known.clone());
    }

    fn restore(&mut self, at: usize) {
        if !self.copies.is_empty() {
            self.put_back(Some(at % self.copies.len()));
        }
    }

    fn put_back(&mut self, copy: Option<usize>) {
        self.store = None;
        let from = copy.map(|copy| self.places.path(&format!("copy{copy}")));
        let at = self.at;
        let what = Restore { copy: from.as_deref(), without_ends_log: false, dry_run: false, at };
        let nothing = |_: &mut Cutoffs| Vec::<Event>::new();
        let restored = restore(&self.places.path("one"), &what, nothing).unwrap();
        assert!(self.epochs.insert(restored.epoch), "no epoch opens twice");
        if let Some(copy) = copy {
            self.known.clone_from(&self.copies[copy]);
        }
        let store = self.places.open("one");
        assert_eq!(store.cutoffs().epoch, restored.epoch, "the restore left nothing to do");
        self.store = Some(store);
    }

    async fn check(&mut self) {
        for at in 0..self.lives.len() {
            self.refresh(at).await;
        }
        for (subject, banned) in self.banned.iter().enumerate() {
            let state = super::restore::state_of(self.store(), &name(subject)).await;
            assert_eq!(state.ban.is_some(), *banned, "subject {subject}");
        }
        let key = self.store().record(Kind::ApiKey, "k").await.unwrap().unwrap();
        assert_eq!(key.value == b"revoked", self.api_key_revoked);
    }
}

fn name(subject: usize) -> String {
    format!("subject {subject}")
}

fn end_all(all: &mut Cutoffs, at: Timestamp) -> Event {
    let (epoch, act) = (all.epoch, Act::authority());
    let bump = Bump { epoch, reason: Reason::Admin, at, tokens_live_until: at, act };
    all.bump_everything(Effect::Revoked, &bump)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn through_any_number_of_restores_the_ended_stay_ended_and_the_others_live(
        acts in proptest::collection::vec(an_act(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::begin().await;
            for act in acts {
                world.play(act).await;
            }
            world.check().await;
        });
    }
}
