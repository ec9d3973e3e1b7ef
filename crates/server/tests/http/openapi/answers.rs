//! What the authority really answers, against the document: status, headers, code, every member.

mod feed;
mod one_time;
mod operators;

use super::call::JSON_LINES;
use super::checker::Checker;
use super::{document, operations};
use crate::common::{Answer, Ask, Configuration, SERVICE_SECRET, Server, Tokens};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use symbolon_wire::SecretHash;

/// A walk through all calls; it remembers what it has seen.
struct Walk {
    server: Server,
    document: Value,
    seen: BTreeSet<(String, u16)>,
}

impl Walk {
    async fn begin() -> Self {
        let web = "origins = [\"https://app.example.com\"]\nrefresh = { grace = \"60s\" }";
        let one = "devices = { per_subject = 1, overflow = \"refuse\" }";
        let gateway = "trusted_proxies = [\"127.0.0.1\"]\naudience = \"demo-api\"\n\
                       login_url = \"https://login.example.com/\"\n\
                       rules = [{ name = \"all\", prefix = \"/\" }]";
        let configuration = Configuration::new().client("web", web).client("one", one);
        let hash = SecretHash::of(SERVICE_SECRET).to_text();
        let payer =
            format!("preset = \"service\"\nsecret_hash = \"{hash}\"\naudience = [\"payments\"]");
        let configuration = configuration.audience("payments", "one_use = true");
        let configuration = configuration.bare_client("payer", &payer).gateway(gateway);
        let server = Server::configured(&configuration).await;
        Self { server, document: document::whole(), seen: BTreeSet::new() }
    }

    /// Asks as the back end, and holds the answer against the call as the document has it.
    async fn ask(&mut self, call: &str, status: u16, ask: Ask) -> Answer {
        let key = self.server.api_key().to_owned();
        self.ask_as_anybody(call, status, ask.key(&key)).await
    }

    /// The same without an API key.
    async fn ask_as_anybody(&mut self, call: &str, status: u16, ask: Ask) -> Answer {
        let answer = self.server.ask(ask.clone()).await.expect(status);
        self.hold(call, &answer);
        if answer.status.is_success() {
            self.hold_sent(call, ask.sent());
        }
        self.seen.insert((call.to_owned(), status));
        answer
    }

    fn operation(&self, call: &str) -> &Value {
        let (method, path) = call.split_once(' ').unwrap();
        &self.document["paths"][path][method.to_lowercase()]
    }

    /// What was taken must be what the document lets others send: one JSON body, or lines of them.
    fn hold_sent(&self, call: &str, sent: &[u8]) {
        let media = &self.operation(call)["requestBody"]["content"]["application/json"];
        let Some(schema) = media.get("schema") else { return };
        for body in serde_json::Deserializer::from_slice(sent).into_iter::<Value>() {
            let body = body.unwrap();
            let wrong = Checker::new(&self.document).wrong(schema, &body, "sent");
            assert_eq!(wrong, [] as [String; 0], "{call}: {body}");
        }
    }

    fn hold(&self, call: &str, answer: &Answer) {
        let operation = self.operation(call);
        assert!(operation.is_object(), "{call} is not in the document");
        let checker = Checker::new(&self.document);
        let said = checker.follow(&operation["responses"][answer.status.as_str()]);
        assert!(said.is_object(), "{call}: the status is not described: {answer:?}");
        for (name, header) in said["headers"].as_object().into_iter().flatten() {
            let required = checker.follow(header)["required"] == true;
            assert!(!required || answer.headers.contains_key(name), "{call}: {name}: {answer:?}");
        }
        let Some(kinds) = said["content"].as_object() else {
            assert!(answer.body.is_empty(), "{call}: {answer:?}");
            return;
        };
        let media = kinds.get(answer.header("content-type"));
        let media =
            media.unwrap_or_else(|| panic!("{call}: the type is not described: {answer:?}"));
        match answer.header("content-type") {
            text if text.starts_with("text/") => {}
            "application/octet-stream" => {}
            JSON_LINES => self.hold_lines(call, &media["x-item-schema"], answer),
            _ => self.hold_body(call, said, &media["schema"], &answer.json()),
        }
    }

