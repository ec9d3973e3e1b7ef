//! A verifier and a real authority, with something between them that fails: it notices within its bound, does as its
//! policies say, and goes on by itself once the trouble is over.

use crate::common::{Configuration, Server, pass, until};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use symbolon_verify::{Now, Policy, Presented, Rejected, Verifier};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The largest staleness at which the verifier of these tests trusts its mirror.
const BOUND: Duration = Duration::from_secs(2);

/// What the way does with bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// It carries them.
    Open,
    /// It takes them and carries none: connections stand, half open or behind a proxy that hangs.
    Swallows,
    /// It breaks connections, and takes none.
    Broken,
}

/// A way that fails when it is told to.
struct Proxy {
    address: SocketAddr,
    way: watch::Sender<Way>,
    target: Arc<Mutex<String>>,
    _accepting: JoinSet<()>,
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (way, target) = (watch::Sender::new(Way::Open), Arc::new(Mutex::new(String::new())));
        let (ways, to) = (way.clone(), Arc::clone(&target));
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let to = to.lock().unwrap().clone();
                if *ways.borrow() != Way::Broken {
                    connections.spawn(carry(near, to, ways.subscribe()));
                }
            }
        });
        Self { address, way, target, _accepting: accepting }
    }

    fn turns(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn carry(near: TcpStream, to: String, way: watch::Receiver<Way>) {
    let Ok(far) = TcpStream::connect(to).await else { return };
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::select! {
        () = one_way(near_in, far_out, way.clone()) => {}
        () = one_way(far_in, near_out, way) => {}
    }
}

async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<Way>) {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut bytes) => read,
            _ = way.wait_for(|way| *way == Way::Broken) => return,
        };
        let carries = *way.borrow() == Way::Open;
        match read {
            Ok(0) | Err(_) => return,
            Ok(_) if !carries => {}
            Ok(count) if to.write_all(&bytes[..count]).await.is_ok() => {}
            Ok(_) => return,
        }
    }
}

/// An authority behind such a way, a verifier before it, and two people.
struct Stage {
    server: Server,
    proxy: Proxy,
    verifier: Verifier,
    /// She is signed out while the way fails.
    alice: (String, String),
    /// He stays.
    bob: String,
}

impl Stage {
    async fn set() -> Self {
        let proxy = Proxy::start().await;
        let issuer = format!("http://{}", proxy.address);
        let configuration =
            Configuration::new().issuer(&issuer).client("web", "preset = \"dual-token\"");
        let server = Server::configured(&configuration).await;
        *proxy.target.lock().unwrap() = server.authority.clone();
        let builder = Verifier::builder(&issuer).audience("demo-api").feed(server.api_key());
        let verifier = builder.max_staleness(BOUND).connect().await.unwrap();
        let (alice, bob) = (server.sign_in("alice").await, server.sign_in("bob").await);
        let stage =
            Self { server, proxy, verifier, alice: (alice.sid, alice.access), bob: bob.access };
        assert_eq!(stage.judged(&stage.alice.1, &Policy::strict(BOUND)), Ok(()));
        stage
    }

    fn judged(&self, token: &str, policy: &Policy) -> Result<(), Rejected> {
        self.verifier.check(&Presented::bearer(token), policy, Now::read(), |_| ())
    }

    /// The way has failed since `since`, and alice was signed out after that, unseen: nobody says yes for longer than
    /// the bound.
    async fn notices(&self, since: Duration) {
        let (strict, bounded) = (Policy::strict(BOUND), Policy::bounded(BOUND));
        let noticed = || async {
            let reading = Now::read().monotonic;
            let let_in = [&self.alice.1, &self.bob]
                .map(|token| [&strict, &bounded].map(|policy| self.judged(token, policy)));
            let yes = let_in.iter().flatten().any(Result::is_ok);
            assert!(!yes || reading <= since + BOUND, "let in {:?} after", reading - since);
            (!yes).then_some(let_in)
        };
        let [_, bob] = until("the verifier trusts its mirror no more", noticed).await;
        assert!(matches!(bob[0], Err(Rejected::Unverifiable(_))), "{bob:?}");
        assert_eq!(bob[1], Err(Rejected::Ask));
        assert_eq!(self.judged(&self.bob, &Policy::offline()), Ok(()), "as it was asked for");
    }

    /// Without anybody's help it says yes again, and no to her.
    async fn heals(&self) {
        let strict = Policy::strict(BOUND);
        let healed = || async { self.judged(&self.bob, &strict).is_ok().then_some(()) };
        until("the verifier trusts its mirror again", healed).await;
        let alice = self.judged(&self.alice.1, &strict);
        assert!(matches!(alice, Err(Rejected::Revoked { .. })), "{alice:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_that_swallows_bytes_is_noticed_within_the_bound_and_heals_alone() {
    let stage = Stage::set().await;
    let since = Now::read().monotonic;
    stage.proxy.turns(Way::Swallows);
    stage.server.kick(&stage.alice.0).await.expect(200);
    stage.notices(since).await;
    stage.proxy.turns(Way::Open);
    stage.heals().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_is_noticed_within_the_bound_and_heals_alone() {
    let stage = Stage::set().await;
    let since = Now::read().monotonic;
    stage.proxy.turns(Way::Broken);
    stage.server.kick(&stage.alice.0).await.expect(200);
    stage.notices(since).await;
    stage.proxy.turns(Way::Open);
    stage.heals().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_that_hangs_is_noticed_within_the_bound_and_heals_alone() {
    let stage = Stage::set().await;
    let since = Now::read().monotonic;
    stage.server.freeze(true);
    stage.notices(since).await;
    stage.server.freeze(false);
    stage.server.kick(&stage.alice.0).await.expect(200);
    let token = &stage.alice.1;
    let known = || async { stage.judged(token, &Policy::offline()).is_err().then_some(()) };
    until("the verifier hears of it", known).await;
    stage.heals().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_trouble_shuts_nobody_out_and_hides_nothing() {
    let stage = Stage::set().await;
    stage.proxy.turns(Way::Broken);
    stage.server.kick(&stage.alice.0).await.expect(200);
    pass(Duration::from_millis(100)).await;
    stage.proxy.turns(Way::Open);
    let known = || async {
        let alice = stage.judged(&stage.alice.1, &Policy::offline());
        alice.is_err().then_some(())
    };
    until("what was missed is fetched", known).await;
    stage.heals().await;
}
