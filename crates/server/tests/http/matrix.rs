//! What is refused where, for every preset, and by which word: one table, which the test prints and holds.

use crate::common::{Answer, Ask, Configuration, Server, Sidecar, until};
use serde_json::{Value, json};
use std::fmt::Write;

/// What happens, and to every preset the answers from then on. `-`: see [`WHY_NOT`].
const MATRIX: &str = "
preset           after            refresh          introspect  verify                    gateway                   me
dual-token       nothing          ok               ok          ok                        ok                        ok
dual-token       user banned      banned           inactive    revoked: banned           revoked: banned           banned
dual-token       session ended    kicked           inactive    revoked: kicked           revoked: kicked           kicked
dual-token       displaced        displaced        inactive    revoked: displaced        revoked: displaced        displaced
dual-token       client disabled  client_disabled  inactive    stale                     stale                     client_disabled
dual-token       key revoked      ok               inactive    stale                     untrusted                 invalid-token
dual-token       epoch bumped     password_changed inactive    revoked: password_changed revoked: password_changed password_changed
sliding-session  nothing          -                ok          ok                        ok                        ok
sliding-session  user banned      -                inactive    revoked: banned           revoked: banned           banned
sliding-session  session ended    -                inactive    revoked: kicked           revoked: kicked           kicked
sliding-session  displaced        -                inactive    revoked: displaced        revoked: displaced        displaced
sliding-session  client disabled  -                inactive    stale                     stale                     client_disabled
sliding-session  key revoked      -                inactive    revoked                   untrusted                 invalid-token
sliding-session  epoch bumped     -                inactive    revoked: password_changed revoked: password_changed password_changed
opaque-session   nothing          -                ok          -                         ok                        ok
opaque-session   user banned      -                inactive    -                         revoked: banned           banned
opaque-session   session ended    -                inactive    -                         revoked: kicked           kicked
opaque-session   displaced        -                inactive    -                         revoked: displaced        displaced
opaque-session   client disabled  -                inactive    -                         stale                     client_disabled
opaque-session   key revoked      -                ok          -                         ok                        ok
opaque-session   epoch bumped     -                inactive    -                         revoked: password_changed password_changed
service          nothing          ok               ok          ok                        ok                        -
service          client disabled  client_disabled  inactive    stale                     stale                     -
service          key revoked      ok               inactive    stale                     untrusted                 -
";

/// Why a cell is `-`, by preset and way.
const WHY_NOT: [(&str, &str, &str); 4] = [
    ("sliding-session", "refresh", "there is one token, and no other can be had"),
    ("opaque-session", "refresh", "there is one token, and no other can be had"),
    ("opaque-session", "verify", "nobody can read it alone: a verifier introspects"),
    ("service", "me", "a service is no person"),
];

const WAYS: [&str; 5] = ["refresh", "introspect", "verify", "gateway", "me"];

const RULES: &str = r#"
trusted_proxies = ["127.0.0.1"]
audience = "demo-api"
rules = [{ name = "me", prefix = "/me" }]
"#;

/// What is shown of one preset.
struct Row {
    preset: &'static str,
    sid: String,
    /// For everything but `/v1/me`.
    access: String,
    /// For `/v1/me`.
    own: Option<String>,
    refresh: Option<String>,
}

struct Stage {
    server: Server,
    sidecar: Sidecar,
}

impl Stage {
    /// One client of each preset, named like it, with a place for one device.
    async fn set() -> Self {
        let one = "devices = { per_subject = 1 }";
        let of = |preset: &str| format!("preset = \"{preset}\"\n{one}");
        let configuration = Configuration::new()
            .client("dual-token", &format!("{}\nrefresh = {{ grace = \"60s\" }}", of("dual-token")))
            .client("sliding-session", &of("sliding-session"))
            .client("opaque-session", &of("opaque-session"))
            .gateway(RULES);
        let server = Server::configured(&configuration).await;
        let file = server.home.beside("symbolon.toml").display().to_string();
        let sidecar = Sidecar::of(&server, &["--config", &file]).await;
        sidecar.ready().await;
        Self { server, sidecar }
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
        let meta = Ask::get("/.well-known/oauth-authorization-server");
        let issuer = self.server.ask(meta).await.expect(200).text("issuer");
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", preset),
            ("refresh_token", &session.text("refresh_token")),
            ("resource", &issuer),
        ];
        let for_us = self.server.ask(Ask::form("/oauth2/token", &form)).await.expect(200);
        Row {
            preset,
            sid: session.text("session_id"),
            access: session.text("access_token"),
            own: Some(for_us.text("access_token")),
            refresh: Some(for_us.text("refresh_token")),
        }
    }

    /// A preset whose one token opens everything.
    async fn one_token(&self, preset: &'static str) -> Row {
        let session = self.start(preset).await;
        let access = session.text("access_token");
        let own = Some(access.clone());
        Row { preset, sid: session.text("session_id"), access, own, refresh: None }
    }

    async fn service(&self) -> Row {
        let access = self.server.service_token(&[]).await.expect(200).text("access_token");
        Row { preset: "service", sid: String::new(), access, own: None, refresh: None }
    }

    async fn rows(&self) -> [Row; 4] {
        [
            self.dual_token().await,
            self.one_token("sliding-session").await,
            self.one_token("opaque-session").await,
            self.service().await,
        ]
    }

    /// Does to a row what the table says; `None`: it cannot be done to one of its kind.
    async fn happen(&self, what: &str, row: &Row) -> Option<()> {
        let (server, preset, subject) = (&self.server, row.preset, format!("of-{}", row.preset));
        let person = preset != "service";
        let answer = match what {
            "nothing" => return Some(()),
            "user banned" if person => {
                let path = format!("/v1/subjects/{subject}/ban");
                server.ask_as_back_end(Ask::put(&path, &json!({}))).await
            }
            "session ended" if person => server.kick(&row.sid).await,
            "displaced" if person => {
                self.start(preset).await;
                return Some(());
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
            _ => return None,
        };
        answer.expect(200);
        Some(())
    }

    /// What one way answers now, in a word.
    async fn cell(&self, way: &str, row: &Row) -> String {
        let reads_alone = !row.access.starts_with("sym_at_");
        let about = || {
            let ask = Ask::get("/gateway/check").key(&row.access);
            ask.with("x-original-method", "GET").with("x-original-uri", "/me")
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
            ("verify", _, _) if reads_alone => word(&self.sidecar.ask(about()).await),
            ("gateway", _, _) => word(&self.server.ask(about()).await),
            ("me", _, Some(own)) => {
                word(&self.server.ask(Ask::get("/v1/me/sessions").key(own)).await)
            }
            _ => "-".to_owned(),
        }
    }
}

