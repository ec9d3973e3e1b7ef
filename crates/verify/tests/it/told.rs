//! What is made of an authority's answers about opaque tokens, beside a model that knows the order of everything.
//!
//! The model never looks at a counter: it knows at which place of its log the authority stood when it answered, and an
//! answer is worth something as long as nothing was applied that concerns it and stands behind that place.

use crate::tokens::{AUDIENCE, ISSUED, ISSUER, claims, key, keys};
use proptest::prelude::*;
use std::sync::LazyLock;
use std::time::Duration;
use symbolon_core::{Below, Effect, Reason, Salt, SessionId, StoreEpoch};
use symbolon_verify::measure::{Filled, tell};
use symbolon_verify::{
    Algorithm, Distrust, Now, Policy, Presented, Rejected, Timestamp, Unknown, Verifier,
};
use symbolon_wire::feed::{Entry, Hit, TargetKey, TargetKind};
use symbolon_wire::{HandleKind, MasterKey, SigningKey, session_id_text};

/// How many sessions there are; two of each subject.
const SESSIONS: usize = 4;

/// How long an answer is good for, in seconds.
const LIFE: u64 = 300;

static SIGNER: LazyLock<SigningKey> = LazyLock::new(|| key(Algorithm::EdDsa));

fn sid(session: usize) -> SessionId {
    SessionId::from_bytes([session as u8 + 1; 16])
}

pub(crate) fn opaque(sid: SessionId) -> String {
    let master = MasterKey::parse("q83vASNFZ4mrze8BI0VniRI0VniavN7wD-Hh8NLDtKU").ok().unwrap();
    let keys = master.handle_keys();
    keys.mint(HandleKind::AccessToken, sid, Salt([7; 8])).expose().to_owned()
}

fn target_key() -> TargetKey {
    TargetKey::parse(&"A".repeat(43)).unwrap()
}

/// The body of an answer: the claims of [`claims`] with these changes.
pub(crate) fn active(issuer: &str, changes: &[(&str, &str)]) -> String {
    claims(issuer, changes).replacen('{', "{\"active\":true,\"token_type\":\"Bearer\",", 1)
}

/// What happened, in the order of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    End(usize),
    Ban(usize),
    Roles(usize),
    Client,
    Everything,
}

impl Act {
    fn effect(self) -> Effect {
        match self {
            Self::End(_) | Self::Ban(_) => Effect::Revoked,
            Self::Roles(_) | Self::Client | Self::Everything => Effect::Stale,
        }
    }

    fn reason(self) -> Reason {
        match self {
            Self::End(_) => Reason::Kicked,
            Self::Ban(_) => Reason::Banned,
            Self::Roles(_) => Reason::PermissionsChanged,
            Self::Client | Self::Everything => Reason::Admin,
        }
    }

    fn concerns(self, session: usize) -> bool {
        match self {
            Self::End(own) => own == session,
            Self::Ban(subject) | Self::Roles(subject) => subject == session / 2,
            Self::Client | Self::Everything => true,
        }
    }
}

/// The authority: its log, and the counters that come of it.
#[derive(Default)]
struct Authority {
    log: Vec<Act>,
    subjects: [u64; SESSIONS / 2],
    client: u64,
    everything: u64,
}

impl Authority {
    fn does(&mut self, act: Act) -> Entry {
        let below = |counter: &mut u64| {
            *counter += 1;
            Below { epoch: StoreEpoch(1), counter: *counter }
        };
        let key = target_key();
        let subject = |at: usize| key.digest(TargetKind::Subject, &format!("s{at}"));
        let hit = match act {
            Act::End(session) => Hit::Session(key.digest_session(sid(session))),
            Act::Ban(at) | Act::Roles(at) => {
                Hit::Subject(subject(at), below(&mut self.subjects[at]))
            }
            Act::Client => {
                Hit::Client(key.digest(TargetKind::Client, "web"), below(&mut self.client))
            }
            Act::Everything => Hit::Everything(below(&mut self.everything)),
        };
        self.log.push(act);
        let expires_at = Timestamp::from_seconds(ISSUED + 1_000_000);
        Entry { hit, effect: act.effect(), reason: act.reason(), expires_at }
    }

