//! The stage of the matrix: an authority with one client of each preset, and all doors that are asked.

use crate::common::{Answer, Ask, Configuration, ISSUER, Server, Sidecar};
use serde_json::{Value, json};
use symbolon_verify::{Policy, Presented, Verifier};

const RULES: &str = r#"
trusted_proxies = ["127.0.0.1"]
audience = "demo-api"
rules = [{ name = "me", prefix = "/me" }]
"#;

/// What is shown of one preset.
pub(super) struct Row {
    pub(super) preset: &'static str,
    sid: String,
    /// For everything but gateways and `/v1/me`.
    access: String,
    /// For gateways, where it is not the access token.
    cookie: Option<String>,
    /// For `/v1/me`.
    own: Option<String>,
    refresh: Option<String>,
}

/// The authority, and those who follow it.
pub(super) struct Stage {
    server: Server,
    sidecar: Sidecar,
    verifier: Verifier,
}

impl Stage {
    /// One client of each preset, named like it, with a place for one device.
    pub(super) async fn set() -> Self {
        let one = "devices = { per_subject = 1 }";
        let of = |preset: &str| format!("preset = \"{preset}\"\n{one}");
        let configuration = Configuration::new()
            .client("dual-token", &format!("{}\nrefresh = {{ grace = \"60s\" }}", of("dual-token")))
            .client("gateway-session", &of("gateway-session"))
            .client("sliding-session", &of("sliding-session"))
            .client("opaque-session", &of("opaque-session"))
            .gateway(RULES);
        let server = Server::configured(&configuration).await;
        let file = server.home.beside("symbolon.toml").display().to_string();
        let sidecar = Sidecar::of(&server, &["--config", &file]).await;
        sidecar.ready().await;
        let at = format!("http://{}", server.authority);
        let verifier = Verifier::builder(ISSUER).through(&at).audience("demo-api");
        let verifier = verifier.instance("in-process").feed(server.api_key()).connect();
        let verifier = verifier.await.unwrap();
        Self { server, sidecar, verifier }
    }

    async fn start(&self, preset: &str) -> Answer {
        // A subject of its own, so that what happens to one row happens to no other.
        let body = json!({
            "subject": format!("of-{preset}"), "client_id": preset, "device": {"class": "web"},
        });
        self.server.start_session(&body).await.expect(201)
    }

