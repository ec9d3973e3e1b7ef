//! Stopping and starting again: nothing answered is lost, and nothing starts on what is not its own.

use crate::common::{
    Answer, Ask, Configuration, Connection, Home, SOON, Secrets, Server, Tokens,
    readable_by_others, until,
};
use serde_json::json;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Signs in until the server stops, and answers the sessions that it acknowledged.
async fn sign_in_until_stopped(
    server: (String, String),
    writer: usize,
    acknowledged: Arc<AtomicUsize>,
    enough: Arc<Notify>,
) -> Vec<Tokens> {
    let (authority, key) = server;
    let mut connection = Connection::open(&authority).await.unwrap();
    let mut done = Vec::new();
    loop {
        let subject = format!("w{writer}-{}", done.len());
        let body = json!({"subject": subject, "client_id": "app", "device": {"class": "app"}});
        let ask = Ask::json("/v1/sessions", &body).key(&key);
        match connection.ask(ask).await {
            Ok(answer) => done.push(Tokens::of(&answer.expect(201))),
            // Nothing of an answer came, so nothing was promised.
            Err(_) => return done,
        }
        if acknowledged.fetch_add(1, Ordering::Relaxed) == 200 {
            enough.notify_one();
        }
    }
}

#[tokio::test]
async fn a_stop_under_load_loses_nothing_that_was_answered() {
    let home = Home::new(&[]);
    let server = home.start().await;
    let (acknowledged, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut writers = JoinSet::new();
    for writer in 0..16 {
        let place = (server.authority.clone(), server.api_key().to_owned());
        let (count, enough) = (Arc::clone(&acknowledged), Arc::clone(&enough));
        writers.spawn(sign_in_until_stopped(place, writer, count, enough));
    }
    timeout(SOON, enough.notified()).await.expect("the load comes up");
    server.tell_to_stop();
    let sessions: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    let (home, status) = server.stopped().await;
    assert!(status.success(), "{status}");
    assert!(200 < sessions.len());
    let server = home.start().await;
    for tokens in sessions {
        let answer = server.ask(Ask::refresh("app", &tokens.refresh)).await.expect(200);
        assert_eq!(answer.text("session_id"), tokens.sid);
    }
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_server_stops() {
    let server = Server::with(&[]).await;
    let body =
        json!({"subject": "alice", "client_id": "web", "device": {"class": "web"}}).to_string();
    let head = format!(
        "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        server.api_key(),
        body.len()
    );
    let mut stream = TcpStream::connect(&server.authority).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // "100 Continue" says that the handler waits for the body: now the request is under way.
    let mut heard = [0; 64];
    let read = timeout(SOON, stream.read(&mut heard)).await.unwrap().unwrap();
    assert!(heard[..read].starts_with(b"HTTP/1.1 100"));
    server.tell_to_stop();
    let log = || async { server.home.log().contains("stopping").then_some(()) };
    until("the server knows that it should stop", log).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(answer.contains("refresh_token"));
    let (_, status) = server.stopped().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn idle_connections_do_not_keep_a_server_from_stopping() {
    let server = Server::with(&[]).await;
    let silent = TcpStream::connect(&server.authority).await.unwrap();
    let mut idle = Connection::open(&server.authority).await.unwrap();
    idle.ask(Ask::get("/livez")).await.unwrap().expect(200);
    server.tell_to_stop();
    let stopped = timeout(Duration::from_secs(10), server.stopped()).await;
    let (_, status) = stopped.expect("it stops although two connections are open");
    assert!(status.success(), "{status}");
    drop((silent, idle));
}

#[tokio::test]
async fn a_directory_in_use_is_refused_and_the_first_server_goes_on() {
    let home = Home::new(&["--grace", "60s"]);
    let server = home.start().await;
    let tokens = server.sign_in("alice").await;
    let secret = server.told["clients"]["service"]["client_secret"].as_str().unwrap();
    let status = home.try_start().await.err().expect("the second one is refused");
    assert!(!status.success());
    let log = home.log();
    assert!(log.contains("symbolon:") && log.contains("in use"), "{log}");
    let renewed = server.renew(&tokens.refresh).await;
    let ask = Ask::form("/oauth2/introspect", &[("token", &renewed.access)]);
    server.ask(ask.basic("service", secret)).await.expect(200);
}

#[tokio::test]
async fn a_new_start_keeps_sessions_keys_and_secrets_and_gives_new_ones() {
    let home = Home::new(&["--grace", "60s"]);
    let first = home.start().await;
    let (alice, bob) = (first.sign_in("alice").await, first.sign_in("bob").await);
    let alice_now = first.renew(&alice.refresh).await;
    first.kick(&bob.sid).await.expect(200);
    let (key, told) = (first.api_key().to_owned(), first.told.clone());
    let jwks = first.jwks().await;
    first.tell_to_stop();
    let (home, _) = first.stopped().await;
    let again = home.start().await;
    assert_ne!(again.api_key(), key);
    let secret = |told: &serde_json::Value| {
        told["clients"]["service"]["client_secret"].as_str().unwrap().to_owned()
    };
    assert_ne!(secret(&again.told), secret(&told));
    for key in [&key, again.api_key()] {
        again.ask(Ask::get("/v1/sessions").key(key)).await.expect(200);
    }
    for secret in [secret(&told), secret(&again.told)] {
        let ask = Ask::form("/oauth2/introspect", &[("token", "x")]).basic("service", &secret);
        again.ask(ask).await.expect(200);
    }
    assert_eq!(again.jwks().await, jwks);
    assert_eq!(again.renew(&alice.refresh).await.refresh, alice_now.refresh, "windows outlive it");
    again.renew(&alice_now.refresh).await;
    again.refresh(&bob.refresh).await.expect_over("kicked");
    again.expect_ended(&bob.sid, "kicked").await;
}

#[tokio::test]
async fn access_tokens_outlive_a_restart_under_the_same_issuer() {
    let server = Server::configured(&Configuration::new().client("web", "")).await;
    let tokens = server.sign_in("alice").await;
    let before = server.introspect(&tokens.access).await;
    let again = server.kill().await.start().await;
    assert_eq!(again.introspect(&tokens.access).await, before);
    assert_eq!(before["active"], true);
}

/// Starts and must be refused; what it said.
async fn refused(home: &Arc<Home>) -> String {
    let before = home.log().len();
    let status = home.try_start().await.err().expect("it does not start");
    assert_eq!(status.code().map(|code| (1..=3).contains(&code)), Some(true), "{status}");
    home.log()[before..].to_owned()
}

#[tokio::test]
async fn a_lost_or_wrong_master_key_is_refused_and_the_right_one_still_works() {
    let home = Home::new(&[]);
    let server = home.start().await;
    let tokens = server.sign_in("alice").await;
    drop(server);
    let path = home.data().join("master.key");
    let right = fs::read(&path).unwrap();

    fs::remove_file(&path).unwrap();
    let said = refused(&home).await;
    assert!(said.contains("master.key") && said.contains("lost"), "{said}");
    assert!(!path.exists(), "a lost key is not replaced by a new one");

    let other = Home::new(&[]);
    drop(other.start().await);
    fs::copy(other.data().join("master.key"), &path).unwrap();
    let said = refused(&home).await;
    assert!(said.contains("another master key"), "{said}");

    for broken in ["", "x", "AAAA", &"A".repeat(43)] {
        fs::write(&path, broken).unwrap();
        let said = refused(&home).await;
        assert!(said.contains("master key"), "{broken:?}: {said}");
    }
    fs::write(&path, right).unwrap();
    home.start().await.renew(&tokens.refresh).await;
}

#[tokio::test]
async fn a_database_that_is_none_is_refused_and_left_as_it_is() {
    let home = Home::new(&[]);
    drop(home.start().await);
    let path = home.data().join("symbolon.db");
    for file in fs::read_dir(home.data()).unwrap().map(|entry| entry.unwrap().path()) {
        if file.to_string_lossy().contains("symbolon.db-") {
            fs::remove_file(file).unwrap();
        }
    }
    let nonsense = b"this is no database, and never was one ".repeat(300);
    fs::write(&path, &nonsense).unwrap();
    let said = refused(&home).await;
    assert!(said.contains("symbolon.db"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), nonsense);
}

#[tokio::test]
async fn no_secret_is_kept_in_clear_and_no_file_is_open_to_others() {
    let home = Home::new(&["--grace", "0s"]);
    let mut secrets = Secrets::default();
    let mut server = home.start().await;
    for round in 0..2 {
        secrets.add_all(&server.told);
        secrets.add_all(&server.told["clients"]["service"]);
        let mut see = |answer: &Answer| secrets.add_all(&answer.json());
        let body =
            json!({"subject": format!("s{round}"), "client_id": "web", "device": {"class": "web"}});
        let ask = Ask::json("/v1/sessions", &body).with("idempotency-key", "a-key-of-a-back-end");
        let started = server.ask_as_back_end(ask).await.expect(201);
        see(&started);
        let renewed = server.refresh(&started.text("refresh_token")).await.expect(200);
        see(&renewed);
        server.refresh(&started.text("refresh_token")).await.expect_over("replayed");
        server.refresh(&format!("{}x", renewed.text("refresh_token"))).await.expect(400);
        server
            .ask(Ask::get("/v1/sessions").key(&format!("{}x", server.api_key())))
            .await
            .expect(401);
        let wrong = Ask::form("/oauth2/introspect", &[("token", &renewed.text("access_token"))]);
        server.ask(wrong.basic("service", &renewed.text("refresh_token"))).await.expect(401);
        secrets.add("a-key-of-a-back-end");
        server.tell_to_stop();
        let (home, _) = server.stopped().await;
        assert_eq!(secrets.found_below(&home.data()), [] as [String; 0]);
        server = home.start().await;
    }
    assert!(20 < secrets.len());
    assert_eq!(secrets.found_below(&home.data()), [] as [String; 0]);
    let log = home.beside("stderr.log");
    assert_eq!(secrets.found_below(log.parent().unwrap()), [] as [String; 0]);
    for path in [home.data(), home.data().join("master.key"), home.data().join("dev.json")] {
        assert!(!readable_by_others(&path), "{}", path.display());
    }
}
