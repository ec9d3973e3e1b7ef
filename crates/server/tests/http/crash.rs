//! `kill -9` at random instants under 32 writers: every acknowledged sign-in, refresh and kick is there
//! afterwards, nobody honest is logged out, and no kicked session is back.

use crate::common::{Ask, Connection, Home, SOON, Server, Tokens, pass};
use http::StatusCode;
use serde_json::{Value, json};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

const WRITERS: usize = 32;

/// How many times the server is killed, unless `CRASH_ROUNDS` says otherwise.
const ROUNDS: usize = 8;

/// The client: its window outlives a restart.
pub(super) const CLIENT: &str = "app";

/// What one client knows of its session: what was acknowledged, and what was asked without an answer.
pub(super) struct Mine {
    pub(super) subject: String,
    /// The newest that were acknowledged.
    pub(super) tokens: Option<Tokens>,
    /// How many generations were acknowledged.
    pub(super) refreshes: u64,
    pub(super) refresh_unanswered: bool,
    pub(super) kicked: bool,
    pub(super) kick_unanswered: bool,
}

impl Mine {
    /// Of whom nothing is known yet.
    pub(super) fn new(subject: String) -> Self {
        Self {
            subject,
            tokens: None,
            refreshes: 0,
            refresh_unanswered: false,
            kicked: false,
            kick_unanswered: false,
        }
    }

    pub(super) fn start(&self) -> Ask {
        let device = json!({"class": "app"});
        let body = json!({"subject": self.subject, "client_id": CLIENT, "device": device});
        Ask::json("/v1/sessions", &body).with("idempotency-key", &self.subject)
    }
}

/// A small generator: a round can be told from its seed, and the machine does the rest.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Works on sessions of its own until the server is gone.
struct Writer {
    connection: Connection,
    key: String,
    name: String,
    dice: Dice,
    all: Vec<Mine>,
}

impl Writer {
    async fn run(mut self) -> Vec<Mine> {
        while self.act().await.is_ok() {}
        self.all
    }

    async fn act(&mut self) -> hyper::Result<()> {
        let alive: Vec<_> = (0..self.all.len()).filter(|at| !self.all[*at].kicked).collect();
        let some = self.dice.roll(u64::try_from(alive.len().max(1)).unwrap());
        let alive = alive.get(usize::try_from(some).unwrap()).copied();
        match (self.dice.roll(10), alive) {
            (0..2, _) | (_, None) => self.sign_in().await,
            (2..9, Some(at)) => self.refresh(at).await,
            (_, Some(at)) => self.kick(at).await,
        }
    }

    async fn sign_in(&mut self) -> hyper::Result<()> {
        let subject = format!("{}-{}", self.name, self.all.len());
        self.all.push(Mine::new(subject));
        let mine = self.all.last_mut().unwrap();
        let answer = self.connection.ask(mine.start().key(&self.key)).await?;
        mine.tokens = Some(Tokens::of(&answer.expect(201)));
        Ok(())
    }

    async fn refresh(&mut self, at: usize) -> hyper::Result<()> {
        let mine = &mut self.all[at];
        let token = mine.tokens.as_ref().unwrap().refresh.clone();
        mine.refresh_unanswered = true;
        let answer = self.connection.ask(Ask::refresh(CLIENT, &token)).await?;
        let tokens = Tokens::of(&answer.expect(200));
        mine.refresh_unanswered = false;
        // With eight windows open the newest token is answered again, and the family stays.
        mine.refreshes += u64::from(tokens.refresh != token);
        mine.tokens = Some(tokens);
        Ok(())
    }

    async fn kick(&mut self, at: usize) -> hyper::Result<()> {
        let mine = &mut self.all[at];
        let path = format!("/v1/sessions/{}", mine.tokens.as_ref().unwrap().sid);
        mine.kick_unanswered = true;
        let answer = self.connection.ask(Ask::delete(&path).key(&self.key)).await?;
        assert_eq!(answer.expect(200).member("ended")[0]["reason"], "kicked");
        (mine.kicked, mine.kick_unanswered) = (true, false);
        Ok(())
    }
}

