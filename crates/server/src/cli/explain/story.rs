//! What became of sessions, as the authority's history tells it.

use super::Explanation;
use crate::cli::api::Api;
use crate::cli::log;
use crate::cli::net::escape;
use crate::cli::show::{text, time};
use crate::cli::{Failure, out};
use crate::clock::civil_now;
use http::Method;
use serde_json::Value;
use std::time::Duration;

/// The most sessions of a subject that are told of. Inclusive.
const SESSIONS_MAX: usize = 200;

/// An authority that is asked, and how far back.
pub(super) struct Asking {
    pub(super) api: Api,
    since: String,
}

impl Asking {
    pub(super) fn new(api: Api, since: Duration) -> Self {
        Self { api, since: civil_now().before(since).as_seconds().to_string() }
    }

    pub(super) async fn get(&mut self, path: &str) -> Result<Value, Failure> {
        self.api.call(Method::GET, path, None).await
    }

    /// The history's events with this member.
    pub(super) async fn events(&mut self, name: &str, value: &str) -> Result<Vec<Value>, Failure> {
        let members = [(name, Some(value)), ("since", Some(&*self.since))];
        Ok(log::events(&mut self.api, &members).await?.0)
    }

    /// The whole history between two instants in seconds, whomever it is about. Inclusive.
    pub(super) async fn between(&mut self, from: u64, to: u64) -> Result<Vec<Value>, Failure> {
        let since = self.since.parse().unwrap_or_default();
        let from = from.max(since).to_string();
        Ok(log::events_until(&mut self.api, &[("since", Some(&*from))], to).await?.0)
    }

    pub(super) async fn session(&mut self, sid: &str) -> Result<Value, Failure> {
        self.get(&format!("/v1/sessions/{}", escape(sid))).await
    }
}

/// A subject, its sessions and what happened to them.
pub(super) async fn subject(asking: &mut Asking, subject: &str) -> Result<Explanation, Failure> {
    let path = format!("/v1/subjects/{}", escape(subject));
    let known = asking.get(&path).await?;
    let sessions = asking.get(&format!("{path}/sessions?state=all&limit={SESSIONS_MAX}")).await?;
    let mut told = Explanation::new("a subject");
    told.fact("subject", subject);
    for name in ["active_sessions", "roles", "version"] {
        told.fact(name, text(&known[name]));
    }
    told.sessions = sessions["items"].as_array().cloned().unwrap_or_default();
    told.sessions.sort_by_key(|session| session["created_at"].as_u64());
    told.events = asking.events("subject", subject).await?;
    let ban = &known["ban"];
    if ban.is_object() {
        let until = match ban["until"].as_u64() {
            Some(until) => format!("until {}", out::utc(until)),
            None => "until the ban is lifted".to_owned(),
        };
        let (reason, since) = (text(&ban["reason"]), time(&ban["since"]));
        told.so(format!("It is banned ({reason}) since {since}, {until}: it cannot sign in."));
    }
    match last_ended(&told.sessions) {
        _ if told.sessions.is_empty() => told.so(NO_SESSIONS),
        Some(session) => told.so(format!("Last signed out: {}", end_of(session, &told.events))),
        None => told.so("No session of it has ended that is still remembered (30 days)."),
    }
    Ok(told)
}

const NO_SESSIONS: &str = "The authority remembers no session of it: none was started, or they \
                           ended more than 30 days ago.";

fn last_ended(sessions: &[Value]) -> Option<&Value> {
    let ended = sessions.iter().filter(|session| session["state"] == "ended");
    ended.max_by_key(|session| session["ended_at"].as_u64())
}

/// What became of one session.
pub(super) async fn session(asking: &mut Asking, sid: &str) -> Result<Explanation, Failure> {
    let mut told = Explanation::new("a session");
    of_session(asking, sid, &mut told).await?;
    Ok(told)
}

/// Adds what became of a session; answers it as the authority knows it.
pub(super) async fn of_session(
    asking: &mut Asking,
    sid: &str,
    told: &mut Explanation,
) -> Result<Value, Failure> {
    let session = asking.session(sid).await?;
    let device = &session["device"];
    told.fact("session_id", sid);
    for name in ["subject", "client_id"] {
        told.fact(name, text(&session[name]));
    }
    let device = [text(&device["class"]), text(&device["name"]), text(&device["id"])];
    told.fact("device", device.join(" ").trim());
    for (name, member) in [
        ("signed_in_at", "created_at"),
        ("last_active_at", "last_active_at"),
        ("idle_expires_at", "idle_expires_at"),
        ("session_expires_at", "expires_at"),
    ] {
        told.fact(name, session[member].clone());
    }
    told.fact("newest_generation", session["generation"].clone());
    told.events = asking.events("sid", sid).await?;
    told.so(match &*text(&session["state"]) {
        "ended" => format!("The session is over: {}", end_of(&session, &told.events)),
        _ => {
            let idle = session["idle_expires_at"].as_u64();
            let until = idle.min(session["expires_at"].as_u64());
            let until = until.map(out::utc).unwrap_or_default();
            format!("The session is active; unused, it ends {until}.")
        }
    });
    Ok(session)
}

