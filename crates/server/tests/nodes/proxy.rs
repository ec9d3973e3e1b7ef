//! What stands between a node and its store: it can cut, delay and hold what passes.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::pass;

/// What becomes of what passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// It passes.
    Open,
    /// Connections end, and new ones too.
    Cut,
    /// Each answer is late by so much.
    Slow(Duration),
    /// Nothing passes, and nothing ends.
    Still,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    way: watch::Sender<Way>,
    running: AbortHandle,
}

impl Proxy {
    pub(crate) async fn to(store: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (way, now) = watch::channel(Way::Open);
        let running = tokio::spawn(async move {
            loop {
                let Ok((came, _)) = listener.accept().await else { continue };
                let now = now.clone();
                tokio::spawn(carry(came, store, now));
            }
        });
        Self { address, way, running: running.abort_handle() }
    }

    pub(crate) fn is(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn carry(came: TcpStream, store: SocketAddr, now: watch::Receiver<Way>) {
    if *now.borrow() == Way::Cut {
        return;
    }
    let Ok(there) = TcpStream::connect(store).await else { return };
    let _ = (came.set_nodelay(true), there.set_nodelay(true));
    let ((asks, hears), (answers, told)) = (came.into_split(), there.into_split());
    let mut cut = now.clone();
    tokio::select! {
        () = one_way(asks, told, now.clone(), false) => {}
        () = one_way(answers, hears, now, true) => {}
        _ = cut.wait_for(|way| *way == Way::Cut) => {}
    }
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut now: watch::Receiver<Way>,
    answers: bool,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        if now.wait_for(|way| *way != Way::Still).await.is_err() {
            return;
        }
        let way = *now.borrow();
        if let (Way::Slow(late), true) = (way, answers) {
            pass(late).await;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
