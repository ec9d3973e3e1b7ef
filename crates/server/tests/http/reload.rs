//! SIGHUP: the configuration is read again, whole or not at all, and reaches sessions that exist.

use crate::common::{Answer, Ask, Configuration, ISSUER, SERVICE_SECRET, Server, Tokens, until};
use serde_json::{Value, json};
use symbolon_wire::SecretHash;

const USUAL: &str = "audience = [\"demo-api\", \"billing\"]\nscope = \"orders:read orders:write\"";

/// A configuration with one client, `web`.
fn web(settings: &str) -> Configuration {
    Configuration::new().bare_client("web", settings)
}

async fn server(settings: &str) -> Server {
    Server::configured(&web(settings)).await
}

/// Puts a configuration in place that must be taken.
async fn take(server: &Server, configuration: &Configuration) -> String {
    server.home.reconfigure(configuration);
    let said = server.reload().await;
    assert!(said.contains("configuration reloaded"), "{said}");
    said
}

/// Offers a configuration that must be refused.
async fn refuse(server: &Server, configuration: &Configuration) -> String {
    server.home.reconfigure(configuration);
    let said = server.reload().await;
    assert!(said.contains("configuration not reloaded: the old one stays"), "{said}");
    said
}

async fn start(server: &Server, client: &str) -> Answer {
    let body = json!({"subject": "alice", "client_id": client, "device": {"class": "web"}});
    server.start_session(&body).await
}

/// A counter of `/metrics`.
async fn counted(server: &Server, what: &str) -> u64 {
    let url = server.told["metrics"].as_str().unwrap();
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let get = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let text = crate::common::exchange(host, get.as_bytes(), crate::common::SOON).await.unwrap();
    let name = format!("symbolon_config_reloads_total{{what=\"{what}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn clients_come_go_and_change_without_a_restart() {
    let server = server(USUAL).await;
    let tokens = server.sign_in("alice").await;
    start(&server, "app").await.expect_problem(400, "malformed");
    let said = take(&server, &web(USUAL).bare_client("app", USUAL)).await;
    assert!(said.contains("client app: new"), "{said}");
    Tokens::of(&start(&server, "app").await.expect(201));
    let newer = server.renew(&tokens.refresh).await;

    let said = take(&server, &Configuration::new().bare_client("app", USUAL)).await;
    assert!(said.contains("client web: gone"), "{said}");
    let gone = server.refresh(&newer.refresh).await;
    gone.expect_oauth(401, "invalid_client", None);
    assert_eq!(server.introspect(&newer.access).await, json!({"active": false}));
    assert_eq!(
        server.session(&newer.sid).await["state"],
        "active",
        "it can still be seen and ended"
    );
    server.ask_as_back_end(Ask::get("/v1/clients/web")).await.expect_problem(404, "not-found");

    let said = take(&server, &web(&format!("{USUAL}\naccess_token = {{ ttl = \"60s\" }}"))).await;
    assert!(said.contains("client app: gone; client web: new"), "{said}");
    assert_eq!(server.refresh(&newer.refresh).await.expect(200).member("expires_in"), 60);
    assert_eq!((counted(&server, "applied").await, counted(&server, "refused").await), (3, 0));
    let said = server.reload().await;
    assert!(said.contains("nothing changed"), "{said}");
}

#[tokio::test]
async fn a_wrong_file_is_refused_with_its_place_and_the_old_one_stays() {
    let server = server(USUAL).await;
    let tokens = server.sign_in("alice").await;
    let said = refuse(&server, &web(&format!("{USUAL}\nscoep = \"a\""))).await;
    assert!(
        said.contains("symbolon.toml:22:1: clients.web: there is no setting `scoep`"),
        "{said}"
    );
    let two = web(&format!("{USUAL}\nscoep = \"a\"\norigin = []"));
    let said = refuse(&server, &two).await;
    let second = "symbolon.toml:23:1: clients.web: there is no setting `origin`";
    assert!(said.contains("`scope`?; ") && said.contains(second), "{said}");
    std::fs::write(server.home.beside("symbolon.toml"), "issuer = ").unwrap();
    let said = server.reload().await;
    assert!(said.contains("not reloaded") && said.contains("symbolon.toml:1:"), "{said}");
    std::fs::remove_file(server.home.beside("symbolon.toml")).unwrap();
    let said = server.reload().await;
    assert!(said.contains("not reloaded") && said.contains("could not read"), "{said}");
    let narrower = web("audience = [\"billing\"]\nscope = \"\"\nrefresh = { grace = \"9min\" }");
    refuse(&server, &narrower).await;
    let claims = server.claims(&server.renew(&tokens.refresh).await.access).await;
    assert_eq!(claims["scope"], "orders:read orders:write");
    assert_eq!(claims["aud"], json!(["demo-api", "billing"]));
    assert_eq!((counted(&server, "applied").await, counted(&server, "refused").await), (0, 5));
    take(&server, &web(USUAL)).await;
}

#[tokio::test]
async fn what_needs_a_restart_is_refused_by_name_with_everything_beside_it() {
    let server = server(USUAL).await;
    let changed = web("audience = [\"billing\"]").head("log = \"json\"\nlog_level = \"warn\"");
    let said = refuse(&server, &changed).await;
    assert!(said.contains("log, log_level cannot change while the authority runs"), "{said}");
    let file = server.home.beside("symbolon.toml");
    server.home.reconfigure(&web(USUAL));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(ISSUER, "https://id.example.com")).unwrap();
    let said = server.reload().await;
    assert!(said.contains("issuer cannot change while the authority runs"), "{said}");
    std::fs::write(&file, text.replace("symbolon.db", "other.db")).unwrap();
    let said = server.reload().await;
    assert!(said.contains("store cannot change while the authority runs"), "{said}");
    let tokens = server.sign_in("alice").await;
    let claims = server.claims(&tokens.access).await;
    assert_eq!(claims["aud"], json!(["demo-api", "billing"]));
    assert_eq!(claims["iss"], ISSUER);
}

