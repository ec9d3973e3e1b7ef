//! People who come from another system: their old refresh tokens go on here, and nobody signs in again.

use crate::common::{
    Answer, Ask, Configuration, Home, Secrets, Server, Tokens, at_once, pass, run,
};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;
use symbolon_wire::sha256;

const GRACE: &str = "refresh = { grace = \"60s\" }";

/// What systems written by hand give out: random text, a UUID, a signed token.
const OLD: [&str; 3] = [
    "k3Jx0vQmT5yN8bWcRfUa2pZdHsLgEoXi",
    "7d9f3c1e-5b2a-4e88-9c07-1f6ab0d4e352",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.bm90LW91cnMtYXQtYWxsLXJlYWxseQ",
];

#[expect(clippy::disallowed_methods, reason = "a file says until when its sessions live")]
fn in_days(days: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + days * 24 * 3600
}

/// What the other system says of the session whose refresh token this is.
fn line(subject: &str, token: &str) -> Value {
    json!({
        "subject": subject,
        "client_id": "web",
        "device": {"class": "app", "id": "phone-1", "name": "Pixel 9"},
        "created_at": in_days(-3),
        "expires_at": in_days(20),
        "refresh_token_sha256": HEXLOWER.encode(&sha256(token.as_bytes()).0),
    })
}

/// Runs `import` on these lines, beside the data directory.
fn import(home: &Home, lines: &[Value]) -> Output {
    let file = home.beside("sessions.jsonl");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, text).unwrap();
    let configuration = home.beside("symbolon.toml");
    let paths = [configuration.display().to_string(), file.display().to_string()];
    run(&["import", "--json", "--config", &paths[0], &paths[1]])
}

