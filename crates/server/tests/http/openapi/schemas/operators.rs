//! Bodies of operators' calls, and of a person's own.

use super::{NEXT, described};
use super::{answer, count, or_null, page, request, schema, text, truth};
use serde_json::{Map, Value, json};
use symbolon::config::Preset;
use symbolon::http::revocations::{FILTER_MAX, SAMPLE_MAX};
use symbolon_core::device::DeviceClass;

const ALGORITHMS: [&str; 3] = ["EdDSA", "ES256", "RS256"];

/// `POST /v1/revocations`.
pub(super) fn revocations() -> Value {
    let effect = json!({
        "type": "string", "enum": ["revoked", "stale"],
        "description": "`revoked`: must sign in again. `stale`: must renew, which needs nobody; not \
                        for a session or a filter.",
    });
    json!({
        "Revocation": request(&["target", "effect", "reason"], json!({
            "target": schema("Target"),
            "effect": effect,
            "reason": schema("Reason"),
            "note": schema("Note"),
            "dry_run": truth("Say what would be hit, and do nothing."),
            "expect_at_most": count("Do nothing if more sessions than this would be hit."),
            "wait": text("Until every live verifier has applied it, for so long at most: up to 10s."),
        })),
        "Target": target(),
        "Filter": filter(),
        "Revoked": answer(&["position", "matched", "sample"], revoked(&[])),
        "RevokedLine": answer(&["line", "status"], revoked(&[
            ("line", count("Which line this is about, from 1.")),
            ("status", count("What the line alone would be answered.")),
            ("detail", text("Only of a line that was refused: why.")),
        ])),
        "Hit": answer(&["session_id", "subject", "client_id"], json!({
            "session_id": schema("SessionId"),
            "subject": schema("SubjectId"),
            "client_id": schema("ClientId"),
        })),
    })
}

fn target() -> Value {
    let mut target = request(
        &[],
        json!({
            "sid": described("SessionId", "One session."),
            "jti": described("SessionId", "One access token, by its `jti`."),
            "sub": described("SubjectId", "A subject: all its sessions."),
            "client_id": described("ClientId", "A client: all sessions through it."),
            "kid": described("KeyId", "A signing key: what it signed."),
            "everything": {"const": true},
            "filter": described("Filter", "The sessions that all conditions name."),
        }),
    );
    target["minProperties"] = json!(1);
    target["maxProperties"] = json!(1);
    target["description"] = json!("Exactly one of these.");
    target
}

fn filter() -> Value {
    let mut filter = request(
        &[],
        json!({
            "client_id": schema("ClientId"),
            "device_class": schema("DeviceClass"),
            "device_id": schema("Name"),
            "acr": text("How the subject authenticated."),
            "ip": text("The person's address at sign-in, as it was given."),
            "created_before": described("Time", "Signed in before. Exclusive."),
            "created_after": described("Time", "Signed in then or later."),
            "last_active_before": described("Time", "Last used before. Exclusive."),
        }),
    );
    filter["minProperties"] = json!(1);
    filter["description"] = json!(format!("At most {FILTER_MAX} sessions at once."));
    filter
}

fn revoked(also: &[(&str, Value)]) -> Value {
    let hits = json!({
        "type": "array", "items": schema("Hit"), "maxItems": SAMPLE_MAX,
        "description": "Some of the sessions that are hit.",
    });
    let mut members = json!({
        "position": count("Where the history stands."),
        "matched": count("How many sessions are hit; 1 for a token or a key."),
        "sample": hits,
        "verifiers": described("Heard", "Only where `wait` was asked for."),
    });
    for (name, member) in also {
        members[*name] = member.clone();
    }
    members
}

/// `/v1/clients`.
pub(super) fn clients() -> Value {
    let refresh = json!({
        "idle": duration("Ends if unused for so long."),
        "absolute": duration("Ends in any case after so long."),
        "grace": duration("How long a used refresh token still earns its successor, where there are any."),
        "replay": schema("Replay"),
    });
    let replay = json!({"mode": schema("Replay"), "until": described("Time", "Exclusive.")});
    json!({
        "Client": client(),
        "ClientPage": page("Client", described("ClientId", NEXT)),
        "ClientAccessToken": answer(&["ttl", "format"], json!({
            "ttl": duration("How long an access token holds."),
            "format": {"type": "string", "enum": ["jwt", "opaque"]},
        })),
        "ClientRefresh": answer(&["idle", "absolute"], refresh),
        "ClientDevices": answer(&["per_subject", "per_class", "overflow"], json!({
            "per_subject": count("Sessions of a subject at once."),
            "per_class": per_class(),
            "overflow": {"type": "string", "enum": ["evict_idle", "evict_oldest", "refuse"]},
        })),
        "ClientBinding": answer(&["key", "features", "network"], json!({
            "key": mode("A proof of the device's key (DPoP)."),
            "features": mode("The features of the sign-in."),
            "network": mode("The network of the sign-in."),
        })),
        "Replay": {
            "type": "string", "enum": ["enforce", "report", "off"],
            "description": "What a replayed refresh token does: end the session, pass with an alert, \
                            or be refused while the session lives.",
        },
        "ReplayFor": answer(&["mode", "until"], replay.clone()),
        "Switches": request(&[], json!({
            "disabled": truth("Refuse the client in every grant. Left out: false."),
            "reason": described("Reason", "Left out: `client_disabled`."),
            "note": schema("Note"),
            "replay": described("ReplayForRequest", "Left out: as the configuration says."),
        })),
        "ReplayForRequest": request(&["mode", "until"], replay),
    })
}

