//! Making imprints: a digest of features or of a network together with the name of the session.

use aws_lc_rs::digest::{SHA256, digest};
use symbolon_core::binding::Network;
use symbolon_core::imprint::{Bound, Imprint, Imprints};
use symbolon_core::{Digest, Grant, SessionId};

/// What is put before what is digested, so that no digest of ours is one of another kind.
const FEATURES: &[u8; 24] = b"symbolon imprint feature";
const NETWORK: &[u8; 24] = b"symbolon imprint network";

/// The imprint of features, of which the digest is kept.
pub fn features_imprint(sid: SessionId, features: &Digest) -> Imprint {
    let mut text = [0; 24 + 16 + 32];
    text[..24].copy_from_slice(FEATURES);
    text[24..40].copy_from_slice(sid.as_bytes());
    text[40..].copy_from_slice(&features.0);
    imprint(&text)
}

/// The imprint of a network.
pub fn network_imprint(sid: SessionId, network: Network) -> Imprint {
    let mut text = [0; 24 + 16 + 16];
    text[..24].copy_from_slice(NETWORK);
    text[24..40].copy_from_slice(sid.as_bytes());
    text[40..].copy_from_slice(&network.octets());
    imprint(&text)
}

/// What the access token of a grant says of features and network.
pub fn imprints(grant: &Grant) -> Imprints {
    let sid = grant.session.sid;
    let of_features =
        |own: Bound<Digest>| Bound { to: features_imprint(sid, &own.to), enforced: own.enforced };
    let of_network =
        |own: Bound<Network>| Bound { to: network_imprint(sid, own.to), enforced: own.enforced };
    Imprints { features: grant.features.map(of_features), network: grant.network.map(of_network) }
}

/// Half of a SHA-256, which is enough: what must not be found is another text for one that is given.
fn imprint(text: &[u8]) -> Imprint {
    let mut half = [0; 16];
    half.copy_from_slice(&digest(&SHA256, text).as_ref()[..16]);
    Imprint(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: SessionId = SessionId::from_bytes([7; 16]);
    const OTHER_SID: SessionId = SessionId::from_bytes([8; 16]);

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    #[test]
    fn the_same_features_of_two_sessions_have_two_imprints() {
        let (one, other) = (Digest([1; 32]), Digest([2; 32]));
        assert_eq!(features_imprint(SID, &one), features_imprint(SID, &one));
        assert_ne!(features_imprint(SID, &one), features_imprint(OTHER_SID, &one));
        assert_ne!(features_imprint(SID, &one), features_imprint(SID, &other));
    }

    #[test]
    fn an_imprint_of_a_network_is_that_of_all_its_addresses_and_of_no_other() {
        let own = network_imprint(SID, network("203.0.113.7"));
        assert_eq!(own, network_imprint(SID, network("::ffff:203.0.113.250")));
        assert_ne!(own, network_imprint(SID, network("203.0.114.7")));
        assert_ne!(own, network_imprint(OTHER_SID, network("203.0.113.7")));
        assert_ne!(own, network_imprint(SID, network("2001:db8::7")));
    }

    #[test]
    fn no_features_have_the_imprint_of_a_network() {
        let octets = network("2001:db8::7").octets();
        let mut same = [0; 32];
        same[..16].copy_from_slice(&octets);
        let features = features_imprint(SID, &Digest(same));
        assert_ne!(features, network_imprint(SID, network("2001:db8::7")));
    }
}
