//! What a verifier is made from.

use crate::cache::{Cache, ENTRIES_DEFAULT};
use crate::mirror::Mirror;
use crate::proof::Proofs;
use crate::rights::Rights;
use crate::status::{Hits, Rejections};
use crate::verifier::{Expected, Verifier};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use symbolon_wire::{Algorithm, DecryptionKey, DecryptionKeys, DpopNonces, KeySet, Type};

/// How old the knowledge of revocations may be at most, unless the builder is told otherwise. Inclusive.
const MAX_STALENESS: Duration = Duration::from_secs(5);

/// The least and the most that may be asked for: below, a lost packet closes the service; above, the authority
/// would wait for whom nobody has heard of in a day. Inclusive.
const MAX_STALENESS_RANGE: (Duration, Duration) =
    (Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));

/// What a verifier is made from; [`Verifier::builder`] begins one.
///
/// It may hold an API key, so it has no `Debug`.
pub struct Builder {
    pub(crate) issuer: Box<str>,
    audience: Option<Box<str>>,
    algorithms: Vec<Algorithm>,
    typ: Type,
    pub(crate) max_staleness: Duration,
    cache: usize,
    pub(crate) allowlist: bool,
    decrypt: Vec<DecryptionKey>,
    require_encrypted: bool,
    public_url: Option<Box<str>>,
    nonce_secret: Option<[u8; 32]>,
    #[cfg(feature = "net")]
    pub(crate) net: crate::net::Settings,
}

