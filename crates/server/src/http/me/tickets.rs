//! `POST /v1/me/tickets`: a page asks for a ticket of its own session.

use super::Person;
use crate::app::App;
use crate::http::body::{Object, json_bytes, parse_json};
use crate::http::edge::Context;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::tickets::{self, MyTicketRequest};
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use std::sync::Arc;

/// Makes a ticket for the session that asks.
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    request: Request,
) -> Response {
    let (headers, uri) = (request.headers().clone(), request.uri().clone());
    super::answer(&app, (&Method::POST, uri.path(), &headers), make(&app, &context, request)).await
}

async fn make(app: &App, context: &Context, request: Request) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let person = Person::read(app, context, &headers).await?;
    Query::read(&uri, &[])?;
    let Object(wish): Object<MyTicketRequest> = parse_json(&json_bytes(&headers, body).await?)?;
    tickets::made(app, &person.own, &wish, person.at)
}
