//! What bodies are made of. Bounds are those of the code: a bound that moves there moves here.

mod feed;
mod one_time;
mod operators;

use serde_json::{Map, Value, json};
use symbolon::config::DEVICES_MAX;
use symbolon::http::ending::NOTE_BYTES_MAX;
use symbolon::http::query::LIMIT_MAX;
use symbolon::http::start_request::{LIST_MAX, ROLES_MAX, TEXT_BYTES_MAX};
use symbolon_core::Reason;
use symbolon_core::device::{DeviceClass, Overflow};
use symbolon_core::id::NAME_BYTES_MAX;
use symbolon_core::scope::SCOPE_BYTES_MAX;
use symbolon_wire::EXTRA_MEMBERS_MAX;

const NEXT: &str = "`cursor` of the next page; left out on the last.";

/// A schema by its name.
pub(super) fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The same, with what it means here.
pub(super) fn described(name: &str, description: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}"), "description": description})
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn bounded(bytes_max: usize, description: &str) -> Value {
    let bytes = format!("{description} At most {bytes_max} bytes of UTF-8, no control characters.");
    json!({"type": "string", "maxLength": bytes_max, "description": bytes})
}

fn list(of: Value, max: usize, description: &str) -> Value {
    json!({"type": "array", "items": of, "maxItems": max, "description": description})
}

fn truth(description: &str) -> Value {
    json!({"type": "boolean", "description": description})
}

fn count(description: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "description": description})
}

/// A name of the same kind, or nothing.
fn or_null(name: &str) -> Value {
    json!({"oneOf": [schema(name), {"type": "null"}]})
}

/// What is answered: members may be added later.
fn answer(required: &[&str], members: Value) -> Value {
    json!({"type": "object", "required": required, "properties": members})
}

/// What is asked: an unknown member is refused.
fn request(required: &[&str], members: Value) -> Value {
    json!({
        "type": "object", "required": required, "properties": members, "additionalProperties": false,
    })
}

/// A form: parameters that nobody knows are ignored (RFC 6749 §3.2).
fn form(required: &[&str], members: Value) -> Value {
    json!({"type": "object", "required": required, "properties": members})
}

/// Every schema.
pub(super) fn all() -> Map<String, Value> {
    let parts = [words(), sessions(), subjects(), events(), refusals(), oauth(), discovery()];
    let operators = [
        operators::revocations(),
        operators::clients(),
        operators::keys(),
        operators::person(),
        feed::all(),
        feed::beside(),
        one_time::all(),
    ];
    let mut all = Map::new();
    for (name, one) in
        parts.into_iter().chain(operators).flat_map(|part| part.as_object().cloned().unwrap())
    {
        assert!(all.insert(name.clone(), one).is_none(), "two schemas are called {name}");
    }
    all
}

fn words() -> Value {
    json!({
        "SessionId": {
            "type": "string", "pattern": "^[A-Za-z0-9_-]{22}$",
            "description": "A session's name (`sid`): 22 characters of base64url.",
        },
        "SubjectId": {
            "type": "string", "minLength": 1, "maxLength": NAME_BYTES_MAX,
            "description": "A person (`sub`): 1 to 255 bytes of UTF-8 without control characters, not \
                            beginning with `client:`.",
        },
        "ClientId": {
            "type": "string", "minLength": 1, "maxLength": NAME_BYTES_MAX, "pattern": "^[!-~]+$",
            "description": "An application: 1 to 255 visible ASCII characters.",
        },
        "Name": {
            "type": "string", "minLength": 1, "maxLength": NAME_BYTES_MAX,
            "description": "1 to 255 bytes of UTF-8 without control characters.",
        },
        "Time": {
            "type": "integer", "minimum": 0,
            "description": "Whole seconds since 1970-01-01 00:00 UTC.",
        },
        "Version": {
            "type": "string", "pattern": "^[0-9]+\\.[0-9]+$",
            "description": "A version of a subject or a client: `<store epoch>.<its counter>`.",
        },
        "Reason": {
            "type": "string", "enum": Reason::ALL.map(Reason::as_str),
            "description": "Why something ended; stable words.",
        },
        "DeviceClass": {"type": "string", "enum": DeviceClass::ALL.map(DeviceClass::as_str)},
        "Scope": {
            "type": "string", "maxLength": SCOPE_BYTES_MAX,
            "description": "Scope values with single spaces between (RFC 6749 §3.3).",
        },
        "Claims": {
            "type": "object", "maxProperties": EXTRA_MEMBERS_MAX, "additionalProperties": true,
            "description": "Claims for access tokens, 2 KiB at most. Names that RFC 7519, RFC 9068 and \
                            the authority itself use are refused.",
        },
        "Note": {
            "type": "string", "maxLength": NOTE_BYTES_MAX,
            "description": "For colleagues who read the history. At most 500 bytes of UTF-8.",
        },
    })
}

