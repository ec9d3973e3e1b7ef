//! The table: every path and method of the authority. A route that is not here fails a test.

mod feed;
mod gateway;
mod one_time;
mod operators;
mod person;

use super::call::Call;
use super::schemas::{described, schema};
use serde_json::{Value, json};
use symbolon::api_keys::ApiScope;
use symbolon::http::start_session::IDEMPOTENCY_KEY_BYTES_MAX;

/// What the calls are about, in the order in which they are shown.
pub(super) const TAGS: [(&str, &str); 14] = [
    ("Sessions", "Start, look at and end sign-ins. For back ends, with an API key."),
    ("Subjects", "People: roles and claims, bans, erasure. For back ends, with an API key."),
    ("Revocations", "One call for everything that can be revoked, asked beforehand if wished."),
    (
        "Me",
        "A person's own devices. For pages and apps, with an access token for the authority \
         itself: renew with the issuer as `resource`.",
    ),
    (
        "One time",
        "Operation tokens for sensitive acts, tickets for what cannot send a header: good once, for seconds.",
    ),
    ("History", "What ended or changed, why, by whom, from where."),
    ("Clients", "The applications: how they are configured, and their switches."),
    ("Keys", "What signs access tokens."),
    ("Feed", "What verifiers are told, and what they say; the layouts are in `api/feed.md`."),
    ("OAuth", "For clients and resource servers: RFC 6749, 7009, 7662."),
    ("Gateways", "For proxies: whether a request may pass, and who asks."),
    ("Discovery", "Where things are, and the public keys."),
    ("Operations", "For those who run it."),
    (
        "Browsers",
        "What a browser asks before a page calls: pages of the origins that a client lists may, \
         no others.",
    ),
];

/// All calls.
pub(super) fn all() -> Vec<Call> {
    let own = [sessions(), subjects(), bans(), history(), oauth(), discovery()];
    let others =
        [gateway::all(), operations(), operators::all(), feed::all(), person::all(), preflights()];
    own.into_iter().chain(others).chain([one_time::all(), devices()]).flatten().collect()
}

