//! Ten thousand things that happen to a verifier, beside one without a cache and a mirror that is a plain map.

use crate::tokens::{AUDIENCE, ISSUED, ISSUER, claims, key, keys};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;
use symbolon_core::{Below, Effect, KeyId, Reason, StoreEpoch};
use symbolon_verify::measure::Filled;
use symbolon_verify::{
    Algorithm, KeySet, Now, Policy, Presented, Rejected, Timestamp, Type, Unknown, Verifier,
};
use symbolon_wire::feed::{Entry, Hit, TargetKey, TargetKind};
use symbolon_wire::{SigningKey, parse_key_id};

/// How many things happen in all; as many cases as make that up.
const STEPS: usize = 10_000;
const STEPS_PER_CASE: usize = 250;

/// A token, and what of it a mirror looks at.
struct Token {
    text: String,
    signer: usize,
    sub: String,
    client: String,
    jti: String,
    sid: Option<usize>,
    ver: [u64; 4],
    exp: u64,
}

static SIGNERS: LazyLock<[SigningKey; 3]> =
    LazyLock::new(|| [(); 3].map(|()| key(Algorithm::EdDsa)));
static TOKENS: LazyLock<Vec<Token>> = LazyLock::new(|| (0..24).map(issue).collect());

fn target_key(at: usize) -> TargetKey {
    TargetKey::parse(&["A", "E", "I", "M"][at].repeat(43)).unwrap()
}

fn session(at: usize) -> String {
    symbolon_wire::session_id_text(symbolon_core::SessionId::from_bytes([at as u8; 16]))
}

fn issue(at: usize) -> Token {
    let (sub, client) = (format!("s{}", at % 3), format!("c{}", at % 2));
    let (jti, sid) = (format!("j{at}"), (!at.is_multiple_of(5)).then_some(at % 4));
    let ver = [at as u64 % 2, at as u64 % 4, at as u64 % 3, 1];
    let exp = ISSUED + 60 * (1 + at as u64 % 5);
    let text = |value: &str| format!("\"{value}\"");
    let sid_text = sid.map_or(String::new(), |sid| text(&session(sid)));
    let changes = [
        ("sub", &*text(&sub)),
        ("client_id", &text(&client)),
        ("jti", &text(&jti)),
        ("sid", &sid_text),
        ("ver", &format!("{ver:?}")),
        ("exp", &exp.to_string()),
        ("tenant", "{\"id\":7}"),
    ];
    let signer = at % 3;
    let signed = SIGNERS[signer].sign(Type::AccessTokenJwt, claims(ISSUER, &changes).as_bytes());
    Token { text: signed.unwrap(), signer, sub, client, jti, sid, ver, exp }
}

fn key_set(at: usize) -> KeySet {
    let all = [&SIGNERS[0], &SIGNERS[1], &SIGNERS[2]];
    let chosen: &[&SigningKey] = match at {
        0 => &all,
        1 => &all[..2],
        2 => &all[1..],
        _ => &[all[2], all[0], all[1]],
    };
    keys(chosen)
}

fn kid(signer: usize) -> KeyId {
    parse_key_id(SIGNERS[signer].verifying_key().kid().unwrap()).unwrap()
}

/// A mirror that is a map.
#[derive(Default)]
struct Model {
    marks: BTreeMap<(String, bool), (Below, Reason, u64)>,
    /// The keys under which targets are digested: the newest, and the one before it until a second.
    newest: usize,
    previous: Option<(usize, u64)>,
    oldest: u64,
    latest: u64,
    lost: u64,
}

const NONE: Below = Below { epoch: StoreEpoch(0), counter: 0 };

impl Model {
    fn apply(&mut self, entry: &Entry) {
        let expires_at = entry.expires_at.as_seconds();
        if expires_at < self.oldest {
            return;
        }
        self.latest = self.latest.max(expires_at);
        let name = match entry.hit {
            Hit::Token(digest) => format!("token {digest:?}"),
            Hit::Session(digest) => format!("session {digest:?}"),
            Hit::Subject(digest, _) => format!("subject {digest:?}"),
            Hit::Client(digest, _) => format!("client {digest:?}"),
            Hit::Key(kid) => format!("key {kid:?}"),
            Hit::Everything(_) => "everything".into(),
        };
        let below = entry.hit.below().unwrap_or(NONE);
        let own = self.marks.entry((name, entry.effect == Effect::Stale));
        let own = own.or_insert((below, entry.reason, expires_at));
        if own.0 < below {
            (own.0, own.1) = (below, entry.reason);
        }
        own.2 = own.2.max(expires_at);
    }

