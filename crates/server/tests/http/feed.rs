//! `GET /v1/feed` and its sisters: what a verifier is told, in which order, and how it knows that it is all.

use crate::common::{
    Ask, Configuration, Follower, Mirror, Server, Tampering, at_once, pass, run, until,
};
use serde_json::{Value, json};
use std::time::Duration;
use symbolon_core::{Effect, Reason, StoreEpoch};
use symbolon_wire::feed::{
    BLOCK, Checkpoint, Cursor, Frame, FrameReader, Hit, TargetKey, TargetKind,
};

async fn revoke(server: &Server, target: Value, effect: &str, reason: &str) -> u64 {
    let body = json!({"target": target, "effect": effect, "reason": reason});
    let answer = server.ask_as_back_end(Ask::json("/v1/revocations", &body)).await.expect(200);
    answer.member("position").as_u64().unwrap()
}

/// The key under which targets are digested, as a snapshot delivers it.
async fn target_key(server: &Server) -> TargetKey {
    let answer = server.ask_as_back_end(Ask::get("/v1/feed/snapshot")).await.expect(200);
    let line = answer.body.split(|byte| *byte == b'\n').next().unwrap();
    let line: Value = serde_json::from_slice(line).unwrap();
    TargetKey::parse(line["digest_key"].as_str().unwrap()).unwrap()
}

fn frames(body: &[u8]) -> Vec<Frame> {
    let mut reader = FrameReader::default();
    reader.push(body);
    std::iter::from_fn(|| reader.next_frame()).map(Result::unwrap).collect()
}

#[tokio::test]
async fn every_kind_of_revocation_is_told_in_order_and_vouched_for() {
    let server = Server::with(&[]).await;
    let mut mirror = Mirror::start(&server).await;
    let mut stream = Follower::of(&server, &mirror.path()).await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["cache-control"], "no-store");
    assert_eq!(stream.headers["x-accel-buffering"], "no");

    let tokens = server.sign_in("alice").await;
    let claims = server.claims(&tokens.access).await;
    let jti = claims["jti"].as_str().unwrap().to_owned();
    let keys = server.ask_as_back_end(Ask::get("/v1/keys")).await.expect(200).json();
    let kid = keys["items"][0]["kid"].as_str().unwrap().to_owned();
    // Who is signed in nowhere has nothing to renew, and that is no event.
    server.sign_in("alice").await;
    server.kick(&tokens.sid).await.expect(200);
    revoke(&server, json!({"jti": jti}), "revoked", "admin").await;
    revoke(&server, json!({"sub": "alice"}), "stale", "permissions_changed").await;
    revoke(&server, json!({"client_id": "web"}), "revoked", "key_compromised").await;
    revoke(&server, json!({"kid": kid}), "stale", "key_compromised").await;
    let last = revoke(&server, json!({"everything": true}), "stale", "admin").await;
    // The checkpoint after it may be by the key that took the place of the revoked one.
    while mirror.cursor.position < last {
        let frame = stream.next().await.unwrap();
        if matches!(frame, Frame::Revocation(..)) {
            mirror.take(&frame);
        }
    }

    let key = target_key(&server).await;
    let told: Vec<_> = mirror.seen.iter().map(|one| one.entry).collect();
    let digest = |kind, value: &str| key.digest(kind, value);
    assert_eq!(told[0].hit, Hit::Session(digest(TargetKind::Session, &tokens.sid)));
    assert_eq!((told[0].effect, told[0].reason), (Effect::Revoked, Reason::Kicked));
    assert_eq!(told[1].hit, Hit::Token(digest(TargetKind::Token, &jti)));
    let Hit::Subject(subject, below) = told[2].hit else { panic!("{:?}", told[2]) };
    assert_eq!((subject, below.counter), (digest(TargetKind::Subject, "alice"), 1));
    assert_eq!((told[2].effect, told[2].reason), (Effect::Stale, Reason::PermissionsChanged));
    let Hit::Client(client, _) = told[3].hit else { panic!("{:?}", told[3]) };
    assert_eq!(client, digest(TargetKind::Client, "web"));
    let Hit::Key(revoked) = told[4].hit else { panic!("{:?}", told[4]) };
    assert_eq!(symbolon_wire::key_id_text(revoked), kid);
    assert!(matches!(told[5].hit, Hit::Everything(below) if below.counter == 1));
    assert_eq!(told.len(), 6);
}

