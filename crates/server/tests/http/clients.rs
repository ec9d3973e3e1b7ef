//! Clients of `/oauth2`: who they are, what they may ask, and what they are told when they may not.

use crate::common::{Answer, Ask, Configuration, SERVICE_SECRET, Server, Tokens};
use serde_json::json;

const GRANT: (&str, &str) = ("grant_type", "refresh_token");

async fn server() -> Server {
    let grace = "refresh = { grace = \"60s\" }";
    let configuration = Configuration::new().client("web", grace).client("app", grace);
    Server::configured(&configuration).await
}

async fn form(server: &Server, path: &str, parameters: &[(&str, &str)]) -> Answer {
    server.ask(Ask::form(path, parameters)).await
}

#[tokio::test]
async fn a_token_that_is_not_genuine_or_not_this_clients_is_told_nothing() {
    let server = server().await;
    let stranger = Server::with(&[]).await.sign_in("alice").await;
    let own = server.sign_in("alice").await;
    let mut forged = own.refresh.clone();
    let last = if forged.pop() == Some('A') { 'E' } else { 'A' };
    forged.push(last);
    let texts = [
        &forged,
        &stranger.refresh,
        &own.access,
        &own.sid,
        &own.refresh.to_uppercase(),
        &format!("{} ", own.refresh),
        &own.refresh[..own.refresh.len() - 1],
        "sym_rt_",
        "用户",
        &"a".repeat(10_000),
    ];
    let mut said = Vec::new();
    for text in texts {
        let refused = server.refresh(text).await.expect_oauth(400, "invalid_grant", None);
        said.push(refused.text("error_description"));
    }
    let foreign = server.ask(Ask::refresh("app", &own.refresh)).await;
    said.push(foreign.expect_oauth(400, "invalid_grant", None).text("error_description"));
    said.dedup();
    assert_eq!(said.len(), 1, "they cannot be told apart: {said:?}");
    assert_eq!(server.session(&own.sid).await["generation"], 0);
    server.renew(&own.refresh).await;
}

#[tokio::test]
async fn parameters_that_are_missing_empty_or_repeated_are_invalid_requests() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let token = ("refresh_token", own.refresh.as_str());
    let client = ("client_id", "web");
    for wrong in [
        &[client, token][..],
        &[GRANT, token],
        &[GRANT, client],
        &[GRANT, client, ("refresh_token", "")],
        &[GRANT, GRANT, client, token],
        &[GRANT, client, client, token],
        &[GRANT, client, token, token],
        &[GRANT, client, token, ("scope", "orders:read"), ("scope", "orders:read")],
        &[GRANT, client, token, ("resource", "demo-api"), ("resource", "billing")],
        &[GRANT, client, token, ("unknown", "1"), ("unknown", "2")],
    ] {
        let refused = form(&server, "/oauth2/token", wrong).await;
        refused.expect_oauth(400, "invalid_request", None);
    }
    for grant in ["password", "authorization_code", "Client_Credentials", "Refresh_Token"] {
        let asked = [("grant_type", grant), client, token];
        let refused = form(&server, "/oauth2/token", &asked).await;
        refused.expect_oauth(400, "unsupported_grant_type", None);
    }
    assert_eq!(server.session(&own.sid).await["generation"], 0);
    let unknown = [GRANT, client, token, ("unknown", "1")];
    form(&server, "/oauth2/token", &unknown).await.expect(200);
}

#[tokio::test]
async fn bodies_that_are_no_forms_are_refused_in_oauths_words() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let good = Ask::refresh("web", &own.refresh);
    let kind = "content-type";
    let no_form = good.clone().without(kind).with(kind, "application/json").body("{}");
    server.ask(no_form).await.expect_oauth(415, "invalid_request", None);
    server.ask(good.clone().without(kind)).await.expect_oauth(415, "invalid_request", None);
    let large = good.clone().body(format!("refresh_token={}", "a".repeat(70_000)));
    server.ask(large).await.expect_oauth(413, "invalid_request", None);
    for body in [&b"refresh_token=%ff"[..], b"refresh_token=\xff", b"", b"&&&", b"=&="] {
        let refused = server.ask(good.clone().body(body)).await;
        refused.expect_oauth(400, "invalid_request", None);
    }
    let many: Vec<_> = (0..40).map(|at| format!("p{at}=1")).collect();
    let refused = server.ask(good.clone().body(many.join("&"))).await;
    refused.expect_oauth(400, "invalid_request", None);
    server.ask(good).await.expect(200);
}

