//! A store is outgrown and copied into another: nobody is signed out, and nobody who was comes back.

use crate::common::{Answer, Ask, Configuration, Home, Server, Tokens, pass, run, until};
use crate::engines::Engine;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use symbolon_store::{Kind, Store};
use symbolon_wire::sha256;

const RULES: &str = r#"
trusted_proxies = ["127.0.0.1"]
audience = "demo-api"
rules = [ { name = "me", prefix = "/me" } ]
"#;

/// How many come from another system before the move: more than a page of the copy.
const IMPORTED: usize = 1500;

/// How many copies are begun until one is seen under way on a busy machine. Inclusive.
const COPIES_MAX: usize = 10;

fn configuration(store: Option<&str>) -> Configuration {
    let of = |preset: &str| format!("preset = \"{preset}\"");
    let all = Configuration::new()
        .client("web", "access_token = { ttl = \"20min\" }\nrefresh = { grace = \"10min\" }")
        .client("sliding", &of("sliding-session"))
        .client("opaque", &of("opaque-session"))
        .client("site", "preset = \"gateway-session\"\norigins = [\"https://app.example.com\"]")
        .gateway(RULES);
    match store {
        Some(url) => all.store(url),
        None => all,
    }
}

/// What people hold before the move.
struct Held {
    renewed: Tokens,
    used: Tokens,
    kicked: Tokens,
    banned: Tokens,
    lasting: Vec<String>,
    cookies: String,
    operation: Value,
    again: Value,
    /// A key has its own names for what is asked for once.
    api_key: String,
}

async fn start_as(server: &Server, client: &str, subject: &str) -> Answer {
    let body = json!({"subject": subject, "client_id": client, "device": {"class": "web"}});
    server.start_session(&body).await.expect(201)
}

fn idempotent() -> Ask {
    let body = json!({"subject": "once", "client_id": "web", "device": {"class": "web"}});
    Ask::json("/v1/sessions", &body).with("idempotency-key", "k1")
}

fn cookies_of(answer: &Answer) -> String {
    let lines = answer.member("set_cookie");
    let pair = |line: &Value| line.as_str().unwrap().split(';').next().unwrap().to_owned();
    lines.as_array().unwrap().iter().map(pair).collect::<Vec<_>>().join("; ")
}

async fn check(server: &Server, cookies: &str) -> u16 {
    let ask = Ask::get("/gateway/check").with("x-original-method", "GET");
    server.ask(ask.with("x-original-uri", "/me").with("cookie", cookies)).await.status.as_u16()
}

impl Held {
    async fn on(server: &Server) -> Self {
        let used = server.sign_in("renews").await;
        let renewed = server.renew(&used.refresh).await;
        let kicked = server.sign_in("kicked").await;
        server.kick(&kicked.sid).await.expect(200);
        let banned = server.sign_in("banned").await;
        let ban = Ask::put("/v1/subjects/banned/ban", &json!({}));
        server.ask_as_back_end(ban).await.expect(200);
        let roles = json!({"roles": ["admin"], "claims": {}});
        server.ask_as_back_end(Ask::put("/v1/subjects/known", &roles)).await.expect(200);
        let mut lasting = Vec::new();
        for client in ["sliding", "opaque"] {
            lasting.push(start_as(server, client, "lasts").await.text("access_token"));
        }
        let cookies = cookies_of(&start_as(server, "site", "visitor").await);
        let made = json!({"session_id": renewed.sid, "method": "POST", "path": "/transfers"});
        let made = server.ask_as_back_end(Ask::json("/v1/operations", &made)).await.expect(200);
        let operation = json!({
            "operation_token": made.text("operation_token"), "method": "POST", "path": "/transfers",
        });
        let redeem = Ask::json("/v1/operations/redeem", &operation);
        server.ask_as_back_end(redeem).await.expect(200);
        let again = server.ask_as_back_end(idempotent()).await.expect(201).json();
        let api_key = server.api_key().to_owned();
        Self { renewed, used, kicked, banned, lasting, cookies, operation, again, api_key }
    }

