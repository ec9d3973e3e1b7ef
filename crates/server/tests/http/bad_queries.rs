//! Paths and queries on `/v1` that are wrong: refused by member, and nothing ends.

use crate::common::{Ask, Server};

async fn refuses(server: &Server, method: &str, path: &str, member: &str) {
    let refused = server.ask_as_back_end(Ask::new(method, path)).await;
    assert_eq!(refused.status, 400, "{method} {path}: {refused:?}");
    let refused = refused.expect_problem(400, "malformed");
    assert_eq!(refused.text("member"), member, "{method} {path}: {refused:?}");
}

#[tokio::test]
async fn parameters_of_lists_that_are_wrong_are_named() {
    let server = Server::with(&[]).await;
    let subject = format!("subject={}", "a".repeat(256));
    for (query, member) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=AAAAAAAAAAAAAAAAAAAAA", "cursor"),
        ("cursor=AAAAAAAAAAAAAAAAAAAAAB", "cursor"),
        ("state=over", "state"),
        ("device_class=phone", "device_class"),
        ("client_id=a%20b", "client_id"),
        ("unknown=1", "unknown"),
        ("limit=1&limit=2", "query"),
        ("limit=1&lim%69t=2", "query"),
        ("limit=%ff", "query"),
        ("limit=", "limit"),
        ("state=", "state"),
    ] {
        refuses(&server, "GET", &format!("/v1/sessions?{query}"), member).await;
        refuses(&server, "GET", &format!("/v1/subjects/alice/sessions?{query}"), member).await;
    }
    for (query, member) in
        [(&*subject, "subject"), ("subject=client:web", "subject"), ("subject=a%0Ab", "subject")]
    {
        refuses(&server, "GET", &format!("/v1/sessions?{query}"), member).await;
    }
}

#[tokio::test]
async fn parameters_of_ending_calls_that_are_wrong_end_nothing() {
    let server = Server::with(&[]).await;
    let own = server.sign_in("alice").await;
    let one = format!("/v1/sessions/{}", own.sid);
    let note = format!("note={}", "a".repeat(501));
    for (query, member) in [
        ("reason=because", "reason"),
        ("reason=Kicked", "reason"),
        (&*note, "note"),
        ("force=true", "force"),
        ("reason=kicked&reason=admin", "query"),
        ("reason=", "reason"),
    ] {
        refuses(&server, "DELETE", &format!("{one}?{query}"), member).await;
        refuses(&server, "DELETE", &format!("/v1/subjects/alice/sessions?{query}"), member).await;
    }
    refuses(&server, "DELETE", &format!("{one}?except={}", own.sid), "except").await;
    refuses(&server, "GET", &format!("{one}?limit=1"), "limit").await;
    server.renew(&own.refresh).await;
}

/// A back end whose variable is empty must not sign everybody out.
#[tokio::test]
async fn a_filter_without_a_value_does_not_widen_an_ending_call() {
    let server = Server::with(&[]).await;
    let own = server.sign_in("alice").await;
    for filter in ["except", "device_class", "device_id", "client_id"] {
        for query in [format!("{filter}="), filter.to_owned()] {
            refuses(&server, "DELETE", &format!("/v1/subjects/alice/sessions?{query}"), filter)
                .await;
        }
    }
    for (query, filter) in [
        ("except=nobody", "except"),
        ("except=AAAAAAAAAAAAAAAAAAAAAB", "except"),
        ("device_class=phone", "device_class"),
        ("device_id=a%0Ab", "device_id"),
        ("client_id=a%20b", "client_id"),
    ] {
        refuses(&server, "DELETE", &format!("/v1/subjects/alice/sessions?{query}"), filter).await;
    }
    server.renew(&own.refresh).await;
}

#[tokio::test]
async fn names_in_paths_that_are_wrong_are_named() {
    let server = Server::with(&[]).await;
    for sid in
        ["x", &"A".repeat(21), &"A".repeat(23), &format!("{}B", "A".repeat(21)), "%ff", "a%00b"]
    {
        refuses(&server, "GET", &format!("/v1/sessions/{sid}"), "session_id").await;
        refuses(&server, "DELETE", &format!("/v1/sessions/{sid}"), "session_id").await;
    }
    for subject in [&*"a".repeat(256), "client:web", "a%0Ab", "%ff", "%00"] {
        let path = format!("/v1/subjects/{subject}/sessions");
        refuses(&server, "GET", &path, "subject").await;
        refuses(&server, "DELETE", &path, "subject").await;
    }
}

/// What stands in a body would be ignored, and somebody meant it.
#[tokio::test]
async fn a_body_where_none_is_taken_is_refused_and_nothing_ends() {
    let server = Server::with(&[]).await;
    let own = server.sign_in("alice").await;
    for (method, path) in [
        ("DELETE", format!("/v1/sessions/{}", own.sid)),
        ("DELETE", "/v1/subjects/alice/sessions".to_owned()),
        ("DELETE", "/v1/subjects/alice/ban".to_owned()),
        ("POST", "/v1/subjects/alice/erase".to_owned()),
        ("DELETE", "/v1/keys/AAAAAAAAAAAAAAAA".to_owned()),
    ] {
        for body in ["{}", "{\"reason\":\"admin\"}", " "] {
            let ask = Ask::new(method, &path).with("content-type", "application/json").body(body);
            let refused = server.ask_as_back_end(ask).await.expect_problem(400, "malformed");
            assert_eq!(refused.text("member"), "body", "{method} {path}: {refused:?}");
        }
        let long = "a".repeat(70_000);
        let refused = server.ask_as_back_end(Ask::new(method, &path).body(long)).await;
        refused.expect_problem(400, "malformed");
    }
    server.renew(&own.refresh).await;
}
