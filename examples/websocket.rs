//! A WebSocket that lives as long as the session of whoever opened it, and not a moment longer: axum, one layer
//! and [`Verified::ended`](symbolon_verify::Verified::ended).
//!
//! Renewals do not close it: the watch goes by session, not by token.
//!
//! ```sh
//! ISSUER=http://127.0.0.1:8620 API_KEY=sym_ak_… cargo run -p symbolon-verify --example websocket
//! websocat -H "Authorization: Bearer $TOKEN" ws://127.0.0.1:9000/live
//! ```

#![expect(clippy::disallowed_methods, reason = "the settings of an example are its environment")]

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use std::error::Error;
use std::io::Write;
use symbolon_verify::layer::{Admit, Admitted};
use symbolon_verify::{Policy, Verifier};

/// Closed because the session is over: 401 in the range that is for applications.
const UNAUTHORIZED: u16 = 4401;

/// The handshake is let in like any request.
async fn open(admitted: Admitted, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| keep(socket, admitted))
}

async fn keep(mut socket: WebSocket, admitted: Admitted) {
    // Watch first, so that no end falls between the handshake and the watch.
    let ended = admitted.ended();
    let hello = format!("hello {}", admitted.claims().sub);
    if socket.send(Message::Text(hello.into())).await.is_err() {
        return;
    }
    let reason = tokio::select! {
        // `None`: nobody would hear of the end any more, so the client is to come back and be checked.
        ended = ended => ended.map_or("unwatched", |reason| reason.as_str()),
        () = echo(&mut socket) => return,
    };
    let close = CloseFrame { code: UNAUTHORIZED, reason: reason.into() };
    // A peer that has left need not be told.
    let _ = socket.send(Message::Close(Some(close))).await;
}

/// What the socket is for; ends when the peer leaves.
async fn echo(socket: &mut WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let sent = match message {
            Message::Text(text) => socket.send(Message::Text(text)).await,
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Close(_) => Ok(()),
        };
        if sent.is_err() {
            return;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let verifier = Verifier::builder(&std::env::var("ISSUER")?)
        .audience("demo-api")
        .feed(&std::env::var("API_KEY")?)
        .connect()
        .await?;
    let app = Router::new()
        .route("/live", get(open))
        .layer(Admit::new(verifier, Policy::default().scope("orders:read")));
    let listen = std::env::var("LISTEN").unwrap_or("127.0.0.1:9000".into());
    let listener = tokio::net::TcpListener::bind(listen).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    axum::serve(listener, app).await?;
    Ok(())
}
