//! One call of the API, put together member by member.

use super::refusals::{FAULTS, OAUTH, PROBLEMS};
use super::schemas::schema;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use symbolon::api_keys::ApiScope;
use symbolon::http::version::VERSIONS_MAX;

/// The media type of JSON lines.
pub(super) const JSON_LINES: &str = "application/x-ndjson";

/// How a call says no.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tongue {
    /// `application/problem+json` (RFC 9457).
    Problem,
    /// RFC 6749 §5.2.
    OAuth,
}

/// A status and the word that comes with it.
pub(super) type Refusal = (u16, &'static str);

/// A call: what it takes and every way in which it answers.
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    tongue: Tongue,
    operation: Map<String, Value>,
    parameters: Vec<Value>,
    answers: BTreeMap<u16, Value>,
    refusals: BTreeMap<u16, BTreeSet<&'static str>>,
}

impl Call {
    /// A call that says no as `/v1` does. `id` is what generated clients call it.
    pub(super) fn new(
        method: &'static str,
        path: &'static str,
        tag: &str,
        id: &str,
        summary: &str,
    ) -> Self {
        let said = json!({"tags": [tag], "operationId": id, "summary": summary, "security": []});
        Self {
            method,
            path,
            tongue: Tongue::Problem,
            operation: said.as_object().cloned().unwrap_or_default(),
            parameters: Vec::new(),
            answers: BTreeMap::new(),
            refusals: BTreeMap::new(),
        }
        .refuses(&[(503, "timeout")])
    }

    /// The same call, saying no as RFC 6749 does.
    pub(super) fn oauth(self) -> Self {
        let fresh = Self { tongue: Tongue::OAuth, refusals: BTreeMap::new(), ..self };
        fresh.refuses(&[(503, "temporarily_unavailable")])
    }

    /// What a summary has no room for.
    pub(super) fn about(mut self, description: &str) -> Self {
        self.operation.insert("description".into(), description.into());
        self
    }

    /// Answers every method as it answers this one.
    pub(super) fn any_method(mut self) -> Self {
        self.operation.insert("x-any-method".into(), true.into());
        self
    }

    /// Needs an API key with a scope.
    pub(super) fn key(mut self, scope: ApiScope) -> Self {
        self.operation.insert("security".into(), json!([{"api_key": [scope.as_str()]}]));
        let denied =
            [(401, "unauthorized"), (403, "insufficient-scope"), (429, "too-many-failures")];
        self.refuses(&denied).refuses(&FAULTS).refuses(&[(400, "malformed")])
    }

    /// Needs an API key with one of these scopes: what it asks for decides which.
    pub(super) fn key_of_any(self, scopes: &[ApiScope]) -> Self {
        let way = |scope: &ApiScope| json!({"api_key": [scope.as_str()]});
        let ways: Vec<_> = scopes.iter().map(way).collect();
        let mut call = self.key(ApiScope::Admin);
        call.operation.insert("security".into(), ways.into());
        call
    }

    /// Needs a person's access token for the authority itself.
    pub(super) fn person(mut self) -> Self {
        self.operation.insert("security".into(), json!([{"access_token": []}]));
        let denied = [(401, "unauthorized"), (401, "invalid-token"), (403, "foreign-origin")];
        self.refuses(&denied).refuses(&FAULTS).refuses(&[(400, "malformed")])
    }

    /// Any of these ways to say who asks; an empty one is nobody.
    pub(super) fn security(mut self, ways: Value) -> Self {
        self.operation.insert("security".into(), ways);
        self.refuses(&[(401, "invalid_client"), (429, "invalid_client")])
    }

    /// A part of the path.
    pub(super) fn path(self, name: &str, schema: Value, description: &str) -> Self {
        self.parameter("path", name, schema, description)
    }

    /// A parameter of the query.
    pub(super) fn query(self, name: &str, schema: Value, description: &str) -> Self {
        self.parameter("query", name, schema, description)
    }

    /// A header of the request.
    pub(super) fn header(self, name: &str, schema: Value, description: &str) -> Self {
        self.parameter("header", name, schema, description)
    }

    /// Takes `If-Match` (RFC 9110 §13.1.1).
    pub(super) fn if_match(self, description: &str) -> Self {
        let tag = json!({"type": "string", "examples": ["\"0.7\""]});
        let description = format!(
            "{description} (RFC 9110 §13.1.1): up to {VERSIONS_MAX} values of `ETag`, or `*`."
        );
        self.header("If-Match", tag, &description)
    }

    fn parameter(mut self, place: &str, name: &str, schema: Value, description: &str) -> Self {
        self.parameters.push(json!({
            "in": place, "name": name, "required": place == "path", "description": description,
            "schema": schema,
        }));
        self
    }

    /// Which page of a list.
    pub(super) fn paged(self, cursor: Value) -> Self {
        let limit = json!({
            "type": "integer", "minimum": 1, "maximum": symbolon::http::query::LIMIT_MAX,
            "default": 50,
        });
        self.query("limit", limit, "How many items at most.").query(
            "cursor",
            cursor,
            "`next` of the page before.",
        )
    }

    /// Takes JSON.
    pub(super) fn json(self, name: &str) -> Self {
        let wrong = [
            (400, "malformed"),
            (408, "timeout"),
            (413, "too-large"),
            (415, "unsupported-media-type"),
        ];
        self.body("application/json", name).refuses(&wrong)
    }

    /// Takes JSON lines too, each of this schema.
    pub(super) fn or_lines(mut self, name: &str, description: &str) -> Self {
        let content = &mut self.operation["requestBody"]["content"];
        content[JSON_LINES] = lines(name, description);
        self
    }

