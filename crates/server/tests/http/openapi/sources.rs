//! The document against the code: nothing that the code takes or says is left out.

use super::refusals::{OAUTH, PROBLEMS};
use super::{document, for_the_authority, operations, root};
use crate::common::{Ask, Server};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

type Words = BTreeSet<String>;

/// The product's files below `src/http` by their path there, tests left out.
fn sources() -> BTreeMap<String, String> {
    let http = root().join("crates/server/src/http");
    let (mut folders, mut found) = (vec![http.clone()], BTreeMap::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(&http).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                found.insert(name, product.to_owned());
            }
        }
    }
    found
}

/// What stands between each `open` and the next `close`.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
}

/// The string literals of a piece of code.
fn literals(code: &str) -> impl Iterator<Item = &str> {
    code.split('"').skip(1).step_by(2)
}

fn is_word(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c == '-' || c == '_';
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain)
}

/// Path and methods of every route in the router's own text.
fn routes() -> BTreeMap<String, Words> {
    let text = &sources()["mod.rs"];
    let router = between(text, "pub fn router(", "\n}").next().unwrap();
    for hidden in [".nest(", ".merge(", ".route_service("] {
        assert!(!router.contains(hidden), "{hidden} hides routes from this test; teach it");
    }
    let methods = ["get", "post", "put", "delete", "patch", "options", "any"];
    let mut found = BTreeMap::new();
    for route in router.split(".route(").skip(1) {
        let path = literals(route).next().unwrap().replace("{*", "{");
        let words = route.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '(');
        let calls = words.flat_map(|word| word.split_inclusive('('));
        let named = calls.filter_map(|call| call.strip_suffix('('));
        // OpenAPI has no word for every method: such a path is described by one, and marked.
        let own = named.filter(|name| methods.contains(name));
        let own: Words =
            own.map(|name| if name == "any" { "get" } else { name }.to_owned()).collect();
        found.insert(path, own);
    }
    found
}

fn described() -> BTreeMap<String, Words> {
    let document = document::whole();
    let mut found: BTreeMap<String, Words> = BTreeMap::new();
    for (path, method, _) in operations(&document) {
        found.entry(path.to_owned()).or_default().insert(method.to_owned());
    }
    found
}

#[test]
fn every_route_is_described_and_nothing_else_is() {
    assert!(10 < routes().len(), "the router was not read");
    assert_eq!(routes(), described(), "left: the router; right: the table in calls.rs");
}

#[tokio::test]
async fn every_path_has_the_methods_that_are_described_and_no_others() {
    let server = Server::with(&[]).await;
    let document = document::whole();
    for (path, methods) in described() {
        if document["paths"][&path]["get"]["x-any-method"] == true {
            continue;
        }
        let answer = server.ask(Ask::new("TRACE", &path.replace(['{', '}'], ""))).await.expect(405);
        let allowed = answer.header("allow").split(',').map(|method| method.trim().to_lowercase());
        let allowed: Words = allowed.filter(|method| method != "head").collect();
        assert_eq!(allowed, methods, "{path}");
    }
}

#[test]
fn every_word_of_a_refusal_is_described() {
    let (mut problems, mut errors) = (Words::new(), Words::new());
    let first = |code: &str| literals(code).next().filter(|text| is_word(text)).map(str::to_owned);
    for (name, text) in sources() {
        for open in ["Problem::new(", "Problem::forbidden("] {
            problems.extend(between(&text, open, ";").filter_map(first));
        }
        if name == "problem.rs" {
            problems.extend(literals(&text).filter(|text| is_word(text)).map(str::to_owned));
        }
        if name == "oauth_error.rs" {
            errors.extend(literals(&text).filter(|text| is_word(text)).map(str::to_owned));
        }
    }
    // Not words of a refusal: a directive of `Cache-Control`.
    problems.remove("no-store");
    errors.remove("no-store");
    let of = |table: &[(u16, &str, &str)]| table.iter().map(|row| row.1.to_owned()).collect();
    assert_eq!(problems, of(&PROBLEMS), "left: the code; right: PROBLEMS in refusals.rs");
    assert_eq!(errors, of(&OAUTH), "left: the code; right: OAUTH in refusals.rs");
}

