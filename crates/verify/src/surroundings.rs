//! The features and the network that a token is bound to, at every request.

use crate::{Presented, Rejected, Unknown};
use symbolon_core::SessionId;
use symbolon_core::binding::{FEATURES_BYTES_MAX, Network};
use symbolon_core::imprint::{Fit, Imprint, Imprints, Seen};
use symbolon_wire::{features_imprint, network_imprint, sha256};

/// What becomes of a request whose token is bound to features or a network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Surroundings {
    /// They are those of the token.
    Same,
    /// They are not, and that is to be counted and nothing else.
    Reported,
}

impl Presented<'_> {
    /// Compares what the request shows with what a token of that session is bound to: for whoever knows by other means
    /// than a [`Verifier`](crate::Verifier) what that is.
    ///
    /// # Errors
    /// [`Rejected::Elsewhere`]; [`Rejected::Unverifiable`] where nobody looked at the request.
    pub fn surroundings(
        &self,
        sid: SessionId,
        imprints: &Imprints,
    ) -> Result<Surroundings, Rejected> {
        let features = imprints.features.map(|own| own.compare(self.seen_features(sid)));
        let network = imprints.network.map(|own| own.compare(self.seen_network(sid)));
        match (features.unwrap_or(Fit::Same), network.unwrap_or(Fit::Same)) {
            (Fit::Other, _) | (_, Fit::Other) => Err(Rejected::Elsewhere),
            (Fit::Unknown, _) => Err(Rejected::Unverifiable(Unknown::Features)),
            (_, Fit::Unknown) => Err(Rejected::Unverifiable(Unknown::Address)),
            (Fit::Reported, _) | (_, Fit::Reported) => Ok(Surroundings::Reported),
            (Fit::Same, Fit::Same) => Ok(Surroundings::Same),
        }
    }

    fn seen_features(&self, sid: SessionId) -> Seen {
        match self.features {
            None => Seen::Unknown,
            // No session began with longer ones.
            Some(Some(text)) if text.len() <= FEATURES_BYTES_MAX => {
                Seen::Shown(features_imprint(sid, &sha256(text.as_bytes())))
            }
            Some(Some(_) | None) => Seen::Nothing,
        }
    }

    fn seen_network(&self, sid: SessionId) -> Seen {
        let imprint = |ip| -> Imprint { network_imprint(sid, Network::of(ip)) };
        self.ip.map_or(Seen::Unknown, |ip| Seen::Shown(imprint(ip)))
    }
}