    async fn dual_token(&self) -> Row {
        let preset = "dual-token";
        let session = self.start(preset).await;
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", preset),
            ("refresh_token", &session.text("refresh_token")),
            ("resource", ISSUER),
        ];
        let for_us = self.server.ask(Ask::form("/oauth2/token", &form)).await.expect(200);
        Row {
            preset,
            sid: session.text("session_id"),
            access: session.text("access_token"),
            cookie: None,
            own: Some(for_us.text("access_token")),
            refresh: Some(for_us.text("refresh_token")),
        }
    }

    /// A cookie outside, and the token that its application is shown.
    async fn gateway_session(&self) -> Row {
        let preset = "gateway-session";
        let session = self.start(preset).await;
        let lines = session.member("set_cookie");
        let cookie = lines[0].as_str().unwrap().split(';').next().unwrap().to_owned();
        let check = self.server.ask(about_me().with("cookie", &cookie)).await.expect(200);
        let access = check.header("x-symbolon-token").to_owned();
        let (sid, own) = (session.text("session_id"), Some(access.clone()));
        Row { preset, sid, access, cookie: Some(cookie), own, refresh: None }
    }

    /// A preset whose one token opens everything.
    async fn one_token(&self, preset: &'static str) -> Row {
        let session = self.start(preset).await;
        let access = session.text("access_token");
        let (sid, own) = (session.text("session_id"), Some(access.clone()));
        Row { preset, sid, access, cookie: None, own, refresh: None }
    }

    async fn service(&self) -> Row {
        let access = self.server.service_token(&[]).await.expect(200).text("access_token");
        let (preset, sid) = ("service", String::new());
        Row { preset, sid, access, cookie: None, own: None, refresh: None }
    }

    pub(super) async fn rows(&self) -> [Row; 5] {
        [
            self.dual_token().await,
            self.gateway_session().await,
            self.one_token("sliding-session").await,
            self.one_token("opaque-session").await,
            self.service().await,
        ]
    }

    /// Does to a row what the table says; whether it can be done to one of its kind.
    pub(super) async fn happen(&self, what: &str, row: &Row) -> bool {
        let (server, preset, subject) = (&self.server, row.preset, format!("of-{}", row.preset));
        let person = preset != "service";
        let answer = match what {
            "nothing" => return true,
            "user banned" if person => {
                let path = format!("/v1/subjects/{subject}/ban");
                server.ask_as_back_end(Ask::put(&path, &json!({}))).await
            }
            "session ended" if person => server.kick(&row.sid).await,
            "displaced" if person => {
                self.start(preset).await;
                return true;
            }
            "client disabled" => server.switch(preset, &json!({"disabled": true})).await,
            "key revoked" => {
                let keys = server.list("/v1/keys").await;
                let current = keys.iter().find(|key| key["state"] == "current").unwrap();
                let kid = current["kid"].as_str().unwrap();
                server.ask_as_back_end(Ask::delete(&format!("/v1/keys/{kid}"))).await
            }
            "epoch bumped" if person => {
                let body = json!({
                    "target": {"sub": subject}, "effect": "revoked", "reason": "password_changed",
                });
                server.ask_as_back_end(Ask::json("/v1/revocations", &body)).await
            }
            _ => return false,
        };
        answer.expect(200);
        true
    }

    /// What one door answers now, in a word.
    pub(super) async fn cell(&self, way: &str, row: &Row) -> String {
        let about = || match &row.cookie {
            Some(cookie) => about_me().with("cookie", cookie),
            None => about_me().key(&row.access),
        };
        match (way, &row.refresh, &row.own) {
            ("refresh", _, _) if row.preset == "service" => {
                word(&self.server.service_token(&[]).await)
            }
            ("refresh", Some(token), _) => {
                word(&self.server.ask(Ask::refresh(row.preset, token)).await)
            }
            ("introspect", _, _) => {
                let active = self.server.introspect(&row.access).await["active"] == true;
                if active { "ok" } else { "inactive" }.to_owned()
            }
            ("verify", _, _) => self.verified(&row.access).await,
            ("sidecar", _, _) => word(&self.sidecar.ask(about()).await),
            ("gateway", _, _) => word(&self.server.ask(about()).await),
            ("me", _, Some(own)) => {
                word(&self.server.ask(Ask::get("/v1/me/sessions").key(own)).await)
            }
            _ => super::NONE.to_owned(),
        }
    }

    /// What a verifier in this process says, in the words of its challenge.
    async fn verified(&self, token: &str) -> String {
        match self.verifier.admit(&Presented::bearer(token), &Policy::default()).await {
            Ok(_) => "ok".to_owned(),
            Err(rejected) => challenged(&rejected.challenge()).unwrap_or(rejected.to_string()),
        }
    }
}

/// As nginx asks.
fn about_me() -> Ask {
    Ask::get("/gateway/check").with("x-original-method", "GET").with("x-original-uri", "/me")
}

/// The words of a challenge, if it has a reason.
fn challenged(challenge: &str) -> Option<String> {
    let part = |name: &str| {
        let rest = challenge.split_once(&format!(" {name}=\""))?.1;
        rest.split('"').next()
    };
    match (part("reason")?, part("ended")) {
        (reason, Some(ended)) => Some(format!("{reason}: {ended}")),
        (reason, None) => Some(reason.to_owned()),
    }
}

/// What an answer comes to: the reason that it gives, else its error.
fn word(answer: &Answer) -> String {
    if answer.status.is_success() {
        return "ok".to_owned();
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let challenge = answer.headers.get("www-authenticate").and_then(|value| value.to_str().ok());
    match (challenge.and_then(challenged), body["reason"].as_str(), body["type"].as_str()) {
        (Some(words), _, _) => words,
        (None, Some(reason), _) => reason.to_owned(),
        (None, None, Some(code)) => code.trim_start_matches("urn:symbolon:").to_owned(),
        (None, None, None) => body["error"].as_str().unwrap_or_default().to_owned(),
    }
}
