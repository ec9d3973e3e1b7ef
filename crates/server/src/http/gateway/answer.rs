//! What a proxy is told: who it is, for the upstream; or what to send back.

use super::behind::Shown;
use super::described::Unknown;
use super::{Admitted, Refused, proved};
use crate::http::dpop::say_why;
use crate::http::edge::no_store;
use crate::http::problem::Problem;
use axum::body::Body;
use axum::http::header::{HeaderName, HeaderValue, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::borrow::Cow;
use std::sync::Arc;
use symbolon_core::csrf::Forgery;
use symbolon_core::target::Ambiguous;
use symbolon_verify::Rejected;
use symbolon_wire::Malformed;

/// The headers that tell an upstream who asks. A proxy removes whatever its clients send under these names.
pub(super) static IDENTITY: [HeaderName; 6] = [SUBJECT, SESSION, CLIENT, SCOPE, ROLES, TOKEN];

const SUBJECT: HeaderName = HeaderName::from_static("x-symbolon-subject");
const SESSION: HeaderName = HeaderName::from_static("x-symbolon-session");
const CLIENT: HeaderName = HeaderName::from_static("x-symbolon-client");
const SCOPE: HeaderName = HeaderName::from_static("x-symbolon-scope");
const ROLES: HeaderName = HeaderName::from_static("x-symbolon-roles");
const TOKEN: HeaderName = HeaderName::from_static("x-symbolon-token");

/// All but visible ASCII, and the percent sign itself: else `a b` and `a%20b` were one name.
const NOT_VISIBLE: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// What became of a check.
pub(super) enum Outcome<'h> {
    /// Everybody passes.
    Public,
    /// This one passes, with this token.
    Admitted(Admitted, Shown<'h>),
    /// No rule decides about it.
    Undecided(Undecided),
    /// What it shows is not enough.
    Refused(Refused),
}

/// Why no rule decides about a request.
pub(super) enum Undecided {
    /// It is not known which request is meant.
    Unknown(Unknown),
    /// The request could mean two things.
    Ambiguous(Ambiguous),
    /// No rule is about it.
    NoRule,
    /// A rule is about it if capital and small letters are the same.
    OtherCase,
}

/// What a proxy is told.
pub(super) struct Answer<'h> {
    /// The rule that decided.
    pub(super) rule: Option<Arc<str>>,
    /// Where a page without a right token is sent.
    pub(super) login: Option<Arc<str>>,
    /// What became of the check.
    pub(super) outcome: Outcome<'h>,
}

impl<'h> Answer<'h> {
    /// One by no rule, with nowhere to send anybody.
    pub(super) const fn new(outcome: Outcome<'h>) -> Self {
        Self { rule: None, login: None, outcome }
    }

