//! The one way out of this process over HTTP: TLS with the public certificate authorities, connections that are kept
//! for a while, and no redirect that is followed.

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::Arc;
use symbolon_core::Duration;

/// How long a connection may take to come about. Inclusive.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// How long an unused connection is kept.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// What asks others over HTTP.
pub type Outbound = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Prepares TLS and a pool of connections.
///
/// # Errors
/// The library has no TLS to offer.
pub fn outbound() -> Result<Outbound, rustls::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_MAX));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(provider)?
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_MAX)
        .build(connector))
}
