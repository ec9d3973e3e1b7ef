//! Bodies of verifiers' calls, and about them.

use super::{NEXT, answer, count, described, list, request, schema, text, truth};
use serde_json::{Value, json};
use symbolon::feed::VERIFIERS_MAX;
use symbolon::http::activity::USES_MAX;
use symbolon::http::feed_applied::INSTANCE_CHARS_MAX;
use symbolon::http::feed_ended::SIDS_MAX;
use symbolon::http::query::LIMIT_MAX;

/// `/v1/feed`, `/v1/verifiers`, and `verifiers` in answers.
pub(in super::super) fn all() -> Value {
    let instance = json!({
        "type": "string", "minLength": 1, "maxLength": INSTANCE_CHARS_MAX, "pattern": "^[!-~]+$",
        "description": "Which process of this API key; it is the same as long as the process lives.",
    });
    json!({
        "Cursor": {
            "type": "string", "pattern": "^[A-Za-z0-9_-]{38}$",
            "description": "A place in the feed. Compare it whole, and read nothing out of it.",
        },
        "Applied": request(&["instance", "cursor", "max_staleness_ms"], json!({
            "instance": instance,
            "cursor": described("Cursor", "All up to here is in force."),
            "max_staleness_ms": count("How old what it knows may be before it says yes no more. A day \
                at most counts."),
            "offline_routes": count("How many of its routes accept a token until it expires, whatever \
                the feed says."),
            "age_ms": count("How old what it knows is now."),
        })),
        "AskEnded": request(&["sids"], json!({
            "sids": list(schema("SessionId"), SIDS_MAX, "Which."),
        })),
        "WhichEnded": answer(&["ended"], json!({
            "ended": {"type": "array", "items": schema("EndedSession")},
        })),
        "Activity": request(&["uses"], json!({
            "uses": list(schema("Use"), USES_MAX, "In any order; one session may stand there often."),
        })),
        "Use": request(&["session_id", "at"], json!({
            "session_id": described("SessionId", "Claim `sid` of the token."),
            "at": described("Time", "When it was used."),
        })),
        "ActivityTold": answer(&["accepted", "ignored"], json!({
            "accepted": count("Uses of sessions that live, whether their idle end moved or not."),
            "ignored": count("Uses of sessions that are over, unknown, or of clients that the key is not \
                for; and those dated ahead of the authority's clock."),
        })),
        "Verifiers": answer(&["items"], json!({
            "items": list(schema("Verifier"), VERIFIERS_MAX, "By name."),
            "position": count("Where the feed stands; left out while it is not ready."),
        })),
        "Verifier": verifier(),
        "Heard": answer(&["live", "applied", "lagging", "offline_routes", "elapsed_ms"], json!({
            "live": count("How many verifiers may trust what they know."),
            "applied": count("How many of them have applied this."),
            "lagging": {"type": "array", "items": schema("Lagging")},
            "offline_routes": count("How many routes accept a token until it expires."),
            "elapsed_ms": count("How long this was waited for."),
        })),
        "Lagging": answer(&["name", "last_seen", "trusts_mirror_until"], json!({
            "name": text("The API key and the instance: `gateway/pod-7`."),
            "last_seen": schema("Time"),
            "trusts_mirror_until": described("Time", "It says yes no more after that, unless it hears of \
                this first."),
        })),
    })
}

fn verifier() -> Value {
    let required = ["name", "instance", "live", "last_seen", "max_staleness_ms", "offline_routes"];
    answer(
        &required,
        json!({
            "name": text("The name of its API key."),
            "instance": text("Which process."),
            "live": truth("Whether it may trust what it knows."),
            "last_seen": schema("Time"),
            "position": count("Up to where it applied the feed; left out if not of this store epoch."),
            "lag": count("How many revocations behind."),
            "age_ms": count("How old what it knew was when it reported."),
            "max_staleness_ms": count("Its bound."),
            "offline_routes": count("How many of its routes are offline."),
        }),
    )
}

/// `/v1/presence`, and what sidecars ask about cookies.
pub(in super::super) fn beside() -> Value {
    json!({
        "Presence": answer(
            &["since", "complete", "subjects", "sessions", "by_device_class", "items"],
            json!({
                "since": described("Time", "Seen since then."),
                "complete": truth("Whether that is everybody: not where other nodes answer for the store, or more were seen than fit."),
                "subjects": count("How many people, all pages together."),
                "sessions": count("How many sessions."),
                "by_device_class": {"type": "object", "additionalProperties": {"type": "integer"},
                    "description": "How many sessions on devices of each class."},
                "items": list(schema("Present"), LIMIT_MAX, "By subject."),
                "next": text(NEXT),
            }),
        ),
        "Present": answer(&["subject", "device_classes", "last_seen_at"], json!({
            "subject": schema("SubjectId"),
            "device_classes": {"type": "array", "items": schema("DeviceClass")},
            "last_seen_at": schema("Time"),
        })),
        "AskCookie": request(&["cookie", "audience"], json!({
            "cookie": text("The value of the session's cookie."),
            "audience": text("Whom the token must be for."),
        })),
        "BehindCookie": answer(&[], json!({
            "access_token": text("The short token; left out where nobody passes, as are the next three."),
            "keep_for": count("For how many seconds it need not be asked for again. An event may make that \
                shorter."),
            "origins": {"type": "array", "items": {"type": "string"}, "description": "The origins whose pages \
                may act with the cookie."},
            "csrf": text("What a page without an origin shows in `X-Symbolon-CSRF`."),
            "refused": text("Why nobody passes: `revoked`, `untrusted` or `binding`."),
            "reason": schema("Reason"),
        })),
    })
}