/// What an answer comes to: the reason that it gives, else its error.
fn word(answer: &Answer) -> String {
    if answer.status.is_success() {
        return "ok".to_owned();
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let challenge = answer.headers.get("www-authenticate").and_then(|value| value.to_str().ok());
    let part = |name: &str| {
        let rest = challenge?.split_once(&format!(" {name}=\""))?.1;
        Some(rest.split('"').next().unwrap_or_default().to_owned())
    };
    match (part("reason"), part("ended"), body["reason"].as_str(), body["type"].as_str()) {
        (Some(reason), Some(ended), _, _) => format!("{reason}: {ended}"),
        (Some(reason), None, _, _) => reason,
        (None, _, Some(reason), _) => reason.to_owned(),
        (None, _, None, Some(code)) => code.trim_start_matches("urn:symbolon:").to_owned(),
        (None, _, None, None) => body["error"].as_str().unwrap_or_default().to_owned(),
    }
}

/// The five cells that the table wants for a row.
fn wanted(preset: &str, what: &str) -> Option<[String; 5]> {
    let line = MATRIX.lines().find(|line| {
        let at = |from: usize, to: usize| line.get(from..to).unwrap_or_default().trim();
        at(0, 17) == preset && at(17, 34) == what
    })?;
    let from = [34, 51, 63, 89, 115];
    let to = [51, 63, 89, 115, line.len()];
    let cell = |n: usize| line.get(from[n]..to[n].min(line.len())).unwrap_or_default();
    Some([0, 1, 2, 3, 4].map(|n| cell(n).trim().to_owned()))
}

#[tokio::test]
async fn every_preset_refuses_everywhere_what_has_happened_to_it() {
    let mut said = MATRIX.lines().nth(1).unwrap().to_owned();
    let happenings = [
        "nothing",
        "user banned",
        "session ended",
        "displaced",
        "client disabled",
        "key revoked",
        "epoch bumped",
    ];
    let mut lines = Vec::new();
    for what in happenings {
        let stage = Stage::set().await;
        let rows = stage.rows().await;
        for row in &rows {
            for way in WAYS {
                let before = stage.cell(way, row).await;
                assert!(["ok", "-"].contains(&&*before), "{} {way}: {before}", row.preset);
            }
        }
        for row in rows.iter().filter(|row| what != "key revoked" || row.preset == "dual-token") {
            if stage.happen(what, row).await.is_none() {
                assert_eq!(wanted(row.preset, what), None, "{} {what}", row.preset);
            }
        }
        for row in &rows {
            let Some(wanted) = wanted(row.preset, what) else { continue };
            let mut line = format!("{:<16} {what:<16}", row.preset);
            for (way, wanted) in WAYS.iter().zip(&wanted) {
                let cell = settled(&stage, (way, row), wanted).await;
                let width = [16, 11, 25, 25, 0][WAYS.iter().position(|own| own == way).unwrap()];
                write!(line, " {cell:<width$}").unwrap();
                let excused = WHY_NOT.iter().any(|(p, w, _)| *p == row.preset && w == way);
                assert_eq!(cell == "-", excused, "{} {way}", row.preset);
            }
            lines.push((row.preset, line.trim_end().to_owned()));
        }
    }
    for preset in ["dual-token", "sliding-session", "opaque-session", "service"] {
        let own = lines.iter().filter(|(own, _)| *own == preset);
        own.for_each(|(_, line)| said.push_str(&format!("\n{line}")));
    }
    println!("{said}");
    WHY_NOT.iter().for_each(|(preset, way, why)| println!("- {preset}, {way}: {why}"));
    assert_eq!(said, MATRIX.trim(), "\n{said}\n");
}

/// The answer of a way once the feed has had the time to tell it; what never comes is shown as it is.
async fn settled(stage: &Stage, (way, row): (&str, &Row), wanted: &str) -> String {
    if !["verify", "gateway"].contains(&way) {
        return stage.cell(way, row).await;
    }
    let mut tries = 0;
    until("a cell has settled", || {
        tries += 1;
        let give_up = 100 < tries;
        async move {
            let cell = stage.cell(way, row).await;
            (cell == wanted || give_up).then_some(cell)
        }
    })
    .await
}