#[tokio::test]
async fn a_snapshot_and_the_stream_after_it_are_all_there_is() {
    let server = Server::with(&[]).await;
    let whole = Mirror::start(&server).await;
    server.revoke_thousand(0).await;
    let mut late = Mirror::start(&server).await;
    assert_eq!((late.cursor.position, late.entries.len()), (1000, 1000));
    server.revoke_thousand(1).await;
    for mirror in [&mut late, &mut { whole }] {
        let mut stream = Follower::of(&server, &mirror.path()).await;
        mirror.follow(&mut stream, 2000).await;
        assert_eq!(mirror.entries.len(), 2000, "over the end of a block at {BLOCK}");
    }
    let again = Mirror::start(&server).await;
    assert_eq!(again.entries, late.entries, "in the order of the feed");
    assert_eq!(again.cursor, late.cursor);
}

#[tokio::test]
async fn a_poll_says_what_the_stream_says_a_block_at_a_time() {
    let server = Server::with(&[]).await;
    let mut mirror = Mirror::start(&server).await;
    for round in 0..3 {
        server.revoke_thousand(round).await;
    }
    let mut ends = Vec::new();
    while mirror.cursor.position < 3000 {
        let path = format!("/v1/feed/poll?after={}&nonce=n-7", mirror.cursor.to_text());
        let answer = server.ask_as_back_end(Ask::get(&path)).await.expect(200);
        assert_eq!(answer.header("content-type"), "text/event-stream");
        let frames = frames(&answer.body);
        let (last, before) = frames.split_last().unwrap();
        assert!(before.iter().all(|frame| matches!(frame, Frame::Revocation(..))));
        assert!(matches!(last, Frame::Checkpoint(_)), "it ends with one checkpoint");
        frames.iter().for_each(|frame| mirror.take(frame));
        assert_eq!(mirror.checkpoint.as_ref().unwrap().nonce.as_deref(), Some("n-7"));
        ends.push(mirror.cursor.position);
    }
    assert_eq!(ends, [1024, 2048, 3000]);
}

#[tokio::test]
async fn a_checkpoint_in_the_middle_does_not_vouch_for_the_head() {
    let server = Server::with(&[]).await;
    let mirror = Mirror::start(&server).await;
    server.revoke_thousand(0).await;
    let before = Mirror::start(&server).await.checkpoint.unwrap();
    server.revoke_thousand(1).await;
    pass(Duration::from_millis(1100)).await;
    let path = format!("/v1/feed/poll?after={}", mirror.cursor.to_text());
    let answer = server.ask_as_back_end(Ask::get(&path)).await.expect(200);
    let frames = frames(&answer.body);
    let Some(Frame::Checkpoint(jws)) = frames.last() else { panic!("{frames:?}") };
    let middle = Checkpoint::read(&mirror.keys, jws).unwrap();
    assert_eq!(middle.cursor.position, BLOCK);
    assert!(before.read_at <= middle.now);
    let age = middle.now.since(middle.read_at);
    assert!(
        Duration::from_millis(1000) <= age,
        "more came after it: it is as old as that, {age:?}"
    );
}

#[tokio::test]
async fn a_poll_that_waits_is_answered_at_once_when_something_happens() {
    let server = Server::with(&[]).await;
    let sid = server.sign_in("alice").await.sid;
    let mut mirror = Mirror::start(&server).await;
    let path = format!("/v1/feed/poll?after={}&wait=15s", mirror.cursor.to_text());
    let waiting = Follower::of(&server, &path).await;
    server.kick(&sid).await.expect(200);
    for frame in waiting.rest().await {
        mirror.take(&frame);
    }
    assert_eq!((mirror.seen.len(), mirror.cursor.position), (1, 1));
    let path = format!("/v1/feed/poll?after={}&wait=50ms", mirror.cursor.to_text());
    let nothing = Follower::of(&server, &path).await.rest().await;
    assert!(matches!(&nothing[..], [Frame::Checkpoint(_)]), "{nothing:?}");
}

