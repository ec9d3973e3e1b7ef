//! The authority's keys: read from the store, or made on the first start, and sealed at rest.

mod brought;
mod described;
mod encrypted;
mod ring;
#[cfg(test)]
mod tests;

pub use brought::{brought_wrong, pem_key};
pub use ring::{PER_ALGORITHM_MAX, Ring, RingKey, Wanted};

use crate::config::Config;
use brought::{FromFile, Shared};
use encrypted::Sealing;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use symbolon_core::credentials::ClientGrant;
use symbolon_core::imprint::Imprints;
use symbolon_core::signing::Wish;
use symbolon_core::{
    ClientId, ClientPolicy, Duration, Fault, Grant, KeyId, KeyState, Terms, Timestamp,
};
use symbolon_store::{Kind, Store};
use symbolon_wire::feed::{Checkpoint, TargetKey};
use symbolon_wire::{
    Algorithm, ApiKeyDigests, Claims, CryptoFailed, CsrfKey, DigestKey, DpopNonces, ExtraClaims,
    HandleKeys, HandleKind, ImportedTokens, IssueError, Issued, JtiKey, KeySet, Malformed,
    MasterKey, OneTimeKeys, ParsedClaims, Payload, RefreshTokenKeys, Sealer, SealingKey,
    SecretText, ShardKey, SigningKey, Type, imprints, key_id_text, key_set_json, verify,
};

/// Whom an access token is for, and what they can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipients {
    /// The `aud` claim.
    pub names: Arc<[Arc<str>]>,
    /// Whose key they verify it with.
    pub signer: Signer,
    /// The `typ` that they expect.
    pub typ: Type,
}

/// Which keys sign a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The authority's own, of this algorithm.
    Own(Algorithm),
    /// The secret that this audience shares with us.
    Shared(Arc<str>),
}

/// Where a signing key comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The authority made it.
    Own,
    /// From a file that the configuration names.
    File,
}

/// A signing key, as operators see it.
#[derive(Clone, Debug)]
pub struct KeyView {
    /// Its name.
    pub kid: KeyId,
    /// What it signs with.
    pub alg: Algorithm,
    /// What it does now.
    pub state: KeyState,
    /// Where it comes from.
    pub source: Source,
    /// When it was made; `None`: somebody brought it.
    pub made_at: Option<Timestamp>,
    /// From when on it signs; `None`: somebody brought it.
    pub current_from: Option<Timestamp>,
    /// When the next one takes its place, if that is known.
    pub retires_at: Option<Timestamp>,
}

/// Every key that the authority works with.
pub struct Keys {
    /// Mints and opens refresh tokens.
    pub refresh_tokens: RefreshTokenKeys,
    /// The keys of handles.
    pub handles: HandleKeys,
    /// The key of the tokens that pages show beside their cookie.
    pub csrf: CsrfKey,
    /// The keys of one-time credentials.
    pub one_time: OneTimeKeys,
    /// The nonces that proofs of a key repeat.
    pub dpop_nonces: DpopNonces,
    /// Knows refresh tokens of other systems by a digest.
    pub imported_tokens: ImportedTokens,
    /// Gives subjects their shard.
    pub shards: ShardKey,
    /// Knows API keys by their digest.
    pub api_keys: ApiKeyDigests,
    /// Recognises the bodies of idempotent requests.
    pub idempotency: DigestKey,
    /// Digests the targets of revocations.
    pub targets: TargetKey,
    master: Arc<MasterKey>,
    jti: JtiKey,
    ring: Ring,
    /// What the keys of the ring did when this was opened.
    states: Vec<(KeyId, KeyState)>,
    own: Vec<SigningKey>,
    files: Vec<FromFile>,
    shared: Vec<Shared>,
    sealing: Vec<Sealing>,
    token_sealing: SealingKey,
    /// Who may sign for whom; the last one signs now.
    usable: Vec<(Signer, Vec<KeyId>)>,
    verifying: KeySet,
    jwks: Arc<str>,
    /// The keys that took the place of these.
    next: OnceLock<Arc<Self>>,
}

impl Keys {
    /// Reads the signing keys, and makes those that an audience needs and that are not there, or are due.
    ///
    /// # Errors
    /// The store failed, its keys were sealed under another master key, or a file of the configuration is
    /// not what it should be.
    pub async fn open(
        master: Arc<MasterKey>,
        store: &Store,
        config: &Config,
        at: Timestamp,
    ) -> Result<Self, KeysUnavailable> {
        Self::turned(master, store, config, (BTreeMap::new(), at)).await
    }

