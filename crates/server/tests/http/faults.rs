//! A disk that fails: what was answered 2xx is there afterwards, what was answered 503 is there as a whole or
//! not at all, and a server whose disk is well again goes on by itself.

use crate::common::{Ask, Home, SOON, Server, Tampering, Tokens, pass, until};
use crate::crash::{CLIENT, Dice, Mine, hold_to_its_word};
use http::StatusCode;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// What fails, how, and the largest N whose N-th call is made to fail, unless `FAULTS_MAX` says otherwise.
const FAULTS: [(&str, &str, usize); 4] = [
    ("pwrite64", "EIO", 7),
    ("pwrite64", "ENOSPC", 5),
    ("fsync,fdatasync", "EIO", 5),
    ("write", "ENOSPC", 2),
];

/// More acts than it takes to come to the largest N.
const ACTS_MAX: usize = 2000;

/// How many acts follow a fault, the first of which may fail too.
const ACTS_AFTER: usize = 6;

#[expect(clippy::disallowed_methods, reason = "how long a test goes on is said from outside")]
fn said(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Acts on sessions of its own, one after the other; a 503 is as good as no answer.
struct Caller<'a> {
    server: &'a Server,
    name: String,
    dice: Dice,
    all: Vec<Mine>,
}

impl Caller<'_> {
    /// Whether it was answered.
    async fn act(&mut self) -> bool {
        let usable = |mine: &Mine| mine.tokens.is_some() && !mine.kicked && !mine.kick_unanswered;
        let alive: Vec<_> = (0..self.all.len()).filter(|at| usable(&self.all[*at])).collect();
        let some = self.dice.roll(u64::try_from(alive.len().max(1)).unwrap());
        let alive = alive.get(usize::try_from(some).unwrap()).copied();
        match (self.dice.roll(10), alive) {
            (0..3, _) | (_, None) => self.sign_in().await,
            (3..7, Some(at)) => self.refresh(at).await,
            (_, Some(at)) => self.kick(at).await,
        }
    }

    async fn sign_in(&mut self) -> bool {
        let mut mine = Mine::new(format!("{}-{}", self.name, self.all.len()));
        let answer = self.server.ask_as_back_end(mine.start()).await;
        let answered = was_done(answer.status, 201);
        mine.tokens = answered.then(|| Tokens::of(&answer));
        self.all.push(mine);
        answered
    }

    async fn refresh(&mut self, at: usize) -> bool {
        let mine = &mut self.all[at];
        let token = mine.tokens.as_ref().unwrap().refresh.clone();
        let answer = self.server.ask(Ask::refresh(CLIENT, &token)).await;
        let answered = was_done(answer.status, 200);
        mine.refresh_unanswered = !answered;
        if answered {
            let tokens = Tokens::of(&answer);
            mine.refreshes += u64::from(tokens.refresh != token);
            mine.tokens = Some(tokens);
        }
        answered
    }

    async fn kick(&mut self, at: usize) -> bool {
        let mine = &mut self.all[at];
        let answer = self.server.kick(&mine.tokens.as_ref().unwrap().sid).await;
        let answered = was_done(answer.status, 200);
        (mine.kicked, mine.kick_unanswered) = (answered, !answered);
        answered
    }
}

fn was_done(status: StatusCode, done: u16) -> bool {
    assert!([done, 503].contains(&status.as_u16()), "{status}");
    status.as_u16() == done
}

async fn is_ready(server: &Server) -> Option<()> {
    (server.ask(Ask::get("/readyz")).await.status == 200).then_some(())
}

/// Acts until a fault was met and was got over, and gives what is known then.
async fn meet(server: &Server, round: usize, trick: &str) -> Vec<Mine> {
    let dice = Dice(round as u64);
    let mut caller = Caller { server, name: format!("r{round}"), dice, all: Vec::new() };
    // Something to refresh and to kick, before anything fails.
    for _ in 0..3 {
        assert!(caller.sign_in().await);
    }
    // The sweep commits too, and may be who meets it.
    let failed = || server.home.log().matches("a commit failed").count();
    let before = failed();
    let tampering = Tampering::with(server, trick).await;
    let mut acts = 0;
    while caller.act().await && failed() == before {
        acts += 1;
        assert!(acts < ACTS_MAX, "{trick} was never met");
    }
    for _ in 0..ACTS_AFTER {
        caller.act().await;
    }
    until("the store takes writes again", || is_ready(server)).await;
    assert!(caller.sign_in().await, "{trick}");
    tampering.stop().await;
    caller.all
}

/// Each N in a life of its own: the server is killed afterwards, and the next one held to its word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_2xx_is_lost_whichever_write_or_sync_fails() {
    let home = Home::new(&[]);
    let mut server = home.start().await;
    let key = server.api_key().to_owned();
    let mut round = 0;
    for (calls, error, usual) in FAULTS {
        for n in 1..=said("FAULTS_MAX").unwrap_or(usual) {
            round += 1;
            let all = meet(&server, round, &format!("{calls}:error={error}:when={n}")).await;
            server.kill().await;
            let restarted = Arc::new(home.start().await);
            for mine in all {
                hold_to_its_word(Arc::clone(&restarted), key.clone(), mine).await;
            }
            server = Arc::into_inner(restarted).unwrap();
        }
    }
    println!("{round} faults");
    assert!(home.log().contains("a commit failed"));
}