/// Lets the writers loose and kills the server at an instant between them.
async fn crash(server: Server, key: &str, round: usize, dice: &mut Dice) -> (Arc<Home>, Vec<Mine>) {
    let ready = Arc::new(Barrier::new(WRITERS + 1));
    let mut writers = JoinSet::new();
    for at in 0..WRITERS {
        let writer = Writer {
            connection: Connection::open(&server.authority).await.unwrap(),
            key: key.to_owned(),
            name: format!("r{round}-w{at}"),
            dice: Dice(dice.roll(u64::MAX)),
            all: Vec::new(),
        };
        let ready = Arc::clone(&ready);
        writers.spawn(async move {
            ready.wait().await;
            writer.run().await
        });
    }
    ready.wait().await;
    pass(Duration::from_millis(30 + dice.roll(270))).await;
    let home = server.kill().await;
    let all = timeout(SOON, writers.join_all()).await.expect("the writers notice");
    (home, all.into_iter().flatten().collect())
}

/// Holds the server to what it acknowledged before it was killed.
pub(super) async fn hold_to_its_word(server: Arc<Server>, key: String, mine: Mine) {
    let Some(tokens) = &mine.tokens else {
        // The back end asks again, and there is one session, whether or not the first one counted.
        let again = server.ask(mine.start().key(&key)).await.expect(201);
        assert_eq!(server.active(&mine.subject).await, [again.text("session_id")]);
        return;
    };
    let shown = server.session(&tokens.sid).await;
    assert_eq!(shown["subject"], mine.subject);
    let generation = shown["generation"].as_u64().unwrap();
    assert!(mine.refreshes <= generation, "an acknowledged refresh is gone: {shown}");
    let unanswered = u64::from(mine.refresh_unanswered);
    assert!(generation <= mine.refreshes + unanswered, "a refresh nobody sent: {shown}");

    let refreshed = server.ask(Ask::refresh(CLIENT, &tokens.refresh)).await;
    if mine.kicked || (mine.kick_unanswered && refreshed.status == StatusCode::BAD_REQUEST) {
        drop(refreshed.expect_over("kicked"));
        server.expect_ended(&tokens.sid, "kicked").await;
        let again = server.kick(&tokens.sid).await.expect(200);
        assert_eq!(again.member("ended"), Value::Array(Vec::new()));
        return;
    }
    let next = Tokens::of(&refreshed.expect(200));
    let after = Tokens::of(&server.ask(Ask::refresh(CLIENT, &next.refresh)).await.expect(200));
    assert_eq!((&next.sid, &after.sid), (&tokens.sid, &tokens.sid));
}

#[expect(clippy::disallowed_methods, reason = "how long the test goes on is said from outside")]
fn rounds() -> usize {
    std::env::var("CRASH_ROUNDS").map_or(ROUNDS, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let seed = RandomState::new().hash_one("crash");
    let mut dice = Dice(seed);
    let home = Home::new(&[]);
    let mut server = home.start().await;
    let key = server.api_key().to_owned();
    let mut counts = [0; 4];
    for round in 0..rounds() {
        let began = Instant::now();
        let (home, all) = crash(server, &key, round, &mut dice).await;
        counts[0] += all.len();
        counts[1] += all.iter().map(|mine| usize::try_from(mine.refreshes).unwrap()).sum::<usize>();
        counts[2] += all.iter().filter(|mine| mine.kicked).count();
        counts[3] += all.iter().filter(|mine| mine.refresh_unanswered).count();
        let crashed = began.elapsed();
        let restarted = Arc::new(home.start().await);
        let started = began.elapsed() - crashed;
        let mut checks = JoinSet::new();
        for mine in all {
            checks.spawn(hold_to_its_word(Arc::clone(&restarted), key.clone(), mine));
        }
        checks.join_all().await;
        println!(
            "seed {seed} round {round}: load {crashed:?}, start {started:?}, all {:?}",
            began.elapsed()
        );
        server = Arc::into_inner(restarted).unwrap();
    }
    let [sign_ins, refreshes, kicks, unanswered] = counts;
    println!("{sign_ins} sign-ins, {refreshes} refreshes, {kicks} kicks, {unanswered} unanswered");
    assert!(0 < refreshes && 0 < kicks, "there was load");
}