fn sessions() -> Vec<Call> {
    let sid = |call: Call| call.path("sid", schema("SessionId"), "The session.");
    let idempotency_key =
        json!({"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_BYTES_MAX});
    vec![
        Call::new("post", "/v1/sessions", "Sessions", "startSession", "Start a session")
            .about(
                "Sent by a back end that has just checked who somebody is. Sessions that the \
                 client's device limits leave no room for end in the same commit.",
            )
            .key(ApiScope::SessionsStart)
            .header(
                "Idempotency-Key",
                idempotency_key,
                "The same key and body within 24 hours is the same session, answered with its \
                 newest tokens; it does not count as a use.",
            )
            .json("StartSession")
            .answers(201, "The session and its first tokens.", "StartedSession")
            .with(201, "Location")
            .with(201, "Cache-Control")
            .refuses(&[
                (403, "banned"),
                (403, "client-disabled"),
                (403, "key-limited"),
                (409, "device_limit"),
                (409, "session-ended"),
                (422, "idempotency-conflict"),
            ]),
        filtered(
            Call::new("get", "/v1/sessions", "Sessions", "listSessions", "List sessions")
                .about("A key that is limited to named clients sees their sessions alone.")
                .key(ApiScope::SessionsRead)
                .query("subject", schema("SubjectId"), "Of this subject."),
            "all",
        ),
        sid(Call::new("get", "/v1/sessions/{sid}", "Sessions", "showSession", "Show a session"))
            .key(ApiScope::SessionsRead)
            .answers(200, "The session.", "Session")
            .refuses(&[(404, "not-found")]),
        ending(
            sid(Call::new(
                "delete",
                "/v1/sessions/{sid}",
                "Sessions",
                "endSession",
                "End a session",
            ))
            .about("One that has ended already is answered with an empty `ended`.")
            .key(ApiScope::SessionsEnd),
        )
        .refuses(&[(404, "not-found")]),
    ]
}

fn subjects() -> Vec<Call> {
    let sessions = "/v1/subjects/{sub}/sessions";
    vec![
        filtered(
            sub(Call::new(
                "get",
                sessions,
                "Subjects",
                "listSessionsOfSubject",
                "List a subject's sessions",
            ))
            .key(ApiScope::SessionsRead),
            "active",
        ),
        ending(
            sub(Call::new(
                "delete",
                sessions,
                "Subjects",
                "endSessionsOfSubject",
                "End a subject's sessions",
            ))
            .about("Those that all filters name; without filters, all.")
            .key(ApiScope::SessionsEnd)
            .query("except", schema("SessionId"), "But not this one.")
            .query("device_class", schema("DeviceClass"), "On devices of this class.")
            .query("device_id", schema("Name"), "On this device.")
            .query("client_id", schema("ClientId"), "Through this client."),
        )
        .refuses(&[(403, "key-limited")]),
        sub(Call::new("get", "/v1/subjects/{sub}", "Subjects", "showSubject", "Show a subject"))
            .about("One that nobody mentioned yet has no roles, no claims and no sessions.")
            .key(ApiScope::SessionsRead)
            .answers(200, "The subject.", "Subject")
            .with(200, "ETag")
            .refuses(&[(403, "key-limited")]),
        sub(Call::new(
            "put",
            "/v1/subjects/{sub}",
            "Subjects",
            "replaceSubject",
            "Replace roles and claims",
        ))
        .about(
            "As a whole: a member left out is empty. Access tokens of before become stale, \
                 and nobody is signed out.",
        )
        .key(ApiScope::SubjectsWrite)
        .if_match("Write only if the subject is at one of these versions")
        .json("Profile")
        .answers(200, "The version that holds now.", "Replaced")
        .with(200, "ETag")
        .refuses(&[(403, "key-limited"), (412, "version-mismatch")]),
    ]
}

fn bans() -> Vec<Call> {
    let ban = "/v1/subjects/{sub}/ban";
    let erase = "/v1/subjects/{sub}/erase";
    vec![
        waiting(
            sub(Call::new("put", ban, "Subjects", "banSubject", "Ban a subject"))
                .about("All its sessions end, and it cannot sign in.")
                .key(ApiScope::SubjectsWrite)
                .json("BanRequest"),
        )
        .refuses(&[(403, "key-limited")]),
        sub(Call::new("delete", ban, "Subjects", "unbanSubject", "Lift a ban"))
            .about("The subject may sign in again; no session that the ban ended revives.")
            .key(ApiScope::SubjectsWrite)
            .query("reason", described("Reason", "Left out: `banned`."), "Why.")
            .query("note", schema("Note"), "For the history.")
            .answers(200, "The version that holds now.", "Replaced")
            .with(200, "ETag")
            .refuses(&[(403, "key-limited")]),
        ending(
            sub(Call::new("post", erase, "Subjects", "eraseSubject", "Forget a person"))
                .about(
                    "Everything ends. Counters and the bare fact of a ban stay, so that no token \
                     of before comes back to life.",
                )
                .key(ApiScope::SubjectsWrite),
        )
        .refuses(&[(403, "key-limited")]),
    ]
}

fn devices() -> Vec<Call> {
    let path = "/v1/subjects/{sub}/devices";
    let limited = |call: Call| {
        sub(call)
            .key(ApiScope::SubjectsWrite)
            .query("note", schema("Note"), "For the history.")
            .answers(200, "The version that holds now, which this does not move.", "Replaced")
            .with(200, "ETag")
            .refuses(&[(403, "key-limited")])
    };
    vec![
        limited(
            Call::new("put", path, "Subjects", "limitDevices", "Limit a subject's devices")
                .about(
                    "Goes before the settings of every client, in place of what was said before, from the \
                     next sign-in on; a member left out is as each client has it.",
                )
                .json("DevicesRequest"),
        ),
        limited(Call::new("delete", path, "Subjects", "unlimitDevices", "Say nothing of devices"))
            .about("The settings of each client hold again."),
    ]
}

fn history() -> Vec<Call> {
    let text = |max: u64| json!({"type": "string", "minLength": 1, "maxLength": max});
    vec![
        Call::new("get", "/v1/events", "History", "listEvents", "Read the history")
            .about(
                "Oldest first. A key that is limited to named clients is told what concerns them. With \
                 `Accept: text/event-stream` the same filters follow the history: after `Last-Event-ID` or \
                 `cursor`, all since `since`, or from now on.",
            )
            .key(ApiScope::EventsRead)
            .query("subject", schema("SubjectId"), "About this subject.")
            .query("sid", schema("SessionId"), "About this session, bounds that hit it included.")
            .query("jti", text(22), "About this access token.")
            .query("reason", schema("Reason"), "For this reason.")
            .query("request_id", text(255), "Done by the request of this `X-Request-Id`.")
            .query("since", schema("Time"), "Not older than this.")
            .paged(json!({"type": "string", "pattern": "^[0-9]+$"}))
            .answers(200, "A page of events.", "EventPage")
            .header(
                "Last-Event-ID",
                json!({"type": "string", "pattern": "^[0-9]+$"}),
                "Where a stream that broke goes on.",
            )
            .refuses(&[(503, "feed-crowded")]),
    ]
}

fn oauth() -> Vec<Call> {
    let client = json!([{"client_secret_basic": []}, {}]);
    vec![
        Call::new(
            "post",
            "/oauth2/token",
            "OAuth",
            "issueTokens",
            "Renew, or get a service's token",
        )
        .about(
            "`refresh_token` is RFC 6749 §6, with rotation: the refresh token of the answer \
                 replaces the one that was sent. A used one still earns the same answer while its \
                 grace window is open; after that, it ends the session. `client_credentials` is \
                 §4.4: a token of the service itself, and no refresh token.",
        )
        .oauth()
        .security(client.clone())
        .form("TokenRequest")
        .answers(200, "The session's newest tokens, or the service's own.", "TokenAnswer")
        .with(200, "Cache-Control")
        .refuses(&[
            (400, "access_denied"),
            (400, "invalid_dpop_proof"),
            (400, "invalid_grant"),
            (400, "invalid_scope"),
            (400, "invalid_target"),
            (400, "unauthorized_client"),
            (400, "unsupported_grant_type"),
            (400, "use_dpop_nonce"),
            (403, "unauthorized_client"),
            (500, "server_error"),
        ]),
        Call::new("post", "/oauth2/revoke", "OAuth", "signOut", "Sign out")
            .about(
                "RFC 7009: the session of the refresh token, or of the opaque access token, ends. Text \
                 that is no token of this client is answered 200 too, and changes nothing.",
            )
            .oauth()
            .security(client)
            .form("RevokeRequest")
            .answers_nothing(200, "The session is over, or there was none.")
            .refuses(&[(400, "unsupported_token_type"), (403, "unauthorized_client")]),
        Call::new("post", "/oauth2/introspect", "OAuth", "introspect", "Ask about an access token")
            .about("RFC 7662: whether it is in force now. A refresh token is never active here. `exp` is how \
                long the answer may be believed.")
            .oauth()
            .security(json!([{"api_key": ["revocations:read"]}, {"client_secret_basic": []}, {}]))
            .form("IntrospectRequest")
            .answers(200, "Its claims, or `active: false` and nothing else.", "Introspection")
            .with(200, "Cache-Control")
            .refuses(&[(400, "unauthorized_client"), (403, "unauthorized_client")]),
    ]
}

fn preflights() -> Vec<Call> {
    let preflight = |path, id| {
        Call::new("options", path, "Browsers", id, &format!("Before `{path}`"))
            .oauth()
            .answers_nothing(204, "`Access-Control-Allow-Origin` is there if the page may call.")
    };
    vec![
        preflight("/oauth2/token", "preflightToken"),
        preflight("/oauth2/revoke", "preflightRevoke"),
        preflight("/v1/me/sessions", "preflightMySessions"),
        preflight("/v1/me/sessions/{sid}", "preflightMySession").path(
            "sid",
            schema("SessionId"),
            "The session.",
        ),
        preflight("/v1/me/sign-out", "preflightSignOut"),
        preflight("/v1/me/events", "preflightMyEvents"),
        preflight("/v1/me/tickets", "preflightMyTickets"),
    ]
}

fn discovery() -> Vec<Call> {
    let metadata = "/.well-known/oauth-authorization-server";
    let keys = "/.well-known/jwks.json";
    vec![
        Call::new("get", metadata, "Discovery", "metadata", "What is offered, and where")
            .about("RFC 8414.")
            .answers(200, "The metadata.", "Metadata")
            .with(200, "Cache-Control"),
        Call::new("get", keys, "Discovery", "keySet", "The public keys")
            .about("RFC 7517 §5.")
            .answers_as(200, "The key set.", "application/jwk-set+json", schema("JwkSet"))
            .with(200, "Cache-Control"),
    ]
}

fn operations() -> Vec<Call> {
    let lang = json!({"type": "string", "enum": ["en", "zh"], "default": "en"});
    let (any, page) = (json!({"type": "object"}), json!({"type": "string"}));
    vec![
        Call::new("get", "/livez", "Operations", "livez", "Whether the process answers")
            .answers(200, "It does.", "Status"),
        Call::new("get", "/readyz", "Operations", "readyz", "Whether it can do its work")
            .answers(
                200,
                "The store was heard and took writes in the last 5 s, and the clocks agree.",
                "Ready",
            )
            .refuses(&super::refusals::FAULTS),
        Call::new("get", "/openapi.json", "Operations", "openapi", "This document")
            .answers_as(200, "OpenAPI 3.1.", "application/json", any)
            .with(200, "Cache-Control"),
        Call::new("get", "/docs", "Operations", "docs", "This document, for people")
            .query("lang", lang, "The language of headings.")
            .answers_as(200, "A page that needs nothing else.", "text/html; charset=utf-8", page)
            .with(200, "Cache-Control")
            .refuses(&[(400, "malformed")]),
    ]
}

fn sub(call: Call) -> Call {
    call.path("sub", schema("SubjectId"), "The subject, percent-encoded.")
}

/// What every list of sessions can be asked for.
fn filtered(call: Call, default: &str) -> Call {
    let state = json!({"type": "string", "enum": ["active", "ended", "all"], "default": default});
    call.query("client_id", schema("ClientId"), "Through this client.")
        .query("device_class", schema("DeviceClass"), "On devices of this class.")
        .query("state", state, "In this state.")
        .paged(schema("SessionId"))
        .answers(200, "A page of sessions.", "SessionPage")
}

/// What every call that ends sessions takes and answers.
fn ending(call: Call) -> Call {
    let reason: Value = described("Reason", "Left out: `kicked`.");
    waiting(call.query("reason", reason, "Why.").query("note", schema("Note"), "For the history."))
}

fn waiting(call: Call) -> Call {
    wait(call).answers(200, "The sessions that this call ended.", "Ended")
}

fn wait(call: Call) -> Call {
    let wait = json!({"type": "string", "examples": ["2s"]});
    call.query(
        "wait",
        wait,
        "Until every live verifier has applied it, for so long at most: up to 10s.",
    )
}