    /// The same keys as they are at `at`, under this configuration, with what is wished beside the plan.
    ///
    /// # Errors
    /// As [`Self::open`]'s; an algorithm has [`PER_ALGORITHM_MAX`] keys.
    pub async fn turn(
        &self,
        store: &Store,
        config: &Config,
        wishes: BTreeMap<Algorithm, Wish>,
        at: Timestamp,
    ) -> Result<Self, KeysUnavailable> {
        Self::turned(Arc::clone(&self.master), store, config, (wishes, at)).await
    }

    async fn turned(
        master: Arc<MasterKey>,
        store: &Store,
        config: &Config,
        (wishes, at): (BTreeMap<Algorithm, Wish>, Timestamp),
    ) -> Result<Self, KeysUnavailable> {
        let files = brought::from_files(&config.signing_keys)?;
        let algorithms = own_algorithms(config, &files);
        let wanted = Wanted { algorithms: &algorithms, plan: &config.keys, wishes, at };
        let sealer = master.sealer();
        let ring = Ring::turn(store, &sealer, &wanted).await?;
        let own = opened(store, &sealer, &ring).await?;
        let shared = brought::secrets(&config.audiences)?;
        let sealing = encrypted::sealing(&config.audiences)?;
        let verifying = own.iter().chain(files.iter().map(|file| &file.key));
        let verifying: Vec<_> = verifying.map(SigningKey::verifying_key).collect();
        let public = own.iter().chain(files.iter().map(|file| &file.key));
        let public: Vec<_> = public.filter_map(SigningKey::public_jwk).collect();
        let states = ring.states(at);
        Ok(Self {
            refresh_tokens: master.refresh_token_keys(0, 0),
            handles: master.handle_keys(),
            csrf: master.csrf_key(),
            one_time: master.one_time_keys(),
            dpop_nonces: master.dpop_nonces(),
            imported_tokens: master.imported_tokens(),
            shards: master.shard_key(),
            api_keys: master.api_key_digests(),
            idempotency: master.idempotency_digest_key(),
            targets: master.target_key(),
            jti: master.jti_key(),
            usable: usable(&ring, &states, &files, &shared),
            jwks: key_set_json(&public).into(),
            verifying: KeySet::from_keys(verifying)?,
            next: OnceLock::new(),
            token_sealing: master.token_sealing_key(),
            sealing,
            master,
            ring,
            states,
            own,
            files,
            shared,
        })
    }

    /// Says which keys take the place of these.
    pub fn followed_by(&self, next: &Arc<Self>) {
        // Whoever was first is right: keys are put in place one after the other.
        let _ = self.next.set(Arc::clone(next));
    }

    /// The keys that are in place now: for a request that began under a key which was revoked meanwhile.
    pub fn newest(self: &Arc<Self>) -> Arc<Self> {
        let mut newest = self;
        while let Some(next) = newest.next.get() {
            newest = next;
        }
        Arc::clone(newest)
    }

