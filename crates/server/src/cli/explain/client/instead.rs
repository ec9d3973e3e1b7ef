//! Which preset would suit better, under which circumstances.

use crate::config::Preset;
use serde::Serialize;

/// A preset to take instead.
#[derive(Serialize)]
pub(super) struct Instead {
    /// When.
    pub(super) when: &'static str,
    /// Which.
    #[serde(serialize_with = "word")]
    pub(super) preset: Preset,
    /// Why.
    pub(super) because: &'static str,
}

fn word<S: serde::Serializer>(preset: &Preset, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(preset.as_str())
}

/// Circumstances, the preset that is for them, and why.
const FOR: [(&str, Preset, &str); 6] = [
    (
        "no script in the page may ever read a token",
        Preset::GatewaySession,
        "the browser holds one HttpOnly cookie, and tokens stay behind the gateway",
    ),
    (
        "pages are rendered by a server",
        Preset::GatewaySession,
        "a cookie travels by itself, and a page needs no code for tokens",
    ),
    (
        "the client cannot replace its token",
        Preset::SlidingSession,
        "its one JWT is verified anywhere, and the server slides the session",
    ),
    (
        "a changed permission must hold at the next request, and the authority is near",
        Preset::OpaqueSession,
        "a token says nothing, so nothing that it says can be old",
    ),
    (
        "services verify by themselves, and go on while the authority is away",
        Preset::DualToken,
        "a short JWT is verified alone, and a refresh token keeps it short",
    ),
    (
        "no person is there: one service calls another",
        Preset::Service,
        "it has a secret of its own, and no session to lose",
    ),
];

/// What would suit better than this one.
pub(super) fn instead(of: Preset) -> Vec<Instead> {
    let other = FOR.into_iter().filter(|(_, preset, _)| *preset != of);
    other.map(|(when, preset, because)| Instead { when, preset, because }).collect()
}
