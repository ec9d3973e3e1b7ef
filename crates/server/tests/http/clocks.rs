//! Wall clocks that lie, and those that come to the ends of 32 bits: the real authority over real HTTP, by
//! hands of its own.

use crate::common::{Answer, Ask, Claims, Connection, Tokens, pass, until};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use symbolon::api_keys::{self, ApiScope, NewApiKey};
use symbolon::app::Live;
use symbolon::authority::{Doors, StartError, listen, open_by, run};
use symbolon::clock::Hands;
use symbolon::config::Config;
use symbolon_core::Timestamp;
use symbolon_store::{Refusal, Store};
use symbolon_wire::MasterKey;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const HOUR: i64 = 3_600;
const YEAR: i64 = 365 * 24 * HOUR;

/// How far the hands of each test are from the machine's, in seconds: what the wall clock alone is off by,
/// and what both have moved.
static OFF: [AtomicI64; 11] = [const { AtomicI64::new(0) }; 11];
static MOVED: [AtomicI64; 11] = [const { AtomicI64::new(0) }; 11];

fn wall<const TEST: usize>() -> Timestamp {
    let off = OFF[TEST].load(Ordering::SeqCst) + MOVED[TEST].load(Ordering::SeqCst);
    let now = (Hands::MACHINE.wall)().as_millis();
    Timestamp::from_millis(now.saturating_add_signed(off * 1000))
}

fn boot<const TEST: usize>() -> Duration {
    let moved = u64::try_from(MOVED[TEST].load(Ordering::SeqCst)).unwrap();
    (Hands::MACHINE.boot)() + Duration::from_secs(moved)
}