fn sessions() -> Value {
    json!({
        "StartSession": request(&["subject", "client_id", "device"], json!({
            "subject": schema("SubjectId"),
            "client_id": schema("ClientId"),
            "device": schema("DeviceOfStart"),
            "scope": described("Scope", "Left out: all that the client's configuration allows."),
            "roles": list(schema("Name"), ROLES_MAX, "The subject's roles from now on; left out, the \
                stored ones stand. Needs `subjects:write` and a key that is not limited to clients."),
            "claims": described("Claims", "Of this session alone; they win over the subject's."),
            "amr": list(schema("Name"), LIST_MAX, "How the subject authenticated (RFC 8176)."),
            "acr": described("Name", "How strongly the subject authenticated (RFC 9068 §2.2.3.1)."),
            "authenticated_at": described("Time", "Left out: now. Not in the future."),
            "expires_at": described("Time", "An earlier end than the client's `absolute`."),
            "audience": list(schema("Name"), LIST_MAX, "Some of the client's audiences; left out or \
                empty, all."),
            "ip": json!({"type": "string", "format": "ip", "description": "The person's IPv4 or IPv6 \
                address."}),
            "user_agent": bounded(TEXT_BYTES_MAX, "The person's browser."),
            "features": bounded(TEXT_BYTES_MAX, "What the device looks like; its digest is kept."),
            "jkt": json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$", "description": "The \
                thumbprint of a key of the client (RFC 7638)."}),
        })),
        "DeviceOfStart": request(&["class"], json!({
            "class": schema("DeviceClass"),
            "id": described("Name", "A sign-in with the `id` of an earlier one replaces it."),
            "name": described("Name", "For people."),
        })),
        "StartedSession": answer(
            &["session_id", "displaced"],
            tokens(&[("displaced", json!({
                "type": "array", "items": schema("EndedSession"),
                "description": "The sessions that left for this one.",
            })), ("set_cookie", set_cookie("In place of the tokens, where they live in cookies"))]),
        ),
        "Session": session(),
        "Device": answer(&["class", "id", "name"], json!({
            "class": schema("DeviceClass"), "id": or_null("Name"), "name": or_null("Name"),
        })),
        "SessionPage": page("Session", described("SessionId", NEXT)),
        "EndedSession": answer(&["session_id", "reason"], json!({
            "session_id": schema("SessionId"), "reason": schema("Reason"),
        })),
        "Ended": answer(&["ended", "position"], json!({
            "ended": {"type": "array", "items": schema("EndedSession")},
            "position": count("Where the history stands."),
            "verifiers": described("Heard", "Only where `wait` was asked for."),
            "set_cookie": set_cookie("Where the session lived in cookies, so that they go"),
        })),
    })
}

fn set_cookie(when: &str) -> Value {
    json!({
        "type": "array", "items": {"type": "string"},
        "description": format!("{when}: lines of `Set-Cookie` for the back end's own answer."),
    })
}

fn session() -> Value {
    let required = [
        "session_id",
        "subject",
        "client_id",
        "device",
        "scope",
        "roles",
        "amr",
        "acr",
        "created_at",
        "last_active_at",
        "idle_expires_at",
        "expires_at",
        "generation",
        "state",
    ];
    answer(
        &required,
        json!({
            "session_id": schema("SessionId"),
            "subject": schema("SubjectId"),
            "client_id": schema("ClientId"),
            "device": schema("Device"),
            "scope": schema("Scope"),
            "roles": list(schema("Name"), ROLES_MAX, "Of the subject, now."),
            "amr": list(schema("Name"), LIST_MAX, "How the subject authenticated."),
            "acr": or_null("Name"),
            "created_at": schema("Time"),
            "last_active_at": schema("Time"),
            "idle_expires_at": schema("Time"),
            "expires_at": schema("Time"),
            "generation": count("How often it was renewed."),
            "state": {"type": "string", "enum": ["active", "ended"]},
            "reason": described("Reason", "Only of an ended session."),
            "ended_at": described("Time", "Only of an ended session."),
            "by": text(
                "Who ended it: `authority`, `schedule:<name>`, `api_key:<name>`, `operator:<uid>`, `client:<id>` or \
                 `person`."
            ),
        }),
    )
}

fn token_type() -> Value {
    json!({"type": "string", "enum": ["Bearer", "DPoP"], "description": "`DPoP` if a proof of a key \
        must be shown with it (RFC 9449)."})
}

