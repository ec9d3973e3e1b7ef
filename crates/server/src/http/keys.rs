//! `GET /v1/keys` and `POST /v1/keys/rotate`: which keys sign, and turning them before their time.

use super::auth::{self, Caller};
use super::body::{Object, json_bytes, parse_json};
use super::edge::Context;
use super::ending::{self, Why};
use super::problem::Problem;
use super::query::Query;
use crate::api_keys::ApiScope;
use crate::app::{App, Live};
use crate::feed::Heard;
use crate::keys::{KeyView, KeysUnavailable, Source};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use symbolon_core::signing::{RETIRING, Wish};
use symbolon_core::{Change, Cutoffs, Fault, KeyId, KeyState, Reason, Timestamp};
use symbolon_wire::{Algorithm, key_id_text};

/// The body of `POST /v1/keys/rotate`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RotateRequest {
    alg: Option<String>,
    #[serde(default)]
    now: bool,
    reason: Option<String>,
    note: Option<String>,
}

#[derive(Serialize)]
struct Item {
    kid: String,
    alg: &'static str,
    state: &'static str,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    made_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone_at: Option<u64>,
}

impl From<KeyView> for Item {
    fn from(key: KeyView) -> Self {
        let source = match key.source {
            Source::Own => "own",
            Source::File => "file",
        };
        let gone_at = key.retires_at.map(|at| at.after(RETIRING).as_seconds());
        Self {
            kid: key_id_text(key.kid),
            alg: key.alg.name(),
            state: key.state.as_str(),
            source,
            made_at: key.made_at.map(Timestamp::as_seconds),
            current_from: key.current_from.map(Timestamp::as_seconds),
            retires_at: key.retires_at.map(Timestamp::as_seconds),
            gone_at,
        }
    }
}

#[derive(Serialize)]
struct List {
    items: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verifiers: Option<Heard>,
}

/// Lists the signing keys; no secret is among what is shown.
///
/// # Errors
/// The caller may not.
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = auth::caller(&app, &context, &headers, ApiScope::Admin).await?;
    caller.subject_wide("look at the signing keys")?;
    Query::read(&uri, &[])?;
    Ok(list(&app, app.now()?, None))
}

/// Announces a next key, or lets a new one sign at once; without `alg` of every algorithm that is in use.
/// A next key that is announced already is the one: to ask again changes nothing.
///
/// # Errors
/// The caller may not; a member is wrong; keys of this algorithm come from a file; too many are in use.
pub async fn rotate(
    State(live): State<Live>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Result<Response, Problem> {
    let app = live.now();
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::Admin).await?;
    caller.subject_wide("turn the signing keys")?;
    Query::read(&uri, &[])?;
    let Object(request): Object<RotateRequest> = parse_json(&json_bytes(&headers, body).await?)?;
    let why = request.why(&context, &caller, app.now()?)?;
    let wish = if request.now { Wish::Now } else { Wish::Announced };
    let wishes: BTreeMap<_, _> =
        request.algorithms(&app)?.into_iter().map(|alg| (alg, wish)).collect();
    live.turn_keys(None, wishes).await.map_err(refused)?;
    // Both as they are now: a key that signs from now on did not when this request came.
    let (before, app) = (app, live.now());
    let at = app.now()?;
    if kids(&app, at) != kids(&before, at) {
        let turned = Change::KeysTurned { at_once: request.now };
        let line = |now: Cutoffs| {
            let event = turned.clone().event(&why.bump(now.epoch));
            Ok((now, vec![event], ()))
        };
        app.store.bump(line).await?;
    }
    let (request_id, by) = (&*context.request_id, super::session_view::by(&caller.actor()));
    tracing::info!(request_id, by, now = request.now, "signing keys turned");
    Ok(list(&app, app.now()?, None))
}

/// Which keys there are, and what each does.
fn kids(app: &App, at: Timestamp) -> Vec<(KeyId, KeyState)> {
    app.keys.views(at).into_iter().map(|key| (key.kid, key.state)).collect()
}

impl RotateRequest {
    fn why(&self, context: &Context, caller: &Caller, at: Timestamp) -> Result<Why, Problem> {
        let known = "must be one of the stable reasons, such as `admin` or `key_compromised`";
        let wrong = || Problem::member("reason", known);
        let read = |word: &str| Reason::parse(word).ok_or_else(wrong);
        let reason = self.reason.as_deref().map_or(Ok(Reason::Admin), read)?;
        let act = context.act(caller.actor(), ending::note_of(self.note.as_deref())?);
        Ok(Why { reason, act, at })
    }

    fn algorithms(&self, app: &App) -> Result<Vec<Algorithm>, Problem> {
        let turning = app.keys.turning(&app.config);
        let Some(name) = &self.alg else { return Ok(turning) };
        let known: Vec<_> = turning.iter().map(|alg| alg.name()).collect();
        match Algorithm::from_name(name).filter(|alg| turning.contains(alg)) {
            Some(alg) => Ok(vec![alg]),
            None => Err(Problem::member(
                "alg",
                format!("must be one whose keys turn here: {}", known.join(", ")),
            )),
        }
    }
}

/// What a caller is told when keys could not be turned.
pub(super) fn refused(why: KeysUnavailable) -> Problem {
    let detail = why.to_string();
    match why {
        KeysUnavailable::Store(fault) => fault.into(),
        KeysUnavailable::TooMany(_) => {
            Problem::new(StatusCode::CONFLICT, "too-many-keys", "Too many keys", detail)
        }
        KeysUnavailable::OtherMasterKey
        | KeysUnavailable::Record(_)
        | KeysUnavailable::File(..)
        | KeysUnavailable::Crypto => Fault::Store(detail).into(),
    }
}

/// The keys, as they are.
pub(super) fn list(app: &App, at: Timestamp, verifiers: Option<Heard>) -> Response {
    let items = app.keys.views(at).into_iter().map(Item::from).collect();
    Json(List { items, verifiers }).into_response()
}
