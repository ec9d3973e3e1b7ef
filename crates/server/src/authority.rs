//! Opening the authority and running it: what `serve` and `dev` share.

use crate::admin_socket::{self, AdminSocket};
use crate::app::{App, Live};
use crate::clock::{Clock, Hands, accepted};
use crate::config::{Config, StoreUrl};
use crate::feed;
use crate::http::{self, Door, Stop};
use crate::keys::{Keys, KeysUnavailable};
use crate::migration::is_unfinished;
use crate::nodes;
use crate::people;
use crate::task::{keys, schedules, sweep};
use crate::tls::{Certificate, TlsError};
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use symbolon_core::Fault;
use symbolon_store::{Refusal, Role, Store};
use symbolon_wire::MasterKey;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Why the authority did not start. Nothing was served.
#[derive(Debug)]
pub enum StartError {
    /// The store cannot be used.
    Store(Refusal),
    /// The store is a copy that `symbolon migrate` did not finish.
    Unfinished,
    /// The keys cannot be used.
    Keys(KeysUnavailable),
    /// The system has no randomness.
    Fault(Fault),
    /// An address cannot be listened on.
    Listen(SocketAddr, std::io::Error),
    /// The certificate cannot be used.
    Tls(TlsError),
    /// The process cannot be told to stop.
    Signals(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(refusal) => refusal.fmt(f),
            Self::Unfinished => f.write_str(
                "the store is a copy that is not whole: run `symbolon migrate` again, it goes on where it was",
            ),
            Self::Keys(unavailable) => unavailable.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
            Self::Listen(address, why) => write!(
                f,
                "cannot listen on {address}: {why}; stop what listens there, or choose another address"
            ),
            Self::Tls(error) => error.fmt(f),
            Self::Signals(why) => write!(f, "cannot watch for signals: {why}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<Refusal> for StartError {
    fn from(refusal: Refusal) -> Self {
        Self::Store(refusal)
    }
}

impl From<KeysUnavailable> for StartError {
    fn from(unavailable: KeysUnavailable) -> Self {
        Self::Keys(unavailable)
    }
}

impl From<Fault> for StartError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Listens on an address.
///
/// # Errors
/// Something else does, or the address is not ours.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|why| StartError::Listen(address, why))
}

/// What every file that is made from now on may be read by: its owner.
pub fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// Takes as many descriptors as the system lets this process have, and answers how many: each connection
/// needs one.
pub fn take_descriptors() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let now =
        if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    now.unwrap_or(u64::MAX)
}

/// Opens the store and the keys.
///
/// # Errors
/// The store or the keys cannot be used, and why.
pub async fn open(config: Config, master: MasterKey) -> Result<Live, StartError> {
    open_by(Hands::MACHINE, config, master).await
}

/// The same by other hands than this machine's clocks.
///
/// # Errors
/// As [`open`]'s.
pub async fn open_by(hands: Hands, config: Config, master: MasterKey) -> Result<Live, StartError> {
    let certificate = config.tls.as_ref().map(Certificate::read).transpose();
    let certificate = certificate.map_err(StartError::Tls)?;
    let store = open_store(&config.store, Role::Serve).await?;
    if is_unfinished(&store).await? {
        return Err(StartError::Unfinished);
    }
    let clock = Clock::by(hands, store.latest_instant(), accepted(&store).await?);
    let keys = Keys::open(Arc::new(master), &store, &config, clock.wall()).await?;
    let mut app = App::new(config, store, keys, clock)?;
    app.certificate = certificate;
    Ok(Live::new(app))
}

/// Opens a store. Only one process at a time can hold a file to serve from it, and as many as there are the others.
///
/// # Errors
/// It cannot be used, and why.
pub async fn open_store(store: &StoreUrl, role: Role) -> Result<Store, Refusal> {
    match store {
        StoreUrl::Sqlite(path) => Store::open_sqlite(path, role),
        StoreUrl::Redis(address) => Store::open_redis(address).await,
        StoreUrl::Postgres(address) => Store::open_postgres(address).await,
    }
}

/// Where the authority is asked.
pub struct Doors {
    /// By everybody.
    pub api: TcpListener,
    /// For what it counts.
    pub metrics: Option<TcpListener>,
    /// By operators on this machine.
    pub admin: Option<(UnixListener, AdminSocket)>,
}

/// Opens the admin socket; without one, the authority still answers everybody else.
pub fn open_admin_socket(directory: &Path) -> Option<(UnixListener, AdminSocket)> {
    let opened = admin_socket::open(directory);
    let told = |why: &std::io::Error| {
        let directory = directory.display();
        tracing::warn!(%directory, %why, "no admin socket: commands need --url and an API key");
    };
    opened.inspect_err(told).ok()
}

/// Answers until told to stop, then lets the requests under way finish.
pub async fn run(live: Live, doors: Doors, stop: Stop) {
    let sweeping = tokio::spawn(sweep::run(live.clone(), stop.clone()));
    let feeding = tokio::spawn(feed::run(live.clone(), stop.clone()));
    let own_feed = tokio::spawn(feed::run_own(live.clone(), stop.clone()));
    let telling = tokio::spawn(people::run(live.clone(), stop.clone()));
    let turning = tokio::spawn(keys::run(live.clone(), stop.clone()));
    let counted = tokio::spawn(nodes::run(live.clone(), stop.clone()));
    let expiring = tokio::spawn(schedules::run(live.clone(), stop.clone()));
    let counting = doors.metrics.map(|listener| {
        let router = http::metrics_router(live.clone());
        tokio::spawn(http::serve(Door::Address(listener, None), router, stop.clone()))
    });
    let (admin, _removed_at_the_end) = doors.admin.unzip();
    let managing = admin.map(|listener| {
        let router = http::router(live.clone());
        tokio::spawn(http::serve(Door::Socket(listener), router, stop.clone()))
    });
    let tls = live.now().certificate.as_ref().map(Certificate::acceptor);
    http::serve(Door::Address(doors.api, tls), http::router(live), stop).await;
    // All end with the same signal; whether they ended well changes nothing any more.
    let _ = sweeping.await;
    let _ = turning.await;
    let _ = expiring.await;
    let _ = counted.await;
    let _ = telling.await;
    let _ = feeding.await;
    let _ = own_feed.await;
    for other in [counting, managing].into_iter().flatten() {
        let _ = other.await;
    }
}

/// SIGHUP, which asks for the configuration to be read again. To be had before anything is opened: until then
/// it ends the process.
///
/// # Errors
/// The process cannot watch for signals.
pub fn hangups() -> Result<Signal, StartError> {
    signal(SignalKind::hangup()).map_err(StartError::Signals)
}

/// Becomes true on the first SIGTERM or SIGINT. A second one ends the process at once.
///
/// # Errors
/// The process cannot watch for signals.
pub fn stop_on_signals() -> Result<Stop, StartError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let (tell, stop) = watch::channel(false);
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if !first {
                std::process::exit(130);
            }
            tracing::info!("stopping: letting the requests under way finish");
            tell.send_replace(true);
        }
    });
    Ok(stop)
}
