//! Stub.
/// stub
pub async fn serve(_: tokio::net::TcpListener, _: String, _: String, mut stop: crate::http::Stop) {
    let _ = stop.wait_for(|stop| *stop).await;
}
