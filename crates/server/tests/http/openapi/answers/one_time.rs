//! The walk through step-up and what is used once.

use super::super::for_the_authority;
use super::Walk;
use crate::common::{Ask, SERVICE_SECRET};
use serde_json::{Value, json};

const ORIGIN: &str = "https://app.example.com";

pub(super) async fn all(walk: &mut Walk) {
    let own = walk.sign_in("olga").await;
    let call = "POST /v1/sessions/{sid}/step-up";
    let path = format!("/v1/sessions/{}/step-up", own.sid);
    let raised = json!({"amr": ["otp"], "acr": "2", "authenticated_at": 1_700_000_000});
    walk.ask(call, 200, Ask::json(&path, &raised)).await;
    walk.ask(call, 400, Ask::json(&path, &json!({}))).await;
    let gone = "/v1/sessions/AAAAAAAAAAAAAAAAAAAAAA/step-up";
    walk.ask(call, 404, Ask::json(gone, &raised)).await;
    operations(walk, &own.sid).await;
    tickets(walk, &own.sid, &own.refresh).await;
    uses(walk).await;
    walk.server.kick(&own.sid).await.expect(200);
    walk.ask(call, 409, Ask::json(&path, &raised)).await;
}

/// A service's own tokens for one payment.
async fn uses(walk: &mut Walk) {
    let call = "POST /v1/tokens/redeem";
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "payer"),
        ("client_secret", SERVICE_SECRET),
    ];
    let token = walk.server.ask(Ask::form("/oauth2/token", &form)).await.expect(200);
    let ask = |token: &str| Ask::json("/v1/tokens/redeem", &json!({"token": token}));
    let token = token.text("access_token");
    walk.ask(call, 200, ask(&token)).await;
    walk.ask(call, 409, ask(&token)).await;
    walk.ask(call, 400, ask("x")).await;
}

async fn operations(walk: &mut Walk, sid: &str) {
    let (make, redeem) = ("POST /v1/operations", "POST /v1/operations/redeem");
    let digest = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    let meant = json!({"method": "POST", "path": "/a?b", "body_sha256": digest});
    let with = |name: &str, value: &str| {
        let mut body = meant.clone();
        body[name] = json!(value);
        body
    };
    let mut asked = with("session_id", sid);
    asked["expires_in"] = json!(10);
    let token = walk.ask(make, 200, Ask::json("/v1/operations", &asked)).await;
    let token = token.text("operation_token");
    asked["expires_in"] = json!(61);
    walk.ask(make, 400, Ask::json("/v1/operations", &asked)).await;
    let mut other = with("operation_token", &token);
    other["path"] = json!("/c");
    let ask = |body: Value| Ask::json("/v1/operations/redeem", &body);
    walk.ask(redeem, 409, ask(other)).await;
    walk.ask(redeem, 200, ask(with("operation_token", &token))).await;
    walk.ask(redeem, 409, ask(with("operation_token", &token))).await;
    walk.ask(redeem, 400, ask(with("operation_token", "x"))).await;
}

async fn tickets(walk: &mut Walk, sid: &str, refresh: &str) {
    let (make, redeem) = ("POST /v1/tickets", "POST /v1/tickets/redeem");
    let asked = json!({"session_id": sid, "audience": "billing", "expires_in": 5});
    let ticket = walk.ask(make, 200, Ask::json("/v1/tickets", &asked)).await.text("ticket");
    let ask = |audience: &str| {
        Ask::json("/v1/tickets/redeem", &json!({"ticket": ticket, "audience": audience}))
    };
    walk.ask(redeem, 409, ask("demo-api")).await;
    walk.ask(redeem, 200, ask("billing")).await;
    walk.ask(redeem, 409, ask("billing")).await;
    let access = for_the_authority(&walk.server, refresh).await;
    let own = Ask::json("/v1/me/tickets", &json!({})).key(&access).with("origin", ORIGIN);
    walk.ask_as_anybody("POST /v1/me/tickets", 200, own).await;
    walk.ask("POST /v1/me/tickets", 401, Ask::json("/v1/me/tickets", &json!({}))).await;
    let preflight = Ask::new("OPTIONS", "/v1/me/tickets").with("origin", ORIGIN);
    walk.ask_as_anybody("OPTIONS /v1/me/tickets", 204, preflight).await;
}
