//! What a back end may say about a new session, and what of it is acceptable.

use super::body::Object;
use super::problem::Problem;
use crate::app::App;
use crate::config::Client;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::net::IpAddr;
use std::sync::Arc;
use symbolon_core::binding::{Binding, FEATURES_BYTES_MAX};
use symbolon_core::device::{Device, DeviceClass};
use symbolon_core::{BindingMode, BindingPolicy, Start, Subject, Timestamp, id, scope};
use symbolon_wire::{ExtraClaims, parse_thumbprint, sha256};

/// The most roles that a subject may have. Inclusive; what fits into a token may be fewer.
pub const ROLES_MAX: usize = 256;

/// The most entries in `amr` and in `audience`. Inclusive.
pub const LIST_MAX: usize = 16;

/// The longest `user_agent` and `features`, in bytes. Inclusive.
pub const TEXT_BYTES_MAX: usize = FEATURES_BYTES_MAX;

/// The body of `POST /v1/sessions`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRequest {
    subject: String,
    /// The application through which the subject signs in.
    pub client_id: String,
    device: Object<DeviceRequest>,
    scope: Option<String>,
    /// The subject's roles from now on.
    pub roles: Option<Vec<String>>,
    claims: Option<Box<RawValue>>,
    amr: Option<Vec<String>>,
    acr: Option<String>,
    authenticated_at: Option<u64>,
    expires_at: Option<u64>,
    audience: Option<Vec<String>>,
    ip: Option<IpAddr>,
    user_agent: Option<String>,
    features: Option<String>,
    jkt: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceRequest {
    class: String,
    id: Option<String>,
    name: Option<String>,
}

impl StartRequest {
    /// Checks every member and names the new session.
    ///
    /// # Errors
    /// Which member is wrong, and why.
    pub fn check(self, app: &App, client: &Client, at: Timestamp) -> Result<Start, Problem> {
        let subject =
            Subject::parse(&self.subject).map_err(|why| Problem::member("subject", why))?;
        let (sid, salt) = app.name_session(&subject)?;
        let features = text(self.features, "features")?;
        let jkt = self.jkt.as_deref().map(parse_thumbprint).transpose()?;
        let shown = [jkt.is_some(), features.is_some(), self.ip.is_some()];
        bound(&client.policy.binding, shown)?;
        Ok(Start {
            sid,
            salt,
            subject,
            client: client.id.clone(),
            device: self.device.0.check()?,
            scope: granted(client, self.scope.as_deref())?,
            roles: self.roles.map(|roles| names(roles, "roles", ROLES_MAX)).transpose()?,
            claims: claims(self.claims.as_deref())?,
            audience: audience(client, self.audience)?,
            amr: names(self.amr.unwrap_or_default(), "amr", LIST_MAX)?,
            acr: self.acr.map(|acr| name(&acr, "acr")).transpose()?,
            authenticated_at: self.authenticated_at.map(|t| past(t, at)).transpose()?,
            expires_at: self.expires_at.map(|t| future(t, at)).transpose()?,
            binding: Binding { key: jkt, features: features.map(|text| sha256(text.as_bytes())) },
            ip: self.ip.map(|ip| ip.to_string().into()),
            user_agent: text(self.user_agent, "user_agent")?,
            started_by: None,
        })
    }
}

impl DeviceRequest {
    fn check(self) -> Result<Device, Problem> {
        let known = "must be one of web, app, mini_program, desktop, iot, service, other";
        let class = DeviceClass::parse(&self.class);
        Ok(Device {
            class: class.ok_or_else(|| Problem::member("device.class", known))?,
            id: self.id.map(|text| name(&text, "device.id")).transpose()?,
            name: self.name.map(|text| name(&text, "device.name")).transpose()?,
        })
    }
}

/// What is enforced must be there to be compared with.
fn bound(binding: &BindingPolicy, shown: [bool; 3]) -> Result<(), Problem> {
    let modes = [binding.key, binding.features, binding.network];
    let members = ["jkt", "features", "ip"];
    for ((mode, member), shown) in modes.into_iter().zip(members).zip(shown) {
        if mode == BindingMode::Enforce && !shown {
            let why = "is missing: this client's `binding` enforces what it is compared with";
            return Err(Problem::member(member, why));
        }
    }
    Ok(())
}

fn granted(client: &Client, asked: Option<&str>) -> Result<Arc<str>, Problem> {
    let beyond = "goes beyond the `scope` of this client's configuration, or is not words separated by \
                  single spaces";
    scope::narrow(&client.policy.scope, asked).ok_or_else(|| Problem::member("scope", beyond))
}

fn audience(client: &Client, asked: Option<Vec<String>>) -> Result<Arc<[Arc<str>]>, Problem> {
    let asked = names(asked.unwrap_or_default(), "audience", LIST_MAX)?;
    match asked.iter().all(|name| client.audience.contains(name)) {
        true => Ok(asked),
        false => Err(Problem::member("audience", "names one that the client does not have")),
    }
}

/// Reads claims that a back end adds.
///
/// # Errors
/// Which of them is wrong, and why.
pub fn claims(raw: Option<&RawValue>) -> Result<Arc<str>, Problem> {
    let Some(raw) = raw else { return Ok("".into()) };
    Ok(ExtraClaims::parse(raw.get())?.to_text().into())
}

/// Reads an instant that may not lie ahead.
///
/// # Errors
/// It does.
pub(super) fn past(seconds: u64, at: Timestamp) -> Result<Timestamp, Problem> {
    let instant = Timestamp::from_seconds(seconds);
    match instant <= at || instant.agrees_with(at) {
        true => Ok(instant),
        false => Err(Problem::member("authenticated_at", "lies in the future")),
    }
}

fn future(seconds: u64, at: Timestamp) -> Result<Timestamp, Problem> {
    let instant = Timestamp::from_seconds(seconds);
    match at < instant {
        true => Ok(instant),
        false => Err(Problem::member("expires_at", "lies in the past")),
    }
}

/// Reads a name.
///
/// # Errors
/// What is wrong with it.
pub(super) fn name(text: &str, member: &str) -> Result<Arc<str>, Problem> {
    id::name(text).map_err(|why| Problem::member(member, why))
}

/// Reads a list of names.
///
/// # Errors
/// It is too long, or which entry is wrong.
pub fn names(texts: Vec<String>, member: &str, max: usize) -> Result<Arc<[Arc<str>]>, Problem> {
    if max < texts.len() {
        return Err(Problem::member(member, format!("has more than {max} entries")));
    }
    let read = |(at, text): (usize, &String)| name(text, &format!("{member}[{at}]"));
    texts.iter().enumerate().map(read).collect()
}

fn text(text: Option<String>, member: &str) -> Result<Option<Arc<str>>, Problem> {
    match text {
        Some(text) if TEXT_BYTES_MAX < text.len() => {
            Err(Problem::member(member, "is longer than 1024 bytes"))
        }
        Some(text) if text.chars().any(char::is_control) => {
            Err(Problem::member(member, "has a control character"))
        }
        text => Ok(text.map(Into::into)),
    }
}
