//! What a request shows of its surroundings: the features that its client says it has, and where it asks from.

use crate::app::App;
use axum::http::{HeaderMap, HeaderName};
use std::net::IpAddr;
use symbolon_core::imprint::Imprints;
use symbolon_core::{Reason, Session};
use symbolon_verify::{Presented, Rejected, Surroundings};
use symbolon_wire::session_id_text;

/// Where a client says its features.
pub const FEATURES: HeaderName = HeaderName::from_static("x-symbolon-features");

/// What a request shows beside its credential.
#[derive(Clone, Copy)]
pub struct Around<'h> {
    features: Option<&'h str>,
    ip: Option<IpAddr>,
}

impl<'h> Around<'h> {
    /// The features are those of the one header of that name. `None` for the address: nobody who is believed said it.
    pub fn new(headers: &'h HeaderMap, ip: Option<IpAddr>) -> Self {
        let mut values = headers.get_all(FEATURES).iter();
        let only = values.next().filter(|_| values.next().is_none());
        Self { features: only.and_then(|value| std::str::from_utf8(value.as_bytes()).ok()), ip }
    }

    /// A credential that came with all this.
    pub const fn beside(self, credential: Presented<'h>) -> Presented<'h> {
        let shown = credential.features(self.features);
        match self.ip {
            Some(ip) => shown.ip(ip),
            None => shown,
        }
    }
}

/// Compares what a request shows with what a credential of this session is bound to. Another is refused, and the
/// session lives: only a renewal ends it.
///
/// # Errors
/// It is bound to others; it cannot be told.
pub fn suits(
    app: &App,
    session: &Session,
    imprints: &Imprints,
    shown: &Presented<'_>,
) -> Result<(), Rejected> {
    if imprints.is_empty() || shown.surroundings(session.sid, imprints)? == Surroundings::Same {
        return Ok(());
    }
    app.metrics.alert(&session.client, Reason::BindingMismatch);
    let (sid, reason) = (session_id_text(session.sid), Reason::BindingMismatch.as_str());
    tracing::warn!(sid, reason, "a setting let this pass");
    Ok(())
}