#[tokio::test]
async fn a_new_audience_has_a_key_before_it_is_offered() {
    let server = server(USUAL).await;
    let tokens = server.sign_in("alice").await;
    let before = server.jwks().await;
    assert!(!before.contains("ES256"), "{before}");
    let es256 = Configuration::new()
        .audience("spring", "alg = \"ES256\"\ntyp = \"JWT\"")
        .bare_client("web", "audience = [\"spring\"]");
    let said = take(&server, &es256).await;
    assert!(
        said.contains("audience spring: new") && said.contains("client web: audience"),
        "{said}"
    );
    assert!(server.jwks().await.contains("ES256"));
    let newer = server.renew(&tokens.refresh).await;
    let told = server.introspect(&newer.access).await;
    assert_eq!((&told["active"], &told["aud"]), (&json!(true), &json!("spring")));
    assert_eq!(server.introspect(&tokens.access).await["active"], true, "older ones still verify");

    let es256 = Configuration::new()
        .audience("spring", "alg = \"ES256\"\ntyp = \"at+jwt\"")
        .bare_client("web", "audience = [\"spring\"]");
    let said = take(&server, &es256).await;
    assert!(said.contains("audience spring: typ"), "{said}");
    let server = server.kill().await.start().await;
    let told = server.introspect(&newer.access).await;
    assert_eq!(told["active"], true, "the key was kept");
}

#[tokio::test]
async fn a_secret_is_changed_over_without_a_gap() {
    const NEW: &str = "sym_cs_another_of_the_tests_which_is_long_enough_to_be_one";
    let service = |secrets: &[&str]| {
        let hashes = secrets.iter().map(|secret| SecretHash::of(secret).to_text());
        let hashes = json!(hashes.collect::<Vec<_>>());
        let settings =
            format!("preset = \"service\"\naudience = [\"demo-api\"]\nsecret_hashes = {hashes}");
        Configuration::empty().bare_client("service", &settings)
    };
    let server = Server::configured(&service(&[SERVICE_SECRET])).await;
    let holds = async |secret: &str| {
        let ask = Ask::form("/oauth2/token", &[("grant_type", "client_credentials")]);
        server.ask(ask.basic("service", secret)).await.status == 200
    };
    assert_eq!((holds(SERVICE_SECRET).await, holds(NEW).await), (true, false));
    let said = take(&server, &service(&[SERVICE_SECRET, NEW])).await;
    assert!(said.contains("client service: secrets") && !said.contains("sha256"), "{said}");
    assert_eq!((holds(SERVICE_SECRET).await, holds(NEW).await), (true, true));
    take(&server, &service(&[NEW])).await;
    assert_eq!((holds(SERVICE_SECRET).await, holds(NEW).await), (false, true));
}

