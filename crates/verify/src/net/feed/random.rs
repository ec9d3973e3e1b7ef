//! Entropy, drawn at the rim.

use std::time::Duration;

/// Sixteen bytes that nobody can guess; none if the system has none to give.
pub(super) fn draw() -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let drawn = rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut bytes);
    drawn.is_ok().then_some(bytes)
}

/// Between half and the whole of a span.
pub(in crate::net) fn jitter(span: Duration) -> Duration {
    let [first, ..] = draw().unwrap_or_default();
    span / 2 + span.mul_f64(f64::from(first) / 512.0)
}

/// A name for this process, when its owner gave none.
pub(super) fn name() -> String {
    let bytes = draw().unwrap_or_default();
    bytes[..8].iter().fold("verifier-".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}
