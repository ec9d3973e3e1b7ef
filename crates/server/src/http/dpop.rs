//! The header `DPoP` of a request to the authority itself: what it proves, or what to ask for instead (RFC 9449).

use super::auth;
use super::oauth_error::OAuthError;
use super::own_token::OwnToken;
use super::problem::Problem;
use crate::app::App;
use crate::clock::monotonic;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use std::sync::{Arc, PoisonError, RwLock};
use symbolon_core::binding::KeyProof;
use symbolon_core::dpop::{Asked, DpopProof, Flaw, PROOF_REMEMBERED, Url};
use symbolon_core::{Digest, Fault, StoreEpoch, Timestamp};
use symbolon_verify::{Now, Presented, Proofs, Rejected};
use symbolon_wire::{DpopNonces, dpop::PROOF_ALGORITHMS, open_dpop_proof, sha256};

/// Where a proof stands.
pub const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Where the nonce for the next proof stands.
pub const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The proofs of bound tokens that were shown to the authority itself. Which were used is known of this process alone:
/// at another node a proof lets in once more, until its nonce is too old. Those of the token endpoint are used up in the
/// store, once for all.
pub struct OwnProofs {
    /// Those of the token endpoint: a client keeps one nonce for each server.
    nonces: DpopNonces,
    of_epoch: RwLock<(StoreEpoch, Arc<Proofs>)>,
}

impl OwnProofs {
    /// None was shown yet.
    pub fn new(nonces: DpopNonces, epoch: StoreEpoch) -> Self {
        let of_epoch = RwLock::new((epoch, of(&nonces, epoch)));
        Self { nonces, of_epoch }
    }

    /// Checks what was shown for a token that is bound to a key of this thumbprint, or to none, and uses the proof up.
    ///
    /// # Errors
    /// As [`Proofs::admit`]'s.
    pub fn admit(
        &self,
        epoch: StoreEpoch,
        shown: &Presented<'_>,
        jkt: Option<Digest>,
        now: Now,
    ) -> Result<(), Rejected> {
        self.of(epoch).admit(shown, jkt, now)
    }

    /// Those of a store epoch: where another begins, what was shown before repeats a nonce that is good no more.
    fn of(&self, epoch: StoreEpoch) -> Arc<Proofs> {
        let known = self.of_epoch.read().unwrap_or_else(PoisonError::into_inner);
        if known.0 == epoch {
            return Arc::clone(&known.1);
        }
        drop(known);
        let mut known = self.of_epoch.write().unwrap_or_else(PoisonError::into_inner);
        if known.0 != epoch {
            *known = (epoch, of(&self.nonces, epoch));
        }
        Arc::clone(&known.1)
    }
}

fn of(nonces: &DpopNonces, epoch: StoreEpoch) -> Arc<Proofs> {
    Arc::new(Proofs::new(Some(nonces.in_epoch(epoch))))
}

/// What a request shows of a key.
pub struct ShownKey {
    /// As the rules see it.
    pub proof: KeyProof,
    /// Its name, if it is good and was not looked up among those that were used.
    name: Option<[u8; 16]>,
    /// Why it is to be asked for again.
    flaw: Option<NoProof>,
}

/// Why a header is no proof for this request.
#[derive(Clone, Debug)]
pub enum NoProof {
    /// It is none for any.
    Malformed(String),
    /// It is one for another.
    Flaw(Flaw),
}

impl From<NoProof> for OAuthError {
    fn from(no_proof: NoProof) -> Self {
        let (nonce, why) = match no_proof {
            NoProof::Malformed(why) => (false, format!("The header `DPoP` is no proof: {why}.")),
            NoProof::Flaw(flaw) => (flaw.is_cured_by_nonce(), format!("Not good here: {flaw}.")),
        };
        if nonce { Self::use_dpop_nonce(why) } else { Self::invalid_dpop_proof(why) }
    }
}

impl ShownKey {
    /// Nothing was asked for, and nothing is looked at.
    pub const UNASKED: Self = Self { proof: KeyProof::None, name: None, flaw: None };

    /// Reads the one proof of a request by `POST` to a path of the authority; a nonce is always asked for, so that
    /// nobody can make proofs ahead (RFC 9449 §11.2).
    pub fn read(app: &App, headers: &HeaderMap, path: &str, at: Timestamp) -> Self {
        match Self::try_read(app, headers, path, at) {
            Ok(None) => Self::UNASKED,
            Ok(Some(proof)) => {
                Self { proof: KeyProof::Valid(proof.key), name: Some(proof.name), flaw: None }
            }
            Err(flaw) => Self { proof: KeyProof::Unusable, name: None, flaw: Some(flaw) },
        }
    }

