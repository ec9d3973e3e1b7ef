//! A back end that is asked before a session is renewed.

use crate::common::{
    Answer, Ask, BackEnd, Configuration, Mood, SOON, Server, Tokens, encoded, until,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::time::Duration;
use symbolon_wire::{Algorithm, KeySet, sha256, verify};
use tokio::time::Instant;

fn configuration(back_end: &BackEnd, more: &str) -> Configuration {
    let url = &back_end.url;
    let hook = format!("hook = {{ url = \"{url}\", timeout = \"5s\", {more} }}");
    Configuration::new().client("web", &hook)
}

async fn server(back_end: &BackEnd, more: &str) -> Server {
    Server::configured(&configuration(back_end, more)).await
}

/// How often a back end was asked with this outcome.
async fn counted(server: &Server, what: &str) -> u64 {
    let series = format!("symbolon_hook_calls_total{{client=\"web\",what=\"{what}\"}} ");
    let metrics = server.metrics().await;
    metrics.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).unwrap_or(0)
}

async fn roles(server: &Server, tokens: &Tokens) -> Value {
    server.claims(&tokens.access).await["roles"].clone()
}

#[tokio::test]
async fn what_the_back_end_says_stands_in_the_new_token_and_repeats_are_equal() {
    let back_end = BackEnd::saying(&json!({
        "allow": true, "roles": ["editor"], "claims": {"plan": "pro"},
    }))
    .await;
    let server = server(&back_end, "").await;
    let first = server.sign_in("alice").await;
    assert_eq!(back_end.asked(), 0, "a sign-in is the back end's own word");
    let second = server.renew(&first.refresh).await;
    let claims = server.claims(&second.access).await;
    assert_eq!((&claims["roles"], &claims["plan"]), (&json!(["editor"]), &json!("pro")));
    back_end.says(&json!({"allow": false, "end": true}));
    let repeated = server.renew(&first.refresh).await;
    assert_eq!(repeated, second, "what was answered before is answered again, to the byte");
    assert_eq!(back_end.asked(), 1);
    assert_eq!(server.session(&first.sid).await["roles"], json!(["editor"]));
    let active = server.introspect(&second.access).await;
    assert_eq!((&active["active"], &active["roles"]), (&json!(true), &json!(["editor"])));
}

#[tokio::test]
async fn the_back_end_knows_who_asks_and_about_whom() {
    let back_end = BackEnd::saying(&json!({"allow": true})).await;
    let server = server(&back_end, "").await;
    let body = json!({
        "subject": "alice", "client_id": "web", "roles": ["guest"], "claims": {"plan": "free"},
        "device": {"class": "app", "id": "phone", "name": "Alice's phone"},
        "scope": "orders:read", "authenticated_at": 1_700_000_000,
    });
    let first = Tokens::of(&server.start_session(&body).await.expect(201));
    server.renew(&first.refresh).await;
    let [heard] = &back_end.heard()[..] else { panic!("asked {} times", back_end.asked()) };
    let said = heard.json();
    assert_eq!(said["session_id"], first.sid);
    assert_eq!((&said["subject"], &said["client_id"]), (&json!("alice"), &json!("web")));
    assert_eq!((&said["roles"], &said["claims"]), (&json!(["guest"]), &json!({"plan": "free"})));
    let device = json!({"class": "app", "id": "phone", "name": "Alice's phone"});
    assert_eq!((&said["device"], &said["scope"]), (&device, &json!("orders:read")));
    assert_eq!(said["authenticated_at"], 1_700_000_000);

    let keys = KeySet::parse(&server.jwks().await).unwrap();
    let Ok(payload) = verify(&keys, Algorithm::EdDsa, heard.token()) else {
        panic!("the published keys do not verify it")
    };
    let told: Value = serde_json::from_slice(payload.bytes()).unwrap();
    assert_eq!((&told["aud"], &told["sub"]), (&json!(back_end.url), &json!("alice")));
    assert_eq!((&told["sid"], &told["client_id"]), (&json!(first.sid), &json!("web")));
    let digest = BASE64URL_NOPAD.encode(&sha256(&heard.body).0);
    assert_eq!(told["body_sha256"], digest);
    let lives = told["exp"].as_u64().unwrap() - told["iat"].as_u64().unwrap();
    assert_eq!(lives, 60);
    let header = heard.token().split('.').next().unwrap();
    let header: Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).unwrap()).unwrap();
    assert_eq!(header["typ"], "symbolon-hook+jwt");
}

