//! Bodies of step-up, and of what is used once.

use super::{answer, count, described, list, request, schema, text, tokens};
use serde_json::{Value, json};
use symbolon::http::operations::PATH_BYTES_MAX;
use symbolon::http::start_request::LIST_MAX;
use symbolon_core::one_time::{OPERATION_LIFE_MAX, TICKET_LIFE_MAX};

pub(super) fn all() -> Value {
    let life = |max: u64, about: &str| {
        json!({
            "type": "integer", "minimum": 1, "maximum": max,
            "description": format!("Seconds; left out: {max}. {about}"),
        })
    };
    let operation = life(OPERATION_LIFE_MAX.as_secs(), "From now.");
    let ticket = life(TICKET_LIFE_MAX.as_secs(), "From now.");
    let audience = described("Name", "Whom it is for; left out: the session's first audience.");
    let whose = json!({
        "session_id": schema("SessionId"),
        "subject": schema("SubjectId"),
        "client_id": schema("ClientId"),
    });
    json!({
        "StepUp": request(&["amr"], json!({
            "amr": list(schema("Name"), LIST_MAX, "All methods that hold from now on (RFC 8176)."),
            "acr": described("Name", "How strongly; left out: no level is said any more."),
            "authenticated_at": described("Time", "Left out: now. Not in the future."),
        })),
        "SteppedUp": answer(
            &["session_id", "access_token", "token_type", "expires_in"],
            tokens(&[]),
        ),
        "OperationRequest": request(&["session_id", "method", "path"], operation_request(&operation)),
        "Operation": answer(&["operation_token", "expires_in"], json!({
            "operation_token": text("143 characters, good once."),
            "expires_in": count("Seconds until it cannot be redeemed."),
        })),
        "RedeemOperation": request(&["operation_token", "method", "path"], redeem()),
        "Confirmed": confirmed(&whose),
        "TicketRequest": request(&["session_id"], json!({
            "session_id": schema("SessionId"), "audience": audience, "expires_in": ticket,
        })),
        "MyTicketRequest": request(&[], json!({"audience": audience, "expires_in": ticket})),
        "Ticket": answer(&["ticket", "expires_in"], json!({
            "ticket": text("143 characters, good once: the parameter `ticket` of a URL."),
            "expires_in": count("Seconds until it cannot be redeemed."),
        })),
        "RedeemTicket": request(&["ticket", "audience"], json!({
            "ticket": text("The ticket."),
            "audience": described("Name", "Who redeems it."),
        })),
        "RedeemToken": request(&["token"], json!({
            "token": text("An access token for one use."),
        })),
        "Earned": earned(whose),
    })
}

/// The request that is meant.
fn meant() -> Value {
    json!({
        "method": {"type": "string", "minLength": 1, "maxLength": 32,
            "description": "As it is sent."},
        "path": {"type": "string", "minLength": 1, "maxLength": PATH_BYTES_MAX, "pattern": "^/[!-~]*$",
            "description": "As it is sent, query included; compared byte for byte."},
        "body_sha256": {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$",
            "description": "The SHA-256 of the body in base64url; left out: the body is not bound."},
    })
}

fn operation_request(life: &Value) -> Value {
    let mut members = meant();
    members["session_id"] = schema("SessionId");
    members["expires_in"] = life.clone();
    members
}

fn redeem() -> Value {
    let mut members = meant();
    members["operation_token"] = text("The token.");
    members
}

fn confirmed(whose: &Value) -> Value {
    let mut members = whose.clone();
    members["acr"] = described("Name", "Left out where none was said.");
    members["amr"] = list(schema("Name"), LIST_MAX, "How the person authenticated.");
    members["auth_time"] = described("Time", "When.");
    answer(&["session_id", "subject", "client_id", "amr", "auth_time"], members)
}

fn earned(mut whose: Value) -> Value {
    whose["access_token"] = text("A signed JWT (RFC 9068) for this audience alone.");
    whose["token_type"] = json!({"const": "Bearer"});
    whose["expires_in"] = count("Seconds until the access token ends.");
    let required =
        ["session_id", "subject", "client_id", "access_token", "token_type", "expires_in"];
    answer(&required, whose)
}
