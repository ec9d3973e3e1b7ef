//! What stands behind a session's cookie, by the authority itself: a short token that says what holds of the session
//! now.

use super::behind::Behind;
use super::{Admitted, ByCookie, Read, Refused};
use crate::app::App;
use crate::config::{Client, Preset};
use crate::http::around::suits;
use crate::http::tokens::{Unwritten, Writing};
use crate::keys::Recipients;
use crate::presence::Online;
use std::sync::Arc;
use symbolon_core::imprint::Imprints;
use symbolon_core::person::Gone;
use symbolon_core::{
    Decision, Denial, Fault, Grant, Handle, Loaded, Reason, Session, Shown, Timestamp,
};
use symbolon_verify::{Distrust, Presented, Rejected};
use symbolon_wire::{HandleKind, SecretText, imprints, session_id_text};

/// What is kept of it, if everything that was committed says that it still holds.
pub(super) fn at_once(app: &App, shown: &Presented<'_>, audience: &str) -> Option<ByCookie> {
    let at = app.now().ok()?;
    let behind = app.kept.find(shown.token, audience, at)?;
    let known = app.feed.own.look(app, (&shown.behind(behind.token.expose()), audience), at)?;
    app.metrics.answered_from_memory();
    Some((Admitted::Verified(known), behind))
}

/// What the session says now to whoever shows its cookie; it counts as a use of it.
///
/// # Errors
/// As [`behind`]'s; the cookie is bound to other features or another network.
pub(super) async fn shown(
    app: &App,
    shown: Presented<'_>,
    audience: &str,
) -> Result<ByCookie, Refused> {
    let (by_cookie, session, imprints) = found(app, shown.token, audience).await?;
    suits(app, &session, &imprints, &shown)?;
    Ok(by_cookie)
}

/// The same to whoever compares themselves what the token is bound to that stands behind it.
///
/// # Errors
/// The cookie is none of ours, or its session is over; the store could not answer.
pub async fn behind(app: &App, cookie: &str, audience: &str) -> Result<ByCookie, Refused> {
    found(app, cookie, audience).await.map(|(by_cookie, ..)| by_cookie)
}

async fn found(
    app: &App,
    cookie: &str,
    audience: &str,
) -> Result<(ByCookie, Session, Imprints), Refused> {
    let at = app.now()?;
    let handle = app.keys.handles.open(HandleKind::Cookie, cookie);
    let handle = handle.map_err(|_| Rejected::Untrusted(Distrust::Signature))?;
    let asking = Asking { app, handle: &handle, audience, at };
    let done = app.store.step(handle.sid(), |now| asking.decide(now)).await?;
    let Outcomes { found, ended } = done.ok_or(Rejected::Revoked { ended: None })?.reply;
    if let Some(Gone { sid, client, reason }) = ended {
        app.metrics.ended(&client, reason);
        tracing::info!(sid = session_id_text(sid), reason = reason.as_str(), "session ended");
    }
    let Found { read, behind, online, session, imprints } = found?;
    app.presence.note(handle.sid(), online);
    let behind = Arc::new(behind);
    app.kept.keep(cookie, audience, &behind);
    Ok(((Admitted::Read(read), behind), session, imprints))
}

struct Asking<'a> {
    app: &'a App,
    handle: &'a Handle,
    audience: &'a str,
    at: Timestamp,
}

struct Outcomes {
    found: Result<Found, Refused>,
    ended: Option<Gone>,
}

struct Found {
    read: Read,
    behind: Behind,
    online: Online,
    session: Session,
    imprints: Imprints,
}

impl Asking<'_> {
    /// The rule, and the text of what it grants.
    fn decide(&self, now: Loaded) -> Result<Decision<Outcomes>, Fault> {
        let refuse = |why| Ok(Decision::unchanged(Outcomes { found: Err(why), ended: None }));
        let id = now.session.client.clone();
        let client = self.app.config.clients.get(&id);
        let Some(client) = client.filter(|own| own.preset == Preset::GatewaySession) else {
            return refuse(Rejected::Untrusted(Distrust::Signature).into());
        };
        let own = Arc::clone(&now.session.audience);
        let Some(recipients) = self.app.recipients(client, &own, Some(self.audience)) else {
            return refuse(Rejected::Untrusted(Distrust::Audience).into());
        };
        let terms = self.app.terms(client, &recipients.signer)?;
        let handle = self.handle;
        let decision = now.by_handle(&Shown { handle, terms }, self.at);
        let ended = decision.events.first();
        let ended = ended.map(|event| Gone { sid: handle.sid(), client: id, reason: event.reason });
        Ok(decision.map(|reply| Outcomes {
            found: match reply {
                Ok(grant) => self.write(client, &grant, &recipients),
                Err(denial) => Err(rejected(denial).into()),
            },
            ended,
        }))
    }

    fn write(
        &self,
        client: &Client,
        grant: &Grant,
        recipients: &Recipients,
    ) -> Result<Found, Refused> {
        let (app, at) = (self.app, self.at);
        let written = Writing { app, client, at }.access_token(grant, recipients, &grant.scope);
        let (issued, _) = written.map_err(Unwritten::into_fault)?;
        let session = &grant.session;
        let behind = Behind {
            token: SecretText::new(issued.token.expose().to_owned()),
            origins: client.origins.clone(),
            csrf: app.keys.csrf.token(session.sid, session.salt),
            until: session.same_until(&client.policy, at),
        };
        Ok(Found {
            read: described(grant),
            behind,
            online: Online::of(session, at),
            session: session.clone(),
            imprints: imprints(grant),
        })
    }
}

/// What the token of a grant says.
pub(super) fn described(grant: &Grant) -> Read {
    Read {
        subject: grant.session.subject.as_str().to_owned(),
        session: Some(session_id_text(grant.session.sid)),
        client: grant.session.client.as_str().to_owned(),
        scope: grant.scope.as_ref().to_owned(),
        roles: grant.roles.iter().map(|role| role.as_ref().to_owned()).collect(),
        auth_time: Some(grant.session.authenticated_at),
        acr: grant.session.acr.as_deref().map(str::to_owned),
    }
}

/// A cookie cannot be renewed, so nothing that is said of it is *stale*.
fn rejected(denial: Denial) -> Rejected {
    match denial {
        Denial::UnknownSession | Denial::ForeignToken | Denial::DeviceLimit => {
            Rejected::Revoked { ended: None }
        }
        Denial::ClientDisabled => Rejected::Revoked { ended: Some(Reason::ClientDisabled) },
        Denial::Ended(reason) => Rejected::Revoked { ended: Some(reason) },
        Denial::Replayed => Rejected::Revoked { ended: Some(Reason::Replayed) },
        Denial::Banned(_) => Rejected::Revoked { ended: Some(Reason::Banned) },
        Denial::ProofNeeded => Rejected::Binding,
    }
}