fn client() -> Value {
    let required = [
        "client_id",
        "preset",
        "confidential",
        "secrets",
        "origins",
        "audience",
        "scope",
        "access_token",
        "disabled",
        "version",
        "replay",
    ];
    let text = json!({"type": "string"});
    let names = |about| json!({"type": "array", "items": text, "description": about});
    answer(
        &required,
        json!({
            "client_id": schema("ClientId"),
            "preset": {"type": "string", "enum": Preset::ALL.map(Preset::as_str)},
            "confidential": truth("Whether it has a secret."),
            "secrets": count("How many secrets hold now: two while one is changed."),
            "origins": names("Whose pages may call for it."),
            "delivery": {"type": "string", "enum": ["body", "cookie", "headers"], "description": "How its refresh tokens \
                travel; left out where there are none."},
            "audience": names("Whom its tokens are for."),
            "scope": schema("Scope"),
            "access_token": schema("ClientAccessToken"),
            "refresh": described("ClientRefresh", "Not of a service."),
            "devices": described("ClientDevices", "Not of a service."),
            "binding": described("ClientBinding", "Not of a service."),
            "disabled": truth("Whether an operator switched it off."),
            "version": schema("Version"),
            "replay": or_null("ReplayFor"),
        }),
    )
}

fn mode(description: &str) -> Value {
    json!({"type": "string", "enum": ["off", "report", "enforce"], "description": description})
}

fn per_class() -> Value {
    let class = |class: DeviceClass| (class.as_str().to_owned(), count("At once."));
    let classes: Map<_, _> = DeviceClass::ALL.into_iter().map(class).collect();
    answer(&[], classes.into())
}

fn duration(description: &str) -> Value {
    text(&format!("{description} As in the configuration: `5min`, `14d`."))
}

/// `/v1/keys`, `/v1/clock`.
pub(super) fn keys() -> Value {
    let states = ["announced", "current", "retiring", "gone"];
    json!({
        "KeyId": {
            "type": "string", "pattern": "^[A-Za-z0-9_-]{16}$",
            "description": "A signing key's name (`kid`): 16 characters of base64url.",
        },
        "Keys": answer(&["items"], json!({
            "items": {"type": "array", "items": schema("Key")},
            "verifiers": described("Heard", "Only where `wait` was asked for."),
        })),
        "Key": answer(&["kid", "alg", "state", "source"], json!({
            "kid": schema("KeyId"),
            "alg": {"type": "string", "enum": ALGORITHMS},
            "state": {"type": "string", "enum": states},
            "source": {"type": "string", "enum": ["own", "file"]},
            "made_at": schema("Time"),
            "current_from": described("Time", "Signs from then on."),
            "retires_at": described("Time", "Signs until then. Exclusive."),
            "gone_at": described("Time", "Is published until then. Exclusive."),
        })),
        "Rotation": request(&[], json!({
            "alg": {
                "type": "string", "enum": ALGORITHMS, "description": "Left out: every one in use.",
            },
            "now": truth("Let a new key sign at once. Left out: announce it first."),
            "reason": described("Reason", "Left out: `admin`."),
            "note": schema("Note"),
        })),
        "ClockAcceptance": request(&["accept"], json!({"accept": {"const": true}})),
        "Clock": answer(&["now"], json!({"now": schema("Time")})),
    })
}

/// `/v1/me`.
pub(super) fn person() -> Value {
    let required = [
        "session_id",
        "client_id",
        "device",
        "created_at",
        "last_active_at",
        "expires_at",
        "current",
    ];
    let mine = json!({
        "session_id": schema("SessionId"),
        "client_id": schema("ClientId"),
        "device": schema("Device"),
        "place": text("The network of the address that it was started from, such as `203.0.113.0/24`, if the back end told \
            one."),
        "created_at": schema("Time"),
        "last_active_at": described("Time", "Of the session that asks, to the hour."),
        "expires_at": schema("Time"),
        "current": truth("Whether this is the session that asks."),
    });
    let scope = json!({
        "type": "string", "enum": ["this", "others", "all"],
        "description": "The session that asks, all but it, or all.",
    });
    json!({
        "MySession": answer(&required, mine),
        "MySessionPage": page("MySession", described("SessionId", NEXT)),
        "SignOut": request(&["scope"], json!({"scope": scope})),
        "MyEvent": my_event(),
        "MyEventPage": page("MyEvent", text(NEXT)),
    })
}

fn my_event() -> Value {
    let kinds = ["token", "session", "subject"];
    let required = ["position", "at", "kind", "effect", "reason", "by"];
    answer(
        &required,
        json!({
            "position": count("Its place in the history."),
            "at": schema("Time"),
            "kind": {"type": "string", "enum": kinds, "description": "What it is about."},
            "session_id": schema("SessionId"),
            "jti": text("Of a token."),
            "subject": schema("SubjectId"),
            "client_id": schema("ClientId"),
            "effect": {"type": "string", "enum": ["revoked", "stale", "none"]},
            "change": {"type": "string", "enum": ["ban_lifted"]},
            "reason": schema("Reason"),
            "by": text("Who: `person`, `service`, `authority` or `client:<id>`."),
            "ip": text("From where, if it was the person."),
        }),
    )
}
