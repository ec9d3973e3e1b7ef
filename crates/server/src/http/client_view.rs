//! A client as the API shows it: what the configuration says of it, never a secret, and its switches.

use super::version;
use crate::config::{Client, duration_text};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use symbolon_core::device::Overflow;
use symbolon_core::epoch::ReplayFor;
use symbolon_core::{BindingPolicy, Cutoffs, Timestamp};

/// A client, as INTERFACE.md names its members. Durations are written as in the configuration.
#[derive(Serialize)]
pub struct ClientView {
    client_id: String,
    preset: &'static str,
    confidential: bool,
    /// How many secrets hold now.
    secrets: usize,
    origins: Vec<Arc<str>>,
    /// Where there are refresh tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<&'static str>,
    audience: Vec<Arc<str>>,
    scope: Arc<str>,
    access_token: AccessTokenView,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<RefreshView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<DevicesView>,
    /// Where there are sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    binding: Option<BindingView>,
    disabled: bool,
    version: String,
    replay: Option<ReplayView>,
}

#[derive(Serialize)]
struct AccessTokenView {
    ttl: String,
    format: &'static str,
}

#[derive(Serialize)]
struct RefreshView {
    idle: String,
    absolute: String,
    /// Of refresh tokens, where there are any; so is `replay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    grace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<&'static str>,
}

#[derive(Serialize)]
struct DevicesView {
    per_subject: u16,
    per_class: BTreeMap<&'static str, u16>,
    overflow: &'static str,
}

/// What a token's holder must also show: each `off`, `report` or `enforce`.
#[derive(Serialize)]
struct BindingView {
    key: &'static str,
    features: &'static str,
    network: &'static str,
}

/// What is done about replays for a while.
#[derive(Serialize)]
struct ReplayView {
    mode: &'static str,
    until: u64,
}

impl ClientView {
    /// What is told of a client at `at`.
    pub fn new(client: &Client, cutoffs: &Cutoffs, at: Timestamp) -> Self {
        let switches = cutoffs.client(&client.id).switches(at);
        let of_people = client.preset.has_sessions();
        let ttl = duration_text(client.policy.access_ttl);
        Self {
            client_id: client.id.as_str().to_owned(),
            preset: client.preset.as_str(),
            confidential: client.is_confidential(),
            secrets: client.secret_hashes.len(),
            origins: client.origins.clone(),
            delivery: client.preset.has_refresh_tokens().then(|| client.delivery.as_str()),
            audience: client.audience.clone(),
            scope: Arc::clone(&client.policy.scope),
            access_token: AccessTokenView { ttl, format: client.preset.format().as_str() },
            refresh: of_people.then(|| RefreshView::new(client)),
            devices: of_people.then(|| DevicesView::new(client)),
            binding: of_people.then(|| BindingView::new(client.policy.binding)),
            disabled: switches.disabled,
            version: version::text(cutoffs.client_version(&client.id)),
            replay: switches.replay.map(ReplayView::new),
        }
    }
}

impl RefreshView {
    fn new(client: &Client) -> Self {
        let policy = &client.policy;
        let rotates = client.preset.has_refresh_tokens();
        Self {
            idle: duration_text(policy.idle),
            absolute: duration_text(policy.absolute),
            grace: rotates.then(|| duration_text(policy.grace)),
            replay: rotates.then(|| policy.replay.as_str()),
        }
    }
}

impl DevicesView {
    fn new(client: &Client) -> Self {
        let devices = &client.policy.devices;
        Self {
            per_subject: devices.per_subject,
            per_class: devices.per_class.iter().map(|(class, n)| (class.as_str(), *n)).collect(),
            overflow: match devices.overflow {
                Overflow::EvictIdle => "evict_idle",
                Overflow::EvictOldest => "evict_oldest",
                Overflow::Refuse => "refuse",
            },
        }
    }
}

impl BindingView {
    const fn new(policy: BindingPolicy) -> Self {
        let BindingPolicy { key, features, network } = policy;
        Self { key: key.as_str(), features: features.as_str(), network: network.as_str() }
    }
}

impl ReplayView {
    fn new(own: ReplayFor) -> Self {
        Self { mode: own.replay.as_str(), until: own.until.as_seconds() }
    }
}
