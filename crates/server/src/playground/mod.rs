//! The playground: the page that `symbolon dev` opens, and the back end of the application that it plays.
//!
//! It is an application like any other: it has an origin of its own, knows the authority over HTTP alone, and keeps an
//! API key where no page sees it. `serve` has no way to start it. docs/decisions/0045 says who may make it act.

mod acts;
mod files;
mod guard;

use crate::app::Live;
use crate::cli::Failure;
use crate::cli::api::{Api, ApiArgs};
use crate::config::{Client, Config, Delivery};
use crate::demo_api::AUDIENCE;
use crate::http::edge::{Edge, edge};
use crate::http::{Door, Stop, serve};
use axum::Router;
use axum::extract::FromRef;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Redirect;
use axum::routing::{get, post};
use guard::{Gate, guarded, hosted};
use std::net::SocketAddr;
use std::sync::Arc;
use symbolon_core::{BindingMode, ClientId};
use symbolon_wire::{SecretHash, SecretText};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

/// Where the page is.
pub const PATH: &str = "/playground";

/// The person who is signed in there; no act of the page concerns anybody else.
pub const SUBJECT: &str = "playground";

/// What the playground is told. It holds an API key, so it has no `Debug`.
pub struct Settings {
    /// Where it is reached.
    pub origin: String,
    /// Where pages reach the authority.
    pub authority: String,
    /// Where pages reach the demo APIs.
    pub demo_apis: [String; 2],
    /// What only whoever was told the page's address knows.
    pub key: SecretText,
    /// For the authority, of scopes `sessions:start`, `sessions:end` and `subjects:write`.
    pub api_key: SecretText,
}

/// The playground, ready to be served.
#[derive(Clone)]
pub struct Playground(Arc<Inner>);

struct Inner {
    live: Live,
    authority: String,
    origin: String,
    demo_apis: [String; 2],
    gate: Gate,
    /// One act at a time: one person presses one button.
    api: Mutex<Api>,
}

/// The origin of a page that is served on an address.
pub fn origin(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// The client whose sessions the page at an origin shows: `playground`, else the first that its browser could be
/// signed in through. `None`: no client lists the origin, or none that lists it renews by itself for the demo API.
pub fn client<'c>(config: &'c Config, origin: &str) -> Option<&'c Client> {
    let usual = ClientId::parse("playground").ok().and_then(|id| config.clients.get(&id));
    let all = usual.into_iter().chain(config.clients.values());
    all.filter(|client| client.preset.has_refresh_tokens() && !client.is_confidential())
        .filter(|client| client.delivery == Delivery::Body)
        .filter(|client| client.policy.binding.key != BindingMode::Enforce)
        .filter(|client| client.audience.iter().any(|name| **name == *AUDIENCE))
        .find(|client| client.origins.iter().any(|own| **own == *origin))
}

impl Playground {
    /// Makes it.
    ///
    /// # Errors
    /// The authority cannot be asked with these settings.
    pub fn new(live: Live, settings: Settings) -> Result<Self, Failure> {
        let Settings { origin, authority, demo_apis, key, api_key } = settings;
        let url = authority.parse::<http::Uri>().map_err(|why| {
            Failure::could_not(format!("{authority:?} is no address")).because(why)
        })?;
        let api_key = Some(api_key.expose().to_owned());
        let api = Api::new(ApiArgs { url: Some(url), api_key, ca_file: None, data: None })?;
        let gate = Gate::new(&origin, SecretHash::of(key.expose()));
        let api = Mutex::new(api);
        Ok(Self(Arc::new(Inner { live, authority, origin, demo_apis, gate, api })))
    }

    /// Serves until told to stop.
    pub async fn serve(self, listener: TcpListener, stop: Stop) {
        serve(Door::Address(listener, None), self.router(), stop).await;
    }

    fn router(self) -> Router {
        let edge_of = Edge::from_ref(&self.0.live);
        let back_end = Router::new()
            .route("/setup", post(acts::setup))
            .route("/sign-in", post(acts::sign_in))
            .route("/kick", post(acts::kick))
            .route("/role", post(acts::role))
            .route("/displace", post(acts::displace))
            .layer(map_response(guard::never_kept))
            .layer(from_fn_with_state(self.clone(), guarded));
        Router::new()
            .route("/", get(Redirect::temporary(PATH)))
            .route(PATH, get(files::page))
            .route("/playground/tab", get(files::tab))
            .route("/playground/{file}", get(files::file))
            .nest("/playground/back-end", back_end)
            .layer(from_fn_with_state(self.clone(), hosted))
            .layer(from_fn_with_state(edge_of, edge))
            .with_state(self)
    }
}
