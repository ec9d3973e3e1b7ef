//! Gateways: the endpoint itself, Envoy's gRPC, and real proxies in front of an upstream that says what it
//! received.

mod check;
mod envoy;
mod forged;
mod paths;
mod proxied;
mod site;
mod upstream;

use crate::common::{Configuration, Server};
use serde_json::json;

/// Public ground at the end, so that a path that slips past the rules before it is served.
const RULES: &str = r#"
trusted_proxies = ["127.0.0.1"]
audience = "demo-api"
rules = [
    { name = "admin", prefix = "/admin", roles = ["admin"] },
    { name = "read", prefix = "/orders", methods = ["GET"], scopes = ["orders:read"] },
    { name = "write", prefix = "/orders", methods = ["POST"], scopes = ["orders:write"] },
    { name = "item", pattern = "/items/{id}/{*rest}" },
    { name = "items", prefix = "/items" },
    { name = "orders", prefix = "/orders", roles = ["nobody"] },
    { name = "bills", prefix = "/bills", audience = "billing" },
    { name = "me", prefix = "/me" },
    { name = "open", prefix = "/", public = true },
]
"#;

/// Clients whose tokens differ in audience and scope.
fn configuration() -> Configuration {
    let both = "audience = [\"demo-api\", \"billing\"]\nscope = \"orders:read\"";
    let own = "audience = [\"billing\"]\nscope = \"orders:read\"";
    Configuration::new().bare_client("web", both).bare_client("biller", own)
}

/// An authority with [`RULES`].
async fn authority() -> Server {
    Server::configured(&configuration().gateway(RULES)).await
}

/// A token of somebody with these roles.
async fn token(server: &Server, client: &str, subject: &str, roles: &[&str]) -> (String, String) {
    let body = json!({
        "subject": subject, "client_id": client, "device": {"class": "web"}, "roles": roles,
    });
    let answer = server.start_session(&body).await.expect(201);
    (answer.text("access_token"), answer.text("session_id"))
}