    fn answer(&self, session: usize, second: u64) -> Answer {
        let is_over = |act: &Act| act.effect() == Effect::Revoked && act.concerns(session);
        let ver = format!("[1,{},{},{}]", self.subjects[session / 2], self.client, self.everything);
        let exp = second + LIFE;
        let changes = [
            ("sub", &*format!("\"s{}\"", session / 2)),
            ("sid", &format!("\"{}\"", session_id_text(sid(session)))),
            ("iat", &second.to_string()),
            ("exp", &exp.to_string()),
            ("ver", &ver),
        ];
        let is_active = !self.log.iter().any(is_over);
        let body = if is_active { active(ISSUER, &changes) } else { r#"{"active":false}"#.into() };
        Answer { session, place: self.log.len(), exp, is_active, body }
    }
}

/// An answer on its way, and at which place of the log it was given.
#[derive(Clone)]
struct Answer {
    session: usize,
    place: usize,
    exp: u64,
    is_active: bool,
    body: String,
}

#[derive(Clone, Debug)]
enum Step {
    Act(Act),
    Apply(usize),
    Ask(usize),
    Deliver(usize),
    Check(usize),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let act = prop_oneof![
        2 => (0..SESSIONS).prop_map(Act::End),
        1 => (0..SESSIONS / 2).prop_map(Act::Ban),
        8 => (0..SESSIONS / 2).prop_map(Act::Roles),
        2 => Just(Act::Client),
        2 => Just(Act::Everything),
    ];
    let step = prop_oneof![
        3 => act.prop_map(Step::Act),
        4 => (1..3_usize).prop_map(Step::Apply),
        8 => (0..SESSIONS).prop_map(Step::Ask),
        8 => any::<usize>().prop_map(Step::Deliver),
        12 => (0..SESSIONS).prop_map(Step::Check),
        1 => (0..200_u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 60)
}

/// A verifier, and what the model knows of it.
struct Bench {
    mirror: Filled,
    verifier: Verifier,
    authority: Authority,
    on_the_way: Vec<Entry>,
    answers: Vec<Answer>,
    applied: usize,
    kept: [Option<Answer>; SESSIONS],
    second: u64,
}

impl Bench {
    fn new() -> Self {
        let mirror = Filled::new();
        mirror.use_target_key(target_key());
        mirror.vouch(Timestamp::from_seconds(ISSUED), Duration::ZERO);
        let builder = Verifier::builder(ISSUER).audience(AUDIENCE);
        let verifier = mirror.asking(builder, keys(&[&SIGNER])).unwrap();
        Self {
            mirror,
            verifier,
            authority: Authority::default(),
            on_the_way: Vec::new(),
            answers: Vec::new(),
            applied: 0,
            kept: [const { None }; SESSIONS],
            second: ISSUED,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Act(act) => self.on_the_way.push(self.authority.does(*act)),
            Step::Apply(count) => {
                let count = self.on_the_way.len().min(*count);
                let entries: Vec<_> = self.on_the_way.drain(..count).collect();
                self.mirror.apply(&entries);
                self.applied += count;
            }
            Step::Ask(session) => self.answers.push(self.authority.answer(*session, self.second)),
            Step::Deliver(at) if !self.answers.is_empty() => {
                self.deliver(self.answers[at % self.answers.len()].clone());
            }
            Step::Deliver(_) => {}
            Step::Check(session) => self.check(*session),
            Step::Pass(seconds) => self.second += seconds,
        }
    }

    /// What was applied that concerns a session and stands behind the place of an answer.
    fn behind(&self, answer: &Answer) -> Option<Act> {
        let newer = &self.authority.log[answer.place.min(self.applied)..self.applied];
        let concerns = |act: &&Act| act.concerns(answer.session);
        let revoked = newer.iter().filter(concerns).find(|act| act.effect() == Effect::Revoked);
        revoked.or_else(|| newer.iter().find(concerns)).copied()
    }