    fn hold_lines(&self, call: &str, schema: &Value, answer: &Answer) {
        let text = std::str::from_utf8(&answer.body).unwrap();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let wrong = Checker::new(&self.document).wrong(schema, &line, "line");
            assert_eq!(wrong, [] as [String; 0], "{call}: {line}");
        }
    }

    fn hold_body(&self, call: &str, said: &Value, schema: &Value, body: &Value) {
        let wrong = Checker::new(&self.document).wrong(schema, body, "body");
        let wrong = if call == "GET /openapi.json" { Vec::new() } else { wrong };
        assert_eq!(wrong, [] as [String; 0], "{call}: {body}");
        if let Some(codes) = said["x-codes"].as_array() {
            let code = body["type"].as_str().and_then(|code| code.strip_prefix("urn:symbolon:"));
            let code = code.or(body["error"].as_str()).unwrap();
            assert!(codes.contains(&json!(code)), "{call}: `{code}` is not described");
        }
    }

    async fn sign_in(&mut self, subject: &str) -> Tokens {
        let ask = Ask::json("/v1/sessions", &start(subject, "web"));
        Tokens::of(&self.ask("POST /v1/sessions", 201, ask).await)
    }
}

fn start(subject: &str, client: &str) -> Value {
    json!({"subject": subject, "client_id": client, "device": {"class": "web"}})
}

/// A sign-in with every member that there is.
fn everything() -> Value {
    json!({
        "subject": "alice", "client_id": "web",
        "device": {"class": "app", "id": "d-1", "name": "Ann's phone"},
        "scope": "orders:read", "roles": ["clerk"], "claims": {"tenant": "acme"},
        "amr": ["pwd", "otp"], "acr": "2", "authenticated_at": 1_700_000_000,
        "expires_at": 4_000_000_000_u64, "audience": ["billing"], "ip": "2001:db8::1",
        "user_agent": "Mozilla/5.0", "features": "1920x1080",
        "jkt": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    })
}

#[tokio::test]
async fn every_answer_is_what_the_document_says() {
    let mut walk = Walk::begin().await;
    sessions(&mut walk).await;
    sessions_refused(&mut walk).await;
    subjects(&mut walk).await;
    history(&mut walk).await;
    oauth(&mut walk).await;
    oauth_refused(&mut walk).await;
    operators::person(&mut walk).await;
    operators::revocations(&mut walk).await;
    operators::clients(&mut walk).await;
    operators::keys(&mut walk).await;
    feed::all(&mut walk).await;
    one_time::all(&mut walk).await;
    rest(&mut walk).await;
    for (path, method, operation) in operations(&walk.document) {
        for status in operation["responses"].as_object().unwrap().keys() {
            let call = (format!("{} {path}", method.to_uppercase()), status.parse().unwrap());
            let succeeds = call.1 < 400;
            assert!(!succeeds || walk.seen.contains(&call), "{call:?} was never asked for here");
        }
    }
}

async fn sessions(walk: &mut Walk) {
    let first = Ask::json("/v1/sessions", &everything()).with("idempotency-key", "k1");
    let first = walk.ask("POST /v1/sessions", 201, first.clone()).await;
    let again = Ask::json("/v1/sessions", &everything());
    let again = walk.ask("POST /v1/sessions", 201, again).await;
    assert_eq!(again.member("displaced").as_array().unwrap().len(), 1, "the device is the same");
    let sid = again.text("session_id");
    let one = format!("/v1/sessions/{sid}");
    let shown = walk.ask("GET /v1/sessions/{sid}", 200, Ask::get(&one)).await;
    assert_eq!(shown.member("device")["name"], "Ann's phone");
    let ended = format!("/v1/sessions/{}", first.text("session_id"));
    walk.ask("GET /v1/sessions/{sid}", 200, Ask::get(&ended)).await;
    walk.sign_in("bob").await;
    let page = walk.ask("GET /v1/sessions", 200, Ask::get("/v1/sessions?limit=1&state=all")).await;
    let next = format!("/v1/sessions?cursor={}&client_id=web&device_class=app", page.text("next"));
    walk.ask("GET /v1/sessions", 200, Ask::get(&next)).await;
    let end = Ask::delete(&format!("{one}?reason=signed_out&note=lost"));
    walk.ask("DELETE /v1/sessions/{sid}", 200, end).await;
    walk.ask("DELETE /v1/sessions/{sid}", 200, Ask::delete(&one)).await;
}

