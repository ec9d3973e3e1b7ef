//! Gateways: the endpoint itself, Envoy's gRPC, and real proxies in front of an upstream that says what it
//! received.

mod bound_proxied;
mod check;
mod cookie;
mod cookie_proxied;
mod csrf;
mod envoy;
mod forged;
mod paths;
mod proxied;
mod renewal;
mod renewal_proxied;
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

/// The origin whose pages may act with a cookie of client `site`.
const PAGE: &str = "https://app.example.com";

/// Clients whose tokens differ in audience and scope, and one whose sessions live in a cookie.
fn configuration() -> Configuration {
    let both = "audience = [\"demo-api\", \"billing\"]\nscope = \"orders:read\"";
    let own = "audience = [\"billing\"]\nscope = \"orders:read\"";
    let site = format!("preset = \"gateway-session\"\norigins = [\"{PAGE}\"]\n{both}");
    let clients = Configuration::new().bare_client("web", both).bare_client("biller", own);
    clients.bare_client("site", &site)
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