fn imported(home: &Home, lines: &[Value]) -> Value {
    let output = import(home, lines);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A server that has run before, whose operator stopped it to bring in these lines.
async fn moved(settings: &str, lines: &[Value]) -> Server {
    let configuration = Configuration::new().client("web", settings).client("app", settings);
    let server = Server::configured(&configuration).await;
    server.tell_to_stop();
    let (home, _) = server.stopped().await;
    assert_eq!(imported(&home, lines)["imported"], lines.len());
    home.start().await
}

async fn only_session(server: &Server, subject: &str) -> Value {
    let all = server.list(&format!("/v1/subjects/{subject}/sessions?limit=200")).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

async fn revoke(server: &Server, client: &str, token: &str) -> Answer {
    let parameters = [("client_id", client), ("token", token)];
    server.ask(Ask::form("/oauth2/revoke", &parameters)).await
}

#[tokio::test]
async fn an_old_token_of_any_kind_earns_tokens_of_ours() {
    let mut lines: Vec<_> =
        OLD.iter().enumerate().map(|(at, old)| line(&format!("user-{at}"), old)).collect();
    lines[0]["roles"] = json!(["member"]);
    lines[0]["scope"] = "orders:read".into();
    let server = moved(GRACE, &lines).await;
    for (at, old) in OLD.iter().enumerate() {
        let tokens = server.renew(old).await;
        assert!(tokens.refresh.starts_with("sym_rt_"));
        let claims = server.claims(&tokens.access).await;
        assert_eq!(claims["sub"], format!("user-{at}"));
        assert_eq!(claims["sid"], *tokens.sid);
        let again = server.renew(&tokens.refresh).await;
        assert_eq!(again.sid, tokens.sid);
        assert_eq!(server.introspect(&again.access).await["active"], true);
        assert_eq!(server.introspect(old).await, json!({"active": false}));
    }
    let tokens = server.renew(OLD[0]).await;
    let claims = server.claims(&tokens.access).await;
    assert_eq!((&claims["roles"], &claims["scope"]), (&json!(["member"]), &json!("orders:read")));
    let session = server.session(&tokens.sid).await;
    assert_eq!(session["device"], json!({"class": "app", "id": "phone-1", "name": "Pixel 9"}));
    assert_eq!(session["created_at"], lines[0]["created_at"]);
}

#[tokio::test]
async fn fifty_racing_uses_of_an_old_token_earn_one_answer() {
    let server = moved(GRACE, &[line("alice", OLD[2])]).await;
    let asks = (0..50).map(|_| Ask::refresh("web", OLD[2])).collect();
    let answers = at_once(&server.authority, asks).await;
    let tokens: Vec<_> = answers.iter().map(|answer| Tokens::of(answer)).collect();
    assert!(tokens.iter().all(|own| *own == tokens[0]), "{tokens:?}");
    assert_eq!(server.session(&tokens[0].sid).await["generation"], 1);
}

#[tokio::test]
async fn an_old_token_that_comes_back_after_its_window_ends_its_session() {
    let server = moved("refresh = { grace = \"1s\" }", &[line("alice", OLD[1])]).await;
    let tokens = server.renew(OLD[1]).await;
    pass(Duration::from_millis(1100)).await;
    server.refresh(OLD[1]).await.expect_over("replayed");
    server.refresh(&tokens.refresh).await.expect_over("replayed");
    server.expect_ended(&tokens.sid, "replayed").await;
}

#[tokio::test]
async fn a_session_that_was_ended_before_its_first_renewal_says_why() {
    let server = moved(GRACE, &[line("alice", OLD[0]), line("bob", OLD[1])]).await;
    let sid = only_session(&server, "alice").await["session_id"].as_str().unwrap().to_owned();
    server.kick(&sid).await.expect(200);
    server.refresh(OLD[0]).await.expect_over("kicked");
    let ban = Ask::put("/v1/subjects/bob/ban", &json!({}));
    server.ask_as_back_end(ban).await.expect(200);
    server.refresh(OLD[1]).await.expect_over("banned");
}

#[tokio::test]
async fn an_old_token_signs_out_and_only_through_its_own_client() {
    let server = moved(GRACE, &[line("alice", OLD[0])]).await;
    revoke(&server, "app", OLD[0]).await.expect(200);
    server.ask(Ask::refresh("app", OLD[0])).await.expect_oauth(400, "invalid_grant", None);
    let tokens = server.renew(OLD[0]).await;
    revoke(&server, "web", OLD[0]).await.expect(200);
    server.expect_ended(&tokens.sid, "signed_out").await;
    server.refresh(&tokens.refresh).await.expect_over("signed_out");
}

#[tokio::test]
async fn text_that_nobody_imported_is_refused_without_a_reason() {
    let server = moved(GRACE, &[line("alice", OLD[0])]).await;
    let long = "a".repeat(5000);
    let digest = HEXLOWER.encode(&sha256(OLD[0].as_bytes()).0);
    for text in [OLD[1], OLD[2], &long, &digest, "sym_rt_", &format!("{} ", OLD[0])] {
        server.refresh(text).await.expect_oauth(400, "invalid_grant", None);
        revoke(&server, "web", text).await.expect(200);
    }
    server.renew(OLD[0]).await;
}

#[tokio::test]
async fn the_same_file_again_brings_nothing_and_revives_nobody() {
    let lines = [line("alice", OLD[0]), line("bob", OLD[1])];
    let server = moved(GRACE, &lines).await;
    let tokens = server.renew(OLD[0]).await;
    server.kick(&tokens.sid).await.expect(200);
    server.tell_to_stop();
    let (home, _) = server.stopped().await;
    let again = imported(&home, &[lines[0].clone(), lines[1].clone(), line("carol", OLD[2])]);
    assert_eq!((&again["imported"], &again["already_there"]), (&json!(1), &json!(2)));
    let server = home.start().await;
    server.refresh(OLD[0]).await.expect_over("kicked");
    server.renew(OLD[1]).await;
    server.renew(OLD[2]).await;
    assert_eq!(server.active("bob").await.len(), 1);
}

#[tokio::test]
async fn an_import_beside_a_serving_authority_is_refused_and_says_what_to_do() {
    let server = Server::configured(&Configuration::new().client("web", GRACE)).await;
    let output = import(&server.home, &[line("alice", OLD[0])]);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("is in use") && said.contains("stop the authority"), "{said}");
    server.refresh(OLD[0]).await.expect_oauth(400, "invalid_grant", None);
}

#[tokio::test]
async fn a_banned_subjects_line_is_refused_and_nothing_comes() {
    let server = Server::configured(&Configuration::new().client("web", GRACE)).await;
    let ban = Ask::put("/v1/subjects/bob/ban", &json!({}));
    server.ask_as_back_end(ban).await.expect(200);
    server.tell_to_stop();
    let (home, _) = server.stopped().await;
    let output = import(&home, &[line("alice", OLD[0]), line("bob", OLD[1])]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("line 2: refused: banned"), "{said}");
    let server = home.start().await;
    server.refresh(OLD[0]).await.expect_oauth(400, "invalid_grant", None);
}

#[tokio::test]
async fn neither_an_old_token_nor_its_digest_is_kept_or_logged() {
    let lines: Vec<_> = OLD.iter().map(|old| line("alice", old)).collect();
    let server = moved(GRACE, &lines).await;
    let mut secrets = Secrets::default();
    for old in OLD {
        server.renew(old).await;
        let digest = sha256(old.as_bytes()).0;
        secrets.add(old);
        secrets.add(&HEXLOWER.encode(&digest));
        secrets.add(&BASE64URL_NOPAD.encode(&digest));
    }
    let home = Arc::clone(&server.home);
    assert_eq!(secrets.found_below(&home.data()), Vec::<String>::new());
    let log = home.log();
    for old in OLD {
        assert!(!log.contains(old) && !log.contains(&HEXLOWER.encode(&sha256(old.as_bytes()).0)));
    }
}
