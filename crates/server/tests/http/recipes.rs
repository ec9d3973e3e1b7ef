//! The recipes of the guide, as they stand there, run by the languages they are written in on tokens of a real
//! authority.

use crate::common::{Configuration, ISSUER, SERVICE_SECRET, Server, Tokens, pass};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use symbolon_wire::SecretHash;

const GUIDES: [&str; 2] = ["docs/guide/recipes.md", "docs/guide/zh-CN/recipes.md"];

/// What an audience is signed with, as a configuration and as a recipe has it.
#[derive(Clone, Copy)]
struct Kind {
    alg: &'static str,
    typ: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind { alg: "EdDSA", typ: "at+jwt" },
    Kind { alg: "ES256", typ: "at+jwt" },
    Kind { alg: "RS256", typ: "JWT" },
];

/// A language and how its files are run.
#[derive(Clone, Copy)]
struct Language {
    name: &'static str,
    ending: &'static str,
    /// What must be below the folder of its packages.
    packages: &'static str,
    /// Below the same folder; else somewhere in `PATH`.
    program: &'static str,
    runner: &'static str,
}

const NODE: Language = Language {
    name: "node",
    ending: ".mjs",
    packages: "node_modules/oauth4webapi",
    program: "node",
    runner: "run.mjs",
};

const PYTHON: Language = Language {
    name: "python",
    ending: ".py",
    packages: "venv/bin/python",
    program: "venv/bin/python",
    runner: "run.py",
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The block of code below its mark, on a page of the guide.
fn recipe(page: &str, language: Language, way: &str) -> String {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let mark = format!("<!-- recipe: {} {way} -->\n```", language.name);
    let (_, after) = text.split_once(&mark).unwrap_or_else(|| panic!("{page} has no {mark}"));
    let (_, code) = after.split_once('\n').unwrap();
    code.split_once("\n```").unwrap().0.to_owned()
}

impl Language {
    /// The recipe with a reader's own values in the place of those of the guide.
    fn recipe(self, way: &str, server: &Server, kind: Kind) -> String {
        let place = format!("http://{}", server.authority);
        let own = [
            ("https://id.example.com/", format!("{place}/")),
            ("https://id.example.com", ISSUER.to_owned()),
            ("http://127.0.0.1:8630/", format!("{place}/")),
            ("demo-api", format!("{}-api", kind.alg)),
            ("EdDSA", kind.alg.to_owned()),
            ("at+jwt", kind.typ.to_owned()),
            ("the-secret-of-orders-service", SERVICE_SECRET.to_owned()),
        ];
        let code = recipe(GUIDES[0], self, way);
        own.iter().fold(code, |code, (stands, own)| code.replace(stands, own))
    }

    /// Where `./scripts/test recipes` puts its packages.
    fn folder(self) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../recipes").join(self.name);
        let there = folder.join(self.packages).exists();
        assert!(there, "the packages of {} are missing; run: scripts/test recipes", self.name);
        folder
    }

    /// What a recipe says of each token: whose it is, or why it is refused.
    fn run(self, code: &str, tokens: &[&str]) -> Vec<Value> {
        let folder = self.folder();
        let mut file = tempfile::Builder::new().suffix(self.ending).tempfile_in(&folder).unwrap();
        file.write_all(code.as_bytes()).unwrap();
        let own = folder.join(self.program);
        let program = if own.exists() { own } else { self.program.into() };
        let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes").join(self.name);
        let mut command = Command::new(&program);
        command.arg(runner.join(self.runner)).arg(file.path());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_or_else(|why| {
                panic!("{program:?}: {why}; run: apt-get install nodejs npm")
            });
        let mut lines = child.stdin.take().unwrap();
        lines.write_all((tokens.join("\n") + "\n").as_bytes()).unwrap();
        drop(lines);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let said: Vec<_> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(output.status.success() && said.len() == tokens.len(), "{said:?}\n{code}");
        said
    }
}

/// An authority with an audience of each kind, a neighbour of the same kind, and a client that introspects.
async fn authority() -> Server {
    let hash = SecretHash::of(SERVICE_SECRET).to_text();
    let mut configuration = Configuration::new();
    for Kind { alg, typ } in KINDS {
        let settings = format!("alg = \"{alg}\"\ntyp = \"{typ}\"");
        for whose in ["api", "other"] {
            let (audience, brief) = (format!("{alg}-{whose}"), format!("{alg}-{whose}-brief"));
            let client = format!("audience = [\"{audience}\"]\nscope = \"orders:read\"");
            let ttl = "access_token = { ttl = \"1s\" }\nrefresh = { grace = \"0s\" }";
            configuration = configuration
                .audience(&audience, &settings)
                .bare_client(&audience, &client)
                .bare_client(&brief, &format!("{client}\n{ttl}"));
        }
    }
    let service = format!("preset = \"service\"\nsecret_hash = \"{hash}\"");
    Server::configured(&configuration.client("orders-service", &service)).await
}

