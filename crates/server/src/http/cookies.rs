//! The cookies of a session, as a back end hands them on (docs/INTERFACE.md, "Gateway").

use crate::app::App;
use crate::config::{Client, Preset};
use symbolon_core::Grant;
use symbolon_core::Timestamp;
use symbolon_core::grant::seconds_left;
use symbolon_wire::{CookieKind, HandleKind};

/// The `Set-Cookie` lines of a new gateway session: its handle, and the token that pages show beside it.
pub fn of_session(app: &App, client: &Client, grant: &Grant, at: Timestamp) -> Vec<String> {
    let session = &grant.session;
    let life = seconds_left(session.absolute_expires_at(&client.policy), at);
    let handle = app.keys.handle(HandleKind::Cookie, grant);
    let csrf = app.keys.csrf.token(session.sid, session.salt);
    vec![
        app.cookies.set(CookieKind::Session, handle.expose(), life),
        app.cookies.set(CookieKind::Csrf, csrf.expose(), life),
    ]
}

/// The lines that take away what a browser holds of a client's sessions; none where it holds no cookie.
pub fn cleared(app: &App, client: &Client) -> Vec<String> {
    let kinds: &[CookieKind] = match client.preset {
        Preset::GatewaySession => &[CookieKind::Session, CookieKind::Csrf],
        Preset::DualToken | Preset::SlidingSession | Preset::OpaqueSession | Preset::Service => &[],
    };
    kinds.iter().map(|kind| app.cookies.clear(*kind)).collect()
}