/// The schema of each strict body, by the name of the type that reads it.
const BODIES: [(&str, &str); 25] = [
    ("StartRequest", "StartSession"),
    ("DeviceRequest", "DeviceOfStart"),
    ("ProfileRequest", "Profile"),
    ("BanRequest", "BanRequest"),
    ("SwitchesRequest", "Switches"),
    ("ReplayRequest", "ReplayForRequest"),
    ("RotateRequest", "Rotation"),
    ("ClockRequest", "ClockAcceptance"),
    ("RevocationRequest", "Revocation"),
    ("TargetRequest", "Target"),
    ("FilterRequest", "Filter"),
    ("SignOut", "SignOut"),
    ("Applied", "Applied"),
    ("Asked", "AskEnded"),
    ("CookieRequest", "AskCookie"),
    ("Activity", "Activity"),
    ("Use", "Use"),
    ("StepUpRequest", "StepUp"),
    ("OperationRequest", "OperationRequest"),
    ("RedeemOperation", "RedeemOperation"),
    ("TicketRequest", "TicketRequest"),
    ("MyTicketRequest", "MyTicketRequest"),
    ("RedeemTicket", "RedeemTicket"),
    ("RedeemToken", "RedeemToken"),
    ("DevicesRequest", "DevicesRequest"),
];

#[test]
fn every_member_of_every_body_is_described() {
    let document = document::whole();
    let mut read = 0;
    for text in sources().values() {
        for body in between(text, "#[serde(deny_unknown_fields)]", "\n}") {
            let name = body.split("struct ").nth(1).unwrap().split(' ').next().unwrap();
            let known = BODIES.iter().find(|(own, _)| *own == name);
            let (_, schema) = known.unwrap_or_else(|| panic!("{name} needs a line in BODIES"));
            let is_field = |line: &&str| {
                line.starts_with("    ") && !line.contains("//") && !line.contains("#[")
            };
            let lines = body.lines().filter(is_field);
            let fields = lines.filter_map(|line| line.trim().split(": ").next());
            let fields: Words = fields.map(|name| name.replace("pub ", "")).collect();
            let schema = &document["components"]["schemas"][schema];
            assert_eq!(schema["additionalProperties"], false, "{name}");
            let described: Words =
                schema["properties"].as_object().unwrap().keys().cloned().collect();
            assert_eq!(fields, described, "left: {name}; right: its schema");
            read += 1;
        }
    }
    assert_eq!(read, BODIES.len(), "a body is read nowhere");
}

fn parameters(document: &Value, place: &str) -> Words {
    let all = operations(document)
        .flat_map(|(_, _, operation)| operation["parameters"].as_array().into_iter().flatten());
    let own = all.filter(|parameter| parameter["in"] == place);
    own.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_parameter_that_is_read_is_described() {
    let document = document::whole();
    let (mut queries, mut forms) = (Words::new(), Words::new());
    for text in sources().values() {
        for open in [
            "Query::read(&uri, &[",
            "Query::read(uri, &[",
            "known = [",
            "PARAMETERS: [&str; 3] = [",
        ] {
            queries.extend(between(text, open, "]").flat_map(literals).map(str::to_owned));
        }
        for open in ["form.get(", "form.require("] {
            forms.extend(between(text, open, ")").flat_map(literals).map(str::to_owned));
        }
    }
    assert_eq!(queries, parameters(&document, "query"), "left: the code; right: the table");
    let schemas = &document["components"]["schemas"];
    let of = |name: &str| schemas[name]["properties"].as_object().unwrap().keys().cloned();
    let described: Words =
        ["TokenRequest", "RevokeRequest", "IntrospectRequest"].into_iter().flat_map(of).collect();
    assert_eq!(forms, described, "left: the code; right: the forms");
}

#[tokio::test]
async fn every_parameter_of_a_query_is_known_to_its_call_and_no_other_is() {
    let server = Server::with(&[]).await;
    let own = server.sign_in("alice").await;
    let access = for_the_authority(&server, &own.refresh).await;
    let document = document::whole();
    for (path, method, operation) in operations(&document) {
        let of_person = operation["security"][0]["access_token"].is_array();
        let key = if of_person { &*access } else { server.api_key() };
        let place = path.replace("{sid}", "AAAAAAAAAAAAAAAAAAAAAA").replace(['{', '}'], "");
        let ask = |name: &str| {
            server.ask(Ask::new(&method.to_uppercase(), &format!("{place}?{name}=!")).key(key))
        };
        let own = operation["parameters"].as_array().into_iter().flatten();
        let own: Words = own
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
            .collect();
        for name in &own {
            let answer = ask(name).await;
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(!said.contains("is not a parameter of this call"), "{method} {path}: {name}");
        }
        let strict =
            path.starts_with("/v1/") && !operation["security"].as_array().unwrap().is_empty();
        if strict || !own.is_empty() {
            let refused = ask("no_such").await.expect_problem(400, "malformed");
            assert_eq!(refused.text("member"), "no_such", "{method} {path}");
        }
    }
}