async fn sessions_refused(walk: &mut Walk) {
    let post = "POST /v1/sessions";
    let with = |name: &str, value: Value| {
        let mut body = start("alice", "web");
        body[name] = value;
        Ask::json("/v1/sessions", &body)
    };
    for wrong in [
        with("subject", json!("")),
        with("subject", json!("a".repeat(256))),
        with("client_id", json!("nobody")),
        with("device", json!({"class": "fridge"})),
        with("roles", json!(vec!["r"; 1025])),
        with("user_agent", json!("a".repeat(1025))),
        with("no_such", json!(1)),
    ] {
        walk.ask(post, 400, wrong).await;
    }
    let plain = || Ask::json("/v1/sessions", &start("alice", "web"));
    walk.ask(post, 415, plain().without("content-type")).await;
    walk.ask(post, 413, plain().body(vec![b' '; 65 * 1024])).await;
    walk.ask(post, 422, plain().with("idempotency-key", "k1")).await;
    walk.ask_as_anybody(post, 401, plain()).await;
    let lacking = walk.server.new_api_key("sessions:read", None).await;
    walk.ask_as_anybody(post, 403, plain().key(&lacking)).await;
    let limited = walk.server.new_api_key("sessions:start", Some("one")).await;
    walk.ask_as_anybody(post, 403, plain().key(&limited)).await;
    let one = || Ask::json("/v1/sessions", &start("carol", "one"));
    walk.ask(post, 201, one()).await;
    walk.ask(post, 409, one()).await;
    let gone = "/v1/sessions/AAAAAAAAAAAAAAAAAAAAAA";
    walk.ask("GET /v1/sessions/{sid}", 404, Ask::get(gone)).await;
    walk.ask("DELETE /v1/sessions/{sid}", 404, Ask::delete(gone)).await;
    walk.ask("GET /v1/sessions/{sid}", 400, Ask::get("/v1/sessions/x")).await;
    walk.ask("GET /v1/sessions", 400, Ask::get("/v1/sessions?limit=201")).await;
    let waits = Ask::delete(&format!("{gone}?wait=2s"));
    walk.ask("DELETE /v1/sessions/{sid}", 404, waits).await;
    let waits = Ask::delete(&format!("{gone}?wait=soon"));
    walk.ask("DELETE /v1/sessions/{sid}", 400, waits).await;
}

