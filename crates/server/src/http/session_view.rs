//! A session as the API shows it.

use crate::app::App;
use serde::Serialize;
use std::sync::Arc;
use symbolon_core::device::Device;
use symbolon_core::revocation::Actor;
use symbolon_core::session::End;
use symbolon_core::{Loaded, Standing, Timestamp};
use symbolon_wire::session_id_text;

/// A session, as INTERFACE.md names its members. Times are whole seconds.
#[derive(Serialize)]
pub struct SessionView {
    session_id: String,
    subject: String,
    client_id: String,
    device: DeviceView,
    scope: Arc<str>,
    roles: Vec<Arc<str>>,
    amr: Vec<Arc<str>>,
    acr: Option<Arc<str>>,
    created_at: u64,
    last_active_at: u64,
    idle_expires_at: u64,
    expires_at: u64,
    generation: u32,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

/// The device of a session.
#[derive(Serialize)]
pub struct DeviceView {
    class: &'static str,
    id: Option<Arc<str>>,
    name: Option<Arc<str>>,
}

impl DeviceView {
    /// What is known of a device.
    pub fn new(device: &Device) -> Self {
        Self { class: device.class.as_str(), id: device.id.clone(), name: device.name.clone() }
    }
}

/// How a session ended, if it has, written down or not.
pub fn end_of(app: &App, loaded: &Loaded, at: Timestamp) -> Option<End> {
    match loaded.standing(&app.policies.of(&loaded.session.client), at) {
        Standing::Active => None,
        Standing::Ended(end) | Standing::Over(end) => Some(end),
    }
}

impl SessionView {
    /// What is known of a session at `at`.
    pub fn new(app: &App, loaded: &Loaded, at: Timestamp) -> Self {
        let session = &loaded.session;
        let policy = app.policies.of(&session.client);
        let end = end_of(app, loaded, at);
        Self {
            session_id: session_id_text(session.sid),
            subject: session.subject.as_str().to_owned(),
            client_id: session.client.as_str().to_owned(),
            device: DeviceView::new(&session.device),
            scope: session.scope.clone(),
            roles: loaded.roles().to_vec(),
            amr: session.amr.to_vec(),
            acr: session.acr.clone(),
            created_at: session.created_at.as_seconds(),
            last_active_at: session.last_used_at.as_seconds(),
            idle_expires_at: session.idle_expires_at(&policy).as_seconds(),
            expires_at: session.absolute_expires_at(&policy).as_seconds(),
            generation: session.generation.0,
            state: if end.is_some() { "ended" } else { "active" },
            reason: end.as_ref().map(|end| end.reason.as_str()),
            ended_at: end.as_ref().map(|end| end.at.as_seconds()),
            by: end.map(|end| by(&end.by)),
        }
    }
}

/// Who acted, as the API names them.
pub fn by(actor: &Actor) -> String {
    match actor {
        Actor::Authority => "authority".to_owned(),
        Actor::Schedule(name) => format!("schedule:{name}"),
        Actor::ApiKey(name) => format!("api_key:{name}"),
        Actor::Operator(uid) => format!("operator:{uid}"),
        Actor::Client(client) => format!("client:{}", client.as_str()),
        Actor::Person(_) => "person".to_owned(),
    }
}
