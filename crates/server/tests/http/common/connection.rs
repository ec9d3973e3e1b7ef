//! One connection, held open: for callers that must all be connected before any of them asks.

use super::{Answer, Ask, SOON};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A connection of HTTP/1.1.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
}

impl Connection {
    /// Connects, and waits until the connection can be used.
    pub(crate) async fn open(authority: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let made = handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = made.map_err(std::io::Error::other)?;
        // It ends when the sender is dropped or the server is gone; the sender hears of both.
        tokio::spawn(connection);
        sender.ready().await.map_err(std::io::Error::other)?;
        Ok(Self { sender, authority: authority.to_owned() })
    }

    /// Asks; an error means that no whole answer came back, whatever became of the request.
    pub(crate) async fn ask(&mut self, ask: Ask) -> hyper::Result<Answer> {
        let asking = async {
            self.sender.ready().await?;
            let response = self.sender.send_request(ask.request(&self.authority)).await?;
            Answer::read(response).await
        };
        timeout(SOON, asking).await.expect("an answer, or the end of the connection, comes soon")
    }
}

/// Sends all of these at one instant, each on a connection of its own that is already open.
pub(crate) async fn at_once(authority: &str, asks: Vec<Ask>) -> Vec<Answer> {
    let barrier = Arc::new(Barrier::new(asks.len()));
    let mut callers = JoinSet::new();
    for (at, ask) in asks.into_iter().enumerate() {
        let mut connection = Connection::open(authority).await.unwrap();
        let barrier = Arc::clone(&barrier);
        callers.spawn(async move {
            barrier.wait().await;
            (at, connection.ask(ask).await.unwrap())
        });
    }
    let mut answers = callers.join_all().await;
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