async fn subjects(walk: &mut Walk) {
    let (of_one, sessions) = ("/v1/subjects/dora", "/v1/subjects/dora/sessions");
    walk.ask("GET /v1/subjects/{sub}", 200, Ask::get(of_one)).await;
    walk.sign_in("dora").await;
    let put = Ask::put(of_one, &json!({"roles": ["clerk"], "claims": {"tenant": "acme"}}));
    let put = walk.ask("PUT /v1/subjects/{sub}", 200, put).await;
    let stale = Ask::put(of_one, &json!({})).with("if-match", "\"0.0\"");
    walk.ask("PUT /v1/subjects/{sub}", 412, stale).await;
    let same = Ask::put(of_one, &json!({})).with("if-match", put.header("etag"));
    walk.ask("PUT /v1/subjects/{sub}", 200, same).await;
    let large = json!({"roles": vec!["r".repeat(200); 20]});
    walk.ask("PUT /v1/subjects/{sub}", 400, Ask::put(of_one, &large)).await;
    walk.ask("GET /v1/subjects/{sub}/sessions", 200, Ask::get(sessions)).await;
    let some = format!("{sessions}?device_class=app&device_id=d-1&client_id=web&note=x");
    walk.ask("DELETE /v1/subjects/{sub}/sessions", 200, Ask::delete(&some)).await;
    walk.ask("DELETE /v1/subjects/{sub}/sessions", 200, Ask::delete(sessions)).await;
    let devices = format!("{of_one}/devices");
    let limits = json!({"per_subject": 3, "per_class": {"web": 2}, "overflow": "refuse"});
    walk.ask("PUT /v1/subjects/{sub}/devices", 200, Ask::put(&devices, &limits)).await;
    let wrong = Ask::put(&devices, &json!({"per_subject": 0}));
    walk.ask("PUT /v1/subjects/{sub}/devices", 400, wrong).await;
    walk.ask("GET /v1/subjects/{sub}", 200, Ask::get(of_one)).await;
    walk.ask("DELETE /v1/subjects/{sub}/devices", 200, Ask::delete(&devices)).await;
    let (until, ban) = (4_000_000_000_u64, format!("{of_one}/ban"));
    let timed = json!({"until": until, "reason": "admin", "note": "spam"});
    walk.ask("PUT /v1/subjects/{sub}/ban", 200, Ask::put(&ban, &timed)).await;
    walk.ask("PUT /v1/subjects/{sub}/ban", 400, Ask::put(&ban, &json!({"until": 1}))).await;
    let shown = walk.ask("GET /v1/subjects/{sub}", 200, Ask::get(of_one)).await;
    assert_eq!(shown.member("ban")["until"], until);
    let banned = Ask::json("/v1/sessions", &start("dora", "web"));
    walk.ask("POST /v1/sessions", 403, banned).await;
    walk.ask("DELETE /v1/subjects/{sub}/ban", 200, Ask::delete(&ban)).await;
    let erase = Ask::new("POST", &format!("{of_one}/erase"));
    walk.ask("POST /v1/subjects/{sub}/erase", 200, erase).await;
    let limited = walk.server.new_api_key("sessions:read", Some("web")).await;
    walk.ask_as_anybody("GET /v1/subjects/{sub}", 403, Ask::get(of_one).key(&limited)).await;
}

async fn history(walk: &mut Walk) {
    let page = walk.ask("GET /v1/events", 200, Ask::get("/v1/events?limit=2")).await;
    let next = format!("/v1/events?cursor={}", page.text("next"));
    walk.ask("GET /v1/events", 200, Ask::get(&next)).await;
    let asked = "/v1/events?subject=dora&reason=admin&since=1&limit=200";
    let found = walk.ask("GET /v1/events", 200, Ask::get(asked)).await;
    assert!(!found.member("items").as_array().unwrap().is_empty());
    walk.ask("GET /v1/events", 400, Ask::get("/v1/events?sid=x")).await;
}

async fn oauth(walk: &mut Walk) {
    let own = walk.sign_in("erin").await;
    let renewed = walk.ask_as_anybody("POST /oauth2/token", 200, Ask::refresh("web", &own.refresh));
    let renewed = Tokens::of(&renewed.await);
    let ask = |token: &str| Ask::form("/oauth2/introspect", &[("token", token)]);
    let call = "POST /oauth2/introspect";
    let active = walk.ask(call, 200, ask(&renewed.access)).await;
    assert_eq!(active.member("active"), true);
    let by_client = ask("nonsense").basic("service", SERVICE_SECRET);
    walk.ask_as_anybody(call, 200, by_client).await;
    let out = [("client_id", "web"), ("token", &renewed.refresh)];
    walk.ask_as_anybody("POST /oauth2/revoke", 200, Ask::form("/oauth2/revoke", &out)).await;
    let over = Ask::refresh("web", &renewed.refresh);
    let over = walk.ask_as_anybody("POST /oauth2/token", 400, over).await;
    assert_eq!(over.text("reason"), "signed_out");
    let service = [("grant_type", "client_credentials")];
    let service = Ask::form("/oauth2/token", &service).basic("service", SERVICE_SECRET);
    walk.ask_as_anybody("POST /oauth2/token", 200, service).await;
    for path in ["/oauth2/token", "/oauth2/revoke"] {
        let preflight = Ask::new("OPTIONS", path).with("origin", "https://app.example.com");
        walk.ask_as_anybody(&format!("OPTIONS {path}"), 204, preflight).await;
    }
}