    /// Everything of before the move is as it was.
    async fn expect_on(&self, server: &Server) {
        for token in [&self.renewed.access, &self.lasting[0], &self.lasting[1]] {
            assert_eq!(server.introspect(token).await["active"], true);
        }
        let refused = server.refresh(&self.kicked.refresh).await;
        assert_eq!(refused.expect(400).member("reason"), "kicked");
        let refused = server.refresh(&self.banned.refresh).await;
        assert_eq!(refused.expect(400).member("reason"), "banned");
        assert_eq!(server.introspect(&self.kicked.access).await, json!({"active": false}));
        let known = server.ask_as_back_end(Ask::get("/v1/subjects/known")).await.expect(200);
        assert_eq!(known.member("roles"), json!(["admin"]));
        assert_eq!(check(server, &self.cookies).await, 200);
        let redeem = Ask::json("/v1/operations/redeem", &self.operation);
        let redeemed = server.ask_as_back_end(redeem).await;
        assert!(redeemed.status.is_client_error(), "{redeemed:?}");
        let again = server.ask(idempotent().key(&self.api_key)).await.expect(201).json();
        assert_eq!(again["session_id"], self.again["session_id"]);
        let history = server.list("/v1/events?reason=kicked").await;
        assert_eq!(history.len(), 1, "{history:?}");
        // A token within grace earns the newest again; then the family goes on.
        assert_eq!(server.renew(&self.used.refresh).await.refresh, self.renewed.refresh);
        let next = server.renew(&self.renewed.refresh).await;
        assert_eq!(next.sid, self.renewed.sid);
        server.renew(&next.refresh).await;
    }
}

fn old_token(number: usize) -> String {
    format!("old-token-of-{number:05}")
}

#[expect(clippy::disallowed_methods, reason = "a file says until when its sessions live")]
fn in_a_week() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs() + 7 * 24 * 3600
}

/// Brings in people of another system.
fn import(home: &Home) {
    let line = |number: usize| {
        let digest = HEXLOWER.encode(&sha256(old_token(number).as_bytes()).0);
        let device = json!({"class": "web"});
        json!({
            "subject": format!("moved-{number}"), "client_id": "web", "device": device,
            "expires_at": in_a_week(), "refresh_token_sha256": digest,
        })
    };
    let lines: String = (0..IMPORTED).map(|number| format!("{}\n", line(number))).collect();
    let file = home.beside("sessions.jsonl").display().to_string();
    std::fs::write(&file, lines).unwrap();
    must(run(&["import", "--json", "--config", &config_of(home), &file]));
}

fn config_of(home: &Home) -> String {
    home.beside("symbolon.toml").display().to_string()
}

