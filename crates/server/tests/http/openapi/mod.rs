//! `api/openapi.json` is written here, reviewed like code, and held against the code and against what
//! the authority answers.
//!
//! `WRITE_OPENAPI=1 cargo test -p symbolon --test http openapi` writes it anew from the table in
//! `calls.rs`.

mod answers;
mod call;
mod calls;
mod checker;
mod document;
mod page;
mod refusals;
mod schemas;
mod sources;

use crate::common::{Ask, Server};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every operation: path, method, and what is said of it.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    document["paths"].as_object().unwrap().iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

/// An access token of client `web` for the authority itself (RFC 8707).
async fn for_the_authority(server: &Server, refresh: &str) -> String {
    let metadata = server.ask(Ask::get("/.well-known/oauth-authorization-server")).await;
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "web"),
        ("refresh_token", refresh),
        ("resource", &metadata.expect(200).text("issuer")),
    ];
    server.ask(Ask::form("/oauth2/token", &form)).await.expect(200).text("access_token")
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the test asks for the file to be written"
)]
fn the_document_is_what_the_table_says() {
    let path = root().join("api/openapi.json");
    let written = document::text();
    if std::env::var_os("WRITE_OPENAPI").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    let lines = written.lines().zip(kept.lines()).enumerate();
    let differs = lines.into_iter().find(|(_, (written, kept))| written != kept);
    if let Some((at, (written, kept))) = differs {
        panic!(
            "api/openapi.json is not what the table says, first in line {}:\n- {kept}\n+ {written}\n\
             If the table is right, run this test with WRITE_OPENAPI=1 and review what changed.",
            at + 1
        );
    }
    assert_eq!(written.lines().count(), kept.lines().count(), "run it with WRITE_OPENAPI=1");
}

#[test]
fn the_document_holds_together() {
    let document = document::whole();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    for reference in &references {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    for (kind, members) in document["components"].as_object().unwrap() {
        for name in members.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
            let reference = format!("#/components/{kind}/{name}");
            assert!(references.contains(&reference), "nobody refers to {reference}");
        }
    }
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|t| &t["name"]).collect();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        assert!(tags.contains(&&operation["tags"][0]), "{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
        for way in operation["security"].as_array().unwrap() {
            let schemes = &document["components"]["securitySchemes"];
            assert!(way.as_object().unwrap().keys().all(|scheme| schemes[scheme].is_object()));
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let of_path = parameters.filter(|parameter| parameter["in"] == "path");
        let named: BTreeSet<_> = of_path.map(|p| p["name"].as_str().unwrap().to_owned()).collect();
        let parts = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        assert_eq!(named, parts.map(str::to_owned).collect(), "{method} {path}");
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    references.extend(value["$ref"].as_str().map(str::to_owned));
    value.as_object().into_iter().flatten().for_each(|(_, member)| collect(member, references));
    value.as_array().into_iter().flatten().for_each(|member| collect(member, references));
}