    /// What became of the check, in a word.
    pub(super) const fn what(&self) -> &'static str {
        match &self.outcome {
            Outcome::Public => "public",
            Outcome::Admitted(_, Shown::Renewed(_)) => "renewed",
            Outcome::Admitted(..) => "admitted",
            Outcome::Undecided(Undecided::Unknown(_)) => "unknown_target",
            Outcome::Undecided(Undecided::Ambiguous(_) | Undecided::OtherCase) => "ambiguous",
            Outcome::Undecided(Undecided::NoRule) => "no_rule",
            Outcome::Refused(Refused::Fault(_)) => "fault",
            Outcome::Refused(Refused::Forged(_)) => "csrf",
            Outcome::Refused(Refused::Cookie(_) | Refused::TwoCredentials) => "unauthenticated",
            Outcome::Refused(Refused::Rejected(Rejected::InsufficientScope { .. })) => "forbidden",
            Outcome::Refused(Refused::Rejected(Rejected::InsufficientAuthentication {
                ..
            })) => "step_up",
            Outcome::Refused(Refused::Rejected(_)) => "unauthenticated",
        }
    }

    /// The answer over HTTP.
    pub(super) fn to_response(&self) -> Response {
        let mut response = match self.identity() {
            Some(identity) => {
                let mut response = Response::new(Body::empty());
                *response.headers_mut() = identity;
                response
            }
            None => self.refusal(),
        };
        if let Some(back) = self.back() {
            response.headers_mut().extend(back.clone());
        }
        no_store(response.headers_mut());
        response
    }

    /// What a proxy is to hand to whoever asked, beside the upstream's answer.
    pub(super) fn back(&self) -> Option<&HeaderMap> {
        match &self.outcome {
            Outcome::Admitted(_, Shown::Renewed(renewed)) => Some(&renewed.back),
            Outcome::Public
            | Outcome::Admitted(..)
            | Outcome::Undecided(_)
            | Outcome::Refused(_) => None,
        }
    }

    /// What the upstream is told of who asks; `None`: nobody passes.
    pub(super) fn identity(&self) -> Option<HeaderMap> {
        match &self.outcome {
            Outcome::Public => Some(HeaderMap::new()),
            Outcome::Admitted(admitted, shown) => Some(identity(admitted, shown.text())),
            Outcome::Undecided(_) | Outcome::Refused(_) => None,
        }
    }

    /// What to send back to somebody who does not pass.
    pub(super) fn refusal(&self) -> Response {
        let problem = match &self.outcome {
            Outcome::Public | Outcome::Admitted(..) => return StatusCode::OK.into_response(),
            Outcome::Undecided(undecided) => undecided.problem(),
            Outcome::Refused(Refused::Fault(fault)) => fault.clone().into(),
            Outcome::Refused(Refused::Cookie(malformed)) => cookie(malformed),
            Outcome::Refused(Refused::TwoCredentials) => Problem::unauthorized(
                "The request shows two credentials, and they are of two sessions. Show one.",
            ),
            Outcome::Refused(Refused::Forged(forgery)) => forged(*forgery),
            Outcome::Refused(Refused::Rejected(rejected)) => return self.rejected(rejected),
        };
        problem.into_response()
    }

    fn rejected(&self, rejected: &Rejected) -> Response {
        let insufficient = rejected.status() == StatusCode::FORBIDDEN.as_u16();
        let login = self.login.as_deref().map(|url| proved::login(url, rejected));
        let login = login.and_then(|url| HeaderValue::from_str(&url).ok());
        if let Some(login) = login.filter(|_| !insufficient) {
            return (StatusCode::FOUND, [(LOCATION, login)]).into_response();
        }
        let problem = if *rejected == Rejected::Missing {
            Problem::unauthorized("Send `Authorization: Bearer …`.")
        } else if insufficient {
            Problem::forbidden("insufficient-scope", rejected.to_string())
        } else if let Rejected::InsufficientAuthentication { .. } = rejected {
            proved::problem(rejected)
        } else {
            Problem::invalid_token(&rejected.to_string())
        };
        let ended = if let Rejected::Revoked { ended } = rejected { *ended } else { None };
        let mut response = problem.because(ended).into_response();
        say_why(rejected, response.headers_mut());
        response
    }
}

impl Undecided {
    fn problem(&self) -> Problem {
        match self {
            Self::Unknown(unknown) => Problem::forbidden("unknown-target", unknown.next()),
            Self::Ambiguous(why) => ambiguous(&why.to_string()),
            Self::OtherCase => {
                ambiguous("a rule is about this path, if capital and small letters are the same")
            }
            Self::NoRule => Problem::forbidden("no-rule", "No rule is about this request."),
        }
    }
}

fn ambiguous(why: &str) -> Problem {
    let detail = format!("The request could mean two things: {why}.");
    Problem::forbidden("ambiguous-target", detail)
}

fn cookie(malformed: &Malformed) -> Problem {
    let detail =
        format!("`{}` {}. Clear the cookies of this site.", malformed.member(), malformed.why());
    Problem::unauthorized(&detail)
}

