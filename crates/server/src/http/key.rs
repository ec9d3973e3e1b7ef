//! `DELETE /v1/keys/{kid}`: a signing key is revoked. What it signed is refused, and no session ends by it.

use super::auth;
use super::body;
use super::edge::Context;
use super::ending::{self, Why};
use super::keys::{list, refused};
use super::problem::Problem;
use super::query::Query;
use crate::api_keys::ApiScope;
use crate::app::{App, Live};
use crate::keys::{KeyView, KeysUnavailable, Source};
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use std::collections::BTreeMap;
use symbolon_core::by_name::Full;
use symbolon_core::revocation::Effect;
use symbolon_core::signing::Wish;
use symbolon_core::{Cutoffs, KeyState, Reason};
use symbolon_wire::{key_id_text, parse_key_id};

/// Revokes a key: another one signs, this one is not published any more, what it signed is refused, and
/// everybody renews. Refresh tokens are of other keys, so nobody signs in again.
///
/// # Errors
/// The caller may not; there is no such key; it comes from a file.
pub async fn delete(
    State(live): State<Live>,
    Extension(context): Extension<Context>,
    kid: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let app = live.now();
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::Admin).await?;
    caller.subject_wide("revoke a signing key")?;
    body::none(body).await?;
    let query = Query::read(&uri, &ending::PARAMETERS)?;
    let wait = ending::wait_of(query.get("wait"))?;
    let known = "one of the stable reasons, such as `key_compromised`";
    let reason = query.parse("reason", known, Reason::parse)?.unwrap_or(Reason::KeyCompromised);
    let act = context.act(caller.actor(), ending::note_of(query.get("note"))?);
    let at = app.now()?;
    let Path(kid) = kid.map_err(|_| no_such_key())?;
    let key = own_key(&app, &kid)?;
    ending::say_waits(&app, wait).await;
    let position = revoke(&live, &key, Effect::Stale, &Why { reason, act, at }).await?;
    let (request_id, kid) = (&*context.request_id, key_id_text(key.kid));
    tracing::warn!(request_id, kid, reason = reason.as_str(), "signing key revoked");
    let verifiers = ending::heard(&app, position, wait).await;
    // As it is now: the key that signs in its place has begun after the question.
    let app = live.now();
    Ok(list(&app, app.now().unwrap_or(at), verifiers))
}

/// Revokes a key, and answers where in the feed that stands.
pub(super) async fn revoke(
    live: &Live,
    key: &KeyView,
    effect: Effect,
    why: &Why,
) -> Result<u64, Problem> {
    if key.state == KeyState::Current {
        // Another key signs before this one counts no more: no refresh comes between.
        let wishes = BTreeMap::from([(key.alg, Wish::Now)]);
        match live.turn_keys(None, wishes).await {
            // Then there is room when this one is gone, and until then renewals are told to try again.
            Ok(()) | Err(KeysUnavailable::TooMany(_)) => {}
            Err(why) => return Err(refused(why)),
        }
    }
    let decide = |mut now: Cutoffs| {
        let bump = why.bump(now.epoch);
        Ok(match now.revoke_key(key.kid, effect, &bump) {
            Ok(event) => (now, vec![event], Ok(())),
            Err(full) => (now, Vec::new(), Err(full)),
        })
    };
    let done = live.now().store.bump(decide).await?;
    done.reply.map_err(full)?;
    live.turn_keys(None, BTreeMap::new()).await.map_err(refused)?;
    Ok(done.position)
}

/// So much is revoked by name that no more can be.
pub(super) fn full(full: Full) -> Problem {
    let detail = full.to_string();
    Problem::new(StatusCode::CONFLICT, "too-many-revoked", "Too many are revoked", detail)
}

fn no_such_key() -> Problem {
    Problem::not_found("There is no such signing key.")
}

/// A key of the authority's own, by its name.
pub(super) fn own_key(app: &App, kid: &str) -> Result<KeyView, Problem> {
    let kid = parse_key_id(kid).map_err(|_| no_such_key())?;
    let views = app.keys.views(app.now()?);
    let key = views.into_iter().find(|key| key.kid == kid).ok_or_else(no_such_key)?;
    match key.source {
        Source::Own => Ok(key),
        Source::File => Err(Problem::new(
            StatusCode::CONFLICT,
            "key-from-file",
            "The key comes from a file",
            "Take it out of `signing_keys` in the configuration and reload; what it signed is \
             refused from then on.",
        )),
    }
}