/// An authority in this process.
pub(crate) struct Clocked<const TEST: usize> {
    authority: String,
    pub(crate) key: String,
    pub(crate) store: Store,
    tell: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl<const TEST: usize> Clocked<TEST> {
    async fn start(folder: &Path) -> Self {
        Self::start_with(folder, "").await
    }

    /// The same with further lines in the configuration.
    pub(crate) async fn start_with(folder: &Path, more: &str) -> Self {
        let store = folder.join("symbolon.db");
        let text = format!(
            "issuer = \"http://127.0.0.1:8620\"\nstore = \"sqlite:{}\"\n[[audiences]]\nname = \"api\"\n\
             [[clients]]\nclient_id = \"web\"\naudience = [\"api\"]\nrefresh = {{ grace = \"60s\" }}\n\
             [[clients]]\nclient_id = \"app\"\naudience = [\"api\"]\ndelivery = \"headers\"\n\
             [gateway]\nrules = [{{ name = \"all\", prefix = \"/\", renews = true }}]\n{more}\n",
            store.display()
        );
        let live = until("who stopped has let go of the store", || Self::open(&text)).await;
        let app = live.now();
        let new =
            NewApiKey { name: "test".to_owned(), scopes: ApiScope::ALL.to_vec(), clients: None };
        let (random, at) = (app.random().unwrap(), app.clock.wall());
        let made =
            api_keys::create(&app.store, &app.keys.api_keys, new, &random, at).await.unwrap();
        let key = made.0.expose().to_owned();
        let store = app.store.clone();
        let api = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let authority = api.local_addr().unwrap().to_string();
        let (tell, stop) = watch::channel(false);
        let doors = Doors { api, metrics: None, admin: None };
        let running = tokio::spawn(run(live, doors, stop));
        Self { authority, key, store, tell, running }
    }

    /// Opens it; nothing while another has the store.
    async fn open(text: &str) -> Option<Live> {
        let Ok(config) = Config::from_text("a test", text) else { panic!("refused: {text}") };
        let master = "8b5f0d2e7a91c4463fd0b2a6917e53c81d64af90e273bc585902cd7f16ea3b4d";
        let Ok(master) = MasterKey::parse(master) else { panic!("no master key") };
        let hands = Hands { wall: wall::<TEST>, boot: boot::<TEST> };
        match open_by(hands, config, master).await {
            Ok(live) => Some(live),
            Err(StartError::Store(Refusal::InUse { .. })) => None,
            Err(why) => panic!("{why:?}"),
        }
    }

    pub(crate) async fn stop(self) {
        drop(self.store);
        self.tell.send_replace(true);
        self.running.await.unwrap();
    }

    pub(crate) async fn ask(&self, ask: Ask) -> Answer {
        Connection::open(&self.authority).await.unwrap().ask(ask).await.unwrap()
    }

    async fn sign_in(&self) -> Answer {
        self.sign_in_as("alice").await
    }

    pub(crate) async fn sign_in_as(&self, subject: &str) -> Answer {
        self.sign_in_through("web", subject).await
    }

    async fn sign_in_through(&self, client: &str, subject: &str) -> Answer {
        let body = json!({"subject": subject, "client_id": client, "device": {"class": "web"}});
        self.ask(Ask::json("/v1/sessions", &body).key(&self.key)).await
    }

    async fn refresh(&self, tokens: &Tokens) -> Answer {
        self.ask(Ask::refresh("web", &tokens.refresh)).await
    }

    pub(crate) async fn session(&self, tokens: &Tokens) -> Answer {
        self.ask(Ask::get(&format!("/v1/sessions/{}", tokens.sid)).key(&self.key)).await
    }

    /// Tells that these are used now: how many uses count.
    async fn used(&self, sids: &[&str]) -> Value {
        let at = wall::<TEST>().as_seconds();
        let uses: Vec<_> = sids.iter().map(|sid| json!({"session_id": sid, "at": at})).collect();
        let ask = Ask::json("/v1/activity", &json!({"uses": uses})).key(&self.key);
        self.ask(ask).await.expect(200).member("accepted")
    }

    pub(crate) async fn is_active(&self, tokens: &Tokens) -> bool {
        self.session(tokens).await.expect(200).member("state") == "active"
    }

    /// The claims of a token, by the keys that are published now.
    async fn claims(&self, tokens: &Tokens) -> Claims {
        let jwks = self.ask(Ask::get("/.well-known/jwks.json")).await.expect(200);
        Claims::of(&tokens.access, std::str::from_utf8(&jwks.body).unwrap())
    }

    pub(crate) fn wait(seconds: i64) {
        MOVED[TEST].fetch_add(seconds, Ordering::SeqCst);
    }

    fn lie(seconds: i64) {
        OFF[TEST].store(seconds, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_second_either_way_harms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = Clocked::<0>::start(folder.path()).await;
    let mut newest = Tokens::of(&server.sign_in().await.expect(201));
    for seconds in [1, -1, 59, -59, 0] {
        Clocked::<0>::lie(seconds);
        newest = Tokens::of(&server.refresh(&newest).await.expect(200));
        server.ask(Ask::get("/readyz")).await.expect(200);
    }
    assert!(server.is_active(&newest).await);
    server.stop().await;
}

/// Neither the sweep nor the plan of the keys acts on the lie either; both look each second.
#[tokio::test]
async fn beyond_a_minute_nothing_is_decided_and_nobody_is_signed_out() {
    let folder = tempfile::tempdir().unwrap();
    let server = Clocked::<1>::start(folder.path()).await;
    let mut newest = Tokens::of(&server.sign_in().await.expect(201));
    for seconds in [62, -62, HOUR, -HOUR, YEAR, -YEAR] {
        Clocked::<1>::lie(seconds);
        server.refresh(&newest).await.expect(503);
        server.sign_in().await.expect_problem(503, "clock");
        server.ask(Ask::get("/readyz")).await.expect_problem(503, "clock");
        server.ask(Ask::get("/livez")).await.expect(200);
        pass(Duration::from_millis(1500)).await;
        Clocked::<1>::lie(0);
        assert!(server.is_active(&newest).await, "off by {seconds} s");
        assert_eq!(server.claims(&newest).await["sid"], *newest.sid, "off by {seconds} s");
        newest = Tokens::of(&server.refresh(&newest).await.expect(200));
        server.ask(Ask::get("/readyz")).await.expect(200);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_clock_that_was_accepted_is_believed_until_it_leaves_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Clocked::<2>::start(folder.path()).await;
    let first = Tokens::of(&server.sign_in().await.expect(201));
    let accept = || Ask::json("/v1/clock", &json!({"accept": true})).key(&server.key);
    for seconds in [HOUR, 0] {
        Clocked::<2>::lie(seconds);
        server.refresh(&first).await.expect(503);
        server.ask(accept()).await.expect(200);
        server.ask(Ask::get("/readyz")).await.expect(200);
        server.sign_in().await.expect(201);
    }
    assert!(server.is_active(&first).await);
    server.stop().await;
}

/// 2038-01-19 ends 31 bits of seconds, 2106-02-07 ends 32.
#[tokio::test]
async fn sessions_and_tokens_cross_the_ends_of_31_and_32_bits() {
    for end in [1_i64 << 31, 1_i64 << 32] {
        let folder = tempfile::tempdir().unwrap();
        let now = i64::try_from((Hands::MACHINE.wall)().as_seconds()).unwrap();
        MOVED[3].store(end - 30 - now, Ordering::SeqCst);
        let server = Clocked::<3>::start(folder.path()).await;
        let before = Tokens::of(&server.sign_in().await.expect(201));
        assert!(server.claims(&before).await["iat"].as_i64().unwrap() < end);
        MOVED[3].fetch_add(50, Ordering::SeqCst);
        let after = Tokens::of(&server.refresh(&before).await.expect(200));
        let claims = server.claims(&after).await;
        let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        assert!(end <= iat && iat < exp, "{iat} {exp}");
        let introspect = Ask::form("/oauth2/introspect", &[("token", &after.access)]);
        let told = server.ask(introspect.key(&server.key)).await.expect(200);
        assert_eq!((told.member("active"), told.member("exp")), (Value::Bool(true), json!(exp)));
        server.stop().await;

        let server = Clocked::<3>::start(folder.path()).await;
        let shown = server.session(&after).await.expect(200);
        assert!(end <= shown.member("last_active_at").as_i64().unwrap(), "{shown:?}");
        let next = Tokens::of(&server.refresh(&after).await.expect(200));
        assert!(server.is_active(&next).await);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_session_that_is_told_to_be_used_does_not_idle_out_and_is_revived_by_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Clocked::<4>::start(folder.path()).await;
    let used = Tokens::of(&server.sign_in_as("alice").await.expect(201));
    let unused = Tokens::of(&server.sign_in_as("bob").await.expect(201));
    let begun = server.session(&used).await;
    let moved = async |member: &str| {
        let now = server.session(&used).await.expect(200);
        now.member(member).as_i64().unwrap() - begun.member(member).as_i64().unwrap()
    };
    Clocked::<4>::wait(HOUR - 60);
    assert_eq!(server.used(&[&used.sid]).await, 1);
    assert_eq!(moved("idle_expires_at").await, 0, "not within the hour");
    Clocked::<4>::wait(120);
    assert_eq!(server.used(&[&used.sid]).await, 1);
    assert!((HOUR..HOUR + 120).contains(&moved("idle_expires_at").await));
    assert!((HOUR..HOUR + 120).contains(&moved("last_active_at").await));
    assert_eq!((moved("expires_at").await, moved("generation").await), (0, 0));

    // Clocks that contradict each other decide nothing, and the same can be told again.
    Clocked::<4>::lie(10 * HOUR);
    let ask = Ask::json("/v1/activity", &json!({"uses": []})).key(&server.key);
    server.ask(ask).await.expect_problem(503, "clock");
    Clocked::<4>::lie(0);

    Clocked::<4>::wait(14 * 24 * HOUR - HOUR);
    assert!(!server.is_active(&unused).await && server.is_active(&used).await);
    assert_eq!(server.used(&[&unused.sid]).await, 0);
    assert_eq!(server.session(&unused).await.text("reason"), "idle");
    Clocked::<4>::wait(HOUR);
    assert_eq!(server.used(&[&used.sid]).await, 0, "nobody used it for 14 days");
    assert_eq!(server.session(&used).await.text("reason"), "idle");
    server.refresh(&used).await.expect_over("idle");
    server.stop().await;
}

#[tokio::test]
async fn a_batch_of_uses_shares_commits() {
    let folder = tempfile::tempdir().unwrap();
    let server = Clocked::<5>::start(folder.path()).await;
    let mut sids = Vec::new();
    for number in 0..200 {
        sids.push(Tokens::of(&server.sign_in_as(&format!("u{number}")).await.expect(201)).sid);
    }
    let all: Vec<&str> = sids.iter().map(|sid| &**sid).collect();
    Clocked::<5>::wait(2 * HOUR);
    let Store::Sqlite(store) = &server.store else { panic!("it is one file") };
    let commits = store.commits();
    assert_eq!(server.used(&all).await, 200);
    let made = store.commits() - commits;
    assert!((1..=50).contains(&made), "{made} commits for 200 sessions");
    for sid in [&sids[0], &sids[199]] {
        let shown = server.ask(Ask::get(&format!("/v1/sessions/{sid}")).key(&server.key)).await;
        let at = shown.member("last_active_at").as_i64().unwrap();
        assert!(shown.member("created_at").as_i64().unwrap() + 2 * HOUR <= at, "{shown:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_gateway_renews_what_has_expired_and_takes_a_used_token_for_stolen_after_its_window() {
    let folder = tempfile::tempdir().unwrap();
    let server = Clocked::<6>::start(folder.path()).await;
    let first = Tokens::of(&server.sign_in_through("app", "alice").await.expect(201));
    let check = || {
        let ask = Ask::get("/gateway/check/me").key(&first.access);
        server.ask(ask.with("x-refresh-token", &first.refresh))
    };
    assert!(!check().await.expect(200).headers.contains_key("x-access-token"));
    Clocked::<6>::wait(301);
    let bare = server.ask(Ask::get("/gateway/check/me").key(&first.access)).await.expect(401);
    assert!(bare.header("www-authenticate").contains("reason=\"expired\""), "{bare:?}");
    let renewed = check().await.expect(200);
    let second = renewed.header("x-refresh-token").to_owned();
    assert_ne!(second, first.refresh);
    Clocked::<6>::wait(30);
    let late = check().await.expect(200);
    assert_eq!(late.header("x-refresh-token"), second, "its window is open");
    Clocked::<6>::wait(31);
    let stolen = check().await.expect_problem(401, "invalid-token");
    assert_eq!(stolen.text("reason"), "replayed");
    assert_eq!(server.session(&first).await.expect(200).member("reason"), "replayed");
    server.stop().await;
}