    /// Whether the keys should be opened anew: one of them does something else now, another process turned
    /// them, one is due, or one was revoked.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn are_outdated(
        &self,
        store: &Store,
        config: &Config,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        let cutoffs = store.cutoffs();
        let due = |alg: &Algorithm| {
            symbolon_core::signing::due(&self.ring.lives(*alg), &config.keys, at).is_some()
        };
        Ok(self.states != self.ring.states(at)
            || own_algorithms(config, &self.files).iter().any(due)
            || self.states.iter().any(|(kid, _)| cutoffs.keys.contains_key(kid))
            || self.ring.is_outdated(store).await?)
    }

    /// The terms under which a client's grant for these recipients is made; `None` if no key signs for them.
    pub fn terms<'a>(&'a self, policy: &'a ClientPolicy, signer: &Signer) -> Option<Terms<'a>> {
        let (_, usable) = self.usable.iter().find(|(own, _)| own == signer)?;
        Some(Terms { policy, key: *usable.last()?, keys_usable: usable })
    }

    /// The public keys, as published (RFC 7517 §5).
    pub fn jwks(&self) -> Arc<str> {
        Arc::clone(&self.jwks)
    }

    /// The algorithms that tokens may be signed with.
    pub fn algorithms(&self) -> BTreeSet<Algorithm> {
        let of = |signer: &Signer| match signer {
            Signer::Own(alg) => *alg,
            Signer::Shared(_) => Algorithm::Hs256,
        };
        self.usable.iter().map(|(signer, _)| of(signer)).collect()
    }

    /// The algorithms whose keys the authority makes and turns itself.
    pub fn turning(&self, config: &Config) -> Vec<Algorithm> {
        own_algorithms(config, &self.files)
    }

    /// The contents of a text that one of these keys signed, and that is for nobody else than who holds the
    /// key. Whether it is in force is another question.
    pub fn verify(&self, text: &str) -> Option<Payload<'_>> {
        let opened = self.opened(text);
        let text = opened.as_ref().map_or(text, SecretText::expose);
        let own = Algorithm::ALL.into_iter().filter(|alg| !alg.is_symmetric());
        let own = own.filter_map(|alg| verify(&self.verifying, alg, text).ok()).next();
        own.or_else(|| self.shared.iter().find_map(|shared| shared.verify(text)))
    }

    /// The signing keys: the authority's own by age, then those from files.
    pub fn views(&self, at: Timestamp) -> Vec<KeyView> {
        let own = self.ring.keys().iter().map(|key| {
            let lives = self.ring.lives(key.alg);
            let shadowed = self.files.iter().any(|file| file.signs_with(key.alg));
            let planned = symbolon_core::signing::state(&key.life, &lives, at);
            let state = match planned == KeyState::Current && shadowed {
                true => KeyState::Retiring,
                false => planned,
            };
            KeyView {
                kid: key.life.kid,
                alg: key.alg,
                state,
                source: Source::Own,
                made_at: Some(key.made_at),
                current_from: Some(key.life.current_from),
                retires_at: symbolon_core::signing::retires_at(&key.life, &lives),
            }
        });
        own.chain(self.files.iter().map(FromFile::view)).collect()
    }

    /// How long the key of each algorithm has signed, of those that turn here.
    pub fn ages(&self, at: Timestamp) -> Vec<(Algorithm, Duration)> {
        let own = self.views(at).into_iter().filter(|key| key.state == KeyState::Current);
        own.filter_map(|key| Some((key.alg, at.since(key.current_from?)))).collect()
    }

    /// A checkpoint of the feed as text, signed by a key that is published: whoever shares a secret with us
    /// could sign one with that too. A key of EdDSA is always there.
    ///
    /// # Errors
    /// The library failed.
    pub fn sign_checkpoint(&self, checkpoint: &Checkpoint) -> Result<String, CryptoFailed> {
        let published = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256].map(Signer::Own);
        let of = |signer: &Signer| self.usable.iter().find(|(own, _)| own == signer);
        let (_, kids) = published.iter().find_map(of).ok_or(CryptoFailed)?;
        checkpoint.sign(self.signing(*kids.last().ok_or(CryptoFailed)?)?)
    }

    /// The key that signs what was granted.
    fn signing(&self, kid: KeyId) -> Result<&SigningKey, CryptoFailed> {
        let files = self.files.iter().map(|file| &file.key);
        let shared = self.shared.iter().map(|shared| &shared.key);
        let mut all = self.own.iter().chain(files).chain(shared);
        all.find(|key| key.kid() == kid).ok_or(CryptoFailed)
    }

    /// The refresh token of a grant.
    pub fn refresh_token(&self, grant: &Grant) -> SecretText {
        let session = &grant.session;
        let epoch = session.rotation.epoch;
        self.refresh_tokens.mint(epoch, session.sid, session.generation, session.salt)
    }

    /// The handle of that kind of a grant's session.
    pub fn handle(&self, kind: HandleKind, grant: &Grant) -> SecretText {
        self.handles.mint(kind, grant.session.sid, grant.session.salt)
    }

    /// The access token of a grant.
    ///
    /// # Errors
    /// It would be longer than 4 KiB, or the library failed.
    pub fn access_token(
        &self,
        issuer: &str,
        grant: &Grant,
        recipients: &Recipients,
        scope: &str,
    ) -> Result<Issued, IssueError> {
        let key = self.signing(grant.key)?;
        let issued =
            self.with_claims(issuer, (grant, scope), &texts(&recipients.names), |claims| {
                claims.issue(key, recipients.typ, &self.jti, grant.session.generation)
            });
        self.handed_over(issued?, recipients)
    }

    fn with_claims<R>(
        &self,
        issuer: &str,
        (grant, scope): (&Grant, &str),
        to: &[&str],
        write: impl FnOnce(&Claims<'_>) -> Result<R, IssueError>,
    ) -> Result<R, IssueError> {
        let session = &grant.session;
        let extra = added_claims(&session.claims, &grant.subject_claims)?;
        let claims = Claims {
            iss: issuer,
            sub: session.subject.as_str(),
            aud: to,
            client_id: session.client.as_str(),
            iat: grant.issued_at,
            exp: grant.expires_at,
            scope: Some(scope).filter(|scope| !scope.is_empty()),
            sid: Some(session.sid),
            ver: grant.ver,
            auth_time: Some(session.authenticated_at),
            acr: session.acr.as_deref(),
            amr: &texts(&session.amr),
            roles: &texts(&grant.roles),
            jkt: grant.jkt,
            imprints: imprints(grant),
            extra: &extra,
        };
        write(&claims)
    }

    /// A client's own access token, named after what was drawn for it.
    ///
    /// # Errors
    /// It would be longer than 4 KiB, or the library failed.
    pub fn client_token(
        &self,
        issuer: &str,
        (grant, scope): (&ClientGrant, &str),
        recipients: &Recipients,
        drawn: &[u8; 16],
    ) -> Result<Issued, IssueError> {
        let key = self.signing(grant.key)?;
        let claims = Claims {
            iss: issuer,
            sub: &client_subject(&grant.client),
            aud: &texts(&recipients.names),
            client_id: grant.client.as_str(),
            iat: grant.issued_at,
            exp: grant.expires_at,
            scope: Some(scope).filter(|scope| !scope.is_empty()),
            sid: None,
            ver: grant.ver,
            auth_time: None,
            acr: None,
            amr: &[],
            roles: &[],
            jkt: grant.jkt,
            imprints: Imprints::default(),
            extra: &ExtraClaims::NONE,
        };
        self.handed_over(claims.issue_once(key, recipients.typ, &self.jti, drawn)?, recipients)
    }
}