impl Builder {
    pub(crate) fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.into(),
            audience: None,
            algorithms: Vec::new(),
            typ: Type::AccessTokenJwt,
            max_staleness: MAX_STALENESS,
            cache: ENTRIES_DEFAULT,
            allowlist: false,
            decrypt: Vec::new(),
            require_encrypted: false,
            public_url: None,
            nonce_secret: None,
            #[cfg(feature = "net")]
            net: crate::net::Settings::default(),
        }
    }

    /// The name of this resource server; a token's `aud` must contain exactly it. Required.
    ///
    /// Security: a name that two services share lets the tokens of one into the other (RFC 8725 §3.9).
    #[must_use]
    pub fn audience(mut self, name: &str) -> Self {
        self.audience = Some(name.into());
        self
    }

    /// An algorithm that tokens for this audience are signed with. Default: EdDSA alone.
    ///
    /// Name a second one while an audience moves from one to the other, and no longer. A token's own
    /// `alg` is only compared, never obeyed, and each key verifies one algorithm (RFC 8725 §3.1).
    ///
    /// Security: under HS256 whoever verifies can also issue. Its key is never published: give it to
    /// [`Builder::offline`] or [`Verifier::replace_keys`].
    #[must_use]
    pub fn algorithm(mut self, alg: Algorithm) -> Self {
        self.algorithms.push(alg);
        self
    }

    /// What tokens for this audience declare themselves to be. Default: `at+jwt` (RFC 9068 §2.1).
    ///
    /// Security: under `JWT` an ID token of the same issuer for the same audience has the right type
    /// too; only the claims that an access token must have (`client_id`, `jti`, `ver`) tell them apart.
    #[must_use]
    pub const fn typ(mut self, typ: Type) -> Self {
        self.typ = typ;
        self
    }

    /// The largest age of the mirror at which any policy may trust it. Default: 5 s; between 1 s and 24 h.
    ///
    /// Security: an ended session is refused this long after its end at the latest, also when the feed is cut. The
    /// authority is told this bound and tells it to whoever revokes with `?wait=`, which is why a
    /// [`Policy`](crate::Policy) of a larger one counts as this.
    #[must_use]
    pub fn max_staleness(mut self, age: Duration) -> Self {
        self.max_staleness = age.clamp(MAX_STALENESS_RANGE.0, MAX_STALENESS_RANGE.1);
        self
    }

    /// About how many verified tokens are kept, so that one which comes again need not be verified again, and what was
    /// told of how many opaque ones, which then need not be asked about. Default: 16,384, of about a kilobyte each; at
    /// most a million. Zero keeps none. Tokens under HS256 never are: verifying them is cheaper.
    ///
    /// Security: what is kept are tokens, in the memory of this process, until others take their place; whoever
    /// reads that memory has them, as they had them when they arrived. A kept token is let in for no longer: its
    /// time, its session and the policy are checked at every use, and it counts no more once a key is withdrawn.
    /// A full cache makes room by what ends first, so that someone with very many genuine tokens can slow
    /// others down to the price of a signature, and no further.
    #[must_use]
    pub const fn cache(mut self, tokens: usize) -> Self {
        self.cache = tokens;
        self
    }

    /// Lets a token in only once the authority has said that it is its own and its session lives: each is asked about at
    /// its first use here, whatever the policy, and then believed from memory until the feed tells of a change. Default:
    /// off. Needs the API key of `Builder::feed` or `Builder::introspection`.
    ///
    /// Security: without it a token is good unless something is known against it, so that whoever has stolen a signing
    /// key is anybody until it is revoked, and a session that a restored store has forgotten lives on until its tokens
    /// expire. With it neither is: the authority knows its tokens by more than their signature, and its sessions by
    /// heart. When the feed was taken up anew (a restart, a gap, a restored store) everything is asked about again. The
    /// price is a question for each new token in each process, about one in five minutes for each session that is in
    /// use, and that nobody new is let in while the authority is away.
    #[must_use]
    pub const fn allowlist(mut self, on: bool) -> Self {
        self.allowlist = on;
        self
    }

    /// A key that opens tokens which were encrypted for this audience (RFC 7516); what is inside is verified as every
    /// token is. Name several while the authority changes over to another one: a token says which it is for. Default:
    /// none, and an encrypted token is refused.
    ///
    /// Security: the key is a secret of this resource server. Encryption keeps what a token says from its client and
    /// from everybody on the way, and lets nobody in: with [`KeyManagement`](crate::KeyManagement)`::EcdhEsA256Kw` anyone
    /// can seal anything, and only the signature inside counts.
    #[must_use]
    pub fn decrypt_with(mut self, key: DecryptionKey) -> Self {
        self.decrypt.push(key);
        self
    }

    /// Refuses tokens that are signed alone. Default: they are taken as well as encrypted ones, so that an audience can
    /// begin to encrypt while those that were issued before are in use.
    ///
    /// Security: turn it on once the authority encrypts (RFC 9068 §4). A token that came in clear is as genuine as
    /// another, but whoever carried it has read it, and refusing it is how that is noticed. Opaque tokens say nothing to
    /// anyone, and are taken in any case.
    #[must_use]
    pub const fn require_encrypted(mut self) -> Self {
        self.require_encrypted = true;
        self
    }

    /// Where callers reach this service, such as `https://api.example.com`, with the path before its own if a proxy takes
    /// one away: what the paths of [`Presented::request`](crate::Presented::request) stand below.
    ///
    /// Security: the proof of a bound token names the URL that it is for (RFC 9449 §4.3). Without this, a bound token is
    /// let in only where the whole URL is presented; a URL that is made of the caller's own `Host` would let a proof
    /// in that was made for another service.
    #[must_use]
    pub fn public_url(mut self, url: &str) -> Self {
        self.public_url = Some(url.trim_end_matches('/').into());
        self
    }

    /// A secret, drawn at random, that the nonces of proofs are made with; verifiers that stand behind one balancer and
    /// follow no feed share it. With [`Builder::feed`] none is needed: the feed brings one.
    ///
    /// Security: whoever knows it can make proofs ahead of time, as far as they can make any. Without a secret and
    /// a feed a late proof is refused, and no nonce is offered in its place.
    #[must_use]
    pub const fn nonce_secret(mut self, secret: [u8; 32]) -> Self {
        self.nonce_secret = Some(secret);
        self
    }

    /// A verifier that has its keys and asks nobody: for jobs that verify without a server.
    ///
    /// Security: it learns of no new or withdrawn key until [`Verifier::replace_keys`], and of no revocation unless a
    /// [`Follower`](crate::feed::Follower) is fed; without one only
    /// [`Policy::offline`](crate::Policy::offline) can let a token in.
    ///
    /// # Errors
    /// No issuer or no audience; an allow list, which asks.
    pub fn offline(self, keys: KeySet) -> Result<Verifier, SetupError> {
        if self.allowlist {
            return Err(SetupError::NoApiKey);
        }
        let verifier = Verifier::without_network(self.expected()?);
        verifier.replace_keys(keys);
        Ok(verifier)
    }

    /// A verifier for another audience of the same issuer, which shares keys, feed, mirror and reports of activity with
    /// `other`: what a gateway in front of several services needs. What else this builder was told of them does not
    /// count, and the smaller of the two largest ages holds for it.
    ///
    /// Security: each audience has tokens, a cache and an algorithm of its own; a token for one is good at no other.
    ///
    /// # Errors
    /// No audience, or another issuer; an allow list, where `other` has no API key to ask with.
    pub fn sharing(self, other: &Verifier) -> Result<Verifier, SetupError> {
        let mut expected = self.expected()?;
        if expected.issuer != other.expected.issuer {
            return Err(SetupError::Issuer("is not that of the verifier to share with"));
        }
        if expected.allowlist && !other.expected.asks {
            return Err(SetupError::NoApiKey);
        }
        expected.keys = Arc::clone(&other.expected.keys);
        expected.mirror = Arc::clone(&other.expected.mirror);
        expected.proofs = Arc::clone(&other.expected.proofs);
        expected.max_staleness = expected.max_staleness.min(other.expected.max_staleness);
        Ok(other.sharing(expected))
    }

    pub(crate) fn expected(&self) -> Result<Expected, SetupError> {
        let audience = self.audience.as_deref().filter(|name| !name.is_empty());
        let audience = audience.ok_or(SetupError::Audience)?.into();
        if self.issuer.is_empty() {
            return Err(SetupError::Issuer("is empty"));
        }
        let algorithms = match &*self.algorithms {
            [] => vec![Algorithm::EdDsa],
            chosen => chosen.to_vec(),
        };
        let decrypt = self.decryption_keys()?;
        Ok(Expected {
            decrypt,
            require_encrypted: self.require_encrypted,
            issuer: self.issuer.clone(),
            audience,
            algorithms,
            typ: self.typ,
            keys: Arc::default(),
            cache: (self.cache > 0).then(|| Cache::new(self.cache)),
            rights: Rights::default(),
            asks: false,
            allowlist: self.allowlist,
            mirror: Arc::new(Mirror::new()),
            public_url: self.public_url.clone(),
            proofs: Arc::new(Proofs::new(self.nonce_secret.as_ref().map(DpopNonces::of_secret))),
            max_staleness: self.max_staleness,
            rejections: Rejections::default(),
            hits: Hits::default(),
            #[cfg(feature = "net")]
            sessions: Arc::default(),
            #[cfg(feature = "net")]
            activity: None,
        })
    }

    fn decryption_keys(&self) -> Result<Option<DecryptionKeys>, SetupError> {
        match &*self.decrypt {
            [] if self.require_encrypted => {
                Err(SetupError::DecryptionKeys("are required, and none was given"))
            }
            [] => Ok(None),
            keys => DecryptionKeys::new(keys.to_vec())
                .map(Some)
                .map_err(|wrong| SetupError::DecryptionKeys(wrong.why())),
        }
    }
}