fn must(output: Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn migrate(home: &Home, more: &[&str]) -> Output {
    let config = config_of(home);
    run(&[&["migrate", "--json", "--config", &config], more].concat())
}

/// An authority on a file that has a past, stopped.
async fn with_a_past() -> (Arc<Home>, Held) {
    let server = Server::configured(&configuration(None)).await;
    let held = Held::on(&server).await;
    server.tell_to_stop();
    let (home, _) = server.stopped().await;
    import(&home);
    (home, held)
}

async fn stopped(server: Server) -> Arc<Home> {
    server.tell_to_stop();
    server.stopped().await.0
}

async fn expect_after_the_move_to(target: &str) {
    let (home, held) = with_a_past().await;
    let would = must(migrate(&home, &["--to", target, "--dry-run"]));
    assert_eq!(would["parts"][1]["part"], "sessions");
    let told = must(migrate(&home, &["--to", target]));
    for part in told["parts"].as_array().unwrap() {
        assert_eq!(part["source"], part["target"], "{told}");
    }
    assert!(IMPORTED as u64 <= told["parts"][1]["source"].as_u64().unwrap(), "{told}");
    assert_eq!(told["differing"], 0, "{told}");
    assert!(1 <= told["epoch"].as_u64().unwrap(), "{told}");
    let again = migrate(&home, &["--to", target]);
    assert!(!again.status.success(), "a finished copy is not written to again");
    home.reconfigure(&configuration(Some(target)));
    let server = home.start().await;
    held.expect_on(&server).await;
    for number in [0, 1, IMPORTED - 1] {
        server.renew(&old_token(number)).await;
    }
    server.sign_in("new").await;
}

#[tokio::test]
async fn nobody_is_signed_out_by_a_move_from_a_file_to_postgres() {
    expect_after_the_move_to(&Engine::Postgres.place()).await;
}

#[tokio::test]
async fn nobody_is_signed_out_by_a_move_from_a_file_to_redis() {
    expect_after_the_move_to(&Engine::Redis.place()).await;
}

#[tokio::test]
async fn nobody_is_signed_out_by_a_move_from_a_file_to_another() {
    let folder = tempfile::tempdir().unwrap();
    expect_after_the_move_to(&format!("sqlite:{}/two.db", folder.path().display())).await;
}

/// An engine's store has no lock that says whether somebody serves from it: the operator says so.
async fn expect_the_way_back_from(engine: Engine) {
    let url = engine.place();
    let server = Server::configured(&configuration(Some(&url))).await;
    let held = Held::on(&server).await;
    let home = stopped(server).await;
    let target = format!("sqlite:{}", home.beside("back.db").display());
    let unsaid = migrate(&home, &["--to", &target]);
    assert_eq!(unsaid.status.code(), Some(1), "{unsaid:?}");
    must(migrate(&home, &["--to", &target, "--source-stopped"]));
    home.reconfigure(&configuration(Some(&target)));
    held.expect_on(&home.start().await).await;
}

#[tokio::test]
async fn the_way_back_leads_from_postgres_into_a_file() {
    expect_the_way_back_from(Engine::Postgres).await;
}

#[tokio::test]
async fn the_way_back_leads_from_redis_into_a_file() {
    expect_the_way_back_from(Engine::Redis).await;
}

async fn opened(target: &str) -> Store {
    let address = symbolon_store::postgres::Address::parse(target).unwrap();
    Store::open_postgres(&address).await.unwrap()
}

/// How far a copy is there; `None`: it wrote nothing.
async fn mark(target: &Store) -> Option<Value> {
    let mark = target.record(Kind::Meta, "migration").await.unwrap();
    mark.map(|mark| serde_json::from_slice(&mark.value).unwrap())
}

async fn is_whole(target: &Store) -> bool {
    mark(target).await.is_some_and(|mark| mark["done"] == true)
}

/// Copies, and is killed when it came further than the one before; whether it did not end by itself before that.
async fn kill_under_way(home: &Home, target: &str, store: &Store) -> bool {
    let before = mark(store).await;
    let mut copy = Command::new(env!("CARGO_BIN_EXE_symbolon"))
        .args(["migrate", "--json", "--config", &config_of(home), "--to", target])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while mark(store).await == before {
        if copy.try_wait().unwrap().is_some() {
            return false;
        }
        pass(Duration::from_millis(1)).await;
    }
    copy.kill().unwrap();
    copy.wait().unwrap();
    true
}

/// Nobody serves from it, unless what the killed copy had asked for last made it whole after all.
async fn expect_nobody_serves_from(home: &Arc<Home>, target: &str, store: &Store) {
    home.reconfigure(&configuration(Some(target)));
    let started = home.try_start().await;
    home.reconfigure(&configuration(None));
    if let Ok(server) = started {
        assert!(is_whole(store).await, "it serves from half of a copy");
        stopped(server).await;
    }
}

/// Copies until all is there: what a killed copy had asked for last may still come, and then the next one stops.
async fn finish(home: &Home, target: &str) {
    let copied = || async {
        let told = migrate(home, &["--to", target]);
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(told.status.success() || said.contains("copy"), "{said}");
        (told.status.success() || said.contains("finished copy")).then_some(())
    };
    until("the copy is whole", copied).await;
}

#[tokio::test]
async fn a_move_that_is_killed_goes_on_and_nobody_serves_from_half_of_it() {
    let (home, held) = with_a_past().await;
    for _ in 0..COPIES_MAX {
        let target = Engine::Postgres.place();
        let store = opened(&target).await;
        if !kill_under_way(&home, &target, &store).await || is_whole(&store).await {
            continue;
        }
        expect_nobody_serves_from(&home, &target, &store).await;
        kill_under_way(&home, &target, &store).await;
        finish(&home, &target).await;
        home.reconfigure(&configuration(Some(&target)));
        let server = home.start().await;
        held.expect_on(&server).await;
        server.renew(&old_token(IMPORTED - 1)).await;
        assert_eq!(server.active("moved-0").await.len(), 1);
        return;
    }
    panic!("each of {COPIES_MAX} copies was whole before it could be killed");
}

#[tokio::test]
async fn a_store_that_is_served_from_is_not_copied() {
    let server = Server::configured(&configuration(None)).await;
    let target = format!("sqlite:{}", server.home.beside("two.db").display());
    let refused = migrate(&server.home, &["--to", &target]);
    assert_eq!(refused.status.code(), Some(3));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("in use") && said.contains("stop the authority"), "{said}");
}