async fn tokens(server: &Server, client: &str) -> Tokens {
    let body = json!({"subject": "10086", "client_id": client, "device": {"class": "web"}});
    Tokens::of(&server.start_session(&body).await.expect(201))
}

/// The same token with another header, payload or signature.
fn with_parts(token: &str, change: impl FnOnce(&mut Vec<String>)) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    change(&mut parts);
    parts.join(".")
}

fn unsigned(token: &str, typ: &str) -> String {
    let header = json!({"alg": "none", "typ": typ}).to_string();
    with_parts(token, |parts| {
        parts[0] = BASE64URL_NOPAD.encode(header.as_bytes());
        parts[2].clear();
    })
}

fn of_somebody_else(token: &str) -> String {
    with_parts(token, |parts| {
        let payload = BASE64URL_NOPAD.decode(parts[1].as_bytes()).unwrap();
        let payload = String::from_utf8(payload).unwrap().replace("10086", "10087");
        parts[1] = BASE64URL_NOPAD.encode(payload.as_bytes());
    })
}

/// A good token, and what no recipe may let in.
async fn cases(server: &Server, kind: Kind) -> (Tokens, Vec<(&'static str, String)>) {
    let good = tokens(server, &format!("{}-api", kind.alg)).await;
    let expired = tokens(server, &format!("{}-api-brief", kind.alg)).await.access;
    pass(Duration::from_secs(2)).await;
    let refused = vec![
        ("of another audience", tokens(server, &format!("{}-other", kind.alg)).await.access),
        ("expired", expired),
        ("unsigned", unsigned(&good.access, kind.typ)),
        ("changed", of_somebody_else(&good.access)),
        ("a refresh token", good.refresh.clone()),
        ("no token", "x".to_owned()),
    ];
    (good, refused)
}

async fn holds(language: Language, way: &str) {
    let server = authority().await;
    for kind in KINDS {
        let (good, refused) = cases(&server, kind).await;
        let code = language.recipe(way, &server, kind);
        let shown: Vec<_> = refused.iter().map(|(_, token)| &**token).collect();
        let all = [&[&*good.access], &*shown].concat();
        let said = language.run(&code, &all);
        assert_eq!(said[0], json!({"sub": "10086"}), "{} {way}", kind.alg);
        for ((what, _), said) in refused.iter().zip(&said[1..]) {
            assert!(said["refused"].is_string(), "{} {way} {what}: {said}", kind.alg);
        }
        server.kick(&good.sid).await.expect(200);
        let [said] = &*language.run(&code, &[&good.access]) else { panic!("one answer") };
        // The keys know nothing of sessions; the guide says so.
        let is_refused = said["refused"].is_string();
        assert_eq!(is_refused, way == "introspect", "{} {way}: {said}", kind.alg);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_for_jose_tells_good_tokens_from_others() {
    holds(NODE, "keys").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_for_oauth4webapi_tells_sessions_that_live_from_others() {
    holds(NODE, "introspect").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_for_pyjwt_tells_good_tokens_from_others() {
    holds(PYTHON, "keys").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_for_authlib_tells_sessions_that_live_from_others() {
    holds(PYTHON, "introspect").await;
}

/// A wrong secret must not look like an ended session: nobody is signed out by a mistake of ours.
#[tokio::test(flavor = "multi_thread")]
async fn an_introspection_that_could_not_tell_is_an_error_that_says_so() {
    let server = authority().await;
    let good = tokens(&server, "EdDSA-api").await;
    for language in [NODE, PYTHON] {
        let code = language.recipe("introspect", &server, KINDS[0]);
        let code = code.replace(SERVICE_SECRET, "not-the-secret-of-orders-service");
        let said = &language.run(&code, &[&good.access])[0];
        let why = said["refused"].as_str().unwrap();
        assert!(!why.contains("not in force here"), "{}: {why}", language.name);
    }
}

#[test]
fn both_languages_of_the_guide_have_the_same_recipes() {
    for language in [NODE, PYTHON] {
        for way in ["keys", "introspect"] {
            let [english, chinese] = GUIDES.map(|page| recipe(page, language, way));
            assert_eq!(english, chinese);
        }
    }
}

/// Locked by hash, and no registry is named: whoever builds this has their own.
#[test]
fn packages_of_recipes_are_locked_by_hash_and_come_from_wherever_the_reader_gets_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let (npm, pip) = (read("node/package-lock.json"), read("python/requirements.txt"));
    let locked: Value = serde_json::from_str(&npm).unwrap();
    for (name, package) in locked["packages"].as_object().unwrap() {
        assert!(name.is_empty() || package["integrity"].is_string(), "{name}");
        assert_eq!(package["resolved"], Value::Null, "{name}");
    }
    let (wanted, hashed) = (pip.matches("==").count(), pip.matches(" \\\n    --hash").count());
    assert!(0 < wanted && wanted <= hashed && !npm.contains("://") && !pip.contains("://"));
}