impl FromFile {
    fn signs_with(&self, alg: Algorithm) -> bool {
        self.signs && self.key.algorithm() == alg
    }

    fn view(&self) -> KeyView {
        KeyView {
            kid: self.key.kid(),
            alg: self.key.algorithm(),
            state: if self.signs { KeyState::Current } else { KeyState::Retiring },
            source: Source::File,
            made_at: None,
            current_from: None,
            retires_at: None,
        }
    }
}

impl Shared {
    /// Whoever holds this secret could sign anything with it, so it speaks for its own audience alone.
    fn verify(&self, text: &str) -> Option<Payload<'_>> {
        let payload = verify(&self.verifying, Algorithm::Hs256, text).ok()?;
        let claims = ParsedClaims::of(&payload).ok()?;
        let own = claims.aud.iter().all(|name| *name == *self.audience);
        drop(claims);
        own.then_some(payload)
    }
}

/// The list of the signing keys, if all of them open under this master key.
///
/// # Errors
/// They were sealed under another one; the store failed.
pub async fn look(master: &MasterKey, store: &Store) -> Result<Ring, KeysUnavailable> {
    let ring = Ring::read(store).await?;
    opened(store, &master.sealer(), &ring).await?;
    Ok(ring)
}

/// What a configuration's audiences verify, and what the authority's own tokens for itself are signed with,
/// where no key from a file signs.
fn own_algorithms(config: &Config, files: &[FromFile]) -> Vec<Algorithm> {
    let of_audiences = config.audiences.iter().map(|audience| audience.alg);
    let needed: BTreeSet<_> = of_audiences.chain([Algorithm::EdDsa]).collect();
    let own =
        |alg: &Algorithm| !alg.is_symmetric() && !files.iter().any(|file| file.signs_with(*alg));
    needed.into_iter().filter(own).collect()
}