#[tokio::test]
async fn an_idle_stream_has_a_checkpoint_each_second() {
    let server = Server::with(&[]).await;
    let mut mirror = Mirror::start(&server).await;
    let mut stream = Follower::of(&server, &mirror.path()).await;
    let mut read = Vec::new();
    while read.len() < 4 {
        let frame = stream.next().await.unwrap();
        mirror.take(&frame);
        read.push(mirror.checkpoint.as_ref().unwrap().read_at);
    }
    assert!(read.is_sorted(), "{read:?}");
    assert!(Duration::from_millis(1500) <= read[3].since(read[0]), "{read:?}");
}

#[tokio::test]
async fn a_cursor_that_is_not_of_this_feed_is_refused() {
    let server = Server::with(&[]).await;
    server.revoke_thousand(0).await;
    let cursor = Mirror::start(&server).await.cursor;
    let ask = async |path: &str| server.ask_as_back_end(Ask::get(path)).await;
    for wrong in [
        Cursor { epoch: StoreEpoch(9), ..cursor },
        Cursor { position: cursor.position + 1, ..cursor },
        Cursor { position: cursor.position - 1, ..cursor },
        Cursor { chain: Cursor::block(StoreEpoch(0), 0).chain, ..cursor },
    ] {
        for path in ["/v1/feed", "/v1/feed/poll"] {
            let path = format!("{path}?after={}", wrong.to_text());
            ask(&path).await.expect_problem(410, "cursor-gone");
        }
    }
    let after = Cursor { position: 4, ..cursor }.to_text();
    let stale =
        Ask::get(&format!("/v1/feed?after={}", cursor.to_text())).with("last-event-id", &after);
    server.ask_as_back_end(stale).await.expect_problem(410, "cursor-gone");
    for wrong in [
        "/v1/feed?after=x",
        "/v1/feed?after=",
        "/v1/feed?since=1",
        "/v1/feed/poll",
        "/v1/feed/snapshot?after=x",
    ] {
        ask(wrong).await.expect_problem(400, "malformed");
    }
    let poll = format!("/v1/feed/poll?after={}", cursor.to_text());
    for wrong in
        ["wait=31s", "wait=1", "nonce=", "nonce=a%20b", &format!("nonce={}", "n".repeat(65))]
    {
        ask(&format!("{poll}&{wrong}")).await.expect_problem(400, "malformed");
    }
}

#[tokio::test]
async fn a_stream_goes_on_where_the_header_says() {
    let server = Server::with(&[]).await;
    let mut mirror = Mirror::start(&server).await;
    let old = mirror.path();
    server.revoke_thousand(0).await;
    let mut stream = Follower::of(&server, &old).await;
    mirror.follow(&mut stream, 400).await;
    let stood = mirror.cursor.to_text();
    let ask = Ask::get(&old).key(server.api_key()).with("last-event-id", &stood);
    let mut stream = Follower::asking(&server, ask).await;
    mirror.follow(&mut stream, 1000).await;
    assert_eq!(mirror.seen.len(), 1000);
}

#[tokio::test]
async fn a_restart_keeps_cursors_and_digests() {
    let server = Server::with(&[]).await;
    let mut mirror = Mirror::start(&server).await;
    for round in 0..2 {
        server.revoke_thousand(round).await;
    }
    let mut stream = Follower::of(&server, &mirror.path()).await;
    mirror.follow(&mut stream, 700).await;
    let server = server.kill().await.start().await;
    let mut stream = loop_until_ready(&server, &mirror).await;
    mirror.follow(&mut stream, 2000).await;
    assert_eq!(mirror.entries.len(), 2000, "over the end of a block that was signed anew");
    assert_eq!(Mirror::start(&server).await.entries, mirror.entries);
}

