//! The calls of a person about their own devices.

use super::super::call::Call;
use super::super::schemas::schema;
use serde_json::json;

const TAG: &str = "Me";

/// All of them.
pub(super) fn all() -> Vec<Call> {
    let end = Call::new("delete", "/v1/me/sessions/{sid}", TAG, "endMySession", "End one of them");
    let out = Call::new("post", "/v1/me/sign-out", TAG, "signMeOut", "Sign out");
    let cursor = json!({"type": "string", "pattern": "^[0-9]+$"});
    let own = vec![
        Call::new("get", "/v1/me/sessions", TAG, "listMySessions", "List one's own devices")
            .about(
                "Those that are active. When the session that asks was last used is told to the \
                 hour: a thief who holds its token learns nothing useful.",
            )
            .person()
            .paged(schema("SessionId"))
            .answers(200, "A page of devices.", "MySessionPage"),
        end.path("sid", schema("SessionId"), "The session.")
            .about("One that has ended already is answered with an empty `ended`.")
            .person()
            .answers(200, "The session that this call ended.", "Ended")
            .refuses(&[(404, "not-found")]),
        out.about(
            "Here, everywhere else, or everywhere. Where this session is among them, `Set-Cookie` takes its cookies away.",
        ).person().json("SignOut").answers(
            200,
            "The sessions that this call ended.",
            "Ended",
        ),
        Call::new("get", "/v1/me/events", TAG, "listMyEvents", "What happened to one's sessions")
            .about(
                "Oldest first. Who else acted, from where, and their notes: for operators. With `Accept: \
                 text/event-stream` it goes on as it happens, until the session is over; `ending` and `step_up` (a gateway asks \
                 this session for more) are told there alone.",
            )
            .person()
            .query("since", schema("Time"), "Not older than this.")
            .paged(cursor)
            .answers(200, "A page of events.", "MyEventPage")
            .refuses(&[(503, "feed-crowded")]),
        Call::new("post", "/v1/me/tickets", TAG, "makeMyTicket", "Make a ticket of one's own")
            .about("For a WebSocket, an EventSource or a download, which cannot send a header.")
            .person()
            .json("MyTicketRequest")
            .answers(200, "The ticket.", "Ticket")
            .refuses(&[(403, "client-disabled"), (404, "not-found"), (409, "session-ended")]),
    ];
    own.into_iter().map(|call| call.with(200, "Cache-Control")).collect()
}
