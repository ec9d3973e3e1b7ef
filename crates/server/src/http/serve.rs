//! Accepting connections: bounded in number, in header size and in time; drained on shutdown.

use super::steady::Steady;
use crate::authority::take_descriptors;
use axum::Router;
use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Duration, interval, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

/// How many connections are served at once; further ones wait in the kernel's queue.
pub const CONNECTIONS_MAX: usize = 10_000;

/// How long a client may take to send the head of a request, idle time on an open connection included.
pub const HEADER_TIME_MAX: Duration = Duration::from_secs(10);

/// How long nothing is accepted after accepting failed.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The longest request head, in bytes.
pub const HEADER_BYTES_MAX: usize = 32 * 1024;

/// The most header lines in a request.
pub const HEADERS_MAX: usize = 64;

/// How many requests one HTTP/2 connection may have under way.
pub const STREAMS_MAX: u32 = 128;

/// How long a process that was told to stop still takes whoever comes, if anybody is connected: each answer says that it
/// is the last on its connection, so that whoever holds one open goes elsewhere before it is closed.
pub const LEAVING_MAX: Duration = Duration::from_millis(500);

/// How often it is looked whether anybody still is.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long requests under way may take to finish once the process was told to stop.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(20);

/// Who is at the other end of a connection.
#[derive(Clone, Copy)]
pub enum Peer {
    /// Somebody at this address.
    Address(IpAddr),
    /// Somebody on this machine who may open the admin socket, by their user id.
    Operator(u32),
}

impl Peer {
    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.to_canonical().is_loopback(),
            Self::Operator(_) => true,
        }
    }
}

/// Where connections come in.
pub enum Door {
    /// An address, over TLS if there is an acceptor.
    Address(TcpListener, Option<TlsAcceptor>),
    /// The admin socket.
    Socket(UnixListener),
}

/// A connection that came in.
enum Came {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection, who is at its other end, and its place among those that are served.
type Taken = (Came, Peer, OwnedSemaphorePermit);

/// Becomes true when the process should stop.
pub type Stop = watch::Receiver<bool>;

/// How many descriptors are left for everything but connections.
pub const DESCRIPTORS_KEPT: u64 = 64;

/// How many connections this process can serve with so many descriptors.
pub fn connections_max(descriptors: u64) -> usize {
    let left = descriptors.saturating_sub(DESCRIPTORS_KEPT).max(1);
    usize::try_from(left).unwrap_or(CONNECTIONS_MAX).min(CONNECTIONS_MAX)
}

/// What serves the connections of one door.
struct Hall {
    server: Arc<Builder<TokioExecutor>>,
    router: Router,
    draining: GracefulShutdown,
    slots: Arc<Semaphore>,
    most: usize,
    stop: Stop,
}

impl Hall {
    /// Serves a connection for as long as it stands.
    fn take(&self, (came, peer, slot): Taken, tls: Option<TlsAcceptor>) {
        let (server, router) = (Arc::clone(&self.server), self.router.clone());
        let connection = Connection { server, router, peer, stop: self.stop.clone() };
        let (stopping, watcher) = (self.stop.clone(), self.draining.watcher());
        tokio::spawn(async move {
            match (came, tls) {
                (Came::Unix(stream), _) => {
                    connection.run(Steady::new(stream, stopping), watcher).await;
                }
                (Came::Tcp(stream), None) => {
                    connection.run(Steady::new(stream, stopping), watcher).await;
                }
                (Came::Tcp(stream), Some(tls)) => {
                    let stream = Steady::new(stream, stopping);
                    if let Some(stream) = shake_hands(&tls, stream).await {
                        connection.run(stream, watcher).await;
                    }
                }
            }
            drop(slot);
        });
    }

    /// Waits until nobody is connected any more, [`LEAVING_MAX`] at most.
    async fn left(&self) {
        let mut look = interval(LOOK_EVERY);
        let gone = async {
            // One is kept for whoever comes next.
            while self.slots.available_permits() + 1 < self.most {
                look.tick().await;
            }
        };
        // Who stays longer is told to go when the connection is closed.
        let _ = timeout(LEAVING_MAX, gone).await;
    }