    fn forget(&mut self, second: u64) {
        self.oldest = self.oldest.max(second);
        self.marks.retain(|_, (_, _, expires_at)| self.oldest <= *expires_at);
        self.previous = self.previous.filter(|(_, until)| self.oldest <= *until);
    }

    fn use_target_key(&mut self, key: usize) {
        if key == self.newest {
            return;
        }
        if let Some((previous, until)) = self.previous
            && previous != key
        {
            self.lost = self.lost.max(until + 1);
        }
        self.previous = Some((self.newest, self.latest));
        self.newest = key;
    }

    fn judge_key(&self, signer: usize) -> Option<(bool, Reason)> {
        let name = format!("key {:?}", kid(signer));
        let known =
            |stale| self.marks.get(&(name.clone(), stale)).map(|(_, reason, _)| (stale, *reason));
        known(false).or_else(|| known(true))
    }

    fn judge(&self, token: &Token) -> Option<(bool, Reason)> {
        let below = |counter| Below { epoch: StoreEpoch(token.ver[0] as u32), counter };
        let [subject, client, everything] = [1, 2, 3].map(|at| below(token.ver[at]));
        let keys = [Some(self.newest), self.previous.map(|(key, _)| key)];
        let digests = |kind: TargetKind, value: &str| {
            let named =
                |key| format!("{} {:?}", kind.as_str(), target_key(key).digest(kind, value));
            keys.into_iter().flatten().map(named).collect::<Vec<_>>()
        };
        let session = token.sid.map(session);
        let looked_up = [
            (vec![format!("key {:?}", kid(token.signer))], None),
            (session.map_or(vec![], |sid| digests(TargetKind::Session, &sid)), None),
            (digests(TargetKind::Token, &token.jti), None),
            (digests(TargetKind::Subject, &token.sub), Some(subject)),
            (digests(TargetKind::Client, &token.client), Some(client)),
            (vec!["everything".into()], Some(everything)),
        ];
        let mut hits = looked_up.iter().flat_map(|(names, counter)| {
            let pairs = names.iter().flat_map(|name| [(name, false), (name, true)]);
            pairs.filter_map(|(name, stale)| {
                let (below, reason, _) = self.marks.get(&(name.clone(), stale))?;
                counter.is_none_or(|own| own < *below).then_some((stale, *reason))
            })
        });
        let all: Vec<_> = hits.by_ref().collect();
        all.iter().find(|(stale, _)| !stale).or(all.first()).copied()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Check { token: usize, policy: usize },
    Apply(Vec<(usize, usize, bool, usize, u64)>),
    Pass(u64),
    Keys(usize),
    TargetKey(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let mark = (0..6_usize, 0..6_usize, any::<bool>(), 0..13_usize, 0..400_u64);
    let step = prop_oneof![
        20 => (0..24_usize, 0..4_usize).prop_map(|(token, policy)| Step::Check { token, policy }),
        4 => prop::collection::vec(mark, 0..3).prop_map(Step::Apply),
        2 => (0..8_u64).prop_map(Step::Pass),
        1 => (0..4_usize).prop_map(Step::Keys),
        1 => (0..3_usize).prop_map(Step::TargetKey),
    ];
    prop::collection::vec(step, STEPS_PER_CASE)
}

/// An entry about something that the tokens have.
fn entry(model: &Model, mark: &(usize, usize, bool, usize, u64)) -> Entry {
    let (kind, at, stale, reason, lives) = *mark;
    let key = target_key(model.newest);
    let below = Below { epoch: StoreEpoch(at as u32 % 2), counter: lives % 5 };
    let hit = match kind {
        0 => Hit::Token(key.digest(TargetKind::Token, &format!("j{}", at * 4))),
        1 => Hit::Session(key.digest(TargetKind::Session, &session(at % 4))),
        2 => Hit::Subject(key.digest(TargetKind::Subject, &format!("s{}", at % 3)), below),
        3 => Hit::Client(key.digest(TargetKind::Client, &format!("c{}", at % 2)), below),
        4 if at == 0 => Hit::Key(kid(0)),
        4 => Hit::Session(key.digest(TargetKind::Session, "nobody's")),
        _ => Hit::Everything(Below { epoch: StoreEpoch(0), counter: lives % 3 }),
    };
    let effect = if stale { Effect::Stale } else { Effect::Revoked };
    let expires_at = Timestamp::from_seconds(model.oldest + lives % 40);
    Entry { hit, effect, reason: Reason::ALL[reason], expires_at }
}

struct Bench {
    mirror: Filled,
    warm: Verifier,
    cold: Verifier,
    model: Model,
    keys: usize,
    second: u64,
}

impl Bench {
    fn new() -> Self {
        let builder = || Verifier::builder(ISSUER).audience(AUDIENCE);
        let mirror = Filled::new();
        mirror.use_target_key(target_key(0));
        mirror.vouch(Timestamp::from_seconds(ISSUED), Duration::ZERO);
        // So few places that tokens push each other out all the time.
        let warm = mirror.verifier(builder().cache(8), key_set(0)).unwrap();
        let cold = mirror.verifier(builder().cache(0), key_set(0)).unwrap();
        let model = Model { oldest: ISSUED, ..Model::default() };
        mirror.forget(Timestamp::from_seconds(ISSUED));
        Self { mirror, warm, cold, model, keys: 0, second: ISSUED }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Check { token, policy } => self.check(&TOKENS[*token], *policy),
            Step::Apply(marks) => {
                let entries: Vec<_> = marks.iter().map(|mark| entry(&self.model, mark)).collect();
                entries.iter().for_each(|entry| self.model.apply(entry));
                self.mirror.apply(&entries);
            }
            Step::Pass(seconds) => {
                self.second += seconds;
                self.model.forget(self.second);
                self.mirror.forget(Timestamp::from_seconds(self.second));
            }
            Step::Keys(at) => {
                self.keys = *at;
                self.warm.replace_keys(key_set(*at));
                self.cold.replace_keys(key_set(*at));
            }
            Step::TargetKey(at) => {
                self.model.use_target_key(*at);
                self.mirror.use_target_key(target_key(*at));
            }
        }
    }

    fn check(&self, token: &Token, policy: usize) {
        let (policy, trusted, otherwise) = match policy {
            0 => (Policy::offline(), true, None),
            1 => (Policy::bounded(Duration::from_secs(5)), self.trusted(), Some(Rejected::Ask)),
            _ => {
                let unknown = Rejected::Unverifiable(Unknown::Session);
                (Policy::strict(Duration::from_secs(5)), self.trusted(), Some(unknown))
            }
        };
        let now =
            Now { wall: Timestamp::from_seconds(self.second), monotonic: Duration::from_secs(5) };
        let presented = Presented::bearer(&token.text);
        let told = |verifier: &Verifier| {
            let verified = verifier.verify(&presented, &policy, now);
            verified.map(|verified| format!("{:?}", verified.claims().extra("tenant")))
        };
        let key_is_known = self.key_is_known(token.signer);
        let judged = match key_is_known {
            true => self.model.judge(token),
            // All that can be said then is what is known of the key.
            false => self.model.judge_key(token.signer),
        };
        let known = match judged {
            _ if key_is_known && token.exp <= self.second => Some(Rejected::Expired),
            Some((false, reason)) => Some(Rejected::Revoked { ended: Some(reason) }),
            Some((true, _)) => Some(Rejected::Stale),
            None if !key_is_known => Some(Rejected::Untrusted(symbolon_verify::Distrust::Key)),
            None => otherwise.filter(|_| !trusted),
        };
        // Twice, so that the second is found.
        assert_eq!(told(&self.warm).err(), known, "the first time");
        assert_eq!(told(&self.warm), told(&self.cold), "the second time");
    }

    fn key_is_known(&self, signer: usize) -> bool {
        match self.keys {
            1 => signer < 2,
            2 => 0 < signer,
            _ => true,
        }
    }

    fn trusted(&self) -> bool {
        let trusted = self.model.lost <= self.model.oldest;
        assert_eq!(self.mirror.age(Duration::from_secs(5)).is_some(), trusted);
        trusted
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases((STEPS / STEPS_PER_CASE) as u32))]

    #[test]
    fn a_cache_and_a_mirror_answer_as_a_bare_check_and_a_plain_map(steps in steps()) {
        let mut bench = Bench::new();
        steps.iter().for_each(|step| bench.step(step));
        // A whole round of the sweep, and what is kept is what the map has.
        for _ in 0..16 {
            bench.step(&Step::Pass(0));
        }
        assert_eq!(bench.mirror.len(), bench.model.marks.len());
    }
}