async fn oauth_refused(walk: &mut Walk) {
    let call = "POST /oauth2/token";
    let own = walk.sign_in("frank").await;
    let with = |name, value| {
        let refresh = [("grant_type", "refresh_token"), ("client_id", "web")];
        let token = ("refresh_token", own.refresh.as_str());
        let mut form: Vec<_> = refresh.into_iter().chain([token]).collect();
        form.retain(|(own, _)| *own != name);
        Ask::form("/oauth2/token", &[&form[..], &[(name, value)]].concat())
    };
    for (status, ask) in [
        (400, with("grant_type", "password")),
        (400, with("refresh_token", "nonsense")),
        (400, with("refresh_token", "")),
        (400, with("scope", "everything")),
        (400, with("resource", "https://nowhere.example.com")),
        (401, with("client_id", "nobody")),
        (401, with("client_id", "service").basic("service", "wrong")),
        (403, with("x", "y").with("origin", "https://evil.example.com")),
        (413, with("x", &"y".repeat(65 * 1024))),
        (415, with("x", "y").without("content-type")),
    ] {
        walk.ask_as_anybody(call, status, ask).await;
    }
    let access = [("client_id", "web"), ("token", &*own.access)];
    walk.ask_as_anybody("POST /oauth2/revoke", 400, Ask::form("/oauth2/revoke", &access)).await;
    let nobody = Ask::form("/oauth2/introspect", &[("token", "x")]);
    let refused = walk.ask_as_anybody("POST /oauth2/introspect", 401, nobody.clone()).await;
    assert_ne!(refused.header("www-authenticate"), "");
    let lacking = walk.server.new_api_key("sessions:read", None).await;
    walk.ask_as_anybody("POST /oauth2/introspect", 403, nobody.key(&lacking)).await;
}

async fn rest(walk: &mut Walk) {
    for path in [
        "/livez",
        "/readyz",
        "/docs",
        "/.well-known/oauth-authorization-server",
        "/.well-known/jwks.json",
    ] {
        walk.ask_as_anybody(&format!("GET {path}"), 200, Ask::get(path)).await;
    }
    gateways(walk).await;
    let own = walk.ask_as_anybody("GET /openapi.json", 200, Ask::get("/openapi.json")).await;
    assert_eq!(own.json(), walk.document, "what is served is the document");
    walk.ask_as_anybody("GET /docs", 400, Ask::get("/docs?lang=la")).await;
}

async fn gateways(walk: &mut Walk) {
    let own = walk.sign_in("grace").await;
    let envoy = "/envoy.service.auth.v3.Authorization/Check";
    walk.ask_as_anybody(&format!("POST {envoy}"), 200, Ask::new("POST", envoy)).await;
    for (path, asked) in [
        ("/gateway/check", "/gateway/check"),
        ("/gateway/check/", "/gateway/check/"),
        ("/gateway/check/{path}", "/gateway/check/orders/7?x"),
    ] {
        let call = format!("GET {path}");
        let ask = match path {
            "/gateway/check" => {
                Ask::get(asked).with("x-original-uri", "/orders").with("x-original-method", "GET")
            }
            _ => Ask::get(asked),
        };
        walk.ask_as_anybody(&call, 200, ask.clone().key(&own.access)).await;
        walk.ask_as_anybody(&call, 302, ask.clone().with("accept", "text/html")).await;
        walk.ask_as_anybody(&call, 401, ask.clone()).await;
        walk.ask_as_anybody(&call, 403, ask.with("x-original-uri", "/other")).await;
    }
}
