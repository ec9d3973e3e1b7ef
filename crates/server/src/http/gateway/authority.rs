//! What a token is worth, by the authority itself: a mirror of its own while that knows all that was committed,
//! else its keys and the session as the store has it now.

use super::{Admitted, Judges, Judging, Read, Refused};
use crate::app::App;
use crate::clock::monotonic;
use crate::http::own_token::OwnToken;
use serde_json::{Map, Value};
use symbolon_core::Verdict;
use symbolon_verify::{Distrust, Now, Presented, Rejected};

/// Exact at the instant of the answer.
impl Judges for App {
    fn at_once(&self, shown: &Presented<'_>, audience: &str) -> Option<Admitted> {
        // Proofs that were used are remembered in one place, which is not there.
        let token = Some(shown.token).filter(|_| !shown.is_dpop())?;
        let known = self.feed.own.look(self, (token, audience), self.now().ok()?)?;
        self.metrics.answered_from_memory();
        Some(Admitted::Verified(known))
    }

    fn judge<'a>(&'a self, shown: Presented<'a>, audience: &'a str) -> Judging<'a> {
        Box::pin(judge(self, shown, audience))
    }
}

async fn judge(app: &App, shown: Presented<'_>, audience: &str) -> Result<Admitted, Refused> {
    let at = app.now()?;
    let token = OwnToken::read(app, shown.token).ok_or(Rejected::Untrusted(Distrust::Signature))?;
    if !token.audience.iter().any(|own| own == audience) {
        return Err(Rejected::Untrusted(Distrust::Audience).into());
    }
    if token.expires_at <= at {
        return Err(Rejected::Expired.into());
    }
    match token.verdict(app, at).await? {
        Some(Verdict::Live) => {
            let now = Now { wall: at, monotonic: monotonic() };
            app.proofs.admit(&shown, token.jkt, now)?;
            Ok(admitted(&token.claims))
        }
        Some(Verdict::Stale(_)) => Err(Rejected::Stale.into()),
        Some(Verdict::Revoked(reason)) => Err(Rejected::Revoked { ended: Some(reason) }.into()),
        None => Err(Rejected::Revoked { ended: None }.into()),
    }
}

fn admitted(claims: &Map<String, Value>) -> Admitted {
    let text = |name| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let roles = claims.get("roles").and_then(Value::as_array).into_iter().flatten();
    Admitted::Read(Read {
        subject: text("sub").unwrap_or_default(),
        session: text("sid"),
        client: text("client_id").unwrap_or_default(),
        scope: text("scope").unwrap_or_default(),
        roles: roles.filter_map(Value::as_str).map(str::to_owned).collect(),
    })
}
