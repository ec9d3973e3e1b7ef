//! Bytes as no client library would send them.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Writes bytes and reads all that comes back until the server closes the connection; `None` if it
/// does not within `limit`.
pub(crate) async fn exchange(authority: &str, bytes: &[u8], limit: Duration) -> Option<String> {
    let heard = exchange_bytes(authority, bytes, limit).await?;
    Some(String::from_utf8_lossy(&heard).into_owned())
}

/// The same, as the bytes that came back.
pub(crate) async fn exchange_bytes(
    authority: &str,
    bytes: &[u8],
    limit: Duration,
) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(authority).await.unwrap();
    let talking = async {
        // The server may close before it has read everything; what it said is still to be read.
        let _ = stream.write_all(bytes).await;
        let mut heard = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut chunk).await {
            heard.extend_from_slice(&chunk[..read]);
        }
        heard
    };
    timeout(limit, talking).await.ok()
}
