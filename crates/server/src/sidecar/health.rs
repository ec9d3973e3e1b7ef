//! `GET /readyz`: whether answers from memory can be had here now.

use super::Sidecar;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

/// Everything that is revoked is known, and no older than it may be.
///
/// # Errors
/// It is not; the problem says how old it is.
pub(super) async fn readyz(State(sidecar): State<Sidecar>) -> Result<Json<Value>, Problem> {
    let status = sidecar.fresh()?;
    let millis =
        |span: symbolon_core::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(json!({
        "status": "ok",
        "age_ms": status.age.map(millis),
        "max_staleness_ms": millis(sidecar.inner.max_staleness),
        "position": status.position,
        "mode": status.mode.as_str(),
    })))
}
