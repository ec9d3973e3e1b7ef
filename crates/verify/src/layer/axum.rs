//! Who was let in, as an argument of an axum handler.

use super::Admitted;
use ::http::StatusCode;
use ::http::request::Parts;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use std::fmt;

/// A handler asked who was let in where nobody had looked: a mistake of the program, answered with 500.
///
/// Put [`Admit`](super::Admit) around the route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unguarded;

impl fmt::Display for Unguarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no `symbolon_verify::layer::Admit` stands before this handler")
    }
}

impl std::error::Error for Unguarded {}

impl IntoResponse for Unguarded {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Admitted {
    type Rejection = Unguarded;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Unguarded> {
        parts.extensions.get::<Self>().cloned().ok_or(Unguarded)
    }
}