    fn deliver(&mut self, answer: Answer) {
        let token = opaque(sid(answer.session));
        let told = tell(&self.verifier, &token, answer.body.as_bytes(), &strict(), self.now());
        let told = told.map(|told| told.is_some());
        let expected = match self.behind(&answer) {
            _ if !answer.is_active || answer.exp <= self.second => {
                Err(Rejected::Unverifiable(Unknown::Session))
            }
            Some(act) if act.effect() == Effect::Revoked => Err(over(act)),
            Some(_) => Ok(false),
            None => Ok(true),
        };
        match (&told, &expected) {
            // Which of two ends is told first is the mirror's order, not the log's.
            (Err(Rejected::Revoked { .. }), Err(Rejected::Revoked { .. })) => {}
            _ => assert_eq!(told, expected),
        }
        if told == Ok(true) {
            let session = answer.session;
            self.kept[session] = Some(answer);
        }
    }

    fn check(&self, session: usize) {
        let token = opaque(sid(session));
        let presented = Presented::bearer(&token);
        let checked =
            self.verifier.check(&presented, &strict(), self.now(), |claims| claims.ver.subject);
        let known = self.kept[session].as_ref().map(|kept| (kept, self.behind(kept)));
        match known {
            Some((_, Some(act))) if act.effect() == Effect::Revoked => {
                assert!(matches!(checked, Err(Rejected::Revoked { .. })), "{checked:?}");
            }
            Some((kept, None)) if self.second < kept.exp => assert!(checked.is_ok(), "{checked:?}"),
            Some(_) | None => assert_eq!(checked, Err(Rejected::Ask)),
        }
    }