#[tokio::test]
async fn other_methods_and_paths_are_refused_in_oauths_words() {
    let server = server().await;
    for (method, path, status) in [
        ("GET", "/oauth2/token", 405),
        ("PUT", "/oauth2/revoke", 405),
        ("GET", "/oauth2/introspect?token=x", 405),
        ("POST", "/oauth2/authorize", 404),
        ("GET", "/oauth2/", 404),
    ] {
        let refused = server.ask(Ask::new(method, path)).await;
        refused.expect_oauth(status, "invalid_request", None);
    }
}

#[tokio::test]
async fn a_confidential_client_authenticates_by_header_or_by_form_but_not_by_both() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let token = ("token", own.access.as_str());
    let id = ("client_id", "service");
    let secret = ("client_secret", SERVICE_SECRET);
    let path = "/oauth2/introspect";
    let bare = Ask::form(path, &[token]);
    for ask in [
        bare.clone().basic("service", SERVICE_SECRET),
        Ask::form(path, &[token, id]).basic("service", SERVICE_SECRET),
        Ask::form(path, &[token, id, secret]),
    ] {
        let answer = server.ask(ask).await.expect(200);
        assert_eq!(answer.member("active"), true);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    for twice in [
        Ask::form(path, &[token, id, secret]).basic("service", SERVICE_SECRET),
        Ask::form(path, &[token, ("client_id", "web")]).basic("service", SERVICE_SECRET),
    ] {
        server.ask(twice).await.expect_oauth(400, "invalid_request", None);
    }
}

#[tokio::test]
async fn a_wrong_secret_is_challenged_the_way_it_was_shown() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let bare = Ask::form("/oauth2/introspect", &[("token", &own.access)]);
    for (client, secret) in [("service", "wrong"), ("service", ""), ("nobody", "x"), ("web", "x")] {
        let by_header = server.ask(bare.clone().basic(client, secret)).await;
        let by_header = by_header.expect_oauth(401, "invalid_client", None);
        assert!(by_header.header("www-authenticate").starts_with("Basic "), "{by_header:?}");
    }
    for broken in ["Basic", "Basic !!!", "Basic c2VydmljZQ==", "Digest x", "service"] {
        let refused = server.ask(bare.clone().with("authorization", broken)).await;
        refused.expect_oauth(401, "invalid_client", None);
    }
    let in_form = [("token", &*own.access), ("client_id", "service"), ("client_secret", "wrong")];
    let by_form = form(&server, "/oauth2/introspect", &in_form).await;
    let by_form = by_form.expect_oauth(401, "invalid_client", None);
    assert_eq!(by_form.header("www-authenticate"), "", "no browser shall open a dialogue");
}

#[tokio::test]
async fn clients_cannot_pass_for_one_another() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let token = ("refresh_token", own.refresh.as_str());
    let secret = ("client_secret", "anything");
    for (parameters, error) in [
        (&[GRANT, token, ("client_id", "nobody")][..], "invalid_client"),
        (&[GRANT, token, ("client_id", "service")], "invalid_client"),
        (&[GRANT, token, ("client_id", "web"), secret], "invalid_client"),
        (&[GRANT, token, ("client_id", "WEB")], "invalid_client"),
    ] {
        let refused = form(&server, "/oauth2/token", parameters).await;
        refused.expect_oauth(401, error, None);
    }
    let service = Ask::form("/oauth2/token", &[GRANT, token]).basic("service", SERVICE_SECRET);
    server.ask(service).await.expect_oauth(400, "unauthorized_client", None);
    server.renew(&own.refresh).await;
}

#[tokio::test]
async fn only_who_may_introspects_and_inactive_says_nothing_else() {
    let server = server().await;
    let stranger = Server::with(&[]).await.sign_in("alice").await;
    let own = server.sign_in("alice").await;
    let public = [("token", &*own.access), ("client_id", "web")];
    let refused = form(&server, "/oauth2/introspect", &public).await;
    refused.expect_oauth(400, "unauthorized_client", None);
    let nobody = form(&server, "/oauth2/introspect", &[("token", &own.access)]).await;
    assert!(nobody.status.is_client_error(), "{nobody:?}");

    let mut forged = own.access.clone();
    forged.insert(forged.len() - 5, 'A');
    let none = format!("eyJhbGciOiJub25lIn0.{}.", own.access.split('.').nth(1).unwrap());
    for text in [&own.refresh, &stranger.access, &forged, &none, &own.sid, "x", "a.b.c"] {
        assert_eq!(server.introspect(text).await, json!({"active": false}), "{text}");
    }
    server.renew(&own.refresh).await;
}