/// Why a verifier cannot be made: the caller's mistake, the same at every try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SetupError {
    /// The issuer cannot be one; a whole sentence's predicate.
    Issuer(&'static str),
    /// The URL to go through cannot be one; a whole sentence's predicate.
    Through(&'static str),
    /// There is no audience.
    Audience,
    /// The API key has bytes that no header may carry.
    ApiKey,
    /// The instance's name is not 1–64 visible ASCII characters.
    Instance,
    /// Activity is to be reported, or an allow list asked for, and there is no API key to do it with.
    NoApiKey,
    /// There is no tokio runtime here.
    Runtime,
    /// The keys that open tokens cannot stand together; a whole sentence's predicate.
    DecryptionKeys(&'static str),
    /// The TLS library refused its own defaults.
    Tls,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer(why) => write!(f, "the issuer {why}"),
            Self::Through(why) => write!(f, "the URL to go through {why}"),
            Self::Audience => f.write_str("an audience is required: whom are the tokens for?"),
            Self::ApiKey => f.write_str("the API key cannot be sent in a header"),
            Self::NoApiKey => f.write_str(
                "to report activity or ask for an allow list takes an API key, and none was given",
            ),
            Self::Instance => f.write_str("the instance must be 1 to 64 visible ASCII characters"),
            Self::Runtime => f.write_str("a connected verifier needs a tokio runtime"),
            Self::DecryptionKeys(why) => write!(f, "the decryption keys cannot be used: {why}"),
            Self::Tls => f.write_str("the TLS library could not be set up"),
        }
    }
}

impl std::error::Error for SetupError {}