/// After a start the feed is read in the background.
async fn loop_until_ready(server: &Server, mirror: &Mirror) -> Follower {
    let path = mirror.path().replace("/v1/feed?", "/v1/feed/poll?");
    let ready = || async {
        let answer = server.ask_as_back_end(Ask::get(&path)).await;
        match answer.status.as_u16() {
            503 => {
                assert_eq!(answer.header("retry-after"), "1");
                None
            }
            _ => Some(answer.expect(200)),
        }
    };
    until("the feed is ready", ready).await;
    Follower::of(server, &mirror.path()).await
}

#[tokio::test]
async fn a_restore_ends_every_cursor_and_forgets_no_end() {
    let web = "preset = \"dual-token\"\norigins = [\"https://app.example.com\"]";
    let server = Server::configured(&Configuration::new().client("web", web)).await;
    let sid = server.sign_in("alice").await.sid;
    let configuration = server.home.beside("symbolon.toml").display().to_string();
    let copy = server.home.beside("copy").display().to_string();
    let backup = run(&["backup", &copy, "--config", &configuration]);
    assert!(backup.status.success(), "{backup:?}");
    server.kick(&sid).await.expect(200);
    let before = Mirror::start(&server).await;
    let home = server.kill().await;
    let restore = run(&["restore", &copy, "--config", &configuration]);
    assert!(restore.status.success(), "{restore:?}");
    let server = home.start().await;
    let after = until("the feed is ready", || async {
        let answer = server.ask_as_back_end(Ask::get("/v1/feed/snapshot")).await;
        (answer.status == 200).then_some(())
    });
    after.await;
    server.ask_as_back_end(Ask::get(&before.path())).await.expect_problem(410, "cursor-gone");
    let after = Mirror::start(&server).await;
    assert!(before.cursor.epoch < after.cursor.epoch);
    let hit = before.entries[0].hit;
    assert!(after.entries.iter().any(|entry| entry.hit == hit), "{:?}", after.entries);
}

#[tokio::test]
async fn without_its_store_the_authority_signs_no_checkpoint() {
    let server = Server::with(&[]).await;
    let sid = server.sign_in("alice").await.sid;
    let mut mirror = Mirror::start(&server).await;
    let mut stream = Follower::of(&server, &mirror.path()).await;
    let tampering = Tampering::with(&server, "pread64:error=EIO").await;
    // Whether this could be done is not known; what matters is that the store must be read from its files.
    let _ = server.kick(&sid).await;
    let silent = async {
        loop {
            let frame = stream.next().await.expect("the stream stays open");
            mirror.take(&frame);
        }
    };
    let quiet = tokio::time::timeout(Duration::from_secs(4), silent).await;
    assert!(quiet.is_err());
    let newest = mirror.checkpoint.clone().unwrap();
    let poll = format!("/v1/feed/poll?after={}", mirror.cursor.to_text());
    server.ask_as_back_end(Ask::get(&poll)).await.expect(503);
    tampering.stop().await;
    let frame = stream.next().await.expect("the stream goes on");
    mirror.take(&frame);
    while mirror.checkpoint.as_ref() == Some(&newest) {
        let frame = stream.next().await.expect("the stream goes on");
        mirror.take(&frame);
    }
    let age = mirror.checkpoint.unwrap().read_at.since(newest.read_at);
    assert!(Duration::from_secs(3) <= age, "none was signed meanwhile: {age:?}");
}

#[tokio::test]
async fn whoever_stops_reading_delays_nobody_and_is_let_go() {
    let server = Server::with(&[]).await;
    let mut mirror = Mirror::start(&server).await;
    let silent = Follower::of(&server, &mirror.path()).await;
    let mut stream = Follower::of(&server, &mirror.path()).await;
    for round in 0..32 {
        server.revoke_thousand(round).await;
        mirror.follow(&mut stream, (round as u64 + 1) * 1000).await;
    }
    // The demo APIs of `dev` may be two more.
    assert!(2 <= figure(&server.metrics().await, "symbolon_feed_followers"));
    let frames = silent.rest().await;
    assert!(matches!(frames.last(), Some(Frame::Bye(_))), "{:?}", frames.last());
    assert!(frames.len() < 32_000, "{}", frames.len());
    let metrics = server.metrics().await;
    assert!(1 <= figure(&metrics, "symbolon_feed_followers_dropped_total"), "{metrics}");
    assert!(metrics.contains("symbolon_feed_position 32000"), "{metrics}");
}

