//! An event as the API shows it.

use super::session_view::by;
use super::version;
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use std::sync::Arc;
use symbolon_core::revocation::Actor;
use symbolon_core::{Change, Effect, Event, Reason, Target};
use symbolon_wire::{key_id_text, session_id_text};

/// One event of the history, as INTERFACE.md names its members. Times are whole seconds.
#[derive(Serialize)]
pub struct EventView {
    position: u64,
    at: u64,
    #[serde(flatten)]
    target: TargetView,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    effect: &'static str,
    reason: &'static str,
    by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Arc<str>>,
}

#[derive(Serialize, Default)]
struct TargetView {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    below: Option<String>,
}

impl EventView {
    /// What is told of the event at a position.
    pub fn new(position: u64, event: &Event) -> Self {
        let act = &event.act;
        Self {
            position,
            at: event.at.as_seconds(),
            target: TargetView::new(&event.target),
            subject: event.subject().map(|subject| subject.as_str().to_owned()),
            client_id: event.client().map(|client| client.as_str().to_owned()),
            effect: match (&event.target, event.effect) {
                (Target::Nothing(_), _) => "none",
                (_, Effect::Revoked) => "revoked",
                (_, Effect::Stale) => "stale",
            },
            reason: event.reason.as_str(),
            by: by(&act.actor),
            note: act.note.clone(),
            ip: act.ip.clone(),
            request_id: Some(Arc::clone(&act.request_id)).filter(|id| !id.is_empty()),
        }
    }
}

impl EventView {
    /// What the person whom it concerns is told: what happened to which of their sessions and why; who acted
    /// and from where only if it was themselves.
    pub fn for_person(position: u64, event: &Event) -> Self {
        let view = Self::new(position, event);
        let target = TargetView { below: None, ..view.target };
        match event.act.actor {
            Actor::Person(_) => Self { target, request_id: None, ..view },
            Actor::Authority
            | Actor::Schedule(_)
            | Actor::ApiKey(_)
            | Actor::Operator(_)
            | Actor::Client(_) => {
                let by = match event.act.actor {
                    Actor::ApiKey(_) | Actor::Operator(_) => "service".to_owned(),
                    Actor::Schedule(_) => "authority".to_owned(),
                    Actor::Authority | Actor::Client(_) | Actor::Person(_) => view.by,
                };
                // By which of their own devices; what else is noted is for operators.
                let note = view.note.filter(|_| event.reason == Reason::Displaced);
                Self { target, by, note, ip: None, request_id: None, ..view }
            }
        }
    }
}

impl TargetView {
    fn new(target: &Target) -> Self {
        let of = |kind| Self { kind, ..Self::default() };
        let below = |below| Some(version::text(below));
        match target {
            Target::Token(jti) => Self { jti: Some(BASE64URL_NOPAD.encode(jti)), ..of("token") },
            Target::Session(sid) => {
                Self { session_id: Some(session_id_text(*sid)), ..of("session") }
            }
            Target::Subject(_, bound) => Self { below: below(*bound), ..of("subject") },
            Target::Client(_, bound) => Self { below: below(*bound), ..of("client") },
            Target::Key(kid) => Self { kid: Some(key_id_text(*kid)), ..of("key") },
            Target::Everything(bound) => Self { below: below(*bound), ..of("everything") },
            Target::Nothing(change) => Self::of_change(change),
        }
    }

    fn of_change(change: &Change) -> Self {
        let (kind, until) = match change {
            Change::BanLifted(_) | Change::DevicesLimited(_) => ("subject", None),
            Change::ReplaySet(_, own) => ("client", Some(own.until.as_seconds())),
            Change::ClientEnabled(_) | Change::ReplayEnded(_) => ("client", None),
            Change::KeysTurned { .. } => ("key", None),
            Change::SteppedUp(..) | Change::Withheld(..) => ("session", None),
        };
        let session_id = change.session().map(session_id_text);
        Self { kind, change: Some(change.as_str()), until, session_id, ..Self::default() }
    }
}
