//! What a token's holder must also show: a device key (RFC 9449), the client's features, or an address of its network.

use crate::client::{BindingMode, BindingPolicy};
use crate::id::Digest;
use crate::imprint::Bound;
use crate::session::Session;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest features, in bytes. Inclusive.
pub const FEATURES_BYTES_MAX: usize = 1024;

/// What a session was bound to at sign-in, beside the network of its address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Binding {
    /// The thumbprint of the device's key (`jkt`).
    pub key: Option<Digest>,
    /// The digest of the client's features.
    pub features: Option<Digest>,
}

/// The network of an address, as far as it tells one place from another: /24 of IPv4, /56 of IPv6, which is what a
/// provider gives one customer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address; one of IPv4 written as IPv6 is one of IPv4.
    pub const fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                Self(IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() >> 8 << 8)))
            }
            IpAddr::V6(address) => {
                Self(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 72 << 72)))
            }
        }
    }

    /// Its first address, one of IPv4 written as IPv6.
    pub const fn octets(self) -> [u8; 16] {
        match self.0 {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        }
    }
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
    /// Of where it is.
    pub network: Option<Network>,
}

/// What a session's binding says of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Match {
    /// Bound to no key, and not at odds with anything else that it is bound to.
    Unbound,
    /// A valid proof by the session's own key.
    ByKey,
    /// A valid proof by another key, other features, another network, or none: theft.
    Mismatch,
    /// To be asked for again; changes nothing.
    AskAgain,
}

/// What a request is held to: as much of what its session was bound to as a setting demands.
#[derive(Clone, Copy, Default)]
struct Held {
    key: Option<Digest>,
    features: Option<Digest>,
    network: Option<Network>,
}

impl Held {
    fn compare(&self, proof: &Proof) -> Match {
        let features_differ = self.features.is_some() && self.features != proof.features;
        let network_differs = self.network.is_some() && self.network != proof.network;
        if features_differ || network_differs {
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
}

impl Session {
    /// What follows from what a request showed.
    pub(crate) fn judge_proof(&self, proof: &Proof, policy: &BindingPolicy) -> Match {
        self.held(policy, BindingMode::Enforce).compare(proof)
    }

    /// Whether it would be refused if what is only reported were enforced.
    pub(crate) fn reports(&self, proof: &Proof, policy: &BindingPolicy) -> bool {
        self.held(policy, BindingMode::Report).compare(proof) == Match::Mismatch
    }

    /// The key that whoever shows its tokens must prove.
    pub(crate) fn proves_key(&self, policy: &BindingPolicy) -> Option<Digest> {
        self.held(policy, BindingMode::Enforce).key
    }

    /// The features that whoever shows its tokens must have.
    pub(crate) fn shows_features(&self, policy: &BindingPolicy) -> Option<Bound<Digest>> {
        Bound::under(policy.features, self.binding.features)
    }

    /// The network from which its tokens must be shown.
    pub(crate) fn shows_network(&self, policy: &BindingPolicy) -> Option<Bound<Network>> {
        Bound::under(policy.network, self.network())
    }

    fn network(&self) -> Option<Network> {
        Some(Network::of(self.ip.as_deref()?.parse().ok()?))
    }

    fn held(&self, policy: &BindingPolicy, mode: BindingMode) -> Held {
        Held {
            key: self.binding.key.filter(|_| policy.key == mode),
            features: self.binding.features.filter(|_| policy.features == mode),
            network: if policy.network == mode { self.network() } else { None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Digest = Digest([1; 32]);
    const OTHER: Digest = Digest([2; 32]);

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    #[test]
    fn a_bound_session_knows_its_own_key() {
        let held = Held { key: Some(OWN), ..Held::default() };
        for (key, expected) in [
            (KeyProof::Valid(OWN), Match::ByKey),
            (KeyProof::Valid(OTHER), Match::Mismatch),
            (KeyProof::None, Match::Mismatch),
            (KeyProof::Unusable, Match::AskAgain),
        ] {
            assert_eq!(held.compare(&Proof { key, ..Proof::default() }), expected);
        }
    }

    #[test]
    fn other_features_or_none_are_a_mismatch() {
        let held = Held { features: Some(OWN), ..Held::default() };
        for (features, expected) in
            [(Some(OWN), Match::Unbound), (Some(OTHER), Match::Mismatch), (None, Match::Mismatch)]
        {
            assert_eq!(held.compare(&Proof { features, ..Proof::default() }), expected);
        }
    }

    #[test]
    fn another_network_or_none_is_a_mismatch() {
        let held = Held { network: Some(network("203.0.113.7")), ..Held::default() };
        for (network, expected) in [
            (Some(network("203.0.113.250")), Match::Unbound),
            (Some(network("::ffff:203.0.113.9")), Match::Unbound),
            (Some(network("203.0.114.7")), Match::Mismatch),
            (Some(network("2001:db8::7")), Match::Mismatch),
            (None, Match::Mismatch),
        ] {
            assert_eq!(held.compare(&Proof { network, ..Proof::default() }), expected);
        }
        assert_eq!(network("2001:db8:0:ab00::1"), network("2001:db8:0:abff:1::2"));
        assert_ne!(network("2001:db8:0:ab00::1"), network("2001:db8:0:ac00::1"));
    }

    #[test]
    fn one_that_is_held_to_nothing_ignores_what_is_shown() {
        let proof = Proof { key: KeyProof::Valid(OTHER), features: Some(OTHER), network: None };
        assert_eq!(Held::default().compare(&proof), Match::Unbound);
    }
}
