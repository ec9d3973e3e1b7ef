//! `POST /v1/me/sign-out`: here, everywhere else, or everywhere.

use super::Person;
use crate::app::App;
use crate::http::body::{Object, json_bytes, parse_json};
use crate::http::cookies;
use crate::http::edge::Context;
use crate::http::ending;
use crate::http::problem::Problem;
use crate::http::query::Query;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use symbolon_core::{LoadedSubject, Reason, Which};

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignOut {
    scope: String,
}

/// Ends the sessions that `scope` names: `this`, `others` or `all`. Where this one is among them, its cookies are taken
/// away.
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Response {
    let (headers, uri) = (request.headers().clone(), request.uri().clone());
    super::answer(&app, (&Method::POST, uri.path(), &headers), end(&app, &context, request)).await
}

async fn end(app: &App, context: &Context, request: Request) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let (person, _) = Person::read_even_if_stale(app, context, &headers).await?;
    Query::read(&uri, &[])?;
    let Object(SignOut { scope }) = parse_json(&json_bytes(&headers, body).await?)?;
    let own = person.own.session.sid;
    let which = match &*scope {
        "this" => Which { only: Some(own), ..Which::default() },
        "others" => Which { except: Some(own), ..Which::default() },
        "all" => Which::default(),
        _ => return Err(Problem::member("scope", "must be `this`, `others` or `all`")),
    };
    let subject = &person.own.session.subject;
    let (act, shard) = (person.act(context), app.keys.shards.shard(subject.as_str()));
    let ending = (Reason::SignedOut, &act);
    let decide =
        |now: LoadedSubject| Ok(now.end_sessions(&which, ending, &app.policies, person.at));
    let done = app.store.step_subject(subject, shard, decide).await?;
    let mut response = ending::ended_by(app, context, done, None).await;
    let client = app.config.clients.get(&person.own.session.client);
    if let Some(client) = client.filter(|_| which.except.is_none()) {
        cookies::put(&mut response, &cookies::cleared(app, client));
    }
    Ok(response)
}
