//! The whole document, from its parts.

use super::call::Call;
use super::{calls, schemas};
use serde_json::{Map, Value, json};

const ABOUT: &str = "\
The authority for login state: it starts sessions that your back end vouches for, renews them unseen, \
and ends them everywhere.

Errors under `/v1` are `application/problem+json` (RFC 9457) with a stable code in `type`; errors under \
`/oauth2` are those of RFC 6749. A path that is not here is answered 404, a method that is not here 405 \
with `Allow`. Every answer has `X-Request-Id`, and the log knows the request by it.

Members of JSON bodies and parameters of queries are strict: an unknown or repeated one is refused. \
Answers may grow. Bodies have at most 64 KiB, JSON lines at most 1 MiB. Times are whole seconds since 1970. Asking twice does no \
harm: a request that was answered 503 can be sent again as it was.";

/// The document as it stands in `api/openapi.json`.
pub(super) fn text() -> String {
    format!("{:#}\n", whole())
}

/// The document.
pub(super) fn whole() -> Value {
    let (mut paths, mut refusals) = (json!({}), Map::new());
    for call in calls::all() {
        let (path, method) = (call.path, call.method);
        let (operation, named) = Call::operation(call);
        refusals.extend(named);
        let earlier = paths[path].as_object_mut().map(|path| path.remove(method));
        assert!(earlier.flatten().is_none(), "{method} {path} stands twice in the table");
        paths[path][method] = operation;
    }
    let tags = calls::TAGS.map(|(name, about)| json!({"name": name, "description": about}));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Symbolon",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The authority that this document came from."}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "responses": refusals,
            "headers": headers(),
            "securitySchemes": security(),
        },
    })
}

fn headers() -> Value {
    let text = json!({"type": "string"});
    let header = |about: &str| json!({"description": about, "required": true, "schema": text});
    json!({
        "X-Request-Id": header("The request's name; the log knows it too."),
        "Cache-Control": header("Whether the answer may be kept: `no-store` where it holds secrets."),
        "Location": header("Where to go, or the path of what was made."),
        "ETag": header("The version of the subject or the client, quoted, for `If-Match`."),
        "WWW-Authenticate": header("How to say who asks (RFC 9110 §11.6.1)."),
        "Retry-After": header("After how many seconds to try again."),
    })
}

fn security() -> Value {
    json!({
        "api_key": {
            "type": "http", "scheme": "bearer", "bearerFormat": "sym_ak_…",
            "description": "An API key of a back end or an operator, with the scopes that are named.",
        },
        "access_token": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "A person's access token whose `aud` is the issuer: renew with the issuer as \
                            `resource` (RFC 8707).",
        },
        "client_secret_basic": {
            "type": "http", "scheme": "basic",
            "description": "A confidential client (RFC 6749 §2.3.1). It may send `client_id` and \
                            `client_secret` in the form instead; a public client sends `client_id`.",
        },
    })
}