fn tokens(also: &[(&str, Value)]) -> Value {
    let mut members = json!({
        "session_id": schema("SessionId"),
        "access_token": text("A signed JWT (RFC 9068), 4 KiB at most; or opaque, by the client's preset."),
        "token_type": token_type(),
        "expires_in": count("Seconds until the access token ends."),
        "refresh_token": text("Renews the session; replaced by every renewal. Only by the preset `dual-token`, and left \
            out where it travels in a cookie, or in `X-Refresh-Token`."),
        "refresh_expires_in": count("Seconds until the session ends if it is not used."),
        "scope": described("Scope", "Left out when there is none."),
    });
    for (name, member) in also {
        members[*name] = member.clone();
    }
    members
}

fn page(of: &str, next: Value) -> Value {
    answer(
        &["items"],
        json!({
            "items": {"type": "array", "items": schema(of), "maxItems": LIMIT_MAX},
            "next": next,
        }),
    )
}

fn subjects() -> Value {
    json!({
        "Subject": answer(
            &["subject", "roles", "claims", "ban", "version", "active_sessions"],
            json!({
                "subject": schema("SubjectId"),
                "roles": list(schema("Name"), ROLES_MAX, "In every access token from the next on."),
                "claims": schema("Claims"),
                "ban": or_null("Ban"),
                "devices": schema("SubjectDevices"),
                "version": schema("Version"),
                "active_sessions": count("How many are active now."),
            }),
        ),
        "SubjectDevices": answer(&[], device_limits()),
        "DevicesRequest": request(&[], device_limits()),
        "Ban": answer(&["since", "until", "reason", "note"], json!({
            "since": schema("Time"),
            "until": or_null("Time"),
            "reason": schema("Reason"),
            "note": or_null("Note"),
        })),
        "Profile": request(&[], json!({
            "roles": list(schema("Name"), ROLES_MAX, "Left out: none."),
            "claims": described("Claims", "Left out: none. Roles and claims have 2304 bytes together."),
        })),
        "BanRequest": request(&[], json!({
            "until": described("Time", "Left out: for good. Not in the past."),
            "reason": described("Reason", "Left out: `banned`."),
            "note": schema("Note"),
        })),
        "Replaced": answer(&["version", "changed"], json!({
            "version": schema("Version"),
            "changed": truth("False if it was so already; then no version was spent."),
        })),
    })
}

/// How many sessions a subject may have, where that is said of it.
fn device_limits() -> Value {
    let most = json!({"type": "integer", "minimum": 1, "maximum": DEVICES_MAX});
    let classes = DeviceClass::ALL.map(|class| (class.as_str().to_owned(), most.clone()));
    json!({
        "per_subject": {"type": "integer", "minimum": 1, "maximum": DEVICES_MAX,
            "description": "At once, through each client."},
        "per_class": {"type": "object", "additionalProperties": false,
            "properties": classes.into_iter().collect::<serde_json::Map<_, _>>(),
            "description": "The same on devices of one class."},
        "overflow": {"type": "string", "enum": Overflow::ALL.map(Overflow::as_str),
            "description": "Who leaves when a sign-in makes too many."},
    })
}

/// What changed, where nothing was revoked.
fn change() -> Value {
    let words = [
        "ban_lifted",
        "devices_limited",
        "client_enabled",
        "replay_enforced",
        "replay_reported",
        "replay_off",
        "replay_as_configured",
        "keys_announced",
        "keys_turned",
        "stepped_up",
        "withheld",
    ];
    json!({"type": "string", "enum": words, "description": "What changed, if `effect` is `none`."})
}

fn events() -> Value {
    let kinds = ["token", "session", "subject", "client", "key", "everything"];
    json!({
        "Event": answer(&["position", "at", "kind", "effect", "reason", "by"], json!({
            "position": count("Its place in the history."),
            "at": schema("Time"),
            "kind": {"type": "string", "enum": kinds, "description": "What it is about."},
            "session_id": schema("SessionId"),
            "jti": text("Of a token."),
            "kid": described("KeyId", "Of a key."),
            "below": described("Version", "Every older version of the kind is hit."),
            "subject": schema("SubjectId"),
            "client_id": schema("ClientId"),
            "effect": {"type": "string", "enum": ["revoked", "stale", "none"]},
            "change": change(),
            "until": described("Time", "Until when a change holds that ends by itself."),
            "reason": schema("Reason"),
            "by": text(
                "Who: `authority`, `api_key:<name>`, `operator:<uid>`, `client:<id>` or `person`."
            ),
            "note": schema("Note"),
            "ip": text("From where."),
            "request_id": text("`X-Request-Id` of the call that did it."),
        })),
        "EventPage": page("Event", text(NEXT)),
    })
}

