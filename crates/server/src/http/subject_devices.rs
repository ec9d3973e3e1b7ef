//! `PUT` and `DELETE /v1/subjects/{sub}/devices`: how many sessions one subject may have, whatever its clients' settings
//! say.

use super::auth;
use super::body::{self, Object, json_bytes, parse_json};
use super::edge::Context;
use super::ending;
use super::problem::Problem;
use super::query::Query;
use super::subject::replaced;
use super::subject_sessions::read;
use crate::api_keys::ApiScope;
use crate::app::App;
use crate::config::DEVICES_MAX;
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use symbolon_core::LoadedSubject;
use symbolon_core::device::{DeviceClass, DeviceLimits, Overflow};

/// The body of `PUT /v1/subjects/{sub}/devices`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DevicesRequest {
    per_subject: Option<u64>,
    per_class: Option<BTreeMap<String, u64>>,
    overflow: Option<String>,
}

/// What is said of a subject's devices.
#[derive(Serialize)]
pub(super) struct DevicesView {
    #[serde(skip_serializing_if = "Option::is_none")]
    per_subject: Option<u16>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    per_class: BTreeMap<&'static str, u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overflow: Option<&'static str>,
}

impl DevicesView {
    /// Nothing where nothing is said.
    pub(super) fn new(limits: &DeviceLimits) -> Option<Self> {
        let per_class = limits.per_class.iter().map(|(class, most)| (class.as_str(), *most));
        (!limits.is_empty()).then(|| Self {
            per_subject: limits.per_subject,
            per_class: per_class.collect(),
            overflow: limits.overflow.map(Overflow::as_str),
        })
    }
}

/// Says it, in place of what was said before; a member left out is as each client's settings have it.
///
/// # Errors
/// The caller may not; a member is wrong; the store could not write.
pub async fn put(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    sub: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::SubjectsWrite).await?;
    caller.subject_wide("limit a subject's devices")?;
    let query = Query::read(&uri, &["note"])?;
    let act = context.act(caller.actor(), ending::note_of(query.get("note"))?);
    let subject = read(sub)?;
    let Object(request): Object<DevicesRequest> = parse_json(&json_bytes(&headers, body).await?)?;
    let (limits, at) = (request.check()?, app.now()?);
    let decide = |now: LoadedSubject| Ok(now.limit_devices(&limits, &act, at));
    let shard = app.keys.shards.shard(subject.as_str());
    Ok(replaced(app.store.step_subject(&subject, shard, decide).await?.reply))
}

/// Says nothing any more: the settings of each client hold.
///
/// # Errors
/// The caller may not; the store could not write.
pub async fn delete(
    State(app): State<Arc<App>>,
    Extension(context): Extension<Context>,
    sub: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let caller = auth::caller(&app, &context, &headers, ApiScope::SubjectsWrite).await?;
    caller.subject_wide("limit a subject's devices")?;
    body::none(body).await?;
    let query = Query::read(&uri, &["note"])?;
    let act = context.act(caller.actor(), ending::note_of(query.get("note"))?);
    let (subject, at) = (read(sub)?, app.now()?);
    let shard = app.keys.shards.shard(subject.as_str());
    let decide = |now: LoadedSubject| Ok(now.limit_devices(&DeviceLimits::default(), &act, at));
    Ok(replaced(app.store.step_subject(&subject, shard, decide).await?.reply))
}

impl DevicesRequest {
    fn check(self) -> Result<DeviceLimits, Problem> {
        let per_class = self.per_class.unwrap_or_default().into_iter().map(|(word, most)| {
            let class = DeviceClass::parse(&word);
            let wrong = || Problem::member("per_class", "names a device class that there is not");
            Ok((class.ok_or_else(wrong)?, number(most, &format!("per_class.{word}"))?))
        });
        let overflow = self.overflow.as_deref().map(|word| {
            let wrong = "must be one of evict_idle, evict_oldest, refuse";
            Overflow::parse(word).ok_or_else(|| Problem::member("overflow", wrong))
        });
        Ok(DeviceLimits {
            per_subject: self.per_subject.map(|most| number(most, "per_subject")).transpose()?,
            per_class: per_class.collect::<Result<_, Problem>>()?,
            overflow: overflow.transpose()?,
        })
    }
}

fn number(most: u64, member: &str) -> Result<u16, Problem> {
    let wrong = || Problem::member(member, format!("must be a number from 1 to {DEVICES_MAX}"));
    let most = Some(most).filter(|most| (1..=DEVICES_MAX).contains(most)).ok_or_else(wrong)?;
    u16::try_from(most).map_err(|_| wrong())
}