fn forged(forgery: Forgery) -> Problem {
    let detail = format!(
        "Another site may have written this request: {forgery}. Send it from a page whose origin the client \
         lists in `origins`; a browser without both headers shows the cookie symbolon-csrf in X-Symbolon-CSRF."
    );
    Problem::forbidden("csrf", detail)
}

/// Who asks, for the upstream; what is empty is left out.
fn identity(admitted: &Admitted, token: &str) -> HeaderMap {
    // Room for what every answer is given after this.
    let mut identity = Identity(HeaderMap::with_capacity(2 * IDENTITY.len()));
    match admitted {
        Admitted::Verified(verified) => {
            let claims = verified.claims();
            identity.texts([claims.sub, claims.client_id]);
            identity.session(claims.session_id().as_deref());
            identity.lists(claims.scopes(), claims.roles());
        }
        Admitted::Read(read) => {
            identity.texts([&read.subject, &read.client]);
            identity.session(read.session.as_deref());
            let scopes = read.scope.split(' ').filter(|name| !name.is_empty());
            identity.lists(scopes, read.roles.iter().map(String::as_str));
        }
    }
    identity.put(&TOKEN, token);
    identity.0
}

/// The headers as they are written.
struct Identity(HeaderMap);

impl Identity {
    fn texts(&mut self, [subject, client]: [&str; 2]) {
        self.put(&SUBJECT, &encoded(subject));
        self.put(&CLIENT, &encoded(client));
    }

    fn session(&mut self, session: Option<&str>) {
        // A session's name is made of visible ASCII alone.
        self.put(&SESSION, session.unwrap_or_default());
    }

    fn lists<'a>(
        &mut self,
        scopes: impl Iterator<Item = &'a str>,
        roles: impl Iterator<Item = &'a str>,
    ) {
        self.put(&SCOPE, &list(scopes));
        self.put(&ROLES, &list(roles));
    }

    fn put(&mut self, name: &HeaderName, text: &str) {
        if let (Ok(mut value), false) = (HeaderValue::from_str(text), text.is_empty()) {
            value.set_sensitive(*name == TOKEN);
            self.0.insert(name, value);
        }
    }
}

/// Names separated by one space.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.fold(String::new(), |mut all, name| {
        let space = if all.is_empty() { "" } else { " " };
        all.push_str(space);
        all.extend(utf8_percent_encode(name, NOT_VISIBLE));
        all
    })
}

/// A text as it stands in a header: visible ASCII, everything else percent-encoded.
fn encoded(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, NOT_VISIBLE).into()
}

#[cfg(test)]
mod tests {
    use super::super::Read;
    use super::*;

    #[test]
    fn no_two_names_look_alike_in_a_header() {
        assert_eq!(encoded("10086"), "10086");
        assert_eq!(encoded("张三@example.com"), "%E5%BC%A0%E4%B8%89@example.com");
        assert_ne!(encoded("a b"), encoded("a%20b"));
        assert_eq!(encoded("a\r\nX-Symbolon-Roles: admin"), "a%0D%0AX-Symbolon-Roles:%20admin");
        assert_eq!(encoded("\u{7f}\u{0}"), "%7F%00");
    }

    #[test]
    fn what_is_empty_is_left_out_and_lists_are_separated_by_one_space() {
        let roles = ["clerk".to_owned(), "vice president".to_owned()].into();
        let (subject, client) = ("client:x".into(), "x".into());
        let admitted = Admitted::Read(Read { subject, client, roles, ..Read::default() });
        let headers = identity(&admitted, "a.b.c");
        assert_eq!(headers["x-symbolon-roles"], "clerk vice%20president");
        assert!(headers["x-symbolon-token"].is_sensitive());
        assert!(!headers.contains_key("x-symbolon-session"));
        assert!(!headers.contains_key("x-symbolon-scope"));
    }
}