    fn now(&self) -> Now {
        let wall = Timestamp::from_seconds(self.second);
        Now { wall, monotonic: Duration::from_secs(1) }
    }
}

fn over(act: Act) -> Rejected {
    Rejected::Revoked { ended: Some(act.reason()) }
}

fn strict() -> Policy {
    Policy::strict(Duration::from_secs(5))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn however_answers_race_with_events_none_is_believed_once_something_newer_is_known(
        steps in steps(),
    ) {
        let mut bench = Bench::new();
        steps.iter().for_each(|step| bench.step(step));
    }
}

fn asking() -> Verifier {
    let mirror = Filled::new();
    mirror.use_target_key(target_key());
    mirror.vouch(Timestamp::from_seconds(ISSUED), Duration::ZERO);
    mirror.asking(Verifier::builder(ISSUER).audience(AUDIENCE), keys(&[&SIGNER])).unwrap()
}

fn at(second: u64) -> Now {
    Now { wall: Timestamp::from_seconds(ISSUED + second), monotonic: Duration::from_secs(1) }
}

/// What becomes of an answer about the session whose name is all zeros.
fn told(verifier: &Verifier, body: &str) -> Result<bool, Rejected> {
    let token = opaque(SessionId::from_bytes([0; 16]));
    let told = tell(verifier, &token, body.as_bytes(), &Policy::default(), at(10));
    told.map(|told| told.is_some())
}

#[test]
fn an_answer_that_is_not_about_the_token_is_no_answer_and_is_not_kept() {
    let verifier = asking();
    let none = Err(Rejected::Unverifiable(Unknown::Session));
    let other = format!("\"{}\"", session_id_text(SessionId::from_bytes([1; 16])));
    for body in [
        "",
        "{}",
        r#"{"active":true}"#,
        r#"{"active":"true"}"#,
        r#"{"active":false}"#,
        &active(ISSUER, &[("sid", &other)]),
        &active(ISSUER, &[("sid", "")]),
        &active(ISSUER, &[("client_id", "")]),
        &active(ISSUER, &[("ver", "")]),
        &active(ISSUER, &[("jti", "")]),
        &active(ISSUER, &[("exp", &(ISSUED + 10).to_string())]),
    ] {
        assert_eq!(told(&verifier, body), none, "{body}");
    }
    let foreign = active("https://id.example.org", &[]);
    assert_eq!(told(&verifier, &foreign), Err(Rejected::Untrusted(Distrust::Issuer)));
    let elsewhere = active(ISSUER, &[("aud", "\"other-api\"")]);
    assert_eq!(told(&verifier, &elsewhere), Err(Rejected::Untrusted(Distrust::Audience)));
    let bound = active(ISSUER, &[("cnf", &format!("{{\"jkt\":\"{}\"}}", "A".repeat(43)))]);
    assert_eq!(told(&verifier, &bound), Err(Rejected::Binding));
    let token = opaque(SessionId::from_bytes([0; 16]));
    let check = || verifier.check(&Presented::bearer(&token), &Policy::default(), at(10), |_| ());
    assert_eq!(check(), Err(Rejected::Ask));
    assert_eq!(told(&verifier, &active(ISSUER, &[])), Ok(true));
    assert_eq!(check(), Ok(()));
}

#[test]
fn an_answer_is_believed_until_its_exp_and_no_leeway_makes_that_longer() {
    let verifier = asking();
    assert_eq!(told(&verifier, &active(ISSUER, &[])), Ok(true));
    let token = opaque(SessionId::from_bytes([0; 16]));
    let policy = Policy::strict(Duration::from_secs(5)).leeway(Duration::from_secs(60));
    let check = |second| verifier.check(&Presented::bearer(&token), &policy, at(second), |_| ());
    assert_eq!((check(299), check(300)), (Ok(()), Err(Rejected::Ask)));
    // Set back far enough, a clock says that the answer comes from the future.
    let early = Now { wall: Timestamp::from_seconds(ISSUED - 61), ..at(0) };
    let early = verifier.check(&Presented::bearer(&token), &policy, early, |_| ());
    assert_eq!(early, Err(Rejected::Untrusted(Distrust::NotYet)));
}

#[test]
fn a_route_that_is_closed_while_the_mirror_is_old_asks_nobody() {
    let verifier = asking();
    let token = opaque(SessionId::from_bytes([0; 16]));
    let later = Now { monotonic: Duration::from_secs(60), ..at(10) };
    let check =
        |policy: &Policy| verifier.check(&Presented::bearer(&token), policy, later, |_| ()).err();
    assert_eq!(check(&strict()), Some(Rejected::Unverifiable(Unknown::Session)));
    assert_eq!(check(&Policy::default()), Some(Rejected::Ask));
    assert_eq!(check(&Policy::offline()), Some(Rejected::Ask));
}

#[test]
fn the_whole_token_is_compared_and_scopes_are_checked_at_every_use() {
    let verifier = asking();
    assert_eq!(told(&verifier, &active(ISSUER, &[])), Ok(true));
    let token = opaque(SessionId::from_bytes([0; 16]));
    let check = |token: &str, policy: &Policy| {
        verifier.check(&Presented::bearer(token), policy, at(10), |claims| claims.sub.to_owned())
    };
    let orders = Policy::default().scope("orders:read").role("clerk");
    assert_eq!(check(&token, &orders).as_deref(), Ok("42"));
    let needed = "orders:write".into();
    let refused = check(&token, &Policy::default().scope("orders:write"));
    assert_eq!(refused, Err(Rejected::InsufficientScope { needed }));
    // The same session, and a tag that nobody has asked about.
    let last = if token.ends_with('A') { "E" } else { "A" };
    let other = format!("{}{last}", &token[..token.len() - 1]);
    assert_ne!(check(&other, &orders).as_deref(), Ok("42"));
}

#[test]
fn a_verifier_with_nobody_to_ask_says_so_and_text_of_another_form_is_malformed() {
    let verifier = crate::tokens::verifier(&SIGNER);
    let token = opaque(SessionId::from_bytes([0; 16]));
    let check = |token: &str| {
        verifier.check(&Presented::bearer(token), &Policy::offline(), at(10), |_| ()).err()
    };
    assert_eq!(check(&token), Some(Rejected::Unverifiable(Unknown::Opaque)));
    for text in ["sym_at_", "sym_at_AAAA", &format!("{token}A"), &token[..62], "sym_gs_AAAA"] {
        assert!(matches!(check(text), Some(Rejected::Malformed(_))), "{text}");
    }
}