/// How a session ended: from the event of its end, else from the bound above it, else from its row.
fn end_of(session: &Value, events: &[Value]) -> String {
    let sid = &session["session_id"];
    let same = |event: &&Value| {
        event["effect"] == "revoked"
            && event["reason"] == session["reason"]
            && (event["session_id"] == *sid || event["session_id"].is_null())
    };
    let at = session["ended_at"].as_u64().unwrap_or_default();
    let nearest = events.iter().filter(same).min_by_key(|event| {
        let own = event["session_id"] != *sid;
        (own, event["at"].as_u64().unwrap_or_default().abs_diff(at))
    });
    match nearest {
        Some(event) => sentence(event),
        None => {
            let (reason, by) = (text(&session["reason"]), text(&session["by"]));
            format!("{reason} at {} by {by}.", time(&session["ended_at"]))
        }
    }
}

/// Whether an access token was revoked by its name.
pub(super) async fn jti(asking: &mut Asking, jti: &str) -> Result<Explanation, Failure> {
    let mut told = Explanation::new("an access token, by its name");
    told.fact("jti", jti);
    told.events = asking.events("jti", jti).await?;
    match told.events.last().map(sentence) {
        Some(said) => told.so(format!("It was revoked by its name: {said}")),
        None => told.so(
            "It was not revoked by its name. Its session may have ended, or a bound be above it: the \
             line in your service's log that has this jti has the sid too: symbolon explain --sid",
        ),
    }
    Ok(told)
}

/// What a request ended.
pub(super) async fn request(asking: &mut Asking, id: &str) -> Result<Explanation, Failure> {
    let mut told = Explanation::new("a request");
    told.fact("request_id", id);
    told.events = asking.events("request_id", id).await?;
    match &told.events[..] {
        [] => told.so(
            "It revoked and changed nothing that the history still has. A refused request is a line of the \
             authority's log with the same request_id.",
        ),
        [event] => told.so(format!("It had this effect: {}", sentence(event))),
        all => told.so(format!("It had {} effects.", all.len())),
    }
    Ok(told)
}

/// An event as a sentence: what, when, by whom, from where, why.
pub(in crate::cli) fn sentence(event: &Value) -> String {
    let of = |member: &str| text(&event[member]);
    let word = if event["change"].is_null() { of("reason") } else { of("change") };
    let mut said = format!("{word} at {} by {}", time(&event["at"]), of("by"));
    for (before, member, after) in
        [(" from ", "ip", ""), (", \u{201c}", "note", "\u{201d}"), (", request ", "request_id", "")]
    {
        if event[member].is_string() {
            said.push_str(&format!("{before}{}{after}", of(member)));
        }
    }
    said.push('.');
    said
}

/// A fact as people read it.
pub(super) fn shown(name: &str, value: &Value) -> String {
    if name.ends_with("_at") && value.is_u64() { time(value) } else { text(value) }
}

/// What happened, oldest first: sign-ins and ends of the sessions, and the history between.
pub(super) fn table(sessions: &[Value], events: &[Value]) {
    let mut rows: Vec<(u64, Vec<String>)> = sessions.iter().map(signed_in).collect();
    rows.extend(events.iter().map(happened));
    rows.sort_by_key(|(at, _)| *at);
    if !rows.is_empty() {
        out::line("");
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        out::table(&["AT", "WHAT", "SESSION", "CLIENT", "BY", "FROM", "NOTE"], rows);
    }
}

fn signed_in(session: &Value) -> (u64, Vec<String>) {
    let device = &session["device"];
    let device = format!("{} {}", text(&device["class"]), text(&device["name"]));
    let row = vec![
        time(&session["created_at"]),
        "signed in".to_owned(),
        text(&session["session_id"]),
        text(&session["client_id"]),
        device.trim().to_owned(),
        String::new(),
        String::new(),
    ];
    (session["created_at"].as_u64().unwrap_or_default(), row)
}

fn happened(event: &Value) -> (u64, Vec<String>) {
    let of = |member: &str| text(&event[member]);
    let what = match &*of("effect") {
        "stale" => format!("must renew: {}", of("reason")),
        "none" => of("change"),
        _ => format!("must sign in: {}", of("reason")),
    };
    let session = match &*of("session_id") {
        "" => of("kind"),
        sid => sid.to_owned(),
    };
    let row =
        vec![time(&event["at"]), what, session, of("client_id"), of("by"), of("ip"), of("note")];
    (event["at"].as_u64().unwrap_or_default(), row)
}
