//! What a token is worth, by the authority itself: a mirror of its own while that knows all that was committed,
//! else its keys and the session as the store has it now.

use super::renewal::{self, Renewal};
use super::{
    Admitted, ByCookie, Judges, Judging, Read, Redeeming, Refused, Renewing, Seeking, session,
    ticket,
};
use crate::app::App;
use crate::clock::monotonic;
use crate::http::around::suits;
use crate::http::one_use::{is_for_one, use_up};
use crate::http::own_token::{OwnToken, Unheld};
use crate::people::StepUpAsked;
use serde_json::{Map, Value};
use std::sync::Arc;
use symbolon_core::{Fault, Subject, Timestamp, Verdict};
use symbolon_verify::{Distrust, Now, Presented, Rejected};
use symbolon_wire::parse_session_id;

/// Exact at the instant of the answer.
impl Judges for App {
    fn at_once(&self, shown: &Presented<'_>, audience: &str) -> Option<Admitted> {
        if self.config.gateway.allowlist {
            // A signature may be a thief's; only the store and the names of tokens tell.
            return None;
        }
        // Proofs that were used are remembered in one place, which is not there.
        let shown = Some(shown).filter(|shown| !shown.is_dpop())?;
        let known = self.feed.own.look(self, (shown, audience), self.now().ok()?)?;
        self.metrics.answered_from_memory();
        Some(Admitted::Verified(known))
    }

    fn judge<'a>(&'a self, shown: Presented<'a>, audience: &'a str) -> Judging<'a> {
        Box::pin(judge(self, shown, audience))
    }

    fn behind_at_once(&self, shown: &Presented<'_>, audience: &str) -> Option<ByCookie> {
        session::at_once(self, shown, audience)
    }

    fn behind<'a>(&'a self, shown: Presented<'a>, audience: &'a str) -> Seeking<'a> {
        Box::pin(session::shown(self, shown, audience))
    }

    fn ask_for_more(&self, admitted: &Admitted, why: &Rejected) {
        let Rejected::InsufficientAuthentication { max_age, acr } = why else { return };
        let subject = match admitted {
            Admitted::Verified(verified) => Subject::parse(verified.claims().sub),
            Admitted::Read(read) => Subject::parse(&read.subject),
        };
        let sid = admitted.session().and_then(|sid| parse_session_id(&sid).ok());
        if let (Ok(subject), Some(sid)) = (subject, sid) {
            let asked = Arc::new(StepUpAsked { max_age: *max_age, acr: acr.clone() });
            self.people.ask_for_more((&subject, sid), &asked, monotonic());
        }
    }

    fn renew<'a>(&'a self, asked: Renewal<'a>) -> Renewing<'a> {
        Box::pin(renewal::renew(self, asked))
    }

    fn redeem<'a>(&'a self, ticket: &'a str, audience: &'a str) -> Redeeming<'a> {
        Box::pin(ticket::redeem(self, ticket, audience))
    }

    fn now(&self) -> Result<Timestamp, Fault> {
        Self::now(self)
    }
}

async fn judge(app: &App, shown: Presented<'_>, audience: &str) -> Result<Admitted, Refused> {
    let at = app.now()?;
    let token = OwnToken::read(app, shown.token).ok_or(Rejected::Untrusted(Distrust::Signature))?;
    let (jkt, gone) = (token.jkt(), Rejected::Revoked { ended: None });
    let held = token.held(app, at).await?.ok_or(gone)?;
    if !held.audience.iter().any(|own| own == audience) {
        return Err(Rejected::Untrusted(Distrust::Audience).into());
    }
    match held.says {
        Ok(claims) => {
            if let Some(own) = &held.session {
                suits(app, &own.session, &held.imprints, &shown)?;
            }
            let (epoch, now) =
                (app.store.cutoffs().epoch, Now { wall: at, monotonic: monotonic() });
            app.proofs.admit(epoch, &shown, jkt, now)?;
            if is_for_one(&claims) && !use_up(app, &claims, at).await? {
                return Err(Rejected::Used.into());
            }
            app.feed.own.used(app, held.session.as_ref(), at);
            Ok(admitted(&claims))
        }
        Err(unheld) => Err(rejected(unheld).into()),
    }
}

const fn rejected(unheld: Unheld) -> Rejected {
    match unheld {
        Unheld::Expired => Rejected::Expired,
        Unheld::By(Verdict::Stale(_)) => Rejected::Stale,
        Unheld::By(Verdict::Revoked(reason)) => Rejected::Revoked { ended: Some(reason) },
        Unheld::By(Verdict::Live) => Rejected::Revoked { ended: None },
    }
}

/// What the claims of a token of our own say.
pub(super) fn admitted(claims: &Map<String, Value>) -> Admitted {
    let text = |name| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let roles = claims.get("roles").and_then(Value::as_array).into_iter().flatten();
    Admitted::Read(Read {
        subject: text("sub").unwrap_or_default(),
        session: text("sid"),
        client: text("client_id").unwrap_or_default(),
        scope: text("scope").unwrap_or_default(),
        roles: roles.filter_map(Value::as_str).map(str::to_owned).collect(),
        auth_time: claims.get("auth_time").and_then(Value::as_u64).map(Timestamp::from_seconds),
        acr: text("acr"),
    })
}