    fn try_read(
        app: &App,
        headers: &HeaderMap,
        path: &str,
        at: Timestamp,
    ) -> Result<Option<DpopProof>, NoProof> {
        let mut all = headers.get_all(DPOP).iter();
        let text = match (all.next(), all.next()) {
            (None, _) => return Ok(None),
            (Some(only), None) => only.to_str().unwrap_or_default(),
            (Some(_), Some(_)) => return Err(NoProof::Malformed("there are two".into())),
        };
        let proof = open_dpop_proof(text).map_err(|why| NoProof::Malformed(why.to_string()))?;
        let own = format!("{}{path}", app.config.issuer);
        let url = Url::parse(&own).map_err(|_| NoProof::Flaw(Flaw::Url))?;
        let asked = Asked { method: "POST", url: &url, access_token: None, nonce: true };
        let nonce = nonces(app).recognise(&proof, at);
        proof.proves(&asked, nonce, at).map_err(NoProof::Flaw)?;
        Ok(Some(proof))
    }

    /// Uses the proof up, if it is by this key: nobody else's proof is ever kept, so that a stranger with keys of their
    /// own writes nothing. One that was used before is to be asked for again.
    ///
    /// # Errors
    /// The store could not be written or read.
    pub async fn spend(self, app: &App, key: Option<Digest>, at: Timestamp) -> Result<Self, Fault> {
        let (KeyProof::Valid(shown), Some(name)) = (self.proof, self.name) else {
            return Ok(self);
        };
        if key != Some(shown) {
            return Ok(self);
        }
        let digest = sha256(&[b"dpop proof ", &name[..]].concat());
        let until = at.after(PROOF_REMEMBERED);
        Ok(match app.store.spend(digest.0, b"", until, at).await? {
            None => self,
            Some(_) => {
                let flaw = Some(NoProof::Flaw(Flaw::Used));
                Self { proof: KeyProof::Unusable, name: None, flaw }
            }
        })
    }

    /// The key that was proved; `None`: no proof was shown.
    ///
    /// # Errors
    /// What was shown is no proof for this request.
    pub fn key(&self) -> Result<Option<Digest>, OAuthError> {
        match self.proof {
            KeyProof::None => Ok(None),
            KeyProof::Valid(key) => Ok(Some(key)),
            KeyProof::Unusable => Err(self.ask_again()),
        }
    }

    /// What a proof is asked for again with.
    pub fn ask_again(&self) -> OAuthError {
        self.flaw.clone().unwrap_or(NoProof::Flaw(Flaw::Nonce)).into()
    }
}

/// Hands out the nonce for the next proof to whoever makes proofs (RFC 9449 §8.2).
pub fn hand_out_nonce(app: &App, asked: &HeaderMap, answer: &mut HeaderMap) {
    let Some(at) = app.now().ok().filter(|_| asked.contains_key(DPOP)) else { return };
    let nonce = nonces(app).current(at);
    if let Ok(nonce) = HeaderValue::from_str(&nonce) {
        answer.insert(DPOP_NONCE, nonce);
    }
}

/// The nonces of this store epoch.
fn nonces(app: &App) -> DpopNonces {
    app.keys.dpop_nonces.in_epoch(app.store.cutoffs().epoch)
}

/// What proofs may be signed with, for the metadata (RFC 9449 §5.1).
pub fn algorithms() -> [&'static str; 3] {
    PROOF_ALGORITHMS.map(symbolon_wire::Algorithm::name)
}

/// Refuses a token that is shown with a proof which is not good for this request; the proof is used up.
pub fn refuse_token(
    app: &App,
    (method, path, headers): (&Method, &str, &HeaderMap),
) -> Option<Response> {
    let (text, true) = auth::token(headers)? else { return None };
    let at = app.now().ok()?;
    let token = OwnToken::read(app, text)?;
    let url = format!("{}{path}", app.config.issuer);
    let mut proofs = headers.get_all(DPOP).iter();
    let proof = proofs.next().filter(|_| proofs.next().is_none());
    let proof = proof.and_then(|value| value.to_str().ok());
    let shown = Presented::dpop(text).request(method.as_str(), &url).proof(proof);
    let now = Now { wall: at, monotonic: monotonic() };
    let rejected = app.proofs.admit(app.store.cutoffs().epoch, &shown, token.jkt(), now).err()?;
    Some(refused(&rejected))
}

fn refused(rejected: &Rejected) -> Response {
    let mut response = Problem::invalid_token(&rejected.to_string()).into_response();
    say_why(rejected, response.headers_mut());
    response
}

/// The headers of a refusal: the challenge, and the nonce if there is one.
pub fn say_why(rejected: &Rejected, headers: &mut HeaderMap) {
    if let Ok(challenge) = HeaderValue::try_from(rejected.challenge()) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(Ok(nonce)) = rejected.dpop_nonce().map(HeaderValue::from_str) {
        headers.insert(DPOP_NONCE, nonce);
    }
}
