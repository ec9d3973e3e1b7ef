//! The walk through verifiers' calls.

use super::Walk;
use crate::common::{Ask, Follower, Mirror};
use serde_json::json;

/// All of them.
pub(super) async fn all(walk: &mut Walk) {
    let cursor = Mirror::start(&walk.server).await.cursor.to_text();
    let snapshot = "GET /v1/feed/snapshot";
    walk.ask(snapshot, 200, Ask::get("/v1/feed/snapshot")).await;
    let poll = format!("/v1/feed/poll?after={cursor}&nonce=n&wait=10ms");
    walk.ask("GET /v1/feed/poll", 200, Ask::get(&poll)).await;
    walk.ask("GET /v1/feed/poll", 400, Ask::get("/v1/feed/poll")).await;
    // It has no end, so it is not read to it.
    let stream = Follower::of(&walk.server, &format!("/v1/feed?after={cursor}")).await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert!(stream.headers.contains_key("x-request-id"));
    walk.seen.insert(("GET /v1/feed".to_owned(), 200));
    walk.ask("GET /v1/feed", 410, Ask::get(&format!("/v1/feed?after={}", "A".repeat(38)))).await;
    reports(walk, &cursor).await;
    let ended = "POST /v1/feed/ended";
    let sids = json!({"sids": ["AAAAAAAAAAAAAAAAAAAAAA"]});
    walk.ask(ended, 200, Ask::json("/v1/feed/ended", &sids)).await;
    walk.ask(ended, 400, Ask::json("/v1/feed/ended", &json!({"sids": ["x"]}))).await;
    let presence = "GET /v1/presence";
    walk.ask(presence, 200, Ask::get("/v1/presence?limit=1")).await;
    walk.ask(presence, 400, Ask::get("/v1/presence?window=x")).await;
    let activity = "POST /v1/activity";
    let used = |sid: &str| {
        Ask::json("/v1/activity", &json!({"uses": [{"session_id": sid, "at": 1_800_000_000}]}))
    };
    walk.ask(activity, 200, used("AAAAAAAAAAAAAAAAAAAAAA")).await;
    walk.ask(activity, 400, used("x")).await;
    let cookie = "POST /v1/gateway/token";
    let ask = |body| Ask::json("/v1/gateway/token", &body);
    walk.ask(cookie, 200, ask(json!({"cookie": "sym_gs_x", "audience": "demo-api"}))).await;
    walk.ask(cookie, 400, ask(json!({"cookie": "sym_gs_x"}))).await;
}

async fn reports(walk: &mut Walk, cursor: &str) {
    let applied = "POST /v1/feed/applied";
    let report = |cursor: &str| {
        let body = json!({
            "instance": "pod-1", "cursor": cursor, "max_staleness_ms": 5000, "offline_routes": 1,
            "age_ms": 3,
        });
        Ask::json("/v1/feed/applied", &body)
    };
    walk.ask(applied, 204, report(cursor)).await;
    walk.ask(applied, 400, report("x")).await;
    walk.ask(applied, 410, report(&"A".repeat(38))).await;
    let listed = walk.ask("GET /v1/verifiers", 200, Ask::get("/v1/verifiers")).await;
    assert_eq!(listed.member("items")[0]["instance"], "pod-1");
    let own = walk.sign_in("nina").await;
    let waits = Ask::delete(&format!("/v1/sessions/{}?wait=10ms", own.sid));
    let waited = walk.ask("DELETE /v1/sessions/{sid}", 200, waits).await;
    assert_eq!(waited.member("verifiers")["lagging"][0]["name"], "dev/pod-1");
}