/// Opens the keys that the list names.
async fn opened(
    store: &Store,
    sealer: &Sealer,
    ring: &Ring,
) -> Result<Vec<SigningKey>, KeysUnavailable> {
    let mut keys = Vec::new();
    for listed in ring.keys() {
        let name = key_id_text(listed.life.kid);
        let record = store.record(Kind::SigningKey, &name).await?;
        let record = record.ok_or(Malformed::new("signing key", "is listed, and not there"))?;
        let opened = SigningKey::from_sealed(sealer, listed.life.kid, &record.value);
        keys.push(opened.map_err(|_| KeysUnavailable::OtherMasterKey)?);
    }
    Ok(keys)
}

/// Who may sign for whom: what retires still repeats what it signed before; what is announced does not
/// sign.
fn usable(
    ring: &Ring,
    states: &[(KeyId, KeyState)],
    files: &[FromFile],
    shared: &[Shared],
) -> Vec<(Signer, Vec<KeyId>)> {
    let mut usable = Vec::new();
    for alg in Algorithm::ALL {
        let of_state = |wanted| {
            let own = ring.keys().iter().filter(move |key| key.alg == alg);
            own.filter(move |key| states.contains(&(key.life.kid, wanted))).map(|key| key.life.kid)
        };
        let retiring = of_state(KeyState::Retiring).chain(of_state(KeyState::Current));
        let of_file = files.iter().filter(|file| file.signs_with(alg)).map(|file| file.key.kid());
        let kids: Vec<_> = retiring.chain(of_file).collect();
        if !kids.is_empty() {
            usable.push((Signer::Own(alg), kids));
        }
    }
    let of_secret =
        |shared: &Shared| (Signer::Shared(Arc::clone(&shared.audience)), vec![shared.key.kid()]);
    usable.extend(shared.iter().map(of_secret));
    usable
}

/// `sub` of a client's own token: no person's subject begins so (RFC 9068 §5).
pub fn client_subject(client: &ClientId) -> String {
    format!("client:{}", client.as_str())
}

fn texts(list: &[Arc<str>]) -> Vec<&str> {
    list.iter().map(|text| &**text).collect()
}

/// The session's claims over the subject's; those of one are taken as they are.
fn added_claims<'a>(session: &'a str, subject: &'a str) -> Result<ExtraClaims<'a>, IssueError> {
    let read = |text: &'a str| match text {
        "" => ExtraClaims::NONE,
        text => ExtraClaims::assume_parsed(text),
    };
    match (read(session), read(subject)) {
        (own, base) if base.is_empty() => Ok(own),
        (own, base) if own.is_empty() => Ok(base),
        (own, base) => own
            .over(&base)
            .map_err(|_| IssueError::TooLong { bytes: session.len() + subject.len() }),
    }
}

/// Why the authority has no keys to work with.
#[derive(Debug)]
pub enum KeysUnavailable {
    /// The store failed.
    Store(Fault),
    /// The keys in the store were sealed under another master key.
    OtherMasterKey,
    /// A record is not what it should be.
    Record(Malformed),
    /// A file that the configuration names is not what it should be.
    File(PathBuf, String),
    /// An algorithm has [`PER_ALGORITHM_MAX`] keys already.
    TooMany(Algorithm),
    /// The cryptographic library failed.
    Crypto,
}

impl fmt::Display for KeysUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(fault) => write!(f, "the signing keys could not be read: {fault}"),
            Self::OtherMasterKey => f.write_str(
                "the signing keys in this store were sealed under another master key; start with the \
                 master key that the store was created with (no token can be made without it)",
            ),
            Self::Record(malformed) => write!(f, "a key record in the store is damaged: {malformed}"),
            Self::File(path, why) => write!(f, "the key file {} {why}", path.display()),
            Self::TooMany(alg) => write!(
                f,
                "{PER_ALGORITHM_MAX} keys of {} are in use; wait until one is gone, or revoke one",
                alg.name()
            ),
            Self::Crypto => f.write_str("the cryptographic library could not make a key"),
        }
    }
}

impl std::error::Error for KeysUnavailable {}

impl From<Fault> for KeysUnavailable {
    fn from(fault: Fault) -> Self {
        Self::Store(fault)
    }
}

impl From<Malformed> for KeysUnavailable {
    fn from(malformed: Malformed) -> Self {
        Self::Record(malformed)
    }
}

impl From<CryptoFailed> for KeysUnavailable {
    fn from(_: CryptoFailed) -> Self {
        Self::Crypto
    }
}