#[tokio::test]
async fn an_authority_that_stops_says_goodbye_and_waits_for_nobody() {
    let server = Server::with(&[]).await;
    let mirror = Mirror::start(&server).await;
    let polite = Follower::of(&server, &mirror.path()).await;
    let path = format!("/v1/feed/poll?after={}&wait=30s", mirror.cursor.to_text());
    let waiting = Follower::of(&server, &path).await;
    server.tell_to_stop();
    let said = polite.rest().await;
    assert_eq!(said.last(), Some(&Frame::Bye(Duration::from_secs(1))), "{said:?}");
    assert!(matches!(waiting.rest().await.last(), Some(Frame::Checkpoint(_))));
    let (_, status) = server.stopped().await;
    assert!(status.success());
}

#[tokio::test]
async fn only_who_may_is_told_anything() {
    let server = Server::configured(&Configuration::new()).await;
    let other = server.new_api_key("sessions:read", None).await;
    let limited = server.new_api_key("sessions:read,revocations:read,admin", Some("service")).await;
    let calls = [
        Ask::get("/v1/feed"),
        Ask::get("/v1/feed/poll?after=x"),
        Ask::get("/v1/feed/snapshot"),
        Ask::json("/v1/feed/applied", &json!({})),
        Ask::json("/v1/feed/ended", &json!({"sids": []})),
        Ask::get("/v1/verifiers"),
    ];
    for ask in calls {
        server.ask(ask.clone()).await.expect_problem(401, "unauthorized");
        server.ask(ask.clone().key(&other)).await.expect_problem(403, "insufficient-scope");
        server.ask(ask.key(&limited)).await.expect_problem(403, "key-limited");
    }
}

#[tokio::test]
async fn a_hundred_followers_hear_of_the_same_end() {
    let server = Server::with(&[]).await;
    let sid = server.sign_in("alice").await.sid;
    let mirror = Mirror::start(&server).await;
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(Follower::of(&server, &mirror.path()).await);
    }
    at_once(
        &server.authority,
        vec![Ask::delete(&format!("/v1/sessions/{sid}")).key(server.api_key())],
    )
    .await;
    for stream in &mut streams {
        while !matches!(stream.next().await.unwrap(), Frame::Revocation(..)) {}
    }
}

#[tokio::test]
async fn a_key_is_announced_to_who_follows() {
    let server = Server::with(&[]).await;
    let mirror = Mirror::start(&server).await;
    let mut stream = Follower::of(&server, &mirror.path()).await;
    let turned = server.ask_as_back_end(Ask::json("/v1/keys/rotate", &json!({}))).await.expect(200);
    let notice = loop {
        if let Frame::Key(notice) = stream.next().await.unwrap() {
            break notice;
        }
    };
    assert_eq!(notice.state, "announced");
    let kid = symbolon_wire::key_id_text(notice.kid);
    let items = turned.member("items");
    assert!(items.as_array().unwrap().iter().any(|key| key["kid"] == kid), "{items}");
}

#[tokio::test]
async fn open_connections_can_ask_whose_session_is_over() {
    let server = Server::with(&[]).await;
    let (kept, gone) = (server.sign_in("alice").await.sid, server.sign_in("bob").await.sid);
    server.kick(&gone).await.expect(200);
    let unknown = "AAAAAAAAAAAAAAAAAAAAAA";
    let body = json!({"sids": [kept, gone, unknown]});
    let answer = server.ask_as_back_end(Ask::json("/v1/feed/ended", &body)).await.expect(200);
    let expected = json!([
        {"session_id": gone, "reason": "kicked"},
        {"session_id": unknown, "reason": "expired"},
    ]);
    assert_eq!(answer.member("ended"), expected);
    for wrong in [json!({"sids": ["x"]}), json!({"sids": vec![unknown; 1001]}), json!({})] {
        let answer = server.ask_as_back_end(Ask::json("/v1/feed/ended", &wrong)).await;
        answer.expect_problem(400, "malformed");
    }
}

/// A figure of the metrics' text.
fn figure(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
}