#[tokio::test]
async fn what_signs_a_question_opens_no_door() {
    let back_end = BackEnd::saying(&json!({"allow": true})).await;
    let server = server(&back_end, "").await;
    let first = server.sign_in("alice").await;
    server.renew(&first.refresh).await;
    let token = back_end.heard()[0].token().to_owned();
    assert_eq!(server.introspect(&token).await["active"], false);
    server.ask(Ask::get("/v1/me/sessions").key(&token)).await.expect(401);
}

#[tokio::test]
async fn a_refusal_leaves_the_session_and_its_token_alive() {
    let refusal = json!({"allow": false, "reason": "permissions_changed", "note": "unpaid"});
    let back_end = BackEnd::saying(&refusal).await;
    let server = server(&back_end, "").await;
    let first = server.sign_in("alice").await;
    let began = Instant::now();
    for _ in 0..3 {
        let refused = server.refresh(&first.refresh).await;
        refused.expect_oauth(400, "access_denied", Some("permissions_changed"));
    }
    let at_once = began.elapsed() < Duration::from_secs(4);
    assert!(back_end.asked() == 1 || !at_once, "who tries again at once is told the same");
    let history = server.list("/v1/events?subject=alice").await;
    let lines: Vec<_> = history.iter().filter(|line| line["change"] == "withheld").collect();
    assert_eq!(lines.len(), back_end.asked(), "a refusal is written down once: {history:?}");
    assert_eq!(lines[0]["session_id"], first.sid);
    assert_eq!((&lines[0]["note"], &lines[0]["effect"]), (&json!("unpaid"), &json!("none")));
    assert_eq!(lines[0]["reason"], "permissions_changed");
    assert_eq!(server.introspect(&first.access).await["active"], true);
    back_end.says(&json!({"allow": true, "roles": ["paid"]}));
    let renewed = until("the refusal is old", || async {
        let answer = server.refresh(&first.refresh).await;
        (answer.status == 200).then(|| Tokens::of(&answer))
    });
    assert_eq!(roles(&server, &renewed.await).await, json!(["paid"]));
}

#[tokio::test]
async fn a_refusal_may_end_the_session_everywhere() {
    let back_end = BackEnd::saying(&json!({"allow": false, "reason": "banned", "end": true})).await;
    let server = server(&back_end, "").await;
    let first = server.sign_in("alice").await;
    server.refresh(&first.refresh).await.expect_over("banned");
    server.expect_ended(&first.sid, "banned").await;
    assert_eq!(server.introspect(&first.access).await["active"], false);
    server.refresh(&first.refresh).await.expect_over("banned");
    assert_eq!(back_end.asked(), 1);
}

#[tokio::test]
async fn nobody_is_asked_about_what_earns_nothing() {
    let back_end = BackEnd::saying(&json!({"allow": true})).await;
    let configuration = configuration(&back_end, "")
        .client("app", &format!("hook = {{ url = \"{}\" }}", back_end.url));
    let server = Server::configured(&configuration).await;
    let first = server.sign_in("alice").await;
    let mut forged = first.refresh.clone();
    forged.replace_range(20..21, if &forged[20..21] == "A" { "B" } else { "A" });
    server.refresh(&forged).await.expect(400);
    server.ask(Ask::refresh("app", &first.refresh)).await.expect(400);
    server.switch("web", &json!({"disabled": true})).await.expect(200);
    server.refresh(&first.refresh).await.expect_over("client_disabled");
    server.switch("web", &json!({"disabled": false})).await.expect(200);
    server.kick(&first.sid).await.expect(200);
    server.refresh(&first.refresh).await.expect_over("kicked");
    assert_eq!(back_end.asked(), 0);
}

#[tokio::test]
async fn fifty_renewals_at_once_are_one_question_and_one_answer() {
    let back_end = BackEnd::saying(&json!({})).await;
    let server = server(&back_end, "").await;
    let first = server.sign_in("alice").await;
    back_end.is(Mood::Waits(json!({"allow": true, "roles": ["editor"]}).to_string()));
    let all = async {
        let asking = (0..50).map(|_| server.refresh(&first.refresh));
        futures_all(asking.collect()).await
    };
    let release = async {
        until("the back end is asked", || async { (0 < back_end.asked()).then_some(()) }).await;
        back_end.let_go();
    };
    let (answers, ()) = tokio::join!(all, release);
    let tokens: Vec<_> = answers.iter().map(Tokens::of).collect();
    assert!(tokens.iter().all(|own| *own == tokens[0]), "one successor for all");
    assert_eq!(roles(&server, &tokens[0]).await, json!(["editor"]));
    assert_eq!(back_end.asked(), 1);
}