fn refusals() -> Value {
    json!({
        "Problem": answer(&["type", "title", "status", "detail", "request_id"], json!({
            "type": text("`urn:symbolon:` and a stable code."),
            "title": text("The code in words."),
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": text("What happened and what to do."),
            "member": text("The member, parameter or header that is wrong."),
            "reason": described("Reason", "Why a session ended or may not renew."),
            "request_id": text("The same as `X-Request-Id`: the log knows the request by it."),
            "retry_after": count("Seconds after which a retry makes sense."),
            "matched": count("How many sessions would have been hit."),
        })),
        "OAuthError": answer(&["error", "error_description", "request_id"], json!({
            "error": text("A word of RFC 6749 §5.2."),
            "error_description": text("What happened and what to do."),
            "reason": described("Reason", "Only to the holder of a genuine token."),
            "request_id": text("The same as `X-Request-Id`."),
        })),
    })
}

fn oauth() -> Value {
    let client_id = described("ClientId", "Of a public client, or of one without `Authorization`.");
    let client_secret = text("Of a confidential client without `Authorization`.");
    json!({
        "TokenRequest": form(&["grant_type"], json!({
            "grant_type": {"type": "string", "enum": ["refresh_token", "client_credentials"]},
            "refresh_token": text("To renew: any generation that is still in its window. Left out where it \
                travels in a cookie, or in `X-Refresh-Token`."),
            "scope": described("Scope", "Narrows the answer's access token."),
            "resource": text("The audience of the answer's access token (RFC 8707), or the issuer."),
            "features": bounded(TEXT_BYTES_MAX, "To renew: what the device looks like, where that is compared."),
            "client_id": client_id,
            "client_secret": client_secret,
        })),
        "Tokens": answer(
            &["session_id", "access_token", "token_type", "expires_in", "refresh_expires_in"],
            tokens(&[]),
        ),
        "TokenAnswer": {"anyOf": [schema("Tokens"), schema("ServiceTokens")]},
        "ServiceTokens": answer(&["access_token", "token_type", "expires_in"], json!({
            "access_token": text("A signed JWT (RFC 9068) whose `sub` is `client:<id>`."),
            "token_type": token_type(),
            "expires_in": count("Seconds until the access token ends."),
            "scope": described("Scope", "Left out when there is none."),
        })),
        "RevokeRequest": form(&[], json!({
            "token": text("The refresh token, of any generation; or the opaque access token. Left out where the refresh \
                token travels in a cookie."),
            "client_id": client_id,
            "client_secret": client_secret,
        })),
        "IntrospectRequest": form(&["token"], json!({
            "token": text("The access token."),
            "client_id": client_id,
            "client_secret": client_secret,
        })),
        "Introspection": {
            "type": "object", "required": ["active"], "additionalProperties": true,
            "properties": {"active": truth("Whether it is in force now.")},
            "description": "An inactive token has no other member; an active one has its claims.",
        },
    })
}

fn discovery() -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let url = json!({"type": "string", "format": "uri"});
    let members = json!({
        "issuer": url, "token_endpoint": url, "revocation_endpoint": url,
        "introspection_endpoint": url, "jwks_uri": url,
        "response_types_supported": texts, "grant_types_supported": texts,
        "token_endpoint_auth_methods_supported": texts,
        "revocation_endpoint_auth_methods_supported": texts,
        "introspection_endpoint_auth_methods_supported": texts,
        "access_token_signing_alg_values_supported": texts,
        "dpop_signing_alg_values_supported": texts, "scopes_supported": texts,
    });
    let required: Vec<_> = members.as_object().unwrap().keys().map(String::as_str).collect();
    json!({
        "Metadata": answer(&required, members.clone()),
        "JwkSet": answer(&["keys"], json!({"keys": {"type": "array", "items": schema("Jwk")}})),
        "Jwk": answer(&["kty", "use", "alg", "kid"], json!({
            "kty": {"type": "string", "enum": ["OKP", "EC", "RSA"]},
            "use": {"const": "sig"},
            "alg": {"type": "string", "enum": ["EdDSA", "ES256", "RS256"]},
            "kid": schema("KeyId"),
            "crv": {"type": "string", "enum": ["Ed25519", "P-256"]},
            "x": text("Of OKP and EC."), "y": text("Of EC."),
            "n": text("Of RSA."), "e": text("Of RSA."),
        })),
        "Status": answer(&["status"], json!({"status": {"const": "ok"}})),
        "Ready": answer(&["status"], json!({
            "status": {"const": "ok"},
            "lost_events": count("How much the store lost that it had acknowledged, since it was made; left out: nothing."),
        })),
    })
}