    /// Takes those who are connected and were not looked at, and closes the door in the same breath: nobody is to find
    /// it open and be sent away all the same.
    fn close(&self, door: Door) {
        let Door::Address(listener, tls) = door else { return };
        let Ok(listener) = listener.into_std() else { return };
        while let Ok((stream, peer)) = listener.accept() {
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else { return };
            let ready = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            let Ok(stream) = ready else { continue };
            self.take((Came::Tcp(stream), Peer::Address(peer.ip()), slot), tls.clone());
        }
    }
}

/// Serves until told to stop, then lets the requests under way finish.
pub async fn serve(door: Door, router: Router, mut stop: Stop) {
    let most = connections_max(take_descriptors());
    let hall = Hall {
        server: Arc::new(builder()),
        router,
        draining: GracefulShutdown::new(),
        slots: Arc::new(Semaphore::new(most)),
        most,
        stop: stop.clone(),
    };
    let tls = match &door {
        Door::Address(_, tls) => tls.clone(),
        Door::Socket(_) => None,
    };
    {
        let mut left = pin!(async {
            // Nobody can tell it to stop any more: then it is to stop.
            let _ = stop.wait_for(|stop| *stop).await;
            hall.left().await;
        });
        loop {
            let accepted = tokio::select! {
                accepted = accept(&door, &hall.slots) => accepted,
                () = &mut left => break,
            };
            if let Some(taken) = accepted {
                hall.take(taken, tls.clone());
            }
        }
    }
    // Whoever comes now is refused at once, and a load balancer sends them elsewhere.
    hall.close(door);
    // Who came last has yet to say what they want.
    hall.left().await;
    if timeout(DRAIN_TIME_MAX, hall.draining.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the time to drain was over");
    }
}

/// `None`: whoever connected does not speak TLS, or took too long.
async fn shake_hands<S>(tls: &TlsAcceptor, stream: S) -> Option<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match timeout(HEADER_TIME_MAX, tls.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}

/// A connection that was accepted, and what answers on it.
struct Connection {
    server: Arc<Builder<TokioExecutor>>,
    router: Router,
    peer: Peer,
    stop: Stop,
}

impl Connection {
    async fn run<S>(self, stream: S, draining: Watcher)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let spoken = Arc::new(Notify::new());
        let (router, peer, stop, told) = (self.router, self.peer, self.stop, Arc::clone(&spoken));
        let answer = move |request: Request<Incoming>| {
            told.notify_one();
            let is_http_1 = request.version() < Version::HTTP_2;
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            let (answered, stop) = (router.clone().oneshot(request), stop.clone());
            async move {
                let mut answer = answered.await?;
                if is_http_1 && *stop.borrow() && answer.status() != StatusCode::SWITCHING_PROTOCOLS
                {
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(answer)
            }
        };
        let stream = TokioIo::new(stream);
        let connection = self.server.serve_connection_with_upgrades(stream, service_fn(answer));
        see_through(draining.watch(connection.into_owned()), &spoken).await;
    }
}

/// Stays with a connection until it ends, or until its first request is overdue: hyper's own clock starts
/// only once it knows which HTTP is spoken, and a client that never says would keep its slot for good.
async fn see_through(connection: impl Future, spoken: &Notify) {
    let mut connection = pin!(connection);
    tokio::select! {
        // A connection that ends badly has ended all the same; its request was answered or logged.
        _ = &mut connection => return,
        first = timeout(HEADER_TIME_MAX, spoken.notified()) => match first {
            Ok(()) => {}
            Err(_) => return,
        },
    }
    let _ = connection.await;
}

async fn accept(door: &Door, slots: &Arc<Semaphore>) -> Option<Taken> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match come(door).await {
        Ok((came, peer)) => Some((came, peer, slot)),
        Err(error) => {
            tracing::warn!(%error, "could not accept a connection; pausing");
            pause().await;
            None
        }
    }
}

async fn come(door: &Door) -> std::io::Result<(Came, Peer)> {
    match door {
        Door::Address(listener, _) => {
            let (stream, peer) = listener.accept().await?;
            // Without it small answers wait for the other side's acknowledgement.
            let _ = stream.set_nodelay(true);
            Ok((Came::Tcp(stream), Peer::Address(peer.ip())))
        }
        Door::Socket(listener) => {
            let (stream, _) = listener.accept().await?;
            let uid = stream.peer_cred()?.uid();
            Ok((Came::Unix(stream), Peer::Operator(uid)))
        }
    }
}

/// Out of descriptors, `accept` fails at once and again: neither the core nor the log is to be filled.
#[expect(clippy::disallowed_methods, reason = "there is nothing to wait for but time")]
async fn pause() {
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEADER_TIME_MAX)
        .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX);
    builder
}