    /// Takes a form (RFC 6749 Appendix B).
    pub(super) fn form(self, name: &str) -> Self {
        let wrong = [400, 408, 413, 415].map(|status| (status, "invalid_request"));
        self.body("application/x-www-form-urlencoded", name).refuses(&wrong)
    }

    fn body(mut self, kind: &str, name: &str) -> Self {
        let body = json!({"required": true, "content": {kind: {"schema": schema(name)}}});
        self.operation.insert("requestBody".into(), body);
        self
    }

    /// Answers a JSON body.
    pub(super) fn answers(self, status: u16, description: &str, name: &str) -> Self {
        self.answers_as(status, description, "application/json", schema(name))
    }

    /// Answers a body of some other kind.
    pub(super) fn answers_as(
        mut self,
        status: u16,
        description: &str,
        kind: &str,
        body: Value,
    ) -> Self {
        let answer = json!({
            "description": description,
            "headers": headers(&["X-Request-Id"]),
            "content": {kind: {"schema": body}},
        });
        self.answers.insert(status, answer);
        self
    }

    /// Answers JSON lines to whoever sent such, each of this schema.
    pub(super) fn or_answers_lines(mut self, status: u16, name: &str, description: &str) -> Self {
        let answer = self.answers.get_mut(&status).unwrap();
        answer["content"][JSON_LINES] = lines(name, description);
        self
    }

    /// Answers no body.
    pub(super) fn answers_nothing(mut self, status: u16, description: &str) -> Self {
        let headers = headers(&["X-Request-Id"]);
        self.answers.insert(status, json!({"description": description, "headers": headers}));
        self
    }

    /// Answers with this header too; the last answer that was named.
    pub(super) fn with(mut self, status: u16, header: &str) -> Self {
        self.answers.get_mut(&status).unwrap()["headers"][header] = header_reference(header);
        self
    }

    /// Says no in these ways too.
    pub(super) fn refuses(mut self, refusals: &[Refusal]) -> Self {
        for (status, word) in refusals {
            self.refusals.entry(*status).or_default().insert(*word);
        }
        self
    }

    /// The operation object (OpenAPI 3.1 §4.8.10), and the refusals that it refers to, by name.
    pub(super) fn operation(mut self) -> (Value, Map<String, Value>) {
        let mut named = Map::new();
        for (status, words) in &self.refusals {
            let name = name(self.tongue, *status, words);
            let reference = json!({"$ref": format!("#/components/responses/{name}")});
            named.insert(name, refusal(self.tongue, *status, words));
            self.answers.insert(*status, reference);
        }
        let text = |(status, answer): (u16, Value)| (status.to_string(), answer);
        let answers: Map<String, Value> = self.answers.into_iter().map(text).collect();
        self.operation.insert("responses".into(), answers.into());
        if !self.parameters.is_empty() {
            self.operation.insert("parameters".into(), self.parameters.into());
        }
        (self.operation.into(), named)
    }
}

/// What a refusal is called: calls that say no with the same words share it.
fn name(tongue: Tongue, status: u16, words: &BTreeSet<&'static str>) -> String {
    let faults: BTreeSet<_> = FAULTS.iter().map(|(_, word)| *word).collect();
    let words: Vec<_> = match *words == faults {
        true => vec!["faults"],
        false => words.iter().copied().collect(),
    };
    match tongue {
        Tongue::Problem => format!("{status}.{}", words.join(".")),
        Tongue::OAuth => format!("oauth.{status}.{}", words.join(".")),
    }
}

/// The answer of one status, with every word that it may come with.
fn refusal(tongue: Tongue, status: u16, words: &BTreeSet<&'static str>) -> Value {
    let (table, kind, name) = match tongue {
        Tongue::Problem => (&PROBLEMS[..], "application/problem+json", "Problem"),
        Tongue::OAuth => (&OAUTH[..], "application/json", "OAuthError"),
    };
    let line = |word: &&str| {
        let row = table.iter().find(|row| (row.0, row.1) == (status, *word));
        let (_, _, meaning) = row.unwrap_or_else(|| panic!("no row for {status} `{word}`"));
        format!("`{word}`: {meaning}")
    };
    let described: Vec<_> = words.iter().map(line).collect();
    let also = match (tongue, status) {
        (Tongue::Problem, 401) => &["X-Request-Id", "Cache-Control", "WWW-Authenticate"][..],
        (_, 429 | 503) => &["X-Request-Id", "Cache-Control", "Retry-After"],
        _ => &["X-Request-Id", "Cache-Control"],
    };
    let mut answer = json!({
        "description": described.join(" "),
        "headers": headers(also),
        "content": {kind: {"schema": schema(name)}},
        "x-codes": words,
    });
    if tongue == Tongue::OAuth && status == 401 {
        let optional = json!({
            "description": "How to say who asks, where the caller tried `Authorization`.",
            "schema": {"type": "string"},
        });
        answer["headers"]["WWW-Authenticate"] = optional;
    }
    answer
}

/// OpenAPI 3.1 has no word for a sequence of values; 3.2 calls it `itemSchema`.
fn lines(name: &str, description: &str) -> Value {
    json!({
        "schema": {"type": "string", "description": description},
        "x-item-schema": schema(name),
    })
}

fn headers(names: &[&str]) -> Value {
    names
        .iter()
        .map(|name| ((*name).to_owned(), header_reference(name)))
        .collect::<Map<_, _>>()
        .into()
}

fn header_reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}
