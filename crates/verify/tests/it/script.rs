//! An authority by script: it revokes as it is told and writes its feed with the writers of the wire.

use crate::tokens::{ISSUER, claims};
use std::time::Duration;
use symbolon_core::{
    Act, Below, Effect, Event, Reason, SessionId, Shard, StoreEpoch, Subject, Target,
};
use symbolon_verify::{Algorithm, Now, Policy, Presented, Rejected, Timestamp, Type, Verifier};
use symbolon_wire::feed::{
    BLOCK, Checkpoint, Cursor, Frame, Revocation, TargetKey, write_snapshot,
};
use symbolon_wire::{SigningKey, session_id_text};

/// When the script begins, in seconds: tokens were issued just then.
pub(crate) const BEGIN: u64 = crate::tokens::ISSUED + 10;

pub(crate) struct Script {
    pub(crate) issuer: String,
    pub(crate) key: SigningKey,
    pub(crate) epoch: StoreEpoch,
    /// Since the script began.
    pub(crate) elapsed: Duration,
    /// When the script began, by the authority's clock.
    pub(crate) begin: Timestamp,
    pub(crate) target_key: TargetKey,
    told: Vec<(Cursor, Revocation)>,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self::of(ISSUER, SigningKey::generate(Algorithm::EdDsa).unwrap())
    }

    pub(crate) fn of(issuer: &str, key: SigningKey) -> Self {
        Self {
            issuer: issuer.to_owned(),
            key,
            epoch: StoreEpoch(1),
            elapsed: Duration::ZERO,
            begin: Timestamp::from_seconds(BEGIN),
            target_key: TargetKey::parse(&"A".repeat(43)).ok().unwrap(),
            told: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.begin.after(self.elapsed)
    }

    /// How a verifier beside the authority reads its clocks.
    pub(crate) fn reading(&self) -> Now {
        Now { wall: self.now(), monotonic: Duration::from_secs(77) + self.elapsed }
    }

    pub(crate) fn pass(&mut self, milliseconds: u64) {
        self.elapsed += Duration::from_millis(milliseconds);
    }

    pub(crate) fn head(&self) -> Cursor {
        self.told.last().map_or(Cursor::block(self.epoch, 0), |(cursor, _)| *cursor)
    }

    /// Ends the session of that number.
    pub(crate) fn kick(&mut self, number: u64) {
        self.revoke(Target::Session(session(number)), Reason::Kicked);
    }

    pub(crate) fn ban(&mut self, subject: &str) {
        let below = Below { epoch: self.epoch, counter: 1 };
        let subject = Subject::parse(subject).ok().unwrap();
        self.revoke(Target::Subject(subject, below), Reason::Banned);
    }

    /// Changes what the subject may do, for the time of that number.
    pub(crate) fn change(&mut self, subject: &str, counter: u64) {
        let below = Below { epoch: self.epoch, counter };
        let subject = Subject::parse(subject).ok().unwrap();
        self.tell(Target::Subject(subject, below), Effect::Stale, Reason::PermissionsChanged);
    }

    /// Withdraws the key that signs, and takes that one in its place.
    pub(crate) fn withdraw_for(&mut self, next: SigningKey) {
        self.tell(Target::Key(self.key.kid()), Effect::Stale, Reason::KeyCompromised);
        self.key = next;
    }

    fn revoke(&mut self, target: Target, reason: Reason) {
        self.tell(target, Effect::Revoked, reason);
    }

    fn tell(&mut self, target: Target, effect: Effect, reason: Reason) {
        let event = Event {
            at: self.now(),
            target,
            whose: None,
            effect,
            reason,
            expires_at: self.now().after(Duration::from_secs(3600)),
            act: Act::authority(),
        };
        let revocation = Revocation::of(&event, &self.target_key);
        self.told.push((self.head().after(&revocation), revocation));
    }

    /// The store is restored to what it was after so many revocations, in a new epoch.
    pub(crate) fn restore(&mut self, kept: usize) {
        self.epoch = StoreEpoch(self.epoch.0 + 1);
        let mut cursor = Cursor::block(self.epoch, 0);
        self.told.truncate(kept);
        for (told, revocation) in &mut self.told {
            cursor = cursor.after(revocation);
            *told = cursor;
        }
    }

    pub(crate) fn checkpoint_of(&self, nonce: Option<&str>) -> Checkpoint {
        Checkpoint {
            iss: self.issuer.clone(),
            cursor: self.head(),
            read_at: self.now().before(Duration::from_millis(2)),
            now: self.now(),
            nonce: nonce.map(str::to_owned),
            snapshot: None,
        }
    }

    pub(crate) fn checkpoint(&self, nonce: Option<&str>) -> Frame {
        self.signed(&self.checkpoint_of(nonce))
    }

    pub(crate) fn signed(&self, checkpoint: &Checkpoint) -> Frame {
        Frame::Checkpoint(checkpoint.sign(&self.key).unwrap())
    }

    /// Every frame after that cursor, each block with its checkpoint, and one at the end; none if that is
    /// no place of this feed.
    pub(crate) fn frames(&self, after: &str) -> Option<Vec<Frame>> {
        let after = Cursor::parse(after).unwrap();
        let known = after == Cursor::block(self.epoch, 0)
            || self.told.iter().any(|(cursor, _)| *cursor == after);
        let mut frames = Vec::new();
        for (cursor, revocation) in self.told.iter().skip(after.position as usize) {
            frames.push(Frame::Revocation(*cursor, *revocation));
            if cursor.position % BLOCK == 0 && *cursor != self.head() {
                frames
                    .push(self.signed(&Checkpoint { cursor: *cursor, ..self.checkpoint_of(None) }));
            }
        }
        frames.push(self.checkpoint(None));
        known.then_some(frames)
    }

    /// The end of the first block.
    pub(crate) fn boundary(&self) -> Cursor {
        self.told[usize::try_from(BLOCK).unwrap() - 1].0
    }

    pub(crate) fn snapshot(&self) -> Vec<u8> {
        self.snapshot_read_at(self.checkpoint_of(None).read_at)
    }

    pub(crate) fn snapshot_read_at(&self, read_at: Timestamp) -> Vec<u8> {
        let records: Vec<_> = self.told.iter().map(|(_, told)| told.entry.to_record()).collect();
        write_snapshot(&self.head(), &self.target_key, &records, |digest| {
            let said = Checkpoint { snapshot: Some(digest), read_at, ..self.checkpoint_of(None) };
            said.sign(&self.key)
        })
        .unwrap()
    }

    /// A token of the session of that number, of subject 42, good for an hour.
    pub(crate) fn token(&self, number: u64) -> String {
        let sid = format!("\"{}\"", session_id_text(session(number)));
        let exp = (BEGIN + 3600).to_string();
        let claims = claims(&self.issuer, &[("sid", &sid), ("exp", &exp)]);
        self.key.sign(Type::AccessTokenJwt, claims.as_bytes()).unwrap()
    }

    /// What a verifier decides about the session of that number.
    pub(crate) fn judged(
        &self,
        verifier: &Verifier,
        number: u64,
        policy: &Policy,
    ) -> Result<(), Rejected> {
        let token = self.token(number);
        verifier.check(&Presented::bearer(&token), policy, self.reading(), |_| ())
    }
}

pub(crate) fn session(number: u64) -> SessionId {
    let mut random = [0; 14];
    random[..8].copy_from_slice(&number.to_be_bytes());
    SessionId::new(Shard([0, 0]), random)
}

pub(crate) fn text(frames: &[Frame]) -> String {
    frames.iter().map(Frame::to_text).collect()
}

pub(crate) fn kicked() -> Result<(), Rejected> {
    Err(Rejected::Revoked { ended: Some(Reason::Kicked) })
}
