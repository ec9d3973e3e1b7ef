//! A device that holds a key and proves it (RFC 9449).

use super::{Answer, Ask, ISSUER};
use data_encoding::BASE64URL_NOPAD;
use std::cell::{Cell, RefCell};
use symbolon_core::Timestamp;
use symbolon_verify::Now;
use symbolon_wire::{Algorithm, NewProof, SigningKey};

/// A key, and what its holder remembers.
pub(crate) struct Device {
    key: SigningKey,
    /// How far its clock is ahead, in seconds.
    pub(crate) ahead: i64,
    nonce: RefCell<Option<String>>,
    made: Cell<u32>,
}

impl Device {
    pub(crate) fn new() -> Self {
        Self::with(Algorithm::Es256)
    }

    pub(crate) fn with(alg: Algorithm) -> Self {
        let key = SigningKey::generate(alg).unwrap();
        Self { key, ahead: 0, nonce: RefCell::default(), made: Cell::new(0) }
    }

    /// The same with a clock that is so many seconds ahead.
    pub(crate) fn ahead_by(self, ahead: i64) -> Self {
        Self { ahead, ..self }
    }

    /// `jkt` of its key.
    pub(crate) fn jkt(&self) -> String {
        BASE64URL_NOPAD.encode(&self.key.public_jwk().unwrap().thumbprint())
    }

    /// Remembers the nonce of an answer, as every client should.
    pub(crate) fn heed(&self, answer: &Answer) {
        let nonce = answer.header("dpop-nonce");
        if !nonce.is_empty() {
            *self.nonce.borrow_mut() = Some(nonce.to_owned());
        }
    }

    /// Forgets the nonce.
    pub(crate) fn forget(&self) {
        *self.nonce.borrow_mut() = None;
    }

    /// A new proof for a request.
    pub(crate) fn proof(&self, method: &str, url: &str, access_token: Option<&str>) -> String {
        let now = Now::read().wall.as_seconds();
        let at = Timestamp::from_seconds(now.saturating_add_signed(self.ahead));
        self.made.set(self.made.get() + 1);
        let jti = format!("{}-{}", self.made.get(), self.jkt());
        let nonce = self.nonce.borrow();
        let nonce = nonce.as_deref();
        NewProof { jti: &jti, method, url, at, access_token, nonce }.sign(&self.key).unwrap()
    }

    /// A new proof for a refresh.
    pub(crate) fn renewing(&self) -> String {
        self.proof("POST", &format!("{ISSUER}/oauth2/token"), None)
    }

    /// A refresh with a new proof.
    pub(crate) fn refresh(&self, token: &str) -> Ask {
        Ask::refresh("web", token).with("dpop", &self.renewing())
    }
}