/// Waits for all of them at once.
async fn futures_all<F: Future<Output = Answer>>(asking: Vec<F>) -> Vec<Answer> {
    let mut pending: Vec<_> = asking.into_iter().map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, answer) in &mut pending {
            if answer.is_none()
                && let std::task::Poll::Ready(done) = one.as_mut().poll(context)
            {
                *answer = Some(done);
            }
        }
        match pending.iter().all(|(_, answer)| answer.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    pending.into_iter().filter_map(|(_, answer)| answer).collect()
}

#[tokio::test]
async fn without_a_word_what_was_known_stands() {
    let back_end = BackEnd::saying(&json!({"allow": true, "roles": ["editor"]})).await;
    let server = server(&back_end, "").await;
    let mut tokens = server.renew(&server.sign_in("alice").await.refresh).await;
    let elsewhere = BackEnd::saying(&json!({"allow": true, "roles": ["thief"]})).await;
    let long = json!({"allow": true, "claims": {"text": "x".repeat(50_000)}}).to_string();
    for (mood, what) in [
        (Mood::Status(500), "status"),
        (Mood::Says("<html>".to_owned()), "malformed"),
        (Mood::Says(r#"{"allow":true,"role":["owner"]}"#.to_owned()), "malformed"),
        (Mood::Says(long), "oversized"),
        (Mood::Redirects(elsewhere.url.clone()), "status"),
    ] {
        let before = counted(&server, what).await;
        back_end.is(mood);
        tokens = server.renew(&tokens.refresh).await;
        assert_eq!(roles(&server, &tokens).await, json!(["editor"]), "{what}");
        assert_eq!(counted(&server, what).await, before + 1, "{what}");
    }
    assert_eq!(elsewhere.asked(), 0, "the question is signed for one URL and goes nowhere else");
    let gone = back_end.goes_away().await;
    tokens = server.renew(&tokens.refresh).await;
    assert_eq!(roles(&server, &tokens).await, json!(["editor"]));
    let back_end = gone.comes_back();
    back_end.says(&json!({"allow": true, "roles": ["owner"]}));
    hears(&server, "owner").await;
}

#[tokio::test]
async fn a_back_end_that_says_nothing_is_not_waited_for() {
    let back_end = BackEnd::saying(&json!({})).await;
    back_end.is(Mood::Silent);
    let hook = format!("hook = {{ url = \"{}\", timeout = \"50ms\" }}", back_end.url);
    let server = Server::configured(&Configuration::new().client("web", &hook)).await;
    server.renew(&server.sign_in("alice").await.refresh).await;
    assert_eq!(counted(&server, "late").await, 1);
}

#[tokio::test]
async fn without_a_word_a_renewal_waits_where_the_setting_says_so() {
    let back_end = BackEnd::saying(&json!({"allow": true})).await;
    let server = server(&back_end, "on_failure = \"refuse\"").await;
    let first = server.sign_in("alice").await;
    let gone = back_end.goes_away().await;
    let refused = server.refresh(&first.refresh).await;
    assert_eq!(refused.header("retry-after"), "1");
    refused.expect_oauth(503, "temporarily_unavailable", None);
    assert_eq!(server.introspect(&first.access).await["active"], true);
    let _back_end = gone.comes_back();
    server.renew(&first.refresh).await;
}

#[tokio::test]
async fn a_back_end_that_is_away_is_left_alone_for_a_while() {
    let back_end = BackEnd::saying(&json!({"allow": true})).await;
    let server = server(&back_end, "").await;
    back_end.is(Mood::Status(503));
    let paused = until("nobody asks any more", || async {
        let before = back_end.asked();
        let many = server.sign_in("somebody").await;
        server.renew(&many.refresh).await;
        (back_end.asked() == before).then_some(())
    });
    paused.await;
    assert!(5 <= back_end.asked(), "{}", back_end.asked());
    assert!(0 < counted(&server, "paused").await);
    back_end.says(&json!({"allow": true, "roles": ["editor"]}));
    hears(&server, "editor").await;
    let tokens = server.renew(&server.sign_in("alice").await.refresh).await;
    assert_eq!(roles(&server, &tokens).await, json!(["editor"]));
}

/// Waits until renewals carry the role that the back end tells.
async fn hears(server: &Server, role: &str) {
    let heard = until("the back end is heard again", || async {
        let next = server.renew(&server.sign_in("somebody").await.refresh).await;
        (roles(server, &next).await == json!([role])).then_some(())
    });
    heard.await;
}

#[tokio::test]
async fn what_was_told_outlives_the_process_and_repeats_stay_equal() {
    let back_end = BackEnd::saying(&json!({"allow": true, "roles": ["editor"]})).await;
    let hook = format!("hook = {{ url = \"{}\" }}\nrefresh = {{ grace = \"60s\" }}", back_end.url);
    let server = Server::configured(&Configuration::new().client("web", &hook)).await;
    let first = server.sign_in("alice").await;
    let second = server.renew(&first.refresh).await;
    let server = server.kill().await.start().await;
    assert_eq!(server.renew(&first.refresh).await, second);
    assert_eq!(back_end.asked(), 1);
    let gone = back_end.goes_away().await;
    let third = server.renew(&second.refresh).await;
    assert_eq!(roles(&server, &third).await, json!(["editor"]));
    drop(gone);
}

#[tokio::test]
async fn a_process_that_dies_while_it_asks_has_renewed_nothing() {
    let back_end = BackEnd::saying(&json!({})).await;
    let server = server(&back_end, "").await;
    let first = server.sign_in("alice").await;
    back_end.is(Mood::Waits(json!({"allow": true}).to_string()));
    let home = {
        let asking = tokio::time::timeout(SOON, server.refresh(&first.refresh));
        let asked =
            until("the back end is asked", || async { (0 < back_end.asked()).then_some(()) });
        tokio::select! {
            _ = asking => panic!("nothing was said yet"),
            () = asked => {}
        }
        server.kill().await
    };
    back_end.says(&json!({"allow": true, "roles": ["editor"]}));
    let server = home.start().await;
    assert_eq!(server.session(&first.sid).await["generation"], 0);
    let second = server.renew(&first.refresh).await;
    assert_eq!(roles(&server, &second).await, json!(["editor"]));
}

#[tokio::test]
async fn roles_that_an_operator_changes_hold_until_the_back_end_says_more() {
    let back_end = BackEnd::saying(&json!({"allow": true, "roles": ["owner"]})).await;
    let server = server(&back_end, "").await;
    let tokens = server.renew(&server.sign_in("alice").await.refresh).await;
    let path = format!("/v1/subjects/{}", encoded("alice"));
    let body = json!({"roles": ["guest"]});
    server.ask_as_back_end(Ask::put(&path, &body)).await.expect(200);
    let gone = back_end.goes_away().await;
    let next = server.renew(&tokens.refresh).await;
    assert_eq!(roles(&server, &next).await, json!(["guest"]), "not what was told before");
    let _back_end = gone.comes_back();
    let last = server.renew(&next.refresh).await;
    assert_eq!(roles(&server, &last).await, json!(["owner"]));
}

#[tokio::test]
async fn what_was_asked_of_somebody_who_is_changed_meanwhile_is_asked_again() {
    let back_end = BackEnd::saying(&json!({})).await;
    let server = server(&back_end, "").await;
    let first = server.sign_in("alice").await;
    back_end.is(Mood::Waits(json!({"allow": true, "roles": ["owner"]}).to_string()));
    let change = async {
        until("the back end is asked", || async { (0 < back_end.asked()).then_some(()) }).await;
        let body = json!({"roles": ["guest"]});
        server.ask_as_back_end(Ask::put("/v1/subjects/alice", &body)).await.expect(200);
        back_end.says(&json!({"allow": true}));
        back_end.let_go();
    };
    let (refused, ()) = tokio::join!(server.refresh(&first.refresh), change);
    refused.expect_oauth(503, "temporarily_unavailable", None);
    let next = server.renew(&first.refresh).await;
    assert_eq!(roles(&server, &next).await, json!(["guest"]), "not what was said before");
    assert_eq!(back_end.heard()[1].json()["roles"], json!(["guest"]));
}

#[tokio::test]
async fn a_reload_changes_whom_to_ask() {
    let back_end = BackEnd::saying(&json!({"allow": true, "roles": ["old"]})).await;
    let server = server(&back_end, "").await;
    let tokens = server.renew(&server.sign_in("alice").await.refresh).await;
    let other = BackEnd::saying(&json!({"allow": true, "roles": ["new"]})).await;
    server.home.reconfigure(&configuration(&other, ""));
    let said = server.reload().await;
    assert!(said.contains("client web: hook"), "{said}");
    let tokens = server.renew(&tokens.refresh).await;
    assert_eq!(roles(&server, &tokens).await, json!(["new"]));
    let shown = server.ask_as_back_end(Ask::get("/v1/clients/web")).await.expect(200);
    let hook = json!({"timeout": "5s", "on_failure": "last-known"});
    assert_eq!(shown.member("hook"), hook, "the URL may have a secret in it");
}
