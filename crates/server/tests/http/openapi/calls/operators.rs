//! The calls of operators: what is revoked at large, clients, keys, the clock.

use super::super::call::Call;
use super::super::schemas::{described, schema};
use super::wait;
use symbolon::api_keys::ApiScope;
use symbolon::http::revocation_batch::{BATCH_BYTES_MAX, LINES_MAX};

/// All of them.
pub(super) fn all() -> Vec<Call> {
    [vec![revocations()], clients(), keys(), vec![clock()]].into_iter().flatten().collect()
}

fn revocations() -> Call {
    let asked = format!(
        "Many at once, subjects or sessions: up to {LINES_MAX} lines and {} MiB. A line that \
         is wrong refuses the whole batch before anything is done.",
        BATCH_BYTES_MAX >> 20
    );
    let answered = "The lines in their order, each with a status of its own.";
    Call::new("post", "/v1/revocations", "Revocations", "revoke", "Revoke anything")
        .about(
            "The target decides which scope the key needs: `sessions:end` for a session, a token \
             or a filter, `subjects:write` for a subject, `admin` for a client, a key or everything.",
        )
        .key_of_any(&[ApiScope::SessionsEnd, ApiScope::SubjectsWrite, ApiScope::Admin])
        .json("Revocation")
        .or_lines("Revocation", &asked)
        .answers(200, "What it hit, or in a dry run would hit.", "Revoked")
        .or_answers_lines(200, "RevokedLine", answered)
        .refuses(&[
            (403, "key-limited"),
            (404, "not-found"),
            (409, "key-from-file"),
            (409, "more-than-expected"),
            (409, "too-many-keys"),
            (409, "too-many-revoked"),
            (500, "refused"),
        ])
}

fn clients() -> Vec<Call> {
    let one = "/v1/clients/{client_id}";
    let named = |call: Call| call.path("client_id", schema("ClientId"), "The client.");
    let of_one = [(403, "key-limited"), (404, "not-found")];
    vec![
        Call::new("get", "/v1/clients", "Clients", "listClients", "List clients")
            .about("By name. A key that is limited to named clients sees these alone.")
            .key(ApiScope::Admin)
            .paged(schema("ClientId"))
            .answers(200, "A page of clients.", "ClientPage"),
        named(Call::new("get", one, "Clients", "showClient", "Show a client"))
            .about("What the configuration says of it, never a secret, and its switches.")
            .key(ApiScope::Admin)
            .answers(200, "The client.", "Client")
            .with(200, "ETag")
            .refuses(&of_one),
        named(Call::new("put", one, "Clients", "switchClient", "Replace a client's switches"))
            .about(
                "As a whole: a member left out is what it is by default, on and as configured. A \
                 client that is off is refused in every grant; its sessions go on when it is on again.",
            )
            .key(ApiScope::Admin)
            .if_match("Write only if the client is at one of these versions")
            .json("Switches")
            .answers(200, "The version that holds now.", "Replaced")
            .with(200, "ETag")
            .refuses(&of_one)
            .refuses(&[(412, "version-mismatch")]),
    ]
}

fn keys() -> Vec<Call> {
    let limited = [(403, "key-limited")];
    let reason = described("Reason", "Left out: `key_compromised`.");
    let revoke = Call::new("delete", "/v1/keys/{kid}", "Keys", "revokeKey", "Revoke a signing key");
    vec![
        Call::new("get", "/v1/keys", "Keys", "listKeys", "List the signing keys")
            .about("What is public of them, and what they do when.")
            .key(ApiScope::Admin)
            .answers(200, "All of them.", "Keys")
            .refuses(&limited),
        Call::new("post", "/v1/keys/rotate", "Keys", "rotateKeys", "Turn the signing keys")
            .about("Before their time. No token is refused by it; to ask again changes nothing.")
            .key(ApiScope::Admin)
            .json("Rotation")
            .answers(200, "The keys after it.", "Keys")
            .refuses(&limited)
            .refuses(&[(409, "too-many-keys")]),
        wait(
            revoke
                .path("kid", schema("KeyId"), "The key.")
                .about(
                    "Another key signs, and what this one signed is refused: everybody renews, \
                     and nobody signs in again.",
                )
                .key(ApiScope::Admin)
                .query("reason", reason, "Why.")
                .query("note", schema("Note"), "For the history."),
        )
        .answers(200, "The keys after it.", "Keys")
        .refuses(&limited)
        .refuses(&[
            (404, "not-found"),
            (409, "key-from-file"),
            (409, "too-many-keys"),
            (409, "too-many-revoked"),
        ]),
    ]
}

fn clock() -> Call {
    Call::new("post", "/v1/clock", "Operations", "acceptClock", "Say that the clock is right")
        .about(
            "When the wall clock left the machine's own count of time, or lies behind what the \
             store has seen, nothing is decided (503, `clock`) until it comes back or somebody \
             calls this.",
        )
        .key(ApiScope::Admin)
        .json("ClockAcceptance")
        .answers(200, "The time that holds now.", "Clock")
}
