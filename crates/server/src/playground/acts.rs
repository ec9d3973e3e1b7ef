//! What the page cannot do itself, since it takes an operator's key: `POST /playground/back-end/…`. Every act
//! concerns the playground's own person and client, whatever the page says.

use super::{Playground, SUBJECT, client};
use crate::cli::Failure;
use crate::cli::explain::of_each_preset;
use crate::config::Client;
use crate::http::body::{Object, json_bytes, parse_json};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

type Answer = Result<Json<Value>, Problem>;

/// A role that the person may be given.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Reader,
    Manager,
}

/// The body of `role`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    role: Role,
}

/// The body of all others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Where everything is, and what the client's settings cost.
pub(super) async fn setup(State(own): State<Playground>, request: Request) -> Answer {
    read::<Nothing>(request).await?;
    let app = own.0.live.now();
    let config = &app.config;
    let client = client(config, &own.0.origin).ok_or_else(no_client)?;
    Ok(Json(json!({
        "authority": own.0.authority,
        "issuer": &*config.issuer,
        "demo_apis": own.0.demo_apis,
        "client_id": client.id.as_str(),
        "grace_ms": u64::try_from(client.policy.grace.as_millis()).unwrap_or(u64::MAX),
        "presets": of_each_preset(config, client),
    })))
}

/// Signs the person in, as if they had shown their password.
pub(super) async fn sign_in(State(own): State<Playground>, request: Request) -> Answer {
    read::<Nothing>(request).await?;
    let roles = Some(json!([Role::Reader]));
    own.start("This browser", roles).await
}

/// Signs the person in on another browser, whose tokens nobody needs.
pub(super) async fn displace(State(own): State<Playground>, request: Request) -> Answer {
    read::<Nothing>(request).await?;
    let Json(started) = own.start("Another browser", None).await?;
    Ok(Json(json!({ "displaced": started["displaced"] })))
}

/// Ends the person's sessions, as an operator does, and waits until all verifiers have heard.
pub(super) async fn kick(State(own): State<Playground>, request: Request) -> Answer {
    read::<Nothing>(request).await?;
    let path = format!("/v1/subjects/{SUBJECT}/sessions?reason=kicked&wait=2s");
    own.ask(Method::DELETE, &path, None).await
}

/// Gives the person another role.
pub(super) async fn role(State(own): State<Playground>, request: Request) -> Answer {
    let Wanted { role } = read(request).await?;
    let path = format!("/v1/subjects/{SUBJECT}");
    own.ask(Method::PUT, &path, Some(json!({ "roles": [role] }))).await
}

impl Playground {
    async fn start(&self, device: &str, roles: Option<Value>) -> Answer {
        let app = self.0.live.now();
        let Client { id, .. } = client(&app.config, &self.0.origin).ok_or_else(no_client)?;
        let device = json!({ "class": "web", "name": device });
        let mut body = json!({ "subject": SUBJECT, "client_id": id.as_str(), "device": device });
        if let Some(roles) = roles {
            body["roles"] = roles;
        }
        self.ask(Method::POST, "/v1/sessions", Some(body)).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let answer = self.0.api.lock().await.call(method, path, body.as_ref()).await;
        let refused = |why: Failure| {
            let title = "The authority refused";
            Problem::new(StatusCode::BAD_GATEWAY, "authority-refused", title, why.to_string())
        };
        answer.map(Json).map_err(refused)
    }
}

async fn read<T: for<'t> Deserialize<'t>>(request: Request) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    let Object(read) = parse_json(&json_bytes(&parts.headers, body).await?)?;
    Ok(read)
}

fn no_client() -> Problem {
    let detail = "No client of the configuration lists the origin of this page any more.";
    Problem::new(StatusCode::CONFLICT, "no-client", "No client", detail)
}
