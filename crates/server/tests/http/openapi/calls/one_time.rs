//! Step-up, and what is used once.

use super::super::call::Call;
use super::super::schemas::schema;
use symbolon::api_keys::ApiScope;

const TAG: &str = "One time";

/// All of them.
pub(super) fn all() -> Vec<Call> {
    let made = |call: Call| {
        call.with(200, "Cache-Control").refuses(&[
            (403, "client-disabled"),
            (404, "not-found"),
            (409, "session-ended"),
        ])
    };
    let spent = [(409, "already-used"), (409, "expired"), (409, "other-purpose")];
    let operation = "/v1/operations";
    let redeem = "/v1/operations/redeem";
    vec![
        made(step_up()),
        made(
            Call::new("post", operation, TAG, "makeOperation", "Make an operation token")
                .about(
                    "For exactly one request of a session, which the person has just confirmed: \
                     method, path and, if told, body. Nothing is stored until it is redeemed.",
                )
                .key(ApiScope::SessionsStart)
                .json("OperationRequest")
                .answers(200, "The token.", "Operation"),
        ),
        made(
            Call::new("post", redeem, TAG, "redeemOperation", "Redeem an operation token")
                .about("Of all who redeem one, at every node, one is told yes.")
                .key(ApiScope::RevocationsRead)
                .json("RedeemOperation")
                .answers(200, "In whose session the request was confirmed.", "Confirmed"),
        )
        .refuses(&spent),
        made(
            Call::new("post", "/v1/tickets", TAG, "makeTicket", "Make a ticket")
                .about(
                    "For a WebSocket, an EventSource or a download, which cannot send a header. A \
                     page makes its own with `POST /v1/me/tickets`.",
                )
                .key(ApiScope::SessionsStart)
                .json("TicketRequest")
                .answers(200, "The ticket.", "Ticket"),
        ),
        made(
            Call::new("post", "/v1/tickets/redeem", TAG, "redeemTicket", "Redeem a ticket")
                .about(
                    "Of all who redeem one, at every node, one is given an access token for that \
                     audience alone.",
                )
                .key(ApiScope::RevocationsRead)
                .json("RedeemTicket")
                .answers(200, "Who it is, and the token.", "Earned"),
        )
        .refuses(&spent),
        Call::new("post", "/v1/tokens/redeem", TAG, "redeemToken", "Use up an access token")
            .about(
                "Of an audience whose tokens let in once (`one_use`): of all who redeem one, at every \
                 node, one is told yes. Introspection uses it up as well.",
            )
            .key(ApiScope::RevocationsRead)
            .json("RedeemToken")
            .answers(200, "It is used by this request; what it says.", "Introspection")
            .with(200, "Cache-Control")
            .refuses(&[
                (404, "not-found"),
                (409, "already-used"),
                (409, "expired"),
                (409, "session-ended"),
                (409, "stale"),
            ]),
    ]
}

fn step_up() -> Call {
    let path = "/v1/sessions/{sid}/step-up";
    Call::new("post", path, "Sessions", "stepUp", "Say what a person proved later")
        .about(
            "Sent by a back end that has just had the person prove more. `amr`, `acr` and `auth_time` \
             of the session change, and no refresh changes them back; access tokens of before become \
             stale, and nobody is signed out.",
        )
        .path("sid", schema("SessionId"), "The session.")
        .key(ApiScope::SessionsStart)
        .json("StepUp")
        .answers(200, "The session's tokens, as its client's preset has them.", "SteppedUp")
}
