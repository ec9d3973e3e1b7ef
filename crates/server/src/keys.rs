//! The authority's keys: read from the store, or made on the first start, and sealed at rest.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use symbolon_core::credentials::ClientGrant;
use symbolon_core::{ClientId, ClientPolicy, Fault, Grant, KeyId, Terms};
use symbolon_store::{Kind, Store};
use symbolon_wire::{
    Algorithm, ApiKeyDigests, Claims, CryptoFailed, DigestKey, ExtraClaims, ImportedTokens,
    IssueError, Issued, JtiKey, KeySet, Malformed, MasterKey, RefreshTokenKeys, Sealer, SecretText,
    ShardKey, SigningKey, Type, key_id_text, key_set_json, parse_key_id,
};

/// Whom an access token is for, and what they can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipients {
    /// The `aud` claim.
    pub names: Arc<[Arc<str>]>,
    /// The algorithm that they verify.
    pub alg: Algorithm,
    /// The `typ` that they expect.
    pub typ: Type,
}

/// Every key that the authority works with.
pub struct Keys {
    /// Mints and opens refresh tokens.
    pub refresh_tokens: RefreshTokenKeys,
    /// Knows refresh tokens of other systems by a digest.
    pub imported_tokens: ImportedTokens,
    /// Gives subjects their shard.
    pub shards: ShardKey,
    /// Knows API keys by their digest.
    pub api_keys: ApiKeyDigests,
    /// Recognises the bodies of idempotent requests.
    pub idempotency: DigestKey,
    jti: JtiKey,
    signing: Vec<SigningKey>,
    usable: Vec<(Algorithm, Vec<KeyId>)>,
    verifying: KeySet,
    jwks: Arc<str>,
}

impl Keys {
    /// Reads the signing keys from the store and makes those that an audience needs and that are not there.
    ///
    /// # Errors
    /// The store failed, or its keys were sealed under another master key.
    pub async fn open(
        master: &MasterKey,
        store: &Store,
        needed: &BTreeSet<Algorithm>,
    ) -> Result<Self, KeysUnavailable> {
        let sealer = master.sealer();
        let mut signing = Vec::new();
        for record in store.records(Kind::SigningKey).await? {
            let kid = parse_key_id(&record.name)?;
            let opened = SigningKey::from_sealed(&sealer, kid, &record.value);
            signing.push(opened.map_err(|_| KeysUnavailable::OtherMasterKey)?);
        }
        for alg in needed {
            if !signing.iter().any(|key| key.algorithm() == *alg) {
                signing.push(make(*alg, &sealer, store).await?);
            }
        }
        Self::of(master, signing)
    }

    fn of(master: &MasterKey, signing: Vec<SigningKey>) -> Result<Self, KeysUnavailable> {
        let verifying = KeySet::from_keys(signing.iter().map(SigningKey::verifying_key).collect())?;
        let public: Vec<_> = signing.iter().filter_map(SigningKey::public_jwk).collect();
        let of_alg = |alg: Algorithm| {
            let own = signing.iter().filter(|key| key.algorithm() == alg);
            (alg, own.map(SigningKey::kid).collect())
        };
        Ok(Self {
            refresh_tokens: master.refresh_token_keys(0, 0),
            imported_tokens: master.imported_tokens(),
            shards: master.shard_key(),
            api_keys: master.api_key_digests(),
            idempotency: master.idempotency_digest_key(),
            jti: master.jti_key(),
            usable: Algorithm::ALL.into_iter().map(of_alg).collect(),
            jwks: key_set_json(&public).into(),
            verifying,
            signing,
        })
    }

    /// The terms under which a client's grant for these recipients is made; `None` if no key signs their
    /// algorithm.
    pub fn terms<'a>(&'a self, policy: &'a ClientPolicy, alg: Algorithm) -> Option<Terms<'a>> {
        let (_, usable) = self.usable.iter().find(|(own, _)| *own == alg)?;
        Some(Terms { policy, key: *usable.last()?, keys_usable: usable })
    }

    /// The public keys, as published (RFC 7517 §5).
    pub fn jwks(&self) -> Arc<str> {
        Arc::clone(&self.jwks)
    }

    /// The keys that the authority's own tokens are verified with.
    pub fn verifying(&self) -> &KeySet {
        &self.verifying
    }

    /// Which algorithm a key of ours signs with.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.usable.iter().filter(|(_, keys)| !keys.is_empty()).map(|(alg, _)| *alg)
    }

    /// The refresh token of a grant.
    pub fn refresh_token(&self, grant: &Grant) -> SecretText {
        let session = &grant.session;
        let epoch = session.rotation.epoch;
        self.refresh_tokens.mint(epoch, session.sid, session.generation, session.salt)
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
        let session = &grant.session;
        let key = self.signing.iter().find(|key| key.kid() == grant.key).ok_or(CryptoFailed)?;
        let extra = added_claims(&session.claims, &grant.subject_claims)?;
        let claims = Claims {
            iss: issuer,
            sub: session.subject.as_str(),
            aud: &texts(&recipients.names),
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
            // Recorded only: `cnf` would make every verifier refuse the token until proofs can be given.
            jkt: None,
            extra: &extra,
        };
        claims.issue(key, recipients.typ, &self.jti, session.generation)
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
        let key = self.signing.iter().find(|key| key.kid() == grant.key).ok_or(CryptoFailed)?;
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
            jkt: None,
            extra: &ExtraClaims::NONE,
        };
        claims.issue_once(key, recipients.typ, &self.jti, drawn)
    }
}

async fn make(
    alg: Algorithm,
    sealer: &Sealer,
    store: &Store,
) -> Result<SigningKey, KeysUnavailable> {
    let key = SigningKey::generate(alg)?;
    let sealed = key.to_sealed(sealer)?;
    store.put_record(Kind::SigningKey, &key_id_text(key.kid()), &sealed, None).await?;
    tracing::info!(alg = alg.name(), kid = key_id_text(key.kid()), "made a signing key");
    Ok(key)
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
