//! The calls of verifiers, and about them.

use super::super::call::{Call, Refusal};
use super::super::schemas::schema;
use serde_json::{Value, json};
use symbolon::api_keys::ApiScope;
use symbolon_wire::feed::NONCE_CHARS_MAX;

const EVENTS: &str = "text/event-stream";

/// All of them.
pub(super) fn all() -> Vec<Call> {
    let unready = [(503, "feed-crowded"), (503, "feed-not-ready")];
    let follows = |call: Call| {
        let gone: Refusal = (410, "cursor-gone");
        call.key(ApiScope::RevocationsRead).refuses(&unready).refuses(&[gone, (403, "key-limited")])
    };
    let frames = json!({"type": "string", "description": "Frames, as `api/feed.md` has them."});
    let nonce = json!({
        "type": "string", "minLength": 1, "maxLength": NONCE_CHARS_MAX, "pattern": "^[!-~]+$",
    });
    vec![
        follows(Call::new("get", "/v1/feed", "Feed", "followFeed", "Follow the feed"))
            .about(
                "Every revocation in order, and a signed checkpoint each second. The stream has no end; \
                 where it breaks, go on after the last `id`.",
            )
            .query("after", cursor(), "After this one; left out, from now on.")
            .header("Last-Event-ID", cursor(), "The same, and stronger: as browsers come back.")
            .answers_as(200, "The stream.", EVENTS, frames.clone())
            .with(200, "Cache-Control"),
        follows(Call::new("get", "/v1/feed/poll", "Feed", "pollFeed", "Ask for what comes next"))
            .about(
                "The same frames, at most to the end of a block of 1024, then one checkpoint: for places \
                 where a proxy holds streams back.",
            )
            .query("after", cursor(), "After this one. Must be there.")
            .query("wait", duration(), "Until there is something, for so long at most: up to 30s.")
            .query("nonce", nonce, "What the checkpoint repeats.")
            .answers_as(200, "The frames.", EVENTS, frames)
            .with(200, "Cache-Control"),
        Call::new("get", "/v1/feed/snapshot", "Feed", "snapshot", "All that a verifier must know")
            .about("One line of JSON, then records of 31 bytes; `api/feed.md` has the layout.")
            .key(ApiScope::RevocationsRead)
            .refuses(&unready)
            .refuses(&[(403, "key-limited")])
            .answers_as(200, "The snapshot.", "application/octet-stream", json!({"type": "string"}))
            .with(200, "Cache-Control"),
        follows(Call::new("post", "/v1/feed/applied", "Feed", "reportApplied", "Say what was applied"))
            .about("Who does so counts as a live verifier until its bound has passed since.")
            .json("Applied")
            .answers_nothing(204, "It was noted.")
            .refuses(&[(409, "too-many-verifiers")]),
        Call::new("post", "/v1/feed/ended", "Feed", "askEnded", "Ask which sessions are over")
            .about("For connections that stay open, after a snapshot took the place of the stream.")
            .key(ApiScope::RevocationsRead)
            .json("AskEnded")
            .answers(200, "Those that are over.", "WhichEnded")
            .refuses(&[(403, "key-limited")]),
        Call::new("post", "/v1/activity", "Feed", "reportActivity", "Say which sessions were used")
            .about(
                "Verifiers ask about no request, so a session whose token cannot change would idle out \
                 while it is in use. Telling the same again changes nothing.",
            )
            .key(ApiScope::RevocationsRead)
            .json("Activity")
            .answers(200, "How many counted.", "ActivityTold"),
        presence(),
        ask_cookie(),
        Call::new("get", "/v1/verifiers", "Feed", "listVerifiers", "List the verifiers")
            .about("Who reported, by name, and how far each has come.")
            .key(ApiScope::Admin)
            .answers(200, "All of them.", "Verifiers")
            .refuses(&[(403, "key-limited")]),
    ]
}

fn ask_cookie() -> Call {
    Call::new("post", "/v1/gateway/token", "Gateways", "askCookie", "Ask what stands behind a cookie")
        .about(
            "For sidecars, which cannot open a session's cookie themselves: the short token that an upstream \
             is shown, and what a request must be to have been meant. It counts as a use of the session.",
        )
        .key(ApiScope::RevocationsRead)
        .json("AskCookie")
        .answers(200, "What stands behind it, or why nobody passes with it.", "BehindCookie")
        .with(200, "Cache-Control")
        .refuses(&[(403, "key-limited")])
}

fn cursor() -> Value {
    schema("Cursor")
}

fn duration() -> Value {
    json!({"type": "string", "examples": ["20s"]})
}

fn presence() -> Call {
    Call::new("get", "/v1/presence", "Sessions", "listPresence", "Who is online")
        .about(
            "Which sessions this process saw in use lately, by sign-ins, renewals and what verifiers \
             report. Nothing is written for it.",
        )
        .key(ApiScope::SessionsRead)
        .query("window", duration(), "How far back: 5min if left out, 60min at most.")
        .query("subject", schema("SubjectId"), "Of this subject.")
        .query("client_id", schema("ClientId"), "Through this client.")
        .query("device_class", schema("DeviceClass"), "On devices of this class.")
        .paged(json!({"type": "string"}))
        .answers(200, "A page of those who are.", "Presence")
}
