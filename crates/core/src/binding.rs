//! What a token's holder must also show: a device key (RFC 9449) or the client's features.

use crate::client::BindingMode;
use crate::id::Digest;

/// What a session was bound to at sign-in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Binding {
    /// The thumbprint of the device's key (`jkt`).
    pub key: Option<Digest>,
    /// The digest of the client's features.
    pub features: Option<Digest>,
}

/// What a request showed of a device key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum KeyProof {
    /// Nothing.
    #[default]
    None,
    /// A valid, fresh proof by this key.
    Valid(Digest),
    /// A malformed, late or nonce-less proof: says nothing about whose it is.
    Unusable,
}

/// What a request showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Proof {
    /// Of the device key.
    pub key: KeyProof,
    /// Of the client's features.
    pub features: Option<Digest>,
}

/// What a session's binding says of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Match {
    /// Bound to no key, and not at odds with the features if bound to them.
    Unbound,
    /// A valid proof by the session's own key.
    ByKey,
    /// A valid proof by another key, other features, or none: theft.
    Mismatch,
    /// To be asked for again; changes nothing.
    AskAgain,
}

impl Binding {
    /// Compares what was shown with what the session is bound to.
    pub fn compare(&self, proof: &Proof) -> Match {
        if self.features.is_some() && self.features != proof.features {
            return Match::Mismatch;
        }
        match (self.key, proof.key) {
            (None, _) => Match::Unbound,
            (Some(_), KeyProof::Unusable) => Match::AskAgain,
            (Some(_), KeyProof::None) => Match::Mismatch,
            (Some(own), KeyProof::Valid(shown)) if own == shown => Match::ByKey,
            (Some(_), KeyProof::Valid(_)) => Match::Mismatch,
        }
    }

    /// What follows under a client's setting.
    pub fn judge(&self, proof: &Proof, mode: BindingMode) -> Match {
        match mode {
            BindingMode::Off | BindingMode::Report => Match::Unbound,
            BindingMode::Enforce => self.compare(proof),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Digest = Digest([1; 32]);
    const OTHER: Digest = Digest([2; 32]);

    #[test]
    fn a_bound_session_knows_its_own_key() {
        let bound = Binding { key: Some(OWN), features: None };
        for (key, expected) in [
            (KeyProof::Valid(OWN), Match::ByKey),
            (KeyProof::Valid(OTHER), Match::Mismatch),
            (KeyProof::None, Match::Mismatch),
            (KeyProof::Unusable, Match::AskAgain),
        ] {
            assert_eq!(bound.compare(&Proof { key, features: None }), expected);
        }
    }

    #[test]
    fn other_features_or_none_are_a_mismatch() {
        let bound = Binding { key: None, features: Some(OWN) };
        for (features, expected) in
            [(Some(OWN), Match::Unbound), (Some(OTHER), Match::Mismatch), (None, Match::Mismatch)]
        {
            assert_eq!(bound.compare(&Proof { key: KeyProof::None, features }), expected);
        }
    }

    #[test]
    fn an_unbound_session_ignores_proofs_and_only_enforce_looks() {
        let proof = Proof { key: KeyProof::Valid(OTHER), features: Some(OTHER) };
        assert_eq!(Binding::default().compare(&proof), Match::Unbound);
        let bound = Binding { key: Some(OWN), features: None };
        assert_eq!(bound.judge(&proof, BindingMode::Report), Match::Unbound);
        assert_eq!(bound.judge(&proof, BindingMode::Off), Match::Unbound);
        assert_eq!(bound.judge(&proof, BindingMode::Enforce), Match::Mismatch);
    }
}