#[tokio::test]
async fn requests_under_way_and_many_reloads_refuse_nobody() {
    let server = std::sync::Arc::new(server(USUAL).await);
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let caller = std::sync::Arc::clone(&server);
    let renewing = tokio::spawn(async move {
        let (mut newest, mut renewed) = (caller.sign_in("alice").await, 0_u32);
        while !*stopped.borrow_and_update() {
            newest = caller.renew(&newest.refresh).await;
            renewed += 1;
        }
        renewed
    });
    for round in 0..10 {
        let grace = if round % 2 == 0 { "20s" } else { "30s" };
        take(&server, &web(&format!("{USUAL}\nrefresh = {{ grace = \"{grace}\" }}"))).await;
    }
    stop.send_replace(true);
    assert!(0 < renewing.await.unwrap());
}

#[tokio::test]
async fn an_operators_switch_outlives_a_reload() {
    let server = server(USUAL).await;
    server.switch("web", &json!({"disabled": true})).await.expect(200);
    take(&server, &web(&format!("{USUAL}\ndevices = {{ per_subject = 3 }}"))).await;
    start(&server, "web").await.expect_problem(403, "client-disabled");
    take(&server, &Configuration::new()).await;
    take(&server, &web(USUAL)).await;
    start(&server, "web").await.expect_problem(403, "client-disabled");
}

#[tokio::test]
async fn without_a_file_there_is_nothing_to_reload_and_nothing_stops() {
    let server = Server::with(&[]).await;
    let tokens = server.sign_in("alice").await;
    let said = server.reload().await;
    assert!(said.contains("nothing changed"), "{said}");
    server.renew(&tokens.refresh).await;
    let list: Vec<Value> = server.list("/v1/clients").await;
    assert_eq!(list.len(), 4);
    let home = std::sync::Arc::clone(&server.home);
    until("it is told", || async { home.log().contains("reloaded").then_some(()) }).await;
}

/// One client whose audience holds a secret.
fn sharing() -> Configuration {
    Configuration::new()
        .audience("legacy", "alg = \"HS256\"\nsecret_file = \"legacy.secret\"")
        .bare_client("web", "audience = [\"legacy\"]")
}

#[tokio::test]
async fn a_secret_or_a_key_that_another_took_the_place_of_is_named_and_a_weak_one_refused() {
    let home = crate::common::Home::configured(&sharing());
    std::fs::write(home.beside("legacy.secret"), "z9Xr2VtQmA7kLw0ePdYfUoBiNsHgCjTq\n").unwrap();
    let server = home.start().await;
    let said = server.reload().await;
    assert!(said.contains("nothing changed"), "{said}");
    std::fs::write(home.beside("legacy.secret"), "Q4mBv8Zt1XyKs6RwPj3NcLg0HdTf7UaE").unwrap();
    let said = server.reload().await;
    assert!(said.contains("configuration reloaded changes=\"audience legacy: secret\""), "{said}");
    assert!(!home.log().contains("Q4mBv8"), "{said}");
    let tokens = server.sign_in("alice").await;
    std::fs::write(home.beside("legacy.secret"), "your-256-bit-secret-your-256-bit-secret")
        .unwrap();
    let said = server.reload().await;
    assert!(said.contains("not reloaded") && said.contains("legacy.secret"), "{said}");
    assert_eq!(server.introspect(&tokens.access).await["active"], true, "the old one stays");
}