#[tokio::test]
async fn an_introspection_without_a_token_is_an_invalid_request() {
    let server = server().await;
    for parameters in [&[][..], &[("token", "a"), ("token", "b")], &[("token", "")]] {
        let ask = Ask::form("/oauth2/introspect", parameters).basic("service", SERVICE_SECRET);
        server.ask(ask).await.expect_oauth(400, "invalid_request", None);
    }
}

async fn revoke(server: &Server, client: &str, token: &str) -> Answer {
    form(server, "/oauth2/revoke", &[("client_id", client), ("token", token)]).await
}

#[tokio::test]
async fn any_genuine_generation_signs_out() {
    let configuration = Configuration::new().client("web", "refresh = { grace = \"0s\" }");
    let server = Server::configured(&configuration).await;
    for back in 0..3 {
        let mut family = vec![server.sign_in("alice").await];
        for _ in 0..2 {
            let newest = server.renew(&family.last().unwrap().refresh).await;
            family.push(newest);
        }
        let other = server.sign_in("alice").await;
        let answer = revoke(&server, "web", &family[back].refresh).await.expect(200);
        assert!(answer.body.is_empty(), "{answer:?}");
        server.expect_ended(&family[0].sid, "signed_out").await;
        assert_eq!(server.session(&family[0].sid).await["by"], "client:web");
        for tokens in &family {
            server.refresh(&tokens.refresh).await.expect_over("signed_out");
            assert_eq!(server.introspect(&tokens.access).await, json!({"active": false}));
        }
        revoke(&server, "web", &family[back].refresh).await.expect(200);
        server.renew(&other.refresh).await;
    }
}

#[tokio::test]
async fn what_is_no_token_of_this_client_revokes_nothing_and_learns_nothing() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let stranger = Server::with(&[]).await.sign_in("alice").await;
    for text in ["nonsense", "sym_rt_", &stranger.refresh, &stranger.access, &own.sid] {
        revoke(&server, "web", text).await.expect(200);
    }
    revoke(&server, "app", &own.refresh).await.expect(200);
    let access = revoke(&server, "web", &own.access).await;
    access.expect_oauth(400, "unsupported_token_type", None);
    let missing = form(&server, "/oauth2/revoke", &[("client_id", "web")]).await;
    missing.expect_oauth(400, "invalid_request", None);
    let nobody = revoke(&server, "nobody", &own.refresh).await;
    nobody.expect_oauth(401, "invalid_client", None);
    server.renew(&own.refresh).await;
    let hinted =
        [("client_id", "web"), ("token", &*own.refresh), ("token_type_hint", "access_token")];
    form(&server, "/oauth2/revoke", &hinted).await.expect(200);
    server.expect_ended(&own.sid, "signed_out").await;
}

#[tokio::test]
async fn guessing_credentials_is_slowed_down_and_a_right_one_never_is() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    let guess =
        Ask::form("/oauth2/introspect", &[("token", &own.access)]).basic("service", "guess");
    let mut answers = Vec::new();
    for _ in 0..30 {
        answers.push(server.ask(guess.clone()).await);
    }
    let late = answers.pop().unwrap().expect_oauth(429, "invalid_client", None);
    assert!((1..=60).contains(&late.header("retry-after").parse::<u32>().unwrap()), "{late:?}");
    assert_eq!(answers[0].status, 401);
    let key = Ask::get("/v1/sessions").key(&server.api_key().replace("sym_ak_", "sym_ak_A"));
    let late = server.ask(key).await.expect_problem(429, "too-many-failures");
    assert_eq!(late.header("retry-after"), late.member("retry_after").to_string());

    let right = Ask::form("/oauth2/introspect", &[("token", &own.access)]);
    server.ask(right.basic("service", SERVICE_SECRET)).await.expect(200);
    server.ask_as_back_end(Ask::get("/v1/sessions")).await.expect(200);
    server.renew(&own.refresh).await;
}

#[tokio::test]
async fn refused_refresh_tokens_never_count_as_guesses() {
    let server = server().await;
    let own = server.sign_in("alice").await;
    server.kick(&own.sid).await.expect(200);
    for _ in 0..40 {
        server.refresh(&own.refresh).await.expect_over("kicked");
        server.refresh("sym_rt_guess").await.expect_oauth(400, "invalid_grant", None);
    }
    let wrong = Ask::form("/oauth2/introspect", &[("token", "x")]).basic("service", "wrong");
    server.ask(wrong).await.expect_oauth(401, "invalid_client", None);
    Tokens::of(&server.refresh(&server.sign_in("alice").await.refresh).await.expect(200));
}