/// A sync that failed may succeed when it is tried again, with nothing on the disk: so the process ends, and
/// the next one writes all of it again.
#[tokio::test]
async fn a_database_that_cannot_be_synced_ends_the_process_and_a_start_has_everything() {
    let server = Server::with(&["--grace", "60s"]).await;
    let key = server.api_key().to_owned();
    let mut mine = Mine::new("alice".to_owned());
    mine.tokens = Some(Tokens::of(&server.ask(mine.start().key(&key)).await.expect(201)));
    let _failing = Tampering::with(&server, "fsync,fdatasync:error=EIO:when=1+").await;
    let token = &mine.tokens.as_ref().unwrap().refresh;
    server.ask(Ask::refresh(CLIENT, token)).await.expect(503);
    mine.refresh_unanswered = true;
    // The sweep asks for the next commit, within a second.
    let (home, status) = server.stopped().await;
    assert_eq!(status.code(), Some(3), "{}", home.log());
    assert!(home.log().contains("the database was not synced"), "{}", home.log());
    hold_to_its_word(Arc::new(home.start().await), key, mine).await;
}

/// Whatever a start that was cut short left behind, the next one has everything.
#[tokio::test]
async fn a_start_on_a_failing_disk_refuses_or_serves_and_spoils_nothing() {
    let home = Home::new(&[]);
    for (calls, error) in [("pwrite64", "EIO"), ("fsync,fdatasync", "EIO"), ("write", "ENOSPC")] {
        for n in (1..=said("FAULTS_MAX").unwrap_or(6).min(60)).step_by(2) {
            let server = home.start().await;
            let own = server.sign_in("alice").await;
            let ended = server.sign_in("bob").await;
            server.kick(&ended.sid).await.expect(200);
            server.kill().await;
            let trick = format!("{calls}:error={error}:when={n}");
            match home.try_start_tampered(&trick).await {
                Ok(server) => drop(server.kill().await),
                Err(status) => assert_eq!(status.code(), Some(3), "{trick}\n{}", home.log()),
            }
            let server = home.start().await;
            assert_eq!(server.session(&own.sid).await["state"], "active", "{trick}");
            server.expect_ended(&ended.sid, "kicked").await;
            server.renew(&own.refresh).await;
            server.kill().await;
        }
    }
}

/// A first start that was cut short leaves nothing that a second cannot begin with.
#[tokio::test]
async fn a_first_start_on_a_failing_disk_can_be_repeated() {
    for (calls, error) in [("pwrite64", "ENOSPC"), ("fsync,fdatasync", "EIO")] {
        for n in (1..=said("FAULTS_MAX").unwrap_or(9).min(60)).step_by(4) {
            let home = Home::new(&[]);
            let trick = format!("{calls}:error={error}:when={n}");
            match home.try_start_tampered(&trick).await {
                Ok(server) => drop(server.kill().await),
                Err(status) => assert_eq!(status.code(), Some(3), "{trick}\n{}", home.log()),
            }
            home.start().await.sign_in("alice").await;
        }
    }
}

/// For a few seconds here, for a minute in `scripts/long`.
#[tokio::test]
async fn while_the_disk_is_full_verification_goes_on_and_afterwards_everything_does() {
    let server = Server::with(&["--grace", "120s"]).await;
    let (own, other) = (server.sign_in("alice").await, server.sign_in("bob").await);
    let process = server.process();
    let full = Tampering::with(&server, "pwrite64,write:error=ENOSPC:when=1+").await;
    let sign_in = json!({"subject": "carol", "client_id": "web", "device": {"class": "web"}});
    for _ in 0..said("FULL_SECONDS").unwrap_or(3) {
        let refused = server.refresh(&own.refresh).await;
        assert!(!refused.header("retry-after").is_empty(), "{refused:?}");
        refused.expect(503);
        server.start_session(&sign_in).await.expect_problem(503, "store");
        server.kick(&other.sid).await.expect_problem(503, "store");
        server.ask(Ask::get("/readyz")).await.expect_problem(503, "store");
        server.ask(Ask::get("/livez")).await.expect(200);
        assert_eq!(server.claims(&own.access).await["sid"], *own.sid);
        assert_eq!(server.introspect(&own.access).await["active"], true);
        assert!(server.metrics().await.contains("\nsymbolon_store_failing 1\n"));
        pass(Duration::from_secs(1)).await;
    }
    full.stop().await;
    // Nobody asks for anything: the sweep's own commit shows that the disk takes writes again.
    let ready = until("it is ready by itself", || is_ready(&server));
    timeout(SOON, ready).await.unwrap();
    assert!(server.metrics().await.contains("\nsymbolon_store_failing 0\n"));
    let renewed = server.renew(&own.refresh).await;
    assert_eq!(server.session(&renewed.sid).await["generation"], 1);
    server.start_session(&sign_in).await.expect(201);
    server.kick(&other.sid).await.expect(200);
    assert_eq!(server.process(), process, "without a restart");
}
