//! An API whose routes are let in by access tokens: axum and one layer.
//!
//! It follows the feed: a session that ends is refused within milliseconds, and no request asks the authority.
//! `symbolon dev` prints an authority and an API key; the guide shows how a token is had. Then:
//!
//! ```sh
//! ISSUER=http://127.0.0.1:8620 API_KEY=sym_ak_… cargo run -p symbolon-verify --example axum
//! curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:9000/orders
//! ```

#![expect(clippy::disallowed_methods, reason = "the settings of an example are its environment")]

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use symbolon_verify::layer::{Admit, Admitted};
use symbolon_verify::{Policy, Verifier};

/// Whoever gets here was let in; what the token says is at hand.
async fn orders(admitted: Admitted) -> String {
    let claims = admitted.claims();
    format!("the orders of {}, through {}\n", claims.sub, claims.client_id)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let verifier = Verifier::builder(&std::env::var("ISSUER")?)
        .audience("demo-api")
        .feed(&std::env::var("API_KEY")?)
        .connect()
        .await?;
    // Whoever connects is who asks, as long as no proxy stands before this; a token may be bound to where that is.
    let admit = Admit::new(verifier, Policy::default().scope("orders:read"))
        .ip_from(|extensions, _| Some(extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip()));
    // Everything above a layer is guarded by it; what is added after it is open.
    let app = Router::new()
        .route("/orders", get(orders))
        .layer(admit)
        .route("/livez", get(async || "up\n"));
    let listen = std::env::var("LISTEN").unwrap_or("127.0.0.1:9000".into());
    let listener = tokio::net::TcpListener::bind(listen).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
