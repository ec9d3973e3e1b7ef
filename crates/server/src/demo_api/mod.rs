//! The demo API: what a customer's resource server looks like, for `symbolon dev` to show.
//!
//! It knows the authority only over HTTP, as any other would, and could run in a process of its own. Its
//! verifier follows the feed, so that a kick is seen at once and no request asks the authority.

mod answer;
mod cors;
mod guard;
mod live;

pub use live::CHECK_EVERY;

use crate::config::Config;
use crate::http::{self, Door, Stop};
use answer::{Names, Problem};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router, middleware};
use guard::{Admitted, Guard};
use serde_json::{Value, json};
use std::sync::Arc;
use symbolon_verify::{Algorithm, Builder, Policy, SetupError, Type, Verified, Verifier};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// The audience that it is.
pub const AUDIENCE: &str = "demo-api";

/// How many WebSockets may be open. Inclusive; one more is answered 503.
pub const SOCKETS_MAX: usize = 64;

/// What the demo API is told. It holds an API key, so it has no `Debug`.
pub struct Settings {
    /// Whose tokens it takes.
    pub issuer: String,
    /// An API key of scope `revocations:read`, to hear which sessions end, and to ask where the feed cannot be had.
    pub introspection_api_key: String,
    /// What tokens for the audience are signed with.
    pub algorithms: Vec<Algorithm>,
    /// What tokens for the audience declare themselves to be.
    pub typ: Type,
    /// The origins whose pages may call; exact, and none by default.
    pub origins: Vec<String>,
}

impl Settings {
    /// What follows from the authority's own configuration, for `dev`, which runs both.
    pub fn of(config: &Config, introspection_api_key: &str) -> Self {
        let audience = config.audiences.iter().find(|audience| *audience.name == *AUDIENCE);
        let origins = config.clients.values().flat_map(|client| client.origins.iter());
        Self {
            issuer: config.issuer.to_string(),
            introspection_api_key: introspection_api_key.to_owned(),
            algorithms: audience
                .map(|audience| audience.algorithms().collect())
                .unwrap_or_default(),
            typ: audience.map_or(Type::AccessTokenJwt, |audience| audience.typ),
            origins: origins.map(ToString::to_string).collect(),
        }
    }
}

/// The demo API, ready to be served.
#[derive(Clone)]
pub struct DemoApi {
    verifier: Verifier,
    origins: Arc<[String]>,
    sockets: Arc<Semaphore>,
    names: Arc<Names>,
}

impl DemoApi {
    /// Makes it; the authority need not answer yet. Needs a tokio runtime.
    ///
    /// # Errors
    /// A verifier cannot be made of these settings.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let builder = Verifier::builder(&settings.issuer).audience(AUDIENCE);
        let verifier = settings
            .algorithms
            .into_iter()
            .fold(builder, Builder::algorithm)
            .typ(settings.typ)
            .feed(&settings.introspection_api_key)
            // For sessions whose token never changes: nobody else tells of their use.
            .report_activity(true)
            .connect_lazily()?;
        let sockets = Arc::new(Semaphore::new(SOCKETS_MAX));
        let mut process = [0; 4];
        // Without randomness the names of two runs look alike, which harms nobody.
        let _ = SystemRandom::new().fill(&mut process);
        let names = Names::new(process);
        Ok(Self { verifier, origins: settings.origins.into(), sockets, names })
    }

    /// Serves until told to stop; open WebSockets are closed then.
    pub async fn serve(self, listener: TcpListener, stop: Stop) {
        let base = listener.local_addr().map(|address| format!("http://{address}"));
        let router = self.router(base.unwrap_or_default().into(), stop.clone());
        http::serve(Door::Address(listener, None), router, stop).await;
    }

    fn router(self, base: Arc<str>, stop: Stop) -> Router {
        let guard = |policy| Guard::new(self.verifier.clone(), policy, Arc::clone(&base));
        let guarded = |policy| middleware::from_fn_with_state(guard(policy), guard::admit);
        let or_ticket = guard(Policy::default()).or_ticket();
        let or_ticket = middleware::from_fn_with_state(or_ticket, guard::admit);
        let live = live::Live::new(guard(Policy::default()), self.sockets.clone(), stop);
        Router::new()
            .route("/me", get(me).layer(guarded(Policy::default())))
            .route("/orders", get(orders).layer(guarded(Policy::default().scope("orders:read"))))
            .route("/live", get(live::open).with_state(live).layer(or_ticket))
            .route("/", get(index))
            .fallback(nothing_here)
            .method_not_allowed_fallback(wrong_method)
            .layer(middleware::from_fn_with_state(self.origins, cors::answer))
            .layer(middleware::map_response(answer::never_kept))
            .layer(middleware::from_fn_with_state(self.names, answer::named))
    }
}

/// `GET /`: what is here.
async fn index() -> Json<Value> {
    Json(json!({
        "name": "Symbolon demo API",
        "audience": AUDIENCE,
        "calls": {
            "GET /me": "the claims of your access token",
            "GET /orders": "needs the scope orders:read",
            "GET /live": "a WebSocket that closes with 4401 when your session is over; takes a ticket too",
        },
    }))
}

/// `GET /me`: what the token says.
async fn me(Extension(admitted): Extension<Admitted>) -> Json<Value> {
    Json(claims(&admitted.verified))
}

/// `GET /orders`: something to protect.
async fn orders(Extension(admitted): Extension<Admitted>) -> Json<Value> {
    Json(json!({
        "subject": admitted.verified.claims().sub,
        "items": [
            { "id": "1001", "item": "tiger tally, bronze", "quantity": 2 },
            { "id": "1002", "item": "sealing wax", "quantity": 1 },
        ],
    }))
}

fn claims(verified: &Verified) -> Value {
    let claims = verified.claims();
    json!({
        "iss": claims.iss,
        "sub": claims.sub,
        "aud": claims.aud().collect::<Vec<_>>(),
        "client_id": claims.client_id,
        "sid": claims.session_id(),
        "scope": claims.scope,
        "roles": claims.roles().collect::<Vec<_>>(),
        "iat": claims.iat.as_seconds(),
        "exp": claims.exp.as_seconds(),
        "jti": claims.jti,
        "auth_time": claims.auth_time.map(|at| at.as_seconds()),
        "acr": claims.acr,
        "amr": claims.amr().collect::<Vec<_>>(),
    })
}

async fn nothing_here() -> Response {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "There is nothing at this path.")
        .into_response()
}

async fn wrong_method() -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Problem::new(status, "method-not-allowed", "See the `Allow` header.").into_response()
}
