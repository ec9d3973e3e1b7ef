//! A load balancer of the smallest kind: each connection goes to the next node that takes it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    running: AbortHandle,
}

impl Balancer {
    /// Each connection that comes to `listener` goes on to one of these.
    pub(crate) fn on(listener: TcpListener, nodes: Vec<SocketAddr>) -> Self {
        let address = listener.local_addr().unwrap();
        let (nodes, next) = (Arc::new(nodes), Arc::new(AtomicUsize::new(0)));
        let running = tokio::spawn(async move {
            loop {
                let Ok((mut came, _)) = listener.accept().await else { continue };
                let (nodes, next) = (Arc::clone(&nodes), Arc::clone(&next));
                tokio::spawn(async move {
                    let first = next.fetch_add(1, Ordering::Relaxed);
                    for turn in 0..nodes.len() {
                        let node = nodes[(first + turn) % nodes.len()];
                        if let Ok(mut there) = TcpStream::connect(node).await {
                            let _ = (came.set_nodelay(true), there.set_nodelay(true));
                            let _ = copy_bidirectional(&mut came, &mut there).await;
                            return;
                        }
                    }
                });
            }
        });
        Self { address, running: running.abort_handle() }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.running.abort();
    }
}
